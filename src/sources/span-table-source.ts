/**
 * Reads the spans of agents from tables of Unity Catalog, on a schedule, with one SQL
 * statement for all tables. Rows of one trace come at several times, the root last: a trace
 * is delivered once its root has come and its other spans had time to, and what was
 * delivered is remembered. It only reads, and no prompt or answer.
 */
import type { Clock } from "../clock.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import { readSpans } from "../ingest/span-table/read-spans.ts";
import { type SpanTable, selectSpans } from "../ingest/span-table/select-spans.ts";
import type { AgentSpan } from "../signals/span.ts";
import type { SpanBatch } from "./mlflow-source.ts";
import type { OnProblem } from "./progress.ts";
import { findSpanTables } from "./span-tables.ts";
import { type Look, type LookTimes, startTableSource, type TableSource } from "./table-source.ts";
import type { Warehouse } from "./warehouse.ts";

export type SpanTableSourceOptions = {
  readonly client: DatabricksClient;
  /** What reads them. */
  readonly warehouse: Warehouse;
  readonly tables: readonly SpanTable["path"][];
  readonly clock: Clock;
  readonly intervalMs: number;
  /** Spans that began before are not read, in Unix milliseconds. */
  readonly fromMs: number;
  /** What it rejects is not taken as delivered and comes again. Never called twice at a time. */
  readonly onSpans: (batch: SpanBatch) => Promise<void>;
  /** Called after each look: all that began before is delivered, but for what appears late. */
  readonly onRead?: (upToMs: number) => Promise<void>;
  readonly onProblem: OnProblem;
};

/** Statements in a day, by UTC. */
export const SPAN_STATEMENTS_PER_DAY_MAX = 2_000;
/** Rows of one statement: each has some 60 values. */
export const SPAN_ROWS_MAX = 10_000;
/** A trace is delivered this long after the end of its root: rows of it may still come. */
export const SETTLE_MS = 30_000;
/** A trace whose root does not come is delivered as it is, this long after it was first seen. As long as over OTLP. */
const UNFINISHED_AFTER_MS = 600_000;
/** Spans of which it is remembered that they were delivered, or could not be. */
const REMEMBERED_SPANS_MAX = 300_000;

export function startSpanTableSource(options: SpanTableSourceOptions): TableSource {
  const { client, tables, onSpans } = options;
  const done = new Remembered();
  /** When each trace was first seen of those that wait for their root. */
  let waitingSinceMs: ReadonlyMap<string, number> = new Map();

  function startLook({ startedMs, fromMs }: LookTimes): Look<SpanTable> {
    const traces = new Map<string, Map<string, AgentSpan>>();
    const left: { key: string; reason: string }[] = [];

    return {
      async take(rows, tables) {
        const { spans, dropped, lastStartMs } = readSpans(rows, tables);
        for (const span of spans) {
          if (done.has(keyOf(span))) continue;
          const key = `${span.traceId} ${span.endpoint}`;
          const known = traces.get(key) ?? new Map<string, AgentSpan>();
          // The first counts, as over OTLP; a page begins with the last rows of the one before.
          if (!known.has(span.spanId)) known.set(span.spanId, span);
          traces.set(key, known);
        }
        for (const each of dropped) if (!done.has(each.key)) left.push(each);
        return lastStartMs;
      },

      async end(cutOffMs, signal) {
        const due: AgentSpan[] = [];
        let againFromMs: number | null = null;
        const waiting = new Map<string, number>();
        for (const [key, byId] of traces) {
          const spans = [...byId.values()];
          const sinceMs = waitingSinceMs.get(key) ?? startedMs;
          const startMs = spans.reduce((first, span) => Math.min(first, span.startMs), Infinity);
          // One that is longer than the whole look is not waited for: it would never end.
          const isCut = cutOffMs !== null && endOf(spans) >= cutOffMs && startMs > fromMs;
          if (!isCut && isDue(spans, { sinceMs, nowMs: startedMs })) {
            due.push(...spans);
            continue;
          }
          waiting.set(key, sinceMs);
          againFromMs = Math.min(againFromMs ?? startMs, startMs);
        }
        const dropped = new Map<string, number>();
        for (const { reason } of left) dropped.set(reason, (dropped.get(reason) ?? 0) + 1);
        signal.throwIfAborted();
        if (due.length > 0 || dropped.size > 0) await onSpans({ spans: due, dropped });
        for (const span of due) done.add(keyOf(span));
        for (const { key } of left) done.add(key);
        waitingSinceMs = waiting;
        return againFromMs;
      },
    };
  }

  return startTableSource<SpanTable>({
    ...options,
    name: "Span tables",
    purpose: "span-tables",
    statementsPerDayMax: SPAN_STATEMENTS_PER_DAY_MAX,
    rowsMax: SPAN_ROWS_MAX,
    nothingFound: "No table of spans can be read.",
    find: (signal) => findSpanTables(client, tables, { signal }),
    select: selectSpans,
    startLook,
  });
}

/** Whether the trace is told as far as it will be. */
function isDue(
  spans: readonly AgentSpan[],
  { sinceMs, nowMs }: { readonly sinceMs: number; readonly nowMs: number },
): boolean {
  const root = spans.find(({ parentSpanId }) => parentSpanId === null);
  if (root) return nowMs - root.endMs >= SETTLE_MS;
  return nowMs - sinceMs >= UNFINISHED_AFTER_MS;
}

function endOf(spans: readonly AgentSpan[]): number {
  return spans.reduce((last, { endMs }) => Math.max(last, endMs), 0);
}

function keyOf({ traceId, spanId }: AgentSpan): string {
  return `${traceId} ${spanId}`;
}

/** The newest keys of many. */
class Remembered {
  #newer = new Set<string>();
  #older: ReadonlySet<string> = new Set();

  has(key: string): boolean {
    return this.#newer.has(key) || this.#older.has(key);
  }

  /** Two halves, since a set from which many are deleted grows slow. */
  add(key: string): void {
    this.#newer.add(key);
    if (this.#newer.size < REMEMBERED_SPANS_MAX / 2) return;
    this.#older = this.#newer;
    this.#newer = new Set();
  }
}
