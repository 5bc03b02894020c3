/**
 * Rows of one table → one Parquet file, as Spark and Delta expect it, and what the table's
 * log tells of the file so that readers can pass it by.
 */
import type { FileStats } from "./delta-log.ts";
import { type DuckDBConnection, type DuckDb, quoteName, quoteText } from "./duckdb.ts";
import {
  givenColumns,
  type NumberColumn,
  type TableRows,
  type TextColumn,
} from "./pending-rows.ts";
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
  const staged = givenColumns(table).map((column, at) => stage(column, columns[at] ?? []));
  const created = staged.map(
    ({ name, values }) => `${quoteName(name)} ${stagedTypes[kindOf(values)]}`,
  );
  await connection.run(`CREATE OR REPLACE TEMP TABLE staged (${created.join(", ")})`);
  const types = staged.map(({ values }) => duckDb[stagedTypes[kindOf(values)]]);
  const appender = await connection.createAppender("staged");
  for (let from = 0; from < rows; from += CHUNK_ROWS) {
    const chunk = duckDb.DuckDBDataChunk.create(types);
    chunk.setColumns(staged.map(({ values }) => valuesOf(values, from)));
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
  const joins: string[] = [];
  for (const { name, dictionary } of staged) {
    if (!dictionary) continue;
    await writeDictionary(`known_${name}`, dictionary, { duckDb, connection });
    const known = quoteName(`known_${name}`);
    joins.push(`LEFT JOIN ${known} ON ${known}.id = staged.${quoteName(name)}`);
  }

  const isKnown = new Set(staged.flatMap(({ name, dictionary }) => (dictionary ? [name] : [])));
  const selected = tables[table].columns.map(({ name, type }) => {
    const source = isKnown.has(name)
      ? `${quoteName(`known_${name}`)}.text`
      : `staged.${quoteName(name)}`;
    return `${selection(type, source)} AS ${quoteName(name)}`;
  });
  const finished = `SELECT ${selected.join(", ")} FROM staged ${joins.join(" ")}`;
  await connection.run(`CREATE OR REPLACE TEMP TABLE finished AS ${finished}`);
  await connection.run(`COPY finished TO ${quoteText(path)} (FORMAT PARQUET, COMPRESSION ZSTD)`);
  const stats = await readStats(tables[table].columns, "finished", connection);
  await connection.run("DROP TABLE finished");
  await connection.run("DROP TABLE staged");
  return stats;
}

type Staged = {
  readonly name: string;
  readonly values: TextColumn | NumberColumn | Int32Array;
  /** The texts that the values number; none where the values stand for themselves. */
  readonly dictionary: readonly string[] | null;
};

/** Different texts of a column up to which each is handed to DuckDB once, and then its number. */
const DICTIONARY_TEXTS_MAX = 1_000;
/** Rows up to which a table of texts costs more than handing them over one by one. */
const DICTIONARY_ROWS_MIN = 1_000;

/** Handing over a text costs ten times as much as a number, and most columns repeat a few. */
function stage({ name }: Column, values: TextColumn | NumberColumn): Staged {
  if (!Array.isArray(values) || values.length < DICTIONARY_ROWS_MIN) {
    return { name, values, dictionary: null };
  }
  const numbers = new Int32Array(values.length);
  const known = new Map<string, number>();
  for (let row = 0; row < values.length; row++) {
    const text = values[row];
    if (text === null || text === undefined) continue;
    let number = known.get(text);
    if (number === undefined) {
      if (known.size === DICTIONARY_TEXTS_MAX) return { name, values, dictionary: null };
      number = known.size + 1;
      known.set(text, number);
    }
    numbers[row] = number;
  }
  return { name, values: numbers, dictionary: [...known.keys()] };
}

async function writeDictionary(
  name: string,
  texts: readonly string[],
  { duckDb, connection }: WriteContext,
): Promise<void> {
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${quoteName(name)} (id INTEGER, text VARCHAR)`,
  );
  const appender = await connection.createAppender(name);
  const chunk = duckDb.DuckDBDataChunk.create([duckDb.INTEGER, duckDb.VARCHAR]);
  chunk.setColumns([texts.map((_, at) => at + 1), [...texts]]);
  appender.appendDataChunk(chunk);
  appender.closeSync();
}

function kindOf(values: Staged["values"]): keyof typeof stagedTypes {
  if (Array.isArray(values)) return "text";
  return values instanceof Int32Array ? "number of a text" : "number";
}

const stagedTypes = { text: "VARCHAR", number: "DOUBLE", "number of a text": "INTEGER" } as const;

function valuesOf(values: Staged["values"], from: number): (string | number | null)[] {
  if (Array.isArray(values)) return values.slice(from, from + CHUNK_ROWS);
  return Array.from(values.subarray(from, from + CHUNK_ROWS), (value) =>
    Number.isNaN(value) ? null : value,
  );
}

/** @param source the staged value. */
function selection(type: ColumnType, source: string): string {
  switch (type) {
    case "STRING":
    case "DOUBLE":
      return source;
    case "DATE":
      return "CAST(make_timestamp(CAST(staged.timestamp * 1000 AS BIGINT)) AS DATE)";
    case "TIMESTAMP":
      return `CAST(make_timestamp(CAST(${source} * 1000 AS BIGINT)) AS TIMESTAMPTZ)`;
    case "INT":
      return `CAST(${source} AS INTEGER)`;
    case "BIGINT":
      return `CAST(${source} AS BIGINT)`;
    case "MAP<STRING,STRING>":
      return `json_transform(coalesce(${source}, '{}'), '"MAP(VARCHAR,VARCHAR)"')`;
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
