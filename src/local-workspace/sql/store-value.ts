/**
 * Rows of a query → rows of a table: the right columns in the right order and type,
 * and no NULL where the table takes none.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { type Column, type DataType, duckDbType, fromDuckDb, quoteDuckDb } from "./data-type.ts";
import { SqlError } from "./sql-error.ts";

const truncating: Readonly<Record<string, string>> = {
  byte: "dbx_to_tinyint",
  short: "dbx_to_smallint",
  integer: "dbx_to_integer",
  long: "dbx_to_bigint",
  string: "dbx_to_string",
};

/** A cast as Databricks does it: fractions are cut off, not rounded. */
export function castTo(expression: string, type: DataType): string {
  const macro = type.kind === "primitive" ? truncating[type.name] : undefined;
  return macro ? `${macro}(${expression})` : `CAST(${expression} AS ${duckDbType(type)})`;
}

export type QueryColumn = { readonly name: string; readonly type: DataType };

/** What a query gives, without running it. */
export async function describeQuery(
  connection: DuckDBConnection,
  query: string,
): Promise<QueryColumn[]> {
  const prepared = await connection.prepare(query);
  try {
    return Array.from({ length: prepared.columnCount }, (_, index) => ({
      name: prepared.columnName(index),
      type: fromDuckDb(prepared.columnType(index)),
    }));
  } finally {
    prepared.destroySync();
  }
}

/** @throws SqlError when a column that takes no NULL got one. */
export async function refuseNulls(
  connection: DuckDBConnection,
  relation: string,
  columns: readonly Column[],
): Promise<void> {
  const required = columns.filter(({ nullable }) => !nullable);
  if (required.length === 0) return;
  const counts = required.map(({ name }) => `count(*) - count(${quoteDuckDb(name)})`);
  const result = await connection.runAndReadAll(`SELECT ${counts.join(", ")} FROM ${relation}`);
  const violated = required.find((_, index) => Number(result.getRows()[0]?.[index]) > 0);
  if (violated) {
    throw new SqlError(
      "DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
      `NOT NULL constraint violated for column: ${violated.name}.`,
      { sqlState: "23502" },
    );
  }
}
