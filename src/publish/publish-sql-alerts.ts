/**
 * SQL alerts put in place by their names: what is missing is made, what differs is
 * changed, all else stays as it is.
 */
import type { SqlAlert } from "../dashboards/sql-alerts/sql-alerts.ts";
import { type Alert, createAlert, listAlerts, updateAlert } from "../databricks/alerts.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import { makeWorkspaceDirectories } from "../databricks/workspace-objects.ts";
import { holds } from "./holds.ts";

export type AlertChange = {
  readonly name: string;
  readonly kind: "create" | "update" | "keep";
  /** `null` of one that is to be made. */
  readonly id: string | null;
};

type Planned = AlertChange & { readonly alert: SqlAlert };

/** Reads only. */
export async function planSqlAlerts(
  client: DatabricksClient,
  alerts: readonly SqlAlert[],
): Promise<readonly Planned[]> {
  const there = (await listAlerts(client)).filter(
    ({ lifecycleState }) => lifecycleState !== "DELETED",
  );
  return alerts.map((alert) => {
    const known = there.find(({ displayName }) => displayName === alert.display_name);
    const kind = known ? (isAs(known, alert) ? "keep" : "update") : "create";
    return { name: alert.display_name, kind, id: known?.id ?? null, alert };
  });
}

export async function publishSqlAlerts(
  client: DatabricksClient,
  alerts: readonly SqlAlert[],
): Promise<readonly (AlertChange & { readonly id: string })[]> {
  const planned = await planSqlAlerts(client, alerts);
  const done: (AlertChange & { readonly id: string })[] = [];
  for (const { alert, name, kind, id } of planned) {
    if (id === null) {
      await makeWorkspaceDirectories(client, alert.parent_path);
      done.push({ name, kind, id: (await createAlert(client, alert)).id });
      continue;
    }
    const { parent_path: _, ...changes } = alert;
    if (kind === "update") await updateAlert(client, id, changes);
    done.push({ name, kind, id });
  }
  return done;
}

function isAs({ definition }: Alert, { parent_path: _, ...alert }: SqlAlert): boolean {
  return holds(definition, alert);
}
