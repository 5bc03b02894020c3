/**
 * One table of the history → where it goes, from the mark of how far it came: what a run that was
 * cut off had begun is brought to an end first, then come the files beyond the mark. The mark
 * is set before files are given to the target, and again when their rows are there.
 */
import { join, resolve } from "node:path";
import { DatabricksError } from "../../databricks/databricks-error.ts";
import { refuseDamaged } from "../../history/damaged-files.ts";
import { readSnapshot, tableIdIn } from "../../history/delta-log.ts";
import type { DuckDBConnection } from "../../history/duckdb.ts";
import type { ExportMark, ExportMarks } from "../../history/export-marks.ts";
import type { Files } from "../../history/files.ts";
import { gapsIn } from "../../history/gaps.ts";
import { repeatsIn } from "../../history/repeats.ts";
import { rangeOf, tableDirectory } from "../../history/seal.ts";
import type { TableName } from "../../history/tables.ts";
import { MERGE_MAX_MS, type RowTarget, type SealedFile, type SourceTable } from "./row-target.ts";

/** Files of one commit: a file for each minute makes this an hour and a half. */
const FILES_PER_LOAD = 100;

export type OpenMarks = {
  all(): ExportMarks;
  /** Durable when it returns. */
  set(table: TableName, mark: ExportMark): void;
};

export type TableExportSetting = {
  /** Of the history. */
  readonly directory: string;
  readonly files: Files;
  readonly connection: DuckDBConnection;
  readonly target: RowTarget;
  /** Other ways to the same tables. */
  readonly others: readonly RowTarget[];
  /** See `RowTarget.loader`. */
  readonly loader: string | null;
  readonly marks: OpenMarks;
  readonly onProgress: (message: string) => void;
  readonly wait: (durationMs: number) => Promise<void>;
};

export type TableExport = {
  /** How many were new. */
  readonly rows: number;
  readonly warnings: readonly string[];
};

/** What the history has of the table, and what became of the table in the target. */
type Exported = {
  readonly source: SourceTable;
  readonly sealed: readonly SealedFile[];
  /** The mark of the run before; `undefined` where there was none. */
  readonly before: ExportMark | undefined;
  /** The target's table is not the one that was loaded before. */
  readonly isMadeAnew: boolean;
  /** The history began anew: it may hold rows that the one before it told already. */
  readonly isOtherSource: boolean;
  /** Refuses files that are damaged. */
  readonly check: (files: readonly SealedFile[]) => Promise<void>;
};

/** @param knownId of the target's table, as it is now; `null` where that is not told. */
export async function exportTable(
  table: TableName,
  knownId: string | null,
  setting: TableExportSetting,
): Promise<TableExport> {
  const { target, loader, marks, ...local } = setting;
  const directory = resolve(local.directory);
  const home = tableDirectory(directory, table);
  const snapshot = await readSnapshot(home, local);
  // It has no rows yet, or its log is lost: the monitor makes it anew from the files of rows.
  if (snapshot.version < 0) return { rows: 0, warnings: [] };
  const before = marks.all()[table];
  const tableId = knownId ?? before?.tableId ?? null;
  const source = { table, sourceId: idInPath(tableIdIn(snapshot)) };
  const sealed = sealedFiles(home, snapshot.files);
  const exported: Exported = {
    source,
    sealed,
    before,
    isMadeAnew: isOther(before?.tableId, tableId),
    isOtherSource:
      before !== undefined && before.upTo > 0 && isOther(before.sourceId, source.sourceId),
    check: (files) => refuseDamaged(table, files.map(checkedOf), { ...local, directory }),
  };
  const warnings: string[] = [];
  if (exported.isMadeAnew) {
    const grants = target.hasGrants ? " Who may read it is granted by the next deploy." : "";
    const what = `${target.fullNameOf(table)} was made anew, so what is still there is loaded again.`;
    warnings.push(`${what}${grants}`);
  }

  if (before?.isMerging) {
    const what = `Waiting: what adds rows to ${target.fullNameOf(table)} was cut off, and may be at it still.`;
    setting.onProgress(what);
    await setting.wait(MERGE_MAX_MS);
  }

  // What comes after a gap waits until that is filled: a mark goes past nothing.
  const gapAt = gapsIn(snapshot, "gap")[0]?.from ?? Number.POSITIVE_INFINITY;
  const begun =
    isGoingOn(exported) && !target.knowsHowFar
      ? await finishBegun(exported, setting)
      : await resume(exported, gapAt, setting);
  const repeatsUpTo = Math.max(
    ...[repeatsIn(snapshot).upTo, exported.isOtherSource ? endOf(sealed) : 0, begun.repeatsUpTo],
  );
  const reach: Reach = (upTo, { onTheirWay = [], isMerging = false } = {}) =>
    marks.set(table, {
      ...{ upTo, tableId, sourceId: source.sourceId, loader },
      ...(repeatsUpTo > upTo && { repeatsUpTo }),
      ...(onTheirWay.length > 0 && { begun: onTheirWay }),
      ...(isMerging && { isMerging }),
    });
  const isKnown =
    isGoingOn(exported) &&
    before?.tableId === tableId &&
    before.sourceId === source.sourceId &&
    before.loader === loader;
  if (!isKnown || before.isMerging) reach(begun.upTo, begun);

  const { upTo } = begun;
  const news = newFiles(sealed, upTo).filter(({ from }) => from < gapAt);
  const [first] = news;
  if (upTo > 0 && first && first.from > upTo + 1) {
    warnings.push(
      `Rows of ${target.fullNameOf(table)} were gone from the history before they were exported: those of its entries ${upTo + 1} to ${first.from - 1}.`,
    );
  }
  const rows = await loadNews(
    news,
    { exported, upTo, repeatsUpTo, reach, loaded: begun.rows },
    setting,
  );
  return { rows, warnings };
}

/** Sets the mark. */
type Reach = (
  upTo: number,
  begun?: { readonly onTheirWay?: readonly string[]; readonly isMerging?: boolean },
) => void;

/** Whether a mark tells what is in the target's table. */
function isGoingOn({ before, isMadeAnew, isOtherSource }: Exported): boolean {
  return before !== undefined && !isMadeAnew && !isOtherSource;
}

type Begun = {
  readonly rows: number;
  readonly upTo: number;
  /** Up to this place some rows may be there. */
  readonly repeatsUpTo: number;
  /** Files that are still on their way. */
  readonly onTheirWay?: readonly string[];
};

/** What no mark tells, the target finds out. */
async function resume(
  { source, sealed, before, isMadeAnew, check }: Exported,
  gapAt: number,
  { target, files, connection }: TableExportSetting,
): Promise<Begun> {
  const resumed = await target.resume(source, sealed, { files, connection, check, isMadeAnew });
  const upTo = Math.min(resumed.upTo, gapAt - 1);
  const repeatsUpTo = Math.max(
    resumed.repeatsUpTo,
    upTo < resumed.upTo ? resumed.upTo : 0,
    // As long as the table is the same.
    isMadeAnew ? 0 : (before?.repeatsUpTo ?? 0),
  );
  return { rows: resumed.rows, upTo, repeatsUpTo };
}

/** What was on its way when the run before was cut off. */
async function finishBegun(
  { source, sealed, before, check }: Exported,
  { target, others, loader, files, connection }: TableExportSetting,
): Promise<Begun> {
  const { upTo = 0, begun = [], repeatsUpTo: repeating = 0 } = before ?? {};
  const gone = goneUpTo(begun, sealed);
  const isOthers = begun.length > 0 && isOther(before?.loader, loader);
  const other = isOthers ? await whoBegan(before?.loader, others) : null;
  const mayRepeat = isOthers && !other ? endOf(begunRanges(begun)) : gone;
  const repeatsUpTo = Math.max(repeating, mayRepeat);
  if (gone > 0) {
    const from = Math.min(...begunRanges(begun).map((range) => range.from));
    await (isOthers ? other : target)?.withdraw(source, { from, upTo: gone });
  } else if (other) {
    const again = sealed.filter((file) => begun.includes(begunAs(file)));
    await check(again);
    const rows = await other.load(source, again, { files, connection });
    return { rows, upTo: endOf(again), repeatsUpTo };
  }
  return { rows: 0, upTo, repeatsUpTo, onTheirWay: begun };
}

/** Who began a load that was cut off may be at it still: it alone may be asked for the same again. */
async function whoBegan(
  loader: string | null | undefined,
  others: readonly RowTarget[],
): Promise<RowTarget | null> {
  for (const other of others) if ((await other.loader()) === loader) return other;
  return null;
}

/** Returns how many rows were new, with those that were `loaded` before. */
async function loadNews(
  news: readonly SealedFile[],
  {
    exported: { source, check },
    upTo,
    repeatsUpTo,
    reach,
    loaded,
  }: {
    readonly exported: Exported;
    readonly upTo: number;
    readonly repeatsUpTo: number;
    readonly reach: Reach;
    readonly loaded: number;
  },
  { target, files, connection, onProgress }: TableExportSetting,
): Promise<number> {
  const local = { files, connection };
  let rows = loaded;
  let reached = upTo;
  // Merged from files of which some were loaded or on their way, or told by another history.
  const overlapping = news.filter(({ from }) => from <= Math.max(upTo, repeatsUpTo));
  for (const file of overlapping) {
    await check([file]);
    const isMerging = target.merges !== "nothing";
    if (isMerging) reach(reached, { isMerging });
    rows += await unlessOver(
      () => target.loadRest(source, file, local),
      () => reach(reached),
    );
    reached = file.upTo;
    reach(reached);
  }
  const whole = news.slice(overlapping.length);
  for (let done = 0; done < whole.length; done += FILES_PER_LOAD) {
    const batch = whole.slice(done, done + FILES_PER_LOAD);
    await check(batch);
    const onTheirWay = batch.map(begunAs);
    reach(reached, { onTheirWay, isMerging: target.merges === "all" });
    const load = () => target.load(source, batch, local);
    rows += await unlessOver(load, () => reach(reached, { onTheirWay }));
    reached = endOf(batch);
    reach(reached);
    const name = target.fullNameOf(source.table);
    onProgress(`${name}: ${rows} rows, ${done + batch.length} of ${whole.length} files`);
  }
  return rows;
}

/** @param onOver when it has failed, and nothing of it goes on. */
async function unlessOver(load: () => Promise<number>, onOver: () => void): Promise<number> {
  try {
    return await load();
  } catch (error) {
    const isKnown = !(error instanceof DatabricksError) || isAnswered(error);
    if (isKnown) onOver();
    throw error;
  }
}

function isAnswered({ call: { status, networkCode } }: DatabricksError): boolean {
  return networkCode === null && status !== null && status < 500;
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
