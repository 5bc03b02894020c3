/**
 * Latency buckets. Two kinds: logarithmic ones, 64 per octave, from which
 * percentiles come (a bucket's middle is at most 0.78 % off), and the few fixed
 * bounds that a Prometheus histogram shows. Both are found straight from the
 * double's bits: 2 ns, where `Math.log` takes 10 and sketches-js 16.
 */

/** Upper bounds of the histogram, inclusive, from a cache hit to an agent that thinks for minutes. */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000,
  300_000,
];

/** One more than there are bounds: the last takes what is above all of them. */
export const HISTOGRAM_BUCKETS = LATENCY_BOUNDS_MS.length + 1;

/** The bounds with `Infinity` last, so that every bucket has one. */
export const HISTOGRAM_BOUNDS_MS: Float64Array = Float64Array.from([
  ...LATENCY_BOUNDS_MS,
  Number.POSITIVE_INFINITY,
]);

/** 64 octaves, 2^-20 ms (a nanosecond) to 2^44 ms; what is outside counts in the first or last. */
export const LOG_BUCKETS = 4_096;

const MANTISSA_BITS_DROPPED = 14;
const FIRST_EXPONENT = 1_023 - 20;
const FIRST_BUCKET = FIRST_EXPONENT << 6;
const LAST_BUCKET = LOG_BUCKETS - 1;

const scratch = new Float64Array(1);
const scratchWords = new Uint32Array(scratch.buffer);

/** @param highWord the upper 32 bits of a double that is not negative. */
export function logBucketOfWord(highWord: number): number {
  const bucket = (highWord >>> MANTISSA_BITS_DROPPED) - FIRST_BUCKET;
  return bucket < 0 ? 0 : Math.min(bucket, LAST_BUCKET);
}

export function logBucketOf(valueMs: number): number {
  scratch[0] = valueMs;
  return logBucketOfWord(scratchWords[1] ?? 0);
}

/** The value that stands for a bucket. */
export function middleOf(bucket: number): number {
  if (bucket === 0) return 0;
  return (lowerBoundOf(bucket) + lowerBoundOf(bucket + 1)) / 2;
}

function lowerBoundOf(bucket: number): number {
  scratchWords[0] = 0;
  scratchWords[1] = (bucket + FIRST_BUCKET) << MANTISSA_BITS_DROPPED;
  return scratch[0] ?? 0;
}

/**
 * For each log bucket, the histogram bucket of its smallest value. A value lies in it or,
 * if it is above its bound, in the next one: no log bucket is wide enough to hold two bounds.
 */
export const HISTOGRAM_BUCKET_OF_LOG: Uint8Array = Uint8Array.from(
  { length: LOG_BUCKETS },
  (_, bucket) => {
    const smallest = bucket === 0 ? 0 : lowerBoundOf(bucket);
    const found = LATENCY_BOUNDS_MS.findIndex((bound) => smallest <= bound);
    return found < 0 ? LATENCY_BOUNDS_MS.length : found;
  },
);

/** The log buckets that a bound divides: there it depends on the value itself. */
export const DIVIDED_LOG_BUCKETS: readonly number[] = Array.from(
  HISTOGRAM_BUCKET_OF_LOG.keys(),
).filter((bucket) => {
  const of = HISTOGRAM_BUCKET_OF_LOG[bucket];
  return of !== (HISTOGRAM_BUCKET_OF_LOG[bucket + 1] ?? of);
});

/** @param logBucket in which the value is. */
export function histogramBucketOf(valueMs: number, logBucket: number): number {
  const bucket = HISTOGRAM_BUCKET_OF_LOG[logBucket] ?? 0;
  return valueMs > (HISTOGRAM_BOUNDS_MS[bucket] ?? 0) ? bucket + 1 : bucket;
}
