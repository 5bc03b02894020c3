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
  const given = givenColumns(table);
  const mapColumns = new Set(
    given.flatMap(({ name, type }) => (type === "MAP<STRING,STRING>" ? [name] : [])),
  );
  const constants = new Map<string, string>();
  const staged = given.flatMap(({ name, type }, at): Staged[] => {
    const values = columns[at] ?? [];
    if (type === "TIMESTAMP" && !Array.isArray(values)) return stageTimes(values);
    const constant = constantOf(values);
    if (constant === undefined) return stage({ name, type }, values);
    constants.set(name, constant);
    return [];
  });
  const created = staged.map(({ name, type }) => `${quoteName(name)} ${type}`);
  await connection.run(`CREATE OR REPLACE TEMP TABLE staged (${created.join(", ")})`);
  const types = staged.map(({ type }) => duckDb[type]);
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
    const isMap = mapColumns.has(name);
    await writeDictionary({ name: `known_${name}`, isMap }, dictionary, { duckDb, connection });
    const known = quoteName(`known_${name}`);
    joins.push(`LEFT JOIN ${known} ON ${known}.id = staged.${quoteName(name)}`);
  }

  const isKnown = new Set(staged.flatMap(({ name, dictionary }) => (dictionary ? [name] : [])));
  const stagedAs = (name: string) =>
    isKnown.has(name) ? `${quoteName(`known_${name}`)}.text` : `staged.${quoteName(name)}`;
  const isTimed = staged.some(({ name }) => name === SERIES_COLUMN);
  const hasOthers = staged.some(({ name }) => name === "event_id");
  const selected = tables[table].columns.map(({ name, type }) => {
    const constant = constants.get(name);
    const source =
      constant ?? (name === "event_id" && isTimed ? timedId(stagedAs, hasOthers) : stagedAs(name));
    const isRead = mapColumns.has(name) && isKnown.has(name);
    const value = isRead ? `coalesce(${source}, ${mapOf("'{}'")})` : selection(type, source);
    return `${value} AS ${quoteName(name)}`;
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
  /** Whole numbers are staged as such: making them of a DOUBLE takes DuckDB as long as all else of a row. */
  readonly type: "VARCHAR" | "DOUBLE" | "INTEGER";
  readonly values: TextColumn | NumberColumn | Int32Array;
  /** The texts that the values number; none where the values stand for themselves. */
  readonly dictionary: readonly string[] | null;
};

/** Different texts of a column up to which each is handed to DuckDB once, and then its number. */
const DICTIONARY_TEXTS_MAX = 1_000;
/** Rows up to which a table of texts costs more than handing them over one by one. */
const DICTIONARY_ROWS_MIN = 1_000;

/** An id that is a series and the time of the row stands here as the number of the series. */
const SERIES_COLUMN = "event_id_series";
const SERIES_DIGITS = 32;

function timedId(stagedAs: (name: string) => string, hasOthers: boolean): string {
  const time = `CAST(${MICROSECONDS} // 1000 AS VARCHAR)`;
  const timed = `${stagedAs(SERIES_COLUMN)} || '/' || ${time}`;
  return hasOthers ? `coalesce(staged.event_id, ${timed})` : timed;
}

/** Handing over a text costs ten times as much as a number, and most columns repeat a few. */
function stage(
  { name, type }: Pick<Column, "name" | "type">,
  values: TextColumn | NumberColumn,
): Staged[] {
  if (!Array.isArray(values)) {
    const isWhole = type !== "DOUBLE" && values.every((value) => isInt32(value));
    return [{ name, type: isWhole ? "INTEGER" : "DOUBLE", values, dictionary: null }];
  }
  const plain = { name, type: "VARCHAR", values, dictionary: null } as const;
  if (values.length < DICTIONARY_ROWS_MIN) return [plain];
  if (name === "event_id") return stageIds(values) ?? [plain];
  const numbered = numberTexts(values, DICTIONARY_TEXTS_MAX);
  return [numbered ? { name, ...numbered } : plain];
}

/** `null` where few ids are those of a series. */
function stageIds(ids: TextColumn): Staged[] | null {
  const isTimed = (id: string | null) =>
    id !== null && id.length === TIMED_LENGTH && id.charCodeAt(SERIES_DIGITS) === SLASH;
  // They are mixed with others, but not by chance: the first rows tell.
  if (!ids.slice(0, DICTIONARY_ROWS_MIN).some(isTimed)) return null;
  const series: TextColumn = [];
  const others: TextColumn = [];
  let hasOthers = false;
  for (const id of ids) {
    const isOfSeries = isTimed(id);
    series.push(isOfSeries && id !== null ? id.slice(0, SERIES_DIGITS) : null);
    others.push(isOfSeries ? null : id);
    hasOthers ||= !isOfSeries;
  }
  const numbered = numberTexts(series, ids.length / 4);
  if (!numbered) return null;
  const timed = { name: SERIES_COLUMN, ...numbered };
  if (!hasOthers) return [timed];
  return [timed, { name: "event_id", type: "VARCHAR", values: others, dictionary: null }];
}

const SLASH = "/".charCodeAt(0);
/** Of an id whose time has no fraction: 13 digits from 2001 to 2286. What else has this length is no id of a series. */
const TIMED_LENGTH = SERIES_DIGITS + 1 + 13;

/** Of the row, as it is staged: the minute, and microseconds within. */
const MICROSECONDS = "(CAST(staged.timestamp AS BIGINT) * 60000000 + staged.timestamp_within)";
const MINUTE_MS = 60_000;

function stageTimes(timesMs: NumberColumn): Staged[] {
  const minutes = new Int32Array(timesMs.length);
  const within = new Int32Array(timesMs.length);
  for (const [row, timeMs] of timesMs.entries()) {
    const minute = Math.floor(timeMs / MINUTE_MS);
    minutes[row] = minute;
    within[row] = Math.round((timeMs - minute * MINUTE_MS) * 1000);
  }
  const common = { type: "INTEGER", dictionary: null } as const;
  return [
    { ...common, name: "timestamp", values: minutes },
    { ...common, name: "timestamp_within", values: within },
  ];
}

function isInt32(value: number): boolean {
  return Number.isNaN(value) || (value | 0) === value;
}

/** `null` where there are more different texts. */
function numberTexts(values: TextColumn, textsMax: number): Omit<Staged, "name"> | null {
  const numbers = new Int32Array(values.length);
  const known = new Map<string, number>();
  for (let row = 0; row < values.length; row++) {
    const text = values[row];
    if (text === null || text === undefined) continue;
    let number = known.get(text);
    if (number === undefined) {
      if (known.size >= textsMax) return null;
      number = known.size + 1;
      known.set(text, number);
    }
    numbers[row] = number;
  }
  return { type: "INTEGER", values: numbers, dictionary: [...known.keys()] };
}

/** What stands in every row, as SQL: it needs no handing over. `undefined` where values differ. */
function constantOf(values: TextColumn | NumberColumn): string | undefined {
  const [first = null] = values;
  if (!Array.isArray(values)) {
    return values.every((value) => Number.isNaN(value)) ? "CAST(NULL AS DOUBLE)" : undefined;
  }
  if (values.some((value) => value !== first)) return undefined;
  return first === null ? "CAST(NULL AS VARCHAR)" : quoteText(String(first));
}

/** @param isMap texts are JSON, and read once each here instead of in each row. */
async function writeDictionary(
  { name, isMap }: { readonly name: string; readonly isMap: boolean },
  texts: readonly string[],
  { duckDb, connection }: WriteContext,
): Promise<void> {
  await connection.run("CREATE OR REPLACE TEMP TABLE texts (id INTEGER, text VARCHAR)");
  const appender = await connection.createAppender("texts");
  for (let from = 0; from < texts.length; from += CHUNK_ROWS) {
    const some = texts.slice(from, from + CHUNK_ROWS);
    const chunk = duckDb.DuckDBDataChunk.create([duckDb.INTEGER, duckDb.VARCHAR]);
    chunk.setColumns([some.map((_, at) => from + at + 1), some]);
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
  const text = isMap ? mapOf("text") : "text";
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE ${quoteName(name)} AS SELECT id, ${text} AS text FROM texts`,
  );
}

function mapOf(json: string): string {
  return `json_transform(coalesce(${json}, '{}'), '"MAP(VARCHAR,VARCHAR)"')`;
}

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
      return `CAST(make_timestamp(${MICROSECONDS}) AS DATE)`;
    case "TIMESTAMP":
      return `CAST(make_timestamp(${MICROSECONDS}) AS TIMESTAMPTZ)`;
    case "INT":
      return `CAST(${source} AS INTEGER)`;
    case "BIGINT":
      return `CAST(${source} AS BIGINT)`;
    case "MAP<STRING,STRING>":
      return mapOf(source);
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
