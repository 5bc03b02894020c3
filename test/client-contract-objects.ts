/**
 * The contract's cases of what stands in a workspace rather than in Unity Catalog: alerts
 * and whom they tell, dashboards, jobs, experiments, permissions, and what is only read.
 */
import assert from "node:assert/strict";
import {
  addPermissions,
  apiPath,
  cancelJobRun,
  createAlert,
  createDashboard,
  createJob,
  createMlflowExperiment,
  createMlflowRun,
  createNotificationDestination,
  createSecretScope,
  type DatabricksClient,
  DatabricksError,
  deleteJob,
  deleteNotificationDestination,
  deleteSecretAcl,
  deleteSecretScope,
  deleteWorkspaceObject,
  getAlert,
  getApp,
  getCurrentUser,
  getDashboard,
  getJob,
  getJobRun,
  getJobRunOutput,
  getMlflowExperiment,
  getMlflowExperimentByName,
  getMlflowRun,
  getNotificationDestination,
  getPermissions,
  getPublishedDashboard,
  getVectorSearchEndpoint,
  getVectorSearchIndex,
  importWorkspaceObject,
  isNotThere,
  type JobRun,
  listAlerts,
  listAppDeployments,
  listApps,
  listDashboards,
  listJobRuns,
  listJobs,
  listNotificationDestinations,
  listSecretAcls,
  listVectorSearchEndpoints,
  listVectorSearchIndexes,
  logMlflowBatch,
  makeWorkspaceDirectories,
  publishDashboard,
  putSecret,
  putSecretAcl,
  readSecretValue,
  replacePermissions,
  resetJob,
  runJobNow,
  searchMlflowRuns,
  trashAlert,
  trashDashboard,
  updateAlert,
  updateDashboard,
  updateMlflowRun,
  updateNotificationDestination,
} from "../src/databricks.ts";
import type { ContractSetting } from "./client-contract.ts";

/** A run on serverless compute begins after a minute or two. */
const RUN_MAX_MS = 15 * 60_000;

export const objectCases: Readonly<Record<string, (setting: ContractSetting) => Promise<void>>> = {
  "an alert, from its making to the trash": async (setting) => {
    const { client, warehouseId } = setting;
    await inFolder(setting, "alerts", async (folder) => {
      const { id } = await createAlert(client, {
        display_name: `${setting.prefix} alert`,
        query_text: "SELECT 1 AS n",
        warehouse_id: warehouseId,
        parent_path: folder,
        evaluation: {
          source: { name: "n" },
          comparison_operator: "GREATER_THAN",
          threshold: { value: { double_value: 10 } },
          empty_result_state: "OK",
        },
        schedule: {
          quartz_cron_schedule: "0 0 0 1 1 ?",
          timezone_id: "UTC",
          pause_status: "PAUSED",
        },
      });
      try {
        const alert = await getAlert(client, id);
        assert.equal(alert.warehouseId, warehouseId);
        assert.equal(alert.lifecycleState, "ACTIVE");
        assert.ok((await listAlerts(client)).some((each) => each.id === id));
        const renamed = `${setting.prefix} renamed`;
        await updateAlert(client, id, { display_name: renamed });
        const after = await getAlert(client, id);
        assert.equal(after.displayName, renamed);
        assert.deepEqual(after.definition.schedule, alert.definition.schedule);
      } finally {
        await trashAlert(client, id);
      }
      assert.ok(!(await listAlerts(client)).some((each) => each.id === id));
    });
  },

  "a notification destination, whose address is not told again": async ({ client, prefix }) => {
    const url = `https://example.com/${prefix}/hidden`;
    const name = `${prefix} hook`;
    let id: string;
    try {
      ({ id } = await createNotificationDestination(client, {
        display_name: name,
        config: { generic_webhook: { url } },
      }));
    } catch (error) {
      // Admins alone may: who is none is told so, and nothing else is to be seen.
      assert.ok(error instanceof DatabricksError, String(error));
      assert.deepEqual([error.code, error.call.status], ["DATABRICKS_FORBIDDEN", 403]);
      return;
    }
    try {
      assert.deepEqual(await getNotificationDestination(client, id), {
        id,
        displayName: name,
        type: "WEBHOOK",
      });
      await updateNotificationDestination(client, id, { display_name: `${name} 2` });
      const listed = await listNotificationDestinations(client);
      assert.equal(listed.find((each) => each.id === id)?.displayName, `${name} 2`);
      assert.ok(!JSON.stringify(listed).includes("hidden"));
    } finally {
      await deleteNotificationDestination(client, id);
    }
    await assert.rejects(getNotificationDestination(client, id), isNotThere);
  },

  "a dashboard, drawn and published": async (setting) => {
    const { client, warehouseId, prefix } = setting;
    const page = (title: string) =>
      JSON.stringify({
        datasets: [{ name: "d", displayName: title, queryLines: ["SELECT 1 AS n"] }],
        pages: [{ name: "p", displayName: title, layout: [] }],
      });
    await inFolder(setting, "dashboards", async (folder) => {
      const made = await createDashboard(client, {
        display_name: `${prefix} dashboard`,
        serialized_dashboard: page("one"),
        parent_path: folder,
        warehouse_id: warehouseId,
      });
      const { id } = made;
      try {
        assert.equal(made.path, `${folder}/${prefix} dashboard.lvdash.json`);
        assert.match((await getDashboard(client, id)).serializedDashboard ?? "", /"one"/);
        assert.ok((await listDashboards(client)).some((each) => each.id === id));
        const changed = await updateDashboard(client, id, { serialized_dashboard: page("two") });
        assert.notEqual(changed.etag, made.etag);
        await assert.rejects(getPublishedDashboard(client, id), isNotThere);
        await publishDashboard(client, id, { embed_credentials: false, warehouse_id: warehouseId });
        const published = await getPublishedDashboard(client, id);
        assert.deepEqual(
          [published.embedsCredentials, published.warehouseId],
          [false, warehouseId],
        );
      } finally {
        await trashDashboard(client, id);
      }
      assert.equal((await getDashboard(client, id)).lifecycleState, "TRASHED");
    });
  },

  "a job, changed, run and cancelled": async (setting) => {
    const { client, prefix } = setting;
    await inFolder(setting, "jobs", async (folder) => {
      const path = `${folder}/waits`;
      await importWorkspaceObject(client, {
        path,
        content: "# Databricks notebook source\nimport time\ntime.sleep(600)",
        format: "SOURCE",
        language: "PYTHON",
      });
      const name = `${prefix} job`;
      const tasks = [{ task_key: "waits", notebook_task: { notebook_path: path } }];
      const jobId = await createJob(client, { name, tasks, tags: { by: prefix } });
      try {
        const job = await getJob(client, jobId);
        assert.deepEqual([job?.name, job?.tags.get("by")], [name, prefix]);
        assert.deepEqual(
          (await listJobs(client, { name })).map(({ id }) => id),
          [jobId],
        );
        await resetJob(client, jobId, { name, tasks, max_concurrent_runs: 2 });
        const after = await getJob(client, jobId);
        assert.deepEqual([after?.settings.max_concurrent_runs, after?.tags.size], [2, 0]);

        const token = { jobId, idempotency_token: `${prefix}-1` };
        const runId = await runJobNow(client, token);
        assert.equal(await runJobNow(client, token), runId);
        assert.deepEqual(
          (await listJobRuns(client, { jobId })).map(({ id }) => id),
          [runId],
        );
        await cancelJobRun(client, runId);
        const run = await ended(client, runId);
        // A workspace without anything to run it on has failed it before it could be cancelled.
        assert.match(run.result ?? "", /CANCELED|RUN_EXECUTION_ERROR/);
        assert.equal(run.tasks[0]?.taskKey, "waits");
        const output = await getJobRunOutput(client, run.tasks[0]?.id ?? "");
        assert.equal(output.result, null);
      } finally {
        await deleteJob(client, jobId);
      }
      assert.equal(await getJob(client, jobId), null);
    });
  },

  "an experiment and a run, with what is logged to it": async (setting) => {
    const { client, prefix } = setting;
    await inFolder(setting, "experiments", async (folder) => {
      const name = `${folder}/${prefix}`;
      const experiment_id = await createMlflowExperiment(client, { name });
      try {
        assert.equal((await getMlflowExperiment(client, experiment_id))?.name, name);
        assert.equal((await getMlflowExperimentByName(client, name))?.id, experiment_id);
        assert.equal(await getMlflowExperimentByName(client, `${name}-none`), null);
        const started = Date.now();
        const run = await createMlflowRun(client, {
          experiment_id,
          run_name: "contract",
          start_time: started,
        });
        await logMlflowBatch(client, run.id, {
          metrics: [
            { key: "latency_ms", value: 1.5, timestamp: started, step: 0 },
            { key: "latency_ms", value: 2.5, timestamp: started + 1, step: 1 },
          ],
          params: [{ key: "model", value: "ü" }],
          tags: [{ key: "by", value: prefix }],
        });
        await updateMlflowRun(client, {
          run_id: run.id,
          status: "FINISHED",
          end_time: started + 5,
        });
        const found = await getMlflowRun(client, run.id);
        assert.deepEqual(
          [found.status, found.endedMs, found.metrics.get("latency_ms"), found.params.get("model")],
          ["FINISHED", started + 5, 2.5, "ü"],
        );
        const runs = await searchMlflowRuns(client, { experiment_ids: [experiment_id] });
        assert.deepEqual(
          runs.map(({ id }) => id),
          [run.id],
        );
      } finally {
        await client.postJson(
          apiPath`/api/2.0/mlflow/experiments/delete`,
          { experiment_id },
          { purpose: `delete the experiment ${name}` },
        );
      }
    });
  },

  "permissions of a job, added and replaced": async ({ client, prefix }) => {
    const { userName } = await getCurrentUser(client);
    const id = await createJob(client, { name: `${prefix} permissions`, tasks: [] });
    const job = { type: "jobs", id };
    const levelsOf = (list: Awaited<ReturnType<typeof getPermissions>>, principal: string) =>
      list
        .find((each) => each.principal === principal)
        ?.levels.filter(({ isInherited }) => !isInherited)
        .map(({ level }) => level) ?? [];
    try {
      assert.deepEqual(levelsOf(await getPermissions(client, job), userName), ["IS_OWNER"]);
      const users = { group_name: "users", permission_level: "CAN_VIEW" };
      await addPermissions(client, job, [users]);
      const added = await getPermissions(client, job);
      assert.deepEqual(
        [levelsOf(added, "users"), levelsOf(added, userName)],
        [["CAN_VIEW"], ["IS_OWNER"]],
      );
      await replacePermissions(client, job, [
        { user_name: userName, permission_level: "IS_OWNER" },
        { group_name: "users", permission_level: "CAN_MANAGE_RUN" },
      ]);
      assert.deepEqual(levelsOf(await getPermissions(client, job), "users"), ["CAN_MANAGE_RUN"]);
    } finally {
      await deleteJob(client, id);
    }
  },

  "who may read a secret, and what it is": async ({ client, prefix }) => {
    const scope = `${prefix}_acls`;
    await createSecretScope(client, { scope });
    try {
      await putSecret(client, { scope, key: "k", value: "ü" });
      assert.equal((await readSecretValue(client, { scope, key: "k" })).reveal(), "ü");
      await putSecretAcl(client, { scope, principal: "users", permission: "READ" });
      const ofUsers = async () =>
        (await listSecretAcls(client, scope)).find(({ principal }) => principal === "users");
      assert.equal((await ofUsers())?.permission, "READ");
      await deleteSecretAcl(client, { scope, principal: "users" });
      assert.equal(await ofUsers(), undefined);
    } finally {
      await deleteSecretScope(client, scope);
    }
  },

  "apps are listed as they are read": async ({ client, prefix }) => {
    for (const { name, id } of (await listApps(client)).slice(0, 3)) {
      assert.equal((await getApp(client, name)).id, id);
      await listAppDeployments(client, name);
    }
    await assert.rejects(getApp(client, `${prefix.replaceAll("_", "-")}-none`), isNotThere);
  },

  "vector search endpoints and indexes are listed as they are read": async (setting) => {
    const { client, catalog, prefix } = setting;
    for (const { name, id } of (await listVectorSearchEndpoints(client)).slice(0, 3)) {
      assert.equal((await getVectorSearchEndpoint(client, name)).id, id);
      for (const index of (await listVectorSearchIndexes(client, name)).slice(0, 3)) {
        assert.equal((await getVectorSearchIndex(client, index)).endpointName, name);
      }
    }
    await assert.rejects(
      getVectorSearchIndex(client, `${catalog}.default.${prefix}_none`),
      isNotThere,
    );
  },
};

/** Makes a folder for a case, and takes it away with all that is left in it. */
async function inFolder(
  { client, prefix }: ContractSetting,
  name: string,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = `/Shared/${prefix}_${name}`;
  await makeWorkspaceDirectories(client, folder);
  try {
    await use(folder);
  } finally {
    await deleteWorkspaceObject(client, folder, { recursive: true });
  }
}

async function ended(client: DatabricksClient, runId: string): Promise<JobRun> {
  const giveUpMs = Date.now() + RUN_MAX_MS;
  for (;;) {
    const run = await getJobRun(client, runId);
    if (run?.state === "TERMINATED") return run;
    assert.ok(Date.now() < giveUpMs, `run ${runId} is ${run?.state}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
