/**
 * Mends tables of which something is damaged, before anybody writes to them. A log that can't be
 * read is written anew from the files of rows, whose names say what they hold. A file that is
 * not what was sealed is set aside, and leaves a gap: its rows are sealed again where the journal
 * still has them, and told as lost where not. Each table is mended by one commit, or not at all.
 */
import { join } from "node:path";
import { changedFiles, isReadable, setAside } from "./damaged-files.ts";
import {
  type AddedFile,
  bytesOf,
  creation,
  DamagedLogError,
  readRemains,
  readSnapshot,
  type Snapshot,
  writeCheckpoint,
  writeCommit,
} from "./delta-log.ts";
import { quoteText } from "./duckdb.ts";
import { type Gap, gapsIn, isGapNote, opened } from "./gaps.ts";
import { readRowCount, readStats, readTableId } from "./parquet-file.ts";
import {
  type Range,
  rangeOf,
  rowsSealed,
  type SealContext,
  sealedNotes,
  sealedUpTo,
  tableDirectory,
} from "./seal.ts";
import { readSealedMarks, type SealedMark } from "./sealed-marks.ts";
import { type TableName, tableNames, tables } from "./tables.ts";

export type Repair = {
  readonly table: TableName;
  /** What was found and done, as one sentence. */
  readonly what: string;
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
  const marks = readSealedMarks(context.directory, context.files);
  for (const table of tableNames) {
    const home = tableDirectory(context.directory, table);
    const setting = { options, context, mark: marks[table] ?? null };
    const { snapshot, rebuilt } = await snapshotOf(table, home, setting);
    if (rebuilt) repairs.push(rebuilt);
    const dropped = dropDamaged(table, snapshot, { home, ...setting });
    if (dropped) repairs.push(dropped);
    await adoptFinished(table, home, setting);
  }
  return repairs;
}

type Setting = {
  readonly options: RepairOptions;
  readonly context: SealContext;
  /** How far the table went at least; `null` where that is not known. */
  readonly mark: SealedMark | null;
};

async function snapshotOf(
  table: TableName,
  home: string,
  setting: Setting,
): Promise<{ readonly snapshot: Snapshot; readonly rebuilt: Repair | null }> {
  const { context, mark } = setting;
  try {
    const snapshot = await readSnapshot(home, context);
    const isLost =
      snapshot.version < (mark?.version ?? -1) ||
      (snapshot.version < 0 ? hasLostItsLog(home, context) : isBehind(snapshot, home, context));
    if (!isLost) return { snapshot, rebuilt: null };
  } catch (error) {
    if (!(error instanceof DamagedLogError)) throw error;
  }
  return rebuildLog(table, home, setting);
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
  { options, context, mark }: Setting,
): Promise<{ readonly snapshot: Snapshot; readonly rebuilt: Repair }> {
  const { files, connection, newId } = context;
  const remains = await readRemains(home, context);
  const readable = new Map<string, AddedFile>();
  const damaged: Gap[] = [];
  for (const path of files.list(home)) {
    const range = rangeOf(path);
    if (!range) continue;
    const added = await describeFile(table, join(home, path), { options, context });
    if (added) {
      readable.set(path, { ...added, path });
      continue;
    }
    damaged.push({ ...range, rows: await readRowCount(join(home, path), connection) });
    setAside(table, path, context);
  }
  // What the log still knows of, and what it said to be missing already.
  for (const { path, stats } of remains.files.values()) {
    const range = rangeOf(path);
    if (range && !readable.has(path)) damaged.push({ ...range, rows: stats.rows });
  }
  damaged.push(...gapsIn(remains, "gap"));
  const kept = widest([...readable.keys()]).flatMap((path) => readable.get(path) ?? []);
  const held = kept.flatMap(({ path, stats }): readonly Held[] => {
    const range = rangeOf(path);
    return range ? [{ ...range, rows: stats.rows }] : [];
  });
  const { journalFrom } = options;
  const ended = Math.max(
    remains.endsWhole ? sealedUpTo(remains) : journalFrom - 1,
    mark?.upTo ?? 0,
  );
  const logged = sealedUpTo(remains);
  const uncounted = gapsBetween(held, damaged, { journalFrom, logged, ended });
  const end = mark && endOf(mark, { remains, held });
  const gaps = end ? counted(uncounted, held, end) : uncounted;
  const newest = kept.at(-1);
  // Under another id its rows would be those of another history to whomever they were exported to.
  const tableId = (newest && (await readTableId(join(home, newest.path), connection))) ?? newId();
  const upTo = Math.max(0, ...[...held, ...gaps].map((range) => range.upTo));
  const told = { upTo: logged, rows: rowsSealed(remains) };
  const known = mark && mark.upTo > logged ? mark : told;
  const beyond = [...held, ...gaps].filter(({ from }) => from > known.upTo);
  const rows = known.rows + beyond.reduce((sum, { rows }) => sum + (rows ?? 0), 0);
  const snapshot: Snapshot = {
    // No version is given twice: who has read one of them would take the other for it.
    version: Math.max(0, remains.version, mark?.version ?? 0),
    files: new Map(kept.map((file) => [file.path, file])),
    removedMs: new Map(),
    progress: new Map([
      ...[...remains.progress].filter(([note]) => !isGapNote(note)),
      ...sealedNotes({ upTo, rows }),
      ...gaps.map((gap) => opened("gap", gap)),
    ]),
    creation:
      remains.creation.length > 0
        ? remains.creation
        : creation(tables[table], tableId, options.nowMs),
  };
  await writeCheckpoint(home, snapshot, { files, connection });
  // Spark reads no log that has a checkpoint and not one commit.
  const { version } = snapshot;
  const commit = { timeMs: options.nowMs, operation: "WRITE", add: [], remove: [] } as const;
  writeCommit(home, { version, commit }, context);
  const what = `The log of ${table} was damaged: it was made anew from ${kept.length} files of rows.`;
  return { snapshot: { ...snapshot, version: version + 1 }, rebuilt: { table, what } };
}

/**
 * What no file holds: where a damaged one lay, and other places that the journal still has, or
 * that came after all that is known of. Older ones are those of files that were dropped. Pure.
 *
 * @param held in ascending order.
 * @param damaged which may be told twice: as files that are gone, and as gaps.
 * @param places `logged`: up to which the log goes, 0 where nothing is left of it; `ended`: up to
 * which it went at least.
 */
export function gapsBetween(
  held: readonly Range[],
  damaged: readonly Gap[],
  {
    journalFrom,
    logged,
    ended,
  }: { readonly journalFrom: number; readonly logged: number; readonly ended: number },
): readonly Gap[] {
  const last = Math.max(0, ...[...held, ...damaged].map(({ upTo }) => upTo));
  const dropped = logged > 0 ? Math.min(logged, last) : last;
  const holes = between(held, { from: 1, upTo: Math.max(last, ended) });
  const isIn = (place: number, { from, upTo }: Range) => from <= place && place < upTo;
  const isCut = !damaged.some((range) => isIn(logged, range));
  return holes
    .flatMap((hole) => (isCut ? cutAfter(logged, hole) : hole))
    .flatMap((hole) => {
      const known = widestRanges(
        damaged.filter(({ from, upTo }) => hole.from <= from && upTo <= hole.upTo),
      );
      const unknown = between(known, hole)
        .filter(({ from, upTo }) => upTo >= journalFrom || from > dropped)
        .map((range): Gap => ({ ...range, rows: null }));
      return [...known, ...unknown].sort((a, b) => a.from - b.from);
    });
}

/** In two where the place lies within. */
function cutAfter(place: number, range: Range): readonly Range[] {
  const { from, upTo } = range;
  if (place < from || place >= upTo) return [range];
  return [
    { from, upTo: place },
    { from: place + 1, upTo },
  ];
}

type Held = Range & { readonly rows: number };

/** The end of a log that is gone: from where to where, and how many rows were sealed in it. */
type End = Range & { readonly rows: number };

/** `null` where nothing says how many there were. Pure. */
function endOf(
  mark: SealedMark,
  {
    remains,
    held,
  }: { readonly remains: Pick<Snapshot, "progress">; readonly held: readonly Held[] },
): End | null {
  const { upTo } = mark;
  const from = sealedUpTo(remains) + 1;
  if (from > 1) return { from, upTo, rows: mark.rows - rowsSealed(remains) };
  return held.length === 0 ? { from, upTo, rows: mark.left } : null;
}

/** Where one gap of unknown size lies in the end that is gone, the others tell how large it is. Pure. */
export function counted(
  gaps: readonly Gap[],
  held: readonly Held[],
  { from, upTo, rows }: End,
): readonly Gap[] {
  const isIn = (range: Range) => range.from >= from && range.upTo <= upTo;
  const [unknown, ...others] = gaps.filter((gap) => gap.rows === null && isIn(gap));
  if (!unknown || others.length > 0) return gaps;
  const known = [...held, ...gaps].filter(isIn);
  const rest = known.reduce((left, range) => left - (range.rows ?? 0), rows);
  return gaps.map((gap) => (gap === unknown ? { ...gap, rows: Math.max(0, rest) } : gap));
}

/** The places from one to another that none of the ranges has. */
function between(ranges: readonly Range[], { from, upTo }: Range): readonly Range[] {
  const missing: Range[] = [];
  let next = from;
  for (const range of ranges) {
    if (range.from > next) missing.push({ from: next, upTo: range.from - 1 });
    next = Math.max(next, range.upTo + 1);
  }
  if (next <= upTo) missing.push({ from: next, upTo });
  return missing;
}

/** Of files of which one holds what another does, the larger. Pure. */
export function widest(names: readonly string[]): readonly string[] {
  const ranged = names.flatMap((name) => {
    const range = rangeOf(name);
    return range ? [{ name, ...range }] : [];
  });
  return widestRanges(ranged).map(({ name }) => name);
}

function widestRanges<Its extends Range>(ranges: readonly Its[]): readonly Its[] {
  let reached = 0;
  return ranges
    .toSorted((a, b) => a.from - b.from || b.upTo - a.upTo)
    .filter(({ upTo }) => {
      if (upTo <= reached) return false;
      reached = upTo;
      return true;
    });
}

/** `null` when it is no whole Parquet file. */
async function describeFile(
  table: TableName,
  path: string,
  { options, context }: Pick<Setting, "options" | "context">,
): Promise<AddedFile | null> {
  if (!(await isReadable(path, context))) return null;
  const rows = `read_parquet(${quoteText(path)})`;
  const stats = await readStats(tables[table].columns, rows, context.connection);
  return { path, ...bytesOf(path, context.files), modifiedMs: options.nowMs, stats };
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
    const progress = sealedUpTo(snapshot);
    const isNamed = (name: string) => snapshot.files.has(name) || snapshot.removedMs.has(name);
    const path = widest(context.files.list(home)).find(
      (name) => rangeOf(name)?.from === progress + 1 && !isNamed(name),
    );
    const added =
      path === undefined ? null : await describeFile(table, join(home, path), { options, context });
    if (path === undefined || !added) return;
    writeCommit(
      home,
      {
        made: {
          table: tables[table],
          tableId: (await readTableId(join(home, path), context.connection)) ?? context.newId(),
        },
        version: snapshot.version,
        commit: {
          timeMs: options.nowMs,
          operation: "WRITE",
          add: [{ ...added, path }],
          remove: [],
          progress: new Map(
            sealedNotes({
              upTo: rangeOf(path)?.upTo ?? progress,
              rows: rowsSealed(snapshot) + added.stats.rows,
            }),
          ),
        },
      },
      context,
    );
  }
}

function dropDamaged(
  table: TableName,
  snapshot: Snapshot,
  { home, options, context }: Setting & { readonly home: string },
): Repair | null {
  const damaged = changedFiles(snapshot, home, context);
  if (damaged.length === 0) return null;
  const there = new Set(context.files.list(home));
  const names = damaged.map(({ path }) => path);
  for (const path of names) if (there.has(path)) setAside(table, path, context);
  const gaps = damaged.flatMap(({ path, stats }): readonly Gap[] => {
    const range = rangeOf(path);
    return range ? [{ ...range, rows: stats.rows }] : [];
  });
  writeCommit(
    home,
    {
      version: snapshot.version,
      commit: {
        timeMs: options.nowMs,
        operation: "DELETE",
        add: [],
        remove: names,
        progress: new Map(gaps.map((gap) => opened("gap", gap))),
      },
    },
    context,
  );
  return {
    table,
    what: `Files of ${table} were damaged and set aside: ${names.join(", ")}.`,
  };
}
