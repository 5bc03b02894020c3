/** `SHOW`, `DESCRIBE`, `GRANT` and `REVOKE`: what there is, and who may do what with it. */
import type { SqlSecurable } from "./catalog.ts";
import { type DataType, typeText } from "./data-type.ts";
import { readHistory, readSnapshot, type Snapshot } from "./delta/log.ts";
import { columnsOf } from "./read-table.ts";
import {
  fullNameOf,
  noResult,
  quoted,
  type Run,
  requireSchema,
  type SqlResult,
  schemaNameOf,
  schemaOf,
} from "./run.ts";
import { notFound, unsupported } from "./sql-error.ts";
import type { Path, Securable, Statement } from "./statement.ts";

type Of<Kind extends Statement["kind"]> = Extract<Statement, { kind: Kind }>;

const STRING: DataType = { kind: "primitive", name: "string" };
const LONG: DataType = { kind: "primitive", name: "long" };
const BOOLEAN: DataType = { kind: "primitive", name: "boolean" };
const TIMESTAMP: DataType = { kind: "primitive", name: "timestamp" };

function texts(names: readonly string[], rows: readonly (readonly (string | null)[])[]): SqlResult {
  return {
    columns: names.map((name) => ({ name, type: STRING })),
    rows: rows.map((row) => [...row]),
    isTruncated: false,
  };
}

export async function show(run: Run, { what, path, like }: Of<"show">): Promise<SqlResult> {
  const { catalog, session } = run;
  const sees = (type: SqlSecurable["type"], fullName: string) =>
    catalog.sees(session.principal, { type, fullName });
  const matches = (name: string) => like === null || likePattern(like).test(name);
  const schema = () => {
    const name =
      path.length === 0 ? `${session.catalog}.${session.schema}` : schemaNameOf(session, path);
    requireSchema(catalog, name);
    catalog.require(session.principal, "USE_SCHEMA", { type: "schema", fullName: name });
    return name;
  };
  switch (what) {
    case "catalogs":
      return texts(
        ["catalog"],
        catalog
          .catalogs()
          .filter((name) => matches(name) && sees("catalog", name))
          .map((name) => [name]),
      );
    case "schemas": {
      const name = (path[0] ?? session.catalog).toLowerCase();
      if (!catalog.hasCatalog(name)) throw notFound("catalog", quoted(name));
      return texts(
        ["databaseName"],
        catalog
          .schemas(name)
          .filter((each) => matches(each) && sees("schema", `${name}.${each}`))
          .map((each) => [each]),
      );
    }
    case "tables":
    case "views": {
      const name = schema();
      const found = catalog
        .tables(name)
        .filter((table) => what === "tables" || table.view !== null)
        .filter(({ fullName }) => sees("table", fullName))
        .map(({ fullName }) => fullName.slice(name.length + 1))
        .filter(matches);
      const [, own = ""] = name.split(".");
      return {
        columns: [
          { name: what === "views" ? "namespace" : "database", type: STRING },
          { name: what === "views" ? "viewName" : "tableName", type: STRING },
          { name: "isTemporary", type: BOOLEAN },
        ],
        rows: found.map((table) => [own, table, "false"]),
        isTruncated: false,
      };
    }
    case "volumes": {
      const name = schema();
      const found = catalog
        .volumes(name)
        .filter((each) => matches(each) && sees("volume", `${name}.${each}`));
      return texts(
        ["database", "volume_name"],
        found.map((volume) => [name.split(".")[1] ?? "", volume]),
      );
    }
    case "columns":
      return texts(
        ["col_name"],
        (await openTable(run, path)).columns.map(({ name }) => [name]),
      );
    case "tblproperties":
      return texts(
        ["key", "value"],
        Object.entries((await openTable(run, path)).properties).sort(),
      );
    case "create table":
      return texts(["createtab_stmt"], [[createText(await openTable(run, path))]]);
  }
}

/** `*` for any text, `|` for or; case does not count. */
function likePattern(like: string): RegExp {
  const escaped = like
    .split("|")
    .map((each) => each.replaceAll(/[.+?^${}()[\]\\]/g, "\\$&").replaceAll(/[*%]/g, ".*"));
  return new RegExp(`^(?:${escaped.join("|")})$`, "i");
}

type OpenTable = {
  readonly fullName: string;
  readonly columns: ReturnType<typeof columnsOf>;
  readonly partitionColumns: readonly string[];
  readonly clusterColumns: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  readonly comment: string | null;
  readonly tableDir: string;
  readonly snapshot: Snapshot | null;
  readonly viewQuery: string | null;
};

/** For who may read it. */
async function openTable(run: Run, path: Path): Promise<OpenTable> {
  const fullName = fullNameOf(run.session, path);
  requireSchema(run.catalog, schemaOf(fullName));
  const known = run.catalog.table(fullName);
  if (!known) throw notFound("table", quoted(fullName));
  run.catalog.require(run.session.principal, "SELECT", { type: "table", fullName });
  const tableDir = run.catalog.tableDirectory(fullName);
  const snapshot = known.view ? null : await readSnapshot(tableDir);
  const clustering = snapshot?.domains.get("delta.clustering");
  const clusterColumns = clustering
    ? (JSON.parse(clustering.configuration) as { clusteringColumns: string[][] }).clusteringColumns
    : [];
  return {
    fullName,
    columns: snapshot ? columnsOf(snapshot) : [...known.columns],
    partitionColumns: snapshot?.metadata.partitionColumns ?? [],
    clusterColumns: clusterColumns.map((names) => names.join(".")),
    properties: snapshot?.metadata.configuration ?? known.properties,
    comment: snapshot?.metadata.description ?? known.comment,
    tableDir,
    snapshot,
    viewQuery: known.view?.query ?? null,
  };
}

function createText(table: OpenTable): string {
  const columns = table.columns.map(({ name, type, nullable, metadata }) =>
    [
      `  ${name} ${typeText(type)}`,
      nullable ? "" : " NOT NULL",
      typeof metadata.comment === "string" ? ` COMMENT ${sqlText(metadata.comment)}` : "",
    ].join(""),
  );
  if (table.viewQuery !== null) {
    const names = table.columns.map(({ name }) => `  ${name}`).join(",\n");
    return `CREATE VIEW ${table.fullName} (\n${names})\nAS ${table.viewQuery}\n`;
  }
  const list = (names: readonly string[]) => names.join(", ");
  const properties = Object.entries(table.properties).map(
    ([key, value]) => `  ${sqlText(key)} = ${sqlText(value)}`,
  );
  return [
    `CREATE TABLE ${table.fullName} (\n${columns.join(",\n")})`,
    "USING delta",
    table.partitionColumns.length > 0 ? `PARTITIONED BY (${list(table.partitionColumns)})` : "",
    table.clusterColumns.length > 0 ? `CLUSTER BY (${list(table.clusterColumns)})` : "",
    table.comment === null ? "" : `COMMENT ${sqlText(table.comment)}`,
    properties.length > 0 ? `TBLPROPERTIES (\n${properties.join(",\n")})` : "",
  ]
    .filter((line) => line !== "")
    .join("\n")
    .concat("\n");
}

function sqlText(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

export async function describe(run: Run, { what, path }: Of<"describe">): Promise<SqlResult> {
  const { catalog, session } = run;
  const described = (rows: readonly (readonly [string, string | null])[]) =>
    texts(["info_name", "info_value"], rows);
  switch (what) {
    case "catalog": {
      const fullName = path.join(".").toLowerCase();
      if (!catalog.hasCatalog(fullName)) throw notFound("catalog", quoted(fullName));
      return described([
        ["Catalog Name", fullName],
        ["Owner", catalog.ownerOf({ type: "catalog", fullName })],
      ]);
    }
    case "schema": {
      const fullName = schemaNameOf(session, path);
      requireSchema(catalog, fullName);
      const [catalogName = "", name = ""] = fullName.split(".");
      return described([
        ["Catalog Name", catalogName],
        ["Namespace Name", name],
        ["Owner", catalog.ownerOf({ type: "schema", fullName })],
      ]);
    }
    case "detail":
      return detail(await openTable(run, path));
    case "history":
      return await history(await openTable(run, path));
    case "table":
    case "table extended":
      return describeColumns(run, await openTable(run, path), what === "table extended");
  }
}

function describeColumns(run: Run, table: OpenTable, isExtended: boolean): SqlResult {
  const row = ({ name, type, metadata }: OpenTable["columns"][number]) => [
    name,
    typeText(type).toLowerCase(),
    typeof metadata.comment === "string" ? metadata.comment : null,
  ];
  const rows = table.columns.map(row);
  const chosen = (heading: string, names: readonly string[]) =>
    names.length === 0
      ? []
      : [
          [heading, "", ""],
          ["# col_name", "data_type", "comment"],
          ...table.columns.filter(({ name }) => names.includes(name)).map(row),
        ];
  rows.push(...chosen("# Partition Information", table.partitionColumns));
  rows.push(...chosen("# Clustering Information", table.clusterColumns));
  if (isExtended) {
    const [catalogName = "", schema = "", name = ""] = table.fullName.split(".");
    rows.push(
      ["", "", ""],
      ["# Detailed Table Information", "", ""],
      ["Catalog", catalogName, ""],
      ["Database", schema, ""],
      ["Table", name, ""],
      ["Type", table.viewQuery === null ? "MANAGED" : "VIEW", ""],
      ["Comment", table.comment ?? "", ""],
      ["Owner", run.catalog.ownerOf({ type: "table", fullName: table.fullName }), ""],
      ...(table.viewQuery === null
        ? [
            ["Provider", "delta", ""],
            ["Location", table.tableDir, ""],
          ]
        : [["View Text", table.viewQuery, ""]]),
    );
  }
  return texts(["col_name", "data_type", "comment"], rows);
}

function detail({ fullName, snapshot, tableDir, clusterColumns }: OpenTable): SqlResult {
  if (!snapshot) throw unsupported("DESCRIBE DETAIL of a view");
  const { metadata, files, protocol } = snapshot;
  const sizeBytes = Array.from(files.values()).reduce((sum, { size }) => sum + size, 0);
  const created = new Date(metadata.createdTime ?? 0).toISOString();
  const list: DataType = { kind: "array", element: STRING, containsNull: true };
  const map: DataType = { kind: "map", key: STRING, value: STRING, valueContainsNull: true };
  const fields: readonly (readonly [string, DataType, string | null])[] = [
    ["format", STRING, "delta"],
    ["id", STRING, metadata.id],
    ["name", STRING, fullName],
    ["description", STRING, metadata.description ?? null],
    ["location", STRING, tableDir],
    ["createdAt", TIMESTAMP, created],
    ["partitionColumns", list, JSON.stringify(metadata.partitionColumns)],
    ["clusteringColumns", list, JSON.stringify(clusterColumns)],
    ["numFiles", LONG, String(files.size)],
    ["sizeInBytes", LONG, String(sizeBytes)],
    ["properties", map, JSON.stringify(metadata.configuration)],
    ["minReaderVersion", LONG, String(protocol.minReaderVersion)],
    ["minWriterVersion", LONG, String(protocol.minWriterVersion)],
    ["tableFeatures", list, JSON.stringify(protocol.writerFeatures ?? [])],
  ];
  return {
    columns: fields.map(([name, type]) => ({ name, type })),
    rows: [fields.map(([, , value]) => value)],
    isTruncated: false,
  };
}

async function history({ tableDir, viewQuery }: OpenTable): Promise<SqlResult> {
  if (viewQuery !== null) throw unsupported("DESCRIBE HISTORY of a view");
  const map: DataType = { kind: "map", key: STRING, value: STRING, valueContainsNull: true };
  const commits = await readHistory(tableDir);
  return {
    columns: [
      { name: "version", type: LONG },
      { name: "timestamp", type: TIMESTAMP },
      { name: "userName", type: STRING },
      { name: "operation", type: STRING },
      { name: "operationParameters", type: map },
      { name: "isBlindAppend", type: BOOLEAN },
      { name: "operationMetrics", type: map },
      { name: "engineInfo", type: STRING },
    ],
    rows: commits.map(({ version, commitInfo: info }) => [
      String(version),
      info ? new Date(info.timestamp).toISOString() : null,
      info?.userName ?? null,
      info?.operation ?? null,
      JSON.stringify(info?.operationParameters ?? {}),
      info?.isBlindAppend === undefined ? null : String(info.isBlindAppend),
      JSON.stringify(info?.operationMetrics ?? {}),
      info?.engineInfo ?? null,
    ]),
    isTruncated: false,
  };
}

export function changeGrants(run: Run, statement: Of<"grant" | "revoke">): SqlResult {
  const securable = resolve(run, statement.securable);
  run.catalog.requireManage(run.session.principal, securable);
  const { principal, privileges } = statement;
  run.catalog.changeGrants(securable, {
    principal,
    add: statement.kind === "grant" ? privileges : [],
    remove: statement.kind === "revoke" ? privileges : [],
  });
  return noResult;
}

export function showGrants(run: Run, { securable, principal }: Of<"show grants">): SqlResult {
  const target = resolve(run, securable);
  const rows = run.catalog
    .grants(target)
    .filter((grant) => principal === null || grant.principal === principal)
    .flatMap((grant) =>
      grant.privileges.map((privilege) => [
        grant.principal,
        privilege.replaceAll("_", " "),
        target.type.toUpperCase(),
        target.fullName,
      ]),
    );
  return texts(["Principal", "ActionType", "ObjectType", "ObjectKey"], rows);
}

/** @throws SqlError when it is not there. */
function resolve({ session, catalog }: Run, { type, path }: Securable): SqlSecurable {
  if (type === "metastore") return { type, fullName: "local" };
  if (type === "catalog") {
    const fullName = path.join(".").toLowerCase();
    if (!catalog.hasCatalog(fullName)) throw notFound("catalog", quoted(fullName));
    return { type, fullName };
  }
  if (type === "schema") {
    const fullName = schemaNameOf(session, path);
    requireSchema(catalog, fullName);
    return { type, fullName };
  }
  const fullName = fullNameOf(session, path);
  if (type === "table" && !catalog.table(fullName)) throw notFound("table", quoted(fullName));
  if (type === "volume" && !catalog.hasVolume(fullName)) throw notFound("volume", quoted(fullName));
  return { type, fullName };
}
