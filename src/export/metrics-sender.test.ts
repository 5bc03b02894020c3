/** Where a collector's metrics go: what `connect` and `logToMlflow` make of their options and the environment. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createTestClock } from "../databricks/test-clock.ts";
import type { MetricsSource } from "../metrics/sender.ts";
import { createMetricsSender } from "./metrics-sender.ts";
import { readMetrics } from "./otlp/test-otlp-metrics.ts";

const source: MetricsSource = {
  snapshot: () => ({
    startMs: 1,
    timeMs: 2,
    series: [{ kind: "gauge", name: "g", labels: {}, value: 3 }],
  }),
  exportMlflowFormat: () => ({ g: 3 }),
};

function sender(env: Record<string, string>) {
  const sent: { url: string; init: RequestInit }[] = [];
  const clock = createTestClock();
  const made = createMetricsSender({
    env,
    clock,
    timers: clock,
    onProblem: ({ message }) => {
      throw new Error(message);
    },
    fetch: async (url, init) => {
      sent.push({ url, init });
      return Response.json({});
    },
  });
  return { ...made, sent };
}

test("connect says whose the metrics are", async () => {
  const { connect, sent } = sender({ OTEL_SERVICE_NAME: "of-the-environment" });
  await connect(source, { url: "http://127.0.0.1:4318" }).close();
  const named = { url: "http://127.0.0.1:4318", resource: { "service.name": "given" } };
  await connect(source, named).close();
  const resources = sent.map(({ init }) => readMetrics(init.body as Uint8Array).resource);
  assert.deepEqual(
    resources.map((resource) => resource["service.name"]),
    ["of-the-environment", "given"],
  );
  assert.match(resources[0]?.["service.instance.id"] ?? "", /^[0-9a-f-]{36}$/);
});

for (const [what, env, options, host, authorization] of [
  [
    "the server that is given",
    {},
    { url: "http://127.0.0.1:5000", token: "abc" },
    "http://127.0.0.1:5000",
    "Bearer abc",
  ],
  [
    "MLflow's own variables",
    { MLFLOW_TRACKING_URI: "http://127.0.0.1:5001" },
    {},
    "http://127.0.0.1:5001",
    undefined,
  ],
  [
    "Databricks' variables",
    { DATABRICKS_HOST: "dbc.example", DATABRICKS_TOKEN: "xyz" },
    {},
    "https://dbc.example",
    "Bearer xyz",
  ],
] as const) {
  test(`logs to ${what}`, async () => {
    const { logToMlflow, sent } = sender(env);
    assert.deepEqual(await logToMlflow(source, { runId: "run1", ...options }), { logged: 1 });
    assert.equal(sent[0]?.url, `${host}/api/2.0/mlflow/runs/log-batch`);
    assert.equal(
      new Headers(sent[0]?.init.headers).get("authorization") ?? undefined,
      authorization,
    );
  });
}

test("a token of the environment goes to no server that is given", async () => {
  const { logToMlflow, sent } = sender({ DATABRICKS_TOKEN: "xyz", MLFLOW_TRACKING_TOKEN: "xyz" });
  await logToMlflow(source, { runId: "run1", url: "http://127.0.0.1:5000" });
  assert.equal(new Headers(sent[0]?.init.headers).has("authorization"), false);
});
test("says what to give where no server is known", () =>
  assert.rejects(sender({}).logToMlflow(source, { runId: "run1" }), {
    code: "CREDENTIALS_MISSING",
  }));

test("a push that begins to fail is a warning of the process, once", async () => {
  const warnings: (Error & { code?: string })[] = [];
  const listen = (warning: Error) => warnings.push(warning);
  process.on("warning", listen);
  const clock = createTestClock();
  const { connect } = createMetricsSender({
    env: {},
    clock,
    timers: clock,
    fetch: async () => new Response(null, { status: 400 }),
  });
  const connection = connect(source, { url: "http://127.0.0.1:4318" });
  await connection.flush();
  await connection.close();
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", listen);
  assert.deepEqual(
    warnings.map(({ code, message }) => `${code}: ${message}`),
    [
      "DSPY_METRICS_PUSH: cannot push metrics: POST /v1/metrics on http://127.0.0.1:4318 answered 400",
    ],
  );
});
