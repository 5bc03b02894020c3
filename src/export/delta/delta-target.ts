/**
 * Where rows go in Databricks: a catalog and schema with the tables of the history, a
 * volume that files go through, and the warehouse that loads them. What is missing is
 * made; a table that is there with other columns is left alone, and told.
 */
import type { DatabricksClient } from "../../databricks/client.ts";
import { DatabricksError, isAlreadyThere, isNotThere } from "../../databricks/databricks-error.ts";
import { createSchema, getSchema } from "../../databricks/schemas.ts";
import { executeStatement, readStatementRows } from "../../databricks/statements.ts";
import { listTables, type TableColumn } from "../../databricks/tables.ts";
import { createVolume, getVolume } from "../../databricks/volumes.ts";
import { listWarehouses } from "../../databricks/warehouses.ts";
import {
  copyIntoSql,
  createTableSql,
  fullTableName,
  type LoadedFiles,
  type TablePlace,
  volumeOf,
} from "../../history/databricks-tables.ts";
import { type TableName, tables } from "../../history/tables.ts";
import { MonitorError } from "../../monitor-error.ts";

export type DeltaTarget = {
  readonly client: DatabricksClient;
  readonly place: TablePlace;
  readonly warehouseId: string;
};

const COMMENT = "What agents did, kept by dspy-databricks-agents";

/**
 * The warehouse that is named, else one that runs, else any.
 *
 * @throws MonitorError `WAREHOUSE_MISSING` when the identity may use none.
 */
export async function chooseWarehouse(
  client: DatabricksClient,
  wanted: string | undefined,
): Promise<string> {
  if (wanted !== undefined) return wanted;
  const warehouses = await listWarehouses(client);
  const chosen = warehouses.find(({ state }) => state === "RUNNING") ?? warehouses[0];
  if (chosen) return chosen.id;
  throw new MonitorError(
    "WAREHOUSE_MISSING",
    `cannot write Delta tables: no SQL warehouse of ${client.host} may be used`,
    {
      hint: "Create a serverless SQL warehouse, or give the identity CAN USE on one and name it as monitoring.warehouse_id.",
    },
  );
}

/** Makes the schema and the volume if they are not there; true when something was made. */
export async function ensureVolume({
  client,
  place,
}: Pick<DeltaTarget, "client" | "place">): Promise<boolean> {
  const { catalog, schema } = place;
  const volume = volumeOf(place);
  if (await orNull(getVolume(client, volume.fullName))) return false;
  if (!(await orNull(getSchema(client, `${catalog}.${schema}`)))) {
    await unlessThere(
      createSchema(client, { name: schema, catalog_name: catalog, comment: COMMENT }),
    );
  }
  await unlessThere(
    createVolume(client, {
      catalog_name: catalog,
      schema_name: schema,
      name: volume.name,
      volume_type: "MANAGED",
      comment: COMMENT,
    }),
  );
  return true;
}

/**
 * Makes those of the tables that are not there, and returns their names.
 *
 * @throws MonitorError `TABLE_CONFLICT` when one is there that can't take these rows.
 */
export async function ensureTables(
  { client, place, warehouseId }: DeltaTarget,
  names: readonly TableName[],
): Promise<readonly TableName[]> {
  const missing = await missingTables({ client, place }, names);
  for (const name of missing) {
    await executeStatement(
      client,
      { statement: createTableSql(place, name), warehouse_id: warehouseId },
      { purpose: `create table ${fullTableName(place, name)}`, isIdempotent: true },
    );
  }
  return missing;
}

/** Reads only. @throws MonitorError `TABLE_CONFLICT` */
export async function missingTables(
  { client, place }: Pick<DeltaTarget, "client" | "place">,
  names: readonly TableName[],
): Promise<readonly TableName[]> {
  const { catalog: catalogName, schema: schemaName } = place;
  const there = (await orNull(listTables(client, { catalogName, schemaName }))) ?? [];
  const byName = new Map(there.map((table) => [table.fullName.toLowerCase(), table]));
  return names.filter((name) => {
    const fullName = fullTableName(place, name);
    const table = byName.get(fullName.toLowerCase());
    if (table) refuseConflict(fullName, name, table.columns);
    return table === undefined;
  });
}

/** Loads files that are in the volume, each once however often this is done. Returns the new rows. */
export async function loadFiles(
  { client, place, warehouseId }: DeltaTarget,
  table: TableName,
  files: LoadedFiles,
): Promise<number> {
  const statement = await executeStatement(
    client,
    { statement: copyIntoSql(place, table, files), warehouse_id: warehouseId },
    { purpose: `load rows into ${fullTableName(place, table)}`, isIdempotent: true },
  );
  const at = statement.columns.findIndex(({ name }) => name === "num_inserted_rows");
  for await (const row of readStatementRows(client, statement)) return Number(row[at] ?? 0);
  return 0;
}

/** Columns that are there beside ours are nobody's business. */
function refuseConflict(fullName: string, name: TableName, there: readonly TableColumn[]): void {
  // Databricks tells no columns of a table that was made a moment ago.
  if (there.length === 0) return;
  for (const column of tables[name].columns) {
    const found = there.find((one) => one.name.toLowerCase() === column.name);
    const type = found?.typeText?.toUpperCase().replaceAll(" ", "");
    if (type === column.type) continue;
    throw new MonitorError(
      "TABLE_CONFLICT",
      found
        ? `cannot write to ${fullName}: its column ${column.name} is ${found.typeText}, and the rows hold ${column.type}`
        : `cannot write to ${fullName}: it has no column ${column.name}`,
      {
        hint: found
          ? "Rename the table, or choose another prefix, and run it again: nothing is lost meanwhile."
          : `Run: ALTER TABLE ${fullName} ADD COLUMNS (${column.name} ${column.type}). Nothing is lost meanwhile.`,
      },
    );
  }
}

async function orNull<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (isNotThere(error) || (error instanceof DatabricksError && error.call.status === 404)) {
      return null;
    }
    throw error;
  }
}

async function unlessThere(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!isAlreadyThere(error)) throw error;
  }
}
