/** What the SQL alerts cost on the warehouse that evaluates them, in words. */
import { ALERT_EVERY_MINUTES } from "../dashboards/sql-alerts/sql-alerts.ts";
import { warehouseCostText } from "../dashboards/sql-alerts/warehouse-cost.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import { getWarehouse } from "../databricks/warehouses.ts";
import { MonitorError } from "../monitor-error.ts";

export async function costText(client: DatabricksClient, warehouseId: string): Promise<string> {
  try {
    const warehouse = await getWarehouse(client, warehouseId);
    return `warehouse ${warehouseId} ${warehouseCostText(warehouse, ALERT_EVERY_MINUTES)}`;
  } catch (error) {
    if (!(error instanceof MonitorError)) throw error;
    return `warehouse ${warehouseId} runs every ${ALERT_EVERY_MINUTES} minutes for them; what that costs is not known, since it can't be read`;
  }
}
