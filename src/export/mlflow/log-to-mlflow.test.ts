/** Logging to MLflow against a server in memory that appends, and fails where the test says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createTestClock } from "../../databricks/test-clock.ts";
import { MonitorError } from "../../monitor-error.ts";
import { BATCH_METRICS_MAX, logToMlflow, type MlflowLogOptions } from "./log-to-mlflow.ts";
import { MlflowLogError } from "./mlflow-log-error.ts";

const TOKEN = "dapi-canary-0123456789";
const TIME_MS = 1_795_465_657_140;

type Metric = { key: string; value: number; timestamp: number; step: number };

/**
 * What the server does with one request: `ok`, a status, `refused` before it is
 * reached, `lost` after it was done; `half` writes half of it, then says 500.
 */
type Fault = "ok" | "refused" | "lost" | "half" | "redirect" | number;

function server(faults: readonly Fault[] = [], runFaults: readonly Fault[] = []) {
  const written: Metric[] = [];
  const sent: string[] = [];
  let writes = 0;
  let reads = 0;
  async function fetch(url: string, init: RequestInit): Promise<Response> {
    const { pathname } = new URL(url);
    const isWrite = pathname.endsWith("/runs/log-batch");
    const fault = (isWrite ? faults[writes++] : runFaults[reads++]) ?? "ok";
    const fail = (code: string) =>
      new TypeError(`fetch failed ${TOKEN}`, { cause: Object.assign(new Error(TOKEN), { code }) });
    if (fault === "refused") throw fail("ECONNREFUSED");
    if (fault === "redirect") return new Response(null, { status: 302 });
    if (typeof fault === "number") {
      return Response.json({ error_code: "X", message: `no\n${TOKEN}` }, { status: fault });
    }
    if (!isWrite) {
      const newest = new Map<string, Metric>();
      for (const metric of written) newest.set(metric.key, metric);
      return Response.json({ run: { info: {}, data: { metrics: [...newest.values()] } } });
    }
    const body = String(init.body);
    sent.push(body);
    assert.ok(Buffer.byteLength(body) <= 1_000_000);
    const { run_id, metrics } = JSON.parse(body) as { run_id: string; metrics: Metric[] };
    assert.equal(run_id, "run1");
    assert.ok(metrics.length <= BATCH_METRICS_MAX);
    written.push(...metrics.slice(0, fault === "half" ? metrics.length / 2 : metrics.length));
    if (fault === "half") return new Response("", { status: 500 });
    if (fault === "lost") throw fail("ECONNRESET");
    return Response.json({});
  }
  return { fetch, written, sent };
}

function log(from: ReturnType<typeof server>, options: Partial<MlflowLogOptions> = {}) {
  return logToMlflow({
    host: "http://127.0.0.1:5000",
    token: TOKEN,
    runId: "run1",
    metrics: { a: 1, b: 2.5 },
    timestampMs: TIME_MS,
    fetch: from.fetch,
    clock: createTestClock({ skipsUpToMs: 20_000 }),
    random: () => 1,
    ...options,
  });
}

const manyMetrics = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`m${index}`, index]));

test("logs every metric with its time and step", async () => {
  const to = server();
  assert.deepEqual(await log(to, { step: 7 }), { logged: 2, skipped: [] });
  const at = { timestamp: TIME_MS, step: 7 };
  assert.deepEqual(to.written, [
    { key: "a", value: 1, ...at },
    { key: "b", value: 2.5, ...at },
  ]);
});
test("leaves out what is no finite number, and says so", async () => {
  const to = server();
  const metrics = { a: Number.NaN, b: 1, c: Number.POSITIVE_INFINITY };
  assert.deepEqual(await log(to, { metrics }), { logged: 1, skipped: ["a", "c"] });
});
test("nothing to log, nothing sent", async () => {
  const to = server();
  assert.deepEqual(await log(to, { metrics: {} }), { logged: 0, skipped: [] });
  assert.equal(to.sent.length, 0);
});
test("splits what is too much for one batch", async () => {
  const to = server();
  assert.equal((await log(to, { metrics: manyMetrics(2_500) })).logged, 2_500);
  assert.equal(to.sent.length, 3);
});
test("keeps batches of the longest names below a megabyte", async () => {
  const to = server();
  const long = Object.fromEntries(
    Array.from({ length: 1_000 }, (_, index) => [
      `${index}`.padEnd(250, "x"),
      1.234567890123456e-300,
    ]),
  );
  assert.equal((await log(to, { metrics: long })).logged, 1_000);
});

for (const [what, faults, runFaults, sends] of [
  ["a server that is starting", ["refused", "refused"], [], 1],
  ["too many requests", [429, 429], [], 1],
  ["a server error before anything was written", [503], [], 1],
  ["half a batch written", ["half"], [], 2],
  ["half of the rest written", ["half", "half"], [], 3],
  ["an answer that got lost", ["lost"], [], 1],
  ["an answer that got lost, and reading that fails at first", ["lost"], [503, "refused"], 1],
] as readonly [string, Fault[], Fault[], number][]) {
  test(`${what}: each metric is there once`, async () => {
    const to = server(faults, runFaults);
    const { logged } = await log(to, { metrics: manyMetrics(10) });
    assert.equal(logged, 10);
    assert.deepEqual(to.written.map(({ key }) => key).sort(), Object.keys(manyMetrics(10)).sort());
    assert.equal(to.sent.length, sends);
  });
}

for (const [what, faults, runFaults, code, message] of [
  [
    "a wrong token",
    [401],
    [],
    "DATABRICKS_UNAUTHENTICATED",
    /POST runs\/log-batch on MLflow at http:\/\/127.0.0.1:5000 answered 401: no \[REDACTED\]; 0 of 2/,
  ],
  ["no permission", [403], [], "DATABRICKS_FORBIDDEN", /403/],
  ["no such run", [404], [], "DATABRICKS_FAILED", /404/],
  ["a redirect", ["redirect"], [], "DATABRICKS_FAILED", /302, a redirect/],
  [
    "a server that is down",
    ["refused", "refused", "refused", "refused"],
    [],
    "DATABRICKS_UNREACHABLE",
    /ECONNREFUSED/,
  ],
  ["a server that stays broken", [500, 500, 500, 500], [], "DATABRICKS_FAILED", /answered 500/],
] as readonly [string, Fault[], Fault[], string, RegExp][]) {
  test(`${what}: says so, and what remains`, async () => {
    const to = server(faults, runFaults);
    await assert.rejects(log(to), (error) => {
      assert.ok(error instanceof MlflowLogError);
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.deepEqual(error.remaining, { a: 1, b: 2.5 });
      assert.deepEqual([error.logged, error.unconfirmed], [0, {}]);
      assert.ok(!JSON.stringify([error, error.message, error.stack, error.hint]).includes(TOKEN));
      return true;
    });
    assert.equal(to.written.length, 0);
  });
}

test("what could not be found out is neither sent again nor called logged", async () => {
  const to = server(["ok", "lost"], [404]);
  const metrics = manyMetrics(2_500);
  await assert.rejects(log(to, { metrics }), (error) => {
    assert.ok(error instanceof MlflowLogError);
    assert.equal(error.logged, 1_000);
    assert.equal(Object.keys(error.unconfirmed).length, 1_000);
    assert.equal(Object.keys(error.remaining).length, 500);
    return true;
  });
  assert.equal(to.sent.length, 2);
});
test("a value hidden behind a newer one could not be found out", async () => {
  const to = server([503]);
  to.written.push({ key: "a", value: 9, timestamp: TIME_MS + 1, step: 0 });
  await assert.rejects(log(to), (error) => {
    assert.ok(error instanceof MlflowLogError);
    assert.deepEqual([error.unconfirmed, error.remaining], [{ a: 1 }, { b: 2.5 }]);
    return true;
  });
});

test("going on with what remains logs everything once, whatever fails", async () => {
  const fault = fc.constantFrom<Fault>("ok", "refused", "lost", "half", 429, 500, 403);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fault, { maxLength: 12 }),
      fc.integer({ min: 1, max: 2_200 }),
      async (faults, count) => {
        const to = server(faults);
        const all = manyMetrics(count);
        let left: Readonly<Record<string, number>> = all;
        for (let call = 0; Object.keys(left).length > 0; call++) {
          assert.ok(call < 20);
          try {
            await log(to, { metrics: left });
            left = {};
          } catch (error) {
            assert.ok(error instanceof MlflowLogError);
            assert.deepEqual(error.unconfirmed, {});
            left = error.remaining;
          }
        }
        assert.equal(to.written.length, count);
        assert.equal(new Set(to.written.map(({ key }) => key)).size, count);
      },
    ),
    { numRuns: 60 },
  );
});

for (const [what, options] of [
  ["a name with a character that MLflow refuses", { metrics: { "a{b}": 1 } }],
  ["a name that is a path upwards", { metrics: { "../a": 1 } }],
  ["a name with an empty part", { metrics: { "a//b": 1 } }],
  ["a name that is too long", { metrics: { ["x".repeat(251)]: 1 } }],
  ["an empty name", { metrics: { "": 1 } }],
  ["no run id", { runId: "" }],
  ["a run id that is a path", { runId: "a/../b" }],
  ["a time that is not whole", { timestampMs: 0.5 }],
  ["a step that is no number", { step: Number.NaN }],
  ["a token that no header takes", { token: `${TOKEN}\n` }],
  ["an address that is none", { host: `x ${TOKEN}` }],
] as const) {
  test(`refuses ${what} before anything is sent`, async () => {
    const to = server();
    await assert.rejects(log(to, options), (error) => {
      assert.ok(error instanceof MonitorError);
      assert.match(error.code, /^(USAGE|CONFIG)_INVALID$/);
      return !JSON.stringify([error.message, error.stack]).includes(TOKEN);
    });
    assert.equal(to.sent.length, 0);
  });
}
