/**
 * AI/BI dashboards, which the API calls Lakeview. A dashboard is a draft until it is
 * published. Databricks gives the JSON of a draft back slightly changed: compare it
 * parsed, never as text.
 *
 * Source: databricks-sdk-py 0.156.0, `LakeviewAPI`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { type JsonRecord, recordOf, recordsOf, textOf } from "./json-fields.ts";
import { readPages } from "./pages.ts";
import type { JsonAnswer } from "./read-answer.ts";

export type Dashboard = {
  readonly id: string;
  readonly displayName: string | null;
  /** Where it lies in the workspace, such as `/Shared/Agents.lvdash.json`. */
  readonly path: string | null;
  /** Changes with every change of the dashboard. */
  readonly etag: string | null;
  /** `ACTIVE` or `TRASHED`. */
  readonly lifecycleState: string | null;
  readonly warehouseId: string | null;
  /** The dashboard itself, as JSON text; `null` in a list. */
  readonly serializedDashboard: string | null;
};

export type PublishedDashboard = {
  readonly displayName: string | null;
  readonly warehouseId: string | null;
  /** Whether those who look at it use the rights of whoever published it. */
  readonly embedsCredentials: boolean;
};

/** Its folder has to exist. */
export async function createDashboard(
  client: DatabricksClient,
  dashboard: {
    readonly display_name: string;
    readonly serialized_dashboard: string;
    readonly parent_path?: string;
    readonly warehouse_id?: string;
  },
  limits: CallLimits = {},
): Promise<Dashboard> {
  const answer = await client.postJson(apiPath`/api/2.0/lakeview/dashboards`, dashboard, {
    ...limits,
    purpose: `create dashboard "${dashboard.display_name}"`,
    permission: `Give the identity CAN MANAGE on the folder ${dashboard.parent_path ?? "of the dashboard"}.`,
  });
  return readAnsweredDashboard(answer);
}

export async function getDashboard(
  client: DatabricksClient,
  id: string,
  limits: CallLimits = {},
): Promise<Dashboard> {
  const answer = await client.getJson(apiPath`/api/2.0/lakeview/dashboards/${id}`, {
    ...limits,
    purpose: `read dashboard ${id}`,
    permission: `Give the identity CAN READ on dashboard ${id}.`,
  });
  return readAnsweredDashboard(answer);
}

export async function listDashboards(
  client: DatabricksClient,
  limits: CallLimits = {},
): Promise<readonly Dashboard[]> {
  const entries = await readPages("dashboards", (page) =>
    client.getJson(apiPath`/api/2.0/lakeview/dashboards`, {
      ...limits,
      query: page,
      purpose: "list the dashboards",
    }),
  );
  return recordsOf(entries)
    .map(readDashboard)
    .filter((dashboard) => dashboard !== null);
}

/** With the `etag` that was read, Databricks refuses the change if somebody else made one since. */
export async function updateDashboard(
  client: DatabricksClient,
  id: string,
  changes: {
    readonly display_name?: string;
    readonly serialized_dashboard?: string;
    readonly warehouse_id?: string;
    readonly etag?: string;
  },
  limits: CallLimits = {},
): Promise<Dashboard> {
  const answer = await client.patchJson(apiPath`/api/2.0/lakeview/dashboards/${id}`, changes, {
    ...limits,
    purpose: `change dashboard ${id}`,
    permission: editPermission(id),
    isIdempotent: changes.etag === undefined,
  });
  return readAnsweredDashboard(answer);
}

export function trashDashboard(
  client: DatabricksClient,
  id: string,
  limits: CallLimits = {},
): Promise<void> {
  return client.delete(apiPath`/api/2.0/lakeview/dashboards/${id}`, {
    ...limits,
    purpose: `delete dashboard ${id}`,
    permission: `Give the identity CAN MANAGE on dashboard ${id}.`,
  });
}

/** Shows the draft, as it is now, to those who may see the dashboard. */
export async function publishDashboard(
  client: DatabricksClient,
  id: string,
  options: { readonly embed_credentials: boolean; readonly warehouse_id?: string },
  limits: CallLimits = {},
): Promise<PublishedDashboard> {
  const answer = await client.postJson(
    apiPath`/api/2.0/lakeview/dashboards/${id}/published`,
    options,
    {
      ...limits,
      purpose: `publish dashboard ${id}`,
      permission: editPermission(id),
      isIdempotent: true,
    },
  );
  return readPublished(answer);
}

export async function getPublishedDashboard(
  client: DatabricksClient,
  id: string,
  limits: CallLimits = {},
): Promise<PublishedDashboard> {
  const answer = await client.getJson(apiPath`/api/2.0/lakeview/dashboards/${id}/published`, {
    ...limits,
    purpose: `read what is published of dashboard ${id}`,
    permission: `Give the identity CAN READ on dashboard ${id}.`,
  });
  return readPublished(answer);
}

function editPermission(id: string): string {
  return `Give the identity CAN EDIT on dashboard ${id}.`;
}

function readPublished(answer: JsonAnswer): PublishedDashboard {
  const published = recordOf(answer.json);
  if (!published) throw answer.unusable("is not a published dashboard");
  return {
    displayName: textOf(published.display_name),
    warehouseId: textOf(published.warehouse_id),
    embedsCredentials: published.embed_credentials === true,
  };
}

function readAnsweredDashboard(answer: JsonAnswer): Dashboard {
  const record = recordOf(answer.json);
  const dashboard = record && readDashboard(record);
  if (!dashboard) throw answer.unusable("is not a dashboard");
  return dashboard;
}

function readDashboard(dashboard: JsonRecord): Dashboard | null {
  const id = textOf(dashboard.dashboard_id);
  if (id === null) return null;
  return {
    id,
    displayName: textOf(dashboard.display_name),
    path: textOf(dashboard.path),
    etag: textOf(dashboard.etag),
    lifecycleState: textOf(dashboard.lifecycle_state),
    warehouseId: textOf(dashboard.warehouse_id),
    serializedDashboard: textOf(dashboard.serialized_dashboard),
  };
}
