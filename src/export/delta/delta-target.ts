/**
 * Where rows go in Databricks: a catalog and schema with the tables of the history, a
 * volume that files go through, and the warehouse that loads them. What is missing is
 * made; a table that is there with other columns is left alone, and told.
 */
import type { DatabricksClient } from "../../databricks/client.ts";
import { DatabricksError, isAlreadyThere, isNotThere } from "../../databricks/databricks-error.ts";
import { recordOf } from "../../databricks/json-fields.ts";
import { createSchema, getSchema } from "../../databricks/schemas.ts";
import { executeStatement, readStatementRows } from "../../databricks/statements.ts";
import { listTables, type TableColumn } from "../../databricks/tables.ts";
import { createVolume, getVolume } from "../../databricks/volumes.ts";
import { listWarehouses } from "../../databricks/warehouses.ts";
import {
  addColumnsSql,
  copyIntoSql,
  createTableSql,
  fullTableName,
  type LoadedFiles,
  type TablePlace,
  volumeOf,
} from "../../history/databricks-tables.ts";
import type { ExportMarks } from "../../history/export-marks.ts";
import { type Column, notNull, type TableName, tables } from "../../history/tables.ts";
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

/** Makes the schema if it is not there. */
export async function ensureSchema({
  client,
  place,
}: Pick<DeltaTarget, "client" | "place">): Promise<void> {
  const { catalog, schema } = place;
  if (await orNull(getSchema(client, `${catalog}.${schema}`))) return;
  await unlessThere(
    createSchema(client, { name: schema, catalog_name: catalog, comment: COMMENT }),
  );
}

/** Makes the schema and the volume if they are not there; returns the volume's id. */
export async function ensureVolume(
  target: Pick<DeltaTarget, "client" | "place">,
): Promise<string | null> {
  const { client, place } = target;
  const volume = volumeOf(place);
  const there = await findVolume(target);
  if (there !== null) return there;
  await ensureSchema(target);
  await unlessThere(
    createVolume(client, {
      catalog_name: place.catalog,
      schema_name: place.schema,
      name: volume.name,
      volume_type: "MANAGED",
      comment: COMMENT,
    }),
  );
  return await findVolume(target);
}

/** Its id; `null` when it is not there. */
export async function findVolume({
  client,
  place,
}: Pick<DeltaTarget, "client" | "place">): Promise<string | null> {
  const { fullName } = volumeOf(place);
  const volume = await orNull(getVolume(client, fullName));
  return volume && (volume.id ?? fullName);
}

/**
 * Makes those of the tables that are not there, adds the columns that are missing in the
 * others, and returns the id of each; `null` where it is not told. What is refused is refused
 * before anything is made: what people dropped they may want to bring back.
 *
 * @param options `makePlace` makes what the tables are in.
 * @throws MonitorError `TABLE_CONFLICT` when one is there that can't take these rows,
 * `TABLE_DROPPED` when rows were loaded into one that is not there any more.
 */
export async function ensureTables(
  target: DeltaTarget,
  names: readonly TableName[],
  {
    marks,
    recreate,
    makePlace,
  }: {
    readonly marks: ExportMarks;
    readonly recreate: boolean;
    readonly makePlace?: () => Promise<void>;
  },
): Promise<ReadonlyMap<TableName, string | null>> {
  const { place } = target;
  const looked = await lookAt(target, names);
  const missing = looked.filter(({ table }) => table === undefined).map(({ name }) => name);
  const dropped = missing.filter((name) => (marks[name]?.upTo ?? 0) > 0);
  if (dropped.length > 0 && !recreate) throw droppedError(place, dropped);
  await makePlace?.();
  const ids = new Map<TableName, string | null>();
  for (const { name, table, lacking } of looked) {
    if (table) ids.set(name, table.id);
    if (lacking.length > 0) {
      await run(target, addColumnsSql(place, name, lacking), {
        purpose: `add columns to ${fullTableName(place, name)}`,
        // A second time it would be refused as there already.
        isIdempotent: false,
      });
    }
  }
  if (missing.length === 0) return ids;
  for (const name of missing) {
    // Of two at once Databricks may refuse one, `IF NOT EXISTS` or not.
    await unlessThere(
      run(target, createTableSql(place, name), {
        purpose: `create table ${fullTableName(place, name)}`,
        isIdempotent: true,
      }),
    );
  }
  for (const { name, table } of await lookAt(target, missing)) {
    // Somebody drops it at this moment. Without its id it would later pass for the one before.
    if (!table) throw droppedError(place, [name]);
    ids.set(name, table.id);
  }
  return ids;
}

/** Reads only. @throws MonitorError `TABLE_CONFLICT` */
export async function missingTables(
  target: Pick<DeltaTarget, "client" | "place">,
  names: readonly TableName[],
): Promise<readonly TableName[]> {
  const looked = await lookAt(target, names);
  return looked.filter(({ table }) => table === undefined).map(({ name }) => name);
}

async function lookAt(
  { client, place }: Pick<DeltaTarget, "client" | "place">,
  names: readonly TableName[],
) {
  const { catalog: catalogName, schema: schemaName } = place;
  const there = (await orNull(listTables(client, { catalogName, schemaName }))) ?? [];
  const byName = new Map(there.map((table) => [table.fullName.toLowerCase(), table]));
  return names.map((name) => {
    const fullName = fullTableName(place, name);
    const table = byName.get(fullName.toLowerCase());
    return { name, table, lacking: table ? lackingColumns(place, name, table.columns) : [] };
  });
}

function run(
  { client, warehouseId }: DeltaTarget,
  statement: string,
  options: { readonly purpose: string; readonly isIdempotent: boolean },
) {
  return executeStatement(client, { statement, warehouse_id: warehouseId }, options);
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
    // One whose answer was lost may be running still, and Databricks promises only that two which
    // follow each other load a file once. So it is not sent again here, but by the next run.
    { purpose: `load rows into ${fullTableName(place, table)}`, isIdempotent: false },
  );
  const at = statement.columns.findIndex(({ name }) => name === "num_inserted_rows");
  for await (const row of readStatementRows(client, statement)) return Number(row[at] ?? 0);
  return 0;
}

/**
 * Columns that have to be added. Those that are there beside ours are nobody's business.
 *
 * @throws MonitorError `TABLE_CONFLICT` where that would not do.
 */
function lackingColumns(
  place: TablePlace,
  name: TableName,
  there: readonly TableColumn[],
): readonly Column[] {
  // Databricks tells no columns of a table that was made a moment ago.
  if (there.length === 0) return [];
  return tables[name].columns.filter((column) => {
    const found = there.find((one) => one.name.toLowerCase() === column.name);
    if (!found && !notNull.has(column.name)) return true;
    const type = found?.typeText?.toUpperCase().replaceAll(" ", "");
    if (type === column.type) return false;
    const fullName = fullTableName(place, name);
    throw new MonitorError(
      "TABLE_CONFLICT",
      found
        ? `cannot write to ${fullName}: its column ${column.name} is ${found.typeText}, and the rows hold ${column.type}`
        : `cannot write to ${fullName}: it has no column ${column.name}, without which a row is none`,
      {
        hint: `Mend the column, and it goes on by itself. Or run ALTER TABLE ${fullName} RENAME TO ${fullName}_before, and then ${recreateCommand(place)}, which makes the table anew and loads it again. Nothing is lost meanwhile.`,
      },
    );
  });
}

function droppedError(place: TablePlace, dropped: readonly TableName[]): MonitorError {
  const names = dropped.map((name) => fullTableName(place, name));
  const [it, is] = names.length === 1 ? ["it", "it is"] : ["them", "they are"];
  return new MonitorError(
    "TABLE_DROPPED",
    `cannot write to ${names.join(", ")}: rows were loaded there, and ${is} not there any more, or may not be seen by this identity`,
    {
      hint: `Bring back what was dropped (${names.map((name) => `UNDROP TABLE ${name}`).join("; ")}), in its schema. Or run ${recreateCommand(place)}, which makes ${it} anew and loads again what the history and the volume hold; the next deploy lets its readers read ${it} again. Nothing is lost meanwhile.`,
    },
  );
}

function recreateCommand({ catalog, schema, prefix }: TablePlace): string {
  return `dspy-databricks export --to ${catalog}.${schema} --prefix ${prefix} --recreate`;
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
    if (!isAlreadyThere(error) && !isTableThere(error)) throw error;
  }
}

/** As SQL says it. */
function isTableThere(error: unknown): boolean {
  return (
    error instanceof DatabricksError &&
    error.call.details.some((detail) => recordOf(detail)?.sql_state === "42P07")
  );
}
