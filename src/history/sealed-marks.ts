/**
 * How far each table of the history goes, kept beside the tables. A log can't tell that its own end
 * is gone, together with the rows that it named; this can, with their number. It is written after
 * each commit, and before the journal loses what was sealed, and says never more than is there.
 */
import type { Snapshot } from "./delta-log.ts";
import type { Files } from "./files.ts";
import { keepTwice, readKept } from "./kept-twice.ts";
import { rowsIn, rowsSealed, sealedUpTo } from "./seal.ts";
import { type TableName, tableNames } from "./tables.ts";

export type SealedMark = {
  /** Of the last commit. */
  readonly version: number;
  /** The place in the journal. */
  readonly upTo: number;
  /** How many rows were ever sealed up to there. */
  readonly rows: number;
  /** How many of them were still in the table. */
  readonly left: number;
};

export type SealedMarks = Readonly<Partial<Record<TableName, SealedMark>>>;

const NAME = "sealed";

/** None where they are damaged, or were never written. */
export function readSealedMarks(directory: string, files: Files): SealedMarks {
  const kept = readKept({ directory, name: NAME, files });
  // This file alone writes it.
  return kept.kind === "kept" ? ((kept.value.tables ?? {}) as SealedMarks) : {};
}

/** Nothing is written where all of it is known. */
export function noteSealed(
  snapshots: ReadonlyMap<TableName, Snapshot>,
  { directory, files }: { readonly directory: string; readonly files: Files },
): void {
  const before = readSealedMarks(directory, files);
  const after = { ...before };
  for (const [table, snapshot] of snapshots) {
    if (snapshot.version > (before[table]?.version ?? -1)) after[table] = markOf(snapshot);
  }
  const isNews = tableNames.some((table) => after[table] !== before[table]);
  if (isNews) keepTwice({ directory, name: NAME, files }, { version: 1, tables: after });
}

/**
 * The last place of the journal that any table has rows of, as far as that is known: a disk that
 * fails now stops the history, and not the monitor.
 */
export function lastSealedPlace(directory: string, files: Files): number {
  try {
    const marks = Object.values(readSealedMarks(directory, files));
    return Math.max(0, ...marks.map(({ upTo }) => upTo));
  } catch (error) {
    if (error instanceof Error && "code" in error) return 0;
    throw error;
  }
}

function markOf(snapshot: Snapshot): SealedMark {
  const { version, files } = snapshot;
  const [upTo, rows] = [sealedUpTo(snapshot), rowsSealed(snapshot)];
  return { version, upTo, rows, left: rowsIn([...files.values()]) };
}
