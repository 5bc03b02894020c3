/** Experiments and runs of the local workspace, by the official SDK and by MLflow's own client. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { startLocalWorkspace } from "../../src/local-workspace/workspace.ts";
import { testDocumentedRoutes } from "./documented-routes.ts";
import { driveSdk, sdk } from "./drive-sdk.ts";
import { runProgram } from "./run-program.ts";

const python = new URL("../../.peers/mlflow/bin/python", import.meta.url).pathname;
const scriptOf = (name: string) => new URL(name, import.meta.url).pathname;

const workspace = await startLocalWorkspace({
  otlpUrl: null,
  clock: systemClock,
  principals: { ann: "token-of-ann" },
});
const run = { run_id: sdk.answer("1.run.info.run_id") };
const experiment = { experiment_id: sdk.answer("0.experiment_id") };

await driveSdk({
  url: workspace.url,
  tokens: { admin: workspace.token, ann: "token-of-ann" },
  calls: [
    {
      what: "an experiment is made",
      call: "experiments.create_experiment",
      args: { name: "/Shared/qa" },
    },
    {
      what: "a run is begun",
      call: "experiments.create_run",
      args: { ...experiment, run_name: "one", start_time: 5 },
      answers: { run: { info: { run_name: "one", status: "RUNNING", start_time: 5 } } },
    },
    {
      what: "a batch is logged",
      call: "experiments.log_batch",
      args: {
        ...run,
        metrics: [sdk.object("ml.Metric", { key: "m", value: 2, timestamp: 1, step: 0 })],
        params: [sdk.object("ml.Param", { key: "p", value: "v" })],
      },
    },
    {
      what: "and read",
      call: "experiments.get_run",
      args: run,
      answers: {
        run: { data: { metrics: [{ key: "m", value: 2 }], params: [{ key: "p", value: "v" }] } },
      },
    },
    {
      what: "more than a batch may hold is refused",
      call: "experiments.log_batch",
      args: {
        ...run,
        params: Array.from({ length: 101 }, (_, i) =>
          sdk.object("ml.Param", { key: `k${i}`, value: "v" }),
        ),
      },
      refuses: { type: "InvalidParameterValue", says: /at most 100 params. Got 101/ },
    },
    {
      what: "others don't see it",
      call: "experiments.get_run",
      args: run,
      as: "ann",
      refuses: { type: "PermissionDenied", says: /CAN_READ/ },
    },
    {
      what: "by its name",
      call: "experiments.get_by_name",
      args: { experiment_name: "/Shared/qa" },
      answers: { experiment: { lifecycle_stage: "active" } },
    },
    {
      what: "a run ends",
      call: "experiments.update_run",
      args: { ...run, status: sdk.enum("ml.UpdateRunStatus.FINISHED"), end_time: 9 },
      answers: { run_info: { status: "FINISHED", end_time: 9 } },
    },
    {
      what: "runs are found",
      call: "experiments.search_runs",
      args: { experiment_ids: [sdk.answer("0.experiment_id")] },
      answers: [{ info: { run_name: "one" } }],
    },
    {
      what: "an experiment is tagged",
      call: "experiments.set_experiment_tag",
      args: { experiment_id: sdk.answer("0.experiment_id"), key: "owner", value: "b" },
    },
    {
      what: "and tells its tags",
      call: "experiments.get_experiment",
      args: { experiment_id: sdk.answer("0.experiment_id") },
      answers: { experiment: { tags: [{ key: "owner", value: "b" }] } },
    },
    { what: "a run is deleted", call: "experiments.delete_run", args: run },
    { what: "and restored", call: "experiments.restore_run", args: run },
    {
      what: "as it was",
      call: "experiments.get_run",
      args: run,
      answers: { run: { info: { lifecycle_stage: "active" } } },
    },
    {
      what: "by what is not understood nothing is found, and nothing guessed",
      call: "experiments.search_runs",
      args: { experiment_ids: [sdk.answer("0.experiment_id")], filter: "metrics.m > 1" },
      refuses: { type: "NotImplemented", says: /does not understand the filter/ },
    },
  ],
});

after(() => workspace.close());

for (const [what, script] of [
  ["logs runs to", "mlflow-tracking.py"],
  ["sends traces to, and reads their spans from,", "mlflow-send-traces.py"],
] as const) {
  test(`the real MLflow client ${what} the local workspace`, async () => {
    const { code, output } = await runProgram(python, [scriptOf(script)], {
      env: { DATABRICKS_HOST: workspace.url, DATABRICKS_TOKEN: workspace.token },
    });
    assert.equal(code, 0, output);
  });
}

testDocumentedRoutes(import.meta.url, [workspace]);
