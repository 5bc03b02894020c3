/**
 * Finds tables of which something is damaged, before anybody writes to them. A log that can't be
 * read is written anew from the files of rows, whose names say what they hold. A file that is
 * gone or can't be read is set aside: its rows are sealed again where the journal still has them,
 * and counted as lost where not. Each table is mended by one commit, or not at all.
 */
import { join } from "node:path";
import { MonitorError } from "../monitor-error.ts";
import {
  type AddedFile,
  creation,
  DamagedLogError,
  readRemains,
  readSnapshot,
  type Snapshot,
  writeCheckpoint,
  writeCommit,
} from "./delta-log.ts";
import { isSystemFailure, quoteText } from "./duckdb.ts";
import { readStats, readTableId } from "./parquet-file.ts";
import { rangeOf, type SealContext, tableDirectory, WRITER } from "./seal.ts";
import { type TableName, tableNames, tables } from "./tables.ts";

/** Beside the tables; holds what was set aside. */
export const DAMAGED_DIRECTORY = "damaged";

export type Repair = {
  readonly table: TableName;
  /** What was found and done, as one sentence. */
  readonly what: string;
  /** Rows that nothing brings back. */
  readonly rowsLost: number;
  /** Rows that are expected from the journal again, up to a place in it. */
  readonly again: {
    readonly upTo: number;
    readonly rows: number;
    /** Where the files ended that held them. They are made again as they were: a target may know them. */
    readonly ends: readonly number[];
  } | null;
};

export type RepairOptions = {
  /** The first place that the journal still has. */
  readonly journalFrom: number;
  readonly nowMs: number;
};

export async function repairTables(
  options: RepairOptions,
  context: SealContext,
): Promise<readonly Repair[]> {
  const repairs: Repair[] = [];
  for (const table of tableNames) {
    const home = tableDirectory(context.directory, table);
    const { snapshot, rebuilt } = await snapshotOf(table, home, { options, context });
    if (rebuilt) repairs.push(rebuilt);
    const dropped = await dropDamaged(table, snapshot, { home, options, context });
    if (dropped) repairs.push(dropped);
    else await adoptFinished(table, home, { options, context });
  }
  return repairs;
}

type Setting = {
  readonly options: RepairOptions;
  readonly context: SealContext;
};

async function snapshotOf(
  table: TableName,
  home: string,
  { options, context }: Setting,
): Promise<{ readonly snapshot: Snapshot; readonly rebuilt: Repair | null }> {
  try {
    const snapshot = await readSnapshot(home, context);
    const isLost =
      snapshot.version < 0 ? hasLostItsLog(home, context) : isBehind(snapshot, home, context);
    if (!isLost) return { snapshot, rebuilt: null };
  } catch (error) {
    if (!(error instanceof DamagedLogError)) throw error;
  }
  return rebuildLog(table, home, { options, context });
}

/** A crash before the first commit leaves files, too: but only such as begin at the beginning. */
function hasLostItsLog(home: string, { files }: SealContext): boolean {
  return files.list(home).some((name) => (rangeOf(name)?.from ?? 1) > 1);
}

/** The commit that merged files is lost, and the files are gone: what they became is there. */
function isBehind(snapshot: Snapshot, home: string, context: SealContext): boolean {
  const names = context.files.list(home);
  const gone = [...snapshot.files.keys()].filter((path) => !names.includes(path)).map(rangeOf);
  return names
    .filter((name) => !snapshot.files.has(name) && !snapshot.removedMs.has(name))
    .map(rangeOf)
    .some((merged) =>
      gone.some(
        (range) => merged && range && merged.from <= range.from && range.upTo <= merged.upTo,
      ),
    );
}

async function rebuildLog(
  table: TableName,
  home: string,
  { options, context }: Setting,
): Promise<{ readonly snapshot: Snapshot; readonly rebuilt: Repair }> {
  const { files, connection, newId } = context;
  const remains = await readRemains(home, context);
  const found: AddedFile[] = [];
  const ends: number[] = [];
  for (const path of widest(files.list(home))) {
    const added = await describeFile(table, join(home, path), { options, context });
    ends.push(rangeOf(path)?.upTo ?? 0);
    if (added) found.push({ ...added, path });
    else setAside(table, path, context);
  }
  const kept = found.slice(0, firstGap(found, options));
  const again = found.slice(kept.length);
  const upTo = rangeOf(kept.at(-1)?.path ?? "")?.upTo ?? 0;
  const newest = kept.at(-1);
  // Under another id its rows would be those of another history to whomever they were exported to.
  const tableId = (newest && (await readTableId(join(home, newest.path), connection))) ?? newId();
  const snapshot: Snapshot = {
    version: Math.max(0, remains.version),
    files: new Map(kept.map((file) => [file.path, file])),
    removedMs: new Map(),
    progress: new Map([[WRITER, upTo]]),
    creation:
      remains.creation.length > 0
        ? remains.creation
        : creation(tables[table], tableId, options.nowMs),
  };
  await writeCheckpoint(home, snapshot, { files, connection });
  const what = `The log of ${table} was damaged: it was made anew from ${kept.length} files of rows.`;
  const last = Math.max(0, ...ends);
  return {
    snapshot,
    rebuilt: {
      table,
      what,
      rowsLost: 0,
      again: last > upTo ? { upTo: last, rows: rowsIn(again), ends } : null,
    },
  };
}

/**
 * Each file goes on where the one before it ends. Where one is missing that the journal can
 * bring again, so are those after it.
 */
function firstGap(
  files: readonly AddedFile[],
  { journalFrom }: Pick<RepairOptions, "journalFrom">,
): number {
  let reached = 0;
  for (const [at, { path }] of files.entries()) {
    const range = rangeOf(path);
    if (range && range.from > reached + 1 && reached + 1 >= journalFrom) return at;
    reached = range?.upTo ?? reached;
  }
  return files.length;
}

/** Of files of which one holds what another does, the larger. Pure. */
export function widest(names: readonly string[]): readonly string[] {
  const ranged = names
    .flatMap((name) => {
      const range = rangeOf(name);
      return range ? [{ name, ...range }] : [];
    })
    .sort((a, b) => a.from - b.from || b.upTo - a.upTo);
  let reached = 0;
  return ranged.flatMap(({ name, upTo }) => {
    if (upTo <= reached) return [];
    reached = upTo;
    return [name];
  });
}

/** `null` when it is no whole Parquet file. */
async function describeFile(
  table: TableName,
  path: string,
  { options, context }: Setting,
): Promise<AddedFile | null> {
  const sizeBytes = context.files.sizeBytes(path);
  if (!(await isReadable(path, context))) return null;
  const rows = `read_parquet(${quoteText(path)})`;
  const stats = await readStats(tables[table].columns, rows, context.connection);
  return { path, sizeBytes, modifiedMs: options.nowMs, stats };
}

/** Reads all of it: a damaged page is found nowhere else. */
export async function isReadable(
  path: string,
  { connection }: Pick<SealContext, "connection">,
): Promise<boolean> {
  try {
    await connection.runAndReadAll(
      `SELECT count(hash(t)) FROM read_parquet(${quoteText(path)}) AS t`,
    );
    return true;
  } catch (error) {
    if (isSystemFailure(error)) throw error;
    return false;
  }
}

/**
 * Sets aside those that can't be read.
 *
 * @throws MonitorError `STORE_DAMAGED` when there are any.
 */
export async function refuseDamaged(
  table: TableName,
  paths: readonly string[],
  context: Pick<SealContext, "files" | "connection" | "directory">,
): Promise<void> {
  const home = tableDirectory(context.directory, table);
  const there = new Set(context.files.list(home));
  const damaged: string[] = [];
  for (const path of paths) {
    if (there.has(path) && (await isReadable(join(home, path), context))) continue;
    if (there.has(path)) setAside(table, path, context);
    damaged.push(path);
  }
  if (damaged.length > 0) throw damagedFiles(table, damaged);
}

/** What the monitor does of it is told when it is done. */
export function damagedFiles(table: TableName, paths: readonly string[]): MonitorError {
  return new MonitorError(
    "STORE_DAMAGED",
    `cannot read files of the history's table ${table}: ${paths.join(", ")}`,
    {
      hint: "The monitor seals their rows again where its journal still has them, within ten minutes, and says how many are lost.",
    },
  );
}

/**
 * A file goes on where the log ends, and no commit names it: a crash came between, or the commit
 * is lost. It has its name only since it is whole, so all that is missing is the commit.
 */
async function adoptFinished(
  table: TableName,
  home: string,
  { options, context }: Setting,
): Promise<void> {
  for (;;) {
    const snapshot = await readSnapshot(home, context);
    const progress = snapshot.progress.get(WRITER) ?? 0;
    const path = widest(context.files.list(home)).find(
      (name) => rangeOf(name)?.from === progress + 1 && !snapshot.removedMs.has(name),
    );
    const added =
      path === undefined ? null : await describeFile(table, join(home, path), { options, context });
    if (path === undefined || !added) return;
    writeCommit(
      home,
      {
        table: tables[table],
        tableId: (await readTableId(join(home, path), context.connection)) ?? context.newId(),
        version: snapshot.version,
        commit: {
          timeMs: options.nowMs,
          operation: "WRITE",
          add: [{ ...added, path }],
          remove: [],
          progress: { writer: WRITER, upTo: rangeOf(path)?.upTo ?? progress },
        },
      },
      context,
    );
  }
}

async function dropDamaged(
  table: TableName,
  snapshot: Snapshot,
  { home, options, context }: Setting & { readonly home: string },
): Promise<Repair | null> {
  const { files } = context;
  const there = new Set(files.list(home));
  const damaged = changedFiles(snapshot, home, context);
  if (damaged.length === 0) return null;
  const places = damaged.map(({ path }) => rangeOf(path)?.from ?? 0);
  const from = Math.min(...places.filter((place) => place >= options.journalFrom));
  const isAgain = ({ path }: AddedFile) => (rangeOf(path)?.from ?? 0) >= from;
  const again = [...snapshot.files.values()].filter(isAgain);
  const lost = damaged.filter((file) => !isAgain(file));
  for (const { path } of damaged) if (there.has(path)) setAside(table, path, context);
  const before = snapshot.progress.get(WRITER) ?? 0;
  writeCommit(
    home,
    {
      table: tables[table],
      tableId: "",
      version: snapshot.version,
      commit: {
        timeMs: options.nowMs,
        operation: "DELETE",
        add: [],
        remove: [...again, ...lost].map(({ path }) => path),
        ...(again.length > 0 && { progress: { writer: WRITER, upTo: from - 1 } }),
      },
    },
    context,
  );
  const rowsLost = rowsIn(lost);
  const names = damaged.map(({ path }) => path).join(", ");
  return {
    table,
    what: `Files of ${table} were damaged and set aside: ${names}. ${rowsIn(again)} rows are sealed again from the journal, ${rowsLost} are lost.`,
    rowsLost,
    again:
      again.length > 0
        ? {
            upTo: before,
            rows: rowsIn(again),
            ends: again.flatMap(({ path }) => rangeOf(path)?.upTo ?? []),
          }
        : null,
  };
}

/** Those that are gone, or have another size than their commit says. */
export function changedFiles(
  snapshot: Snapshot,
  home: string,
  { files }: Pick<SealContext, "files">,
): readonly AddedFile[] {
  const there = new Set(files.list(home));
  return [...snapshot.files.values()].filter(
    ({ path, sizeBytes }) => !there.has(path) || files.sizeBytes(join(home, path)) !== sizeBytes,
  );
}

export function setAside(
  table: TableName,
  path: string,
  context: Pick<SealContext, "files" | "directory">,
): void {
  const directory = join(context.directory, DAMAGED_DIRECTORY, table);
  context.files.makeDirectory(directory);
  context.files.publish(
    join(tableDirectory(context.directory, table), path),
    join(directory, path),
  );
}

function rowsIn(files: readonly AddedFile[]): number {
  return files.reduce((sum, { stats }) => sum + stats.rows, 0);
}
