/** Calls to real servers on loopback, and what is recorded of them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { createServer } from "node:net";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { UNREAD_AFTER_MS, UNREAD_REFUSAL_AFTER_MS } from "./call-measurement.ts";
import type { CallClock } from "./call-metrics.ts";
import { type MonitorFetchOptions, monitorFetch } from "./monitor-fetch.ts";
import { createTestMetrics, serve, type TestMetrics } from "./test-metrics.ts";

type Fetch = typeof globalThis.fetch;
type Call = {
  readonly fetch: Fetch;
  readonly url: string;
  readonly metrics: TestMetrics;
};

/** Runs `call` against a server that answers with `listener`; gives what was recorded, in one line. */
async function measure(
  listener: RequestListener,
  call: (call: Call) => Promise<unknown>,
  options: Partial<MonitorFetchOptions> = {},
): Promise<string> {
  await using server = await serve(listener);
  const metrics = createTestMetrics();
  const fetch = monitorFetch({ metrics, errors: metrics, endpointName: "qa", ...options });
  await call({ fetch, url: server.url, metrics });
  await metrics.request();
  await nextTurn();
  assert.equal(metrics.requests.length, 1, "a call is recorded once");
  assert.equal(fetch.lostMeasurements, 0);
  return summary(metrics);
}

function summary({ requests, tokens, latencies, counters, errors }: TestMetrics): string {
  const [request] = requests;
  const times = latencies.map(({ name }) => name.replace(/^time_to_(.*)_ms$/, "$1"));
  return [
    `${request?.statusCode ?? "no status"} ${request?.labels.outcome}`,
    times.join("+") || "no headers",
    ...tokens.map((said) => said.replace("qa ", "")),
    ...counters.map(({ name, labels }) => `${name}=${labels.outcome ?? ""}`),
    ...errors,
  ].join("; ");
}

const json =
  (body: unknown, status = 200): RequestListener =>
  (_request, response) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };

const events =
  (...parts: readonly string[]): RequestListener =>
  (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const part of parts) response.write(part);
    response.end();
  };

/** Sends the headers and this text, and then nothing: the test decides how it ends. */
const hanging =
  (text: string, then: (response: ServerResponse, request: IncomingMessage) => void = () => {}) =>
  (request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(text);
    then(response, request);
  };

const chunk = (delta: unknown) => `data: ${JSON.stringify({ choices: [{ delta }] })}\n\n`;
const usage = { prompt_tokens: 263, completion_tokens: 57 };
const usageChunk = `data: ${JSON.stringify({ model: "m", choices: [], usage })}\n\n`;
const readAll = async ({ fetch, url }: Call) => (await fetch(url)).text();
const unfinished = (outcome: string) => `unfinished_call_total=${outcome}`;

type Case = {
  readonly name: string;
  readonly listener: RequestListener;
  readonly call?: (call: Call) => Promise<unknown>;
  readonly expected: string;
};

const answers: readonly Case[] = [
  {
    name: "a JSON answer with usage",
    listener: json({ model: "m", usage }),
    expected: "200 completed; headers; m: 263 in, 57 out",
  },
  {
    name: "a JSON answer without usage has unknown tokens",
    listener: json({ predictions: { answer: "Paris" } }),
    expected: "200 completed; headers",
  },
  {
    name: "a compressed answer",
    listener: (_request, response) => {
      response.writeHead(200, {
        "content-type": "application/json",
        "content-encoding": "gzip",
      });
      response.end(gzipSync(JSON.stringify({ usage })));
    },
    expected: "200 completed; headers; ?: 263 in, 57 out",
  },
  {
    name: "a compressed stream",
    listener: (_request, response) => {
      response.writeHead(200, {
        "content-type": "text/event-stream",
        "content-encoding": "gzip",
      });
      response.end(gzipSync(chunk({ content: "Hi" }) + usageChunk));
    },
    expected: "200 completed; headers+first_content; m: 263 in, 57 out",
  },
  {
    name: "a failure of the agent, with its code and without its text",
    listener: json({ error_code: "INTERNAL_ERROR", message: "Where is Anna?" }, 500),
    expected: "500 completed; headers; qa server: The agent answered 500 (INTERNAL_ERROR)",
  },
  {
    name: "a refusal for want of capacity",
    listener: json({ error_code: "REQUEST_LIMIT_EXCEEDED", message: "…" }, 429),
    expected:
      "429 completed; headers; qa throttled: The agent answered 429 (REQUEST_LIMIT_EXCEEDED)",
  },
  {
    name: "a refusal of the request, whose usage counts nothing",
    listener: json({ usage: { prompt_tokens: 0, completion_tokens: 0 } }, 400),
    expected: "400 completed; headers; qa client: The agent answered 400",
  },
  {
    name: "a stream of comments, a role, content, usage and the end",
    listener: events(
      ": ping\n\n",
      chunk({ role: "assistant", content: "" }),
      chunk({ content: "Hi" }),
      usageChunk,
      "data: [DONE]\n\n",
    ),
    expected: "200 completed; headers+first_content; m: 263 in, 57 out",
  },
  {
    name: "a stream without content",
    listener: events(": ping\n\n", chunk({ role: "assistant" }), "data: [DONE]\n\n"),
    expected: `200 empty_stream; headers; ${unfinished("empty_stream")}; qa empty_stream: The stream ended without content`,
  },
  {
    name: "a stream of no bytes",
    listener: events(),
    expected: `200 empty_stream; headers; ${unfinished("empty_stream")}; qa empty_stream: The stream ended without content`,
  },
  {
    name: "a stream that reports a failure",
    listener: events(chunk({ content: "Hi" }), 'event: error\ndata: {"error_code":"INTERNAL"}\n\n'),
    expected: `200 stream_error; headers+first_content; ${unfinished("stream_error")}; qa stream_error: The stream reported a failure (INTERNAL)`,
  },
  {
    name: "JSON lines",
    listener: (_request, response) => {
      response.writeHead(200, { "content-type": "application/x-ndjson" });
      response.end(`{"chunk":"a"}\n${JSON.stringify({ usage })}\n`);
    },
    expected: "200 completed; headers+first_content; ?: 263 in, 57 out",
  },
  {
    name: "no content",
    listener: (_request, response) => {
      response.writeHead(204).end();
    },
    expected: "204 completed; headers",
  },
  {
    name: "HEAD",
    listener: (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).end();
    },
    call: async ({ fetch, url }) => (await fetch(url, { method: "HEAD" })).text(),
    expected: "200 completed; headers",
  },
  {
    name: "an empty JSON answer is no empty stream",
    listener: (_request, response) => {
      response.writeHead(200, { "content-type": "application/json" }).end();
    },
    expected: "200 completed; headers",
  },
  {
    name: "a huge answer",
    listener: json({ usage, padding: "x".repeat(8 * 1024 * 1024) }),
    expected: "200 completed; headers",
  },
  {
    name: "a clone, of which both are read",
    listener: json({ usage }),
    call: async ({ fetch, url }) => {
      const response = await fetch(url);
      const copy = response.clone();
      assert.deepEqual([await response.json(), await copy.json()], [{ usage }, { usage }]);
      assert.deepEqual([copy.url, copy.type, copy.redirected], [`${url}/`, "basic", false]);
    },
    expected: "200 completed; headers; ?: 263 in, 57 out",
  },
  {
    name: "a clone, of which only one is read",
    listener: json({ usage }),
    call: async ({ fetch, url }) => (await fetch(url)).clone().json(),
    expected: "200 completed; headers; ?: 263 in, 57 out",
  },
];

const ends: readonly Case[] = [
  {
    name: "a connection that breaks before the headers",
    listener: (request) => {
      request.socket.resetAndDestroy();
    },
    call: ({ fetch, url }) => assert.rejects(fetch(url), { message: "fetch failed" }),
    expected: `no status connection_failed; no headers; ${unfinished("connection_failed")}; qa connection_failed: No answer came from the agent`,
  },
  {
    name: "a stream that breaks midway, with the tokens it told",
    listener: hanging(chunk({ content: "Hi" }) + usageChunk, (response) => {
      setTimeout(() => response.socket?.resetAndDestroy(), 20);
    }),
    call: async (call) => assert.rejects(readAll(call), { message: "terminated" }),
    expected: `200 connection_lost; headers+first_content; m: 263 in, 57 out; ${unfinished("connection_lost")}; qa connection_lost: The answer broke off`,
  },
  {
    name: "an answer shorter than announced",
    listener: (_request, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
      response.write("{", () => response.socket?.destroy());
    },
    call: async (call) => assert.rejects(readAll(call)),
    expected: `200 connection_lost; headers; ${unfinished("connection_lost")}; qa connection_lost: The answer broke off`,
  },
  {
    name: "given up before the call",
    listener: json({}),
    call: async ({ fetch, url }) => {
      const signal = AbortSignal.abort();
      await assert.rejects(fetch(url, { signal }), { name: "AbortError" });
    },
    expected: `no status aborted; no headers; ${unfinished("aborted")}`,
  },
  {
    name: "given up before the headers",
    listener: () => {},
    call: async ({ fetch, url }) => {
      const reason = new Error("Never mind.");
      const abort = new AbortController();
      const answer = fetch(url, { signal: abort.signal });
      setTimeout(() => abort.abort(reason), 20);
      await assert.rejects(answer, (error) => error === reason);
    },
    expected: `no status aborted; no headers; ${unfinished("aborted")}`,
  },
  {
    name: "given up before the headers, by the signal of a Request",
    listener: () => {},
    call: async ({ fetch, url }) => {
      const abort = new AbortController();
      const answer = fetch(new Request(url, { signal: abort.signal }));
      setTimeout(() => abort.abort(), 20);
      await assert.rejects(answer, { name: "AbortError" });
    },
    expected: `no status aborted; no headers; ${unfinished("aborted")}`,
  },
  {
    name: "given up midway",
    listener: hanging(chunk({ content: "Hi" })),
    call: async ({ fetch, url }) => {
      const abort = new AbortController();
      const response = await fetch(url, { signal: abort.signal });
      const text = response.text();
      setTimeout(() => abort.abort(), 20);
      await assert.rejects(text, { name: "AbortError" });
    },
    expected: `200 aborted; headers+first_content; ${unfinished("aborted")}`,
  },
  {
    name: "given up between two reads",
    listener: hanging(chunk({ content: "Hi" })),
    call: async ({ fetch, url }) => {
      const abort = new AbortController();
      const response = await fetch(url, { signal: abort.signal });
      const reader = response.body?.getReader();
      await reader?.read();
      abort.abort();
      await assert.rejects(async () => reader?.closed, { name: "AbortError" });
    },
    expected: `200 aborted; headers+first_content; ${unfinished("aborted")}`,
  },
  {
    name: "cancelled midway by leaving a loop",
    listener: hanging(chunk({ content: "Hi" })),
    call: async ({ fetch, url }) => {
      for await (const _piece of (await fetch(url)).body ?? []) break;
    },
    expected: `200 aborted; headers+first_content; ${unfinished("aborted")}`,
  },
  {
    name: "cancelled after the last word of a stream, as clients do",
    listener: hanging(`${chunk({ content: "Hi" })}data: [DONE]\n\n`),
    call: async ({ fetch, url }) => {
      for await (const _piece of (await fetch(url)).body ?? []) break;
    },
    expected: "200 completed; headers+first_content",
  },
  {
    name: "cancelled without a look",
    listener: hanging(chunk({ content: "Hi" })),
    call: async ({ fetch, url }) => (await fetch(url)).body?.cancel(),
    expected: `200 unread; headers; ${unfinished("unread")}`,
  },
  {
    name: "the body of a failure cancelled without a look is still a failure",
    listener: json({}, 503),
    call: async ({ fetch, url }) => (await fetch(url)).body?.cancel(),
    expected: "503 completed; headers; qa server: The agent answered 503",
  },
  {
    name: "a failure whose body breaks off is told by its status",
    listener: (_request, response) => {
      response.writeHead(500, { "content-type": "application/json", "content-length": "100" });
      response.write('{"error_code":');
      setImmediate(() => response.destroy());
    },
    call: async ({ fetch, url }) => {
      const response = await fetch(url);
      await assert.rejects(response.text());
    },
    expected: "500 completed; headers; qa server: The agent answered 500",
  },
  {
    name: "a redirect that the caller refused",
    listener: (_request, response) => {
      response.writeHead(307, { location: "/elsewhere" }).end();
    },
    call: ({ fetch, url }) => assert.rejects(fetch(url, { redirect: "error" }), TypeError),
    expected: `no status redirect_refused; no headers; ${unfinished("redirect_refused")}`,
  },
  {
    name: "timed out before the headers",
    listener: () => {},
    call: ({ fetch, url }) =>
      assert.rejects(fetch(url, { signal: AbortSignal.timeout(20) }), { name: "TimeoutError" }),
    expected: `no status timeout; no headers; ${unfinished("timeout")}; qa timeout: The answer took too long`,
  },
  {
    name: "timed out midway",
    listener: hanging(chunk({ role: "assistant" })),
    call: async ({ fetch, url }) => {
      const response = await fetch(url, { signal: AbortSignal.timeout(100) });
      await assert.rejects(response.text(), { name: "TimeoutError" });
    },
    expected: `200 timeout; headers; ${unfinished("timeout")}; qa timeout: The answer took too long`,
  },
  {
    name: "timed out while nobody reads",
    listener: hanging(chunk({ role: "assistant" })),
    call: async ({ fetch, url, metrics }) => {
      const signal = AbortSignal.timeout(100);
      const response = await fetch(url, { signal });
      await metrics.request();
      await assert.rejects(response.text(), { name: "TimeoutError" });
    },
    expected: `200 timeout; headers; ${unfinished("timeout")}; qa timeout: The answer took too long`,
  },
];

for (const { name, listener, call = readAll, expected } of [...answers, ...ends]) {
  test(name, async () => assert.equal(await measure(listener, call), expected));
}

test("a connection that is refused", async () => {
  const port = createServer().listen(0, "127.0.0.1");
  await once(port, "listening");
  const address = port.address();
  port.close();
  await once(port, "close");

  const metrics = createTestMetrics();
  const fetch = monitorFetch({ metrics });
  const number = typeof address === "object" ? address?.port : undefined;
  await assert.rejects(fetch(`http://127.0.0.1:${number}/serving-endpoints/qa/invocations?t=s`));
  assert.equal(
    summary(metrics),
    `no status connection_failed; no headers; ${unfinished("connection_failed")}`,
  );
  assert.equal(metrics.requests[0]?.endpointName, "qa");
});

for (const code of ["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_CONNECT_TIMEOUT", "ETIMEDOUT"]) {
  test(`${code} of the client is a timeout, and the error stays what it was`, async () => {
    const failure = new TypeError("fetch failed", { cause: Object.assign(new Error(), { code }) });
    const metrics = createTestMetrics();
    const fetch = monitorFetch({ metrics, fetch: () => Promise.reject(failure) });
    await assert.rejects(fetch("http://agent.test/"), (error) => error === failure);
    assert.equal(metrics.requests[0]?.labels.outcome, "timeout");
  });
}

test("what fetch itself refuses is no call of an agent", async () => {
  const metrics = createTestMetrics();
  const fetch = monitorFetch({ metrics, errors: metrics });
  await assert.rejects(fetch("/relative"), TypeError);
  assert.equal(await (await fetch("data:,hello")).text(), "hello");

  const url = "http://agent.test/";
  const used = new Request(url, { method: "POST", body: "a question" });
  await used.text();
  await assert.rejects(fetch(used), TypeError);
  await assert.rejects(fetch(url, { body: "a question" }), TypeError); // with GET
  await assert.rejects(fetch(url, { method: "not a method" }), TypeError);
  await assert.rejects(fetch(url, { headers: { "not a name": "a" } }), TypeError);
  await assert.rejects(fetch("http://user:password@agent.test/"), TypeError);
  const body = new ReadableStream(); // without `duplex`
  await assert.rejects(fetch(url, { method: "POST", body }), TypeError);
  assert.deepEqual([metrics.requests, metrics.errors, metrics.counters], [[], [], []]);
  assert.equal(fetch.lostMeasurements, 0);
});

test("a connection that is refused is a failure also where no redirect would be followed", async () => {
  const cause = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
  const failure = new TypeError("fetch failed", { cause });
  const metrics = createTestMetrics();
  const fetch = monitorFetch({ metrics, fetch: () => Promise.reject(failure) });
  await assert.rejects(fetch("http://agent.test/", { redirect: "error" }));
  assert.equal(metrics.requests[0]?.labels.outcome, "connection_failed");
});

/** Time that moves when the test says so. */
function createManualClock(): CallClock & { move(ms: number): void } {
  let nowMs = 0;
  let timers: { atMs: number; run: () => void }[] = [];
  return {
    now: () => nowMs,
    after(delayMs, run) {
      const timer = { atMs: nowMs + delayMs, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    move(ms) {
      nowMs += ms;
      const due = timers.filter(({ atMs }) => atMs <= nowMs);
      timers = timers.filter(({ atMs }) => atMs > nowMs);
      for (const { run } of due) run();
    },
  };
}

test("times: headers, first content (not the first byte), and the end of the body", async () => {
  const clock = createManualClock();
  const metrics = createTestMetrics();
  const stream = new TransformStream<Uint8Array, Uint8Array>();
  const writer = stream.writable.getWriter();
  const fetch = monitorFetch({
    metrics,
    clock,
    labels: { environment: "prod" },
    fetch: async () => {
      clock.move(5);
      return new Response(stream.readable, {
        headers: { "content-type": "text/event-stream", "served-model-name": "support_agent-7" },
      });
    },
  });
  const response = await fetch("http://agent.test/serving-endpoints/qa/invocations", {
    headers: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
  });
  const reader = response.body?.getReader();
  for (const [ms, text] of [
    [15_000, ": ping\n\n"],
    [20, chunk({ role: "assistant" })],
    [30, chunk({ content: "Hi" })],
    [40, chunk({ content: " there" })],
  ] as const) {
    const read = reader?.read();
    await nextTurn();
    clock.move(ms);
    await writer.write(new TextEncoder().encode(text));
    assert.equal(new TextDecoder().decode((await read)?.value), text);
  }
  const read = reader?.read();
  clock.move(50);
  await writer.close();
  assert.equal((await read)?.done, true);

  const labels = { environment: "prod", endpoint: "qa" };
  assert.deepEqual(metrics.latencies, [
    { name: "time_to_headers_ms", ms: 5, labels },
    { name: "time_to_first_content_ms", ms: 15_055, labels },
  ]);
  assert.deepEqual(metrics.requests, [
    {
      endpointName: "qa",
      latencyMs: 15_145,
      statusCode: 200,
      modelVersion: "7",
      labels: { environment: "prod", side: "client", outcome: "completed" },
      traceId: "0af7651916cd43dd8448eb211c80319c",
    },
  ]);
});

/** A call of an agent that answers after 7 ms, and has not been read yet. */
async function answered(status: number) {
  const clock = createManualClock();
  const metrics = createTestMetrics();
  const fetch = monitorFetch({
    metrics,
    errors: metrics,
    clock,
    fetch: async () => {
      clock.move(7);
      return new Response("late", { status });
    },
  });
  return { clock, metrics, response: await fetch("http://agent.test/") };
}

test("an answer that nobody reads is recorded after a while, and stays readable", async () => {
  const { clock, metrics, response } = await answered(200);
  clock.move(UNREAD_AFTER_MS - 1);
  assert.equal(metrics.requests.length, 0);
  clock.move(1);
  assert.deepEqual(
    metrics.requests.map(({ latencyMs, statusCode, labels }) => [
      latencyMs,
      statusCode,
      labels.outcome,
    ]),
    [[7, 200, "unread"]],
  );
  assert.equal(await response.text(), "late");
  assert.equal(metrics.requests.length, 1);
});

test("a refusal counts at its headers, and is an error once it was read or let lie for a second", async () => {
  const { clock, metrics, response } = await answered(503);
  assert.deepEqual(
    metrics.requests.map(({ latencyMs, statusCode, labels }) => [
      latencyMs,
      statusCode,
      labels.outcome,
    ]),
    [[7, 503, "completed"]],
  );
  clock.move(UNREAD_REFUSAL_AFTER_MS - 1);
  assert.deepEqual(metrics.errors, []);
  clock.move(1);
  assert.deepEqual(metrics.errors, ["agent.test server: The agent answered 503"]);
  assert.equal(await response.text(), "late");
  assert.deepEqual([metrics.requests.length, metrics.errors.length, metrics.counters], [1, 1, []]);
});

test("an answer that was dropped half read is recorded when it is collected", async () => {
  const collect = await garbageCollector();
  await using server = await serve(hanging(chunk({ content: "Hi" })));
  const metrics = createTestMetrics();
  const fetch = monitorFetch({ metrics });
  await (async () => {
    const reader = (await fetch(server.url)).body?.getReader();
    await reader?.read();
  })();
  for (let turn = 0; turn < 100 && metrics.requests.length === 0; turn++) {
    collect();
    await nextTurn();
  }
  assert.equal(metrics.requests[0]?.labels.outcome, "aborted");
});

test("an answer that was dropped unread frees its connection, as with plain fetch", async () => {
  const collect = await garbageCollector();
  let closed = false;
  const listener = hanging(chunk({ content: "Hi" }), (response) => {
    response.on("close", () => {
      closed = true;
    });
  });
  await using server = await serve(listener);
  const metrics = createTestMetrics();
  const fetch = monitorFetch({ metrics });
  await (async () => {
    await fetch(server.url);
  })();
  for (let turn = 0; turn < 200 && !(closed && metrics.requests.length > 0); turn++) {
    collect();
    await nextTurn();
  }
  assert.equal(closed, true);
  assert.equal(metrics.requests[0]?.labels.outcome, "unread");
});

async function garbageCollector(): Promise<() => void> {
  const { setFlagsFromString } = await import("node:v8");
  const { runInNewContext } = await import("node:vm");
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc");
}

test("the caller gets the answer as fetch gives it", async () => {
  await using server = await serve((request, response) => {
    if (request.url === "/old") {
      response.writeHead(307, { location: "/new" }).end();
      return;
    }
    response.writeHead(201, "Made", {
      "content-type": "application/json",
      "set-cookie": ["a=1", "b=2"],
    });
    response.end(`"${request.method} ${request.url}"`);
  });
  const metrics = createTestMetrics();
  const monitored = monitorFetch({ metrics });
  const init = { method: "POST", body: "x" };
  const [plain, ours] = await Promise.all([
    globalThis.fetch(`${server.url}/old`, init),
    monitored(`${server.url}/old`, init),
  ]);
  const visible = (response: Response) => [
    response instanceof Response,
    response.url,
    response.redirected,
    response.type,
    response.ok,
    response.status,
    response.statusText,
    response.bodyUsed,
    response.headers.getSetCookie(),
    [...response.headers].filter(([name]) => name !== "date"),
  ];
  assert.deepEqual(visible(ours), visible(plain));
  assert.equal(await ours.json(), "POST /new");
  assert.equal(ours.bodyUsed, true);
  await assert.rejects(ours.text(), TypeError);
  assert.deepEqual(
    metrics.requests.map(({ statusCode, endpointName }) => [statusCode, endpointName]),
    [[201, new URL(server.url).host]],
  );
});

test("a redirect that the caller asked to see is its answer", async () => {
  const listener: RequestListener = (_request, response) => {
    response.writeHead(302, { location: "/new" }).end();
  };
  const said = await measure(listener, async ({ fetch, url }) => {
    const response = await fetch(url, { redirect: "manual" });
    assert.equal(response.headers.get("location"), "/new");
    await response.text();
  });
  assert.equal(said, "302 completed; headers");
});

test("a byte stream can be read into the caller's own buffer", async () => {
  const said = await measure(events(chunk({ content: "Hi" })), async ({ fetch, url }) => {
    const reader = (await fetch(url)).body?.getReader({ mode: "byob" });
    let text = "";
    for (;;) {
      const { done, value } = (await reader?.read(new Uint8Array(5))) ?? { done: true };
      if (done) break;
      text += new TextDecoder().decode(value);
    }
    assert.equal(text, chunk({ content: "Hi" }));
  });
  assert.equal(said, "200 completed; headers+first_content");
});

test("pieces of a stream that is no byte stream are handed on as they are", async () => {
  const piece = Buffer.from(chunk({ content: "Hi" }));
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(piece);
      controller.close();
    },
  });
  const metrics = createTestMetrics();
  const headers = { "content-type": "text/event-stream" };
  const fetch = monitorFetch({ metrics, fetch: async () => new Response(body, { headers }) });
  const reader = (await fetch("http://agent.test/")).body?.getReader();
  assert.equal((await reader?.read())?.value, piece);
  assert.equal(piece.toString(), chunk({ content: "Hi" }), "its memory was not taken away");
  await reader?.read();
  assert.equal(metrics.requests[0]?.labels.outcome, "completed");
});

test("a stream is handed on piece by piece, and read no faster than its reader", async () => {
  let pulls = 0;
  const body = new ReadableStream(
    {
      type: "bytes",
      pull(controller) {
        pulls++;
        controller.enqueue(new Uint8Array(10));
        if (pulls === 100) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  const fetch = monitorFetch({
    metrics: createTestMetrics(),
    fetch: async () => new Response(body),
  });
  const reader = (await fetch("http://agent.test/")).body?.getReader();
  await nextTurn();
  assert.equal(pulls, 0);
  await reader?.read();
  await nextTurn();
  assert.equal(pulls, 1);
});

test("a collector and a tracker that throw disturb no call, and what was lost is counted", async () => {
  await using server = await serve(events(chunk({ content: "Hi" }) + usageChunk));
  const broken = () => {
    throw new Error("broken");
  };
  const fetch = monitorFetch({
    metrics: {
      recordRequest: broken,
      recordTokenUsage: broken,
      recordLatency: broken,
      incrementCounter: broken,
    },
    errors: { trackAgentError: () => Promise.reject(new Error("broken")) },
  });
  assert.equal(await (await fetch(server.url)).text(), chunk({ content: "Hi" }) + usageChunk);
  assert.equal(fetch.lostMeasurements, 4);
  await assert.rejects(fetch("http://127.0.0.1:1/"), { message: /fetch failed|bad port/ });
  await nextTurn();
  assert.equal(fetch.lostMeasurements, 7);
});

test("many calls may share one signal, and leave nothing on it", async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on("warning", onWarning);
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove(...args);
  };
  const metrics = createTestMetrics();
  const fetch = monitorFetch({ metrics, fetch: async () => new Response("{}") });
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => fetch("http://agent.test/", { signal })),
  );
  assert.equal(listeners, 50);
  for (const answer of answers) await answer.text();
  await nextTurn();
  process.off("warning", onWarning);
  assert.deepEqual([listeners, warnings], [0, []]);
});

test("no label holds anything of the query, the credentials or the question", async () => {
  await using server = await serve(json({ error_code: "X", message: "secret-answer" }, 500));
  const metrics = createTestMetrics();
  const fetch = monitorFetch({ metrics, errors: metrics });
  await (
    await fetch(`${server.url}/serving-endpoints/qa/invocations?key=secret-query#secret-hash`, {
      method: "POST",
      headers: { authorization: "Bearer secret-token" },
      body: JSON.stringify({ inputs: { question: "secret-question" } }),
    })
  ).text();
  assert.doesNotMatch(JSON.stringify(metrics), /secret/);
  assert.equal(metrics.requests[0]?.endpointName, "qa");
});
