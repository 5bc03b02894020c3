/** A real MLflow server takes what our client logs, in as many calls as its limits ask for. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import type { DatabricksClient } from "../../src/databricks/client.ts";
import {
  createMlflowExperiment,
  getMlflowExperiment,
  getMlflowExperimentByName,
} from "../../src/databricks/mlflow-experiments.ts";
import {
  createMlflowRun,
  getMlflowRun,
  logMlflowBatch,
  searchMlflowRuns,
  updateMlflowRun,
} from "../../src/databricks/mlflow-runs.ts";
import { createMlflowClient } from "../../src/databricks/mlflow-server.ts";
import { startMlflow } from "./start-mlflow.ts";

const name = "agents";
let client: DatabricksClient;
let stop = async () => {};
before(async () => {
  const server = await startMlflow();
  stop = server.stop;
  client = createMlflowClient({
    url: server.host,
    token: undefined,
    fetch,
    clock: systemClock,
    random: Math.random,
  });
});
after(() => stop());

test("an experiment, by its id and its name, and one that is not there", async () => {
  const id = await createMlflowExperiment(client, { name, tags: [{ key: "a", value: "b" }] });
  assert.deepEqual(await getMlflowExperiment(client, id), { id, name });
  assert.deepEqual(await getMlflowExperimentByName(client, name), { id, name });
  assert.equal(await getMlflowExperimentByName(client, "nobody's"), null);
  assert.equal(await getMlflowExperiment(client, "4711"), null);
  await assert.rejects(createMlflowExperiment(client, { name }), {
    code: "MLFLOW_FAILED",
    message: /RESOURCE_ALREADY_EXISTS/,
  });
});

test("a run with more than one call takes, from its start to its end", async () => {
  const experiment = await getMlflowExperimentByName(client, name);
  const experiment_id = experiment?.id ?? "";
  const started = { experiment_id, run_name: "r1", start_time: 1767225600000 };
  const { id } = await createMlflowRun(client, started);
  const keyed = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, index) => ({ key: `${prefix}${index}`, value: `é${index}` }));
  await logMlflowBatch(client, id, {
    tags: keyed("tag", 150),
    params: [...keyed("param", 150), { key: "long", value: "x".repeat(7000) }],
    metrics: [
      ...Array.from({ length: 1500 }, (_, step) => ({
        key: "p95",
        value: step / 2,
        timestamp: 1767225600000 + step,
        step,
      })),
      { key: "unknown", value: Number.NaN, timestamp: 1 },
      { key: "endless", value: Number.POSITIVE_INFINITY, timestamp: 1 },
    ],
  });
  await updateMlflowRun(client, { run_id: id, status: "FINISHED", end_time: 1767225600001 });

  const run = await getMlflowRun(client, id);
  assert.deepEqual(
    [run.name, run.status, run.startedMs, run.endedMs],
    ["r1", "FINISHED", 1767225600000, 1767225600001],
  );
  assert.deepEqual(
    [run.tags.get("tag149"), run.params.get("param149"), run.params.get("long")?.length],
    ["é149", "é149", 6000],
  );
  assert.equal(run.metrics.get("p95"), 749.5);
  assert.ok(!run.metrics.has("unknown"));

  const found = await searchMlflowRuns(client, {
    experiment_ids: [experiment_id],
    filter: "tags.tag149 = 'é149' and status = 'FINISHED'",
    max_results: 1,
  });
  assert.deepEqual(
    found.map((each) => each.id),
    [id],
  );
});
