/**
 * The history of a monitor → tables elsewhere: its sealed files, table by table, with a
 * mark of how far each has come; one export of a history at a time. Stopped at any point and run again, it goes on; what is
 * there already is not loaded again, in whichever way it goes.
 */
import { randomUUID } from "node:crypto";
import { basename, dirname, join, resolve } from "node:path";
import { type Clock, systemClock } from "../../clock.ts";
import { connect, type DuckDBConnection, loadDuckDb } from "../../history/duckdb.ts";
import { exportLock } from "../../history/export-lock.ts";
import { readExportMarks, writeExportMarks } from "../../history/export-marks.ts";
import { diskFiles, type Files, sharedFiles } from "../../history/files.ts";
import { tableNames } from "../../history/tables.ts";
import { MonitorError } from "../../monitor-error.ts";
import type { DeltaExport } from "./delta-export.ts";
import type { DeltaTarget } from "./delta-target.ts";
import { type DirectoryTarget, directoryTarget } from "./directory-target.ts";
import { inOtherWords } from "./disk-failure.ts";
import { exportTable, type OpenMarks } from "./export-table.ts";
import { mergeTarget } from "./merge-target.ts";
import type { RowTarget } from "./row-target.ts";
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
  exporting: Exporting,
): Promise<DeltaExport> {
  const marks = openMarks(target.name, exporting);
  const { recreate, clock } = exporting;
  const wait = (durationMs: number) =>
    new Promise<void>((resolve) => {
      clock.after(durationMs, resolve);
    });
  const ids = await target.prepare(tableNames, { marks: marks.all(), recreate });
  const loader = await target.loader();
  const warnings: string[] = [];
  const rows: Record<string, number> = {};
  for (const table of tableNames) {
    const setting = { ...exporting, target, others, loader, marks, wait };
    const exported = await exportTable(table, ids.get(table) ?? null, setting);
    rows[target.fullNameOf(table)] = exported.rows;
    warnings.push(...exported.warnings);
  }
  return {
    rows: Object.values(rows).reduce((sum, count) => sum + count, 0),
    tables: rows,
    warnings,
  };
}

/** How far each table has come: on the disk when `set` returns. */
function openMarks(name: string, { directory, files, clock }: Exporting): OpenMarks {
  let marks = readExportMarks(directory, name, files) ?? {};
  const write = () =>
    writeExportMarks(directory, { target: name, marks, nowMs: clock.now() }, files);
  // From here on nobody merges or removes files that were not exported.
  write();
  return {
    all: () => marks,
    set(table, mark) {
      marks = { ...marks, [table]: mark };
      write();
    },
  };
}
