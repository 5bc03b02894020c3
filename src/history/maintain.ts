/**
 * Keeps the tables small and quick to read: merges small files, drops what is too old or too
 * much, and writes checkpoints of the logs. Each step is one commit, so a crash between two
 * changes nothing that anyone reads.
 */
import { join } from "node:path";
import { changedFiles, damagedFiles, refuseDamaged } from "./damaged-files.ts";
import {
  type AddedFile,
  bytesOf,
  CHECKPOINT_COMMITS,
  type Commit,
  readSnapshot,
  type Snapshot,
  tableIdIn,
  writeCheckpoint,
  writeCommit,
} from "./delta-log.ts";
import { quoteText } from "./duckdb.ts";
import { UNFINISHED } from "./files.ts";
import { isClosed } from "./gaps.ts";
import { copyToParquet } from "./parquet-file.ts";
import { fileName, rangeOf, type SealContext, tableDirectory } from "./seal.ts";
import { type TableName, tableNames, tables } from "./tables.ts";

/** Files of about one size that are merged at a time. */
export const MERGE_FILES = 32;
/** Sizes at which files are of the next kind, in bytes. The largest are left as they are. */
const SIZE_STEPS_BYTES = [1 << 20, 16 << 20, 256 << 20];
/** A file that is rows no longer stays so long: a query may be reading it. */
export const REMOVED_KEPT_MS = 60 * 60_000;

/** Files that go at a time: a clock that is wrong for an hour must not cost the history. */
export const OUTDATED_FILES_MAX = 8;

export type Retention = {
  readonly maxAgeMs: number;
  /** Of all tables and the summaries together. */
  readonly maxBytes: number;
};

export const defaultRetention: Retention = {
  maxAgeMs: 90 * 24 * 3_600_000,
  maxBytes: 10 * 1024 ** 3,
};

/** What a target still waits for stays until it is this many times as old, or as much. */
export const UNEXPORTED_RETENTIONS = 2;

type Maintained = {
  readonly retention: Retention;
  readonly nowMs: number;
  /** What counts besides the tables; 0 by default. */
  readonly otherBytes?: number | undefined;
  /** Place in the journal up to which files may be merged: what is not exported yet stays as it is. */
  readonly mergeUpTo: number;
  /** By table, the place up to which every target has its rows. Left out, everything is there. */
  readonly exportedUpTo?: Readonly<Record<TableName, number>> | undefined;
} & MergeLimits;

export type MergeLimits = {
  /** `MERGE_FILES` by default. */
  readonly mergeFiles?: number | undefined;
  /** `CHECKPOINT_COMMITS` by default. */
  readonly checkpointCommits?: number | undefined;
};

export async function maintain(options: Maintained, context: SealContext): Promise<void> {
  const { nowMs } = options;
  const snapshots = new Map<TableName, Snapshot>();
  for (const name of tableNames) {
    const home = tableDirectory(context.directory, name);
    const snapshot = await readSnapshot(home, context);
    const changed = changedFiles(snapshot, home, context).map(({ path }) => path);
    if (changed.length > 0) throw damagedFiles(name, changed);
    snapshots.set(name, snapshot);
  }
  const outdated = outdatedFiles(snapshots, options);

  for (const name of tableNames) {
    const home = tableDirectory(context.directory, name);
    const commitTo = (snapshot: Snapshot, commit: Commit) =>
      writeCommit(home, { version: snapshot.version, commit }, context);
    const drop = outdated.get(name) ?? [];
    const before = snapshots.get(name);
    if (before && drop.length > 0) {
      commitTo(before, { timeMs: nowMs, operation: "DELETE", add: [], remove: drop });
    }
    const snapshot = await readSnapshot(home, context);
    const exported = options.exportedUpTo?.[name] ?? Number.POSITIVE_INFINITY;
    const limits = { ...options, mergeUpTo: Math.min(options.mergeUpTo, exported) };
    for (const files of mergeable([...snapshot.files.values()], limits)) {
      const tableId = tableIdIn(snapshot) ?? context.newId();
      const merged = await merge(files, { home, nowMs, table: name, tableId }, context);
      const latest = await readSnapshot(home, context);
      commitTo(latest, {
        timeMs: nowMs,
        operation: "OPTIMIZE",
        add: [merged],
        remove: files.map(({ path }) => path),
      });
    }
    await checkpointAndClean(home, options, context);
  }
}

/** Neighbours of about one size, so many that merging them is worth it. Pure. */
export function mergeable(
  files: readonly AddedFile[],
  { mergeUpTo, mergeFiles = MERGE_FILES }: Pick<Maintained, "mergeUpTo" | "mergeFiles">,
): AddedFile[][] {
  const groups: AddedFile[][] = [];
  let group: AddedFile[] = [];
  let step = -1;
  const end = () => {
    if (group.length >= mergeFiles) groups.push(group);
    group = [];
  };
  for (const file of files.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    const range = rangeOf(file.path);
    const its = SIZE_STEPS_BYTES.findIndex((limit) => file.sizeBytes < limit);
    if (!range || range.upTo > mergeUpTo || its < 0) {
      end();
      continue;
    }
    if (its !== step) end();
    step = its;
    group.push(file);
  }
  end();
  return groups;
}

/** What is too old, and then the oldest until the rest is small enough; by table. Pure. */
export function outdatedFiles(
  snapshots: ReadonlyMap<TableName, Pick<Snapshot, "files">>,
  {
    nowMs,
    retention,
    otherBytes = 0,
    exportedUpTo,
  }: Pick<Maintained, "nowMs" | "retention" | "otherBytes" | "exportedUpTo">,
): ReadonlyMap<TableName, string[]> {
  const oldestFirst = [...snapshots]
    .flatMap(([table, { files }]) =>
      Array.from(files.values(), (file) => ({ table, file, newestMs: newestMsOf(file) })),
    )
    .sort((a, b) => a.newestMs - b.newestMs);
  let bytes = oldestFirst.reduce((sum, { file }) => sum + file.sizeBytes, otherBytes);
  const outdated = new Map<TableName, string[]>();
  let dropped = 0;
  for (const { table, file, newestMs } of oldestFirst) {
    if (dropped === OUTDATED_FILES_MAX) break;
    const isTooMuch = (times: number) =>
      newestMs < nowMs - times * retention.maxAgeMs || bytes > times * retention.maxBytes;
    if (!isTooMuch(1)) break;
    const isExported =
      (rangeOf(file.path)?.upTo ?? 0) <= (exportedUpTo?.[table] ?? Number.POSITIVE_INFINITY);
    if (!isExported && !isTooMuch(UNEXPORTED_RETENTIONS)) continue;
    outdated.set(table, [...(outdated.get(table) ?? []), file.path]);
    bytes -= file.sizeBytes;
    dropped++;
  }
  return outdated;
}

function newestMsOf({ stats, modifiedMs }: AddedFile): number {
  const told = Date.parse(String(stats.max.timestamp));
  // An agent's clock may be ahead by years: then the time of writing says how old it is.
  return Number.isNaN(told) ? modifiedMs : Math.min(told, modifiedMs);
}

async function merge(
  files: readonly AddedFile[],
  {
    home,
    nowMs,
    table,
    tableId,
  }: {
    readonly home: string;
    readonly nowMs: number;
    readonly table: TableName;
    readonly tableId: string;
  },
  context: SealContext,
): Promise<AddedFile> {
  const ranges = files.flatMap(({ path }) => rangeOf(path) ?? []);
  const path = fileName({
    from: Math.min(...ranges.map(({ from }) => from)),
    upTo: Math.max(...ranges.map(({ upTo }) => upTo)),
  });
  const unfinished = join(home, `${path}${UNFINISHED}`);
  const sources = files.map((file) => quoteText(join(home, file.path))).join(", ");
  await refuseDamaged(table, files, context);
  const stats = await copyToParquet(
    `SELECT * FROM read_parquet([${sources}], union_by_name = true)`,
    { path: unfinished, columns: tables[table].columns, tableId },
    context.connection,
  );
  context.files.publish(unfinished, join(home, path));
  return { path, ...bytesOf(join(home, path), context.files), modifiedMs: nowMs, stats };
}

async function checkpointAndClean(
  home: string,
  {
    nowMs,
    checkpointCommits = CHECKPOINT_COMMITS,
  }: Pick<Maintained, "nowMs" | "checkpointCommits">,
  context: SealContext,
) {
  const snapshot = await readSnapshot(home, context);
  const forgotten = [...snapshot.removedMs].filter(([, atMs]) => nowMs - atMs > REMOVED_KEPT_MS);
  for (const [path] of forgotten) context.files.remove(join(home, path));
  if (snapshot.version < 0 || (snapshot.version + 1) % checkpointCommits !== 0) return;
  const gone = new Set(forgotten.map(([path]) => path));
  const removedMs = new Map([...snapshot.removedMs].filter(([path]) => !gone.has(path)));
  const progress = new Map([...snapshot.progress].filter((note) => !isClosed(note)));
  await writeCheckpoint(home, { ...snapshot, removedMs, progress }, context);
}
