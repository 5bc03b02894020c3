/** The push in the background, told as a timeline: what the receiver answers, when it is asked again. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { backgroundClock } from "../../clock.ts";
import { createTestClock } from "../../databricks/test-clock.ts";
import type { MetricsSnapshot } from "../../metrics/snapshot.ts";
import { MonitorError } from "../../monitor-error.ts";
import {
  type OtlpPushOptions,
  PUSH_INTERVAL_MAX_MS,
  type PushProblem,
  startOtlpPush,
} from "./push.ts";
import { readMetrics } from "./test-otlp-metrics.ts";

const TOKEN = "dapi-canary-0123456789";

type Answer = Response | "refused" | "hangs";

/** A receiver that gives these answers in turn and 200 afterwards, and a push to it. */
function start(answers: readonly Answer[] = [], options: Partial<OtlpPushOptions> = {}) {
  const clock = createTestClock({ startMs: 1_000_000 });
  const sent: { atMs: number; url: string; init: RequestInit }[] = [];
  const problems: PushProblem[] = [];
  let value = 0;
  const push = startOtlpPush({
    url: "http://127.0.0.1:4318",
    token: TOKEN,
    snapshot: (): MetricsSnapshot => ({
      startMs: 1,
      timeMs: clock.now(),
      series: [{ kind: "counter", name: "n", labels: {}, value: ++value }],
    }),
    intervalMs: 10_000,
    random: () => 1,
    clock,
    timers: clock,
    onProblem: (problem) => problems.push(problem),
    fetch: async (url, init) => {
      sent.push({ atMs: clock.now() - 1_000_000, url, init });
      const answer = answers[sent.length - 1] ?? new Response(null);
      if (answer === "refused") {
        throw new TypeError("fetch failed", {
          cause: Object.assign(new Error(`connect to ${TOKEN}`), { code: "ECONNREFUSED" }),
        });
      }
      if (answer === "hangs") {
        return new Promise((_, reject) =>
          init.signal?.addEventListener("abort", () => reject(new Error("aborted"))),
        );
      }
      return answer;
    },
    ...options,
  });
  const values = () =>
    sent.map(({ init }) => readMetrics(init.body as Uint8Array).points[0]?.value ?? null);
  const seconds = () => sent.map(({ atMs }) => atMs / 1000);
  return { clock, push, sent, problems, values, seconds };
}

test("pushes every interval", async () => {
  const { clock, seconds, values, push } = start();
  await clock.advance(30_000);
  assert.deepEqual(seconds(), [10, 20, 30]);
  assert.deepEqual(values(), [1, 2, 3]);
  assert.equal(push.stats().pushed, 3);
});

for (const [intervalMs, everySeconds] of [
  [1, 0.1],
  [1e12, (2 ** 31 - 1) / 1000],
  [Number.POSITIVE_INFINITY, (2 ** 31 - 1) / 1000],
] as const) {
  test(`asked to push every ${intervalMs} ms, pushes every ${everySeconds} s`, () => {
    const asked: number[] = [];
    const timers = {
      ...createTestClock(),
      every: (everyMs: number) => {
        asked.push(everyMs / 1000);
        return () => {};
      },
    };
    start([], { intervalMs, timers });
    assert.deepEqual(asked, [everySeconds]);
  });
}

for (const [what, options] of [
  ["an interval that is no number", { intervalMs: Number.NaN }],
  ["an interval of 0", { intervalMs: 0 }],
  // A caller without types may give these.
  ["an interval that is text", { intervalMs: "30000" as unknown as number }],
  ["an attribute that is a number", { resource: { build: 7 as unknown as string } }],
  ["an attribute that is not known", { resource: { build: undefined as unknown as string } }],
] as const) {
  test(`${what} is refused at once, not at every push`, () =>
    assert.throws(() => start([], options), { code: "CONFIG_INVALID", hint: /./ }));
}

test("a timer of Node takes the longest interval", async () => {
  const warnings: string[] = [];
  const listen = ({ message }: Error) => warnings.push(message);
  process.on("warning", listen);
  const stop = backgroundClock.every(PUSH_INTERVAL_MAX_MS, () => {});
  await new Promise((resolve) => setImmediate(resolve));
  stop();
  process.off("warning", listen);
  assert.deepEqual(warnings, []);
});

for (const [url, expected] of [
  ["http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/metrics"],
  ["http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/metrics"],
  ["http://127.0.0.1:4318/v1/metrics", "http://127.0.0.1:4318/v1/metrics"],
  ["https://otlp.example/otlp?tenant=a", "https://otlp.example/otlp/v1/metrics?tenant=a"],
] as const) {
  test(`${url} → ${expected}`, async () => {
    const { push, sent } = start([], { url });
    await push.flush();
    assert.equal(sent[0]?.url, expected);
    const { headers, redirect, method } = sent[0]?.init ?? {};
    assert.deepEqual(
      { headers, redirect, method },
      {
        headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/x-protobuf" },
        redirect: "manual",
        method: "POST",
      },
    );
  });
}

test("a receiver that is down is asked later each time, always with what is newest", async () => {
  const answers = Array.from({ length: 6 }, () => "refused" as const);
  const { clock, seconds, values, push, problems } = start(answers);
  await clock.advance(140_000);
  // Waits of 1, 2, 4, 8, 16 and 32 seconds, then the next turn of the interval.
  assert.deepEqual(seconds(), [10, 20, 30, 40, 50, 70, 110, 120, 130, 140]);
  assert.deepEqual(values(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.equal(problems.length, 1, "told once");
  assert.match(
    problems[0]?.message ?? "",
    /POST \/v1\/metrics on .* got no answer \(ECONNREFUSED\)/,
  );
  assert.deepEqual(push.stats(), {
    pushed: 4,
    failed: 6,
    rejectedSeries: 0,
    lastPushedMs: clock.now(),
    problem: null,
  });
});
test("waits as long as Retry-After says", async () => {
  const busy = new Response(null, { status: 503, headers: { "retry-after": "25" } });
  const { clock, seconds } = start([busy]);
  await clock.advance(60_000);
  assert.deepEqual(seconds(), [10, 40, 50, 60]);
});
test("Retry-After is honoured for 5 minutes at most", async () => {
  const busy = new Response(null, { status: 429, headers: { "retry-after": "999999" } });
  const { clock, seconds } = start([busy]);
  await clock.advance(330_000);
  assert.deepEqual(seconds(), [10, 320, 330]);
});
test("one push at a time, given up after 10 seconds", async () => {
  const { clock, seconds, push } = start(["hangs"]);
  await clock.advance(19_999);
  assert.deepEqual(seconds(), [10]);
  await clock.advance(20_001);
  assert.deepEqual(seconds(), [10, 30, 40]);
  assert.equal(push.stats().failed, 1);
});
test("never follows a redirect", async () => {
  const { clock, sent, problems } = start([
    new Response(null, { status: 307, headers: { location: "http://evil.example/" } }),
  ]);
  await clock.advance(10_000);
  assert.equal(sent.length, 1);
  assert.match(problems[0]?.message ?? "", /answered 307, a redirect, which is not followed/);
});
test("what is refused for good is not sent again before the next turn", async () => {
  const { clock, push, sent } = start([new Response(null, { status: 400 })]);
  await push.flush();
  assert.equal(sent.length, 1);
  assert.match(push.stats().problem?.message ?? "", /answered 400/);
  await clock.advance(10_000);
  assert.equal(push.stats().problem, null);
});
test("413 makes the next requests smaller", async () => {
  const series = Array.from({ length: 1_000 }, (_, index) => ({
    kind: "gauge" as const,
    name: `g${index}`,
    labels: {},
    value: index,
  }));
  const { push, sent } = start([new Response(null, { status: 413 })], {
    snapshot: () => ({ startMs: 1, timeMs: 2, series }),
  });
  await push.flush();
  const counts = sent.map(({ init }) => readMetrics(init.body as Uint8Array).points.length);
  assert.deepEqual(counts, [1_000, 500, 500]);
  assert.equal(push.stats().pushed, 1);
});
test("flush tries again within its time, then gives up without throwing", async () => {
  const answers = Array.from({ length: 50 }, () => "refused" as const);
  const { clock, push, seconds } = start(answers, { intervalMs: 3_600_000 });
  let done = false;
  void push.flush().then(() => (done = true));
  await clock.advance(15_000);
  assert.ok(done);
  assert.deepEqual(seconds(), [0, 1, 3, 7]);
});
test("close sends a last time and takes 5 seconds at most", async () => {
  const { clock, push, sent } = start(["hangs"]);
  let done = false;
  void push.close().then(() => (done = true));
  await clock.advance(5_000);
  assert.ok(done);
  await clock.advance(60_000);
  assert.equal(sent.length, 1, "nothing after it");
});
test("counts the series that a receiver says it refused", async () => {
  // ExportMetricsServiceResponse { partial_success { rejected_data_points: 300, error_message: "no" } }
  const partial = Uint8Array.of(0x0a, 0x07, 0x08, 0xac, 0x02, 0x12, 0x02, 0x6e, 0x6f);
  const { push } = start([new Response(partial), new Response(Uint8Array.of(0xff, 0xff))]);
  await push.flush();
  await push.flush();
  assert.equal(push.stats().rejectedSeries, 300);
  assert.equal(push.stats().pushed, 2);
});
test("an answer without end is not read to its end", async () => {
  let chunks = 0;
  const endless = new ReadableStream({
    pull(controller) {
      chunks++;
      controller.enqueue(new Uint8Array(16 * 1024));
    },
  });
  const { push } = start([new Response(endless)]);
  await push.flush();
  assert.ok(chunks < 10);
  assert.match(push.stats().problem?.message ?? "", /answered with more than/);
});
test("a snapshot that throws, and a listener that throws, harm nobody", async () => {
  const { clock, push } = start([], {
    snapshot: () => {
      throw new Error(TOKEN);
    },
    onProblem: () => {
      throw new Error("listener");
    },
  });
  await clock.advance(20_000);
  assert.equal(push.stats().failed, 2);
});

for (const [what, options] of [
  ["no URL", { url: `not a url ${TOKEN}` }],
  ["another protocol", { url: `ftp://host/${TOKEN}` }],
  ["a password in the address", { url: `http://user:${TOKEN}@127.0.0.1:1` }],
  ["a token with a line break", { token: `${TOKEN}\n` }],
  ["a token over the network unencrypted", { url: "http://collector.example:4318" }],
  ["a header with a line break", { headers: { "x-key": `${TOKEN}\n` } }],
  ["a header with a bad name", { headers: { [`x ${TOKEN}`]: "" } }],
] as const) {
  test(`refuses ${what} at once, without showing it`, () =>
    assert.throws(
      () => start([], options),
      (error) =>
        error instanceof MonitorError &&
        error.code === "CONFIG_INVALID" &&
        !JSON.stringify([error.message, error.hint, error.stack]).includes(TOKEN),
    ));
}

test("the token is in no problem", async () => {
  const answers: Answer[] = ["refused", new Response(TOKEN, { status: 401 }), "refused"];
  const { clock, push, problems } = start(answers);
  for (let turn = 0; turn < 3; turn++) {
    await clock.advance(10_000);
    assert.ok(!JSON.stringify([push.stats(), problems]).includes(TOKEN));
  }
});

test("a program that only pushes ends by itself, and says its last before if it closes", async () => {
  const bodies: Buffer[] = [];
  const server = createServer((request, response) => {
    request.on("data", (chunk) => bodies.push(chunk));
    request.on("end", () => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const program = (end: string) => `
    import { startOtlpPush } from ${JSON.stringify(new URL("./push.ts", import.meta.url).href)};
    const series = [{ kind: "gauge", name: "g", labels: {}, value: 7 }];
    const push = startOtlpPush({
      url: "http://127.0.0.1:${port}",
      snapshot: () => ({ startMs: 1, timeMs: 2, series }),
    });
    ${end}`;
  const run = (end: string) =>
    new Promise<number>((resolve, reject) => {
      const args = ["--input-type=module", "-e", program(end)];
      const child = spawn(process.execPath, args, { timeout: 20_000 });
      child.once("error", reject);
      child.once("exit", (code) => resolve(code ?? -1));
    });
  try {
    assert.equal(await run(""), 0);
    assert.equal(bodies.length, 0);
    assert.equal(await run("await push.close();"), 0);
    assert.equal(readMetrics(Buffer.concat(bodies)).points[0]?.value, 7);
  } finally {
    server.close();
  }
});
