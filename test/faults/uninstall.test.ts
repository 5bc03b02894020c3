/**
 * What was made in a workspace for an agent goes, and nothing else: not what somebody else put
 * in the same places, not what another agent needs, no rows unless asked. It is killed after
 * each call and run again, and each call is refused once.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import type { AgentConfig } from "../../src/config/agent-config.ts";
import { listAlerts } from "../../src/databricks/alerts.ts";
import type { DatabricksClient } from "../../src/databricks/client.ts";
import { createJob, deleteJob, listJobs } from "../../src/databricks/jobs.ts";
import { listModelVersions } from "../../src/databricks/model-versions.ts";
import {
  createNotificationDestination,
  listNotificationDestinations,
} from "../../src/databricks/notification-destinations.ts";
import { getRegisteredModel } from "../../src/databricks/registered-models.ts";
import { listServingEndpoints } from "../../src/databricks/serving-endpoints.ts";
import { executeStatement } from "../../src/databricks/statements.ts";
import { listTables } from "../../src/databricks/tables.ts";
import { listVolumes } from "../../src/databricks/volumes.ts";
import {
  deleteWorkspaceObject,
  importWorkspaceObject,
  listWorkspaceObjects,
} from "../../src/databricks/workspace-objects.ts";
import { orNull } from "../../src/deploy/databricks-says.ts";
import { planUninstall, type UninstallOptions } from "../../src/deploy/uninstall/uninstall.ts";
import { chooseWarehouse } from "../../src/export/delta/delta-target.ts";
import type { TablePlace } from "../../src/history/databricks-tables.ts";
import { publishRollups } from "../../src/publish/publish-rollups.ts";
import {
  rollupJob,
  rollupNotebookPath,
  rollupStatements,
  rollupsFolder,
} from "../../src/rollups/rollup-job.ts";
import { createRollupSql } from "../../src/rollups/rollup-sql.ts";
import { type AgentOptions, type DeploySetting, openDeploySetting } from "../deploy-setting.ts";

const WEBHOOK = "https://hooks.slack.com/services/T0/B0/uninstall";
let setting: DeploySetting;
before(() => {
  setting = openDeploySetting({ clientSpeed: 5 });
  process.env.UNINSTALL_WEBHOOK = WEBHOOK;
});
/** Roll-ups of one test are no reason for their folder to stay in another. */
afterEach(async () => {
  await orNull(deleteWorkspaceObject(setting.client(), rollupsFolder, { recursive: true }));
});
after(async () => {
  delete process.env.UNINSTALL_WEBHOOK;
  await setting.close();
});

const alerted = (name: string, more: AgentOptions = {}) =>
  setting.agent({
    name,
    schema: name,
    monitoring: [
      "alerts: { webhook: env:UNINSTALL_WEBHOOK, thresholds: { latency_p99_threshold_ms: 1000, error_rate_threshold_percent: 5 } }",
    ],
    ...more,
  });

async function deployed(name: string) {
  const config = alerted(name);
  const result = await setting.deployer().deploy(config);
  // No monitor runs here that could export.
  assert.deepEqual(
    result.warnings.filter((warning) => !warning.includes("no monitor runs")),
    [],
  );
  await setting.deployer().exportMonitoringData(name, { exportFormat: "mlflow" });
  return config;
}

function placeOf({ monitoring }: AgentConfig): TablePlace {
  assert.ok(monitoring.tables);
  return monitoring.tables;
}

/** The job, and the tables of its first run: of its statements, those that the local workspace has. */
async function rolledUp(config: AgentConfig, runs = /^CREATE /): Promise<void> {
  const client = setting.client();
  const options = { source: { kind: "tables" }, place: placeOf(config), days: 2 } as const;
  await publishRollups(client, options);
  const warehouse = await chooseWarehouse(client, undefined);
  for (const statement of rollupStatements(options)) {
    if (!runs.test(statement)) continue;
    await executeStatement(client, { statement, warehouse_id: warehouse });
  }
}

/** Everything of this name in the workspace, of whatever kind. */
async function whatIsThere(client: DatabricksClient, name: string): Promise<string[]> {
  const place = { catalogName: "ml", schemaName: name };
  const { endpoints } = await listServingEndpoints(client);
  const objects = await orNull(listWorkspaceObjects(client, `/Shared/dspy-databricks/${name}`));
  const alerts = (await listAlerts(client)).filter(
    ({ lifecycleState }) => lifecycleState !== "DELETED",
  );
  return [
    ...endpoints.filter((one) => one.name === name).map(() => "endpoint"),
    ...((await orNull(listModelVersions(client, `ml.${name}.${name}`))) ?? []).map(() => "version"),
    ...alerts.filter(({ displayName }) => displayName?.startsWith(`${name}:`)).map(() => "alert"),
    ...(await listNotificationDestinations(client))
      .filter(({ displayName }) => displayName?.includes(` ${name} (`))
      .map(() => "destination"),
    ...(objects === null ? [] : ["folder"]),
    ...(await listJobs(client))
      .filter((job) => job.name?.startsWith(`dspy-databricks roll-ups ml.${name}.`))
      .map(() => "job"),
    ...((await orNull(listWorkspaceObjects(client, rollupsFolder))) ?? [])
      .filter(({ path }) => path.includes(`/ml.${name}.`))
      .map(() => "roll-up notebook"),
    ...((await orNull(listTables(client, place))) ?? []).map(() => "table"),
    ...((await orNull(listVolumes(client, place))) ?? []).map(() => "volume"),
  ];
}

async function uninstall(
  options: Omit<UninstallOptions, "client" | "models"> & Partial<UninstallOptions>,
) {
  const plan = await planUninstall({ client: setting.client(), models: false, ...options });
  return plan.run(() => {});
}

const told = (objects: readonly { kind: string; outcome: string }[], outcome: string) =>
  objects.filter((one) => one.outcome === outcome).map(({ kind }) => kind);

test("a plan lists, and removes nothing", async () => {
  const config = await deployed("listed");
  const before = await whatIsThere(setting.client(), "listed");
  setting.calls();
  const { objects } = await planUninstall({
    client: setting.client(),
    config,
    tables: false,
    models: false,
  });
  assert.deepEqual(
    setting.calls().filter((call) => !call.startsWith("GET ")),
    [],
  );
  assert.deepEqual(told(objects, "planned"), [
    "alert",
    "alert",
    "alert",
    "destination",
    "dashboard",
    "notebook",
    "experiment",
    "folder",
    "endpoint",
    "model version",
  ]);
  assert.deepEqual(
    new Set(told(objects, "stays")),
    new Set(["model", "table", "volume", "schema"]),
  );
  const reasons = objects.map(({ kind, reason }) => `${kind}: ${reason}`);
  assert.ok(
    reasons.includes(
      "schema: others may have something in it; when nobody has, run DROP SCHEMA `ml`.`listed`",
    ),
  );
  assert.deepEqual(await whatIsThere(setting.client(), "listed"), before);
});

test("what was made goes; rows stay until they are asked for; said again, nothing is there", async () => {
  const config = await deployed("gone");
  await uninstall({ config, tables: false });
  const left = await whatIsThere(setting.client(), "gone");
  assert.deepEqual(new Set(left), new Set(["table", "volume"]));
  await uninstall({ config, tables: true });
  assert.deepEqual(await whatIsThere(setting.client(), "gone"), []);
  const model = getRegisteredModel(setting.client(), "ml.gone.gone");
  assert.equal((await model).name, "ml.gone.gone");
  const done = await uninstall({ config, tables: true, models: true });
  assert.deepEqual([told(done, "removed"), told(done, "stays")], [["model"], ["schema"]]);
  const again = await uninstall({ config, tables: true, models: true });
  assert.deepEqual(
    again.map(({ kind, outcome }) => [kind, outcome]),
    [["schema", "stays"]],
  );
});

test("only what was named goes", async () => {
  const config = await deployed("some");
  const done = await uninstall({ config, tables: true, only: ["alert", "destination"] });
  assert.deepEqual(told(done, "removed"), ["alert", "alert", "alert", "destination"]);
  const left = await whatIsThere(setting.client(), "some");
  assert.ok(left.includes("endpoint") && left.includes("table") && !left.includes("alert"));
});

test("what others made in the same places stays", async () => {
  const client = setting.client();
  const config = await deployed("shared");
  const folder = "/Shared/dspy-databricks/shared";
  await importWorkspaceObject(client, {
    path: `${folder}/mine`,
    content: "print(1)",
    format: "SOURCE",
    language: "PYTHON",
  });
  await createNotificationDestination(client, {
    display_name: "dspy-databricks shared-too (12345678)",
    config: { slack: { url: WEBHOOK } },
  });
  // The same model under another endpoint, as staging has it.
  const staging = alerted("shared", { deployment: [] });
  const other = {
    ...staging,
    name: "other",
    deployment: { ...staging.deployment, servingEndpoint: "shared-staging" },
  };
  await setting.deployer().deploy(other, { enableMonitoring: false });

  const done = await uninstall({ config, tables: false, models: true });
  const stays = done.filter(({ outcome }) => outcome === "stays");
  assert.match(stays.find(({ kind }) => kind === "model")?.reason ?? "", /versions of it stay: 1/);
  assert.match(stays.find(({ kind }) => kind === "folder")?.reason ?? "", /shared\/mine/);
  assert.match(
    stays.find(({ kind }) => kind === "model version")?.reason ?? "",
    /shared-staging serves it/,
  );
  const names = (await listNotificationDestinations(client)).map(({ displayName }) => displayName);
  assert.ok(names.includes("dspy-databricks shared-too (12345678)"));
  assert.ok(
    (await listWorkspaceObjects(client, folder)).some(({ path }) => path.endsWith("/mine")),
  );
  const { endpoints } = await listServingEndpoints(client);
  assert.ok(endpoints.some(({ name }) => name === "shared-staging"));

  // An endpoint of this name that serves another agent.
  const taken = { ...other, name: "somebody", deployment: other.deployment };
  const kept = await uninstall({ config: taken, tables: false, only: ["endpoint"] });
  assert.deepEqual(told(kept, "stays"), ["endpoint"]);
});

test("a notebook that is not ours stays, though it has the place of ours", async () => {
  const config = await deployed("written");
  const path = "/Shared/dspy-databricks/written/monitoring";
  const notebook = { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [] };
  await importWorkspaceObject(setting.client(), {
    path,
    content: JSON.stringify(notebook),
    format: "JUPYTER",
    overwrite: true,
  });
  const done = await uninstall({ config, tables: false, only: ["notebook"] });
  assert.deepEqual(told(done, "stays"), ["notebook"]);
});

/** @returns how many calls it was killed after. */
async function killedAnywhere(
  prefix: string,
  {
    make,
    ...options
  }: { readonly make: (name: string) => Promise<AgentConfig> } & Pick<UninstallOptions, "only">,
): Promise<number> {
  for (let killAt = 1; ; killAt++) {
    const name = `${prefix}${killAt}`;
    const config = await make(name);
    let isKilled = false;
    const killed = Promise.withResolvers<"killed">();
    const client = setting.client({
      onCall: (count) => {
        if (count < killAt) return;
        isKilled = true;
        killed.resolve("killed");
        throw new Error("killed");
      },
    });
    await Promise.race([uninstall({ ...options, config, tables: true, client }), killed.promise]);
    await uninstall({ ...options, config, tables: true });
    assert.deepEqual(await whatIsThere(setting.client(), name), [], `killed after call ${killAt}`);
    if (!isKilled) return killAt - 1;
  }
}

test("killed after any call and run again, all of it goes", async () => {
  await uninstall({ config: await deployed("counted"), tables: true });
  const calls = setting.calls().length;
  assert.ok(calls > 20);
  const kills = await killedAnywhere("killed", { make: deployed });
  assert.ok(kills > 20, `${kills} kills`);
});

test("killed after any call and run again, all that publishing roll-ups made goes", async () => {
  const make = async (name: string) => {
    const config = alerted(name);
    await rolledUp(config, /^CREATE (?:SCHEMA|TABLE) /);
    return config;
  };
  const kills = await killedAnywhere("killedrollups", {
    make,
    only: ["job", "notebook", "folder", "table"],
  });
  assert.ok(kills > 15, `${kills} kills`);
});

test("a call that is refused keeps nothing else from going, and is told", async () => {
  const config = await deployed("refused");
  setting.workspace.faults.add({
    kind: "answer",
    method: "DELETE",
    path: "/api/2.0/serving-endpoints/refused",
    status: 403,
    errorCode: "PERMISSION_DENIED",
  });
  const done = await uninstall({ config, tables: true });
  setting.workspace.faults.clear();
  assert.deepEqual(told(done, "failed"), ["endpoint"]);
  assert.match(done.find(({ outcome }) => outcome === "failed")?.reason ?? "", /CAN MANAGE/);
  assert.deepEqual(await whatIsThere(setting.client(), "refused"), ["endpoint"]);
  await uninstall({ config, tables: true });
  assert.deepEqual(await whatIsThere(setting.client(), "refused"), []);
});

const rollupsOf = (objects: Awaited<ReturnType<typeof uninstall>>, mark = /rollup|roll-ups/) =>
  objects
    .filter(({ name }) => mark.test(name))
    .map(({ kind, name, outcome }) => `${outcome} ${kind} ${name.replace(/ \(\d+\)$/, "")}`);

test("what publishing roll-ups made is of all agents: it goes with the tables, before them", async () => {
  const config = await deployed("rolled");
  await rolledUp(config);
  const kept = await uninstall({ config, tables: false });
  const path = "/Shared/dspy-databricks/rollups";
  const made = (outcome: string) => [
    `${outcome} job dspy-databricks roll-ups ml.rolled.agent_monitoring`,
    `${outcome} notebook ${path}/ml.rolled.agent_monitoring`,
    ...["requests", "modules", "errors", "minutes"].map(
      (name) => `${outcome} table ml.rolled.agent_monitoring_rollup_${name}`,
    ),
  ];
  assert.deepEqual(rollupsOf(kept), made("stays"));
  assert.match(kept.find(({ kind }) => kind === "job")?.reason ?? "", /--tables removes it/);
  const client = setting.client();
  const all = { config, tables: true, models: false, client };
  const { objects } = await planUninstall(all);
  const planned = made("planned");
  planned.splice(2, 0, `planned folder ${path}`);
  assert.deepEqual(rollupsOf(objects), planned);
  assert.equal(objects[0]?.kind, "job");
  const there = await whatIsThere(client, "rolled");
  assert.ok(there.includes("job") && there.includes("roll-up notebook"), "a plan removes nothing");

  await uninstall(all);
  assert.deepEqual(await whatIsThere(client, "rolled"), []);
  assert.equal(await orNull(listWorkspaceObjects(client, path)), null);
});

test("roll-ups of another place stay, and what others made in the places of ours", async () => {
  const client = setting.client();
  const config = await deployed("rolledother");
  await rolledUp(config);
  const place = placeOf(config);
  const other = { ...place, prefix: "other" };
  await publishRollups(client, { source: { kind: "tables" }, place: other, days: 2 });
  const theirs = await createJob(client, { name: rollupJob(place).name, tasks: [] });
  const path = rollupNotebookPath(place);
  const notebook = { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [] };
  const content = JSON.stringify(notebook);
  await importWorkspaceObject(client, { path, content, format: "JUPYTER", overwrite: true });
  const warehouse = await chooseWarehouse(client, undefined);
  const table = "`ml`.`rolledother`.`agent_monitoring_rollup_errors`";
  for (const statement of [
    `DROP TABLE ${table}`,
    `CREATE TABLE ${table} (a INT)`,
    createRollupSql(other, "errors"),
  ]) {
    await executeStatement(client, { statement, warehouse_id: warehouse });
  }

  const done = await uninstall({ config, tables: true });
  assert.deepEqual(told(done, "failed"), []);
  const stays = done.filter(({ outcome }) => outcome === "stays");
  assert.deepEqual(rollupsOf(stays), [
    "stays job dspy-databricks roll-ups ml.rolledother.agent_monitoring",
    `stays notebook ${path}`,
    "stays table ml.rolledother.agent_monitoring_rollup_errors",
  ]);
  const jobs = (await listJobs(client)).filter(({ name }) => name?.includes(" ml.rolledother."));
  assert.deepEqual(
    new Set(jobs.map(({ name }) => name)),
    new Set([rollupJob(place).name, rollupJob(other).name]),
  );
  assert.ok(jobs.some(({ id }) => id === theirs));
  const names = (await listTables(client, { catalogName: "ml", schemaName: "rolledother" }))
    .map(({ fullName }) => fullName.slice("ml.rolledother.".length))
    .filter((name) => name.includes("rollup"));
  assert.deepEqual(names.sort(), ["agent_monitoring_rollup_errors", "other_rollup_errors"]);
});

test("a job that somebody deletes after it was listed is gone, which is no failure", async () => {
  const client = setting.client();
  const config = await deployed("rolledgone");
  await rolledUp(config);
  const plan = await planUninstall({ client, config, tables: true, models: false, only: ["job"] });
  for (const { id } of await listJobs(client, { name: rollupJob(placeOf(config)).name })) {
    await deleteJob(client, id);
  }
  assert.deepEqual(told(await plan.run(() => {}), "removed"), ["job"]);
});
