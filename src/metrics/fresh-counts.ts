/**
 * Latencies of the collector's own thread, counted by row and log bucket as they are
 * recorded. They go on into windows and histograms when somebody asks, or when their slice
 * of time is over: adding to one count takes a call a third of the time of leaving a sample
 * that is counted later. A row that gets no place is counted from the thread's ring, as
 * those of workers are.
 */
import {
  DIVIDED_LOG_BUCKETS,
  HISTOGRAM_BUCKET_OF_LOG,
  histogramBucketOf,
  LOG_BUCKETS,
} from "./log-buckets.ts";

/**
 * Counts of a row: of each log bucket, and then two for each that a bound of the histogram
 * divides, which are counted there instead.
 */
const ROW_COUNTS = LOG_BUCKETS + 2 * DIVIDED_LOG_BUCKETS.length;

/** 32 KiB each, so there is room for few at first, and four times as many whenever it is needed. */
const ROWS_MAX = 128;
const ROWS_MIN = 16;
const ROWS_FACTOR = 4;

export const FRESH_COUNTS_BYTES_MAX = ROWS_MAX * ROW_COUNTS * 8;

export type FreshCount = {
  /** Where the row's totals begin. */
  readonly row: number;
  readonly logBucket: number;
  /** Of the histogram. */
  readonly bucket: number;
  readonly count: number;
};

export class FreshCounts {
  readonly #sliceMs: number;
  readonly #onSliceEnd: () => void;
  readonly #rows: number[] = [];
  #hasAll = true;
  #counts = new Uint32Array(0);
  /** Which of them are not zero. */
  #used = new Uint32Array(0);
  #usedCount = 0;
  #timeMs = 0;
  #sliceEndMs = Number.NEGATIVE_INFINITY;

  /** @param onSliceEnd takes what was counted, before anything of the next slice is. */
  constructor(sliceMs: number, onSliceEnd: () => void) {
    this.#sliceMs = sliceMs;
    this.#onSliceEnd = onSliceEnd;
  }

  /** @returns where a new row is counted, from 1 on; 0 when there is no room for it. */
  placeFor(row: number): number {
    if (this.#rows.length === ROWS_MAX) {
      this.#hasAll = false;
      return 0;
    }
    this.#rows.push(row);
    if (this.#rows.length * ROW_COUNTS >= this.#counts.length) this.#grow();
    return 1 + (this.#rows.length - 1) * ROW_COUNTS;
  }

  #grow(): void {
    const rows = this.#rows.length === 1 ? ROWS_MIN : this.#rows.length * ROWS_FACTOR;
    const [counts, used] = [this.#counts, this.#used];
    this.#counts = new Uint32Array(1 + Math.min(ROWS_MAX, rows) * ROW_COUNTS);
    this.#used = new Uint32Array(this.#counts.length);
    this.#counts.set(counts);
    this.#used.set(used);
  }

  /** Whether every row got a place. */
  get hasAll(): boolean {
    return this.#hasAll;
  }

  add(place: number, logBucket: number, ms: number): void {
    const at = place + logBucket;
    const before = this.#counts[at] ?? 0;
    if (before === 0) this.#addFirst(at, logBucket, ms);
    else this.#counts[at] = before + 1;
  }

  /** Of the slice. What a bound divides comes here each time, so that nothing else has to ask. */
  #addFirst(at: number, logBucket: number, ms: number): void {
    const divided = DIVIDED_LOG_BUCKETS.indexOf(logBucket);
    const isAbove =
      divided >= 0 && histogramBucketOf(ms, logBucket) !== HISTOGRAM_BUCKET_OF_LOG[logBucket];
    const countAt =
      divided < 0 ? at : at - logBucket + LOG_BUCKETS + 2 * divided + (isAbove ? 1 : 0);
    const before = this.#counts[countAt] ?? 0;
    this.#counts[countAt] = before + 1;
    if (before === 0) this.#used[this.#usedCount++] = countAt;
  }

  /** What comes from now on is of this time, which never goes back. */
  goOnAt(timeMs: number): void {
    if (timeMs >= this.#sliceEndMs) {
      this.#onSliceEnd();
      this.#sliceEndMs = (Math.floor(timeMs / this.#sliceMs) + 1) * this.#sliceMs;
    }
    this.#timeMs = timeMs;
  }

  /** A time of the slice that all counts are of. */
  get timeMs(): number {
    return this.#timeMs;
  }

  take(see: (counted: FreshCount) => void): void {
    const count = this.#usedCount;
    this.#usedCount = 0;
    for (const at of this.#used.subarray(0, count)) {
      const counted = this.#counts[at] ?? 0;
      this.#counts[at] = 0;
      const row = this.#rows[Math.floor((at - 1) / ROW_COUNTS)] ?? 0;
      see({ row, ...bucketsAt((at - 1) % ROW_COUNTS), count: counted });
    }
  }
}

function bucketsAt(place: number): Pick<FreshCount, "logBucket" | "bucket"> {
  const half = place - LOG_BUCKETS;
  const logBucket = half < 0 ? place : (DIVIDED_LOG_BUCKETS[half >> 1] ?? 0);
  const lowest = HISTOGRAM_BUCKET_OF_LOG[logBucket] ?? 0;
  return { logBucket, bucket: half < 0 ? lowest : lowest + (half & 1) };
}
