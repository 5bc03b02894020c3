/** Forwarding told as a story: what is taken, what the receiver answers, and what it has in the end. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { createTestClock } from "../../databricks/test-clock.ts";
import { type ForwardLane, openForwardLane } from "./forward-lane.ts";
import { forwardTarget, parseForwardHeaders } from "./forward-target.ts";

const TOKEN = "dapi-canary-0123456789";
const target = forwardTarget("https://otel.example:4318/base", {
  signal: "traces",
  headers: { "api-key": TOKEN },
});

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "forward-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

type Answer = Response | "refused" | "hangs";
type Sent = { readonly atMs: number; readonly url: string; readonly init: RequestInit };

const partial = (rejected: number) =>
  new Response(new Uint8Array([0x0a, 0x02, 0x08, rejected]), { status: 200 });
const answered = (status: number, headers: Record<string, string> = {}) =>
  new Response(`you sent ${TOKEN}`, { status, headers });

/** A receiver that gives these answers in turn and 200 afterwards, and a lane to it. */
async function start(
  answers: readonly Answer[] = [],
  { queueMaxBytes }: { queueMaxBytes?: number } = {},
) {
  const clock = createTestClock({ startMs: 1_000_000 });
  const sent: Sent[] = [];
  const notices: string[] = [];
  const lane = await openForwardLane({
    dataDirectory: directory,
    signal: "traces",
    target,
    clock,
    random: () => 1,
    onNotice: (notice) => notices.push(notice),
    ...(queueMaxBytes !== undefined && { queueMaxBytes }),
    fetch: async (url, init) => {
      sent.push({ atMs: clock.now() - 1_000_000, url, init });
      const answer = answers[sent.length - 1] ?? new Response(new Uint8Array(0));
      if (answer === "refused") {
        throw new TypeError(`fetch failed: ${TOKEN}`, {
          cause: Object.assign(new Error(TOKEN), { code: "ECONNREFUSED" }),
        });
      }
      if (answer === "hangs") {
        return new Promise((_, reject) => {
          const abort = () => reject(new Error("aborted"));
          if (init.signal?.aborted) abort();
          init.signal?.addEventListener("abort", abort);
        });
      }
      return answer;
    },
  });
  return { clock, sent, notices, lane };
}

/** Waits for real work, of the disk and of threads; it fails when that never comes. */
async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!isSo()) {
    assert.ok(performance.now() < deadlineMs, `never: ${what}`);
    await nextTurn();
  }
}

const batch = (letter: string, items = 1, sizeBytes = 1) => ({
  body: new Uint8Array(Buffer.alloc(sizeBytes, letter)),
  items,
});
const bodyOf = ({ init }: Sent) => gunzipSync(init.body as Uint8Array).toString();
const bodies = (sent: readonly Sent[]) => sent.map(bodyOf);
const delivered = (lane: ForwardLane) => lane.status().waiting === 0;

test("what is taken is sent as protobuf with gzip and the headers, and then waits no more", async () => {
  const { lane, sent } = await start();
  await lane.take(batch("a", 3));
  await until("delivered", () => delivered(lane));
  const [{ url, init } = { url: "", init: {} }] = sent;
  assert.equal(url, "https://otel.example:4318/base/v1/traces");
  assert.equal(init.redirect, "manual");
  assert.deepEqual(init.headers, {
    "api-key": TOKEN,
    "x-dspy-forward-hops": "1",
    "content-type": "application/x-protobuf",
    "content-encoding": "gzip",
  });
  assert.deepEqual(bodies(sent), ["a"]);
  const { forwarded, lastForwardedMs, oldestMs, problem } = lane.status();
  assert.deepEqual([forwarded, lastForwardedMs, oldestMs, problem], [3, 1_000_000, null, null]);
  await lane.close();
});

test("what was forwarded before says so, and goes with what came as far", async () => {
  const { lane, sent } = await start();
  await lane.take(batch("a"));
  await until("the first is delivered", () => delivered(lane));
  const came = [batch("b", 2), { ...batch("c", 3), hops: 3 }, { ...batch("d"), hops: 3 }];
  await Promise.all(came.map((each) => lane.take(each)));
  await until("the rest is delivered", () => delivered(lane));
  const hops = sent.map(({ init }) => new Headers(init.headers).get("x-dspy-forward-hops"));
  assert.deepEqual(
    bodies(sent).map((body, at) => `${body}: ${hops[at]}`),
    ["a: 1", "b: 1", "cd: 4"],
  );
  assert.equal(lane.status().forwarded, 7);
  await lane.close();
});

test("what came while a request was under way goes together, in its order", async () => {
  const { lane, sent } = await start();
  await lane.take(batch("a"));
  await until("the first is delivered", () => delivered(lane));
  await Promise.all(["b", "c", "d"].map((letter) => lane.take(batch(letter))));
  await until("the rest is delivered", () => delivered(lane));
  assert.equal(bodies(sent).join(""), "abcd");
  assert.ok(sent.length <= 4);
  await lane.close();
});

/** The nth attempt fails, and the next one comes just this much later. */
async function nextAfter(
  attempt: number,
  ms: number,
  { clock, lane, sent }: Awaited<ReturnType<typeof start>>,
): Promise<void> {
  await until("the attempt", () => sent.length === attempt && lane.status().problem !== null);
  await clock.advance(ms - 1);
  assert.equal(sent.length, attempt, "too early");
  await clock.advance(1);
  await until("another attempt", () => sent.length > attempt);
}

for (const [what, answer, waitMs] of [
  ["no answer", "refused", 1_000],
  ["503", answered(503), 1_000],
  ["502", answered(502), 1_000],
  ["429 with Retry-After", answered(429, { "retry-after": "20" }), 21_000],
  [
    "503 that asks for an hour: five minutes at most",
    answered(503, { "retry-after": "3600" }),
    301_000,
  ],
  ["500", answered(500), 1_000],
  ["401: only a person can help", answered(401), 5_000],
  ["404", answered(404), 5_000],
  ["a redirect, which is not followed", answered(307, { location: "https://elsewhere" }), 5_000],
  ["an answer without end", new Response("x".repeat(70_000)), 5_000],
] as const) {
  test(`${what} → sent again after ${waitMs / 1000} s, and nothing is lost`, async () => {
    const started = await start([answer]);
    const { lane, sent, notices } = started;
    await lane.take(batch("a"));
    await nextAfter(1, waitMs, started);
    await until("delivered", () => delivered(lane));
    assert.deepEqual(bodies(sent), ["a", "a"]);
    assert.equal(lane.status().dropped.size, 0);
    assert.ok(sent.every(({ url }) => url === target.url));
    assert.match(
      notices.join("\n"),
      /^Can't forward traces to https:\/\/otel\.example:4318: .*\n.*works again\.$/,
    );
    assert.doesNotMatch(JSON.stringify([notices, lane.status()]), new RegExp(TOKEN));
    await lane.close();
  });
}

test("a hanging receiver is given up after half a minute", async () => {
  const { lane, sent, clock } = await start(["hangs"]);
  await lane.take(batch("a"));
  await until("sent", () => sent.length === 1);
  await clock.advance(30_000);
  await until("a problem", () => lane.status().problem !== null);
  assert.match(lane.status().problem ?? "", /TIMEOUT/);
  await clock.advance(1_000);
  await until("delivered", () => delivered(lane));
  await lane.close();
});

test("waits grow up to a minute", async () => {
  const down = Array.from({ length: 9 }, () => answered(503));
  const started = await start(down);
  await started.lane.take(batch("a"));
  for (const [index, seconds] of [1, 2, 4, 8, 16, 32, 60, 60, 60].entries()) {
    await nextAfter(index + 1, seconds * 1000, started);
  }
  await until("delivered", () => delivered(started.lane));
  await started.lane.close();
});

test("what is refused by itself is lost and counted, the rest of its request is not", async () => {
  const { lane, taken } = await reopen((body) => (body.includes("c") ? 400 : 200), "abcdefgh");
  await until("all gone", () => delivered(lane));
  assert.equal(taken.join(""), "abdefgh");
  assert.deepEqual([...lane.status().dropped], [["refused", 2]]);
  assert.equal(lane.status().forwarded, 14);
  await lane.close();
});

test("what is too large is split, and what can't be split is lost", async () => {
  const { lane, taken } = await reopen((body) => (body.length > 3 ? 413 : 200), "abcdefgh");
  await lane.take(batch("z", 5, 4));
  await until("all gone", () => delivered(lane));
  assert.equal(taken.join(""), "abcdefgh");
  assert.deepEqual([...lane.status().dropped], [["too_large", 5]]);
  await lane.close();
});

/** A lane whose receiver answers by what it gets, with these batches of two items waiting from before. */
async function reopen(statusFor: (body: string) => number, letters: string) {
  const options = { dataDirectory: directory, signal: "traces", target, random: () => 0 } as const;
  const before = await openForwardLane({
    ...options,
    clock: createTestClock(),
    fetch: async () => answered(503),
    onNotice: () => {},
  });
  for (const letter of letters) await before.take(batch(letter, 2));
  await until("a problem", () => before.status().problem !== null);
  await before.close();
  const taken: string[] = [];
  const lane = await openForwardLane({
    ...options,
    clock: createTestClock({ skipsUpToMs: 0 }),
    fetch: async (_, init) => {
      const body = gunzipSync(init.body as Uint8Array).toString();
      const status = statusFor(body);
      if (status === 200) taken.push(body);
      return new Response(null, { status });
    },
    onNotice: () => {},
  });
  return { lane, taken };
}

test("what waited when it was stopped is sent after the next start, together", async () => {
  const { lane, taken } = await reopen(() => 200, "abc");
  await until("delivered", () => delivered(lane));
  assert.deepEqual(taken, ["abc"]);
  assert.equal(lane.status().forwarded, 6);
  await lane.close();
});

test("a failure without an end is no reason to hold up the rest for ever", async () => {
  const { lane, taken } = await reopen((body) => (body.includes("b") ? 500 : 200), "abc");
  await until("all gone", () => delivered(lane));
  assert.equal([...taken].sort().join(""), "ac");
  assert.deepEqual([...lane.status().dropped], [["refused", 2]]);
  await lane.close();
});

test("what the receiver rejects of a request is counted, and not sent again", async () => {
  const { lane, sent } = await start([partial(3)]);
  await lane.take(batch("a", 10));
  await until("delivered", () => delivered(lane));
  assert.equal(lane.status().forwarded, 7);
  assert.deepEqual([...lane.status().dropped], [["rejected", 3]]);
  assert.equal(sent.length, 1);
  await lane.close();
});

test("beyond the limit of the queue the oldest goes, and is counted", async () => {
  const { lane, sent, clock, notices } = await start([answered(503)], { queueMaxBytes: 310 });
  await lane.take(batch("a", 2, 96));
  await until("a problem", () => lane.status().problem !== null);
  for (const letter of ["b", "c", "d", "e"]) await lane.take(batch(letter, 2, 96));
  const { waiting, waitingBytes, dropped } = lane.status();
  assert.deepEqual([waiting, waitingBytes, [...dropped]], [6, 300, [["queue_full", 4]]]);
  assert.equal(notices.filter((notice) => notice.includes("queue")).length, 1);
  await clock.advance(1_000);
  await until("delivered", () => delivered(lane));
  assert.equal(
    bodies(sent)
      .at(-1)
      ?.replaceAll(/(.)\1*/g, "$1"),
    "cde",
  );
  await lane.close();
});

test("the lag is the age of the oldest that waits", async () => {
  const { lane, clock } = await start([answered(401)]);
  await lane.take(batch("a"));
  await until("a problem", () => lane.status().problem !== null);
  await clock.advance(4_000);
  await lane.take(batch("b"));
  assert.equal(clock.now() - (lane.status().oldestMs ?? 0), 4_000);
  await lane.close();
});

test("a stop delivers what waits while the receiver takes it", async () => {
  const { lane, sent } = await start();
  await Promise.all(["a", "b", "c"].map((letter) => lane.take(batch(letter))));
  await lane.close();
  assert.equal(bodies(sent).join(""), "abc");
});

test("a stop does not wait for a receiver that is down", async () => {
  const { lane, clock } = await start(["hangs"]);
  await lane.take(batch("a"));
  const closed = lane.close();
  await clock.advance(3_000);
  await closed;
});

// ─── Where to ─────────────────────────────────────────────────────────────────

for (const [url, expected] of [
  ["http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"],
  ["https://otel.example/", "https://otel.example/v1/traces"],
  ["https://otel.example/otlp/", "https://otel.example/otlp/v1/traces"],
  ["https://otel.example/v1/traces", "https://otel.example/v1/traces"],
  ["https://otel.example/v1/metrics/", "https://otel.example/v1/traces"],
  ["https://otel.example/otlp?tenant=a", "https://otel.example/otlp/v1/traces?tenant=a"],
] as const) {
  test(`${url} → ${expected}`, () =>
    assert.equal(forwardTarget(url, { signal: "traces", headers: {} }).url, expected));
}

for (const [what, url, headers] of [
  ["no address", TOKEN, {}],
  ["another protocol", "grpc://otel.example:4317", {}],
  ["a password in the address", `https://me:${TOKEN}@otel.example`, {}],
  ["a secret in the open", "http://otel.example", { authorization: TOKEN }],
  ["a header with a line break", "https://otel.example", { "x-a": `${TOKEN}\n` }],
] as const) {
  test(`${what} is refused, and not shown`, () =>
    assert.throws(
      () => forwardTarget(url, { signal: "traces", headers }),
      (error: Error & { code?: string; hint?: string }) =>
        error.code === "CONFIG_INVALID" && !`${error.message}${error.hint}`.includes(TOKEN),
    ));
}
test("a header that is no secret may go in the open", () =>
  assert.ok(
    forwardTarget("http://otel.example", { signal: "traces", headers: { "x-scope-orgid": "a" } }),
  ));

for (const [text, expected] of [
  ["api-key=abc", { "api-key": "abc" }],
  [
    "Authorization=Basic%20dXNlcg==, x-tenant = blue\n",
    { authorization: "Basic dXNlcg==", "x-tenant": "blue" },
  ],
  ["a=100%", { a: "100%" }],
] as const) {
  test(`${JSON.stringify(text)} → ${Object.keys(expected)}`, () =>
    assert.deepEqual(parseForwardHeaders(text), expected));
}
for (const text of ["", TOKEN, `a=b,${TOKEN}`, `=${TOKEN}`, `a=b%0a${TOKEN}`]) {
  test(`${text.length} characters that are no headers are refused, and not shown`, () =>
    assert.throws(
      () => parseForwardHeaders(text),
      (error: Error & { code?: string }) =>
        error.code === "CONFIG_INVALID" && !error.message.includes(TOKEN),
    ));
}
