/** Drops a table, on the warehouse of the agent. */
import { executeStatement } from "../../databricks/statements.ts";
import { chooseWarehouse } from "../../export/delta/delta-target.ts";
import type { FindContext } from "./found-object.ts";

/** @param table as it stands in SQL. */
export async function dropTable({ client, config }: FindContext, table: string): Promise<void> {
  const warehouse = await chooseWarehouse(
    client,
    config.monitoring.warehouseId ?? process.env.DATABRICKS_WAREHOUSE_ID,
  );
  const statement = `DROP TABLE IF EXISTS ${table}`;
  await executeStatement(client, { statement, warehouse_id: warehouse });
}
