/**
 * What was made in a workspace for an agent goes, and nothing else: not what somebody else put
 * in the same places, not what another agent needs, no rows unless asked. It is killed after
 * each call and run again, and each call is refused once.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { listAlerts } from "../../src/databricks/alerts.ts";
import type { DatabricksClient } from "../../src/databricks/client.ts";
import { listModelVersions } from "../../src/databricks/model-versions.ts";
import {
  createNotificationDestination,
  listNotificationDestinations,
} from "../../src/databricks/notification-destinations.ts";
import { getRegisteredModel } from "../../src/databricks/registered-models.ts";
import { listServingEndpoints } from "../../src/databricks/serving-endpoints.ts";
import { listTables } from "../../src/databricks/tables.ts";
import { listVolumes } from "../../src/databricks/volumes.ts";
import {
  importWorkspaceObject,
  listWorkspaceObjects,
} from "../../src/databricks/workspace-objects.ts";
import { orNull } from "../../src/deploy/databricks-says.ts";
import { planUninstall, type UninstallOptions } from "../../src/deploy/uninstall/uninstall.ts";
import { type AgentOptions, type DeploySetting, openDeploySetting } from "../deploy-setting.ts";

const WEBHOOK = "https://hooks.slack.com/services/T0/B0/uninstall";
let setting: DeploySetting;
before(() => {
  setting = openDeploySetting({ clientSpeed: 5 });
  process.env.UNINSTALL_WEBHOOK = WEBHOOK;
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

test("killed after any call and run again, all of it goes", async () => {
  await uninstall({ config: await deployed("counted"), tables: true });
  const calls = setting.calls().length;
  assert.ok(calls > 20);
  let kills = 0;
  for (let killAt = 1; ; killAt++) {
    const name = `killed${killAt}`;
    const config = await deployed(name);
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
    await Promise.race([uninstall({ config, tables: true, client }), killed.promise]);
    await uninstall({ config, tables: true });
    assert.deepEqual(await whatIsThere(setting.client(), name), [], `killed after call ${killAt}`);
    if (!isKilled) break;
    kills++;
  }
  assert.ok(kills > 20, `${kills} kills`);
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
