/**
 * Statements that make, change and drop what holds rows: catalogs, schemas, volumes,
 * tables and views.
 */
import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { type Column, holdsVariant, quoteDuckDb, toDelta } from "./data-type.ts";
import type { Action, AddFile, Metadata, Protocol } from "./delta/actions.ts";
import { changeLocked, removal } from "./delta/change-table.ts";
import { writeDataFiles } from "./delta/data-files.ts";
import type { Snapshot } from "./delta/log.ts";
import { columnsOf, prepareQuery } from "./read-table.ts";
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
import { alreadyExists, notFound, SqlError, unsupported } from "./sql-error.ts";
import type { Statement, TableOptions } from "./statement.ts";
import { castTo, describeQuery, refuseNulls } from "./store-value.ts";
import {
  changeExisting,
  countsResult,
  described,
  findColumn,
  type WritableTable,
  withColumns,
} from "./write-table.ts";

type Of<Kind extends Statement["kind"]> = Extract<Statement, { kind: Kind }>;

export function createCatalog(run: Run, { name, ifNotExists, comment }: Of<"create catalog">) {
  const lower = name.toLowerCase();
  run.catalog.require(run.session.principal, "CREATE_CATALOG", {
    type: "metastore",
    fullName: "local",
  });
  if (run.catalog.hasCatalog(lower)) {
    if (ifNotExists) return noResult;
    throw alreadyExists("catalog", quoted(lower));
  }
  run.catalog.createCatalog(lower, comment, run.session.principal);
  return noResult;
}

export function createSchema(
  run: Run,
  { path, ifNotExists, comment }: Of<"create schema" | "create volume">,
) {
  const fullName = schemaNameOf(run.session, path);
  const [catalog = ""] = fullName.split(".");
  if (!run.catalog.hasCatalog(catalog)) throw notFound("catalog", quoted(catalog));
  if (run.catalog.hasSchema(fullName)) {
    if (ifNotExists) return noResult;
    throw alreadyExists("schema", quoted(fullName));
  }
  run.catalog.require(run.session.principal, "CREATE_SCHEMA", {
    type: "catalog",
    fullName: catalog,
  });
  run.catalog.createSchema(fullName, comment, run.session.principal);
  return noResult;
}

export async function createVolume(
  run: Run,
  { path, ifNotExists, comment }: Of<"create schema" | "create volume">,
): Promise<SqlResult> {
  const fullName = fullNameOf(run.session, path);
  requireSchema(run.catalog, schemaOf(fullName));
  if (run.catalog.hasVolume(fullName)) {
    if (ifNotExists) return noResult;
    throw alreadyExists("volume", quoted(fullName));
  }
  const schema = { type: "schema", fullName: schemaOf(fullName) } as const;
  run.catalog.require(run.session.principal, "CREATE_VOLUME", schema);
  await run.catalog.createVolume(fullName, comment, run.session.principal);
  return noResult;
}

export async function createTable(run: Run, statement: Of<"create table">): Promise<SqlResult> {
  const fullName = fullNameOf(run.session, statement.path);
  requireSchema(run.catalog, schemaOf(fullName));
  const schema = { type: "schema", fullName: schemaOf(fullName) } as const;
  run.catalog.require(run.session.principal, "USE_SCHEMA", schema);
  const tableDir = run.catalog.tableDirectory(fullName);
  const known = run.catalog.table(fullName);
  if (known) {
    if (statement.ifNotExists) return noResult;
    if (!statement.orReplace || known.view) throw alreadyExists("table", quoted(fullName));
    run.catalog.requireManage(run.session.principal, { type: "table", fullName });
  } else {
    run.catalog.require(run.session.principal, "CREATE_TABLE", schema);
  }
  if (statement.ifNotExists && statement.orReplace) {
    throw unsupported("CREATE OR REPLACE together with IF NOT EXISTS");
  }
  refuseProperties(statement.options.properties);

  const rows = statement.query === null ? null : await queryRows(run, statement.query);
  if (rows && statement.options.columns.length > 0) {
    throw unsupported("CREATE TABLE … AS with a list of columns");
  }
  const options = rows ? { ...statement.options, columns: rows.columns } : statement.options;
  const { locks, nowMs, session } = run;
  await locks.withLock(tableDir, async () => {
    // What a crash left before the catalog knew of it; nobody ever saw it.
    if (!run.catalog.table(fullName)) await rm(tableDir, { recursive: true, force: true });
    const change = { tableDir, nowMs, user: session.principal.name };
    const planned = await changeLocked(change, async (snapshot) => {
      if (snapshot && !statement.orReplace) throw alreadyExists("table", quoted(fullName));
      return await planCreate(run, {
        tableDir,
        snapshot,
        options,
        rows,
        orReplace: statement.orReplace,
      });
    });
    if (planned) {
      const known = described(planned.metaData);
      run.catalog.putTable({ fullName, view: null, ...known }, session.principal);
    }
  });
  if (!rows) return noResult;
  return countsResult({ num_affected_rows: rows.count, num_inserted_rows: rows.count });
}

type QueryRows = {
  readonly relation: string;
  readonly columns: readonly Column[];
  readonly count: number;
};

async function queryRows(run: Run, sql: string): Promise<QueryRows> {
  const query = await prepareQuery(run, sql);
  const given = await describeQuery(run.connection, query);
  const columns = given.map(({ name, type }) => ({ name, type, nullable: true, metadata: {} }));
  const relation = quoteDuckDb(run.newName());
  const casts = columns.map(
    ({ name, type }, index) => `${castTo(`c${index}`, type)} AS ${quoteDuckDb(name)}`,
  );
  await run.connection.run(
    `CREATE TEMP TABLE ${relation} AS SELECT ${casts.join(", ")} FROM (${query}) AS q(${columns.map((_, index) => `c${index}`).join(", ")})`,
  );
  const counted = await run.connection.runAndReadAll(`SELECT count(*) FROM ${relation}`);
  return { relation, columns, count: Number(counted.getRows()[0]?.[0]) };
}

const CLUSTERING = "delta.clustering";

async function planCreate(
  run: Run,
  {
    tableDir,
    snapshot,
    options,
    rows,
    orReplace,
  }: {
    readonly tableDir: string;
    readonly snapshot: Snapshot | null;
    readonly options: TableOptions;
    readonly rows: QueryRows | null;
    readonly orReplace: boolean;
  },
) {
  const { columns } = options;
  refuseDoubleNames(columns);
  const partitionColumns = options.partitionColumns.map((name) => findColumn(columns, name).name);
  const metaData: Metadata = {
    id: snapshot?.metadata.id ?? randomUUID(),
    ...(options.comment === null ? {} : { description: options.comment }),
    format: { provider: "parquet", options: {} },
    schemaString: JSON.stringify(toDelta({ kind: "struct", fields: columns })),
    partitionColumns,
    configuration: options.properties,
    createdTime: run.nowMs,
  };
  let added: AddFile[] = [];
  if (rows) {
    await refuseNulls(run.connection, rows.relation, columns);
    const layout = { tableDir, columns, partitionColumns };
    added = await writeDataFiles(
      run.connection,
      `SELECT * FROM ${rows.relation}`,
      layout,
      run.nowMs,
    );
  }
  const verb = orReplace ? "CREATE OR REPLACE TABLE" : "CREATE TABLE";
  return {
    metaData,
    actions: [
      ...protocolFor(snapshot, {
        isClustered: options.clusterColumns.length > 0,
        hasVariant: columns.some(({ type }) => holdsVariant(type)),
      }),
      { metaData },
      ...clustering(snapshot, columns, options.clusterColumns),
      ...Array.from(snapshot?.files.values() ?? [], (file) => ({
        remove: removal(file, run.nowMs),
      })),
      ...added.map((add) => ({ add })),
    ],
    operation: rows ? `${verb} AS SELECT` : verb,
    parameters: {
      isManaged: "true",
      description: options.comment ?? "",
      partitionBy: partitionColumns,
      clusterBy: options.clusterColumns,
      properties: options.properties,
    },
  };
}

const PLAIN: Protocol = { minReaderVersion: 1, minWriterVersion: 2 };
/** With table features, those of version 2 have to be named. */
const FEATURES_OF_PLAIN = ["appendOnly", "invariants"];

/** As high as needed and no higher, so that many engines can read and write the table. */
function protocolFor(
  snapshot: Snapshot | null,
  needs: { readonly isClustered: boolean; readonly hasVariant: boolean },
): Action[] {
  const features = [
    ...(needs.isClustered ? ["clustering", "domainMetadata"] : []),
    ...(needs.hasVariant ? ["variantType"] : []),
  ];
  const known = snapshot?.protocol;
  const isEnough = features.every((feature) => known?.writerFeatures?.includes(feature));
  if (known && isEnough) return [];
  if (features.length === 0) return [{ protocol: PLAIN }];
  const all = new Set([...(known?.writerFeatures ?? []), ...FEATURES_OF_PLAIN, ...features]);
  const isReadPlainly = !all.has("variantType");
  const protocol: Protocol = {
    minReaderVersion: isReadPlainly ? 1 : 3,
    minWriterVersion: 7,
    ...(isReadPlainly ? {} : { readerFeatures: ["variantType"] }),
    writerFeatures: [...all].sort(),
  };
  return [{ protocol }];
}

/** Source: Delta protocol, "Clustered Table". */
function clustering(
  snapshot: Snapshot | null,
  columns: readonly Column[],
  clusterColumns: readonly string[],
): Action[] {
  const isClustered = snapshot?.domains.has(CLUSTERING) ?? false;
  if (clusterColumns.length === 0 && !isClustered) return [];
  const names = clusterColumns.map((name) => [findColumn(columns, name).name]);
  return [
    {
      domainMetadata: {
        domain: CLUSTERING,
        configuration: JSON.stringify({ clusteringColumns: names, domainName: CLUSTERING }),
        removed: false,
      },
    },
  ];
}

/** Properties that promise something which this workspace would not keep. */
const refusedProperties: readonly RegExp[] = [
  /^delta\.feature\./,
  /^delta\.(minReaderVersion|minWriterVersion)$/,
  /^delta\.columnMapping\./,
  /^delta\.constraints\./,
  /^delta\.universalFormat\./,
];
const refusedWhenTrue = new Set([
  "delta.enableChangeDataFeed",
  "delta.enableDeletionVectors",
  "delta.enableRowTracking",
  "delta.enableTypeWidening",
  "delta.enableInCommitTimestamps",
]);

function refuseProperties(properties: Readonly<Record<string, string>>): void {
  const refused = Object.entries(properties).find(
    ([key, value]) =>
      refusedProperties.some((pattern) => pattern.test(key)) ||
      (refusedWhenTrue.has(key) && value.toLowerCase() === "true"),
  );
  if (refused) throw unsupported(`the table property ${refused[0]} = ${refused[1]}`);
}

function refuseDoubleNames(columns: readonly Column[]): void {
  const names = columns.map(({ name }) => name.toLowerCase());
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new SqlError("COLUMN_ALREADY_EXISTS", `The column \`${twice}\` already exists.`, {
      sqlState: "42711",
    });
  }
}

export async function createView(run: Run, statement: Of<"create view">): Promise<SqlResult> {
  const fullName = fullNameOf(run.session, statement.path);
  requireSchema(run.catalog, schemaOf(fullName));
  const known = run.catalog.table(fullName);
  if (known && statement.ifNotExists) return noResult;
  if (known && (!statement.orReplace || !known.view))
    throw alreadyExists("table", quoted(fullName));
  const schema = { type: "schema", fullName: schemaOf(fullName) } as const;
  if (known) run.catalog.requireManage(run.session.principal, { type: "table", fullName });
  else run.catalog.require(run.session.principal, "CREATE_TABLE", schema);
  const given = await describeQuery(run.connection, await prepareQuery(run, statement.query));
  if (statement.columns.length > 0 && statement.columns.length !== given.length) {
    throw new SqlError(
      "CREATE_VIEW_COLUMN_ARITY_MISMATCH",
      `The view has ${statement.columns.length} columns and its query ${given.length}.`,
      { sqlState: "21S01" },
    );
  }
  const columns = given.map(({ name, type }, index) => {
    const named = statement.columns[index];
    const comment = named?.comment ?? null;
    return {
      name: named?.name ?? name,
      type,
      nullable: true,
      metadata: comment === null ? {} : { comment },
    };
  });
  refuseDoubleNames(columns);
  run.catalog.putTable(
    {
      fullName,
      comment: statement.comment,
      columns,
      partitionColumns: [],
      properties: {},
      view: { query: statement.query, catalog: run.session.catalog, schema: run.session.schema },
    },
    run.session.principal,
  );
  return noResult;
}

export async function drop(
  run: Run,
  { type, path, ifExists, cascade }: Of<"drop">,
): Promise<SqlResult> {
  const { catalog, session } = run;
  if (type === "catalog") {
    const fullName = path.join(".").toLowerCase();
    if (!catalog.hasCatalog(fullName)) return missing("catalog", fullName, ifExists);
    catalog.requireManage(session.principal, { type, fullName });
    if (!cascade && catalog.schemas(fullName).some((name) => name !== "default")) {
      throw notEmpty("catalog", fullName);
    }
    await catalog.drop({ type, fullName });
  } else if (type === "schema") {
    const fullName = schemaNameOf(session, path);
    if (!catalog.hasSchema(fullName)) return missing("schema", fullName, ifExists);
    catalog.requireManage(session.principal, { type, fullName });
    if (!cascade && catalog.tables(fullName).length + catalog.volumes(fullName).length > 0) {
      throw notEmpty("schema", fullName);
    }
    await catalog.drop({ type, fullName });
  } else if (type === "volume") {
    const fullName = fullNameOf(session, path);
    if (!catalog.hasVolume(fullName)) return missing("volume", fullName, ifExists);
    catalog.requireManage(session.principal, { type, fullName });
    await catalog.drop({ type, fullName });
  } else {
    const fullName = fullNameOf(session, path);
    const table = catalog.table(fullName);
    if (!table) return missing("table", fullName, ifExists);
    if ((table.view !== null) !== (type === "view")) {
      throw new SqlError(
        "EXPECT_TABLE_NOT_VIEW",
        `${quoted(fullName)} is a ${table.view ? "view" : "table"}: use DROP ${table.view ? "VIEW" : "TABLE"}.`,
        { sqlState: "42809" },
      );
    }
    catalog.requireManage(session.principal, { type: "table", fullName });
    await run.locks.withLock(catalog.tableDirectory(fullName), () =>
      catalog.drop({ type: "table", fullName }),
    );
  }
  return noResult;
}

function missing(
  kind: "table" | "schema" | "catalog" | "volume",
  fullName: string,
  ifExists: boolean,
): SqlResult {
  if (ifExists) return noResult;
  throw notFound(kind, quoted(fullName));
}

function notEmpty(kind: "schema" | "catalog", fullName: string): SqlError {
  return new SqlError(
    kind === "schema" ? "SCHEMA_NOT_EMPTY" : "CATALOG_NOT_EMPTY",
    `Cannot drop the ${kind} ${quoted(fullName)} because it contains objects. Use CASCADE to drop them, too.`,
    { sqlState: "2BP01" },
  );
}

/** `ALTER TABLE` and `COMMENT ON COLUMN`: a new version of the table's metadata. */
export async function alterTable(
  run: Run,
  statement: Of<"add columns" | "set properties" | "cluster by" | "comment on column">,
): Promise<SqlResult> {
  const table = findAlterable(run, statement.path);
  await changeExisting(run, table, async (snapshot) => {
    const actions = alteration(snapshot, statement);
    if (actions.length === 0) return null;
    return { actions, operation: statement.kind.toUpperCase() };
  });
  return noResult;
}

function alteration(
  snapshot: Snapshot,
  statement: Of<"add columns" | "set properties" | "cluster by" | "comment on column">,
): Action[] {
  const { metadata } = snapshot;
  const columns = columnsOf(snapshot);
  switch (statement.kind) {
    case "add columns": {
      const isKnown = (name: string) =>
        columns.some((one) => one.name.toLowerCase() === name.toLowerCase());
      const added = statement.ifNotExists
        ? statement.columns.filter(({ name }) => !isKnown(name))
        : statement.columns;
      if (added.length === 0) return [];
      refuseDoubleNames([...columns, ...added]);
      const required = added.find(({ nullable }) => !nullable);
      if (required) throw unsupported(`adding a column that is NOT NULL (${required.name})`);
      const hasVariant = added.some(({ type }) => holdsVariant(type));
      return [
        ...protocolFor(snapshot, { isClustered: false, hasVariant }),
        { metaData: withColumns(metadata, [...columns, ...added]) },
      ];
    }
    case "set properties": {
      refuseProperties(statement.set);
      const kept = Object.entries(metadata.configuration).filter(
        ([key]) => !statement.unset.includes(key),
      );
      const configuration = { ...Object.fromEntries(kept), ...statement.set };
      return [{ metaData: { ...metadata, configuration } }];
    }
    case "cluster by": {
      if (metadata.partitionColumns.length > 0)
        throw unsupported("CLUSTER BY of a partitioned table");
      const isClustered = statement.columns.length > 0;
      return [
        ...protocolFor(snapshot, { isClustered, hasVariant: false }),
        ...clustering(snapshot, columns, statement.columns),
      ];
    }
    case "comment on column": {
      const target = findColumn(columns, statement.column);
      const { comment: _, ...rest } = target.metadata;
      const changed = statement.comment === null ? rest : { ...rest, comment: statement.comment };
      return [
        {
          metaData: withColumns(
            metadata,
            columns.map((column) =>
              column === target ? { ...column, metadata: changed } : column,
            ),
          ),
        },
      ];
    }
  }
}

function findAlterable(run: Run, path: readonly string[]): WritableTable {
  const fullName = fullNameOf(run.session, path);
  requireSchema(run.catalog, schemaOf(fullName));
  const table = run.catalog.table(fullName);
  if (!table) throw notFound("table", quoted(fullName));
  if (table.view) throw unsupported("ALTER TABLE of a view");
  run.catalog.requireManage(run.session.principal, { type: "table", fullName });
  return { fullName, tableDir: run.catalog.tableDirectory(fullName) };
}

export async function commentOn(
  run: Run,
  { type, path, comment }: Of<"comment on">,
): Promise<SqlResult> {
  const { catalog, session } = run;
  if (type === "table") {
    const fullName = fullNameOf(session, path);
    const table = catalog.table(fullName);
    if (!table) throw notFound("table", quoted(fullName));
    catalog.requireManage(session.principal, { type, fullName });
    if (!table.view) {
      await changeExisting(run, findAlterable(run, path), async ({ metadata }) => {
        const { description: _, ...rest } = metadata;
        const metaData = comment === null ? rest : { ...rest, description: comment };
        return { actions: [{ metaData }], operation: "COMMENT ON" };
      });
    } else catalog.putTable({ ...table, comment }, session.principal);
    return noResult;
  }
  const fullName =
    type === "catalog"
      ? path.join(".").toLowerCase()
      : type === "schema"
        ? schemaNameOf(session, path)
        : fullNameOf(session, path);
  const isThere = {
    catalog: () => catalog.hasCatalog(fullName),
    schema: () => catalog.hasSchema(fullName),
    volume: () => catalog.hasVolume(fullName),
  }[type]();
  if (!isThere) throw notFound(type, quoted(fullName));
  catalog.requireManage(session.principal, { type, fullName });
  catalog.comment({ type, fullName }, comment);
  return noResult;
}
