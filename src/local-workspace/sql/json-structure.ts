/** The schema that `from_json` is given, as Databricks writes it and as DuckDB's `json_transform` does. */
import { type Column, type DataType, duckDbType, parseDataType } from "./data-type.ts";
import { readTokens } from "./token-reader.ts";

/** `a INT, b STRUCT<c: STRING>`, or the same as one `STRUCT<…>`. */
export function columnsOfStruct(schema: string): readonly Column[] {
  const isStruct = /^\s*struct\s*</i.test(schema);
  const type = parseDataType(readTokens(isStruct ? schema : `STRUCT<${schema}>`));
  return type.kind === "struct" ? type.fields : [];
}

export function jsonStructure(columns: readonly Column[]): string {
  return JSON.stringify(structOf(columns));
}

function structOf(columns: readonly Column[]): Record<string, unknown> {
  return Object.fromEntries(columns.map(({ name, type }) => [name, structureOf(type)]));
}

function structureOf(type: DataType): unknown {
  if (type.kind === "struct") return structOf(type.fields);
  if (type.kind === "array") return [structureOf(type.element)];
  return duckDbType(type);
}
