/**
 * Puts an AI/BI dashboard into the workspace and publishes it, by its name in the agent's
 * folder: one that is there and differs is changed, one that is the same stays.
 */
import type { AibiDashboard } from "../dashboards/aibi/aibi.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import {
  createDashboard,
  type Dashboard,
  getDashboard,
  getPublishedDashboard,
  listDashboards,
  publishDashboard,
  updateDashboard,
} from "../databricks/dashboards.ts";
import { isNotThere } from "../databricks/databricks-error.ts";
import { makeWorkspaceDirectories } from "../databricks/workspace-objects.ts";
import { holds } from "./holds.ts";
import { workspaceFolder } from "./publish-notebook.ts";

export type WantedDashboard = {
  readonly endpointName: string;
  readonly dashboard: AibiDashboard;
  readonly warehouseId: string;
};

export type AibiChange = {
  readonly kind: "create" | "update" | "keep";
  readonly name: string;
  /** `null` of one that is to be made. */
  readonly id: string | null;
};

export const dashboardName = (endpointName: string) => `dspy-databricks ${endpointName}`;

/** Reads only. */
export async function planAibi(
  client: DatabricksClient,
  { endpointName, dashboard, warehouseId }: WantedDashboard,
): Promise<AibiChange> {
  const name = dashboardName(endpointName);
  const there = await findDashboard(client, name, endpointName);
  if (!there) return { kind: "create", name, id: null };
  const isSame =
    there.warehouseId === warehouseId &&
    holds(parsed(there.serializedDashboard), dashboard) &&
    (await isPublished(client, there.id));
  return { kind: isSame ? "keep" : "update", name, id: there.id };
}

/** Who looks at it needs `SELECT` on the tables themselves: nobody's rights are lent. */
export async function publishAibi(
  client: DatabricksClient,
  wanted: WantedDashboard,
): Promise<AibiChange & { readonly id: string }> {
  const { kind, name, id: known } = await planAibi(client, wanted);
  const { endpointName, dashboard, warehouseId } = wanted;
  if (kind === "keep" && known !== null) return { kind, name, id: known };
  const serialized_dashboard = JSON.stringify(dashboard);
  let id = known;
  if (id === null) {
    const folder = workspaceFolder(endpointName);
    await makeWorkspaceDirectories(client, folder);
    const made = await createDashboard(client, {
      display_name: name,
      serialized_dashboard,
      parent_path: folder,
      warehouse_id: warehouseId,
    });
    id = made.id;
  } else {
    await updateDashboard(client, id, { serialized_dashboard, warehouse_id: warehouseId });
  }
  await publishDashboard(client, id, { embed_credentials: false, warehouse_id: warehouseId });
  return { kind, name, id };
}

/** In a list a dashboard tells its name, but not always where it lies. */
async function findDashboard(
  client: DatabricksClient,
  name: string,
  endpointName: string,
): Promise<Dashboard | null> {
  const path = `${workspaceFolder(endpointName)}/${name}.lvdash.json`;
  for (const { id, displayName, lifecycleState } of await listDashboards(client)) {
    if (displayName !== name || lifecycleState === "TRASHED") continue;
    const dashboard = await getDashboard(client, id);
    if (dashboard.path === null || withoutRoot(dashboard.path) === path) return dashboard;
  }
  return null;
}

const withoutRoot = (path: string) => path.replace(/^\/Workspace(?=\/)/, "");

async function isPublished(client: DatabricksClient, id: string): Promise<boolean> {
  try {
    await getPublishedDashboard(client, id);
    return true;
  } catch (error) {
    if (isNotThere(error)) return false;
    throw error;
  }
}

function parsed(text: string | null): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}
