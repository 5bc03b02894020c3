/**
 * A Parquet file of one table, as Spark and Delta expect it, and what the table's log tells of
 * the file so that readers can pass it by.
 */
import type { FileStats } from "./delta-log.ts";
import { type DuckDBConnection, isSystemFailure, quoteName, quoteText } from "./duckdb.ts";
import type { Column, ColumnType } from "./tables.ts";

/** Text longer than this is told in no statistics. */
const STATS_TEXT_LENGTH_MAX = 64;

/** The key of a file's own metadata under which it says whose it is, should the log be lost. */
const TABLE_ID_KEY = "dspy.table_id";

export type NewFile = {
  readonly path: string;
  readonly columns: readonly Column[];
  /** Of the table that it is a file of. */
  readonly tableId: string;
  /** What is known of columns before. */
  readonly types?: ReadonlyMap<string, { readonly bounds: Bounds | null }>;
};

/** As DuckDB writes it; `undefined` where there is none. */
export type Bounds = { readonly min: string | undefined; readonly max: string | undefined };

/** @param select gives the table's columns. */
export async function copyToParquet(
  select: string,
  { path, columns, tableId, types }: NewFile,
  connection: DuckDBConnection,
): Promise<FileStats> {
  const told = `KV_METADATA {${quoteText(TABLE_ID_KEY)}: ${quoteText(tableId)}}`;
  const reader = await connection.runAndReadAll(
    `COPY (${select}) TO ${quoteText(path)} (FORMAT PARQUET, COMPRESSION ZSTD, RETURN_STATS, ${told})`,
  );
  const [returned] = reader.getRowObjectsJson();
  // As DuckDB documents what COPY returns; in JSON a map is a list of keys and values.
  const listed = (returned?.column_statistics ?? []) as unknown as readonly Entry<
    readonly Entry[]
  >[];
  const stats = new Map(
    listed.map(({ key, value }) => [key, new Map(value.map((entry) => [entry.key, entry.value]))]),
  );
  return statsOf(
    Number(returned?.count),
    columns.map(({ name, type }) => {
      const its = stats.get(quoteName(name));
      const nulls = Number(its?.get("null_count") ?? 0);
      return { name, type, nulls, ...(types?.get(name)?.bounds ?? boundsOf(its)) };
    }),
  );
}

/** `null` in a file of an earlier version. */
export async function readTableId(
  path: string,
  connection: DuckDBConnection,
): Promise<string | null> {
  const reader = await connection.runAndReadAll(
    `SELECT decode(value) FROM parquet_kv_metadata(${quoteText(path)}) WHERE decode(key) = ${quoteText(TABLE_ID_KEY)}`,
  );
  const [row] = reader.getRowsJson();
  return typeof row?.[0] === "string" ? row[0] : null;
}

/** What its end says; `null` where that can't be read. */
export async function readRowCount(
  path: string,
  connection: DuckDBConnection,
): Promise<number | null> {
  try {
    const reader = await connection.runAndReadAll(
      `SELECT num_rows FROM parquet_file_metadata(${quoteText(path)})`,
    );
    const [row] = reader.getRowsJson();
    return row === undefined ? null : Number(row[0]);
  } catch (error) {
    if (isSystemFailure(error)) throw error;
    return null;
  }
}

type Entry<T = string> = { readonly key: string; readonly value: T };

function boundsOf(its: ReadonlyMap<string, string> | undefined): Bounds {
  return { min: its?.get("min"), max: its?.get("max") };
}

/**
 * Of rows that lie in a file already.
 *
 * @param relation a table, view or table function with these columns.
 */
export async function readStats(
  columns: readonly Column[],
  relation: string,
  connection: DuckDBConnection,
): Promise<FileStats> {
  const plain = columns.filter(({ type }) => isTold(type));
  const asked = plain.flatMap(({ name }) => {
    const quoted = quoteName(name);
    return [`count(*) - count(${quoted})`, `min(${quoted})::VARCHAR`, `max(${quoted})::VARCHAR`];
  });
  const reader = await connection.runAndReadAll(
    `SELECT count(*), ${asked.join(", ")} FROM ${relation}`,
  );
  const [row = []] = reader.getRowsJson();
  return statsOf(
    Number(row[0]),
    plain.map(({ name, type }, at) => {
      const [nulls, min, max] = row.slice(1 + 3 * at, 4 + 3 * at);
      return { name, type, nulls: Number(nulls), min: textOf(min), max: textOf(max) };
    }),
  );
}

function textOf(value: unknown): string | undefined {
  return value === null || value === undefined ? undefined : String(value);
}

function isTold(type: ColumnType): boolean {
  return type !== "MAP<STRING,STRING>";
}

type ColumnStats = Pick<Column, "name" | "type"> & Bounds & { readonly nulls: number };

function statsOf(rows: number, columns: readonly ColumnStats[]): FileStats {
  const min: Record<string, string | number> = {};
  const max: Record<string, string | number> = {};
  const nulls: Record<string, number> = {};
  for (const column of columns) {
    if (!isTold(column.type)) continue;
    nulls[column.name] = column.nulls;
    const low = told(column.type, column.min, 0);
    const high = told(column.type, column.max, 1);
    if (low === null || high === null) continue;
    min[column.name] = low;
    max[column.name] = high;
  }
  return { rows, min, max, nulls };
}

/** @param aboveMs times are told in whole milliseconds: the rows between two of them are below this. */
function told(type: ColumnType, text: string | undefined, aboveMs: number): string | number | null {
  if (text === undefined) return null;
  switch (type) {
    case "STRING":
      return text.length <= STATS_TEXT_LENGTH_MAX ? text : null;
    case "DATE":
      return text;
    case "TIMESTAMP": {
      const timeMs = Date.parse(text.replace(" ", "T").replace(/\+00$/, "Z"));
      return Number.isNaN(timeMs) ? null : new Date(timeMs + aboveMs).toISOString();
    }
    default:
      return Number.isFinite(Number(text)) ? Number(text) : null;
  }
}
