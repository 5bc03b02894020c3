/** `INSERT INTO` and `INSERT OVERWRITE`: the rows of a query become rows of a table. */

import type { Column } from "./data-type.ts";
import { quoteDuckDb } from "./data-type.ts";
import { removal } from "./delta/change-table.ts";
import { writeDataFiles } from "./delta/data-files.ts";
import { prepareQuery } from "./read-table.ts";
import { quoted, type Run, type SqlResult } from "./run.ts";
import { SqlError } from "./sql-error.ts";
import type { Statement } from "./statement.ts";
import { castTo, describeQuery, type QueryColumn, refuseNulls } from "./store-value.ts";
import {
  changeExisting,
  countsResult,
  findColumn,
  findWritable,
  layoutOf,
  refuseAppendOnly,
} from "./write-table.ts";

export async function insert(
  run: Run,
  statement: Extract<Statement, { kind: "insert" }>,
): Promise<SqlResult> {
  const table = findWritable(run, statement.path);
  const query = await prepareQuery(run, statement.query);
  const given = await describeQuery(run.connection, query);
  const rows = run.newName();
  await run.connection.run(`CREATE TEMP TABLE ${quoteDuckDb(rows)} AS ${renumbered(query, given)}`);
  const count = await countRows(run, rows);

  await changeExisting(run, table, async (snapshot) => {
    if (statement.overwrite) refuseAppendOnly(snapshot);
    const layout = layoutOf(snapshot, table.tableDir);
    const sources = matchColumns(layout.columns, given, { ...statement, table: table.fullName });
    const selected = layout.columns.map((column, index) => {
      const source = sources[index];
      return `${castTo(source === null ? "NULL" : `c${source}`, column.type)} AS ${quoteDuckDb(column.name)}`;
    });
    const stored = `(SELECT ${selected.join(", ")} FROM ${quoteDuckDb(rows)})`;
    await refuseNulls(run.connection, stored, layout.columns);
    const added = await writeDataFiles(
      run.connection,
      `SELECT * FROM ${stored}`,
      layout,
      run.nowMs,
    );
    const removed = statement.overwrite ? Array.from(snapshot.files.values()) : [];
    if (added.length + removed.length === 0) return null;
    return {
      actions: [
        ...removed.map((file) => ({ remove: removal(file, run.nowMs) })),
        ...added.map((add) => ({ add })),
      ],
      operation: "WRITE",
      parameters: { mode: statement.overwrite ? "Overwrite" : "Append", partitionBy: [] },
      metrics: { numFiles: added.length, numOutputRows: count },
      isBlindAppend: !statement.overwrite,
    };
  });
  return countsResult({ num_affected_rows: count, num_inserted_rows: count });
}

/** The query's columns by number, whatever they are called. */
function renumbered(query: string, given: readonly QueryColumn[]): string {
  return `SELECT * FROM (${query}) AS q(${given.map((_, index) => `c${index}`).join(", ")})`;
}

async function countRows(run: Run, rows: string): Promise<number> {
  const result = await run.connection.runAndReadAll(`SELECT count(*) FROM ${quoteDuckDb(rows)}`);
  return Number(result.getRows()[0]?.[0]);
}

/** For each column of the table, which of the query's goes there; `null`: none. */
function matchColumns(
  columns: readonly Column[],
  given: readonly QueryColumn[],
  {
    columns: named,
    byName,
    table,
  }: {
    readonly columns: readonly string[] | null;
    readonly byName: boolean;
    readonly table: string;
  },
): (number | null)[] {
  const names = byName ? given.map(({ name }) => name) : named;
  if (names === null) {
    if (given.length === columns.length) return columns.map((_, index) => index);
    throw arityMismatch(table, columns.length, given.length);
  }
  if (names.length !== given.length) throw arityMismatch(table, names.length, given.length);
  const targets = names.map((name) => findColumn(columns, name));
  const twice = targets.find((target, index) => targets.indexOf(target) !== index);
  if (twice) {
    throw new SqlError("COLUMN_ALREADY_EXISTS", `The column \`${twice.name}\` is named twice.`, {
      sqlState: "42711",
    });
  }
  return columns.map((column) => {
    const index = targets.indexOf(column);
    return index === -1 ? null : index;
  });
}

function arityMismatch(table: string, expected: number, given: number): SqlError {
  const errorClass = `INSERT_COLUMN_ARITY_MISMATCH.${given < expected ? "NOT_ENOUGH" : "TOO_MANY"}_DATA_COLUMNS`;
  return new SqlError(
    errorClass,
    `Cannot write to ${quoted(table)}: it takes ${expected} columns and the data has ${given}.`,
    { sqlState: "21S01" },
  );
}
