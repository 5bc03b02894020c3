/** Requests that a plain server serves, with clients that stay or leave. */
import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { type NodeHttpMetricsOptions, nodeHttpMetrics } from "./node-http.ts";
import { type Visit, visit } from "./test-client.ts";
import { createTestMetrics, serve } from "./test-metrics.ts";

type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;
type Case = Visit & {
  readonly name: string;
  readonly path?: string;
  readonly listener: Listener;
  readonly options?: Partial<NodeHttpMetricsOptions>;
  readonly expected: string;
};

const ok: Listener = (_request, response) => response.end("ok");
const begin: Listener = (_request, response) => response.write("begin");
const routes = ["/agents/:name/invocations", "/files/*", "/"];

const cases: readonly Case[] = [
  { name: "an answer", listener: ok, expected: "unmatched GET unmatched 200 completed" },
  {
    name: "a named endpoint",
    listener: ok,
    options: { endpointName: "qa" },
    expected: "qa GET unmatched 200 completed",
  },
  {
    name: "an endpoint named by the request",
    listener: ok,
    options: { endpointName: ({ headers }) => (headers.host ? "host" : "none") },
    expected: "host GET unmatched 200 completed",
  },
  {
    name: "a route, whatever the query",
    path: "/agents/qa/invocations?key=secret",
    method: "POST",
    listener: ok,
    options: { routes },
    expected: "/agents/:name/invocations POST /agents/:name/invocations 200 completed",
  },
  {
    name: "a route with a rest",
    path: "/files/a/b/c",
    listener: ok,
    options: { routes },
    expected: "/files/* GET /files/* 200 completed",
  },
  {
    name: "the root",
    path: "/",
    listener: ok,
    options: { routes },
    expected: "/ GET / 200 completed",
  },
  {
    name: "a path that no route fits",
    path: "/agents//invocations",
    listener: ok,
    options: { routes },
    expected: "unmatched GET unmatched 200 completed",
  },
  {
    name: "an unusual method",
    method: "PROPFIND",
    listener: ok,
    expected: "unmatched OTHER unmatched 200 completed",
  },
  {
    name: "a refusal",
    listener: (_request, response) => response.writeHead(404).end(),
    expected: "unmatched GET unmatched 404 completed",
  },
  {
    name: "HEAD",
    method: "HEAD",
    listener: ok,
    expected: "unmatched HEAD unmatched 200 completed",
  },
  {
    name: "a client that leaves before the headers",
    leaves: "while waiting",
    listener: () => {},
    expected: "unmatched GET unmatched no status aborted",
  },
  {
    name: "a client that leaves a stream midway",
    leaves: "after headers",
    listener: begin,
    expected: "unmatched GET unmatched 200 aborted",
  },
  {
    name: "a client whose connection is reset",
    leaves: "by reset",
    listener: begin,
    expected: "unmatched GET unmatched 200 aborted",
  },
  {
    name: "a client that leaves while the answer to its upload goes on",
    method: "POST",
    leaves: "after headers",
    listener: (request, response) => {
      request.resume();
      begin(request, response);
    },
    expected: "unmatched GET unmatched 200 aborted".replace("GET", "POST"),
  },
  {
    name: "an answer that the server itself cuts off",
    listener: (_request, response) => response.write("begin", () => response.socket?.destroy()),
    expected: "unmatched GET unmatched 500 handler_error",
  },
  {
    name: "an answer that the server itself destroys",
    listener: (_request, response) => response.write("begin", () => response.destroy()),
    expected: "unmatched GET unmatched 500 handler_error",
  },
];

for (const { name, path = "/x", listener, options, expected, ...as } of cases) {
  test(name, async () => {
    const metrics = createTestMetrics();
    await using server = await serve(nodeHttpMetrics(listener, { metrics, ...options }));
    await visit(server.url + path, as);
    const { endpointName, statusCode = "no status", labels } = await metrics.request();
    assert.equal(
      `${endpointName} ${labels.method} ${labels.route} ${statusCode} ${labels.outcome}`,
      expected,
    );
    await wait(5);
    assert.equal(metrics.requests.length, 1);
    assert.equal(labels.side, "server");
  });
}

test("a stream is measured to its end", async () => {
  const metrics = createTestMetrics();
  const listener: Listener = async (_request, response) => {
    response.write("a");
    await wait(50);
    response.end("b");
  };
  await using server = await serve(nodeHttpMetrics(listener, { metrics }));
  await visit(server.url, {
    headers: { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
  });
  const { latencyMs, traceId } = await metrics.request();
  assert.ok(latencyMs >= 49, `${latencyMs} ms`);
  assert.equal(traceId, "0af7651916cd43dd8448eb211c80319c");
});

test("requests over one connection are counted one by one", async () => {
  const metrics = createTestMetrics();
  await using server = await serve(nodeHttpMetrics(ok, { metrics }));
  for (let request = 0; request < 3; request++) await (await fetch(server.url)).text();
  await wait(5);
  assert.deepEqual(
    metrics.requests.map(({ labels }) => labels.outcome),
    ["completed", "completed", "completed"],
  );
});

/** Neither request nor response is used by a listener that throws at once. */
function callWithoutServer(listener: Listener, metrics = createTestMetrics()) {
  const wrapped = nodeHttpMetrics(listener, { metrics });
  const nothing = { headers: {}, once: () => {} };
  // Only what a wrapped listener reads before it calls the listener.
  return { metrics, run: () => wrapped(nothing as never, nothing as never) };
}

test("what a listener throws is counted as 500 and thrown on", () => {
  const failure = new Error("broken");
  const { metrics, run } = callWithoutServer(() => {
    throw failure;
  });
  assert.throws(run, (error) => error === failure);
  assert.equal(metrics.requests[0]?.statusCode, 500);
  assert.equal(metrics.requests[0]?.labels.outcome, "handler_error");
});

test("what a listener rejects with is counted as 500 and passed on", async () => {
  const failure = new Error("broken");
  const { metrics, run } = callWithoutServer(() => Promise.reject(failure));
  await assert.rejects(run() as Promise<unknown>, (error) => error === failure);
  assert.equal(metrics.requests[0]?.statusCode, 500);
});

test("a collector that throws disturbs no answer", async () => {
  const metrics = createTestMetrics();
  metrics.recordRequest = () => {
    throw new Error("broken");
  };
  await using server = await serve(nodeHttpMetrics(ok, { metrics }));
  assert.equal(await (await fetch(server.url)).text(), "ok");
});

test("routes beyond the limit share a label", async () => {
  const metrics = createTestMetrics();
  const many = Array.from({ length: 205 }, (_, index) => `/${index}`);
  await using server = await serve(nodeHttpMetrics(ok, { metrics, routes: many }));
  for (const route of many) await (await fetch(server.url + route)).text();
  await (await fetch(`${server.url}/7`)).text();
  await wait(5);
  const labels = metrics.requests.map(({ labels }) => labels.route);
  assert.equal(labels.filter((route) => route === "overflow").length, 5);
  assert.equal(labels.at(-1), "/7");
});
