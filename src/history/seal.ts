/**
 * Seals rows: one file for each table, and a commit in its log that says how far the
 * history has come. Done again after a crash at any point it has the effect of once,
 * since the commit holds both.
 */
import { join } from "node:path";
import {
  type Commit,
  damagedLog,
  logDirectory,
  readSnapshot,
  tableIdIn,
  writeCommit,
} from "./delta-log.ts";
import { type Files, UNFINISHED } from "./files.ts";
import { countOf, rowsAfter, type TableRows } from "./pending-rows.ts";
import type { StageContext } from "./staging.ts";
import { type TableName, tableNames, tables } from "./tables.ts";
import { writeParquet } from "./write-parquet.ts";

/** Who writes: so that others may write to the same table without being taken for it. */
export const WRITER = "dspy-databricks-history";
const SEQ_DIGITS = 16;

export type SealContext = StageContext & {
  readonly files: Files;
  /** Holds a directory for each table. */
  readonly directory: string;
  /** A UUID. */
  readonly newId: () => string;
};

/** By table: the journal's sequence number up to which its rows are sealed. */
export type Progress = ReadonlyMap<TableName, number>;

export function tableDirectory(directory: string, table: TableName): string {
  return join(directory, table);
}

export async function readProgress(context: SealContext): Promise<Progress> {
  const sealed = new Map<TableName, number>();
  for (const table of tableNames) {
    const { progress } = await readSnapshot(tableDirectory(context.directory, table), context);
    sealed.set(table, progress.get(WRITER) ?? 0);
  }
  return sealed;
}

/** Removes what a crash left behind: files that no commit names. Only while nobody else seals. */
export async function removeUnfinished(context: SealContext): Promise<void> {
  const { files, directory } = context;
  for (const table of tableNames) {
    const home = tableDirectory(directory, table);
    const snapshot = await readSnapshot(home, context);
    for (const name of files.list(home)) {
      const isOurs = name.endsWith(".parquet") || name.endsWith(UNFINISHED);
      const isKnown = snapshot.files.has(name) || snapshot.removedMs.has(name);
      if (isOurs && !isKnown) files.remove(join(home, name));
    }
    for (const name of files.list(logDirectory(home))) {
      if (name.endsWith(UNFINISHED)) files.remove(join(logDirectory(home), name));
    }
  }
}

export type Batch = {
  /** The journal's sequence number of the newest row. */
  readonly upTo: number;
  readonly timeMs: number;
  readonly tables: readonly TableRows[];
  /** What is sealed already, as far as the caller knows. */
  readonly sealedBefore?: Progress;
};

/** @throws MonitorError `STORE_DAMAGED` when a table does not hold any more what was sealed. */
export async function sealRows(
  { upTo, timeMs, tables: sealed, sealedBefore = new Map() }: Batch,
  context: SealContext,
): Promise<void> {
  for (const rows of sealed) {
    const atLeast = sealedBefore.get(rows.table) ?? 0;
    await sealTable(rows, { upTo, timeMs, atLeast }, context);
  }
}

async function sealTable(
  rows: TableRows,
  {
    upTo,
    timeMs,
    atLeast,
  }: { readonly upTo: number; readonly timeMs: number; readonly atLeast: number },
  context: SealContext,
): Promise<void> {
  const { files, directory, newId } = context;
  const home = tableDirectory(directory, rows.table);
  files.makeDirectory(home);
  for (;;) {
    const snapshot = await readSnapshot(home, context);
    const before = snapshot.progress.get(WRITER) ?? 0;
    if (before < atLeast) throw damagedLog(home, "its last commits are missing");
    // A commit may be there although it was told to have failed, and rows have come since.
    const left = rowsAfter(rows, before);
    if (countOf(left) === 0) return;
    const path = fileName({ from: before + 1, upTo });
    const unfinished = join(home, `${path}${UNFINISHED}`);
    const tableId = tableIdIn(snapshot) ?? newId();
    const stats = await writeParquet(left, { path: unfinished, tableId }, context);
    files.publish(unfinished, join(home, path));
    const added = {
      path,
      sizeBytes: files.sizeBytes(join(home, path)),
      modifiedMs: timeMs,
      stats,
    };
    const commit: Commit = {
      timeMs,
      operation: "WRITE",
      add: [added],
      remove: [],
      progress: { writer: WRITER, upTo },
    };
    const isCommitted = writeCommit(
      home,
      { table: tables[rows.table], tableId, version: snapshot.version, commit },
      context,
    );
    if (isCommitted) return;
    // Another commit came between: look again.
  }
}

/** Places in the journal whose rows a file holds. */
export type Range = { readonly from: number; readonly upTo: number };

export function fileName({ from, upTo }: Range): string {
  return `rows-${padded(from)}-${padded(upTo)}.parquet`;
}

/** `null` for a file that the history did not write. */
export function rangeOf(path: string): Range | null {
  const [, from, upTo] = /^rows-(\d{16})-(\d{16})\.parquet$/.exec(path) ?? [];
  return from === undefined ? null : { from: Number(from), upTo: Number(upTo) };
}

function padded(seq: number): string {
  return String(seq).padStart(SEQ_DIGITS, "0");
}
