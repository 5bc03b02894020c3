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
  /** Refused by the endpoint itself for want of capacity: 429. */
  readonly throttled: number;
  /** Refused by the endpoint itself for the caller's fault: other 4xx. */
  readonly client: number;
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

const NONE: RequestCount = { count: 0, failed: 0, throttled: 0, client: 0 };

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
      throttled: before.throttled + (ending === "throttled" ? value : 0),
      client: before.client + (ending === "client" ? value : 0),
    });
  }
  return byEndpoint;
}

function endingOf(statusCode: string | undefined, outcome: string | undefined) {
  if (statusCode?.startsWith("5")) return "failed";
  if (statusCode === "429") return "throttled";
  if (statusCode?.startsWith("4")) return "client";
  return FAILED_OUTCOMES.has(outcome) ? "failed" : "answered";
}

const minus = (after: RequestCount, before: RequestCount): RequestCount => ({
  count: after.count - before.count,
  failed: after.failed - before.failed,
  throttled: after.throttled - before.throttled,
  client: after.client - before.client,
});

export function sumOf(counts: Iterable<RequestCount>): RequestCount {
  let { count, failed, throttled, client } = NONE;
  for (const one of counts) {
    count += one.count;
    failed += one.failed;
    throttled += one.throttled;
    client += one.client;
  }
  return { count, failed, throttled, client };
}
