/**
 * Rows of one table → one Parquet file, as Spark and Delta expect it, and what the table's
 * log tells of the file so that readers can pass it by.
 */
import type { FileStats } from "./delta-log.ts";
import { type DuckDBConnection, type DuckDb, quoteName, quoteText } from "./duckdb.ts";
import { givenColumns, type TableRows } from "./pending-rows.ts";
import { type Column, type ColumnType, tables } from "./tables.ts";

/** Rows that DuckDB takes at a time. */
const CHUNK_ROWS = 2048;
/** Text longer than this is told in no statistics. */
const STATS_TEXT_LENGTH_MAX = 64;

export type WriteContext = { readonly duckDb: DuckDb; readonly connection: DuckDBConnection };

export async function writeParquet(
  { table, rows, columns }: TableRows,
  path: string,
  { duckDb, connection }: WriteContext,
): Promise<FileStats> {
  const given = givenColumns(table);
  const staged = given.map(({ name, type }) => `${quoteName(name)} ${stagedTypes[type]}`);
  await connection.run(`CREATE OR REPLACE TEMP TABLE staged (${staged.join(", ")})`);
  const appender = await connection.createAppender("staged");
  const types = given.map(({ type }) =>
    stagedTypes[type] === "VARCHAR" ? duckDb.VARCHAR : duckDb.DOUBLE,
  );
  for (let from = 0; from < rows; from += CHUNK_ROWS) {
    const chunk = duckDb.DuckDBDataChunk.create(types);
    chunk.setColumns(columns.map((column) => valuesOf(column, from)));
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();

  const selected = tables[table].columns.map(
    ({ name, type }) => `${selection({ name, type })} AS ${quoteName(name)}`,
  );
  await connection.run(
    `CREATE OR REPLACE TEMP VIEW finished AS SELECT ${selected.join(", ")} FROM staged`,
  );
  await connection.run(
    `COPY (SELECT * FROM finished) TO ${quoteText(path)} (FORMAT PARQUET, COMPRESSION ZSTD)`,
  );
  const stats = await readStats(tables[table].columns, "finished", connection);
  await connection.run("DROP VIEW finished");
  await connection.run("DROP TABLE staged");
  return stats;
}

const stagedTypes: Readonly<Record<ColumnType, "VARCHAR" | "DOUBLE">> = {
  STRING: "VARCHAR",
  DATE: "VARCHAR",
  "MAP<STRING,STRING>": "VARCHAR",
  TIMESTAMP: "DOUBLE",
  INT: "DOUBLE",
  BIGINT: "DOUBLE",
  DOUBLE: "DOUBLE",
};

function valuesOf(column: TableRows["columns"][number], from: number): (string | number | null)[] {
  if (Array.isArray(column)) return column.slice(from, from + CHUNK_ROWS);
  return Array.from(column.subarray(from, from + CHUNK_ROWS), (value) =>
    Number.isNaN(value) ? null : value,
  );
}

function selection({ name, type }: Pick<Column, "name" | "type">): string {
  const quoted = quoteName(name);
  switch (type) {
    case "STRING":
    case "DOUBLE":
      return quoted;
    case "DATE":
      return `CAST(make_timestamp(CAST(timestamp * 1000 AS BIGINT)) AS DATE)`;
    case "TIMESTAMP":
      return `CAST(make_timestamp(CAST(${quoted} * 1000 AS BIGINT)) AS TIMESTAMPTZ)`;
    case "INT":
      return `CAST(${quoted} AS INTEGER)`;
    case "BIGINT":
      return `CAST(${quoted} AS BIGINT)`;
    case "MAP<STRING,STRING>":
      return `json_transform(coalesce(${quoted}, '{}'), '"MAP(VARCHAR,VARCHAR)"')`;
  }
}

/** @param relation a table, view or table function with these columns. */
export async function readStats(
  columns: readonly Column[],
  relation: string,
  connection: DuckDBConnection,
): Promise<FileStats> {
  const plain = columns.filter(({ type }) => type !== "MAP<STRING,STRING>");
  const asked = plain.flatMap(({ name, type }) => {
    const quoted = quoteName(name);
    return [
      `count(*) - count(${quoted})`,
      bound({ type, quoted, side: "min" }),
      bound({ type, quoted, side: "max" }),
    ];
  });
  const reader = await connection.runAndReadAll(
    `SELECT count(*), ${asked.join(", ")} FROM ${relation}`,
  );
  const [row = []] = reader.getRowsJson();
  const min: Record<string, string | number> = {};
  const max: Record<string, string | number> = {};
  const nulls: Record<string, number> = {};
  for (const [at, { name, type }] of plain.entries()) {
    const [missing, low, high] = row.slice(1 + 3 * at, 4 + 3 * at);
    nulls[name] = Number(missing);
    if (low === null || high === null || low === undefined || high === undefined) continue;
    const isText = type === "STRING" || type === "DATE" || type === "TIMESTAMP";
    min[name] = isText ? String(low) : Number(low);
    max[name] = isText ? String(high) : Number(high);
  }
  return { rows: Number(row[0]), min, max, nulls };
}

type Side = "min" | "max";

/** Times are told in milliseconds: rounded away from the rows between the two. */
function bound({
  type,
  quoted,
  side,
}: {
  readonly type: ColumnType;
  readonly quoted: string;
  readonly side: Side;
}): string {
  if (type === "STRING") {
    return `CASE WHEN max(length(${quoted})) <= ${STATS_TEXT_LENGTH_MAX} THEN ${side}(${quoted}) END`;
  }
  if (type === "TIMESTAMP") {
    const rounded = side === "min" ? `min(${quoted})` : `max(${quoted}) + INTERVAL 1 MILLISECOND`;
    return `strftime(${rounded}, '%Y-%m-%dT%H:%M:%S.%gZ')`;
  }
  return `${side}(${quoted})`;
}
