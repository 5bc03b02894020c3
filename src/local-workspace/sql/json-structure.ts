/** The schema that `from_json` is given, as Databricks writes it and as DuckDB's `json_transform` does. */
import { type Column, type DataType, duckDbType, parseDataType } from "./data-type.ts";
import { readTokens } from "./token-reader.ts";

/** A type, such as `MAP<STRING, INT>`, or the columns of a struct: `a INT, b STRING`. */
export function jsonStructure(schema: string): string {
  const isType = /^\s*(struct|map|array)\s*</i.test(schema);
  const reader = readTokens(isType ? schema : `STRUCT<${schema}>`);
  const type = parseDataType(reader);
  if (!reader.isAtEnd()) reader.fail("the end of the schema");
  return JSON.stringify(structureOf(type));
}

function structOf(columns: readonly Column[]): Record<string, unknown> {
  return Object.fromEntries(columns.map(({ name, type }) => [name, structureOf(type)]));
}

function structureOf(type: DataType): unknown {
  if (type.kind === "struct") return structOf(type.fields);
  if (type.kind === "array") return [structureOf(type.element)];
  return duckDbType(type);
}
