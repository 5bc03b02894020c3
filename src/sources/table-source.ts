/**
 * Reads tables of the workspace that only grow, on a schedule, with one SQL statement for
 * all of them. Rows come late: each look goes back a while, and now and then one goes back
 * far; whoever takes them counts what comes twice once. A table that can't be read is told
 * once, and holds up no other.
 */
import type { Clock } from "../clock.ts";
import type { Row } from "../databricks/statements.ts";
import type { MonitorError } from "../monitor-error.ts";
import { foreignLine } from "../signals/foreign-line.ts";
import { plural } from "./endpoint-calls.ts";
import { startPollLoop } from "./poll-loop.ts";
import { createProgress, type OnProblem, type SourceStatus } from "./progress.ts";
import { isOfSql, type Warehouse } from "./warehouse.ts";

export type ReadableTable = {
  /** Catalog, schema and name. */
  readonly path: readonly [catalog: string, schema: string, name: string];
};

export type FoundTables<T> = {
  readonly tables: readonly T[];
  /** Full name of a table that can't be read, and why. */
  readonly troubles: ReadonlyMap<string, MonitorError>;
  /** Of tables that are not there: they come with the first request. */
  readonly notYet: number;
};

/** When a look began, and from when on it reads. */
export type LookTimes = { readonly startedMs: number; readonly fromMs: number };

/** What a look does with the rows that it brings. */
export type Look<T> = {
  /** Takes the rows of one statement; returns when the newest began, `null` without any. */
  take(rows: readonly Row[], tables: readonly T[], signal: AbortSignal): Promise<number | null>;
  /**
   * @param cutOffMs rows that began later were not read; `null` when all were.
   * @returns from when on the next look has to read again; `null` where the overlap will do.
   */
  end(cutOffMs: number | null, signal: AbortSignal): Promise<number | null>;
};

export type TableSourceOptions<T extends ReadableTable> = {
  /** As the page names it. */
  readonly name: string;
  /** Its query tag. */
  readonly purpose: string;
  readonly warehouse: Warehouse;
  readonly clock: Clock;
  readonly intervalMs: number;
  /** What began before is not read, in Unix milliseconds. */
  readonly fromMs: number;
  readonly statementsPerDayMax: number;
  /** Rows of one statement, well below the 25 MiB that an answer may have. */
  readonly rowsMax: number;
  readonly find: (signal: AbortSignal) => Promise<FoundTables<T>>;
  /** Told while there is no table. */
  readonly nothingFound: string;
  readonly select: (
    tables: readonly T[],
    page: { readonly fromMs: number; readonly rowsMax: number },
  ) => string;
  readonly startLook: (times: LookTimes) => Look<T>;
  /** Called after each look: all that began before is delivered, but for what appears late. */
  readonly onRead?: (upToMs: number) => Promise<void>;
  readonly onProblem: OnProblem;
};

export type TableSource = {
  status(): SourceStatus[];
  /** Stops asking. Resolves once nothing is under way; nothing is delivered after that. */
  close(): Promise<void>;
};

/** How far each look goes back, from when the one before began. */
const OVERLAP_MS = 15 * 60_000;
/** How far every now and then a look goes back: an hour, which is how late rows may come, after the look before. */
export const WIDE_LOOK_MS = 95 * 60_000;
const WIDE_EVERY_MS = 30 * 60_000;
/** How often it is looked for new tables. */
const FIND_EVERY_MS = 15 * 60_000;
/** A table that failed is left out for so long. */
const ASIDE_MS = 30 * 60_000;
/** Statements of one look; the next goes on from there. */
const PAGES_MAX = 5;
/** Reasons that the status names; the others it counts. */
const TOLD_TROUBLES_MAX = 2;
const TROUBLE_MAX_CHARS = 220;

export function startTableSource<T extends ReadableTable>(
  options: TableSourceOptions<T>,
): TableSource {
  const { warehouse, clock, intervalMs, rowsMax } = options;
  const progress = createProgress(options.name, options);

  let found: FoundTables<T> = { tables: [], troubles: new Map(), notYet: 0 };
  let foundMs = Number.NEGATIVE_INFINITY;
  /** By name: why a table's rows can't be read, and until when that is not tried again. */
  const aside = new Map<string, { readonly error: MonitorError; readonly untilMs: number }>();
  /** What was told already. */
  const toldTroubles = new Set<string>();
  /** All that began before was seen, but for what appears late. */
  let seenUpToMs: number | null = null;
  /** Where a look that was too long goes on. */
  let resumeMs: number | null = null;
  /** From when on the next look reads again, where it goes back less far. */
  let againFromMs: number | null = null;
  let lastWideMs = Number.NEGATIVE_INFINITY;

  async function poll(signal: AbortSignal): Promise<void> {
    const startedMs = clock.now();
    if (startedMs - foundMs >= FIND_EVERY_MS) {
      found = await options.find(signal);
      foundMs = startedMs;
    }
    for (const [name, { untilMs }] of aside) if (startedMs >= untilMs) aside.delete(name);
    if (readable().length === 0) {
      tellTroubles();
      const [trouble] = troubles();
      if (trouble) throw trouble[1];
      progress.succeeded(startedMs, withTroubles(options.nothingFound));
      return;
    }
    await warehouse.requireRunning(signal);

    const isWide = startedMs - lastWideMs >= WIDE_EVERY_MS;
    let fromMs = resumeMs ?? lookFromMs(isWide ? WIDE_LOOK_MS : OVERLAP_MS);
    const look = options.startLook({ startedMs, fromMs });
    for (let page = 0; page < PAGES_MAX; page++) {
      const { rows, lastStartMs } = await readAll(look, fromMs, signal);
      if (rows < rowsMax) {
        againFromMs = await look.end(null, signal);
        resumeMs = null;
        seenUpToMs = startedMs;
        if (isWide) lastWideMs = startedMs;
        tellTroubles();
        if (readable().length === 0) throw troubles()[0]?.[1];
        await options.onRead?.(startedMs);
        progress.succeeded(startedMs, withTroubles(`Reads ${plural(readable().length, "table")}.`));
        return;
      }
      // Beyond it by a little where all of it began at one time, or it would never go on.
      fromMs = lastStartMs > fromMs ? lastStartMs : fromMs + 1;
      resumeMs = fromMs;
    }
    resumeMs = (await look.end(fromMs, signal)) ?? fromMs;
    progress.succeeded(fromMs, withTroubles("Is behind, and reads on."));
  }

  function lookFromMs(overlapMs: number): number {
    if (seenUpToMs === null) return options.fromMs;
    const againMs = Math.max(seenUpToMs - WIDE_LOOK_MS, againFromMs ?? seenUpToMs);
    return Math.max(options.fromMs, Math.min(seenUpToMs - overlapMs, againMs));
  }

  /** All tables at once; where one of them spoils it, each by itself. */
  async function readAll(look: Look<T>, fromMs: number, signal: AbortSignal): Promise<Read> {
    const tables = readable();
    try {
      return await read(look, tables, fromMs, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isOfSql(error)) throw error;
      if (tables.length === 1) {
        putAside(tables, error);
        return nothingRead(fromMs);
      }
    }
    const all: Read = { ...nothingRead(fromMs) };
    for (const table of tables) {
      try {
        const one = await read(look, [table], fromMs, signal);
        all.rows = Math.max(all.rows, one.rows);
        // Where some have more, all go on from the first that was cut off.
        if (one.rows >= rowsMax) {
          all.lastStartMs = Math.min(
            all.lastStartMs === fromMs ? one.lastStartMs : all.lastStartMs,
            one.lastStartMs,
          );
        }
      } catch (error) {
        signal.throwIfAborted();
        if (!isOfSql(error)) throw error;
        putAside([table], error);
      }
    }
    return all;
  }

  async function read(
    look: Look<T>,
    tables: readonly T[],
    fromMs: number,
    signal: AbortSignal,
  ): Promise<Read> {
    const { purpose, statementsPerDayMax } = options;
    const statement = options.select(tables, { fromMs, rowsMax });
    const rows = await warehouse.read(statement, { purpose, statementsPerDayMax, signal });
    signal.throwIfAborted();
    const lastStartMs = await look.take(rows, tables, signal);
    return { rows: rows.length, lastStartMs: lastStartMs ?? fromMs };
  }

  function readable(): T[] {
    return found.tables.filter(({ path }) => !aside.has(path.join(".")));
  }

  function putAside(tables: readonly T[], error: MonitorError): void {
    const untilMs = clock.now() + ASIDE_MS;
    for (const { path } of tables) aside.set(path.join("."), { error, untilMs });
    // Its columns may be others now.
    foundMs = Number.NEGATIVE_INFINITY;
  }

  function troubles(): (readonly [name: string, error: MonitorError])[] {
    return [...found.troubles, ...Array.from(aside, ([name, { error }]) => [name, error] as const)];
  }

  function tellTroubles(): void {
    const now = new Map(troubles());
    for (const name of toldTroubles) if (!now.has(name)) toldTroubles.delete(name);
    for (const [name, error] of now) {
      if (toldTroubles.has(name)) continue;
      toldTroubles.add(name);
      progress.noticed(error);
    }
  }

  function withTroubles(what: string): string {
    const all = troubles();
    const told = all.slice(0, TOLD_TROUBLES_MAX).map(([, error]) => sentencesOf(error));
    const more = all.length - told.length;
    if (found.notYet > 0) {
      told.unshift(
        `${plural(found.notYet, "table")} of an endpoint is not there yet, or not shown.`,
      );
    }
    if (more > 0) told.push(`${plural(more, "more table")} can't be read.`);
    return [what, ...told].join(" ");
  }

  const loop = startPollLoop({
    clock,
    intervalMs,
    poll,
    onFailure: (error) => progress.failed(error, { withHint: true }),
  });

  return { status: () => [progress.status()], close: () => loop.close() };
}

type Read = { rows: number; lastStartMs: number };

const nothingRead = (fromMs: number): Read => ({ rows: 0, lastStartMs: fromMs });

export function sentencesOf({ message, hint }: MonitorError): string {
  return `${foreignLine(message, { maxChars: TROUBLE_MAX_CHARS }).replace(/\.?$/, ".")} ${hint}`;
}
