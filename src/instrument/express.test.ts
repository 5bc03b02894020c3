/** Requests that an Express 5 app serves: its route patterns, errors, and clients that leave. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import express, { type Express, type NextFunction, type Request, type Response } from "express";
import { expressMetrics } from "./express.ts";
import { type Visit, visit } from "./test-client.ts";
import { createTestMetrics, serve } from "./test-metrics.ts";

function addRoutes(app: Express): void {
  app.get("/", (_request, response) => void response.send("root"));
  app.post("/agents/:name/invocations", (_request, response) => void response.json({}));
  app.get(["/a", "/b/:id"], (_request, response) => void response.send("either"));
  app.get(/^\/regex/, (_request, response) => void response.send("regex"));
  app.get("/throws/:id", () => {
    throw new Error("broken");
  });
  app.get("/rejects/:id", async () => {
    throw Object.assign(new Error("no"), { status: 403 });
  });
  app.get("/midway", (_request, response, next) => {
    response.write("begin", () => next(new Error("broken")));
  });
  app.get("/stream", (_request, response) => void response.write("begin"));
  app.get("/silent", () => {});

  const inner = express.Router();
  inner.get("/", (_request, response) => void response.send("list"));
  inner.get("/:agent", ({ params }, response) => void response.json(params));
  inner.get("/:agent/throws", () => {
    throw new Error("broken");
  });
  const outer = express.Router();
  outer.use("/users/:user/agents", inner);
  app.use("/tenants/:tenant", outer);
  app.use("/files/*path", inner);
  app.use((_error: unknown, _request: Request, response: Response, next: NextFunction) => {
    const status = typeof _error === "object" && _error && "status" in _error ? _error.status : 500;
    if (response.headersSent) next(_error);
    else response.status(Number(status)).end();
  });
}

type Case = Visit & { readonly path: string; readonly expected: string };

const cases: readonly Case[] = [
  { path: "/", expected: "GET / 200 completed" },
  {
    path: "/agents/qa/invocations?key=secret",
    method: "POST",
    expected: "POST /agents/:name/invocations 200 completed",
  },
  { path: "/b/17", expected: "GET /a|/b/:id 200 completed" },
  { path: "/regex-17", expected: "GET /^\\/regex/ 200 completed" },
  { path: "/nowhere/17", expected: "GET unmatched 404 completed" },
  { path: "/throws/17", expected: "GET /throws/:id 500 completed" },
  { path: "/rejects/17", expected: "GET /rejects/:id 403 completed" },
  { path: "/midway", expected: "GET /midway 500 handler_error" },
  { path: "/stream", leaves: "after headers", expected: "GET /stream 200 aborted" },
  { path: "/stream", leaves: "by reset", expected: "GET /stream 200 aborted" },
  { path: "/silent", leaves: "while waiting", expected: "GET /silent no status aborted" },
  {
    path: "/tenants/t%2F1/users/u2/agents/a3",
    expected: "GET /tenants/:tenant/users/:user/agents/:agent 200 completed",
  },
  {
    path: "/tenants/t1/users/u2/agents",
    expected: "GET /tenants/:tenant/users/:user/agents 200 completed",
  },
  {
    path: "/tenants/t1/users/u2/agents/a3/throws",
    expected: "GET /tenants/:tenant/users/:user/agents/:agent/throws 500 completed",
  },
];

for (const { path, expected, ...as } of cases) {
  test(`${path}: ${expected}`, async () => {
    const metrics = createTestMetrics();
    const app = express();
    app.use(expressMetrics({ metrics, endpointName: "qa" }));
    app.set("env", "test"); // Express prints no errors then
    addRoutes(app);
    await using server = await serve(app);
    await visit(server.url + path, as);
    const { endpointName, statusCode = "no status", labels } = await metrics.request();
    assert.equal(`${labels.method} ${labels.route} ${statusCode} ${labels.outcome}`, expected);
    assert.equal(endpointName, "qa");
    await wait(5);
    assert.equal(metrics.requests.length, 1);
  });
}

test("handlers see parameters and route as ever, and the request may name the endpoint", async () => {
  const metrics = createTestMetrics();
  const app = express();
  app.use(expressMetrics<Request>({ metrics, endpointName: ({ params }) => String(params.name) }));
  app.get("/agents/:name", (request, response) => {
    const { params, route, baseUrl } = request;
    response.json({
      params,
      path: route.path,
      baseUrl,
      own: Object.keys(request).includes("params"),
    });
  });
  await using server = await serve(app);
  assert.deepEqual(await (await fetch(`${server.url}/agents/qa`)).json(), {
    params: { name: "qa" },
    path: "/agents/:name",
    baseUrl: "",
    own: true,
  });
  const { endpointName, labels } = await metrics.request();
  assert.deepEqual([endpointName, labels.route], ["qa", "/agents/:name"]);
});
