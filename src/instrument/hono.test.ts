/** Requests that a Hono app serves, through Node's server and without any. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { stream, streamSSE } from "hono/streaming";
import type { CallMetrics } from "./call-metrics.ts";
import { honoMetrics } from "./hono.ts";
import { type Visit, visit } from "./test-client.ts";
import { createTestMetrics, type RecordedRequest, serve } from "./test-metrics.ts";

const forever = () =>
  new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode("begin")),
  });

function createApp(metrics: CallMetrics): Hono {
  const app = new Hono();
  app.use(honoMetrics({ metrics, endpointName: "qa" }));
  app.use("/private/*", async (context) => context.text("no", 401));
  app.get("/", (context) => context.text("root"));
  app.post("/agents/:name/invocations", (context) => context.json({}));
  app.get("/nothing", (context) => context.body(null, 204));
  app.get("/throws/:id", () => {
    throw new Error("broken");
  });
  app.get("/refuses/:id", () => {
    throw new HTTPException(403);
  });
  app.get("/throws-text", () => {
    const text: unknown = "broken";
    throw text;
  });
  app.get("/private/:id", (context) => context.text("secret"));
  app.get("/events", (context) =>
    streamSSE(context, async (sse) => {
      await sse.writeSSE({ data: "a" });
      await wait(40);
      await sse.writeSSE({ data: "b" });
    }),
  );
  app.get("/forever", (context) => context.body(forever()));
  app.get("/midway", (context) => {
    let pulls = 0;
    return context.body(
      new ReadableStream({
        pull(controller) {
          if (pulls++ === 0) controller.enqueue(new Uint8Array(5));
          else controller.error(new Error("broken"));
        },
      }),
    );
  });
  app.get("/swallowed", (context) => stream(context, async (out) => void (await out.write("a"))));
  app.get("/silent", () => new Promise<Response>(() => {}));
  const inner = new Hono();
  inner.get("/:agent", (context) => context.text("agent"));
  app.route("/tenants/:tenant/agents", inner);
  app.onError((error, context) =>
    error instanceof HTTPException ? error.getResponse() : context.text("broken", 500),
  );
  return app;
}

const said = ({ statusCode, labels }: RecordedRequest) =>
  `${labels.method} ${labels.route} ${statusCode ?? "no status"} ${labels.outcome}`;

type Case = Visit & { readonly path: string; readonly expected: string };

const everywhere: readonly Case[] = [
  { path: "/", expected: "GET / 200 completed" },
  {
    path: "/agents/qa/invocations?key=secret",
    method: "POST",
    expected: "POST /agents/:name/invocations 200 completed",
  },
  { path: "/nothing", expected: "GET /nothing 204 completed" },
  { path: "/nowhere/17", expected: "GET unmatched 404 completed" },
  { path: "/throws/17", expected: "GET /throws/:id 500 completed" },
  { path: "/refuses/17", expected: "GET /refuses/:id 403 completed" },
  { path: "/private/17", expected: "GET /private/:id 401 completed" },
  { path: "/events", expected: "GET /events 200 completed" },
  { path: "/swallowed", expected: "GET /swallowed 200 completed" },
  { path: "/midway", expected: "GET /midway 500 handler_error" },
  { path: "/tenants/1/agents/2", expected: "GET /tenants/:tenant/agents/:agent 200 completed" },
];

const onSockets: readonly Case[] = [
  { path: "/forever", leaves: "after headers", expected: "GET /forever 200 aborted" },
  { path: "/forever", leaves: "by reset", expected: "GET /forever 200 aborted" },
  { path: "/silent", leaves: "while waiting", expected: "GET /silent no status aborted" },
  { path: "/throws-text", expected: "GET /throws-text 500 handler_error" },
];

for (const { path, expected, ...as } of [...everywhere, ...onSockets]) {
  test(`node-server, ${path}${as.leaves ? ` (${as.leaves})` : ""}: ${expected}`, async (t) => {
    t.mock.method(console, "error", () => {});
    const metrics = createTestMetrics();
    const listener = getRequestListener(createApp(metrics).fetch);
    await using server = await serve((request, response) => void listener(request, response));
    await visit(server.url + path, as);
    assert.equal(said(await metrics.request()), expected);
    await wait(5);
    assert.equal(metrics.requests.length, 1);
  });
}

for (const { path, expected, ...as } of everywhere) {
  test(`app.request, ${path}: ${expected}`, async () => {
    const metrics = createTestMetrics();
    const response = await createApp(metrics).request(path, { method: as.method ?? "GET" });
    await response.text().catch(() => {});
    assert.equal(said(await metrics.request()), expected);
    assert.equal(metrics.requests.length, 1);
  });
}

test("app.request: a stream is measured to its end", async () => {
  const metrics = createTestMetrics();
  const response = await createApp(metrics).request("/events");
  assert.equal(metrics.requests.length, 0);
  assert.equal(await response.text(), "data: a\n\ndata: b\n\n");
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  const { latencyMs } = await metrics.request();
  assert.ok(latencyMs >= 39, `${latencyMs} ms`);
});

test("app.request: a cancelled body is a client that left", async () => {
  const metrics = createTestMetrics();
  const response = await createApp(metrics).request("/forever");
  await response.body?.cancel();
  assert.equal(said(await metrics.request()), "GET /forever 200 aborted");
});

test("app.request: an aborted signal is a client that left", async () => {
  const metrics = createTestMetrics();
  const abort = new AbortController();
  await createApp(metrics).request("/forever", { signal: abort.signal });
  abort.abort();
  assert.equal(said(await metrics.request()), "GET /forever 200 aborted");
});

test("what is thrown and is no Error counts as 500 and is thrown on", async () => {
  const metrics = createTestMetrics();
  await assert.rejects(
    async () => createApp(metrics).request("/throws-text"),
    (thrown) => thrown === "broken",
  );
  assert.equal(said(await metrics.request()), "GET /throws-text 500 handler_error");
});

test("a service with a copy of Hono of its own is counted too", async () => {
  // What another copy, or an older version, has of a request: no symbol of ours.
  const request = {
    method: "GET",
    raw: new Request("http://localhost/agents/17"),
    matchedRoutes: [
      { method: "ALL", path: "/*" },
      { method: "GET", path: "/agents/:name" },
    ],
    header: () => undefined,
  };
  const metrics = createTestMetrics();
  const context = { req: request, res: new Response(null, { status: 204 }), env: {} };
  await honoMetrics({ metrics })(context, async () => {});
  assert.equal(metrics.requests.map(said).join(), "GET /agents/:name 204 completed");
});
