/** The traffic bears the token, is bounded, and ends when it is closed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createTestClock } from "./test-clock.ts";
import { startTraffic } from "./traffic.ts";

type Call = { readonly url: string; readonly headers: Headers; readonly body: string };

function start(answer: (signal: AbortSignal | null | undefined) => Promise<Response>) {
  const clock = createTestClock();
  const calls: Call[] = [];
  const traffic = startTraffic({
    url: "http://127.0.0.1:1",
    token: "secret",
    clock,
    random: () => 0.5,
    fetch: async (url, init) => {
      const body = String(init?.body);
      calls.push({ url: String(url), headers: new Headers(init?.headers), body });
      return answer(init?.signal);
    },
  });
  return { clock, calls, traffic };
}

/** Answers never, but gives up when told to, as fetch does. */
const never = (signal: AbortSignal | null | undefined) =>
  new Promise<Response>((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason));
  });

test("two to three requests a second, to all agents, with the token", async () => {
  const { clock, calls, traffic } = start(async () => Response.json({}));
  await clock.advance(60_000);
  await traffic.close();
  assert.ok(calls.length > 100 && calls.length < 180, `${calls.length}`);
  assert.deepEqual(
    new Set(calls.map(({ url }) => new URL(url).pathname)),
    new Set([
      "/serving-endpoints/support-rag/invocations",
      "/serving-endpoints/order-agent/invocations",
      "/serving-endpoints/triage-pipeline/invocations",
    ]),
  );
  for (const { headers, body } of calls) {
    assert.equal(headers.get("authorization"), "Bearer secret");
    assert.match(body, /^\{"inputs":\{"question":"[^"]+"\}\}$/);
  }
  assert.equal(traffic.counts().answered, calls.length);
});

test("failures and a workspace that is away are counted, and the traffic goes on", async () => {
  let calls = 0;
  const { clock, traffic } = start(async () => {
    calls += 1;
    if (calls % 2 === 0) throw new TypeError("fetch failed");
    return new Response("{}", { status: 400 });
  });
  await clock.advance(10_000);
  await traffic.close();
  const { answered, failed, unreachable } = traffic.counts();
  assert.equal(answered, 0);
  assert.ok(failed > 5 && unreachable > 5);
});

test("no more than 32 answers are awaited at once", async () => {
  const { clock, calls, traffic } = start(never);
  await clock.advance(60_000);
  assert.equal(calls.length, 32);
  assert.ok(traffic.counts().skipped > 50);
  await traffic.close();
});

test("after the close nothing is asked, and what is under way is given up", async () => {
  const { clock, calls, traffic } = start(never);
  await clock.advance(2_000);
  const asked = calls.length;
  await traffic.close();
  await clock.advance(10_000);
  assert.equal(calls.length, asked);
  assert.equal(traffic.counts().unreachable, 0);
});
