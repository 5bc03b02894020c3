/**
 * A latency histogram of one endpoint, and what it says of the last minute.
 *
 * Nobody documents whether Databricks' histograms count since the start, as in
 * Prometheus, or for the last minute, as its other metrics do. So the histogram is
 * compared with the number of requests of the last minute until only one reading
 * fits; before that, nothing is said. A percentile of all time, shown as one of the
 * last minute, would be worse than none.
 */
export type Histogram = {
  /** How many were at or below each bound, by bound, ascending; the last is infinite. */
  readonly buckets: readonly (readonly [upToMs: number, count: number])[];
  readonly count: number;
  readonly sumMs: number;
};

/** How far back the histogram counts, as far as seen. */
export type HistogramSpan = {
  readonly kind: "unknown" | "minute" | "since-start";
  /** The reading that alone fitted the last times, and how often in a row. */
  readonly candidate: "minute" | "since-start" | null;
  readonly agreements: number;
};

export const unknownSpan: HistogramSpan = { kind: "unknown", candidate: null, agreements: 0 };

/** A reading must be the only one that fits this often in a row. */
const AGREEMENTS_MIN = 2;
/** With fewer requests, both readings fit by chance. */
const REQUESTS_MIN = 5;
/** A poll and the platform's minute don't begin together. */
const TOLERANCE_SHARE = 0.2;
const TOLERANCE_REQUESTS = 2;

/** Learns from one more poll; `previous` is that of the minute before. */
export function learnSpan(
  span: HistogramSpan,
  seen: {
    readonly previous: Histogram;
    readonly current: Histogram;
    readonly requestsLastMinute: number;
  },
): HistogramSpan {
  const { previous, current, requestsLastMinute } = seen;
  if (requestsLastMinute < REQUESTS_MIN) return span;

  const fitsMinute = isNear(current.count, requestsLastMinute);
  const fitsSinceStart = isNear(current.count - previous.count, requestsLastMinute);
  if (fitsMinute === fitsSinceStart) return span;

  const candidate = fitsMinute ? "minute" : "since-start";
  const agreements = candidate === span.candidate ? span.agreements + 1 : 1;
  return { kind: agreements >= AGREEMENTS_MIN ? candidate : "unknown", candidate, agreements };
}

function isNear(count: number, requests: number): boolean {
  const tolerance = Math.max(TOLERANCE_REQUESTS, requests * TOLERANCE_SHARE);
  return Math.abs(count - requests) <= tolerance;
}

/** The last minute alone; `null` when it cannot be told. */
export function lastMinute(
  span: HistogramSpan,
  { previous, current }: { readonly previous: Histogram | null; readonly current: Histogram },
): Histogram | null {
  if (span.kind === "minute") return current;
  if (span.kind === "unknown" || !previous) return null;

  const before = new Map(previous.buckets);
  const buckets = current.buckets.map(
    ([upToMs, count]) => [upToMs, count - (before.get(upToMs) ?? Number.NaN)] as const,
  );
  // Fewer than before, or other bounds: it began anew, so the difference means nothing.
  if (buckets.some(([, count]) => !(count >= 0))) return null;
  const count = current.count - previous.count;
  const sumMs = current.sumMs - previous.sumMs;
  return count >= 0 && sumMs >= 0 ? { buckets, count, sumMs } : null;
}

/**
 * An estimate: exact to the bucket, a straight line within it. `null` without
 * requests, and where it lies above the last finite bound, since nobody knows how
 * far.
 */
export function estimateQuantile(histogram: Histogram, quantile: number): number | null {
  if (histogram.count <= 0) return null;
  const rank = quantile * histogram.count;
  let lowerMs = 0;
  let below = 0;
  for (const [upToMs, count] of histogram.buckets) {
    if (count >= rank) {
      if (!Number.isFinite(upToMs)) return null;
      const share = count > below ? (rank - below) / (count - below) : 1;
      return lowerMs + (upToMs - lowerMs) * share;
    }
    lowerMs = upToMs;
    below = count;
  }
  return null;
}
