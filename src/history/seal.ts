/**
 * Seals rows: one file for each table, and a commit in its log that says how far the
 * history has come. Done again after a crash at any point it has the effect of once,
 * since the commit holds both.
 */
import { join } from "node:path";
import {
  type AddedFile,
  bytesOf,
  type Commit,
  damagedLog,
  logDirectory,
  readSnapshot,
  type Snapshot,
  tableIdIn,
  writeCommit,
} from "./delta-log.ts";
import { type Files, UNFINISHED } from "./files.ts";
import { closed, type Gap, gapsIn, opened, restOf } from "./gaps.ts";
import { countOf, rowsAfter, type TableRows } from "./pending-rows.ts";
import { filesAround, notedRepeats } from "./repeats.ts";
import type { StageContext } from "./staging.ts";
import { type TableName, tableNames, tables } from "./tables.ts";
import { writeParquet } from "./write-parquet.ts";

/** Who writes: so that others may write to the same table without being taken for it. */
export const WRITER = "dspy-databricks-history";
/** The note of how many rows it has ever sealed, those of refilled gaps aside. */
const ROWS = `${WRITER}/rows`;
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

/** What the logs of tables say; of all of them by default. */
export async function readSnapshots(
  context: SealContext,
  of: Iterable<TableName> = tableNames,
): Promise<ReadonlyMap<TableName, Snapshot>> {
  const snapshots = new Map<TableName, Snapshot>();
  for (const table of of) {
    snapshots.set(table, await readSnapshot(tableDirectory(context.directory, table), context));
  }
  return snapshots;
}

export function sealedUpTo({ progress }: Pick<Snapshot, "progress">): number {
  return progress.get(WRITER) ?? 0;
}

/** Rows that were ever sealed up to there, whatever became of them. */
export function rowsSealed({ progress }: Pick<Snapshot, "progress">): number {
  return progress.get(ROWS) ?? 0;
}

/** Notes that a table goes up to a place, and that so many rows were sealed by then. */
export function sealedNotes({ upTo, rows }: { readonly upTo: number; readonly rows: number }) {
  return [
    [WRITER, upTo],
    [ROWS, rows],
  ] as const;
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
  /** Time up to which what is told may have been sealed before; 0, and never, by default. */
  readonly repeatsUntilMs?: number;
};

/**
 * Returns how far each of the tables says that it goes.
 *
 * @throws MonitorError `STORE_DAMAGED` when a table does not hold any more what was sealed.
 */
export async function sealRows(batch: Batch, context: SealContext): Promise<Progress> {
  const sealed = new Map<TableName, number>();
  for (const rows of batch.tables) sealed.set(rows.table, await sealTable(rows, batch, context));
  return sealed;
}

async function sealTable(
  rows: TableRows,
  { upTo, timeMs, sealedBefore = new Map(), repeatsUntilMs = 0 }: Omit<Batch, "tables">,
  context: SealContext,
): Promise<number> {
  const { files, directory } = context;
  const { table } = rows;
  const home = tableDirectory(directory, table);
  files.makeDirectory(home);
  const atLeast = sealedBefore.get(table) ?? 0;
  const isRepeated = repeatsUntilMs > 0;
  let sealed = upTo;
  await commitTo(table, context, async (snapshot, tableId) => {
    const before = sealedUpTo(snapshot);
    if (before < atLeast) throw damagedLog(home, "its last commits are missing");
    // A commit may be there although it was told to have failed, and rows have come since.
    const left = rowsAfter(rows, before);
    if (countOf(left) === 0) {
      sealed = before;
      return null;
    }
    const range = { from: before + 1, upTo };
    const add = await writeFile(left, { range, timeMs, isRepeated, tableId }, snapshot, context);
    const noted = isRepeated ? notedRepeats({ untilMs: repeatsUntilMs, upTo }) : [];
    return {
      ...{ timeMs, operation: "WRITE", add, remove: [] },
      progress: new Map([
        ...noted,
        ...sealedNotes({ upTo, rows: rowsSealed(snapshot) + rowsIn(add) }),
      ]),
    };
  });
  return sealed;
}

/** A gap, and what came of its rows again. */
export type FilledGap = {
  readonly gap: Gap;
  readonly rows: TableRows;
  /** Its end, or a place before it from which on it stays open. */
  readonly upTo: number;
  readonly timeMs: number;
  readonly isRepeated: boolean;
  /** Of the rows that there were, those that are told as lost. */
  readonly lost: Gap | null;
};

/** Closes a gap, in the commit that adds its rows. */
export async function fillGap(
  { gap, rows, upTo, timeMs, isRepeated, lost }: FilledGap,
  context: SealContext,
): Promise<void> {
  await commitTo(rows.table, context, async (snapshot, tableId) => {
    const isOpen = gapsIn(snapshot, "gap").some(
      (one) => one.from === gap.from && one.upTo === gap.upTo,
    );
    if (!isOpen) return null;
    const range = { from: gap.from, upTo };
    const add =
      countOf(rows) === 0
        ? []
        : await writeFile(rows, { range, timeMs, isRepeated, tableId }, snapshot, context);
    const rest = restOf(gap, upTo, countOf(rows));
    return {
      ...{ timeMs, operation: "WRITE", add, remove: [] },
      progress: new Map([
        closed("gap", gap),
        ...(rest ? [opened("gap", rest)] : []),
        ...(lost ? [opened("lost", lost)] : []),
      ]),
    };
  });
}

/** Lost rows that people were told of. */
export async function noteTold(
  table: TableName,
  { lost, timeMs }: { readonly lost: readonly Gap[]; readonly timeMs: number },
  context: SealContext,
): Promise<void> {
  const progress = new Map(lost.map((gap) => closed("lost", gap)));
  await commitTo(table, context, () =>
    Promise.resolve({ timeMs, operation: "WRITE", add: [], remove: [], progress }),
  );
}

/** Decides again when another commit came between. @param decide `null` when nothing is to be done. */
async function commitTo(
  table: TableName,
  context: SealContext,
  decide: (snapshot: Snapshot, tableId: string) => Promise<Commit | null>,
): Promise<void> {
  const home = tableDirectory(context.directory, table);
  for (;;) {
    const snapshot = await readSnapshot(home, context);
    const { version } = snapshot;
    const tableId = tableIdIn(snapshot) ?? context.newId();
    const commit = await decide(snapshot, tableId);
    if (!commit) return;
    const made = { table: tables[table], tableId };
    if (writeCommit(home, { version, made, commit }, context)) return;
  }
}

/** None when every row is in another file already. */
async function writeFile(
  rows: TableRows,
  {
    range,
    timeMs,
    isRepeated,
    tableId,
  }: {
    readonly range: Range;
    readonly timeMs: number;
    readonly isRepeated: boolean;
    readonly tableId: string;
  },
  snapshot: Snapshot,
  context: SealContext,
): Promise<readonly AddedFile[]> {
  const { files, directory } = context;
  const home = tableDirectory(directory, rows.table);
  const path = fileName(range);
  const unfinished = join(home, `${path}${UNFINISHED}`);
  const around = isRepeated ? filesAround(rows, snapshot.files.values()) : [];
  const except = around.map((file) => join(home, file.path));
  const stats = await writeParquet(rows, { path: unfinished, tableId, except }, context);
  if (stats.rows === 0) {
    files.remove(unfinished);
    return [];
  }
  files.publish(unfinished, join(home, path));
  return [{ path, ...bytesOf(join(home, path), files), modifiedMs: timeMs, stats }];
}

export function rowsIn(files: readonly Pick<AddedFile, "stats">[]): number {
  return files.reduce((sum, { stats }) => sum + stats.rows, 0);
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
