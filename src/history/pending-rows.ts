/**
 * Rows that wait to be sealed, column by column. Numbers and text lie in arrays of their own,
 * because that is how they are handed over and written; labels are JSON text.
 */
import type { HistoryRow, Labels, Value } from "./rows.ts";
import { type TableName, tables } from "./tables.ts";

export type TextColumn = (string | null)[];
/** `NaN` is null. */
export type NumberColumn = Float64Array<ArrayBuffer>;

export type TableRows = {
  readonly table: TableName;
  readonly rows: number;
  /** Of each row its place in the journal, in ascending order. */
  readonly places: readonly number[];
  /** In the order of the table's columns, without `event_date`. */
  readonly columns: readonly (TextColumn | NumberColumn)[];
};

/** The columns that rows bring values for: the date follows from the timestamp. */
export function givenColumns(table: TableName) {
  return tables[table].columns.filter(({ name }) => name !== "event_date");
}

export class PendingRows {
  readonly #tables = new Map<TableName, PendingTable>();
  rows = 0;

  /** @param place of its entry in the journal, later than or the same as the one before. */
  add({ table, values }: HistoryRow, place: number): void {
    let pending = this.#tables.get(table);
    if (!pending) {
      pending = new PendingTable(table);
      this.#tables.set(table, pending);
    }
    pending.add(values, place);
    this.rows++;
  }

  tables(): TableRows[] {
    return [...this.#tables.values()].map((pending) => pending.finish());
  }
}

/** Those that come after a place in the journal. */
export function rowsAfter(rows: TableRows, place: number): TableRows {
  const from = rows.places.findIndex((its) => its > place);
  if (from === 0) return rows;
  const start = from < 0 ? rows.rows : from;
  return {
    table: rows.table,
    rows: rows.rows - start,
    places: rows.places.slice(start),
    columns: rows.columns.map((column) => column.slice(start)),
  };
}

/** Texts of labels that are remembered while rows wait. */
const TEXTS_MAX = 50_000;

class PendingTable {
  readonly #table: TableName;
  readonly #columns: (TextColumn | number[])[];
  readonly #places: number[] = [];
  /** Of labels that come again as the same object, as those of a series do. */
  readonly #texts = new Map<object, string>();

  constructor(table: TableName) {
    this.#table = table;
    this.#columns = givenColumns(table).map(() => []);
  }

  add(values: readonly Value[], place: number): void {
    for (let at = 0; at < this.#columns.length; at++) {
      const value = values[at] ?? null;
      // The kind of a column is that of its values; rows.ts and tables.ts agree, which a test sees.
      const column = this.#columns[at] as (string | number | null)[];
      column.push(typeof value === "object" && value !== null ? this.#textOf(value) : value);
    }
    this.#places.push(place);
  }

  #textOf(labels: Labels): string {
    let text = this.#texts.get(labels);
    if (text === undefined) {
      text = JSON.stringify(labels);
      if (this.#texts.size < TEXTS_MAX) this.#texts.set(labels, text);
    }
    return text;
  }

  finish(): TableRows {
    const kinds = givenColumns(this.#table);
    return {
      table: this.#table,
      rows: this.#places.length,
      places: this.#places,
      columns: this.#columns.map((column, at) =>
        isNumeric(kinds[at]?.type)
          ? Float64Array.from(column as (number | null)[], (value) => value ?? Number.NaN)
          : (column as TextColumn),
      ),
    };
  }
}

export function isNumeric(type: string | undefined): boolean {
  return type === "DOUBLE" || type === "INT" || type === "BIGINT" || type === "TIMESTAMP";
}
