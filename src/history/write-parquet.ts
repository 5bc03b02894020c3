/**
 * Rows of one table → one Parquet file. What repeats is handed to DuckDB once and joined there:
 * the series of samples, and the few texts that most columns have.
 */
import type { FileStats } from "./delta-log.ts";
import { quoteName, quoteText } from "./duckdb.ts";
import { copyToParquet } from "./parquet-file.ts";
import {
  countOf,
  givenColumns,
  isNumeric,
  type NumberColumn,
  type PlainRows,
  type SampleRows,
  type TableRows,
  type TextColumn,
} from "./pending-rows.ts";
import type { Series } from "./series.ts";
import {
  MICROSECONDS,
  type StageContext,
  type StagedColumn,
  stage,
  stagedTimes,
} from "./staging.ts";
import { type Column, type ColumnType, type TableName, tables } from "./tables.ts";

export type SealedRows = {
  readonly path: string;
  /** Of the table that it is a file of. */
  readonly tableId: string;
  /** Paths of files whose events are left out; none by default. */
  readonly except?: readonly string[];
};

/** @param rows at least one. */
export async function writeParquet(
  rows: TableRows,
  { path, tableId, except = [] }: SealedRows,
  context: StageContext,
): Promise<FileStats> {
  const { table, plain, samples } = rows;
  const { columns } = tables[table];
  const selects: string[] = [];
  if (plain.places.length > 0) selects.push(await stagePlain(table, plain, context));
  if (samples.places.length > 0) selects.push(await stageSamples(samples, context));
  const all = selects.join(" UNION ALL ");
  const select = except.length > 0 ? eventsBeside(all, except) : all;
  const stats = await copyToParquet(select, { path, columns, tableId }, context.connection);
  for (const staged of ["plain", "samples"]) {
    await context.connection.run(`DROP TABLE IF EXISTS ${staged}`);
  }
  if (stats.rows !== countOf(rows) && except.length === 0) {
    throw new Error(`${stats.rows} rows were written of ${countOf(rows)}`);
  }
  return stats;
}

function eventsBeside(select: string, paths: readonly string[]): string {
  const known = `read_parquet([${paths.map(quoteText).join(", ")}], union_by_name = true)`;
  return `SELECT * FROM (${select}) AS told ANTI JOIN (SELECT event_id FROM ${known}) AS known USING (event_id)`;
}

// ─── Samples ────────────────────────────────────────────────────────────────

/** Where the columns that all values of a series have in common come from. */
const seriesColumns: Readonly<Record<string, (series: Series) => string | null>> = {
  series_id: ({ id }) => id,
  workspace_id: ({ workspaceId }) => workspaceId,
  endpoint_name: ({ endpoint }) => endpoint,
  model_version: ({ modelVersion }) => modelVersion,
  source: ({ source }) => source,
  metric_name: ({ name }) => name,
  metric_type: ({ kind }) => kind,
  labels: ({ labels }) => JSON.stringify(labels),
};

/** Returns a SELECT of them. */
async function stageSamples(
  { series, seriesAt, timesMs, values }: SampleRows,
  context: StageContext,
): Promise<string> {
  // Whole milliseconds are numbers of their own; of others the id has all digits.
  const hasFractions = !timesMs.every((timeMs) => Number.isInteger(timeMs));
  const exactTimes = { name: "time_ms", type: "DOUBLE", values: timesMs } as const;
  await stage(
    "samples",
    [
      { name: "at", type: "INTEGER", values: seriesAt },
      ...stagedTimes(timesMs),
      { name: "value", type: "DOUBLE", values },
      ...(hasFractions ? [exactTimes] : []),
    ],
    context,
  );
  const texts = Object.entries(seriesColumns).map(
    ([name, of]): StagedColumn => ({ name, type: "VARCHAR", values: series.map(of) }),
  );
  const numbers = { name: "number", type: "INTEGER", values: series.map((_, at) => at) } as const;
  await stage("series_texts", [numbers, ...texts], context);
  await context.connection.run(
    `CREATE OR REPLACE TEMP TABLE series AS SELECT * REPLACE (${mapOf("labels")} AS labels) FROM series_texts`,
  );
  const whole = `CAST(${MICROSECONDS} // 1000 AS VARCHAR)`;
  const time = hasFractions
    ? `CASE WHEN time_ms = trunc(time_ms) THEN ${whole} ELSE CAST(time_ms AS VARCHAR) END`
    : whole;
  const selected = tables.metrics.columns.map(({ name, type }) => {
    const source = name in seriesColumns ? `series.${quoteName(name)}` : sampleColumn(name, time);
    return `${source ?? timeOf(type)} AS ${quoteName(name)}`;
  });
  return `SELECT ${selected.join(", ")} FROM samples JOIN series ON series.number = samples.at`;
}

function sampleColumn(name: string, time: string): string | null {
  switch (name) {
    case "event_id":
      return `series.series_id || '/' || ${time}`;
    case "value":
      return "samples.value";
    default:
      return null;
  }
}

// ─── Other rows ─────────────────────────────────────────────────────────────

/** Returns a SELECT of them. */
async function stagePlain(
  table: TableName,
  { columns }: PlainRows,
  context: StageContext,
): Promise<string> {
  const given = givenColumns(table).map((column, at) => handOver(column, columns[at] ?? []));
  await stage(
    "plain",
    given.flatMap(({ staged }) => staged),
    context,
  );
  const joins: string[] = [];
  for (const { name, dictionary, isMap } of given) {
    if (!dictionary) continue;
    const known = `known_${name}`;
    await stageDictionary(known, { texts: dictionary, isMap }, context);
    joins.push(
      `LEFT JOIN ${quoteName(known)} ON ${quoteName(known)}.number = plain.${quoteName(name)}`,
    );
  }
  const sources = new Map(given.map(({ name, source }) => [name, source]));
  const selected = tables[table].columns.map(({ name, type }) => {
    const source = sources.get(name);
    return `${source ?? timeOf(type)} AS ${quoteName(name)}`;
  });
  return `SELECT ${selected.join(", ")} FROM plain ${joins.join(" ")}`;
}

type HandedOver = {
  readonly name: string;
  readonly isMap: boolean;
  readonly staged: readonly StagedColumn[];
  /** The texts that the values number from 1 on; none where the values stand for themselves. */
  readonly dictionary: readonly string[] | null;
  /** SQL of the finished value; of times none. */
  readonly source: string | undefined;
};

/** Different texts of a column up to which each is handed to DuckDB once, and then its number. */
const DICTIONARY_TEXTS_MAX = 1_000;
/** Rows up to which a table of texts costs more than handing them over one by one. */
const DICTIONARY_ROWS_MIN = 1_000;

function handOver({ name, type }: Column, values: TextColumn | NumberColumn): HandedOver {
  const isMap = type === "MAP<STRING,STRING>";
  const plain = { name, isMap, dictionary: null };
  if (type === "TIMESTAMP") {
    const staged = stagedTimes(values as NumberColumn);
    return { ...plain, staged, source: undefined };
  }
  const column = `plain.${quoteName(name)}`;
  if (isNumeric(type)) {
    // As `isNumeric` says; the type of the column tells it to TypeScript no better.
    const numbers = stagedNumbers({ name, type }, values as NumberColumn);
    return { ...plain, ...numbers, source: numbers.source(column) };
  }
  const texts = values as TextColumn;
  const constant = constantOf(texts);
  if (constant !== undefined) {
    return { ...plain, staged: [], source: isMap ? mapOf(constant) : constant };
  }
  const numbered =
    texts.length < DICTIONARY_ROWS_MIN ? null : numberTexts(texts, DICTIONARY_TEXTS_MAX);
  if (!numbered) {
    const staged = [{ name, type: "VARCHAR", values: texts } as const];
    return { ...plain, staged, source: isMap ? mapOf(column) : column };
  }
  const staged = [{ name, type: "INTEGER", values: numbered.numbers } as const];
  const text = `${quoteName(`known_${name}`)}.text`;
  const source = isMap ? `coalesce(${text}, ${mapOf("'{}'")})` : text;
  return { ...plain, staged, dictionary: numbered.dictionary, source };
}

/** Stands for null among whole numbers. */
const NULL_INTEGER = -(2 ** 31);

/** Nulls are handed over as numbers, too: to mark them takes many times as long. */
function stagedNumbers(
  { name, type }: Pick<Column, "name" | "type">,
  values: NumberColumn,
): { readonly staged: readonly StagedColumn[]; source(column: string): string } {
  const sqlType = type === "DOUBLE" ? "DOUBLE" : type === "INT" ? "INTEGER" : "BIGINT";
  if (values.every((value) => Number.isNaN(value))) {
    return { staged: [], source: () => `CAST(NULL AS ${sqlType})` };
  }
  if (type === "DOUBLE" || !values.every(isShort)) {
    return {
      staged: [{ name, type: "DOUBLE", values }],
      source: (column) => `CAST(nullif(${column}, CAST('NaN' AS DOUBLE)) AS ${sqlType})`,
    };
  }
  const whole = Int32Array.from(values, (value) => (Number.isNaN(value) ? NULL_INTEGER : value));
  return {
    staged: [{ name, type: "INTEGER", values: whole }],
    source: (column) => `CAST(nullif(${column}, ${NULL_INTEGER}) AS ${sqlType})`,
  };
}

function isShort(value: number): boolean {
  return Number.isNaN(value) || ((value | 0) === value && value !== NULL_INTEGER);
}

/** Texts by their number from 1 on; 0 is null. `null` where there are more different texts. */
function numberTexts(
  values: TextColumn,
  textsMax: number,
): { readonly numbers: Int32Array; readonly dictionary: readonly string[] } | null {
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
  return { numbers, dictionary: [...known.keys()] };
}

/** What stands in every row, as SQL: it needs no handing over. `undefined` where values differ. */
function constantOf(values: TextColumn): string | undefined {
  const [first = null] = values;
  if (values.some((value) => value !== first)) return undefined;
  return first === null ? "CAST(NULL AS VARCHAR)" : quoteText(first);
}

/** @param isMap texts are JSON, and read once each here instead of in each row. */
async function stageDictionary(
  table: string,
  { texts, isMap }: { readonly texts: readonly string[]; readonly isMap: boolean },
  context: StageContext,
): Promise<void> {
  const numbers = texts.map((_, at) => at + 1);
  await stage(
    "texts",
    [
      { name: "number", type: "INTEGER", values: numbers },
      { name: "text", type: "VARCHAR", values: texts },
    ],
    context,
  );
  await context.connection.run(
    `CREATE OR REPLACE TEMP TABLE ${quoteName(table)} AS SELECT number, ${isMap ? mapOf("text") : "text"} AS text FROM texts`,
  );
}

function mapOf(json: string): string {
  return `json_transform(coalesce(${json}, '{}'), '"MAP(VARCHAR,VARCHAR)"')`;
}

/** Of columns that follow from the time. */
function timeOf(type: ColumnType): string {
  const timestamp = `make_timestamp(${MICROSECONDS})`;
  return `CAST(${timestamp} AS ${type === "DATE" ? "DATE" : "TIMESTAMPTZ"})`;
}
