/** Makes the Delta tables that the history goes to, each with a comment on every column. */
import { chooseWarehouse, ensureTables, missingTables } from "../../export/delta/delta-target.ts";
import { fullTableName } from "../../history/databricks-tables.ts";
import { tableNames } from "../../history/tables.ts";
import type { MonitoringStep } from "./monitoring-step.ts";

export const tablesStep: MonitoringStep = {
  name: "Delta tables",

  async plan({ config, context: { client } }) {
    const { tables: place } = config.monitoring;
    if (!place) return null;
    const missing = await missingTables({ client, place }, tableNames);
    const where = `${place.catalog}.${place.schema}`;
    return missing.length === 0
      ? { outcome: "unchanged", detail: `${tableNames.length} tables in ${where}` }
      : { outcome: "planned", detail: `create ${missing.length} tables in ${where}` };
  },

  async run({ config, context: { client } }) {
    const { tables: place, warehouseId } = config.monitoring;
    if (!place) return { outcome: "skipped", detail: "agent.yaml names no tables" };
    const result = { tables: tableNames.map((name) => fullTableName(place, name)) };
    const where = `${place.catalog}.${place.schema}`;
    const missing = await missingTables({ client, place }, tableNames);
    if (missing.length === 0) {
      return { outcome: "unchanged", detail: `${tableNames.length} tables in ${where}`, result };
    }
    const warehouse = await chooseWarehouse(
      client,
      warehouseId ?? process.env.DATABRICKS_WAREHOUSE_ID,
    );
    await ensureTables({ client, place, warehouseId: warehouse }, missing, {
      marks: {},
      recreate: true,
    });
    return { outcome: "done", detail: `created ${missing.length} tables in ${where}`, result };
  },
};
