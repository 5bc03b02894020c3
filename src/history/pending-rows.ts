/**
 * Rows that wait to be sealed, column by column, because that is how they are handed over and
 * written. Samples lie apart, with their series once. Labels are JSON text.
 */
import type { HistoryRow, Labels, PlainRow, SampleRow } from "./rows.ts";
import type { Series } from "./series.ts";
import { type TableName, tables } from "./tables.ts";

export type TextColumn = readonly (string | null)[];
/** `NaN` is null. */
export type NumberColumn = readonly number[];

export type TableRows = {
  readonly table: TableName;
  readonly plain: PlainRows;
  readonly samples: SampleRows;
};

export type PlainRows = {
  /** Of each row its place in the journal, in ascending order. */
  readonly places: readonly number[];
  /** In the order of `givenColumns`: numbers where `isNumeric`, else texts. */
  readonly columns: readonly (TextColumn | NumberColumn)[];
};

/** Values of series; rows of `metrics`. */
export type SampleRows = {
  readonly places: Float64Array;
  readonly series: readonly Series[];
  /** Of each value its series, as a number of `series`. */
  readonly seriesAt: Float64Array;
  readonly timesMs: Float64Array;
  readonly values: Float64Array;
};

/** The columns that rows bring values for: the date follows from the timestamp. */
export function givenColumns(table: TableName) {
  return tables[table].columns.filter(({ name }) => name !== "event_date");
}

export function isNumeric(type: string): boolean {
  return type === "DOUBLE" || type === "INT" || type === "BIGINT" || type === "TIMESTAMP";
}

export class PendingRows {
  readonly #tables = new Map<TableName, PendingTable>();
  rows = 0;

  /** @param place of its entry in the journal, later than or the same as the one before. */
  add(row: HistoryRow, place: number): void {
    let pending = this.#tables.get(row.table);
    if (!pending) {
      pending = new PendingTable(row.table);
      this.#tables.set(row.table, pending);
    }
    if ("series" in row) pending.addSample(row, place);
    else pending.add(row, place);
    this.rows++;
  }

  /** Of one table, which may have none. */
  of(table: TableName): TableRows {
    return this.#tables.get(table) ?? new PendingTable(table);
  }

  tables(): TableRows[] {
    return [...this.#tables.values()];
  }
}

export function countOf({ plain, samples }: TableRows): number {
  return plain.places.length + samples.places.length;
}

/** Half a character, as of a text that was cut within one, becomes U+FFFD: DuckDB reads no JSON of it. */
export function jsonOf(labels: Labels): string {
  const json = JSON.stringify(labels);
  if (!json.includes("\\ud")) return json;
  return json.replaceAll(/\\(?:ud[89a-f]..|.)/g, (escaped) =>
    escaped.length > 2 ? "\ufffd" : escaped,
  );
}

/** Those that come after a place in the journal. */
export function rowsAfter({ table, plain, samples }: TableRows, place: number): TableRows {
  const from = startAfter(plain.places, place);
  const samplesFrom = startAfter(samples.places, place);
  return {
    table,
    plain: {
      places: plain.places.slice(from),
      columns: plain.columns.map((column) => column.slice(from)),
    },
    samples: {
      series: samples.series,
      places: samples.places.subarray(samplesFrom),
      seriesAt: samples.seriesAt.subarray(samplesFrom),
      timesMs: samples.timesMs.subarray(samplesFrom),
      values: samples.values.subarray(samplesFrom),
    },
  };
}

function startAfter(places: readonly number[] | Float64Array, place: number): number {
  const start = places.findIndex((its) => its > place);
  return start < 0 ? places.length : start;
}

/** Texts of labels that are remembered while rows wait. */
const TEXTS_MAX = 50_000;

class PendingTable implements TableRows {
  readonly table: TableName;
  readonly plain: { readonly places: number[]; readonly columns: (TextColumn | NumberColumn)[] };
  readonly #series: Series[] = [];
  readonly #samples = {
    places: new Numbers(),
    seriesAt: new Numbers(),
    timesMs: new Numbers(),
    values: new Numbers(),
  };
  /** What is null in each column. */
  readonly #missing: readonly (number | null)[];
  readonly #seriesAt = new Map<Series, number>();
  #lastNumber = -1;
  /** Of labels that come again as the same object. */
  readonly #texts = new Map<object, string>();

  constructor(table: TableName) {
    const given = givenColumns(table);
    this.table = table;
    this.plain = { places: [], columns: given.map(() => []) };
    this.#missing = given.map(({ type }) => (isNumeric(type) ? Number.NaN : null));
  }

  add({ values }: PlainRow, place: number): void {
    const { places, columns } = this.plain;
    for (let at = 0; at < columns.length; at++) {
      const value = values[at] ?? this.#missing[at] ?? null;
      // The kind of a column is that of its values; rows.ts and tables.ts agree, which a test sees.
      const column = columns[at] as (string | number | null)[];
      column.push(typeof value === "object" && value !== null ? this.#textOf(value) : value);
    }
    places.push(place);
  }

  addSample({ series, timeMs, value }: SampleRow, place: number): void {
    const { places, seriesAt, timesMs, values } = this.#samples;
    places.push(place);
    seriesAt.push(this.#numberOf(series));
    timesMs.push(timeMs);
    values.push(value);
  }

  get samples(): SampleRows {
    const { places, seriesAt, timesMs, values } = this.#samples;
    return {
      places: places.all(),
      series: this.#series,
      seriesAt: seriesAt.all(),
      timesMs: timesMs.all(),
      values: values.all(),
    };
  }

  #numberOf(series: Series): number {
    // Most come in the order in which they came first.
    const next = this.#lastNumber + 1;
    const number = this.#series[next] === series ? next : this.#lookUp(series);
    this.#lastNumber = number;
    return number;
  }

  #lookUp(series: Series): number {
    let number = this.#seriesAt.get(series);
    if (number === undefined) {
      number = this.#series.push(series) - 1;
      this.#seriesAt.set(series, number);
    }
    return number;
  }

  #textOf(labels: Labels): string {
    let text = this.#texts.get(labels);
    if (text === undefined) {
      text = jsonOf(labels);
      if (this.#texts.size < TEXTS_MAX) this.#texts.set(labels, text);
    }
    return text;
  }
}

/** Numbers that come one after another: an array of them takes long to grow. */
class Numbers {
  #numbers = new Float64Array(1024);
  #length = 0;

  push(number: number): void {
    if (this.#length === this.#numbers.length) {
      const larger = new Float64Array(2 * this.#length);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[this.#length++] = number;
  }

  all(): Float64Array {
    return this.#numbers.subarray(0, this.#length);
  }
}
