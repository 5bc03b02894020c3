/**
 * A query of Databricks SQL → the same query for DuckDB. The tables that it reads
 * are found on DuckDB's own tree of it, and each is replaced by the name that the
 * caller gives: a query reads nothing that the caller did not hand out.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import {
  call,
  cast,
  constantInteger,
  constantText,
  integer,
  isNode,
  type Node,
  parseSelect,
  printSelect,
  text,
} from "./duckdb-tree.ts";
import { applyFunction, MARK } from "./functions.ts";
import { markFunctions, selectItems } from "./mark-functions.ts";
import { unsupported } from "./sql-error.ts";

export type Translator = {
  /** The dialect alone: no name is resolved and no function known. @throws SqlError. */
  toDuckDb(sql: string): string;
};

export type TranslateOptions = {
  readonly nowMs: number;
  readonly session: {
    readonly user: string;
    readonly catalog: string;
    readonly schema: string;
  };
  /** Names DuckDB's relation for a table that the query reads. */
  readonly relation: (path: readonly string[]) => string;
};

export async function translate(
  connection: DuckDBConnection,
  translator: Translator,
  sql: string,
  options: TranslateOptions,
): Promise<string> {
  const marked = markFunctions(sql);
  const tree = await parseSelect(connection, translator.toDuckDb(marked));
  const unaliased = new Set(tablesWithoutAlias(tree));
  const rewritten = rewrite(tree, { ...options, unaliased, visible: new Set() });
  return await printSelect(connection, nameColumns(rewritten as Node, selectItems(sql)));
}

/** What has no alias is called as it was written; Databricks' own form differs in details. */
function nameColumns(tree: Node, items: readonly string[]): Node {
  const [statement] = tree.statements as readonly Node[];
  const query = statement?.node as Node | undefined;
  const selected = query?.select_list as readonly Node[] | undefined;
  if (!query || selected?.length !== items.length) return tree;
  const named = selected.map((node, index) => {
    const isNamed = node.alias !== "" || ["COLUMN_REF", "STAR"].includes(String(node.class));
    const written = items[index]?.replace(/\bcount\(\s*\*\s*\)/gi, "count(1)");
    return isNamed ? node : { ...node, alias: written };
  });
  return { ...tree, statements: [{ ...statement, node: { ...query, select_list: named } }] };
}

type Rewriting = TranslateOptions & {
  /** Tables that columns may be named after in full: `SELECT a.b.t.x FROM a.b.t`. */
  readonly unaliased: ReadonlySet<string>;
  /** Names of the WITH clauses around, in lower case. */
  readonly visible: ReadonlySet<string>;
};

function rewrite(value: unknown, options: Rewriting): unknown {
  if (Array.isArray(value)) return value.map((item) => rewrite(item, options));
  if (!isNode(value)) return value;
  if (isQuery(value)) return rewriteQuery(value, options);
  if (value.type === "BASE_TABLE") return rewriteTable(value, options);
  if (value.type === "TABLE_FUNCTION") return rewriteTableFunction(value, options);
  return rewriteExpression(rewriteParts(value, options), options);
}

function rewriteParts(node: Node, options: Rewriting): Node {
  return Object.fromEntries(
    // A constant's value is data: nothing in it is rewritten.
    Object.entries(node).map(([key, part]) => [
      key,
      key === "value" ? part : rewrite(part, options),
    ]),
  );
}

function tablesWithoutAlias(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(tablesWithoutAlias);
  if (!isNode(value)) return [];
  if (value.type === "BASE_TABLE" && value.alias === "")
    return [pathOf(value).join(".").toLowerCase()];
  return Object.values(value).flatMap(tablesWithoutAlias);
}

function pathOf(node: Node): string[] {
  return [node.catalog_name, node.schema_name, node.table_name]
    .map(String)
    .filter((name) => name !== "");
}

function isQuery(node: Node): boolean {
  return isNode(node.cte_map);
}

/** A WITH clause is visible in those after it, and in its query. */
function rewriteQuery(query: Node, options: Rewriting): Node {
  const { map = [] } = query.cte_map as { readonly map?: readonly Node[] };
  const visible = new Set(options.visible);
  const ctes = map.map((entry) => {
    const name = String(entry.key).toLowerCase();
    const isRecursive = JSON.stringify(entry.value).includes('"RECURSIVE_CTE_NODE"');
    if (isRecursive) throw unsupported("WITH RECURSIVE");
    const value = rewrite(entry.value, { ...options, visible: new Set(visible) });
    visible.add(name);
    return { ...entry, value };
  });
  const { cte_map: _, ...rest } = query;
  const parts = rewriteParts(rest, { ...options, visible });
  return { ...parts, cte_map: { map: ctes } };
}

function rewriteTable(node: Node, { visible, relation }: Rewriting): Node {
  const path = pathOf(node);
  if (path.length === 1 && visible.has(String(path[0]).toLowerCase())) return node;
  if (node.at_clause) throw unsupported("time travel");
  return {
    ...node,
    alias: node.alias || node.table_name,
    catalog_name: "",
    schema_name: "",
    table_name: relation(path),
  };
}

const tableFunctions = new Set(["range", "generate_series", "unnest"]);

function rewriteTableFunction(node: Node, options: Rewriting): Node {
  const rewritten = rewriteParts(node, options);
  const name = String((rewritten.function as Node | undefined)?.function_name).toLowerCase();
  if (!tableFunctions.has(name)) throw unsupported(`the table function ${name}()`);
  const columns = rewritten.column_name_alias as readonly string[];
  if (name !== "range" || columns.length > 0) return rewritten;
  return { ...rewritten, alias: rewritten.alias || "range", column_name_alias: ["id"] };
}

const casts: Readonly<Record<string, string>> = {
  TINYINT: "dbx_to_tinyint",
  SMALLINT: "dbx_to_smallint",
  INTEGER: "dbx_to_integer",
  BIGINT: "dbx_to_bigint",
  VARCHAR: "dbx_to_string",
};

function rewriteExpression(node: Node, options: Rewriting): Node {
  switch (node.class) {
    case "FUNCTION":
      return rewriteCall(node, options);
    case "WINDOW":
      return String(node.function_name).toLowerCase().startsWith(MARK) ? applyFunction(node) : node;
    case "CAST":
      return rewriteCast(node);
    case "COLUMN_REF":
      return rewriteColumn(node, options);
    case "CONSTANT":
      return rewriteConstant(node);
    case "LAMBDA":
      return rewriteArrow(node);
    case "OPERATOR":
      return node.type === "ARRAY_EXTRACT" ? rewriteSubscript(node) : node;
    default:
      return node;
  }
}

/** Operators that fail on a zero where DuckDB gives infinity or NULL. */
const arithmetic = { "/": "operator_divide", "%": "mod", "//": "operator_div" } as const;

function rewriteCall(node: Node, options: Rewriting): Node {
  const name = String(node.function_name).toLowerCase();
  const children = (node.children as readonly Node[]) ?? [];
  const [first, second] = children;
  if (name === `${MARK}try`) {
    return {
      class: "OPERATOR",
      type: "OPERATOR_TRY",
      alias: node.alias,
      query_location: 0,
      children,
    };
  }
  if (name.startsWith(MARK)) {
    const context = contextValue(name.slice(MARK.length), options);
    return context ? { ...context, alias: node.alias } : applyFunction(node);
  }
  const context = children.length === 0 ? contextValue(name, options) : undefined;
  if (context) return { ...context, alias: node.alias };
  switch (name) {
    case "concat":
      // What `a || b` becomes on the way; NULL in one makes it NULL.
      return { ...children.reduce((left, right) => call("||", left, right)), alias: node.alias };
    case "/":
    case "%":
    case "//":
      return { ...node, function_name: `${MARK}${arithmetic[name]}`, is_operator: false };
    case "+":
    case "-":
      return isDate(first) && isWholeDays(second)
        ? { ...cast({ ...node, alias: "" }, "DATE"), alias: node.alias }
        : node;
    case "->":
      return { ...node, function_name: "json_extract_string", is_operator: false };
    case "~~":
    case "!~~": {
      if (!first || !second || !constantText(second)?.includes("\\")) return node;
      const escaped = name === "~~" ? "like_escape" : "not_like_escape";
      return { ...call(escaped, first, second, text("\\")), alias: node.alias };
    }
    default:
      return node;
  }
}

/** Where it can be seen: a date and whole days stay a date, and become a time in DuckDB. */
function isDate(node: Node | undefined): boolean {
  return node?.class === "CAST" && (node.cast_type as Node).id === "DATE";
}

function isWholeDays(node: Node | undefined): boolean {
  return /^to_(days|weeks|months|years)$/.test(String(node?.function_name ?? ""));
}

/** A double, printed, would be read again as a DECIMAL. */
function rewriteConstant(node: Node): Node {
  const type = (node.value as Node).type as Node;
  return type.id === "DOUBLE" ? { ...cast(node, "DOUBLE"), alias: node.alias } : node;
}

function rewriteCast(node: Node): Node {
  const type = node.cast_type as Node;
  const child = node.child as Node;
  if (type.id === "TIMESTAMP") {
    return { ...node, cast_type: { ...type, id: "TIMESTAMP WITH TIME ZONE" }, try_cast: false };
  }
  const isBoolean = constantText(child) === "t" || constantText(child) === "f";
  const macro = casts[String(type.id)];
  if (macro && !isBoolean && constantInteger(child) === undefined) {
    return { ...call(macro, child), alias: node.alias };
  }
  return { ...node, try_cast: false };
}

/** The time is the workspace's own: whoever drives its clock drives the queries as well. */
function contextValue(name: string, { nowMs, session }: Rewriting): Node | undefined {
  const iso = new Date(nowMs).toISOString();
  switch (name) {
    case "now":
    case "current_timestamp":
      return cast(text(iso.replace("T", " ").replace("Z", "+00")), "TIMESTAMP WITH TIME ZONE");
    case "curdate":
    case "current_date":
      return cast(text(iso.slice(0, 10)), "DATE");
    case "current_user":
    case "session_user":
    case "user":
      return text(session.user);
    case "current_catalog":
      return text(session.catalog);
    case "current_schema":
    case "current_database":
      return text(session.schema);
    case "current_timezone":
      return text("UTC");
    default:
      return undefined;
  }
}

function rewriteColumn(node: Node, options: Rewriting): Node {
  const names = node.column_names as readonly string[];
  const [name = ""] = names;
  // In capitals only where the translator wrote them.
  if (names.length === 1 && /^CURRENT_[A-Z]+$/.test(name)) {
    const context = contextValue(name.toLowerCase(), options);
    if (context) return { ...context, alias: node.alias };
  }
  for (let length = names.length - 1; length > 1; length--) {
    if (options.unaliased.has(names.slice(0, length).join(".").toLowerCase())) {
      return { ...node, column_names: names.slice(length - 1) };
    }
  }
  return node;
}

/** The translator writes a path into JSON as an arrow, which is how lambdas look, too. */
function rewriteArrow(node: Node): Node {
  const path = constantText(node.expr as Node);
  if (path === undefined || !path.startsWith("$")) return node;
  return { ...call("json_extract_string", node.lhs as Node, text(path)), alias: node.alias };
}

/** Databricks counts arrays from 0, DuckDB from 1; a text is a key of a map or a field of a struct. */
function rewriteSubscript(node: Node): Node {
  const [from, at] = node.children as readonly [Node, Node];
  const index = constantInteger(at);
  if (index !== undefined)
    return { ...call("list_extract", from, integer(index + 1)), alias: node.alias };
  if (constantText(at) !== undefined) return node;
  throw unsupported("a subscript that is not a constant: use get(array, i) or element_at");
}
