/**
 * The history of a monitor → tables elsewhere: its sealed files, table by table, with a
 * mark of how far each has come. Stopped at any point and run again, it goes on; what is
 * there already is not loaded again, in whichever way it goes.
 */
import { randomUUID } from "node:crypto";
import { basename, dirname, join, resolve } from "node:path";
import { type Clock, systemClock } from "../../clock.ts";
import { refuseDamaged } from "../../history/damaged-files.ts";
import { readSnapshot, tableIdIn } from "../../history/delta-log.ts";
import { connect, type DuckDBConnection, loadDuckDb } from "../../history/duckdb.ts";
import { exportLock } from "../../history/export-lock.ts";
import {
  type ExportMark,
  type ExportMarks,
  readExportMarks,
  writeExportMarks,
} from "../../history/export-marks.ts";
import { diskFiles, type Files, sharedFiles } from "../../history/files.ts";
import { gapsIn } from "../../history/gaps.ts";
import { repeatsIn } from "../../history/repeats.ts";
import { rangeOf, tableDirectory } from "../../history/seal.ts";
import { type TableName, tableNames } from "../../history/tables.ts";
import { MonitorError } from "../../monitor-error.ts";
import type { DeltaExport } from "./delta-export.ts";
import type { DeltaTarget } from "./delta-target.ts";
import { type DirectoryTarget, directoryTarget } from "./directory-target.ts";
import { inOtherWords } from "./disk-failure.ts";
import { mergeTarget } from "./merge-target.ts";
import type { RowTarget, SealedFile } from "./row-target.ts";
import { volumeTarget } from "./volume-target.ts";

/** Where the rows go, and how. */
export type ExportTarget =
  /** Through a volume, or where `way` says so by statements alone. */
  (DeltaTarget & { readonly way?: "volume" | "merge" | undefined }) | DirectoryTarget;

/** What exporting touches on this machine. */
export type ExportMachine = {
  readonly files: Files;
  /** For the directory that a target is in. */
  readonly sharedFiles: Files;
  readonly clock: Clock;
  /** A DuckDB of its own, closed by whoever asked for it. */
  readonly openDuckDb: (options: {
    readonly temporaryDirectory: string;
  }) => Promise<DuckDBConnection>;
};

const thisMachine: ExportMachine = {
  files: diskFiles,
  sharedFiles,
  clock: systemClock,
  openDuckDb: async (options) => connect(await loadDuckDb(), { threads: 1, ...options }),
};

export type ExportOptions = Partial<ExportMachine> & {
  readonly onProgress?: (message: string) => void;
  /** How long another export of the same history is waited for; a minute by default. */
  readonly lockWaitMs?: number;
  /** Makes tables anew that were dropped, and loads them again. */
  readonly recreate?: boolean;
};

/** Files of one commit: a file for each minute makes this an hour and a half. */
const FILES_PER_LOAD = 100;
const LOCK_WAIT_MS = 60_000;

/**
 * @param directory of the history, which a monitor may be writing.
 * @throws MonitorError `HISTORY_MISSING`, `EXPORT_RUNNING`, `TABLE_CONFLICT`,
 * `TABLE_DROPPED`, or what Databricks refuses. Whatever it is, nothing is lost by it.
 */
export async function exportHistory(
  directory: string,
  target: ExportTarget,
  options: ExportOptions = {},
): Promise<DeltaExport> {
  try {
    return await exportOf(directory, target, { ...thisMachine, ...options });
  } catch (error) {
    throw inOtherWords(error, directory);
  }
}

async function exportOf(
  directory: string,
  target: ExportTarget,
  options: ExportMachine & ExportOptions,
): Promise<DeltaExport> {
  const { files, sharedFiles: targetFiles, clock, openDuckDb } = options;
  const { onProgress = () => {}, lockWaitMs = LOCK_WAIT_MS, recreate = false } = options;
  if (!files.list(dirname(resolve(directory))).includes(basename(resolve(directory)))) {
    throw new MonitorError("HISTORY_MISSING", `cannot export a history: there is no ${directory}`, {
      hint: "Start dspy-databricks monitor: it writes one every minute. Or name another with --data-dir.",
    });
  }
  const release = await exportLock(
    { directory, files },
    { clock, waitMs: lockWaitMs, onWait: onProgress },
  );
  try {
    const connection = await openDuckDb({ temporaryDirectory: join(directory, "temporary") });
    try {
      const [to, ...others] = rowTargetsOf(target, { files: targetFiles, connection, clock });
      return await exportTo(to, others, {
        directory,
        files,
        clock,
        connection,
        onProgress,
        recreate,
      });
    } finally {
      connection.closeSync();
    }
  } finally {
    release();
  }
}

/** The way that is asked for, and others to the same tables. */
function rowTargetsOf(
  target: ExportTarget,
  machine: {
    readonly files: Files;
    readonly connection: DuckDBConnection;
    readonly clock: Clock;
  },
): readonly [RowTarget, ...RowTarget[]] {
  if ("directory" in target) return [directoryTarget(target, { ...machine, newId: randomUUID })];
  const [volume, merge] = [volumeTarget(target), mergeTarget(target)];
  return target.way === "merge" ? [merge, volume] : [volume, merge];
}

type Exporting = {
  readonly directory: string;
  readonly files: Files;
  readonly clock: Clock;
  readonly connection: DuckDBConnection;
  readonly onProgress: (message: string) => void;
  readonly recreate: boolean;
};

async function exportTo(
  target: RowTarget,
  others: readonly RowTarget[],
  { directory, files, clock, connection, onProgress, recreate }: Exporting,
): Promise<DeltaExport> {
  const local = { files, connection };
  let marks: ExportMarks = readExportMarks(directory, target.name, files) ?? {};
  // From here on nobody merges or removes files that were not exported.
  writeExportMarks(directory, { target: target.name, marks, nowMs: clock.now() }, files);
  const setMark = (table: TableName, mark: ExportMark) => {
    marks = { ...marks, [table]: mark };
    writeExportMarks(directory, { target: target.name, marks, nowMs: clock.now() }, files);
  };

  const ids = await target.prepare(tableNames, { marks, recreate });
  const loader = await target.loader();
  /** Who began a load that was cut off may be at it still: it alone may be asked for the same again. */
  const whoBegan = async (began: string | null | undefined) => {
    for (const other of others) if ((await other.loader()) === began) return other;
    return null;
  };
  const warnings: string[] = [];
  const rows: Record<string, number> = {};
  for (const table of tableNames) {
    const fullName = target.fullNameOf(table);
    const home = tableDirectory(resolve(directory), table);
    const snapshot = await readSnapshot(home, local);
    const source = { table, sourceId: idInPath(tableIdIn(snapshot)) };
    const sealed = sealedFiles(home, snapshot.files);
    let before = marks[table];
    const tableId = ids.get(table) ?? before?.tableId ?? null;
    rows[fullName] = 0;
    // It has no rows yet, or its log is lost: the monitor makes it anew from the files of rows.
    if (snapshot.version < 0) continue;
    // A history that began anew may hold rows that the one before it told already.
    const isOtherSource =
      before !== undefined && before.upTo > 0 && isOther(before.sourceId, source.sourceId);
    const check = (some: readonly SealedFile[]) =>
      refuseDamaged(table, some.map(checkedOf), { ...local, directory: resolve(directory) });
    const isMadeAnew = isOther(before?.tableId, tableId);
    let loaded = 0;
    let repeatsUpTo = Math.max(repeatsIn(snapshot).upTo, isOtherSource ? endOf(sealed) : 0);
    if (before && !isOtherSource && !isMadeAnew) {
      const { begun = [], repeatsUpTo: repeating = 0 } = before;
      const gone = goneUpTo(begun, sealed);
      const isOthers = begun.length > 0 && isOther(before.loader, loader);
      const other = isOthers ? await whoBegan(before.loader) : null;
      const mayRepeat = isOthers && !other ? endOf(begunRanges(begun)) : gone;
      repeatsUpTo = Math.max(repeatsUpTo, repeating, mayRepeat);
      if (gone > 0) {
        const from = Math.min(...begunRanges(begun).map((range) => range.from));
        await (isOthers ? other : target)?.withdraw(source, { from, upTo: gone });
      } else if (other) {
        const files = sealed.filter((file) => begun.includes(begunAs(file)));
        await check(files);
        loaded += await other.load(source, files, local);
        const { begun: _, ...rest } = before;
        before = { ...rest, upTo: endOf(files) };
      }
    }
    const reach = (upTo: number, begun: readonly string[] = []) =>
      setMark(table, {
        upTo,
        tableId,
        sourceId: source.sourceId,
        loader,
        ...(repeatsUpTo > upTo && { repeatsUpTo }),
        ...(begun.length > 0 && { begun }),
      });

    // What comes after a gap waits until that is filled: a mark goes past nothing.
    const gapAt = gapsIn(snapshot, "gap")[0]?.from ?? Number.POSITIVE_INFINITY;
    if (isMadeAnew) {
      const grants = target.hasGrants ? " Who may read it is granted by the next deploy." : "";
      warnings.push(`${fullName} was made anew, so what is still there is loaded again.${grants}`);
    }
    if (before === undefined || isMadeAnew || isOtherSource) {
      const resumed = await target.resume(source, sealed, { ...local, check, isMadeAnew });
      loaded += resumed.rows;
      const upTo = Math.min(resumed.upTo, gapAt - 1);
      repeatsUpTo = Math.max(
        repeatsUpTo,
        resumed.repeatsUpTo,
        upTo < resumed.upTo ? resumed.upTo : 0,
      );
      reach(upTo);
    } else if (
      before.tableId !== tableId ||
      before.sourceId !== source.sourceId ||
      before.loader !== loader
    ) {
      reach(before.upTo, before.begun);
    }

    const startedAt = marks[table]?.upTo ?? 0;
    const news = newFiles(sealed, startedAt).filter(({ from }) => from < gapAt);
    const [first] = news;
    if (startedAt > 0 && first && first.from > startedAt + 1) {
      warnings.push(
        `Rows of ${fullName} were gone from the history before they were exported: those of its entries ${startedAt + 1} to ${first.from - 1}.`,
      );
    }
    // Merged from files of which some were loaded or on their way, or told by another history.
    const overlapping = news.filter(({ from }) => from <= Math.max(startedAt, repeatsUpTo));
    for (const file of overlapping) {
      await check([file]);
      loaded += await target.loadRest(source, file, local);
      reach(file.upTo);
    }
    news.splice(0, overlapping.length);
    for (let done = 0; done < news.length; done += FILES_PER_LOAD) {
      const batch = news.slice(done, done + FILES_PER_LOAD);
      await check(batch);
      reach(marks[table]?.upTo ?? 0, batch.map(begunAs));
      loaded += await target.load(source, batch, local);
      reach(batch.at(-1)?.upTo ?? startedAt);
      onProgress(`${fullName}: ${loaded} rows, ${done + batch.length} of ${news.length} files`);
    }
    rows[fullName] = loaded;
  }
  return {
    rows: Object.values(rows).reduce((sum, count) => sum + count, 0),
    tables: rows,
    warnings,
  };
}

/**
 * Where files that were on their way end, if one of them is no more what it was: only files
 * as they are can be loaded again. Pure.
 */
function goneUpTo(begun: readonly string[], sealed: readonly SealedFile[]): number {
  const known = new Set(sealed.map(begunAs));
  return begun.every((file) => known.has(file)) ? 0 : endOf(begunRanges(begun));
}

function begunRanges(begun: readonly string[]) {
  return begun.flatMap((file) => rangeOf(file.replace(/@.*/, "")) ?? []);
}

function endOf(ranges: readonly { readonly upTo: number }[]): number {
  return Math.max(0, ...ranges.map(({ upTo }) => upTo));
}

/** Its name, and what tells it from another of that name, made after it was damaged. */
function begunAs({ name, checksum }: SealedFile): string {
  return `${name}@${checksum}`;
}

function checkedOf({ name, checksum }: SealedFile) {
  return { path: name, checksum };
}

/** Whether both are known, and they differ. */
function isOther(known: string | null | undefined, now: string | null): boolean {
  return known !== undefined && known !== null && now !== null && known !== now;
}

function sealedFiles(
  home: string,
  files: Awaited<ReturnType<typeof readSnapshot>>["files"],
): readonly SealedFile[] {
  return [...files.values()].flatMap(({ path: name, sizeBytes, checksum, stats }) => {
    const range = rangeOf(name);
    return range ? [{ name, path: join(home, name), ...range, sizeBytes, checksum, stats }] : [];
  });
}

/** Those beyond the mark, the oldest first. Pure. */
export function newFiles<Range extends { readonly upTo: number }>(
  files: readonly Range[],
  mark: number,
): Range[] {
  return files.filter(({ upTo }) => upTo > mark).sort((a, b) => a.upTo - b.upTo);
}

/** Two histories name their files alike; the id of a table is its own. */
function idInPath(tableId: string | null): string {
  return tableId?.replace(/[^\w-]/g, "_") ?? "none";
}
