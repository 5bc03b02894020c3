/** A deployment's figures are in the run once each, also when a batch was written in part. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createMlflowExperiment } from "../src/databricks/mlflow-experiments.ts";
import {
  createMlflowRun,
  getMlflowMetricHistory,
  logMlflowBatch,
} from "../src/databricks/mlflow-runs.ts";
import { makeWorkspaceDirectories } from "../src/databricks/workspace-objects.ts";
import {
  type DeploymentMinute,
  logDeploymentMinutes,
} from "../src/export/mlflow/deployment-series.ts";
import { type DeploySetting, openDeploySetting } from "./deploy-setting.ts";

const START_MS = 1_800_000_000_000;
let setting: DeploySetting;
let experiment_id: string;

before(async () => {
  setting = openDeploySetting();
  await makeWorkspaceDirectories(setting.client(), "/Shared/series");
  experiment_id = await createMlflowExperiment(setting.client(), { name: "/Shared/series/it" });
});
after(() => setting.close());

test("more than a batch of them is there, once, and only what is new is added", async () => {
  const { id } = await createMlflowRun(setting.client(), { experiment_id });
  assert.equal(await logDeploymentMinutes(setting.client(), id, minutes(400)), 1_600);
  assert.equal(await logDeploymentMinutes(setting.client(), id, minutes(400)), 0);
  assert.equal(await logDeploymentMinutes(setting.client(), id, minutes(401)), 4);
  await check(id, 401);
});

test("stopped after any call and done again, each point is there once", async () => {
  const { id } = await createMlflowRun(setting.client(), { experiment_id });
  let stopAfter = 1;
  for (let isDone = false; !isDone; stopAfter++) {
    let stop = () => {};
    const stopped = new Promise<false>((resolve) => {
      stop = () => resolve(false);
    });
    const onCall = (count: number) => {
      if (count < stopAfter) return;
      stop();
      throw new Error("killed");
    };
    const logged = logDeploymentMinutes(setting.client({ onCall }), id, minutes(300));
    isDone = await Promise.race([logged.then(() => true), stopped]);
  }
  assert.ok(stopAfter > 4);
  await check(id, 300);
});

test("of a batch that was written in part only the rest is added", async () => {
  const client = setting.client();
  const { id } = await createMlflowRun(client, { experiment_id });
  // As a batch leaves it that failed on the way: the tag is there, and some of the points.
  const [first] = minutes(1);
  await logMlflowBatch(client, id, {
    tags: [{ key: "dspy_databricks.begun_up_to", value: String(START_MS + 60_000) }],
    metrics: [
      {
        key: "deployment_latency_p50",
        value: first?.latencyP50Ms ?? 0,
        timestamp: START_MS,
        step: START_MS / 60_000,
      },
    ],
  });
  assert.equal(await logDeploymentMinutes(client, id, minutes(2)), 7);
  await check(id, 2);
});

function minutes(count: number): DeploymentMinute[] {
  return Array.from({ length: count }, (_, at) => ({
    minuteMs: START_MS + at * 60_000,
    requests: at + 1,
    latencyP50Ms: 100 + at,
    latencyP99Ms: 900 + at,
    successRate: 0.5,
  }));
}

async function check(runId: string, count: number): Promise<void> {
  for (const [key, firstValue] of [
    ["deployment_latency_p50", 100],
    ["deployment_latency_p99", 900],
    ["deployment_success_rate", 0.5],
  ] as const) {
    const points = await getMlflowMetricHistory(setting.client(), { runId, key });
    assert.equal(points.length, count, key);
    assert.equal(new Set(points.map(({ step }) => step)).size, count, key);
    const oldest = points.find(({ timestampMs }) => timestampMs === START_MS);
    assert.deepEqual(oldest, { value: firstValue, timestampMs: START_MS, step: START_MS / 60_000 });
  }
}
