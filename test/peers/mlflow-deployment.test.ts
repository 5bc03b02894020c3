/** A real MLflow server has the figures of a deployment, each point once. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import type { DatabricksClient } from "../../src/databricks/client.ts";
import {
  createMlflowRun,
  getMlflowMetricHistory,
  logMlflowBatch,
} from "../../src/databricks/mlflow-runs.ts";
import { createMlflowClient } from "../../src/databricks/mlflow-server.ts";
import {
  type DeploymentMinute,
  logDeploymentMinutes,
} from "../../src/export/mlflow/deployment-series.ts";
import { startMlflow } from "./start-mlflow.ts";

const START_MS = 1_795_465_620_000;
const MINUTES = 300;
let server: Awaited<ReturnType<typeof startMlflow>>;
let client: DatabricksClient;

before(async () => {
  server = await startMlflow();
  const { host: url } = server;
  const random = Math.random;
  client = createMlflowClient({ url, token: undefined, fetch, clock: systemClock, random });
});
after(() => server?.stop());

test("more than a batch arrives, and after a batch that was written in part only the rest is added", async () => {
  const { id: runId } = await createMlflowRun(client, { experiment_id: "0" });
  const minutes = Array.from(
    { length: MINUTES },
    (_, at): DeploymentMinute => ({
      minuteMs: START_MS + at * 60_000,
      requests: 10,
      latencyP50Ms: 100 + at,
      latencyP99Ms: 900 + at / 3,
      successRate: 0.9,
    }),
  );
  await logMlflowBatch(client, runId, {
    tags: [{ key: "dspy_databricks.begun_up_to", value: String(START_MS + 60_000 * MINUTES) }],
    metrics: [
      { key: "deployment_latency_p50", value: 100, timestamp: START_MS, step: START_MS / 60_000 },
    ],
  });
  assert.equal(await logDeploymentMinutes(client, runId, minutes), 4 * MINUTES - 1);
  assert.equal(await logDeploymentMinutes(client, runId, minutes), 0);
  for (const key of [
    "deployment_latency_p50",
    "deployment_latency_p99",
    "deployment_success_rate",
  ]) {
    const points = await getMlflowMetricHistory(client, { runId, key });
    assert.equal(points.length, MINUTES);
    assert.equal(new Set(points.map(({ step }) => step)).size, MINUTES);
  }
  const p99 = await getMlflowMetricHistory(client, { runId, key: "deployment_latency_p99" });
  assert.equal(
    p99.find(({ timestampMs }) => timestampMs === START_MS + 60_000)?.value,
    900 + 1 / 3,
  );
});
