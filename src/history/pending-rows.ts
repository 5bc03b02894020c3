/**
 * Rows that wait to be sealed, column by column. Numbers and text lie in arrays of their own,
 * because that is how they are handed over and written; labels are JSON text.
 */
import type { HistoryRow, Value } from "./rows.ts";
import { type TableName, tables } from "./tables.ts";

export type TextColumn = (string | null)[];
/** `NaN` is null. */
export type NumberColumn = Float64Array<ArrayBuffer>;

export type TableRows = {
  readonly table: TableName;
  readonly rows: number;
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

  add({ table, values }: HistoryRow): void {
    let pending = this.#tables.get(table);
    if (!pending) {
      pending = new PendingTable(table);
      this.#tables.set(table, pending);
    }
    pending.add(values);
    this.rows++;
  }

  tables(): TableRows[] {
    return [...this.#tables.values()].map((pending) => pending.finish());
  }
}

class PendingTable {
  readonly #table: TableName;
  readonly #columns: (TextColumn | number[])[];
  #rows = 0;

  constructor(table: TableName) {
    this.#table = table;
    this.#columns = givenColumns(table).map(() => []);
  }

  add(values: readonly Value[]): void {
    for (let at = 0; at < this.#columns.length; at++) {
      const value = values[at] ?? null;
      // The kind of a column is that of its values; rows.ts and tables.ts agree, which a test sees.
      const column = this.#columns[at] as (string | number | null)[];
      column.push(typeof value === "object" && value !== null ? JSON.stringify(value) : value);
    }
    this.#rows++;
  }

  finish(): TableRows {
    const kinds = givenColumns(this.#table);
    return {
      table: this.#table,
      rows: this.#rows,
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
