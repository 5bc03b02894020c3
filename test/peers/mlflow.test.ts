/** A real MLflow server takes the metrics, and its REST API gives the same values back. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createMetricsSender } from "../../src/export/metrics-sender.ts";
import { logToMlflow } from "../../src/export/mlflow/log-to-mlflow.ts";
import { MlflowLogError } from "../../src/export/mlflow/mlflow-log-error.ts";
import type { Fetch } from "../../src/export/post.ts";
import { MetricsCollector } from "../../src/metrics/metrics-collector.ts";
import { startMlflow } from "./start-mlflow.ts";

const TIME_MS = 1_795_465_657_140;
let host: string;
let server: Awaited<ReturnType<typeof startMlflow>>;

before(async () => {
  server = await startMlflow();
  ({ host } = server);
});
after(() => server?.stop());

test("metrics arrive, more than one batch of them", async () => {
  const runId = await newRun();
  const metrics = Object.fromEntries([
    ...Array.from({ length: 1_500 }, (_, index) => [`m/${index} a.b-c_d:e`, index / 7]),
    ["x".repeat(250), 1e-300],
    ["not a number", Number.NaN],
  ]);
  assert.deepEqual(await logToMlflow({ host, runId, metrics, timestampMs: TIME_MS, step: 3 }), {
    logged: 1_501,
    skipped: ["not a number"],
  });
  const { "not a number": _, ...finite } = metrics;
  assert.deepEqual(await valuesOf(runId), finite);
  const [point] = await historyOf(runId, "m/7 a.b-c_d:e");
  assert.deepEqual(point, { key: "m/7 a.b-c_d:e", value: 1, timestamp: TIME_MS, step: 3 });
});

test("an answer that gets lost makes no metric appear twice", async () => {
  const runId = await newRun();
  let lost = 0;
  const losing: Fetch = async (url, init) => {
    const response = await fetch(url, init);
    if (init.method !== "POST" || lost++ > 0) return response;
    throw Object.assign(new Error("reset"), { code: "ECONNRESET" });
  };
  const metrics = { "qa/latency_p95": 812.5, "qa/requests": 40 };
  const { logged } = await logToMlflow({
    host,
    runId,
    metrics,
    timestampMs: TIME_MS,
    fetch: losing,
    random: () => 0,
  });
  assert.deepEqual([logged, lost], [2, 1]);
  assert.deepEqual(await valuesOf(runId), metrics);
  for (const key of Object.keys(metrics)) assert.equal((await historyOf(runId, key)).length, 1);
});

test("an unknown run is refused, with what MLflow says", () =>
  assert.rejects(
    logToMlflow({ host, runId: "0".repeat(32), metrics: { a: 1 }, timestampMs: TIME_MS }),
    (error) => {
      assert.ok(error instanceof MlflowLogError);
      assert.match(error.message, /POST runs\/log-batch .* answered 404: .*not found/);
      assert.deepEqual(error.remaining, { a: 1 });
      return true;
    },
  ));

test("a collector logs what it holds", async () => {
  const runId = await newRun();
  const sender = createMetricsSender({ env: { MLFLOW_TRACKING_URI: host } });
  const metrics = new MetricsCollector({ sender });
  for (const latencyMs of [100, 200, 300]) {
    const labels = { environment: "prod/eu", "customer.tier": 'a "b"' };
    metrics.recordRequest("qa-agent", { latencyMs, statusCode: 200, labels });
  }
  const { logged } = await metrics.logToMlflow({ runId });
  const expected = metrics.exportMlflowFormat();
  metrics.close();
  assert.equal(logged, Object.keys(expected).length);
  assert.ok(logged > 3);
  assert.deepEqual(await valuesOf(runId), expected);
});

async function newRun(): Promise<string> {
  const { run } = await ask("runs/create", { experiment_id: "0", start_time: TIME_MS });
  return run.info.run_id;
}

async function valuesOf(runId: string): Promise<Record<string, number>> {
  const { run } = await ask(`runs/get?run_id=${runId}`);
  const metrics: { key: string; value: number }[] = run.data.metrics;
  return Object.fromEntries(metrics.map(({ key, value }) => [key, value]));
}

async function historyOf(runId: string, key: string): Promise<object[]> {
  const query = new URLSearchParams({ run_id: runId, metric_key: key });
  const { metrics } = await ask(`metrics/get-history?${query}`);
  return metrics.map(({ key, value, timestamp, step }: Record<string, unknown>) => {
    return { key, value, timestamp, step };
  });
}

async function ask(path: string, body?: object) {
  const response = await fetch(`${host}/api/2.0/mlflow/${path}`, {
    method: body ? "POST" : "GET",
    headers: { "content-type": "application/json" },
    ...(body && { body: JSON.stringify(body) }),
  });
  assert.equal(response.status, 200, path);
  // The shape is MLflow's own; a difference fails the assertions.
  return JSON.parse(await response.text());
}
