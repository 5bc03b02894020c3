/**
 * Traces that were closed so long ago that their spans are forgotten: a number for each, so
 * that a source which reads up to an hour late, or all of it again, adds none a second time.
 */
import type { AgentSpan } from "../../signals/span.ts";

/** Traces that are known, at least half of which are the newest. */
export const FORGOTTEN_TRACES_MAX = 500_000;

type Key = Pick<AgentSpan, "traceId" | "endpoint">;

export class ForgottenTraces {
  #newer = new Set<number>();
  #older: ReadonlySet<number> = new Set();

  has(key: Key): boolean {
    const number = numberOf(key);
    return this.#newer.has(number) || this.#older.has(number);
  }

  /** In two halves, since a set from which many are deleted grows slow. */
  add(key: Key): void {
    this.#newer.add(numberOf(key));
    if (this.#newer.size < FORGOTTEN_TRACES_MAX / 2) return;
    this.#older = this.#newer;
    this.#newer = new Set();
  }
}

/** 48 bits of the trace, which is random, and 5 of the agent: several may share a trace. */
function numberOf({ traceId, endpoint }: Key): number {
  let hash = 0;
  for (let at = 0; at < endpoint.length; at++) hash = (hash * 31 + endpoint.charCodeAt(at)) | 0;
  return Number.parseInt(traceId.slice(-12), 16) * 32 + ((hash ^ (hash >>> 15)) & 31);
}
