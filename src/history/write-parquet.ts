/**
 * Rows of one table → one Parquet file. What repeats is handed to DuckDB once and joined there:
 * the series of samples, and the few texts that most columns have.
 */
import type { FileStats } from "./delta-log.ts";
import { quoteName, quoteText } from "./duckdb.ts";
import {
  type ColumnTexts,
  canStandInStatement,
  KNOWN_TEXTS_MAX,
  type TextType,
  type TextTypes,
  textTypes,
} from "./known-texts.ts";
import { copyToParquet } from "./parquet-file.ts";
import {
  countOf,
  givenColumns,
  isNumeric,
  jsonOf,
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

/** Rows below which it is not worth knowing all texts of a column before. */
const KNOWN_TEXTS_ROWS_MIN = 1_000;

/** @param rows at least one. */
export async function writeParquet(
  rows: TableRows,
  { path, tableId, except = [] }: SealedRows,
  context: StageContext,
): Promise<FileStats> {
  const { table, plain, samples } = rows;
  const { columns } = tables[table];
  const given = plain.places.length > 0 ? handOver(table, plain) : [];
  const shared = samples.places.length > 0 ? textsOfSeries(samples.series) : [];
  // Of rows of which some are left out not all texts are written.
  const isWorthIt = countOf(rows) >= KNOWN_TEXTS_ROWS_MIN && except.length === 0;
  const parts = [given, shared].filter((part) => part.length > 0);
  const types = textTypes(columns, isWorthIt ? parts : []);
  const selects: string[] = [];
  if (given.length > 0) selects.push(await stagePlain(table, { given, types }, context));
  if (shared.length > 0) selects.push(await stageSamples(samples, { shared, types }, context));
  const all = selects.join(" UNION ALL ");
  const select = except.length > 0 ? eventsBeside(all, except) : all;
  const stats = await copyToParquet(select, { path, columns, tableId, types }, context.connection);
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
  workspace_id: ({ workspaceId }) => workspaceId,
  endpoint_name: ({ endpoint }) => endpoint,
  model_version: ({ modelVersion }) => modelVersion,
  source: ({ source }) => source,
  metric_name: ({ name }) => name,
  metric_type: ({ kind }) => kind,
  labels: ({ labels }) => jsonOf(labels),
};

type SeriesTexts = {
  readonly name: string;
  /** Of each series. */
  readonly staged: readonly (string | null)[];
  readonly texts: readonly string[];
};

function textsOfSeries(series: readonly Series[]): SeriesTexts[] {
  return Object.entries(seriesColumns).map(([name, of]) => {
    const staged = series.map(of);
    return { name, staged, texts: staged.filter((text) => text !== null) };
  });
}

/** Returns a SELECT of them. */
async function stageSamples(
  { series, seriesAt, timesMs, values }: SampleRows,
  { shared, types }: { readonly shared: readonly SeriesTexts[]; readonly types: TextTypes },
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
  await stage(
    "series_texts",
    [
      { name: "number", type: "INTEGER", values: series.map((_, at) => at) },
      { name: "id_begins", type: "VARCHAR", values: series.map(({ id }) => `${id}/`) },
      ...shared.map(({ name, staged }) => ({ name, type: "VARCHAR", values: staged }) as const),
    ],
    context,
  );
  const typed = shared.map(({ name }) => {
    const quoted = quoteName(name);
    return `${types.get(name)?.valueOf(quoted) ?? quoted} AS ${quoted}`;
  });
  await context.connection.run(
    `CREATE OR REPLACE TEMP TABLE series AS SELECT number, id_begins, ${typed.join(", ")} FROM series_texts`,
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
      return `series.id_begins || ${time}`;
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
  { given, types }: { readonly given: readonly HandedOver[]; readonly types: TextTypes },
  context: StageContext,
): Promise<string> {
  await stage(
    "plain",
    given.flatMap(({ staged }) => staged),
    context,
  );
  const joins: string[] = [];
  const values = new Map<string, string>();
  for (const { name, dictionary, source } of given) {
    const type = types.get(name);
    if (source === undefined) continue;
    values.set(name, type?.valueOf(source) ?? source);
    if (!dictionary || !type) continue;
    const known = quoteName(`known_${name}`);
    await stageDictionary(known, { texts: dictionary, type }, context);
    joins.push(`LEFT JOIN ${known} ON ${known}.number = plain.${quoteName(name)}`);
    // Of null there is none; what it is, the type of the column says.
    values.set(name, `coalesce(${known}.value, ${type.valueOf("NULL")})`);
  }
  const selected = tables[table].columns.map(
    ({ name, type }) => `${values.get(name) ?? timeOf(type)} AS ${quoteName(name)}`,
  );
  return `SELECT ${selected.join(", ")} FROM plain ${joins.join(" ")}`;
}

type HandedOver = ColumnTexts & {
  readonly staged: readonly StagedColumn[];
  /** The texts that the values number from 1 on; none where the values stand for themselves. */
  readonly dictionary: readonly string[] | null;
  /** SQL of the value, or of its text; of times none. */
  readonly source: string | undefined;
};

/** Rows up to which a table of texts costs more than handing them over one by one. */
const DICTIONARY_ROWS_MIN = 1_000;

function handOver(table: TableName, { columns }: PlainRows): HandedOver[] {
  return givenColumns(table).map((column, at) => handOverColumn(column, columns[at] ?? []));
}

function handOverColumn({ name, type }: Column, values: TextColumn | NumberColumn): HandedOver {
  const plain = { name, texts: null, dictionary: null };
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
    const known = constant === null ? [] : [constant];
    return {
      ...plain,
      texts: known,
      staged: [],
      source: constant === null ? "NULL" : quoteText(constant),
    };
  }
  const numbered = numberTexts(texts, KNOWN_TEXTS_MAX);
  if (!numbered || texts.length < DICTIONARY_ROWS_MIN) {
    const staged = [{ name, type: "VARCHAR", values: texts } as const];
    return { ...plain, texts: numbered?.dictionary ?? null, staged, source: column };
  }
  const staged = [{ name, type: "INTEGER", values: numbered.numbers } as const];
  const { dictionary } = numbered;
  return { ...plain, texts: dictionary, dictionary, staged, source: column };
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

/** What stands in every row, and is not handed over but named. `undefined` where there is none. */
function constantOf(values: TextColumn): string | null | undefined {
  const [first = null] = values;
  const isConstant = values.every((value) => value === first);
  return isConstant && canStandInStatement(first ?? "") ? first : undefined;
}

/** What is JSON is read once each here instead of in each row. */
async function stageDictionary(
  table: string,
  { texts, type }: { readonly texts: readonly string[]; readonly type: TextType },
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
    `CREATE OR REPLACE TEMP TABLE ${table} AS SELECT number, ${type.valueOf("text")} AS value FROM texts`,
  );
}

/** Of columns that follow from the time. */
function timeOf(type: ColumnType): string {
  // A cast to a time with a zone would ask a calendar.
  return type === "DATE"
    ? `CAST(make_timestamp(${MICROSECONDS}) AS DATE)`
    : `make_timestamptz(${MICROSECONDS})`;
}
