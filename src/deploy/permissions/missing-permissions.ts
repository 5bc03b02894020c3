/**
 * Which privileges the identity lacks, as far as it may read that. It reads and never
 * tries: nothing is created to see whether it can be.
 */

import type { AgentConfig } from "../../config/agent-config.ts";
import { getCatalog } from "../../databricks/catalogs.ts";
import type { DatabricksClient } from "../../databricks/client.ts";
import { type CurrentUser, getCurrentUser } from "../../databricks/current-user.ts";
import { isNotThere } from "../../databricks/databricks-error.ts";
import { getEffectiveGrants, type Securable } from "../../databricks/grants.ts";
import { getRegisteredModel } from "../../databricks/registered-models.ts";
import { getSchema } from "../../databricks/schemas.ts";
import { getTable, listTables } from "../../databricks/tables.ts";
import { getVolume } from "../../databricks/volumes.ts";
import { fullTableName, type TablePlace, volumeOf } from "../../history/databricks-tables.ts";
import { tableNames } from "../../history/tables.ts";
import { MonitorError } from "../../monitor-error.ts";
import type { MissingPermission } from "../deployment-result.ts";
import { hasTable, wantedTable } from "../endpoint/inference-table.ts";
import type { Seen } from "../observe.ts";
import type { DeployContext } from "../progress.ts";
import { type NeededPrivilege, neededPrivileges } from "./needed-privileges.ts";
import { missingInWorkspace } from "./workspace-permissions.ts";

/** In every workspace each identity is in it. */
const EVERYBODY = "account users";
const NOT_TOLD = ["DATABRICKS_FORBIDDEN", "DATABRICKS_FAILED"];
/** They include the others, but for MANAGE. */
const ALL = "ALL_PRIVILEGES";

export async function missingPermissions(
  { client }: DeployContext,
  config: AgentConfig,
  { seen, enableMonitoring }: { readonly seen: Seen; readonly enableMonitoring: boolean },
): Promise<readonly MissingPermission[]> {
  const { endpoint, modelName, isModelThere } = seen;
  const { tables } = config.monitoring;
  const me = await orUnknown(getCurrentUser(client));
  const missing: MissingPermission[] = [];
  const level = endpoint?.permissionLevel;
  if (endpoint && level !== "CAN_MANAGE") {
    missing.push({
      privilege: "CAN MANAGE",
      on: `serving endpoint ${endpoint.name}`,
      purpose: "change what it serves",
      grant: `give CAN MANAGE on serving endpoint "${endpoint.name}" to ${nameOf(me)}`,
      state: level === null ? "unknown" : "missing",
    });
  }
  const monitoring = enableMonitoring && tables ? await monitoringObjects(client, tables) : null;
  const table = wantedTable(config);
  const isTableWanted = table !== null && !(endpoint && hasTable(endpoint, table));
  const needed = neededPrivileges(config, modelName, {
    monitoringTables: monitoring?.tables ?? [],
    monitoringVolume: monitoring?.volume ?? null,
    enableMonitoring,
    isModelThere,
    isModelSchemaThere: await isSchemaThere(client, modelName.split(".").slice(0, 2).join(".")),
    isMonitoringSchemaThere: tables
      ? await isSchemaThere(client, `${tables.catalog}.${tables.schema}`)
      : true,
    inferenceSchema: isTableWanted
      ? { ...table, isThere: await isSchemaThere(client, `${table.catalog}.${table.schema}`) }
      : null,
  });
  const mine = new Set(
    [...(monitoring?.tables ?? []), ...(monitoring?.volume ? [monitoring.volume] : [])]
      .filter(({ owner }) => owner !== null && me && [me.userName, ...me.groups].includes(owner))
      .map(({ fullName }) => fullName),
  );
  const known = new Map<string, Promise<Held | null>>();
  for (const one of needed) {
    if (mine.has(one.on.fullName)) continue;
    const key = `${one.on.type} ${one.on.fullName}`;
    const asked = known.get(key) ?? heldOn(client, one.on, me);
    known.set(key, asked);
    const held = await asked;
    if (held && (held.owns || held.privileges.has(one.privilege) || isInAll(held, one))) continue;
    missing.push({ ...told(one, me), state: held === null ? "unknown" : "missing" });
  }
  return [
    ...eachOnce(tables ? onSchema(missing, tables, me) : missing),
    ...(enableMonitoring ? await missingInWorkspace(client, config, me) : []),
  ];
}

/** What of the history is there; nothing of a schema that may not be seen. */
async function monitoringObjects(client: DatabricksClient, place: TablePlace) {
  const wanted = new Set(tableNames.map((name) => fullTableName(place, name).toLowerCase()));
  const { catalog: catalogName, schema: schemaName } = place;
  const there = await orNothing(listTables(client, { catalogName, schemaName }));
  return {
    tables: (there ?? []).filter(({ fullName }) => wanted.has(fullName.toLowerCase())),
    volume: await volumeThere(client, volumeOf(place).fullName),
  };
}

/** One that may not be seen is there all the same. */
async function volumeThere(client: DatabricksClient, fullName: string) {
  try {
    return await getVolume(client, fullName);
  } catch (error) {
    if (isNotThere(error)) return null;
    if (error instanceof MonitorError && NOT_TOLD.includes(error.code)) {
      return { fullName, owner: null };
    }
    throw error;
  }
}

/** What every table of the history lacks is granted on their schema. */
function onSchema(
  missing: readonly MissingPermission[],
  { catalog, schema }: TablePlace,
  me: CurrentUser | null,
): readonly MissingPermission[] {
  const isOnTable = ({ on }: MissingPermission) => on.startsWith("table ");
  const byPrivilege = Map.groupBy(missing.filter(isOnTable), ({ privilege }) => privilege);
  return missing.flatMap((one) => {
    const same = isOnTable(one) ? (byPrivilege.get(one.privilege) ?? []) : [];
    if (same.length < tableNames.length) return [one];
    if (same[0] !== one) return [];
    const on = { type: "schema", fullName: `${catalog}.${schema}` };
    const { privilege, purpose, state } = one;
    return [{ ...told({ privilege, on, purpose }, me), state }];
  });
}

/** What is needed for two things is granted once. */
function eachOnce(missing: readonly MissingPermission[]): readonly MissingPermission[] {
  return [...Map.groupBy(missing, ({ privilege, on }) => `${privilege} ${on}`).values()].flatMap(
    ([first, ...others]) =>
      first
        ? [{ ...first, purpose: [first, ...others].map(({ purpose }) => purpose).join(", ") }]
        : [],
  );
}

type Held = { readonly owns: boolean; readonly privileges: ReadonlySet<string> };

/** `null` where it may not be read. */
async function heldOn(
  client: DatabricksClient,
  on: Securable,
  me: CurrentUser | null,
): Promise<Held | null> {
  if (!me) return null;
  const names = [me.userName, ...me.groups, EVERYBODY];
  const owners = await Promise.all(withParents(on).map((one) => ownerOf(client, one)));
  const owns = owners.some((owner) => owner !== null && names.includes(owner));
  const grants =
    (await orUnknown(getEffectiveGrants(client, on))) ??
    (await orUnknown(getEffectiveGrants(client, on, { principal: me.userName })));
  if (!grants) return owns ? { owns, privileges: new Set() } : null;
  const mine = grants.filter(({ principal }) => names.includes(principal));
  return {
    owns,
    privileges: new Set(
      mine.flatMap(({ privileges }) => privileges.map(({ privilege }) => wordOf(privilege))),
    ),
  };
}

function isInAll({ privileges }: Held, { privilege }: NeededPrivilege): boolean {
  return privileges.has(ALL) && privilege !== "MANAGE";
}

/** The owner of a schema may do everything in it. */
function withParents({ type, fullName }: Securable): readonly Securable[] {
  const [catalog = "", schema, name] = fullName.split(".");
  return [
    { type: "catalog", fullName: catalog },
    ...(schema === undefined ? [] : [{ type: "schema", fullName: `${catalog}.${schema}` }]),
    ...(name === undefined ? [] : [{ type, fullName }]),
  ];
}

async function ownerOf(client: DatabricksClient, { type, fullName }: Securable) {
  const object = await orUnknown<{ readonly owner: string | null }>(
    type === "catalog"
      ? getCatalog(client, fullName)
      : type === "schema"
        ? getSchema(client, fullName)
        : type === "table"
          ? getTable(client, fullName)
          : type === "volume"
            ? getVolume(client, fullName)
            : getRegisteredModel(client, fullName),
  );
  return object?.owner ?? null;
}

/** What can't be seen may still be there, but not for this identity. */
async function isSchemaThere(client: DatabricksClient, fullName: string): Promise<boolean> {
  try {
    await getSchema(client, fullName);
    return true;
  } catch (error) {
    if (isNotThere(error)) return false;
    if (error instanceof MonitorError && error.code === "DATABRICKS_FORBIDDEN") return true;
    throw error;
  }
}

async function orNothing<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await orUnknown(call);
  } catch (error) {
    if (isNotThere(error)) return null;
    throw error;
  }
}

/** `null` where this identity may not know, or the workspace does not tell. */
async function orUnknown<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof MonitorError && NOT_TOLD.includes(error.code)) return null;
    throw error;
  }
}

function told({ privilege, on, purpose }: NeededPrivilege, me: CurrentUser | null) {
  const words = privilege.replaceAll("_", " ");
  // A model is a function to Unity Catalog's API, and a model in its SQL.
  const type = on.type === "function" ? "model" : on.type;
  const quoted = on.fullName.split(".").map((part) => `\`${part}\``);
  return {
    privilege: words,
    on: `${type} ${on.fullName}`,
    purpose,
    grant: `GRANT ${words} ON ${type.toUpperCase()} ${quoted.join(".")} TO \`${nameOf(me)}\``,
  };
}

function nameOf(me: CurrentUser | null): string {
  return me?.userName ?? "the identity";
}

/** Unity Catalog writes `USE SCHEMA` in some answers and `USE_SCHEMA` in others. */
function wordOf(privilege: string): string {
  return privilege.toUpperCase().replaceAll(" ", "_");
}
