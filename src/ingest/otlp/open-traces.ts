/**
 * Traces that are still arriving. A trace comes in parts, children first,
 * sometimes twice, sometimes without its root: it closes a while after its last
 * span. No clock: the caller passes the time, so that replaying a journal gives
 * the same traces again.
 */
import type { ClosedTrace } from "../../signals/closed-trace.ts";
import type { AgentSpan } from "../../signals/span.ts";
import { assembleTrace } from "./assemble-trace.ts";

/** Quiet time, in milliseconds, after which a trace with its root closes. */
export const CLOSE_AFTER_MS = 2_000;
/** The same for a trace whose root has not come. */
export const CLOSE_WITHOUT_ROOT_AFTER_MS = 30_000;
/** Open spans beyond which the longest-waiting traces close early. */
export const OPEN_SPANS_MAX = 200_000;
/** Most spans kept of one trace; more are dropped as `trace_span_limit`. */
export const TRACE_SPANS_MAX = 10_000;
/**
 * Spans of closed traces that are remembered, to know a late or repeated span
 * from a new one. A batch that is sent again after that counts as new.
 */
export const CLOSED_SPANS_MAX = 200_000;

type OpenTrace = {
  readonly spans: Map<string, AgentSpan>;
  hasRoot: boolean;
  lastArrivalMs: number;
};

export type SpanDropReason = "duplicate_span" | "changed_span" | "late_span" | "trace_span_limit";

export class OpenTraces {
  readonly #open = new Map<string, OpenTrace>();
  /** Trace id to a digest of each of its spans. Oldest first. */
  readonly #closed = new Map<string, ReadonlyMap<string, number>>();
  #spanCount = 0;
  #closedSpanCount = 0;

  get traceCount(): number {
    return this.#open.size;
  }

  /** Takes spans in. The first of a span id wins. Returns what was left out, by reason. */
  add(spans: readonly AgentSpan[], nowMs: number): Map<SpanDropReason, number> {
    const dropped = new Map<SpanDropReason, number>();
    const drop = (reason: SpanDropReason) => dropped.set(reason, (dropped.get(reason) ?? 0) + 1);
    for (const span of spans) {
      const closed = this.#closed.get(span.traceId);
      if (closed) {
        const seen = closed.get(span.spanId);
        drop(
          seen === undefined
            ? "late_span"
            : seen === digest(span)
              ? "duplicate_span"
              : "changed_span",
        );
        continue;
      }
      const trace = this.#traceOf(span.traceId, nowMs);
      const known = trace.spans.get(span.spanId);
      if (known) {
        drop(digest(known) === digest(span) ? "duplicate_span" : "changed_span");
      } else if (trace.spans.size >= TRACE_SPANS_MAX) {
        drop("trace_span_limit");
      } else {
        trace.spans.set(span.spanId, span);
        trace.hasRoot ||= span.parentSpanId === null;
        trace.lastArrivalMs = nowMs;
        this.#spanCount++;
      }
    }
    return dropped;
  }

  /** Traces that are to be closed now. Nothing changes until `close` is called with them. */
  due(nowMs: number): string[] {
    const due: string[] = [];
    let excess = this.#spanCount - OPEN_SPANS_MAX;
    for (const [traceId, { hasRoot, lastArrivalMs, spans }] of this.#open) {
      const waitMs = hasRoot ? CLOSE_AFTER_MS : CLOSE_WITHOUT_ROOT_AFTER_MS;
      if (excess > 0 || nowMs - lastArrivalMs >= waitMs) {
        due.push(traceId);
        excess -= spans.size;
      }
    }
    return due;
  }

  /** While the monitor was down nothing could arrive: the quiet time of what is open begins now. */
  waitAnew(nowMs: number): void {
    for (const trace of this.#open.values()) trace.lastArrivalMs = nowMs;
  }

  /** Every open trace, for a clean stop. */
  all(): string[] {
    return [...this.#open.keys()];
  }

  close(traceIds: readonly string[]): ClosedTrace[] {
    const closed: ClosedTrace[] = [];
    for (const traceId of traceIds) {
      const trace = this.#open.get(traceId);
      if (!trace) continue;
      this.#open.delete(traceId);
      this.#spanCount -= trace.spans.size;
      this.#remember(traceId, trace.spans);
      if (trace.spans.size > 0) closed.push(assembleTrace([...trace.spans.values()]));
    }
    return closed;
  }

  #traceOf(traceId: string, nowMs: number): OpenTrace {
    const known = this.#open.get(traceId);
    if (known) return known;
    const trace = { spans: new Map<string, AgentSpan>(), hasRoot: false, lastArrivalMs: nowMs };
    this.#open.set(traceId, trace);
    return trace;
  }

  #remember(traceId: string, spans: ReadonlyMap<string, AgentSpan>): void {
    this.#closed.set(traceId, new Map(Array.from(spans, ([id, span]) => [id, digest(span)])));
    this.#closedSpanCount += spans.size;
    for (const [oldest, digests] of this.#closed) {
      if (this.#closedSpanCount <= CLOSED_SPANS_MAX) break;
      this.#closed.delete(oldest);
      this.#closedSpanCount -= digests.size;
    }
  }
}

/** Tells a repeated span from a different one with the same id. */
function digest({ name, startMs, endMs, failed, parentSpanId }: AgentSpan): number {
  let hash = failed ? 17 : 19;
  for (const part of [name, parentSpanId ?? "", String(startMs), String(endMs)]) {
    for (let index = 0; index < part.length; index++) {
      hash = Math.imul(hash ^ part.charCodeAt(index), 0x01000193);
    }
  }
  return hash >>> 0;
}
