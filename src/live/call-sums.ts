/** The least that is counted of calls: for each release of each module since the monitor was started. */
export class CallSums {
  calls = 0;
  failed = 0;
  latencyMs = 0;
  /** The part of the latency that was not spent in modules below. */
  selfMs = 0;

  add(call: { readonly latencyMs: number; readonly selfMs: number; readonly failed: boolean }) {
    this.calls++;
    if (call.failed) this.failed++;
    this.latencyMs += call.latencyMs;
    this.selfMs += call.selfMs;
  }

  merge(other: CallSums): void {
    this.calls += other.calls;
    this.failed += other.failed;
    this.latencyMs += other.latencyMs;
    this.selfMs += other.selfMs;
  }
}
