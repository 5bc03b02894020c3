/**
 * What the product made in a workspace for one agent, each known by a mark that only we put on
 * it. What stands in the same place without the mark stays, and is told. Reads only.
 */
import type { AgentConfig } from "../../config/agent-config.ts";
import { listAlerts, trashAlert } from "../../databricks/alerts.ts";
import type { DatabricksClient } from "../../databricks/client.ts";
import { getDashboard, listDashboards, trashDashboard } from "../../databricks/dashboards.ts";
import {
  deleteMlflowExperiment,
  getMlflowExperimentByName,
} from "../../databricks/mlflow-experiments.ts";
import { getRegistryVersion } from "../../databricks/mlflow-model-registry.ts";
import { deleteModelVersion, listModelVersions } from "../../databricks/model-versions.ts";
import {
  deleteNotificationDestination,
  listNotificationDestinations,
} from "../../databricks/notification-destinations.ts";
import { deleteRegisteredModel, getRegisteredModel } from "../../databricks/registered-models.ts";
import { getSchema } from "../../databricks/schemas.ts";
import {
  deleteServingEndpoint,
  getServingEndpoint,
  listServingEndpoints,
} from "../../databricks/serving-endpoints.ts";
import { getTable } from "../../databricks/tables.ts";
import { deleteVolume, getVolume } from "../../databricks/volumes.ts";
import {
  deleteWorkspaceObject,
  exportWorkspaceObject,
  listWorkspaceObjects,
} from "../../databricks/workspace-objects.ts";
import {
  fullTableName,
  quotedName,
  quotedTable,
  volumeOf,
} from "../../history/databricks-tables.ts";
import { tableNames } from "../../history/tables.ts";
import { MonitorError } from "../../monitor-error.ts";
import { destinationName } from "../../publish/notification-destination.ts";
import { dashboardName } from "../../publish/publish-aibi.ts";
import { notebookPath, workspaceFolder } from "../../publish/publish-notebook.ts";
import { orNull } from "../databricks-says.ts";
import { readRecord } from "../endpoint/deployment-record.ts";
import { tableNameOf, wantedTable } from "../endpoint/inference-table.ts";
import { CONTENT_HASH_TAG, SOURCE_PREFIX } from "../model-version/find-version.ts";
import { modelNameOf } from "../observe.ts";
import { dropTable } from "./drop-table.ts";
import {
  findRollupFolder,
  findRollupJob,
  findRollupNotebook,
  findRollupTables,
} from "./find-rollups.ts";
import { type FindContext, type FoundObject, type ObjectKind, reasons } from "./found-object.ts";

type Find = (context: FindContext) => Promise<readonly FoundObject[]>;

/** In the order in which they are removed: what uses something goes before it. */
export const finders: readonly (readonly [kind: ObjectKind, find: Find])[] = [
  ["job", findRollupJob],
  ["notebook", findRollupNotebook],
  ["folder", findRollupFolder],
  ["alert", findAlerts],
  ["destination", findDestinations],
  ["dashboard", findDashboards],
  ["notebook", findNotebook],
  ["experiment", findExperiment],
  ["folder", findFolder],
  ["endpoint", findEndpoint],
  ["model version", findModelVersions],
  ["model", findModel],
  ["table", findRollupTables],
  ["table", findTables],
  ["volume", findVolume],
  ["schema", findSchemas],
];

/** Under which Databricks has the same folder twice. */
const WORKSPACE = "/Workspace";
const isIn = (folder: string, path: string | null) =>
  path !== null && (path.startsWith(WORKSPACE) ? path.slice(WORKSPACE.length) : path) === folder;

const endpointOf = ({ deployment }: AgentConfig) => deployment.servingEndpoint;
const folderOf = (config: AgentConfig) => workspaceFolder(endpointOf(config));

async function findAlerts({ client, config }: FindContext): Promise<FoundObject[]> {
  const alerts = await listAlerts(client);
  return alerts
    .filter(({ lifecycleState }) => lifecycleState !== "DELETED")
    .filter(({ definition }) => isIn(folderOf(config), textOf(definition.parent_path)))
    .map(({ id, displayName }) => ({
      kind: "alert",
      name: displayName ?? id,
      fate: { remove: () => trashAlert(client, id) },
    }));
}

async function findDestinations({ client, config }: FindContext): Promise<FoundObject[]> {
  const mark = `${destinationName(endpointOf(config))} (`;
  return (await listNotificationDestinations(client))
    .filter(({ displayName }) => displayName?.startsWith(mark))
    .map(({ id, displayName }) => ({
      kind: "destination",
      name: displayName ?? id,
      fate: { remove: () => deleteNotificationDestination(client, id) },
    }));
}

/** In a list a dashboard tells its name, but not always where it lies. */
async function findDashboards({ client, config }: FindContext): Promise<FoundObject[]> {
  const name = dashboardName(endpointOf(config));
  const found: FoundObject[] = [];
  for (const one of await listDashboards(client)) {
    if (one.lifecycleState === "TRASHED") continue;
    const isCandidate = one.path === null ? one.displayName === name : true;
    const path = isCandidate ? (one.path ?? (await placeOf(client, one.id))) : null;
    if (!isIn(folderOf(config), path?.replace(/\/[^/]*$/, "") ?? null)) continue;
    const remove = () => trashDashboard(client, one.id);
    found.push({ kind: "dashboard", name: one.displayName ?? path ?? one.id, fate: { remove } });
  }
  return found;
}

async function placeOf(client: DatabricksClient, id: string): Promise<string | null> {
  return (await orNull(getDashboard(client, id)))?.path ?? null;
}

/** Stands in the first cell of every notebook of ours. */
const NOTEBOOK_MARK = "Made by dspy-databricks-agents";

async function findNotebook({ client, config }: FindContext): Promise<FoundObject[]> {
  const path = notebookPath(endpointOf(config));
  const bytes = await orNull(exportWorkspaceObject(client, { path, format: "JUPYTER" }));
  if (bytes === null) return [];
  const isOurs = new TextDecoder().decode(bytes).includes(NOTEBOOK_MARK);
  return [
    {
      kind: "notebook",
      name: path,
      fate: isOurs
        ? { remove: () => deleteWorkspaceObject(client, path) }
        : { stays: reasons.otherNotebook },
    },
  ];
}

async function findExperiment({ client, config }: FindContext): Promise<FoundObject[]> {
  const name = `${folderOf(config)}/figures`;
  const experiment = await getMlflowExperimentByName(client, name);
  if (!experiment) return [];
  return [
    {
      kind: "experiment",
      name,
      fate: { remove: () => deleteMlflowExperiment(client, experiment.id) },
    },
  ];
}

/** Only where nothing else lies in it by then. */
async function findFolder({ client, config }: FindContext): Promise<FoundObject[]> {
  const path = folderOf(config);
  const objects = await orNull(listWorkspaceObjects(client, path));
  if (objects === null) return [];
  const remove = async () => {
    const left = await orNull(listWorkspaceObjects(client, path));
    // Not recursively: what somebody puts there meanwhile stays.
    if (left?.length === 0) await deleteWorkspaceObject(client, path);
  };
  const ours = [notebookPath(endpointOf(config)), `${path}/figures`];
  const others = objects
    .map((object) => object.path.replace(/^\/Workspace(?=\/)/, ""))
    .filter((other) => !ours.includes(other) && !/\.(?:dbalert|lvdash)\.json$/.test(other));
  const stays = `other objects lie in it: ${others.join(", ")}`;
  return [{ kind: "folder", name: path, fate: others.length === 0 ? { remove } : { stays } }];
}

async function findEndpoint({ client, config }: FindContext): Promise<FoundObject[]> {
  const name = endpointOf(config);
  const endpoint = await orNull(getServingEndpoint(client, name));
  if (!endpoint) return [];
  const entities = [...endpoint.servedEntities, ...endpoint.pendingEntities];
  const others = entities.filter((entity) => readRecord(entity)?.agent !== config.name);
  const isOurs =
    entities.length > 0 ? others.length === 0 : endpoint.tags.get("dspy_agent") === config.name;
  return [
    {
      kind: "endpoint",
      name,
      fate: isOurs
        ? { remove: () => deleteServingEndpoint(client, name) }
        : {
            stays: `it serves ${others[0]?.entityName ?? "something"}, which was not deployed as ${config.name}`,
          },
    },
  ];
}

/** Databricks made it, and writes to it what people asked. */
async function findInferenceTable({ client, config }: FindContext): Promise<FoundObject[]> {
  const table = wantedTable(config);
  if (!table) return [];
  const name = tableNameOf(table);
  if (!(await orNull(getTable(client, name)))) return [];
  const stays = `Databricks made it, and it holds what people asked; when nobody needs that, run DROP TABLE ${quotedFullName(name)}`;
  return [{ kind: "table", name, fate: { stays } }];
}

async function findModelVersions({ client, config }: FindContext): Promise<FoundObject[]> {
  const modelName = modelNameOf(config);
  const versions = await orNull(listModelVersions(client, modelName));
  if (versions === null || versions.length === 0) return [];
  const served = await servedElsewhere(client, { modelName, endpointName: endpointOf(config) });
  const found: FoundObject[] = [];
  for (const { version, source } of versions) {
    if (version === null) continue;
    const name = `${modelName} version ${version}`;
    const isOurs =
      source === null
        ? (await orNull(getRegistryVersion(client, { modelName, version })))?.tags.has(
            CONTENT_HASH_TAG,
          )
        : source.startsWith(SOURCE_PREFIX);
    const by = served.get(String(version));
    const remove = () => deleteModelVersion(client, { modelName, version });
    const fate: FoundObject["fate"] = !isOurs
      ? { stays: "it was registered by something else" }
      : by === undefined
        ? { remove }
        : { stays: `endpoint ${by} serves it` };
    found.push({ kind: "model version", name, fate });
  }
  return found;
}

/** It may have been there before, which nothing tells. */
async function findModel(context: FindContext): Promise<FoundObject[]> {
  const { client, config, models } = context;
  const name = modelNameOf(config);
  if (!(await orNull(getRegisteredModel(client, name)))) return [];
  const kept = (await findModelVersions(context)).filter(({ fate }) => "stays" in fate);
  if (kept.length > 0) {
    return [{ kind: "model", name, fate: { stays: `versions of it stay: ${kept.length}` } }];
  }
  const remove = async () => {
    const left = (await orNull(listModelVersions(client, name))) ?? [];
    if (left.length === 0) return await deleteRegisteredModel(client, name);
    throw new MonitorError(
      "DEPLOYMENT_CONFLICT",
      `model ${name} still has ${left.length} versions, which would go with it`,
      { hint: "Run the same command again: it says of each why it is there." },
    );
  };
  const stays = "it may have been there before; --models removes it, once it has no version";
  return [{ kind: "model", name, fate: models ? { remove } : { stays } }];
}

/** By version: another endpoint that serves it. */
async function servedElsewhere(
  client: DatabricksClient,
  { modelName, endpointName }: { readonly modelName: string; readonly endpointName: string },
): Promise<ReadonlyMap<string, string>> {
  const { endpoints } = await listServingEndpoints(client);
  const served = new Map<string, string>();
  for (const { name, servedEntities, pendingEntities } of endpoints) {
    if (name === endpointName) continue;
    for (const { entityName, entityVersion } of [...servedEntities, ...pendingEntities]) {
      if (entityName === modelName && entityVersion !== null) served.set(entityVersion, name);
    }
  }
  return served;
}

/** In the comment of every table of ours, and of the volume. */
const TABLE_MARK = "Written by dspy-databricks-agents";
const VOLUME_MARK = "kept by dspy-databricks-agents";

async function findTables(context: FindContext): Promise<FoundObject[]> {
  const { client, config, tables } = context;
  const { tables: place } = config.monitoring;
  const found = await findInferenceTable(context);
  if (!place) return found;
  for (const table of tableNames) {
    const name = fullTableName(place, table);
    const there = await orNull(getTable(client, name));
    if (!there) continue;
    const isOurs = there.comment?.includes(TABLE_MARK) ?? false;
    const remove = () => dropTable(context, quotedTable(place, table));
    const fate: FoundObject["fate"] = !isOurs
      ? { stays: reasons.otherTable }
      : tables
        ? { remove }
        : { stays: reasons.kept };
    found.push({ kind: "table", name, fate });
  }
  return found;
}

async function findVolume({ client, config, tables }: FindContext): Promise<FoundObject[]> {
  const { tables: place } = config.monitoring;
  if (!place) return [];
  const { fullName } = volumeOf(place);
  const volume = await orNull(getVolume(client, fullName));
  if (!volume) return [];
  const isOurs = volume.comment?.includes(VOLUME_MARK) ?? false;
  const fate: FoundObject["fate"] = !isOurs
    ? { stays: reasons.otherTable }
    : tables
      ? { remove: () => deleteVolume(client, fullName) }
      : { stays: reasons.kept };
  return [{ kind: "volume", name: fullName, fate }];
}

async function findSchemas({ client, config }: FindContext): Promise<FoundObject[]> {
  const { deployment, monitoring } = config;
  const names = [deployment, monitoring.tables].flatMap((place) =>
    place ? [`${place.catalog}.${place.schema}`] : [],
  );
  const found: FoundObject[] = [];
  for (const name of new Set(names)) {
    if (!(await orNull(getSchema(client, name)))) continue;
    const stays = `others may have something in it; when nobody has, run DROP SCHEMA ${quotedFullName(name)}`;
    found.push({ kind: "schema", name, fate: { stays } });
  }
  return found;
}

function quotedFullName(name: string): string {
  return name.split(".").map(quotedName).join(".");
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
