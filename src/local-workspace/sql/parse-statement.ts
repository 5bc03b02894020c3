/**
 * Reads one statement of Databricks SQL. Queries are left to the translator; the
 * rest – tables, rows that change, privileges – is read here, since it is about
 * Delta tables, which DuckDB does not write. What is not here is refused by name.
 *
 * Source: Databricks SQL reference, "SQL statements".
 */
import { type Column, parseDataType } from "./data-type.ts";
import { syntaxError, unsupported } from "./sql-error.ts";
import type {
  Assignment,
  MergeClause,
  Path,
  Securable,
  Statement,
  TableOptions,
} from "./statement.ts";
import { readTokens, type TokenReader } from "./token-reader.ts";

/** @param sql one statement, its parameters put in where they are not in a query. */
export function parseStatement(sql: string): Statement {
  const reader = readTokens(sql.replace(/;\s*$/, ""));
  if (reader.isAtEnd()) throw syntaxError("The statement is empty.");
  const statement = readStatement(reader);
  if (!reader.isAtEnd()) reader.fail("the end of the statement");
  return statement;
}

function readStatement(reader: TokenReader): Statement {
  const first = reader.peek()?.text.toUpperCase();
  switch (first) {
    case "SELECT":
    case "WITH":
    case "VALUES":
    case "(":
      return { kind: "query", sql: reader.rest() };
    case "TABLE":
      reader.next();
      return { kind: "query", sql: `SELECT * FROM ${reader.rest()}` };
    case "USE":
      return readUse(reader);
    case "CREATE":
      return readCreate(reader);
    case "DROP":
      return readDrop(reader);
    case "ALTER":
      return readAlter(reader);
    case "COMMENT":
      return readComment(reader);
    case "INSERT":
      return readInsert(reader);
    case "DELETE":
      return readDelete(reader);
    case "UPDATE":
      return readUpdate(reader);
    case "MERGE":
      return readMerge(reader);
    case "COPY":
      return readCopyInto(reader);
    case "SHOW":
      return readShow(reader);
    case "DESCRIBE":
    case "DESC":
      return readDescribe(reader);
    case "TRUNCATE":
      reader.expect("TRUNCATE", "TABLE");
      return { kind: "truncate", path: reader.path() };
    case "OPTIMIZE":
    case "VACUUM":
    case "ANALYZE":
      // They change how fast answers come, never the answers: nothing to do here.
      reader.rest();
      return { kind: "nothing" };
    case "GRANT":
    case "REVOKE":
      return readGrant(reader);
    default:
      if (!otherStatements.has(first ?? "")) return reader.fail("a statement");
      throw unsupported(`the statement ${first}`);
  }
}

const otherStatements = new Set(
  `BEGIN CACHE CALL CLEAR CONVERT DECLARE EXECUTE EXPLAIN FROM FSCK GET LIST LOAD MSCK PUT REFRESH REMOVE
  REORG REPAIR RESET RESTORE SET SYNC UNCACHE UNDROP`.split(/\s+/),
);

function readUse(reader: TokenReader): Statement {
  reader.expect("USE");
  if (reader.accept("CATALOG")) return { kind: "use catalog", name: reader.name() };
  if (!reader.accept("SCHEMA")) reader.accept("DATABASE");
  return { kind: "use schema", path: reader.path() };
}

function readIfNotExists(reader: TokenReader): boolean {
  return reader.accept("IF", "NOT", "EXISTS");
}

function readOptionalComment(reader: TokenReader): string | null {
  return reader.accept("COMMENT") ? reader.string() : null;
}

function readCreate(reader: TokenReader): Statement {
  reader.expect("CREATE");
  const orReplace = reader.accept("OR", "REPLACE");
  if (reader.accept("CATALOG")) {
    const ifNotExists = readIfNotExists(reader);
    return {
      kind: "create catalog",
      ifNotExists,
      name: reader.name(),
      comment: readOptionalComment(reader),
    };
  }
  if (reader.accept("SCHEMA") || reader.accept("DATABASE")) {
    const ifNotExists = readIfNotExists(reader);
    return {
      kind: "create schema",
      ifNotExists,
      path: reader.path(),
      comment: readOptionalComment(reader),
    };
  }
  if (reader.accept("VOLUME")) {
    const ifNotExists = readIfNotExists(reader);
    return {
      kind: "create volume",
      ifNotExists,
      path: reader.path(),
      comment: readOptionalComment(reader),
    };
  }
  if (reader.accept("VIEW")) return readCreateView(reader, orReplace);
  if (reader.accept("TABLE")) return readCreateTable(reader, orReplace);
  throw unsupported(`the statement CREATE ${reader.next().text.toUpperCase()}`);
}

function readCreateView(reader: TokenReader, orReplace: boolean): Statement {
  const ifNotExists = readIfNotExists(reader);
  const path = reader.path();
  const columns: { name: string; comment: string | null }[] = [];
  if (reader.acceptSymbol("(")) {
    do {
      columns.push({ name: reader.name(), comment: readOptionalComment(reader) });
    } while (reader.acceptSymbol(","));
    reader.expectSymbol(")");
  }
  const comment = readOptionalComment(reader);
  if (reader.accept("TBLPROPERTIES")) readProperties(reader);
  reader.expect("AS");
  return {
    kind: "create view",
    path,
    ifNotExists,
    orReplace,
    columns,
    comment,
    query: reader.rest(),
  };
}

function readCreateTable(reader: TokenReader, orReplace: boolean): Statement {
  const ifNotExists = readIfNotExists(reader);
  const path = reader.path();
  const columns = reader.acceptSymbol("(") ? readColumns(reader) : [];
  const options = readTableOptions(reader, columns);
  const query = reader.accept("AS") ? reader.rest() : null;
  return { kind: "create table", path, ifNotExists, orReplace, options, query };
}

/** After the opening bracket, up to and with the closing one. */
function readColumns(reader: TokenReader): Column[] {
  const columns: Column[] = [];
  if (reader.acceptSymbol(")")) return columns;
  do {
    const next = reader.peek()?.text.toUpperCase() ?? "";
    if (["CONSTRAINT", "PRIMARY", "FOREIGN"].includes(next) && reader.peek(1)?.kind === "word") {
      throw unsupported("constraints on a table (PRIMARY KEY, FOREIGN KEY, CHECK)");
    }
    columns.push(readColumn(reader));
  } while (reader.acceptSymbol(","));
  reader.expectSymbol(")");
  return columns;
}

function readColumn(reader: TokenReader): Column {
  const name = reader.name();
  const type = parseDataType(reader);
  let nullable = true;
  let metadata = {};
  for (;;) {
    if (reader.accept("NOT", "NULL")) nullable = false;
    else if (reader.accept("COMMENT")) metadata = { comment: reader.string() };
    else if (reader.accept("DEFAULT")) throw unsupported("DEFAULT values of columns");
    else if (reader.accept("GENERATED")) throw unsupported("generated columns");
    else if (reader.accept("CONSTRAINT") || reader.accept("PRIMARY") || reader.accept("CHECK")) {
      throw unsupported("constraints on a column");
    } else if (reader.accept("MASK")) throw unsupported("column masks");
    else if (reader.accept("COLLATE")) throw unsupported("collations");
    else return { name, type, nullable, metadata };
  }
}

function readTableOptions(reader: TokenReader, columns: readonly Column[]): TableOptions {
  let partitionColumns: string[] = [];
  let clusterColumns: string[] = [];
  let properties: Record<string, string> = {};
  let comment: string | null = null;
  for (;;) {
    if (reader.accept("USING")) {
      const format = reader.name().toUpperCase();
      if (format !== "DELTA") throw unsupported(`tables that are USING ${format}`);
    } else if (reader.accept("PARTITIONED", "BY")) partitionColumns = readNames(reader);
    else if (reader.accept("CLUSTER", "BY")) clusterColumns = readClusterColumns(reader);
    else if (reader.accept("TBLPROPERTIES")) properties = readProperties(reader);
    else if (reader.accept("COMMENT")) comment = reader.string();
    else if (reader.accept("LOCATION")) throw unsupported("external tables (LOCATION)");
    else if (reader.accept("OPTIONS")) throw unsupported("OPTIONS of a table");
    else break;
  }
  if (partitionColumns.length > 0 && clusterColumns.length > 0) {
    throw syntaxError("PARTITIONED BY and CLUSTER BY exclude each other.");
  }
  return { columns, partitionColumns, clusterColumns, properties, comment };
}

function readNames(reader: TokenReader): string[] {
  reader.expectSymbol("(");
  const names: string[] = [];
  do {
    names.push(reader.name());
    if (![",", ")"].includes(reader.peek()?.text ?? "")) {
      throw unsupported("columns that are declared in PARTITIONED BY");
    }
  } while (reader.acceptSymbol(","));
  reader.expectSymbol(")");
  return names;
}

function readClusterColumns(reader: TokenReader): string[] {
  if (reader.accept("NONE")) return [];
  if (reader.accept("AUTO")) return [];
  return readNames(reader);
}

/** `('a' = 'b', c.d = true)` */
function readProperties(reader: TokenReader): Record<string, string> {
  const properties: [string, string][] = [];
  reader.expectSymbol("(");
  if (reader.acceptSymbol(")")) return {};
  do {
    const key = readPropertyKey(reader);
    reader.acceptSymbol("=");
    properties.push([key, reader.next().text]);
  } while (reader.acceptSymbol(","));
  reader.expectSymbol(")");
  return Object.fromEntries(properties);
}

function readPropertyKey(reader: TokenReader): string {
  return reader.peek()?.kind === "string" ? reader.string() : reader.path().join(".");
}

function readDrop(reader: TokenReader): Statement {
  reader.expect("DROP");
  const word = reader.name().toUpperCase();
  const type = {
    CATALOG: "catalog",
    SCHEMA: "schema",
    DATABASE: "schema",
    TABLE: "table",
    VIEW: "view",
    VOLUME: "volume",
  }[word] as "catalog" | "schema" | "table" | "view" | "volume" | undefined;
  if (!type) throw unsupported(`the statement DROP ${word}`);
  const ifExists = reader.accept("IF", "EXISTS");
  const path = reader.path();
  const cascade = reader.accept("CASCADE");
  if (!cascade) reader.accept("RESTRICT");
  return { kind: "drop", type, path, ifExists, cascade };
}

function readAlter(reader: TokenReader): Statement {
  reader.expect("ALTER");
  if (!reader.accept("TABLE")) {
    throw unsupported(`the statement ALTER ${reader.peek(0)?.text.toUpperCase() ?? ""}`);
  }
  const path = reader.path();
  if (reader.accept("ADD")) {
    if (!reader.accept("COLUMNS") && !reader.accept("COLUMN")) {
      throw unsupported("ALTER TABLE … ADD of anything but columns");
    }
    const ifNotExists = readIfNotExists(reader);
    const inBrackets = reader.acceptSymbol("(");
    const columns = inBrackets ? readColumns(reader) : [readColumn(reader)];
    return { kind: "add columns", path, columns, ifNotExists };
  }
  if (reader.accept("SET", "TBLPROPERTIES")) {
    return { kind: "set properties", path, set: readProperties(reader), unset: [] };
  }
  if (reader.accept("UNSET", "TBLPROPERTIES")) {
    reader.accept("IF", "EXISTS");
    reader.expectSymbol("(");
    const unset: string[] = [];
    do unset.push(readPropertyKey(reader));
    while (reader.acceptSymbol(","));
    reader.expectSymbol(")");
    return { kind: "set properties", path, set: {}, unset };
  }
  if (reader.accept("CLUSTER", "BY")) {
    return { kind: "cluster by", path, columns: readClusterColumns(reader) };
  }
  if (reader.accept("ALTER") || reader.accept("CHANGE")) {
    reader.accept("COLUMN");
    const column = reader.name();
    if (reader.accept("COMMENT")) {
      return { kind: "comment on column", path, column, comment: reader.string() };
    }
    throw unsupported("ALTER COLUMN with anything but COMMENT");
  }
  throw unsupported(
    `ALTER TABLE … ${reader.rest().split(/\s+/).slice(0, 2).join(" ").toUpperCase()}`,
  );
}

function readComment(reader: TokenReader): Statement {
  reader.expect("COMMENT", "ON");
  const readText = () => {
    reader.expect("IS");
    return reader.accept("NULL") ? null : reader.string();
  };
  if (reader.accept("COLUMN")) {
    const parts = reader.path();
    const column = parts.pop() ?? "";
    return { kind: "comment on column", path: parts, column, comment: readText() };
  }
  const word = reader.name().toUpperCase();
  const type = {
    CATALOG: "catalog",
    SCHEMA: "schema",
    DATABASE: "schema",
    TABLE: "table",
    VOLUME: "volume",
  }[word] as "catalog" | "schema" | "table" | "volume" | undefined;
  if (!type) throw unsupported(`the statement COMMENT ON ${word}`);
  return { kind: "comment on", type, path: reader.path(), comment: readText() };
}

function readInsert(reader: TokenReader): Statement {
  reader.expect("INSERT");
  const overwrite = reader.accept("OVERWRITE");
  if (!overwrite) reader.expect("INTO");
  reader.accept("TABLE");
  const path = reader.path();
  if (reader.accept("PARTITION")) throw unsupported("INSERT … PARTITION");
  if (reader.accept("REPLACE")) throw unsupported("INSERT … REPLACE WHERE");
  let columns: string[] | null = null;
  const isColumnList = reader.peek()?.text === "(" && !isQueryWord(reader.peek(1)?.text);
  if (isColumnList) columns = readNames(reader);
  const byName = reader.accept("BY", "NAME");
  return { kind: "insert", path, columns, byName, overwrite, query: reader.rest() };
}

function isQueryWord(word: string | undefined): boolean {
  return ["SELECT", "WITH", "VALUES", "TABLE", "("].includes(word?.toUpperCase() ?? "");
}

/** An alias, when the next word is not one of those that go on. */
function readAlias(reader: TokenReader, ...stops: readonly string[]): string | null {
  if (reader.accept("AS")) return reader.name();
  const next = reader.peek();
  const isName = next?.kind === "quoted" || next?.kind === "word";
  return isName && !stops.includes(next.text.toUpperCase()) ? reader.name() : null;
}

function readDelete(reader: TokenReader): Statement {
  reader.expect("DELETE", "FROM");
  const path = reader.path();
  const alias = readAlias(reader, "WHERE");
  const condition = reader.accept("WHERE") ? reader.rest() : null;
  return { kind: "delete", path, alias, condition };
}

function readUpdate(reader: TokenReader): Statement {
  reader.expect("UPDATE");
  const path = reader.path();
  const alias = readAlias(reader, "SET");
  reader.expect("SET");
  const assignments = readAssignments(reader, "WHERE");
  const condition = reader.accept("WHERE") ? reader.rest() : null;
  return { kind: "update", path, alias, assignments, condition };
}

function readAssignments(reader: TokenReader, ...stops: readonly string[]): Assignment[] {
  const assignments: Assignment[] = [];
  do {
    const parts = reader.path();
    // `t.column`: one name before it is the table's alias.
    if (parts.length > 2) throw unsupported("setting a field of a struct");
    if (!reader.acceptSymbol("==")) reader.expectSymbol("=");
    assignments.push({ column: parts.at(-1) ?? "", value: readExpression(reader, stops) });
  } while (reader.acceptSymbol(","));
  return assignments;
}

/** Up to a comma or one of the words, outside every bracket. */
function readExpression(reader: TokenReader, stops: readonly string[]): string {
  const start = reader.peek()?.start ?? reader.sql.length;
  let end = start;
  let depth = 0;
  for (let token = reader.peek(); token; token = reader.peek()) {
    const word = token.kind === "word" ? token.text.toUpperCase() : "";
    if (depth === 0 && token.kind === "symbol" && [",", ")"].includes(token.text)) break;
    if (depth === 0 && stops.includes(word)) break;
    if (token.kind === "symbol" && ["(", "["].includes(token.text)) depth++;
    if (token.kind === "symbol" && [")", "]"].includes(token.text)) depth--;
    if (word === "CASE") depth++;
    if (word === "END") depth--;
    end = token.end;
    reader.next();
  }
  if (end === start) reader.fail("an expression");
  return reader.sql.slice(start, end);
}

function readMerge(reader: TokenReader): Statement {
  reader.expect("MERGE");
  if (reader.accept("WITH", "SCHEMA", "EVOLUTION"))
    throw unsupported("MERGE WITH SCHEMA EVOLUTION");
  reader.expect("INTO");
  const path = reader.path();
  const alias = readAlias(reader, "USING");
  reader.expect("USING");
  const source = reader.until("ON");
  reader.expect("ON");
  const condition = reader.until("WHEN");
  const clauses: MergeClause[] = [];
  while (reader.accept("WHEN")) clauses.push(readMergeClause(reader));
  if (clauses.length === 0) reader.fail("WHEN");
  return { kind: "merge", path, alias, source, condition, clauses };
}

function readMergeClause(reader: TokenReader): MergeClause {
  const isNot = reader.accept("NOT");
  reader.expect("MATCHED");
  let on: MergeClause["on"] = isNot ? "not matched" : "matched";
  if (isNot && reader.accept("BY", "SOURCE")) on = "not matched by source";
  else if (isNot) reader.accept("BY", "TARGET");
  const condition = reader.accept("AND") ? reader.until("THEN") : null;
  reader.expect("THEN");
  if (on === "not matched") {
    reader.expect("INSERT");
    if (reader.acceptSymbol("*")) {
      return { on, condition, action: { kind: "insert", columns: "*", values: [] } };
    }
    const columns = readNames(reader);
    reader.expect("VALUES");
    reader.expectSymbol("(");
    const values: string[] = [];
    do values.push(readExpression(reader, []));
    while (reader.acceptSymbol(","));
    reader.expectSymbol(")");
    if (values.length !== columns.length) {
      throw syntaxError(
        `INSERT names ${columns.length} columns and gives ${values.length} values.`,
      );
    }
    return { on, condition, action: { kind: "insert", columns, values } };
  }
  if (reader.accept("DELETE")) return { on, condition, action: { kind: "delete" } };
  reader.expect("UPDATE", "SET");
  const assignments = reader.acceptSymbol("*") ? "*" : readAssignments(reader, "WHEN");
  return { on, condition, action: { kind: "update", assignments } };
}

function readCopyInto(reader: TokenReader): Statement {
  reader.expect("COPY", "INTO");
  const path = reader.path();
  if (reader.peek()?.text === "(") throw unsupported("COPY INTO with a list of columns");
  reader.expect("FROM");
  const { from, select } = readCopySource(reader);
  if (reader.accept("WITH")) throw unsupported("COPY INTO with credentials or encryption");
  reader.expect("FILEFORMAT");
  reader.expectSymbol("=");
  const format = reader.name().toUpperCase();
  if (format !== "PARQUET" && format !== "JSON" && format !== "CSV") {
    throw unsupported(`COPY INTO from ${format}`);
  }
  let files: string[] | null = null;
  let pattern: string | null = null;
  let formatOptions: Record<string, string> = {};
  let copyOptions: Record<string, string> = {};
  for (;;) {
    if (reader.accept("VALIDATE")) throw unsupported("COPY INTO … VALIDATE");
    if (reader.accept("FILES")) {
      reader.expectSymbol("=");
      reader.expectSymbol("(");
      files = [];
      do files.push(reader.string());
      while (reader.acceptSymbol(","));
      reader.expectSymbol(")");
    } else if (reader.accept("PATTERN")) {
      reader.expectSymbol("=");
      pattern = reader.string();
    } else if (reader.accept("FORMAT_OPTIONS")) formatOptions = readProperties(reader);
    else if (reader.accept("COPY_OPTIONS")) copyOptions = readProperties(reader);
    else break;
  }
  if (files && pattern !== null) throw syntaxError("FILES and PATTERN exclude each other.");
  return {
    kind: "copy into",
    path,
    from,
    select,
    format,
    files,
    pattern,
    formatOptions,
    copyOptions,
  };
}

function readCopySource(reader: TokenReader): {
  readonly from: string;
  readonly select: { readonly before: string; readonly after: string } | null;
} {
  if (!reader.acceptSymbol("(")) return { from: reader.string(), select: null };
  const inner = readTokens(reader.untilClosed());
  const before = inner.until("FROM");
  inner.expect("FROM");
  return { from: inner.string(), select: { before, after: inner.rest() } };
}

function readShow(reader: TokenReader): Statement {
  reader.expect("SHOW");
  if (reader.accept("GRANTS") || reader.accept("GRANT")) {
    const next = reader.peek()?.text.toUpperCase();
    const principal = next === "ON" ? null : reader.name();
    reader.expect("ON");
    return { kind: "show grants", securable: readSecurable(reader), principal };
  }
  if (reader.accept("CREATE", "TABLE")) {
    return { kind: "show", what: "create table", path: reader.path(), like: null };
  }
  const word = reader.name().toUpperCase();
  const what = {
    CATALOGS: "catalogs",
    SCHEMAS: "schemas",
    DATABASES: "schemas",
    TABLES: "tables",
    VIEWS: "views",
    VOLUMES: "volumes",
    COLUMNS: "columns",
    TBLPROPERTIES: "tblproperties",
  }[word] as
    | "catalogs"
    | "schemas"
    | "tables"
    | "views"
    | "volumes"
    | "columns"
    | "tblproperties"
    | undefined;
  if (!what) throw unsupported(`the statement SHOW ${word}`);
  const hasPath = reader.accept("IN") || reader.accept("FROM") || what === "tblproperties";
  const path = hasPath ? reader.path() : [];
  if (what === "tblproperties" && reader.acceptSymbol("(")) {
    throw unsupported("SHOW TBLPROPERTIES of one key");
  }
  const isLike = reader.accept("LIKE") || reader.peek()?.kind === "string";
  return { kind: "show", what, path, like: isLike ? reader.string() : null };
}

function readDescribe(reader: TokenReader): Statement {
  reader.next();
  if (reader.accept("HISTORY")) return { kind: "describe", what: "history", path: reader.path() };
  if (reader.accept("DETAIL")) return { kind: "describe", what: "detail", path: reader.path() };
  if (reader.accept("SCHEMA") || reader.accept("DATABASE")) {
    reader.accept("EXTENDED");
    return { kind: "describe", what: "schema", path: reader.path() };
  }
  if (reader.accept("CATALOG")) {
    reader.accept("EXTENDED");
    return { kind: "describe", what: "catalog", path: reader.path() };
  }
  if (["QUERY", "FUNCTION", "VOLUME", "SHARE"].includes(reader.peek()?.text.toUpperCase() ?? "")) {
    throw unsupported(`the statement DESCRIBE ${reader.next().text.toUpperCase()}`);
  }
  reader.accept("TABLE");
  const isExtended = reader.accept("EXTENDED");
  return { kind: "describe", what: isExtended ? "table extended" : "table", path: reader.path() };
}

function readGrant(reader: TokenReader): Statement {
  const isGrant = reader.accept("GRANT");
  if (!isGrant) reader.expect("REVOKE");
  const privileges: string[] = [];
  do {
    const words = [reader.name()];
    while (reader.peek()?.kind === "word" && reader.peek()?.text.toUpperCase() !== "ON") {
      words.push(reader.name());
    }
    privileges.push(words.join("_").toUpperCase());
  } while (reader.acceptSymbol(","));
  reader.expect("ON");
  const securable = readSecurable(reader);
  reader.expect(isGrant ? "TO" : "FROM");
  const principal = reader.peek()?.kind === "string" ? reader.string() : reader.name();
  return { kind: isGrant ? "grant" : "revoke", privileges, securable, principal };
}

function readSecurable(reader: TokenReader): Securable {
  if (reader.accept("METASTORE")) return { type: "metastore", path: [] };
  if (reader.accept("CATALOG")) return { type: "catalog", path: reader.path() };
  if (reader.accept("SCHEMA") || reader.accept("DATABASE"))
    return { type: "schema", path: reader.path() };
  if (reader.accept("VOLUME")) return { type: "volume", path: reader.path() };
  if (reader.accept("FUNCTION") || reader.accept("MODEL"))
    return { type: "function", path: reader.path() };
  if (!reader.accept("TABLE")) reader.accept("VIEW");
  return { type: "table", path: reader.path() };
}

export function pathText(path: Path): string {
  return path.map((part) => `\`${part}\``).join(".");
}
