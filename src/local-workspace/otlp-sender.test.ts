/** Telemetry is sent in order, again when the monitor is away, and dropped only visibly. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createOtlpSender, type OtlpCounts } from "./otlp-sender.ts";
import { createTestClock } from "./test-clock.ts";

type Reply = number | "away" | { readonly status: number; readonly retryAfterS: number };

/** Sends `bodies` numbered bodies; the monitor gives these replies, and then 200. */
async function send(
  bodies: number,
  replies: readonly Reply[],
  { forMs = 60_000, close = false } = {},
) {
  const clock = createTestClock();
  const startedMs = clock.now();
  const left = [...replies];
  const posts: string[] = [];
  const drops: string[] = [];
  const sender = createOtlpSender({
    url: "http://127.0.0.1:4318",
    headers: { authorization: "Bearer x" },
    clock,
    onFirstDrop: (reason) => drops.push(reason),
    fetch: async (url, init) => {
      const body = await new Response(init?.body).bytes();
      posts.push(`${body[0]}@${clock.now() - startedMs}`);
      assert.equal(url, "http://127.0.0.1:4318/v1/traces");
      const headers = new Headers(init?.headers);
      assert.equal(headers.get("content-type"), "application/x-protobuf");
      assert.equal(headers.get("authorization"), "Bearer x");
      const reply = left.shift() ?? 200;
      if (reply === "away") throw new TypeError("fetch failed");
      if (typeof reply === "number") return new Response(null, { status: reply });
      return new Response(null, {
        status: reply.status,
        headers: { "retry-after": `${reply.retryAfterS}` },
      });
    },
  });
  for (let i = 0; i < bodies; i++) sender.send(Uint8Array.of(i));
  await clock.advance(forMs);
  if (close) sender.close();
  await clock.advance(forMs);
  return { posts, drops, counts: sender.counts() };
}

async function check(
  bodies: number,
  replies: readonly Reply[],
  expected: { readonly posts: string; readonly counts: OtlpCounts },
) {
  const { posts, counts } = await send(bodies, replies);
  assert.deepEqual({ posts: posts.join(" "), counts }, expected);
}

test("bodies are posted in order", () =>
  check(3, [], { posts: "0@0 1@0 2@0", counts: { sent: 3, dropped: 0, queued: 0 } }));
test("a busy monitor is asked again, later each time", () =>
  check(1, [503, 429], { posts: "0@0 0@500 0@1500", counts: { sent: 1, dropped: 0, queued: 0 } }));
test("a monitor that is away is asked again, and the order stays", () =>
  check(2, ["away"], { posts: "0@0 0@500 1@500", counts: { sent: 2, dropped: 0, queued: 0 } }));
test("a monitor that says when is asked then", () =>
  check(1, [{ status: 429, retryAfterS: 2 }], {
    posts: "0@0 0@2000",
    counts: { sent: 1, dropped: 0, queued: 0 },
  }));
test("a refused body is dropped, and the next one sent", () =>
  check(2, [400], { posts: "0@0 1@0", counts: { sent: 1, dropped: 1, queued: 0 } }));
test("a body is given up after six tries", () =>
  check(2, [503, 503, 503, 503, 503, 503], {
    posts: "0@0 0@500 0@1500 0@3500 0@7500 0@12500 1@12500",
    counts: { sent: 1, dropped: 1, queued: 0 },
  }));

test("a full queue drops what comes, and says so once", async () => {
  const { drops, counts } = await send(205, [400, 400]);
  assert.deepEqual(counts, { sent: 198, dropped: 7, queued: 0 });
  assert.deepEqual(drops, ["the queue is full"]);
});

test("what is still queued at the close counts as dropped", async () => {
  const { posts, counts } = await send(3, ["away"], { forMs: 100, close: true });
  assert.deepEqual(posts, ["0@0"]);
  assert.deepEqual(counts, { sent: 0, dropped: 3, queued: 0 });
});
