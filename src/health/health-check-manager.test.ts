/** Checks side by side: what each of them may do without harm, and what is told of it. */
import assert from "node:assert/strict";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createTestClock } from "../databricks/test-clock.ts";
import type { Check, CheckResult, ModuleCheck } from "./check.ts";
import {
  CHECKS_MAX,
  type ComponentHealth,
  HealthCheckManager,
  type HealthCheckManagerOptions,
  MODULE_CHECKS_MAX,
} from "./health-check-manager.ts";
import { HealthStatus } from "./health-status.ts";
import { threadFile } from "./worker-runner.ts";

const healthy: Check = () => ({ status: HealthStatus.HEALTHY, message: "Fine." });
const returning = (value: unknown) => (() => value) as Check;
const moduleOf = (code: string): ModuleCheck => ({
  module: new URL(`data:text/javascript,${encodeURIComponent(code)}`),
});
const startMs = Date.UTC(2026, 0, 1);

function setUp(options: HealthCheckManagerOptions = {}) {
  const clock = createTestClock({ startMs });
  return { clock, manager: new HealthCheckManager({ clock, ...options }) };
}

async function runOne(check: Check | ModuleCheck): Promise<ComponentHealth> {
  const { manager } = setUp();
  manager.registerCheck("it", check);
  const component = await manager.runCheck("it");
  await manager.close();
  return component;
}

function blockFor(durationMs: number): void {
  const endMs = performance.now() + durationMs;
  while (performance.now() < endMs);
}

// What a report holds.

test("a report, as the contract has it", async () => {
  const { manager } = setUp();
  manager.registerCheck("vector_store", async ({ signal }) => ({
    name: "vector_store",
    status: signal.aborted ? HealthStatus.UNKNOWN : HealthStatus.HEALTHY,
    message: "Vector store is accessible",
    evidence: { rows: 12 },
  }));
  manager.registerCheck("cache", returning({ status: "degraded", state: "filling" }));
  const { components, ...report } = await manager.runAllChecks();
  assert.deepEqual(report, {
    status: "degraded",
    timestamp: "2026-01-01T00:00:00.000Z",
    summary: { total: 2, healthy: 1, degraded: 1, unhealthy: 0, unknown: 0 },
  });
  const [{ latencyMs, ...first } = { latencyMs: null }, second] = components;
  assert.ok(latencyMs !== null && latencyMs >= 0 && latencyMs < 1000);
  assert.deepEqual(first, {
    name: "vector_store",
    status: "healthy",
    lastStatus: "healthy",
    state: null,
    message: "Vector store is accessible",
    timestamp: "2026-01-01T00:00:00.000Z",
    since: "2026-01-01T00:00:00.000Z",
    consecutiveFailures: 0,
    consecutiveSuccesses: 1,
    blockedMs: 0,
    evidence: { rows: 12 },
  });
  assert.equal(
    `${second?.name} ${second?.state}: ${second?.message}`,
    "cache filling: The check says degraded.",
  );
});

for (const [statuses, expected] of [
  [[], "healthy"],
  [["healthy", "healthy"], "healthy"],
  [["healthy", "unknown"], "unknown"],
  [["unknown", "degraded", "healthy"], "degraded"],
  [["degraded", "unhealthy", "unknown"], "unhealthy"],
] as const) {
  test(`of ${statuses.join(", ") || "nothing"} the whole is ${expected}`, async () => {
    const { manager } = setUp();
    for (const [index, status] of statuses.entries())
      manager.registerCheck(`${index}`, returning({ status }));
    const { status, summary } = await manager.runAllChecks();
    assert.equal(status, expected);
    assert.equal(summary.total, statuses.length);
  });
}

// Whatever a check throws or returns.

const hostile = {
  get status(): never {
    throw new Error("no status for you");
  },
};
const revoked = Proxy.revocable({}, {});
revoked.revoke();

for (const [what, check, state, says] of [
  [
    "an error",
    () => Promise.reject(new Error("no route")),
    "threw",
    "The check threw Error: no route.",
  ],
  [
    "an error at once",
    () => {
      throw new TypeError("x is not a function");
    },
    "threw",
    "The check threw TypeError: x is not a function.",
  ],
  ["null", () => Promise.reject(null), "threw", "The check threw null."],
  ["undefined", () => Promise.reject(undefined), "threw", "The check threw undefined."],
  [
    "a symbol",
    () => {
      throw Symbol("why");
    },
    "threw",
    "The check threw Symbol(why).",
  ],
  ["text", () => Promise.reject("gone"), "threw", 'The check threw "gone".'],
  [
    "an object without a prototype",
    () => Promise.reject(Object.create(null)),
    "threw",
    "The check threw an object.",
  ],
  [
    "a revoked proxy",
    () => Promise.reject(revoked.proxy),
    "threw",
    "The check threw something that can't be described.",
  ],
  [
    "an error whose message throws",
    () =>
      Promise.reject(
        Object.defineProperty(new Error(), "message", {
          get() {
            throw 1;
          },
        }),
      ),
    "threw",
    "The check threw something that can't be described.",
  ],
  [
    "a secret",
    () => Promise.reject(new Error("refused token=abcdef123456")),
    "threw",
    "The check threw Error: refused token=[secret].",
  ],
  ["nothing", returning(undefined), "invalid_result", "The check returned undefined;"],
  ["a number", returning(42), "invalid_result", "The check returned 42;"],
  ["true", returning(true), "invalid_result", "The check returned true;"],
  ["a function", returning(() => {}), "invalid_result", "The check returned a function;"],
  [
    "a list",
    returning([]),
    "invalid_result",
    "The check returned an object with the status undefined;",
  ],
  [
    "no status",
    returning({ message: "ok" }),
    "invalid_result",
    "The check returned an object with the status undefined;",
  ],
  [
    "another status",
    returning({ status: "great" }),
    "invalid_result",
    'The check returned an object with the status "great";',
  ],
  [
    "a status that throws",
    returning(hostile),
    "invalid_result",
    "The check returned an object that can't be read (Error: no status for you);",
  ],
  ["a revoked proxy as a result", returning(revoked.proxy), "threw", "The check threw TypeError"],
  [
    "a thenable that throws",
    returning({
      // biome-ignore lint/suspicious/noThenProperty: that is what this check returns.
      then() {
        throw null;
      },
    }),
    "threw",
    "The check threw null.",
  ],
] as const satisfies readonly (readonly [string, Check, string, string])[]) {
  test(`a check that gives ${what} is unknown, and harms no other`, async () => {
    const { manager } = setUp();
    manager.registerCheck("bad", check);
    manager.registerCheck("good", healthy);
    const { components } = await manager.runAllChecks();
    const [bad, good] = components;
    assert.equal(`${bad?.status} ${bad?.state}`, `unknown ${state}`);
    assert.ok(bad?.message.startsWith(says), bad?.message);
    assert.equal(good?.status, "healthy");
  });
}

test("text of any length and evidence of any kind are bounded and clean", async () => {
  const evidence: Record<string, unknown> = {
    text: "x".repeat(10_000),
    nan: Number.NaN,
    nested: { a: 1 },
    line: "a\n\u001b[31mb",
    ok: true,
    none: null,
  };
  for (let index = 0; index < 100; index++) evidence[`key${index}`] = index;
  const component = await runOne(
    returning({ status: "healthy", message: "y".repeat(1e6), state: 7, evidence }),
  );
  assert.equal(component.message.length, 1001);
  assert.equal(component.state, null);
  assert.equal(Object.keys(component.evidence).length, 32);
  const { text, line, ok, none, nan, nested } = component.evidence;
  assert.equal(String(text).length, 301);
  assert.deepEqual(
    { line, ok, none, nan, nested },
    { line: "a [31mb", ok: true, none: null, nan: undefined, nested: undefined },
  );
});

// Time.

test("a check that never returns is unknown when its time is up, and its signal is aborted", async () => {
  const { clock, manager } = setUp();
  let signal: AbortSignal | null = null;
  manager.registerCheck("never", (context) => {
    signal = context.signal;
    return new Promise<CheckResult>(() => {});
  });
  manager.registerCheck("good", healthy);
  const running = manager.runAllChecks();
  await clock.advance(9_999);
  assert.equal((signal as AbortSignal | null)?.aborted, false);
  await clock.advance(1);
  const { components } = await running;
  assert.equal((signal as AbortSignal | null)?.aborted, true);
  assert.deepEqual(
    components.map(({ name, status, state, message }) => `${name} ${status} ${state}: ${message}`),
    ["never unknown timed_out: The check gave no result within 10 s.", "good healthy null: Fine."],
  );
});

test("a check has its own time", async () => {
  const { clock, manager } = setUp({ timeoutSeconds: 30 });
  manager.registerCheck("short", () => new Promise(() => {}), { timeoutSeconds: 0.5 });
  const running = manager.runCheck("short");
  await clock.advance(500);
  assert.equal((await running).message, "The check gave no result within 0.5 s.");
});

test("a result that comes late is ignored, also a failure", async () => {
  for (const late of [healthy, () => Promise.reject(new Error("late"))] as Check[]) {
    const { clock, manager } = setUp();
    const gate = Promise.withResolvers<void>();
    manager.registerCheck("late", (context) => gate.promise.then(() => late(context)));
    const running = manager.runCheck("late");
    await clock.advance(10_000);
    const before = await running;
    gate.resolve();
    await clock.advance(0);
    assert.equal(before.state, "timed_out");
    assert.equal(before.consecutiveFailures, 1);
    const again = manager.runCheck("late");
    assert.equal((await again).consecutiveFailures, late === healthy ? 0 : 2);
  }
});

test("a check that is still running is not started twice", async () => {
  const { clock, manager } = setUp();
  const gate = Promise.withResolvers<CheckResult>();
  let started = 0;
  manager.registerCheck("stuck", () => {
    started += 1;
    return gate.promise;
  });
  const first = manager.runCheck("stuck");
  await clock.advance(10_000);
  await first;
  const second = await manager.runCheck("stuck");
  assert.equal(
    `${second.status} ${second.state} ${second.latencyMs}`,
    "unknown still_running null",
  );
  assert.match(second.message, /that began at 2026-01-01T00:00:00\.000Z has not ended/);
  assert.equal(second.consecutiveFailures, 2);
  assert.equal(started, 1);
  gate.resolve({ status: "healthy" });
  await clock.advance(0);
  assert.equal((await manager.runCheck("stuck")).status, "healthy");
  assert.equal(started, 2);
});

test("who asks while a check runs gets that run", async () => {
  const { manager } = setUp();
  let started = 0;
  manager.registerCheck("shared", async () => {
    started += 1;
    return { status: "healthy" };
  });
  const [report, component] = await Promise.all([
    manager.runAllChecks(),
    manager.runCheck("shared"),
  ]);
  assert.equal(report.components[0], component);
  assert.equal(started, 1);
});

test("no more checks run at a time than allowed, and each has its whole time", async () => {
  const { clock, manager } = setUp({ maxConcurrent: 2 });
  let running = 0;
  let most = 0;
  const check = async ({ signal }: { signal: AbortSignal }): Promise<CheckResult> => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    running -= 1;
    return { status: "healthy" };
  };
  for (let index = 0; index < 5; index++) manager.registerCheck(`${index}`, check);
  const report = manager.runAllChecks();
  await clock.advance(10_000);
  assert.equal(running, 2);
  await clock.advance(20_000);
  assert.deepEqual(
    (await report).components.map(({ state }) => state),
    Array(5).fill("timed_out"),
  );
  assert.equal(most, 2);
  assert.equal(running, 0);
});

// Thresholds.

test("one blip is not an outage, and does not hide either", async () => {
  const { clock, manager } = setUp({ failuresToUnhealthy: 2, successesToRecover: 2 });
  const findings = [
    "healthy",
    "unhealthy",
    "healthy",
    "unhealthy",
    "unhealthy",
    "healthy",
    "healthy",
  ] as const;
  const left = [...findings];
  manager.registerCheck("api", () => ({ status: left.shift() ?? "unknown", message: "So it is." }));
  const seen: string[] = [];
  for (const _ of findings) {
    const { status, lastStatus, since, message } = await manager.runCheck("api");
    seen.push(`${lastStatus} → ${status} since ${since.slice(17, 19)}: ${message}`);
    await clock.advance(1000);
  }
  assert.deepEqual(seen, [
    "healthy → healthy since 00: So it is.",
    "unhealthy → healthy since 00: So it is. (Failure 1 of 2 in a row; still healthy.)",
    "healthy → healthy since 00: So it is.",
    "unhealthy → healthy since 00: So it is. (Failure 1 of 2 in a row; still healthy.)",
    "unhealthy → unhealthy since 04: So it is.",
    "healthy → unhealthy since 04: So it is. (Success 1 of 2 in a row; still unhealthy.)",
    "healthy → healthy since 06: So it is.",
  ]);
});

test("a check may have thresholds of its own", async () => {
  const { manager } = setUp({ failuresToUnhealthy: 1 });
  const left: CheckResult[] = [{ status: "healthy" }, { status: "unhealthy" }];
  manager.registerCheck("api", () => left.shift() ?? { status: "unknown" }, {
    failuresToUnhealthy: 3,
  });
  await manager.runCheck("api");
  assert.equal((await manager.runCheck("api")).status, "healthy");
});

// Coming and going.

test("a check that is unregistered is gone, also while it runs", async () => {
  const { manager } = setUp();
  let isAborted = false;
  manager.registerCheck("going", ({ signal }) => {
    signal.addEventListener("abort", () => (isAborted = true));
    return new Promise(() => {});
  });
  manager.registerCheck("staying", healthy);
  const running = manager.runAllChecks();
  assert.equal(manager.unregisterCheck("going"), true);
  assert.equal(manager.unregisterCheck("going"), false);
  const { components, summary } = await running;
  assert.deepEqual(
    components.map(({ name }) => name),
    ["staying"],
  );
  assert.equal(summary.total, 1);
  assert.equal(isAborted, true);
});

test("one that waits for its turn when it is unregistered is never started", async () => {
  const { clock, manager } = setUp({ maxConcurrent: 1 });
  let isStarted = false;
  manager.registerCheck("slow", () => new Promise(() => {}));
  manager.registerCheck("waiting", () => {
    isStarted = true;
    return { status: "healthy" };
  });
  const running = manager.runAllChecks();
  manager.unregisterCheck("waiting");
  await clock.advance(10_000);
  assert.equal((await running).summary.total, 1);
  assert.equal(isStarted, false);
});

test("a check that is registered again starts anew", async () => {
  const { manager } = setUp({ failuresToUnhealthy: 3 });
  manager.registerCheck("api", healthy);
  await manager.runCheck("api");
  manager.registerCheck("api", returning({ status: "unhealthy" }));
  const { status, consecutiveFailures } = await manager.runCheck("api");
  assert.equal(`${status} ${consecutiveFailures}`, "unhealthy 1");
});

test("who asks for a check that is not there is told which are", async () => {
  const { manager } = setUp();
  manager.registerCheck("api", healthy);
  await assert.rejects(manager.runCheck("apy"), {
    code: "USAGE_INVALID",
    hint: /Registered: api\./,
  });
});

for (const [code, what, use] of [
  ["CONFIG_INVALID", "timeoutSeconds 0", () => new HealthCheckManager({ timeoutSeconds: 0 })],
  [
    "CONFIG_INVALID",
    "timeoutSeconds NaN",
    () => new HealthCheckManager({ timeoutSeconds: Number.NaN }),
  ],
  [
    "CONFIG_INVALID",
    "timeoutSeconds for ever",
    () => new HealthCheckManager({ timeoutSeconds: Number.POSITIVE_INFINITY }),
  ],
  ["CONFIG_INVALID", "no check at a time", () => new HealthCheckManager({ maxConcurrent: 0 })],
  ["CONFIG_INVALID", "half a failure", () => new HealthCheckManager({ failuresToUnhealthy: 0.5 })],
  ["CONFIG_INVALID", "no success", () => new HealthCheckManager({ successesToRecover: 0 })],
  ["USAGE_INVALID", "a check without a name", () => setUp().manager.registerCheck("", healthy)],
  [
    "USAGE_INVALID",
    "a name that is no text",
    () => setUp().manager.registerCheck(1n as never, healthy),
  ],
  ["USAGE_INVALID", "no check", () => setUp().manager.registerCheck("a", undefined as never)],
  [
    "USAGE_INVALID",
    "a module by its path",
    () => setUp().manager.registerCheck("a", { module: "./a.js" } as never),
  ],
  [
    "USAGE_INVALID",
    "a module of elsewhere",
    () => setUp().manager.registerCheck("a", { module: new URL("https://example.com/a.js") }),
  ],
  [
    "CONFIG_INVALID",
    "no memory",
    () => setUp().manager.registerCheck("a", { ...moduleOf(""), memoryMb: 0 }),
  ],
] as const) {
  test(`refuses ${what}`, () => {
    assert.throws(use, { name: "MonitorError", code, hint: /^Give / });
  });
}

for (const [how, here] of [
  ["as CommonJS", undefined],
  ["as CommonJS for older machines", ""],
  ["as a module", "file:///srv/service/bundle.mjs"],
] as const) {
  test(`a module in a service that was bundled ${how} is refused with what to do`, () => {
    assert.throws(() => threadFile(here), { code: "CONFIG_INVALID", hint: /external/ });
  });
}

test("the number of checks is bounded", () => {
  const { manager } = setUp();
  for (let index = 0; index < MODULE_CHECKS_MAX; index++)
    manager.registerCheck(`m${index}`, moduleOf(""));
  assert.throws(() => manager.registerCheck("m", moduleOf("")), { code: "USAGE_INVALID" });
  for (let index = MODULE_CHECKS_MAX; index < CHECKS_MAX; index++)
    manager.registerCheck(`${index}`, healthy);
  assert.throws(() => manager.registerCheck("one more", healthy), { code: "USAGE_INVALID" });
  manager.registerCheck("m0", healthy);
});

// Blocking.

test("a check that blocks the event loop is named", async () => {
  const component = await runOne(() => {
    blockFor(150);
    return { status: "healthy", message: "Fine." };
  });
  assert.equal(component.status, "healthy");
  assert.ok(component.blockedMs !== null && component.blockedMs >= 150, `${component.blockedMs}`);
  assert.match(
    component.message,
    /^Fine\. It blocked the event loop for 0\.\d+ s; given as \{ module: URL \}/,
  );
});

test("one that blocks after it has waited is named among those that ran", async () => {
  const { manager } = setUp();
  const gate = Promise.withResolvers<void>();
  manager.registerCheck("blocking", async () => {
    await sleep(5);
    blockFor(200);
    gate.resolve();
    return { status: "healthy" };
  });
  manager.registerCheck("waiting", () => gate.promise.then(() => ({ status: "healthy" })));
  manager.registerCheck("quick", healthy);
  const [blocking, waiting, quick] = (await manager.runAllChecks()).components;
  assert.match(
    blocking?.message ?? "",
    /The event loop stood still for 0\.\d+ s while it ran: blocked by this check, waiting(, quick)? or the service itself\.$/,
  );
  assert.match(waiting?.message ?? "", /blocked by this check, blocking/);
  assert.equal(quick?.message, "Fine.");
});

test("one that blocks beyond its time is timed out, and takes none of the others' time", async () => {
  const manager = new HealthCheckManager({ timeoutSeconds: 0.2 });
  manager.registerCheck("waiting", async () => {
    await sleep(50);
    return { status: "healthy" };
  });
  manager.registerCheck("blocking", () => {
    blockFor(400);
    return { status: "healthy" };
  });
  const [waiting, blocking] = (await manager.runAllChecks()).components;
  assert.equal(waiting?.status, "healthy");
  assert.equal(`${blocking?.status} ${blocking?.state}`, "unknown timed_out");
  assert.ok((blocking?.blockedMs ?? 0) >= 400);
});

// Worker threads.

test("an endless loop in a module is ended in time, while others answer at once and the event loop goes on", async () => {
  const manager = new HealthCheckManager({ timeoutSeconds: 1.5 });
  manager.registerCheck("spinning", moduleOf("export default () => { while (true); }"));
  manager.registerCheck(
    "module",
    moduleOf(
      "export default ({ name, signal }) => ({ status: 'healthy', message: name + signal.aborted })",
    ),
  );
  manager.registerCheck("good", healthy);
  await manager.runCheck("module"); // Starts its thread, which takes time where there are few cores.

  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const startedMs = performance.now();
  const spinning = manager.runCheck("spinning");
  const others = await Promise.all([manager.runCheck("good"), manager.runCheck("module")]);
  const othersMs = performance.now() - startedMs;
  const ended = await spinning;
  const endedMs = performance.now() - startedMs;
  delay.disable();

  assert.deepEqual(
    others.map(({ message }) => message),
    ["Fine.", "modulefalse"],
  );
  assert.ok(othersMs < 1000, `the others answered after ${othersMs} ms`);
  assert.equal(`${ended.status} ${ended.state} ${ended.blockedMs}`, "unknown timed_out null");
  assert.ok(endedMs < 2500, `it ended after ${endedMs} ms`);
  const p99Ms = delay.percentile(99) / 1e6;
  assert.ok(p99Ms < 100, `the event loop's p99 was ${p99Ms} ms`);
  await manager.close();
});

test("after it was ended, the next run has a new thread", async () => {
  const manager = new HealthCheckManager();
  const shared = new URL(
    `data:text/javascript,let runs = 0; export default () => { if (++runs === 2) while (true); return { status: 'healthy', state: String(runs) }; }`,
  );
  manager.registerCheck("it", { module: shared, timeoutSeconds: 1 });
  const states: (string | null)[] = [];
  for (let run = 0; run < 3; run++) states.push((await manager.runCheck("it")).state);
  assert.deepEqual(states, ["1", "timed_out", "1"]);
  await manager.close();
});

for (const [what, code, expected] of [
  ["throws null", "export default () => { throw null; }", "threw: The check threw null."],
  [
    "throws a symbol",
    "export default async () => { throw Symbol('x'); }",
    "threw: The check threw Symbol(x).",
  ],
  [
    "returns what can't be sent",
    "export default () => ({ status: 'healthy', state: 'ok', evidence: { f() {} }, g: () => {} })",
    "ok: The check says healthy.",
  ],
  [
    "returns nonsense",
    "export default () => 42",
    "invalid_result: The check returned 42; it must return",
  ],
  [
    "ends its thread",
    "export default () => process.exit(3)",
    "ended: The check ended its own worker thread, with exit code 3.",
  ],
  [
    "throws outside of its promise",
    "export default () => { setTimeout(() => { throw new Error('later'); }); return new Promise(() => {}); }",
    "ended: The check's worker thread ended with Error: later.",
  ],
  [
    "posts to the thread's own port",
    "import { parentPort } from 'node:worker_threads'; export default () => { parentPort.postMessage('x'); return { status: 'healthy' }; }",
    "null: The check says healthy.",
  ],
  [
    "is not there",
    "export const check = 1;",
    'not_loaded: The module of the check exports no function "default"; it exports check.',
  ],
  [
    "can't be read",
    "export default () => {",
    "not_loaded: The module of the check can't be loaded: SyntaxError",
  ],
  [
    "fails as it is loaded",
    "throw new Error('no driver')",
    "not_loaded: The module of the check can't be loaded: Error: no driver.",
  ],
] as const) {
  test(`a module whose check ${what}`, async () => {
    const { state, message } = await runOne(moduleOf(code));
    assert.ok(`${state}: ${message}`.startsWith(expected), `${state}: ${message}`);
  });
}

test("a module's check that takes more memory than it may is ended", async () => {
  const code =
    "export default () => { const all = []; while (true) all.push(new Array(100_000).fill(0.5)); }";
  const { state, message } = await runOne({ ...moduleOf(code), memoryMb: 32 });
  assert.equal(state, "out_of_memory");
  assert.match(message, /needed more than 32 MiB/);
});

test("a module's check may be another of its exports", async () => {
  const code = "export const index = async () => ({ status: 'degraded', message: 'Filling.' });";
  const { status, message } = await runOne({ ...moduleOf(code), export: "index" });
  assert.equal(`${status}: ${message}`, "degraded: Filling.");
});
