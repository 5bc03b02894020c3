/**
 * Reads what endpoints logged of their requests, on a schedule, with one SQL statement
 * for all of them. Rows come minutes late, up to an hour: each look goes back a while,
 * and now and then one goes back far; what is delivered twice counts once. A warehouse
 * costs money while it runs, so one that is stopped is left alone, and statements are
 * few. It only reads, and never what was asked or answered.
 */
import type { Clock } from "../clock.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import { DatabricksError } from "../databricks/databricks-error.ts";
import { executeStatement, readStatementRows } from "../databricks/statements.ts";
import { getWarehouse } from "../databricks/warehouses.ts";
import { readRows } from "../ingest/inference-table/read-rows.ts";
import { type LoggingTable, selectRows } from "../ingest/inference-table/select-rows.ts";
import { MonitorError } from "../monitor-error.ts";
import { foreignLine } from "../signals/foreign-line.ts";
import type { LoggedRequest } from "../signals/logged-request.ts";
import { plural } from "./endpoint-calls.ts";
import { type FoundTables, findTables } from "./inference-tables.ts";
import { startPollLoop } from "./poll-loop.ts";
import { createProgress, type OnProblem, type SourceStatus } from "./progress.ts";

export type InferenceTableSourceOptions = {
  readonly client: DatabricksClient;
  /** The SQL warehouse that reads. */
  readonly warehouseId: string;
  readonly clock: Clock;
  readonly intervalMs: number;
  /** Requests that began before are not read, in Unix milliseconds. */
  readonly fromMs: number;
  /** What it rejects is not taken as delivered and comes again. Never called twice at a time. */
  readonly onRequests: (batch: LoggedBatch) => Promise<void>;
  readonly onProblem: OnProblem;
};

export type LoggedBatch = {
  readonly requests: readonly LoggedRequest[];
  /** What was left out, by reason. */
  readonly dropped: ReadonlyMap<string, number>;
};

export type InferenceTableSource = {
  status(): SourceStatus[];
  /** Stops asking. Resolves once nothing is under way; no batch comes after that. */
  close(): Promise<void>;
};

/** How far each look goes back, from when the one before began. */
const OVERLAP_MS = 15 * 60_000;
/** How far every now and then a look goes back: Databricks tells of up to an hour. */
export const WIDE_LOOK_MS = 75 * 60_000;
const WIDE_EVERY_MS = 30 * 60_000;
/** How often it is looked for new tables. */
const FIND_EVERY_MS = 15 * 60_000;
/** A table that failed is left out for so long. */
const ASIDE_MS = 30 * 60_000;
/** Statements in a day, by UTC. */
export const STATEMENTS_PER_DAY_MAX = 600;
/** Rows of one statement, well below the 25 MiB that an answer may have. */
export const ROWS_MAX = 50_000;
/** Statements of one look; the next goes on from there. */
const PAGES_MAX = 5;
/** Rows without what counting needs that are remembered, to count each once. */
const INCOMPLETE_MAX = 10_000;
/** Reasons that the status names; the others it counts. */
const TOLD_TROUBLES_MAX = 2;
const TROUBLE_MAX_CHARS = 220;

const DAY_MS = 86_400_000;

export function startInferenceTableSource(
  options: InferenceTableSourceOptions,
): InferenceTableSource {
  const { client, warehouseId, clock, intervalMs, onRequests } = options;
  const progress = createProgress("Inference tables", options);

  let found: FoundTables = { tables: [], troubles: new Map(), notYet: 0 };
  let foundMs = Number.NEGATIVE_INFINITY;
  /** By name: why a table's rows can't be read, and until when that is not tried again. */
  const aside = new Map<string, { readonly error: MonitorError; readonly untilMs: number }>();
  /** What was told already. */
  const toldTroubles = new Set<string>();
  /** Rows that were counted as left out. */
  const knownIncomplete = new Set<string>();
  let day = { number: Number.NaN, statements: 0 };
  /** All that began before was seen, but for what appears late. */
  let seenUpToMs: number | null = null;
  /** Where a look that was too long goes on. */
  let resumeMs: number | null = null;
  let lastWideMs = Number.NEGATIVE_INFINITY;

  async function poll(signal: AbortSignal): Promise<void> {
    const startedMs = clock.now();
    if (startedMs - foundMs >= FIND_EVERY_MS) {
      found = await findTables(client, { signal });
      foundMs = startedMs;
    }
    for (const [name, { untilMs }] of aside) if (startedMs >= untilMs) aside.delete(name);
    const tables = readable();
    if (tables.length === 0) {
      tellTroubles();
      const [trouble] = troubles();
      if (trouble) throw trouble[1];
      progress.succeeded(startedMs, withTroubles("No endpoint logs requests yet."));
      return;
    }
    await requireRunning(signal);

    const isWide = startedMs - lastWideMs >= WIDE_EVERY_MS;
    const overlapMs = isWide ? WIDE_LOOK_MS : OVERLAP_MS;
    let fromMs =
      resumeMs ??
      (seenUpToMs === null ? options.fromMs : Math.max(options.fromMs, seenUpToMs - overlapMs));
    for (let page = 0; page < PAGES_MAX; page++) {
      const { rows, lastStartMs } = await readAll(fromMs, signal);
      if (rows < ROWS_MAX) {
        resumeMs = null;
        seenUpToMs = startedMs;
        if (isWide) lastWideMs = startedMs;
        tellTroubles();
        if (readable().length === 0) throw troubles()[0]?.[1];
        progress.succeeded(startedMs, withTroubles(`Reads ${plural(readable().length, "table")}.`));
        return;
      }
      // Beyond it by a little where all of it began at one time, or it would never go on.
      fromMs = lastStartMs > fromMs ? lastStartMs : fromMs + 1;
      resumeMs = fromMs;
    }
    progress.succeeded(fromMs, withTroubles("Is behind, and reads on."));
  }

  /** All tables at once; where one of them spoils it, each by itself. */
  async function readAll(fromMs: number, signal: AbortSignal): Promise<Read> {
    const tables = readable();
    try {
      return await read(tables, fromMs, signal);
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
        const one = await read([table], fromMs, signal);
        all.rows = Math.max(all.rows, one.rows);
        // Where some have more, all go on from the first that was cut off.
        if (one.rows >= ROWS_MAX) {
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
    tables: readonly LoggingTable[],
    fromMs: number,
    signal: AbortSignal,
  ): Promise<Read> {
    countStatement();
    const statement = await executeStatement(
      client,
      {
        warehouse_id: warehouseId,
        statement: selectRows(tables, { fromMs, rowsMax: ROWS_MAX }),
        query_tags: [
          { key: "application", value: "dspy-databricks-agents" },
          { key: "purpose", value: "inference-tables" },
        ],
      },
      { signal, purpose: "read inference tables", isIdempotent: true },
    );
    const rows: (readonly (string | null)[])[] = [];
    for await (const row of readStatementRows(client, statement, { signal })) rows.push(row);
    const { requests, incomplete, lastStartMs } = readRows(rows, tables);
    const news = incomplete.filter((key) => !knownIncomplete.has(key));
    const dropped = new Map(news.length > 0 ? [["inference_row_incomplete", news.length]] : []);
    signal.throwIfAborted();
    if (requests.length > 0 || dropped.size > 0) await onRequests({ requests, dropped });
    for (const key of news) addNewest(knownIncomplete, key);
    return { rows: rows.length, lastStartMs: lastStartMs ?? fromMs };
  }

  function countStatement(): void {
    const number = Math.floor(clock.now() / DAY_MS);
    if (number !== day.number) day = { number, statements: 0 };
    if (day.statements >= STATEMENTS_PER_DAY_MAX) {
      throw new MonitorError(
        "QUOTA_EXCEEDED",
        `the ${STATEMENTS_PER_DAY_MAX} statements that the monitor runs in a day are used up; it reads on at midnight UTC`,
        { hint: "Nothing is lost by that, unless it lasts: the next day is read from here on." },
      );
    }
    day.statements++;
  }

  async function requireRunning(signal: AbortSignal): Promise<void> {
    const { state } = await getWarehouse(client, warehouseId, { signal });
    if (state === "RUNNING" || state === "STARTING") return;
    throw new MonitorError(
      "WAREHOUSE_MISSING",
      `SQL warehouse ${warehouseId} is ${state ?? "in no known state"}, and is not started for this`,
      { hint: "Start it, or name one that runs: --warehouse ID." },
    );
  }

  function readable(): LoggingTable[] {
    return found.tables.filter(({ path }) => !aside.has(path.join(".")));
  }

  function putAside(tables: readonly LoggingTable[], error: MonitorError): void {
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

/** The oldest goes where there are too many. */
function addNewest(keys: Set<string>, key: string): void {
  keys.add(key);
  if (keys.size <= INCOMPLETE_MAX) return;
  for (const oldest of keys) {
    keys.delete(oldest);
    return;
  }
}

type Read = { rows: number; lastStartMs: number };

const nothingRead = (fromMs: number): Read => ({ rows: 0, lastStartMs: fromMs });

/** SQL that fails does so in an answer that succeeds; anything else would fail for every table. */
function isOfSql(error: unknown): error is DatabricksError {
  return error instanceof DatabricksError && error.call.status === 200;
}

function sentencesOf({ message, hint }: MonitorError): string {
  return `${foreignLine(message, { maxChars: TROUBLE_MAX_CHARS }).replace(/\.?$/, ".")} ${hint}`;
}
