/**
 * Runs a prepared query and writes its values as Databricks does: text or null,
 * times in ISO 8601 and UTC, nested values as JSON.
 *
 * Source: databricks-sdk-py 0.156.0, `ResultData`; the form of times is assumed from
 * Databricks' documentation.
 */
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";
import { type DataType, fromDuckDb } from "./data-type.ts";
import type { ResultColumn, SqlResult } from "./run.ts";
import { SqlError } from "./sql-error.ts";

export type ResultLimits = {
  readonly rowLimit?: number | undefined;
  readonly byteLimit?: number | undefined;
};

/** What one statement may hold in memory as its result. */
const RESULT_MAX_BYTES = 512 * 1024 * 1024;

export async function runQuery(
  connection: DuckDBConnection,
  query: string,
  { rowLimit = Number.POSITIVE_INFINITY, byteLimit = RESULT_MAX_BYTES }: ResultLimits = {},
): Promise<SqlResult> {
  const result = await connection.stream(query);
  const types = result.columnTypes().map(fromDuckDb);
  const columns: ResultColumn[] = result.columnNames().map((name, index) => ({
    name,
    type: types[index] ?? fromDuckDb(result.columnType(index)),
  }));
  const rows: (string | null)[][] = [];
  let bytes = 0;
  for (;;) {
    const chunk = await result.fetchChunk();
    if (!chunk || chunk.rowCount === 0) return { columns, rows, isTruncated: false };
    for (const values of chunk.getRows()) {
      const row = values.map((value, index) => textOf(value, types[index]));
      bytes += row.reduce((sum, text) => sum + (text?.length ?? 0), 0);
      if (rows.length >= rowLimit || bytes > byteLimit) return { columns, rows, isTruncated: true };
      rows.push(row);
    }
  }
}

/** A value at the top of a result. */
export function textOf(value: DuckDBValue, type: DataType | undefined): string | null {
  if (value === null) return null;
  if (type?.kind === "array" || type?.kind === "map" || type?.kind === "struct") {
    return JSON.stringify(jsonOf(value, type));
  }
  const plain = plainOf(value, type);
  return plain === null ? null : String(plain);
}

function jsonOf(value: DuckDBValue, type: DataType | undefined): unknown {
  if (value === null) return null;
  // DuckDB's nested values are told apart by the type, which came with them.
  const nested = value as unknown as {
    readonly items?: readonly DuckDBValue[];
    readonly entries?: unknown;
  };
  switch (type?.kind) {
    case "array":
      return (nested.items ?? []).map((item) => jsonOf(item, type.element));
    case "map": {
      const entries = nested.entries as readonly { key: DuckDBValue; value: DuckDBValue }[];
      return Object.fromEntries(
        entries.map((entry) => [textOf(entry.key, type.key), jsonOf(entry.value, type.value)]),
      );
    }
    case "struct": {
      const entries = nested.entries as Readonly<Record<string, DuckDBValue>>;
      return Object.fromEntries(
        type.fields.map((field) => [field.name, jsonOf(entries[field.name] ?? null, field.type)]),
      );
    }
    default: {
      const plain = plainOf(value, type);
      // As Databricks: numbers and booleans inside nested values are texts, too.
      return plain === null ? null : String(plain);
    }
  }
}

function plainOf(value: DuckDBValue, type: DataType | undefined): string | null {
  if (value === null) return null;
  const name = type?.kind === "primitive" ? type.name : undefined;
  switch (name) {
    case "double":
    case "float":
      return doubleText(Number(value), name);
    case "timestamp":
      return timestampText(value);
    case "binary":
      return Buffer.from((value as unknown as { bytes: Uint8Array }).bytes).toString("base64");
    case "long":
      if (
        typeof value === "bigint" &&
        (value > 9223372036854775807n || value < -9223372036854775808n)
      ) {
        throw new SqlError("ARITHMETIC_OVERFLOW", "The result does not fit into a BIGINT.", {
          sqlState: "22003",
        });
      }
      return String(value);
    default:
      return String(value);
  }
}

/** As Java writes a double: `1.0`, `1.0E10`. */
export function doubleText(value: number, name: "double" | "float" = "double"): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (Object.is(value, -0)) return "-0.0";
  if (value === 0) return "0.0";
  const shortest = name === "float" ? shortestFloat(value) : String(value);
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e7) return shortest.includes(".") ? shortest : `${shortest}.0`;
  const [digits = "", exponent = "0"] = Number(shortest).toExponential().split("e");
  return `${digits.includes(".") ? digits : `${digits}.0`}E${Number(exponent)}`;
}

function shortestFloat(value: number): string {
  for (let precision = 1; precision <= 9; precision++) {
    const text = value.toPrecision(precision);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(value);
}

function timestampText(value: DuckDBValue): string {
  const { micros } = value as unknown as { readonly micros?: bigint };
  if (micros === undefined) return new Date(`${String(value).replace(" ", "T")}Z`).toISOString();
  const date = new Date(Number(micros / 1000n) - (micros % 1000n < 0n ? 1 : 0));
  return date.toISOString();
}
