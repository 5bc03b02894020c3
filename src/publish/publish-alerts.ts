/**
 * The alerts of one agent in Databricks: its thresholds as SQL alerts over its Delta
 * tables, and whom they tell. Done again it changes nothing.
 */

import { type SqlAlert, sqlAlert } from "../dashboards/sql-alerts/sql-alerts.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import type { TablePlace } from "../history/databricks-tables.ts";
import { MonitorError } from "../monitor-error.ts";
import { type AlertThresholds, thresholdRules } from "../rules/alert-thresholds.ts";
import { type ChannelKind, publishDestination } from "./notification-destination.ts";
import { workspaceFolder } from "./publish-notebook.ts";
import { type AlertChange, planSqlAlerts, publishSqlAlerts } from "./publish-sql-alerts.ts";

export type AgentAlerts = {
  readonly endpointName: string;
  readonly thresholds: AlertThresholds;
  readonly place: TablePlace;
  readonly warehouseId: string;
};

export type PublishedAlerts = {
  readonly alerts: readonly (AlertChange & { readonly id: string })[];
  readonly channels: readonly { readonly kind: ChannelKind; readonly id: string }[];
  readonly warnings: readonly string[];
};

export function planAlerts(
  client: DatabricksClient,
  agent: AgentAlerts,
): Promise<readonly AlertChange[]> {
  return planSqlAlerts(client, sqlAlertsOf(agent, null));
}

/** @param webhookUrl goes into the notification destination, and nowhere else. */
export async function publishAlerts(
  client: DatabricksClient,
  agent: AgentAlerts,
  webhookUrl: string | null,
): Promise<PublishedAlerts> {
  const { destination, warnings } = await destinationOf(client, agent, webhookUrl);
  const alerts = await publishSqlAlerts(client, sqlAlertsOf(agent, destination?.id ?? null));
  return {
    alerts,
    channels: destination ? [{ kind: destination.kind, id: destination.id }] : [],
    warnings,
  };
}

function sqlAlertsOf(
  { endpointName, thresholds, place, warehouseId }: AgentAlerts,
  destinationId: string | null,
): readonly SqlAlert[] {
  return thresholdRules(endpointName, thresholds).map((rule) =>
    sqlAlert(rule, {
      place,
      warehouseId,
      parentPath: `/Workspace${workspaceFolder(endpointName)}`,
      destinationIds: destinationId === null ? [] : [destinationId],
    }),
  );
}

async function destinationOf(
  client: DatabricksClient,
  { endpointName }: AgentAlerts,
  webhookUrl: string | null,
) {
  if (webhookUrl === null) return { destination: null, warnings: [] };
  try {
    return {
      destination: await publishDestination(client, { endpointName, webhookUrl }),
      warnings: [],
    };
  } catch (error) {
    if (!(error instanceof MonitorError) || error.code !== "DATABRICKS_FORBIDDEN") throw error;
    return {
      destination: null,
      warnings: [
        "The SQL alerts tell nobody: only an admin of the workspace may make the notification destination for the webhook.",
      ],
    };
  }
}
