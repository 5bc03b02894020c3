/**
 * Queries: which tables and views they read, and the same query over the Parquet
 * files of those tables' present snapshots.
 */

import { type Column, columnsFromDelta, duckDbType, quoteDuckDb } from "./data-type.ts";
import { dataFilePath, quoteText } from "./delta/data-files.ts";
import { readSnapshot, refuseUnreadable, type Snapshot } from "./delta/log.ts";
import { fullNameOf, quoted, type Run, requireSchema, schemaOf } from "./run.ts";
import { notFound, SqlError } from "./sql-error.ts";
import { translate } from "./translate.ts";

/** Views that read views. */
const VIEW_DEPTH_MAX = 20;

/** Columns that say which row of which file a row is; of tables whose rows are about to change. */
export const FILE_COLUMN = "__file";
export const ROW_COLUMN = "file_row_number";

export type QueryOptions = {
  /** Relations of DuckDB's own that the query may name. */
  readonly own?: ReadonlyMap<string, string>;
};

/** @returns the query for DuckDB, whose relations are there until the connection ends. */
export async function prepareQuery(
  run: Run,
  sql: string,
  { own = new Map(), depth = 0 }: QueryOptions & { readonly depth?: number } = {},
): Promise<string> {
  if (depth > VIEW_DEPTH_MAX) {
    throw new SqlError("RECURSIVE_VIEW", `Views read each other ${VIEW_DEPTH_MAX} deep.`, {
      sqlState: "42K0H",
    });
  }
  const relations = new Map<string, string>();
  const { principal, catalog, schema } = run.session;
  const translated = await translate(run.connection, run.translator, sql, {
    nowMs: run.nowMs,
    session: { user: principal.name, catalog, schema },
    relation(path) {
      const given = path.length === 1 ? own.get(String(path[0])) : undefined;
      if (given) return given;
      const fullName = fullNameOf(run.session, path);
      const name = relations.get(fullName) ?? run.newName();
      relations.set(fullName, name);
      return name;
    },
  });
  for (const [fullName, name] of relations) await makeRelation(run, fullName, { name, depth });
  return translated;
}

async function makeRelation(
  run: Run,
  fullName: string,
  { name, depth }: { readonly name: string; readonly depth: number },
): Promise<void> {
  requireSchema(run.catalog, schemaOf(fullName));
  run.catalog.require(run.session.principal, "USE_SCHEMA", {
    type: "schema",
    fullName: schemaOf(fullName),
  });
  const table = run.catalog.table(fullName);
  if (!table) throw notFound("table", quoted(fullName));
  run.catalog.require(run.session.principal, "SELECT", { type: "table", fullName });
  if (table.view) {
    // What a view reads, it reads as its owner.
    const owner = { name: run.catalog.ownerOf({ type: "table", fullName }), isAdmin: false };
    const session = { principal: owner, catalog: table.view.catalog, schema: table.view.schema };
    const query = await prepareQuery({ ...run, session }, table.view.query, { depth: depth + 1 });
    const columns = table.columns.map((column) => quoteDuckDb(column.name)).join(", ");
    await run.connection.run(`CREATE TEMP VIEW ${quoteDuckDb(name)} (${columns}) AS ${query}`);
    return;
  }
  const tableDir = run.catalog.tableDirectory(fullName);
  const snapshot = await readSnapshot(tableDir);
  if (!snapshot) throw notFound("table", quoted(fullName));
  await run.connection.run(
    `CREATE TEMP VIEW ${quoteDuckDb(name)} AS ${snapshotQuery(snapshot, tableDir)}`,
  );
}

export function columnsOf(snapshot: Snapshot): Column[] {
  return columnsFromDelta(JSON.parse(snapshot.metadata.schemaString));
}

/** All rows of the snapshot, in the schema's columns and types. */
export function snapshotQuery(
  snapshot: Snapshot,
  tableDir: string,
  { withRowIds = false } = {},
): string {
  refuseUnreadable(snapshot);
  const columns = columnsOf(snapshot);
  const { partitionColumns } = snapshot.metadata;
  // Gives every column its type, also those that older files do not have.
  const typed = columns.map(
    ({ name, type }) => `CAST(NULL AS ${duckDbType(type)}) AS ${quoteDuckDb(name)}`,
  );
  const ids = withRowIds
    ? [`CAST(NULL AS VARCHAR) AS ${FILE_COLUMN}`, `CAST(NULL AS BIGINT) AS ${ROW_COLUMN}`]
    : [];
  const parts = [`SELECT ${[...typed, ...ids].join(", ")} WHERE false`];
  for (const { values, paths } of byPartition(snapshot, tableDir)) {
    const partition = columns
      .filter(({ name }) => partitionColumns.includes(name))
      .map(({ name, type }) => {
        const value = values[name] ?? null;
        const literal = value === null || value === "" ? "NULL" : quoteText(value);
        return `CAST(${literal} AS ${duckDbType(type)}) AS ${quoteDuckDb(name)}`;
      });
    // Some engines store a partition's column in its files as well; the log's value counts.
    const names = partitionColumns.map((name) => quoteText(name.toLowerCase())).join(", ");
    const stored = names === "" ? "*" : `COLUMNS(c -> lower(c) NOT IN (${names}))`;
    const rowIds = withRowIds ? `, filename = '${FILE_COLUMN}', file_row_number = true` : "";
    parts.push(
      `SELECT ${[stored, ...partition].join(", ")} FROM read_parquet([${paths.map(quoteText).join(", ")}], union_by_name = true, hive_partitioning = false${rowIds})`,
    );
  }
  const names = columns.map(
    ({ name, type }) => `CAST(${quoteDuckDb(name)} AS ${duckDbType(type)}) AS ${quoteDuckDb(name)}`,
  );
  const idNames = withRowIds ? [FILE_COLUMN, ROW_COLUMN] : [];
  return `SELECT ${[...names, ...idNames].join(", ")} FROM (${parts.join(" UNION ALL BY NAME ")})`;
}

function byPartition(snapshot: Snapshot, tableDir: string) {
  const groups = new Map<
    string,
    { values: Readonly<Record<string, string | null>>; paths: string[] }
  >();
  for (const file of snapshot.files.values()) {
    const key = JSON.stringify(file.partitionValues);
    const group = groups.get(key) ?? { values: file.partitionValues, paths: [] };
    group.paths.push(dataFilePath(tableDir, file));
    groups.set(key, group);
  }
  return groups.values();
}
