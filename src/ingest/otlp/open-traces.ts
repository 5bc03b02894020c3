/**
 * Traces that are still arriving. A trace comes in parts, children first,
 * sometimes twice, sometimes without its root: it closes a while after its last
 * span. No clock: the caller passes the time, so that replaying a journal gives
 * the same traces again.
 */
import type { ClosedTrace } from "../../signals/closed-trace.ts";
import { emptyPriceBook, type PriceBook } from "../../signals/price-book.ts";
import type { AgentSpan } from "../../signals/span.ts";
import { assembleTrace } from "./assemble-trace.ts";
import { ClosedSpans, type ClosedTraceSpans, digest, reasonToDrop } from "./closed-spans.ts";
import { ForgottenTraces } from "./forgotten-traces.ts";
import { NO_ROW, SpanRows } from "./span-rows.ts";

/** Quiet time, in milliseconds, after which a trace with its root closes. */
export const CLOSE_AFTER_MS = 2_000;
/** The same for a trace whose root has not come, of an agent whose roots never came. */
export const CLOSE_WITHOUT_ROOT_AFTER_MS = 30_000;
/**
 * The same for an agent whose roots do come: it is still at work, as during one
 * long model call. Longer than a call of Model Serving may take (597 s).
 */
export const CLOSE_UNFINISHED_AFTER_MS = 600_000;
/** Open spans beyond which the longest-waiting traces close early. */
export const OPEN_SPANS_MAX = 200_000;
/**
 * Most spans kept of one trace; more are dropped as `trace_span_limit`. Its first root is kept
 * beyond that: it comes last, and only it says how the request ended and how long it took.
 */
export const TRACE_SPANS_MAX = 10_000;
/**
 * Spans of closed traces that are remembered, to know a late or repeated span
 * from a new one. A batch that is sent again after that counts as new.
 */
export const CLOSED_SPANS_MAX = 200_000;

/**
 * What one agent did in one trace: an agent that calls another shares the trace
 * with it, and yet both are called, each for itself.
 */
type Trace = {
  readonly key: string;
  readonly traceId: string;
  readonly endpoint: string;
  /** Place in the journal of the first of its spans. */
  readonly firstSeq: number;
  /** Rows of its spans, in the order in which they came. */
  firstRow: number;
  lastRow: number;
  spans: number;
  /** By span id: made when there are more than are well searched through. */
  rowOf: Map<string, number> | null;
  hasRoot: boolean;
  lastArrivalMs: number;
  /** Its spans once it is closed. */
  closed: ClosedTraceSpans | null;
};

/** Spans of one trace that are searched through, in less time than looking one up takes. */
const SEARCHED_MAX = 16;

/** Agents of which it is remembered that their roots come. */
const ROOTED_ENDPOINTS_MAX = 10_000;

export type SpanDropReason = "duplicate_span" | "changed_span" | "late_span" | "trace_span_limit";

export class OpenTraces {
  readonly #book: PriceBook;
  readonly #rows = new SpanRows();
  /** Those that are open, and those that are closed and still remembered. */
  readonly #traces = new Map<string, Trace>();
  /** The open ones and some that were closed since, in the order in which they began. */
  #begun: Trace[] = [];
  #openCount = 0;
  /** The closed ones, the oldest at `#oldestClosed`. */
  readonly #closed: Trace[] = [];
  #oldestClosed = 0;
  readonly #closedSpans = new ClosedSpans();
  readonly #forgotten = new ForgottenTraces();
  /** Agents of which a root has come. */
  readonly #rooted = new Set<string>();
  #spanCount = 0;
  #closedSpanCount = 0;

  /** @param book prices the model calls whose cost telemetry does not tell. */
  constructor(book: PriceBook = emptyPriceBook) {
    this.#book = book;
  }

  get traceCount(): number {
    return this.#openCount;
  }

  /** Place in the journal of the oldest span that still waits; `null` when none does. */
  get firstSeq(): number | null {
    return this.#begun.find(isOpen)?.firstSeq ?? null;
  }

  /** Whether the span is of a trace that was closed, and whose spans are not remembered any more. */
  isForgotten(span: AgentSpan): boolean {
    return this.#forgotten.has(span);
  }

  /** Those that are of no closed trace; and of the others how many there are, by reason. */
  sortOut(spans: readonly AgentSpan[]): {
    readonly news: readonly AgentSpan[];
    readonly dropped: ReadonlyMap<SpanDropReason, number>;
  } {
    const dropped = new Map<SpanDropReason, number>();
    let last: AgentSpan | null = null;
    let trace: Trace | undefined;
    const news = spans.filter((span) => {
      if (span.traceId !== last?.traceId || span.endpoint !== last.endpoint) {
        trace = this.#traces.get(`${span.traceId} ${span.endpoint}`);
        last = span;
      }
      if (!trace?.closed) return true;
      const reason = reasonToDrop(trace.closed, span);
      dropped.set(reason, (dropped.get(reason) ?? 0) + 1);
      return false;
    });
    return { news, dropped };
  }

  /**
   * Takes spans in. The first of a span id wins. Returns what was left out, by reason.
   *
   * @param seq their place in the journal.
   */
  add(spans: readonly AgentSpan[], nowMs: number, seq = 0): Map<SpanDropReason, number> {
    const dropped = new Map<SpanDropReason, number>();
    const drop = (reason: SpanDropReason) => dropped.set(reason, (dropped.get(reason) ?? 0) + 1);
    let trace: Trace | null = null;
    for (const span of spans) {
      // A batch mostly holds the spans of one trace side by side.
      if (span.traceId !== trace?.traceId || span.endpoint !== trace.endpoint) {
        trace = this.#traceOf(span, seq);
      }
      if (trace.closed) {
        drop(reasonToDrop(trace.closed, span));
        continue;
      }
      const known = this.#rowOf(trace, span.spanId);
      if (known !== NO_ROW) {
        const first = this.#rows.get(known, trace.traceId);
        drop(digest(first) === digest(span) ? "duplicate_span" : "changed_span");
        continue;
      }
      trace.lastArrivalMs = nowMs;
      const isFirstRoot = span.parentSpanId === null && !trace.hasRoot;
      if (trace.spans >= TRACE_SPANS_MAX && !isFirstRoot) {
        drop("trace_span_limit");
        continue;
      }
      this.#append(trace, span);
      this.#spanCount++;
      if (span.parentSpanId === null) {
        trace.hasRoot = true;
        this.#noteRoot(span.endpoint);
      }
    }
    return dropped;
  }

  /** Keys of the traces that are to be closed now. They stay open until `close` is called with them. */
  due(nowMs: number): string[] {
    const due: string[] = [];
    const waiting: Trace[] = [];
    let excess = this.#spanCount - OPEN_SPANS_MAX;
    for (const trace of this.#begun) {
      if (trace.closed) continue;
      // The clock was set back: its quiet time begins now.
      trace.lastArrivalMs = Math.min(trace.lastArrivalMs, nowMs);
      if (nowMs - trace.lastArrivalMs >= this.#waitMs(trace)) {
        due.push(trace.key);
        excess -= trace.spans;
      } else {
        waiting.push(trace);
      }
    }
    if (excess <= 0) return due;
    // Of those that are not due the longest quiet, until the rest is within the bound.
    waiting.sort((a, b) => a.lastArrivalMs - b.lastArrivalMs);
    for (const { key, spans } of waiting) {
      if (excess <= 0) break;
      due.push(key);
      excess -= spans;
    }
    return due;
  }

  #waitMs({ hasRoot, endpoint }: Trace): number {
    if (hasRoot) return CLOSE_AFTER_MS;
    return this.#rooted.has(endpoint) ? CLOSE_UNFINISHED_AFTER_MS : CLOSE_WITHOUT_ROOT_AFTER_MS;
  }

  /** While the monitor was down nothing could arrive: the quiet time of what is open begins now. */
  waitAnew(nowMs: number): void {
    for (const trace of this.#begun) trace.lastArrivalMs = nowMs;
  }

  /** Every open trace, for a clean stop. */
  all(): string[] {
    return this.#begun.filter(isOpen).map(({ key }) => key);
  }

  close(keys: readonly string[]): ClosedTrace[] {
    const closed: ClosedTrace[] = [];
    for (const key of keys) {
      const trace = this.#traces.get(key);
      if (!trace || trace.closed) continue;
      const spans = this.#takeOut(trace);
      trace.closed = this.#closedSpans.add(spans);
      this.#openCount--;
      this.#remember(trace);
      closed.push(assembleTrace(spans, this.#book));
    }
    // Now and then is often enough: none is passed by more than twice.
    if (this.#openCount * 2 < this.#begun.length) this.#begun = this.#begun.filter(isOpen);
    return closed;
  }

  #rowOf({ firstRow, rowOf }: Trace, spanId: string): number {
    if (rowOf) return rowOf.get(spanId) ?? NO_ROW;
    let row = firstRow;
    while (row !== NO_ROW && this.#rows.spanId(row) !== spanId) row = this.#rows.after(row);
    return row;
  }

  #append(trace: Trace, span: AgentSpan): void {
    const row = this.#rows.add(span);
    if (trace.lastRow === NO_ROW) trace.firstRow = row;
    else this.#rows.follow(trace.lastRow, row);
    trace.lastRow = row;
    trace.spans++;
    if (trace.rowOf) trace.rowOf.set(span.spanId, row);
    else if (trace.spans > SEARCHED_MAX) trace.rowOf = this.#indexOf(trace);
  }

  #indexOf({ firstRow }: Trace): Map<string, number> {
    const rowOf = new Map<string, number>();
    for (let row = firstRow; row !== NO_ROW; row = this.#rows.after(row)) {
      rowOf.set(this.#rows.spanId(row), row);
    }
    return rowOf;
  }

  /** Its spans, whose rows are free from now on. */
  #takeOut(trace: Trace): AgentSpan[] {
    const spans: AgentSpan[] = [];
    for (let row = trace.firstRow; row !== NO_ROW; ) {
      spans.push(this.#rows.get(row, trace.traceId));
      const next = this.#rows.after(row);
      this.#rows.free(row);
      row = next;
    }
    trace.firstRow = NO_ROW;
    trace.rowOf = null;
    this.#spanCount -= spans.length;
    return spans;
  }

  #traceOf({ traceId, endpoint }: AgentSpan, seq: number): Trace {
    const key = `${traceId} ${endpoint}`;
    const known = this.#traces.get(key);
    if (known) return known;
    const trace: Trace = {
      key,
      traceId,
      endpoint,
      firstSeq: seq,
      firstRow: NO_ROW,
      lastRow: NO_ROW,
      spans: 0,
      rowOf: null,
      hasRoot: false,
      lastArrivalMs: Number.NEGATIVE_INFINITY, // its first span tells
      closed: null,
    };
    this.#traces.set(key, trace);
    this.#begun.push(trace);
    this.#openCount++;
    return trace;
  }

  #noteRoot(endpoint: string): void {
    if (this.#rooted.size < ROOTED_ENDPOINTS_MAX) this.#rooted.add(endpoint);
  }

  #remember(trace: Trace): void {
    this.#closed.push(trace);
    this.#closedSpanCount += trace.spans;
    while (this.#closedSpanCount > CLOSED_SPANS_MAX) this.#forgetOldest();
  }

  #forgetOldest(): void {
    const oldest = this.#closed[this.#oldestClosed++];
    if (oldest) {
      this.#closedSpanCount -= oldest.spans;
      this.#traces.delete(oldest.key);
      this.#forgotten.add(oldest);
    }
    if (this.#oldestClosed * 2 < this.#closed.length) return;
    this.#closed.splice(0, this.#oldestClosed);
    this.#oldestClosed = 0;
  }
}

function isOpen({ closed }: Trace): boolean {
  return closed === null;
}
