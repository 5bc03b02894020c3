/**
 * `DELETE`, `UPDATE` and `MERGE`: the files that hold a row which changes are written
 * anew without it or with its new values; all others stay.
 */

import { type Column, quoteDuckDb } from "./data-type.ts";
import { type Plan, removal } from "./delta/change-table.ts";
import { dataFilePath, writeDataFiles } from "./delta/data-files.ts";
import type { Snapshot } from "./delta/log.ts";
import { FILE_COLUMN, prepareQuery, ROW_COLUMN, snapshotQuery } from "./read-table.ts";
import { quoted, type Run, type SqlResult } from "./run.ts";
import { SqlError } from "./sql-error.ts";
import type { Assignment, MergeClause, Statement } from "./statement.ts";
import { castTo, describeQuery, refuseNulls } from "./store-value.ts";
import { quoteName } from "./tokens.ts";
import {
  changeExisting,
  countsResult,
  findColumn,
  findWritable,
  layoutOf,
  refuseAppendOnly,
  type WritableTable,
} from "./write-table.ts";

type Counts = { readonly updated: number; readonly deleted: number; readonly inserted: number };
type CountedPlan = Plan & { readonly counts: Counts };

/** How the statements here name the table and the source of a MERGE while they are translated. */
const TARGET = "__target";
const SOURCE = "__source";

export async function deleteRows(
  run: Run,
  { path, alias, condition }: Extract<Statement, { kind: "delete" }>,
): Promise<SqlResult> {
  const table = findWritable(run, path);
  requireRead(run, table);
  const planned = await changeExisting(run, table, (snapshot) => {
    refuseAppendOnly(snapshot);
    return planChange(run, { table, snapshot, operation: "DELETE" }, async (own, rowIds) => {
      const name = quoteName(alias ?? path.at(-1) ?? "");
      const where = condition === null ? "" : ` WHERE ${condition}`;
      const ids = rowIds.map((id) => `${name}.${id}`).join(", ");
      const query = `SELECT ${ids}, 'delete' AS act FROM ${TARGET} AS ${name}${where}`;
      return { changes: await prepareQuery(run, query, { own }), inserts: null };
    });
  });
  return countsResult({ num_affected_rows: planned?.counts.deleted ?? 0 });
}

export async function updateRows(
  run: Run,
  { path, alias, assignments, condition }: Extract<Statement, { kind: "update" }>,
): Promise<SqlResult> {
  const table = findWritable(run, path);
  requireRead(run, table);
  const planned = await changeExisting(run, table, (snapshot) => {
    refuseAppendOnly(snapshot);
    const { columns } = layoutOf(snapshot, table.tableDir);
    return planChange(run, { table, snapshot, operation: "UPDATE" }, async (own, rowIds) => {
      const name = quoteName(alias ?? path.at(-1) ?? "");
      const where = condition === null ? "" : ` WHERE ${condition}`;
      const ids = rowIds.map((id) => `${name}.${id}`);
      const values = newValues(columns, assignments);
      const query = `SELECT ${[...ids, "'update' AS act", ...values].join(", ")} FROM ${TARGET} AS ${name}${where}`;
      return { changes: await prepareQuery(run, query, { own }), inserts: null };
    });
  });
  return countsResult({ num_affected_rows: planned?.counts.updated ?? 0 });
}

export async function mergeRows(
  run: Run,
  statement: Extract<Statement, { kind: "merge" }>,
): Promise<SqlResult> {
  const table = findWritable(run, statement.path);
  requireRead(run, table);
  const planned = await changeExisting(run, table, (snapshot) =>
    planChange(run, { table, snapshot, operation: "MERGE" }, (own, rowIds) =>
      prepareMerge(run, { statement, table, snapshot, own, rowIds }),
    ),
  );
  const { updated = 0, deleted = 0, inserted = 0 } = planned?.counts ?? {};
  return countsResult({
    num_affected_rows: updated + deleted + inserted,
    num_updated_rows: updated,
    num_deleted_rows: deleted,
    num_inserted_rows: inserted,
  });
}

export async function truncate(
  run: Run,
  { path }: Extract<Statement, { kind: "truncate" }>,
): Promise<SqlResult> {
  await deleteRows(run, { kind: "delete", path, alias: null, condition: null });
  return { columns: [], rows: [], isTruncated: false };
}

function requireRead(run: Run, { fullName }: WritableTable): void {
  run.catalog.require(run.session.principal, "SELECT", { type: "table", fullName });
}

type Changes = {
  /** `__file, file_row_number, act, n0 … ` – one row for each row that changes. */
  readonly changes: string;
  /** Rows to add, in the table's columns. */
  readonly inserts: string | null;
};

async function planChange(
  run: Run,
  {
    table,
    snapshot,
    operation,
  }: { readonly table: WritableTable; readonly snapshot: Snapshot; readonly operation: string },
  prepare: (
    own: ReadonlyMap<string, string>,
    rowIds: readonly [string, string],
  ) => Promise<Changes>,
): Promise<CountedPlan | null> {
  const { connection } = run;
  const layout = layoutOf(snapshot, table.tableDir);
  const target = run.newName();
  await connection.run(
    `CREATE TEMP VIEW ${quoteDuckDb(target)} AS ${snapshotQuery(snapshot, table.tableDir, { withRowIds: true })}`,
  );
  const { changes, inserts } = await prepare(new Map([[TARGET, target]]), [
    FILE_COLUMN,
    ROW_COLUMN,
  ]);
  const changed = quoteDuckDb(run.newName());
  await connection.run(`CREATE TEMP TABLE ${changed} AS ${changes}`);
  await refuseDoubleChange(run, changed, table);

  const files = await connection.runAndReadAll(`SELECT DISTINCT ${FILE_COLUMN} FROM ${changed}`);
  const touched = new Set(files.getRows().map(([path]) => String(path)));
  const rewritten = Array.from(snapshot.files.values()).filter((file) =>
    touched.has(dataFilePath(table.tableDir, file)),
  );
  const names = layout.columns.map(({ name }) => quoteDuckDb(name));
  const columnNames = await describeQuery(connection, `SELECT * FROM ${changed}`);
  const values = layout.columns.map((column, index) =>
    columnNames.some(({ name }) => name === `n${index}`)
      ? `CASE WHEN c.act = 'update' THEN ${castTo(`c.n${index}`, column.type)} ELSE t.${quoteDuckDb(column.name)} END AS ${quoteDuckDb(column.name)}`
      : `t.${quoteDuckDb(column.name)}`,
  );
  const kept = `SELECT ${values.join(", ")} FROM ${quoteDuckDb(target)} AS t LEFT JOIN ${changed} AS c USING (${FILE_COLUMN}, ${ROW_COLUMN})
    WHERE t.${FILE_COLUMN} IN (SELECT ${FILE_COLUMN} FROM ${changed}) AND (c.act IS NULL OR c.act <> 'delete')`;
  const query =
    inserts === null ? kept : `${kept} UNION ALL SELECT ${names.join(", ")} FROM (${inserts})`;
  const rows = quoteDuckDb(run.newName());
  await connection.run(`CREATE TEMP TABLE ${rows} AS ${query}`);
  await refuseNulls(connection, rows, layout.columns);
  const counts = await countChanges(run, changed, inserts);
  if (counts.updated + counts.deleted + counts.inserted === 0) return null;
  const added = await writeDataFiles(connection, `SELECT * FROM ${rows}`, layout, run.nowMs);
  return {
    counts,
    actions: [
      ...rewritten.map((file) => ({ remove: removal(file, run.nowMs) })),
      ...added.map((add) => ({ add })),
    ],
    operation,
    parameters: { predicate: [] },
    metrics: {
      numRemovedFiles: rewritten.length,
      numAddedFiles: added.length,
      numUpdatedRows: counts.updated,
      numDeletedRows: counts.deleted,
      numInsertedRows: counts.inserted,
    },
  };
}

async function countChanges(run: Run, changed: string, inserts: string | null): Promise<Counts> {
  const result = await run.connection.runAndReadAll(
    `SELECT count(*) FILTER (act = 'update'), count(*) FILTER (act = 'delete') FROM ${changed}`,
  );
  const [updated, deleted] = result.getRows()[0] ?? [];
  const added =
    inserts === null
      ? 0
      : (await run.connection.runAndReadAll(`SELECT count(*) FROM (${inserts})`)).getRows()[0]?.[0];
  return { updated: Number(updated), deleted: Number(deleted), inserted: Number(added) };
}

async function refuseDoubleChange(run: Run, changed: string, table: WritableTable): Promise<void> {
  const result = await run.connection.runAndReadAll(
    `SELECT 1 FROM ${changed} GROUP BY ${FILE_COLUMN}, ${ROW_COLUMN} HAVING count(*) > 1 LIMIT 1`,
  );
  if (result.getRows().length > 0) {
    throw new SqlError(
      "DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE",
      `Cannot perform MERGE as multiple source rows matched and attempted to modify the same target row in ${quoted(table.fullName)}.`,
      { sqlState: "21506" },
    );
  }
}

/** `value AS n<number of the column>` for those that are set. */
function newValues(columns: readonly Column[], assignments: readonly Assignment[]): string[] {
  return assignments.map(({ column: name, value }) => {
    return `${value} AS n${columns.indexOf(findColumn(columns, name))}`;
  });
}

type MergeRun = {
  readonly statement: Extract<Statement, { kind: "merge" }>;
  readonly table: WritableTable;
  readonly snapshot: Snapshot;
  readonly own: ReadonlyMap<string, string>;
  readonly rowIds: readonly [string, string];
};

/**
 * Matched rows, then target rows without a match, then source rows without one: of
 * each, the first clause whose condition holds counts.
 */
async function prepareMerge(run: Run, merge: MergeRun): Promise<Changes> {
  const { statement, table, snapshot, rowIds } = merge;
  const { columns } = layoutOf(snapshot, table.tableDir);
  const { relation, alias: sourceAlias } = splitAlias(statement.source);
  const source = run.newName();
  const sourceQuery = await prepareQuery(run, `SELECT * FROM ${relation}`, {});
  await run.connection.run(
    `CREATE TEMP TABLE ${quoteDuckDb(source)} AS SELECT *, row_number() OVER () AS __source_row FROM (${sourceQuery})`,
  );
  const own = new Map([...merge.own, [SOURCE, source]]);
  const sourceColumns = (await describeQuery(run.connection, sourceQuery)).map(({ name }) => name);
  const t = quoteName(statement.alias ?? statement.path.at(-1) ?? "");
  const s = quoteName(sourceAlias);
  const from = `FROM ${TARGET} AS ${t}`;
  const ids = rowIds.map((id) => `${t}.${id}`);

  const changing = statement.clauses.map((clause) =>
    expandUpdate(clause, { columns, sourceColumns, s }),
  );
  const set = setColumns(columns, changing);
  const inserting = statement.clauses.filter(({ on }) => on === "not matched");
  const parts: string[] = [];
  for (const [on, tail] of [
    ["matched", `${from} JOIN ${SOURCE} AS ${s} ON ${statement.condition}`],
    ["not matched by source", `${from} ANTI JOIN ${SOURCE} AS ${s} ON ${statement.condition}`],
  ] as const) {
    const clauses = changing.filter((clause) => clause.on === on);
    if (clauses.length === 0) continue;
    const values = chosenValues(columns, { clauses, set, t });
    const query = `SELECT ${[...ids, `${actOf(clauses)} AS act`, ...values].join(", ")} ${tail}`;
    parts.push(`SELECT * FROM (${await prepareQuery(run, query, { own })}) WHERE act IS NOT NULL`);
  }
  const none = `SELECT CAST(NULL AS VARCHAR) AS ${FILE_COLUMN}, CAST(NULL AS BIGINT) AS ${ROW_COLUMN}, CAST(NULL AS VARCHAR) AS act WHERE false`;
  const changes = [none, ...parts].join(" UNION ALL BY NAME ");

  const inserts: string[] = [];
  const unmatched = `FROM ${SOURCE} AS ${s} ANTI JOIN ${TARGET} AS ${t} ON ${statement.condition} WHERE true`;
  inserting.forEach((clause, index) => {
    const earlier = inserting
      .slice(0, index)
      .map(({ condition }) => `coalesce(${condition ?? "true"}, false)`);
    const conditions = [
      ...earlier.map((condition) => ` AND NOT (${condition})`),
      clause.condition === null ? "" : ` AND (${clause.condition})`,
    ];
    inserts.push(
      `SELECT ${insertedValues(clause, { columns, sourceColumns, s }).join(", ")} ${unmatched}${conditions.join("")}`,
    );
  });
  if (inserts.length === 0) return { changes, inserts: null };
  const prepared: string[] = [];
  for (const query of inserts) prepared.push(await prepareQuery(run, query, { own }));
  const typed = prepared.map(
    (query) =>
      `SELECT ${columns.map(({ name, type }, index) => `${castTo(`n${index}`, type)} AS ${quoteDuckDb(name)}`).join(", ")} FROM (${query})`,
  );
  return { changes, inserts: typed.join(" UNION ALL ") };
}

/** `(SELECT …) AS s`, `a.b.t s`, `a.b.t` → what is read, and what it is called. */
function splitAlias(source: string): { readonly relation: string; readonly alias: string } {
  // `VALUES (1) AS s(k)`: with its columns, the alias belongs to what is read.
  const [, named] = /(?:\)|\s)(?:AS\s+)?(`[^`]+`|\w+)\s*\([\w\s,`]+\)$/i.exec(source) ?? [];
  if (named !== undefined && /^VALUES\b/i.test(source)) {
    return { relation: source, alias: named.replaceAll("`", "") };
  }
  const [, relation, alias] = /^([\s\S]*?[)`\w])\s+(?:AS\s+)?(`[^`]+`|\w+)$/i.exec(source) ?? [];
  if (relation !== undefined && alias !== undefined) {
    return { relation, alias: alias.replaceAll("`", "") };
  }
  const last = /(?:`([^`]+)`|(\w+))$/.exec(source);
  return { relation: source, alias: last?.[1] ?? last?.[2] ?? SOURCE };
}

type Sides = {
  readonly columns: readonly Column[];
  readonly sourceColumns: readonly string[];
  /** The source's alias. */
  readonly s: string;
};

function sourceColumn({ sourceColumns, s }: Sides, column: Column): string {
  const name = sourceColumns.find((one) => one.toLowerCase() === column.name.toLowerCase());
  if (name !== undefined) return `${s}.${quoteName(name)}`;
  throw new SqlError(
    "DELTA_MERGE_UNRESOLVED_EXPRESSION",
    `Cannot resolve \`${column.name}\` in the source of the MERGE, whose columns are ${sourceColumns.join(", ")}.`,
    { sqlState: "42601" },
  );
}

function expandUpdate(clause: MergeClause, sides: Sides): MergeClause {
  if (clause.action.kind !== "update" || clause.action.assignments !== "*") return clause;
  const assignments = sides.columns.map((column) => ({
    column: column.name,
    value: sourceColumn(sides, column),
  }));
  return { ...clause, action: { kind: "update", assignments } };
}

function actOf(clauses: readonly MergeClause[]): string {
  const cases = clauses.map(
    ({ condition, action }) => `WHEN ${condition ?? "true"} THEN '${action.kind}'`,
  );
  return `CASE ${cases.join(" ")} END`;
}

function setColumns(columns: readonly Column[], clauses: readonly MergeClause[]): Column[] {
  const names = clauses.flatMap(({ action }) => assignmentsOf(action).map(({ column }) => column));
  return [...new Set(names.map((name) => findColumn(columns, name)))];
}

function assignmentsOf(action: MergeClause["action"]): readonly Assignment[] {
  return action.kind === "update" && action.assignments !== "*" ? action.assignments : [];
}

/** For every column that any clause sets: its value by the first clause that holds. */
function chosenValues(
  columns: readonly Column[],
  {
    clauses,
    set,
    t,
  }: {
    readonly clauses: readonly MergeClause[];
    readonly set: readonly Column[];
    readonly t: string;
  },
): string[] {
  return set.map((column) => {
    const old = `${t}.${quoteName(column.name)}`;
    const cases = clauses.map(({ condition, action }) => {
      const own = assignmentsOf(action).find((one) => findColumn(columns, one.column) === column);
      return `WHEN ${condition ?? "true"} THEN ${own?.value ?? old}`;
    });
    return `CASE ${cases.join(" ")} END AS n${columns.indexOf(column)}`;
  });
}

function insertedValues({ action }: MergeClause, sides: Sides): string[] {
  const { columns } = sides;
  if (action.kind !== "insert") return [];
  if (action.columns === "*") {
    return columns.map((column, index) => `${sourceColumn(sides, column)} AS n${index}`);
  }
  const targets = action.columns.map((name) => findColumn(columns, name));
  return columns.map((column, index) => {
    const at = targets.indexOf(column);
    return `${at === -1 ? "NULL" : action.values[at]} AS n${index}`;
  });
}
