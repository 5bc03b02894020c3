/**
 * What the deploying identity lacks beside Unity Catalog for the monitoring that comes
 * with a deployment: the use of a warehouse, a folder for notebook and alerts, and who may
 * make a notification destination. It reads and never tries.
 */
import type { AgentConfig } from "../../config/agent-config.ts";
import type { DatabricksClient } from "../../databricks/client.ts";
import type { CurrentUser } from "../../databricks/current-user.ts";
import { isNotThere } from "../../databricks/databricks-error.ts";
import { listNotificationDestinations } from "../../databricks/notification-destinations.ts";
import { getPermissions, type PermissionsObject } from "../../databricks/permissions.ts";
import { getWorkspaceObject } from "../../databricks/workspace-objects.ts";
import { chooseWarehouse } from "../../export/delta/delta-target.ts";
import { MonitorError } from "../../monitor-error.ts";
import { destinationName } from "../../publish/notification-destination.ts";
import { workspaceFolder } from "../../publish/publish-notebook.ts";
import type { MissingPermission } from "../deployment-result.ts";

const MAY_USE = ["CAN_USE", "CAN_MONITOR", "CAN_MANAGE", "IS_OWNER"];
const MAY_EDIT = ["CAN_EDIT", "CAN_MANAGE"];
/** In every workspace each identity is in the first; an admin may do everything. */
const EVERYBODY = ["users", "account users"];
const ADMINS = "admins";
const NOT_TOLD = ["DATABRICKS_FORBIDDEN", "DATABRICKS_FAILED"];

/** @param me whose permissions they are; `null` where that could not be read. */
export async function missingInWorkspace(
  client: DatabricksClient,
  config: AgentConfig,
  me: CurrentUser | null,
): Promise<readonly MissingPermission[]> {
  if (!config.monitoring.tables || me?.groups.includes(ADMINS)) return [];
  const who = me?.userName ?? "the identity";
  return [
    ...(await warehouse(client, config, me, who)),
    ...(await folder(client, config, me, who)),
    ...(await destination(client, config, me)),
  ];
}

async function warehouse(
  client: DatabricksClient,
  { monitoring }: AgentConfig,
  me: CurrentUser | null,
  who: string,
): Promise<readonly MissingPermission[]> {
  const purpose = "write the Delta tables and evaluate the SQL alerts";
  const lacks = (on: string, grant: string, state: MissingPermission["state"]) => [
    { privilege: "CAN USE", on, purpose, grant, state },
  ];
  let id: string;
  try {
    id = await chooseWarehouse(
      client,
      monitoring.warehouseId ?? process.env.DATABRICKS_WAREHOUSE_ID,
    );
  } catch (error) {
    if (!(error instanceof MonitorError) || error.code !== "WAREHOUSE_MISSING") throw error;
    return lacks("a SQL warehouse", error.hint, "missing");
  }
  const has = await may(client, { type: "warehouses", id }, { levels: MAY_USE, me });
  if (has === true) return [];
  const on = `SQL warehouse ${id}`;
  return lacks(on, `give CAN USE on ${on} to ${who}`, has === false ? "missing" : "unknown");
}

async function folder(
  client: DatabricksClient,
  { deployment, monitoring }: AgentConfig,
  me: CurrentUser | null,
  who: string,
): Promise<readonly MissingPermission[]> {
  const there = await nearestFolder(client, workspaceFolder(deployment.servingEndpoint));
  const has = there && (await may(client, there.object, { levels: MAY_EDIT, me }));
  if (has === true) return [];
  const on = `folder ${there?.path ?? "/Shared"}`;
  return [
    {
      privilege: "CAN EDIT",
      on,
      purpose: monitoring.alerts
        ? "put the notebook and the SQL alerts there"
        : "put the notebook there",
      grant: `give CAN EDIT on ${on} to ${who}`,
      state: has === false ? "missing" : "unknown",
    },
  ];
}

/** What is not there yet is made in the one that is; `null` where none may be read. */
async function nearestFolder(
  client: DatabricksClient,
  wanted: string,
): Promise<{ readonly path: string; readonly object: PermissionsObject } | null> {
  for (let path = wanted; path !== ""; path = path.slice(0, path.lastIndexOf("/"))) {
    try {
      const { id } = await getWorkspaceObject(client, path);
      return id === null ? null : { path, object: { type: "directories", id } };
    } catch (error) {
      if (isNotThere(error)) continue;
      if (error instanceof MonitorError && NOT_TOLD.includes(error.code)) return null;
      throw error;
    }
  }
  return null;
}

async function destination(
  client: DatabricksClient,
  { deployment, monitoring }: AgentConfig,
  me: CurrentUser | null,
): Promise<readonly MissingPermission[]> {
  if (monitoring.alerts?.webhook === undefined) return [];
  const there = await orUnknown(listNotificationDestinations(client));
  const name = `${destinationName(deployment.servingEndpoint)} (`;
  if (there?.some(({ displayName }) => displayName?.startsWith(name))) return [];
  return [
    {
      privilege: "workspace admin",
      on: "the workspace",
      purpose:
        "make the notification destination of the webhook; without it the SQL alerts tell nobody",
      grant: "let an admin run this deployment once, or `dspy-databricks alerts apply`",
      state: me === null ? "unknown" : "missing",
    },
  ];
}

/** `null` where it may not be read. */
async function may(
  client: DatabricksClient,
  object: PermissionsObject,
  { levels, me }: { readonly levels: readonly string[]; readonly me: CurrentUser | null },
): Promise<boolean | null> {
  const access = me && (await orUnknown(getPermissions(client, object)));
  if (!access) return null;
  const names = [me.userName, ...me.groups, ...EVERYBODY];
  return access
    .filter(({ principal }) => names.includes(principal))
    .some((entry) => entry.levels.some(({ level }) => levels.includes(level)));
}

async function orUnknown<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof MonitorError && NOT_TOLD.includes(error.code)) return null;
    throw error;
  }
}
