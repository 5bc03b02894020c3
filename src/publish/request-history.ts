/**
 * How many requests there were within a time, by endpoint and how they ended. A
 * collector has totals since its start; here their readings of earlier are kept,
 * every minute for two hours and every quarter of an hour for a day. Pure: the
 * caller reads and says when.
 */
import type { CounterTotals } from "../metrics/metrics-collector.ts";
import { failedOutcomes } from "../signals/call-outcome.ts";

export type RequestCount = {
  readonly count: number;
  /** Failed because of the agent. */
  readonly failed: number;
  /** Refused by the endpoint itself: 429 and other 4xx. */
  readonly refused: number;
};

export type RequestCounts = {
  /** From when on they are counted, Unix milliseconds. */
  readonly sinceMs: number;
  readonly byEndpoint: ReadonlyMap<string, RequestCount>;
};

type Reading = {
  readonly timeMs: number;
  readonly byEndpoint: ReadonlyMap<string, RequestCount>;
};

/** A reading is kept when the one before it is so old. */
export const READING_EVERY_MS = 60_000;
const FINE_FOR_MS = 2 * 3_600_000;
const COARSE_EVERY_MS = 15 * 60_000;
const KEPT_FOR_MS = 24 * 3_600_000;
/** Endpoints of a reading. Further ones are counted together. */
const ENDPOINTS_MAX = 1_000;
export const OTHER_ENDPOINTS = "other";

const NONE: RequestCount = { count: 0, failed: 0, refused: 0 };

const FAILED_OUTCOMES: ReadonlySet<string | undefined> = new Set(failedOutcomes);

export class RequestHistory {
  #readings: Reading[] = [];

  /** @param totals of `request_total`. */
  add(totals: CounterTotals, nowMs: number): void {
    const last = this.#readings.at(-1);
    if (last && nowMs - last.timeMs < READING_EVERY_MS) return;
    this.#readings.push({ timeMs: nowMs, byEndpoint: requestsByEndpoint(totals) });
    this.#prune(nowMs);
  }

  /**
   * Counts from `sinceMs` on, or from the last reading before it. Without one, from
   * the start when that is later, else from the first reading.
   */
  since(sinceMs: number, totals: CounterTotals): RequestCounts {
    const now = requestsByEndpoint(totals);
    if (totals.startMs >= sinceMs) return { sinceMs: totals.startMs, byEndpoint: now };
    const before =
      this.#readings.findLast(({ timeMs }) => timeMs <= sinceMs) ?? this.#readings.at(0);
    if (!before) return { sinceMs: totals.startMs, byEndpoint: now };
    const byEndpoint = new Map<string, RequestCount>();
    for (const [endpoint, count] of now) {
      const added = minus(count, before.byEndpoint.get(endpoint) ?? NONE);
      if (added.count > 0) byEndpoint.set(endpoint, added);
    }
    return { sinceMs: before.timeMs, byEndpoint };
  }

  get size(): number {
    return this.#readings.length;
  }

  #prune(nowMs: number): void {
    let keptMs = Number.NEGATIVE_INFINITY;
    this.#readings = this.#readings.filter(({ timeMs }) => {
      const ageMs = nowMs - timeMs;
      // One that is older than a day is where the last day begins.
      if (ageMs > KEPT_FOR_MS + COARSE_EVERY_MS) return false;
      if (ageMs > FINE_FOR_MS && timeMs - keptMs < COARSE_EVERY_MS) return false;
      keptMs = timeMs;
      return true;
    });
  }
}

function requestsByEndpoint({ series }: CounterTotals): Map<string, RequestCount> {
  const byEndpoint = new Map<string, RequestCount>();
  for (const { labels, value } of series) {
    const named = labels.endpoint ?? OTHER_ENDPOINTS;
    const isKnown = byEndpoint.has(named) || byEndpoint.size < ENDPOINTS_MAX;
    const endpoint = isKnown ? named : OTHER_ENDPOINTS;
    const before = byEndpoint.get(endpoint) ?? NONE;
    const ending = endingOf(labels.status_code, labels.outcome);
    byEndpoint.set(endpoint, {
      count: before.count + value,
      failed: before.failed + (ending === "failed" ? value : 0),
      refused: before.refused + (ending === "refused" ? value : 0),
    });
  }
  return byEndpoint;
}

function endingOf(statusCode: string | undefined, outcome: string | undefined) {
  if (statusCode?.startsWith("5")) return "failed";
  if (statusCode?.startsWith("4")) return "refused";
  return FAILED_OUTCOMES.has(outcome) ? "failed" : "answered";
}

const minus = (after: RequestCount, before: RequestCount): RequestCount => ({
  count: after.count - before.count,
  failed: after.failed - before.failed,
  refused: after.refused - before.refused,
});

export function sumOf(counts: Iterable<RequestCount>): RequestCount {
  let { count, failed, refused } = NONE;
  for (const one of counts) {
    count += one.count;
    failed += one.failed;
    refused += one.refused;
  }
  return { count, failed, refused };
}
