/**
 * What every statement that writes a table does: find it, check that it may be
 * written, commit the change, and tell the catalog of new columns.
 */

import type { Column } from "./data-type.ts";
import { toDelta } from "./data-type.ts";
import type { Action, Metadata } from "./delta/actions.ts";
import { changeTable, type Plan } from "./delta/change-table.ts";
import type { TableLayout } from "./delta/data-files.ts";
import type { Snapshot } from "./delta/log.ts";
import { columnsOf } from "./read-table.ts";
import { fullNameOf, quoted, type Run, requireSchema, schemaOf } from "./run.ts";
import { notFound, SqlError, unsupported } from "./sql-error.ts";
import type { Path } from "./statement.ts";

export type WritableTable = {
  readonly fullName: string;
  readonly tableDir: string;
};

/** @throws SqlError when there is no such table, or the principal may not change its rows. */
export function findWritable(run: Run, path: Path): WritableTable {
  const fullName = fullNameOf(run.session, path);
  requireSchema(run.catalog, schemaOf(fullName));
  run.catalog.require(run.session.principal, "USE_SCHEMA", {
    type: "schema",
    fullName: schemaOf(fullName),
  });
  const table = run.catalog.table(fullName);
  if (!table) throw notFound("table", quoted(fullName));
  if (table.view) throw unsupported(`writing through views, and ${quoted(fullName)} is one`);
  run.catalog.require(run.session.principal, "MODIFY", { type: "table", fullName });
  return { fullName, tableDir: run.catalog.tableDirectory(fullName) };
}

/** Runs `plan` on the table as it is, commits what it gives, and returns it. */
export async function changeExisting<P extends Plan>(
  run: Run,
  { fullName, tableDir }: WritableTable,
  plan: (snapshot: Snapshot) => Promise<P | null>,
): Promise<P | null> {
  const { locks, nowMs, session, catalog } = run;
  const user = session.principal.name;
  const planned = await changeTable({ tableDir, locks, nowMs, user }, async (snapshot) => {
    if (!snapshot) throw notFound("table", quoted(fullName));
    return await plan(snapshot);
  });
  const metadata = planned?.actions.find((action: Action) => action.metaData)?.metaData;
  const known = catalog.table(fullName);
  if (metadata && known) {
    catalog.putTable({ ...known, ...described(metadata) }, session.principal);
  }
  return planned;
}

/** What the catalog tells of a table, out of its log. */
export function described(metadata: Metadata) {
  const schema = toColumns(metadata);
  return {
    columns: schema,
    partitionColumns: metadata.partitionColumns,
    properties: metadata.configuration,
    comment: metadata.description ?? null,
  };
}

function toColumns(metadata: Metadata): Column[] {
  // Only the schema is read of it.
  return columnsOf({ metadata } as Snapshot);
}

export function layoutOf(snapshot: Snapshot, tableDir: string): TableLayout {
  return {
    tableDir,
    columns: columnsOf(snapshot),
    partitionColumns: snapshot.metadata.partitionColumns,
  };
}

export function withColumns(metadata: Metadata, columns: readonly Column[]): Metadata {
  return {
    ...metadata,
    schemaString: JSON.stringify(toDelta({ kind: "struct", fields: columns })),
  };
}

/** @throws SqlError when rows may only be added. */
export function refuseAppendOnly({ metadata }: Snapshot): void {
  if (metadata.configuration["delta.appendOnly"] === "true") {
    throw new SqlError(
      "DELTA_CANNOT_MODIFY_APPEND_ONLY",
      "This table is configured to only allow appends.",
      { sqlState: "42809" },
    );
  }
}

/** By name, in any case. @throws SqlError `UNRESOLVED_COLUMN`. */
export function findColumn(columns: readonly Column[], name: string): Column {
  const column = columns.find((one) => one.name.toLowerCase() === name.toLowerCase());
  if (column) return column;
  throw new SqlError(
    "UNRESOLVED_COLUMN.WITH_SUGGESTION",
    `A column with name \`${name}\` cannot be resolved. The table has: ${columns.map((one) => `\`${one.name}\``).join(", ")}.`,
    { sqlState: "42703" },
  );
}

const LONG = { kind: "primitive", name: "long" } as const;

/** As Databricks answers a statement that changed rows. */
export function countsResult(counts: Readonly<Record<string, number>>) {
  return {
    columns: Object.keys(counts).map((name) => ({ name, type: LONG })),
    rows: [Object.values(counts).map(String)],
    isTruncated: false,
  };
}
