/**
 * How whole the traces of an agent are: sampled on their way, or lost with a process that
 * ended, spans lack the span that they were called in. Counted when a trace closes.
 */
import type { ClosedTrace } from "../signals/closed-trace.ts";

export class TelemetryLoss {
  spans = 0;
  /** Of these, spans whose parent never came. */
  orphanSpans = 0;
  /** Requests whose root never came. */
  incompleteRequests = 0;

  add({ spans, orphanSpans, requests }: ClosedTrace): void {
    this.spans += spans;
    this.orphanSpans += orphanSpans;
    for (const { incomplete } of requests) if (incomplete) this.incompleteRequests++;
  }

  merge(other: TelemetryLoss): void {
    this.spans += other.spans;
    this.orphanSpans += other.orphanSpans;
    this.incompleteRequests += other.incompleteRequests;
  }

  /** Share of the spans whose parent never came; `null` without any span. */
  get orphanSpanRatio(): number | null {
    return this.spans === 0 ? null : this.orphanSpans / this.spans;
  }
}
