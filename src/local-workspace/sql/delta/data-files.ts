/**
 * Rows → Parquet files with statistics, ready to be added to a Delta log. The rows
 * come as a DuckDB query whose columns have the table's names and types.
 *
 * Source: Delta protocol, "Per-file Statistics" and "Partition Value Serialization".
 */
import { randomUUID } from "node:crypto";
import { mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { type Column, duckDbType, quoteDuckDb } from "../data-type.ts";
import { unsupported } from "../sql-error.ts";
import type { AddFile } from "./actions.ts";

export type TableLayout = {
  readonly tableDir: string;
  readonly columns: readonly Column[];
  readonly partitionColumns: readonly string[];
};

/** Delta's own default, `delta.dataSkippingNumIndexedCols`. */
const STATISTICS_COLUMNS_MAX = 32;
/** Longer texts are cut in statistics. */
const STATISTICS_TEXT_MAX_CHARS = 32;
/** Sorts behind every text that begins alike. */
const LAST_CHARACTER = "\u{10ffff}";
/** Values of the partition columns in one write; Databricks has no such limit. */
const PARTITIONS_MAX = 1000;

/** What `DIRECTORY/x` is to a log that Hive's readers made: no value. */
const NULL_DIRECTORY = "__HIVE_DEFAULT_PARTITION__";

/** Writes what `query` gives; nothing when it has no rows. @returns what to add to the log. */
export async function writeDataFiles(
  connection: DuckDBConnection,
  query: string,
  layout: TableLayout,
  nowMs: number,
): Promise<AddFile[]> {
  const staging = quoteDuckDb(`rows_${randomUUID()}`);
  await connection.run(`CREATE TEMP TABLE ${staging} AS ${query}`);
  try {
    const added: AddFile[] = [];
    for (const partition of await partitionsOf(connection, staging, layout)) {
      const file = await writeDataFile(connection, staging, { layout, partition, nowMs });
      if (file) added.push(file);
    }
    return added;
  } finally {
    await connection.run(`DROP TABLE ${staging}`);
  }
}

type Partition = {
  readonly values: Readonly<Record<string, string | null>>;
  /** Which rows belong to it. */
  readonly condition: string;
};

async function partitionsOf(
  connection: DuckDBConnection,
  staging: string,
  { partitionColumns, columns }: TableLayout,
): Promise<Partition[]> {
  if (partitionColumns.length === 0) return [{ values: {}, condition: "true" }];
  const typed = partitionColumns.map((name) => {
    const column = columns.find((one) => one.name === name);
    if (column?.type.kind !== "primitive" && column?.type.kind !== "decimal") {
      throw unsupported(`partitioning by ${name}, whose type is nested`);
    }
    return { name, quoted: quoteDuckDb(name), type: duckDbType(column.type) };
  });
  const names = typed.map(({ quoted, type }) => partitionText(quoted, type));
  const result = await connection.runAndReadAll(
    `SELECT DISTINCT ${names.join(", ")} FROM ${staging} LIMIT ${PARTITIONS_MAX + 1}`,
  );
  const rows = result.getRows() as (string | null)[][];
  if (rows.length > PARTITIONS_MAX) {
    throw unsupported(`writing more than ${PARTITIONS_MAX} partitions at once`);
  }
  return rows.map((row) => ({
    values: Object.fromEntries(typed.map(({ name }, index) => [name, row[index] ?? null])),
    condition: typed
      .map(({ quoted, type }, index) => {
        const value = row[index] ?? null;
        return value === null
          ? `${quoted} IS NULL`
          : `${partitionText(quoted, type)} = ${quoteText(value)}`;
      })
      .join(" AND "),
  }));
}

/** As the log writes a partition's value. */
function partitionText(quoted: string, type: string): string {
  return type === "TIMESTAMP WITH TIME ZONE"
    ? `strftime(${quoted} AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S.%f')`
    : `CAST(${quoted} AS VARCHAR)`;
}

async function writeDataFile(
  connection: DuckDBConnection,
  staging: string,
  {
    layout,
    partition,
    nowMs,
  }: { readonly layout: TableLayout; readonly partition: Partition; readonly nowMs: number },
): Promise<AddFile | null> {
  const stored = layout.columns.filter(({ name }) => !layout.partitionColumns.includes(name));
  const rows = `FROM ${staging} WHERE ${partition.condition}`;
  const stats = await statistics(connection, rows, stored);
  if (stats === null) return null;

  const directories = layout.partitionColumns.map((name) => {
    const value = partition.values[name] ?? NULL_DIRECTORY;
    return `${encodeName(name)}=${encodeName(value)}`;
  });
  const relative = join(...directories, `part-00000-${randomUUID()}.snappy.parquet`);
  const path = join(layout.tableDir, relative);
  await mkdir(dirname(path), { recursive: true });
  const columns = stored.map(({ name }) => quoteDuckDb(name)).join(", ");
  await connection.run(
    `COPY (SELECT ${columns} ${rows}) TO ${quoteText(path)} (FORMAT PARQUET, COMPRESSION SNAPPY)`,
  );
  return {
    // The log encodes the path as a URI once more.
    path: relative.split("/").map(encodeURIComponent).join("/"),
    partitionValues: partition.values,
    size: (await stat(path)).size,
    modificationTime: nowMs,
    dataChange: true,
    stats,
  };
}

/** Where a file of the log lies. */
export function dataFilePath(tableDir: string, { path }: Pick<AddFile, "path">): string {
  const decoded = decodeURIComponent(path);
  if (decoded.startsWith("/") || decoded.includes("://") || decoded.split("/").includes("..")) {
    throw unsupported(`Delta files outside their table's folder (${path})`);
  }
  return join(tableDir, decoded);
}

/** A directory's name must not hold what separates directories. */
function encodeName(text: string): string {
  return encodeURIComponent(text).replaceAll(".", "%2E");
}

export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** JSON text, put together by hand so that 64-bit numbers and decimals stay exact. `null`: no rows. */
async function statistics(
  connection: DuckDBConnection,
  rows: string,
  stored: readonly Column[],
): Promise<string | null> {
  const indexed = stored
    .slice(0, STATISTICS_COLUMNS_MAX)
    .filter(({ type }) => type.kind === "primitive" || type.kind === "decimal");
  const wanted = indexed.flatMap(({ name, type }) => {
    const quoted = quoteDuckDb(name);
    const bounded =
      type.kind === "decimal" || hasBounds.has(type.kind === "primitive" ? type.name : "");
    const bound = (of: string) =>
      type.kind === "primitive" && type.name === "timestamp"
        ? `CAST(epoch_us(${of}(${quoted})) AS VARCHAR)`
        : `CAST(${of}(${quoted}) AS VARCHAR)`;
    return [
      `CAST(count(*) - count(${quoted}) AS VARCHAR)`,
      bounded ? bound("min") : "NULL",
      bounded ? bound("max") : "NULL",
    ];
  });
  const result = await connection.runAndReadAll(
    `SELECT ${["CAST(count(*) AS VARCHAR)", ...wanted].join(", ")} ${rows}`,
  );
  const [count, ...values] = (result.getRows()[0] ?? []) as (string | null)[];
  if (count === undefined || count === null || count === "0") return null;

  const minValues: string[] = [];
  const maxValues: string[] = [];
  const nullCount: string[] = [];
  indexed.forEach(({ name, type }, index) => {
    const [nulls, min, max] = values.slice(index * 3, index * 3 + 3);
    const key = JSON.stringify(name);
    nullCount.push(`${key}:${nulls}`);
    const lowest = min == null ? null : boundText(type, min, "min");
    const highest = max == null ? null : boundText(type, max, "max");
    if (lowest !== null) minValues.push(`${key}:${lowest}`);
    if (highest !== null) maxValues.push(`${key}:${highest}`);
  });
  return `{"numRecords":${count},"minValues":{${minValues}},"maxValues":{${maxValues}},"nullCount":{${nullCount}}}`;
}

const hasBounds = new Set<string>([
  "string",
  "long",
  "integer",
  "short",
  "byte",
  "float",
  "double",
  "date",
  "timestamp",
]);

const MICROSECONDS_PER_MILLISECOND = 1000n;

function boundText(type: Column["type"], value: string, bound: "min" | "max"): string | null {
  if (type.kind !== "primitive") return value;
  switch (type.name) {
    case "string": {
      const characters = Array.from(value);
      const cut = characters.slice(0, STATISTICS_TEXT_MAX_CHARS).join("");
      const isCut = characters.length > STATISTICS_TEXT_MAX_CHARS;
      return JSON.stringify(isCut && bound === "max" ? cut + LAST_CHARACTER : cut);
    }
    case "date":
      return JSON.stringify(value);
    case "timestamp": {
      // Readers take milliseconds: the true bounds must lie between them.
      const microseconds = BigInt(value);
      const rest =
        ((microseconds % MICROSECONDS_PER_MILLISECOND) + MICROSECONDS_PER_MILLISECOND) %
        MICROSECONDS_PER_MILLISECOND;
      const floored = (microseconds - rest) / MICROSECONDS_PER_MILLISECOND;
      const milliseconds = Number(bound === "max" ? floored + 1n : floored);
      return Math.abs(milliseconds) <= 8.64e15
        ? JSON.stringify(new Date(milliseconds).toISOString())
        : null;
    }
    case "float":
    case "double":
      // JSON has neither NaN nor infinity; without a bound, nothing is skipped.
      return Number.isFinite(Number(value)) ? value : null;
    default:
      return value;
  }
}
