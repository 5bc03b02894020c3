/**
 * A SELECT as DuckDB parsed it, as a tree of JSON nodes, and the few nodes that a
 * translation puts in. What DuckDB will read is decided on this tree, not on text.
 *
 * Source: DuckDB, `json_serialize_sql` and `json_deserialize_sql`.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { SqlError, syntaxError } from "./sql-error.ts";

export type Node = Readonly<Record<string, unknown>>;

/** Numbers that a double can't hold, and `1.0`, stay as they were written. */
const exactJson = JSON as typeof JSON & { rawJSON(text: string): object };

export async function parseSelect(connection: DuckDBConnection, sql: string): Promise<Node> {
  const result = await connection.runAndReadAll(`SELECT json_serialize_sql(${literal(sql)})`);
  const text = String(result.getRows()[0]?.[0]);
  // The reviver is also told the number's own text; the types do not know yet.
  const revive = (_key: string, value: unknown, context?: { readonly source?: string }) =>
    typeof value === "number" && context?.source !== undefined && String(value) !== context.source
      ? exactJson.rawJSON(context.source)
      : value;
  const parsed = JSON.parse(text, revive as (key: string, value: unknown) => unknown) as Node;
  if (parsed.error === true) {
    throw syntaxError(`The local workspace cannot run this: ${String(parsed.error_message)}.`);
  }
  const statements = parsed.statements as readonly Node[];
  if (statements.length !== 1) throw syntaxError("One statement at a time.");
  return parsed;
}

export async function printSelect(connection: DuckDBConnection, tree: Node): Promise<string> {
  const json = JSON.stringify(tree, (key, value) => (key === "query_location" ? 0 : value));
  const result = await connection.runAndReadAll(`SELECT json_deserialize_sql(${literal(json)})`);
  const text = result.getRows()[0]?.[0];
  if (typeof text !== "string") {
    throw new SqlError("INTERNAL_ERROR", "The translated statement cannot be printed.", {
      sqlState: "XX000",
      errorCode: "INTERNAL_ERROR",
    });
  }
  return text;
}

function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

export function call(name: string, ...children: readonly Node[]): Node {
  return {
    class: "FUNCTION",
    type: "FUNCTION",
    alias: "",
    query_location: 0,
    function_name: name,
    schema: "",
    children,
    filter: null,
    order_bys: { type: "ORDER_MODIFIER", orders: [] },
    distinct: false,
    is_operator: !/^\w+$/.test(name),
    export_state: false,
    catalog: "",
  };
}

export function text(value: string): Node {
  return constant("VARCHAR", value);
}

export function integer(value: number): Node {
  return constant("INTEGER", value);
}

function constant(type: string, value: unknown): Node {
  return {
    class: "CONSTANT",
    type: "VALUE_CONSTANT",
    alias: "",
    query_location: 0,
    value: { type: { id: type, type_info: null }, is_null: false, value },
  };
}

export function cast(child: Node, type: string): Node {
  return {
    class: "CAST",
    type: "OPERATOR_CAST",
    alias: "",
    query_location: 0,
    child,
    cast_type: { id: type, type_info: null },
    try_cast: false,
  };
}

export function withAlias(node: Node, alias: unknown): Node {
  return { ...node, alias };
}

/** The value of a text that stands in the statement itself. */
export function constantText(node: Node | undefined): string | undefined {
  const value = node?.value as Node | undefined;
  const isText = (value?.type as Node | undefined)?.id === "VARCHAR" && value?.is_null === false;
  return isText ? String(value?.value) : undefined;
}

/** The value of a whole number that stands in the statement itself. */
export function constantInteger(node: Node | undefined): number | undefined {
  const value = node?.value as Node | undefined;
  const id = (value?.type as Node | undefined)?.id;
  return id === "INTEGER" && typeof value?.value === "number" ? value.value : undefined;
}

export function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
