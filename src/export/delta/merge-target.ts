/**
 * Rows to Databricks by statements alone, for small volumes and where no volume may be
 * made: `MERGE` adds those whose event is not there yet. So it may be done again, by one
 * exporter at a time: of two at once Databricks promises nothing.
 */
import { executeStatement, readStatementRows } from "../../databricks/statements.ts";
import { countSql, type Dates, fullTableName, mergeSql } from "../../history/databricks-tables.ts";
import { type DuckDBConnection, quoteText } from "../../history/duckdb.ts";
import { type TableName, tables } from "../../history/tables.ts";
import { type DeltaTarget, ensureSchema, ensureTables } from "./delta-target.ts";
import type { Local, RowTarget, SealedFile } from "./row-target.ts";

/** Of one statement. */
const ROWS_MAX = 2_000;
/** For a statement, in seconds: so is known when one has ended whose answer was lost. See `MERGE_MAX_MS`. */
const MERGE_LIMIT_S = 50;
/** Rows of a file by which it is known whether a table has any of it. */
const PROBED_ROWS = 100;
/** Of one statement, in characters of JSON; the text of a statement may have 16 MiB. */
const TEXT_MAX_CHARS = 2_000_000;

export function mergeTarget(target: DeltaTarget): RowTarget {
  const { client, place, warehouseId } = target;
  let isAwake = false;
  const load = async (table: TableName, files: readonly SealedFile[], local: Local) => {
    let inserted = 0;
    for await (const batch of rowBatches(table, files, local)) {
      inserted += await merge(table, batch);
    }
    return inserted;
  };
  return {
    hasGrants: true,
    name: databricksName(target),
    knowsHowFar: false,
    merges: "all",
    fullNameOf: (table) => fullTableName(place, table),
    async prepare(names, options) {
      const makePlace = () => ensureSchema(target);
      return await ensureTables(target, names, { ...options, makePlace });
    },
    loader: () => Promise.resolve("merge"),
    // What is there already is found out row by row.
    resume: () => Promise.resolve({ upTo: 0, repeatsUpTo: 0, rows: 0 }),
    // Nothing is there before it counts.
    withdraw: () => Promise.resolve(),
    load: ({ table }, files, local) => load(table, files, local),
    loadRest: ({ table }, file, local) => load(table, [file], local),
  };

  async function merge(table: TableName, { json, dates }: RowBatch): Promise<number> {
    await wake();
    const statement = await executeStatement(
      client,
      {
        statement: mergeSql(place, table, dates),
        warehouse_id: warehouseId,
        parameters: [{ name: "rows", value: json }],
      },
      // One whose answer was lost may be running still, and two at once might both add a row.
      {
        purpose: `add rows to ${fullTableName(place, table)}`,
        isIdempotent: false,
        limitS: MERGE_LIMIT_S,
      },
    );
    const at = statement.columns.findIndex(({ name }) => name === "num_inserted_rows");
    for await (const row of readStatementRows(client, statement)) return Number(row[at] ?? 0);
    return 0;
  }

  /** A warehouse that is stopped may take minutes to start, which no `MERGE` is given. */
  async function wake(): Promise<void> {
    if (isAwake) return;
    await executeStatement(
      client,
      { statement: "SELECT 1", warehouse_id: warehouseId },
      { purpose: `start the SQL warehouse ${warehouseId}`, isIdempotent: true },
    );
    isAwake = true;
  }
}

/** Whether the table has any of the first rows of a file. As rows go in order, it then has none of the later. */
export async function hasRowsOf(
  { client, place, warehouseId }: DeltaTarget,
  table: TableName,
  { path, connection }: { readonly path: string; readonly connection: DuckDBConnection },
): Promise<boolean> {
  const read = await connection.runAndReadAll(
    `SELECT event_id, CAST(event_date AS VARCHAR) FROM read_parquet(${quoteText(path)})
     ORDER BY event_date, event_id LIMIT ${PROBED_ROWS}`,
  );
  const rows = read
    .getRowsJson()
    .map(([eventId, date]) => [String(eventId), String(date)] as const);
  const dates = { from: rows[0]?.[1] ?? "", to: rows.at(-1)?.[1] ?? "" };
  if (rows.length === 0) return false;
  const statement = await executeStatement(
    client,
    {
      statement: countSql(place, table, { eventIds: rows.map(([eventId]) => eventId), dates }),
      warehouse_id: warehouseId,
    },
    { purpose: `look for rows in ${fullTableName(place, table)}`, isIdempotent: true },
  );
  for await (const [count] of readStatementRows(client, statement)) return Number(count) > 0;
  return false;
}

/** By which marks are known: of whichever way, rows up to a mark are there. */
export function databricksName({ client, place }: DeltaTarget): string {
  return `${client.host}/${place.catalog}.${place.schema}.${place.prefix}`;
}

type RowBatch = {
  /** An array of rows; dates and times are text. */
  readonly json: string;
  readonly dates: Dates;
};

async function* rowBatches(
  table: TableName,
  files: readonly SealedFile[],
  { connection }: Local,
): AsyncGenerator<RowBatch> {
  if (files.length === 0) return;
  const fields = tables[table].columns.map(({ name, type }) => {
    if (type === "DATE") return `${name}: CAST(${name} AS VARCHAR)`;
    if (type === "TIMESTAMP") return `${name}: strftime(${name}, '%Y-%m-%dT%H:%M:%S.%fZ')`;
    return `${name}: ${name}`;
  });
  const paths = files.map(({ path }) => quoteText(path)).join(", ");
  const reader = await connection.stream(
    `SELECT CAST(to_json({${fields.join(", ")}}) AS VARCHAR), CAST(event_date AS VARCHAR)
     FROM read_parquet([${paths}], union_by_name = true) ORDER BY event_date, event_id`,
  );
  let texts: string[] = [];
  let chars = 0;
  let dates = { from: "", to: "" };
  const finish = () => {
    const batch = { json: `[${texts.join(",")}]`, dates };
    texts = [];
    chars = 0;
    return batch;
  };
  for await (const rows of reader.yieldRowsJson()) {
    for (const [text, date] of rows) {
      const row = String(text);
      const isFull = texts.length === ROWS_MAX || chars + row.length > TEXT_MAX_CHARS;
      if (isFull && texts.length > 0) yield finish();
      if (texts.length === 0) dates = { from: String(date), to: String(date) };
      dates = { ...dates, to: String(date) };
      texts.push(row);
      chars += row.length + 1;
    }
  }
  if (texts.length > 0) yield finish();
}
