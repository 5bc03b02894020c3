/**
 * Latencies and their percentiles. Nearest-rank, exact while at most
 * `exactSamplesMax` samples are held; beyond, in buckets whose relative error is
 * at most 0.8 %, so that memory stays bounded whatever the traffic.
 */

/** Samples kept as they are, if not told otherwise, before they are counted in buckets. */
export const EXACT_SAMPLES_MAX = 1_000;

export type Percentiles = { readonly p50: number; readonly p95: number; readonly p99: number };

/** All that is known of latencies that are not kept one by one. */
export type BucketCounts = {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  /** Ascending: the first 18 bits of the doubles in it, after the sign. */
  readonly buckets: Uint32Array<ArrayBuffer>;
  /** For each bucket. */
  readonly counts: Uint32Array<ArrayBuffer>;
};

export class Distribution {
  count = 0;
  sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  readonly #exactSamplesMax: number;
  #samples: number[] | null = [];
  #buckets: SortedCounts | null = null;

  constructor({ exactSamplesMax = EXACT_SAMPLES_MAX }: { readonly exactSamplesMax?: number } = {}) {
    this.#exactSamplesMax = exactSamplesMax;
  }

  /** @param value finite and not negative. */
  add(value: number): void {
    this.count++;
    this.sum += value;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
    if (this.#samples) {
      this.#samples.push(value);
      if (this.#samples.length > this.#exactSamplesMax) this.#useBuckets();
    } else {
      this.#buckets?.add(bucketOf(value), 1);
    }
  }

  merge(other: Distribution): void {
    this.count += other.count;
    this.sum += other.sum;
    if (other.#min < this.#min) this.#min = other.#min;
    if (other.#max > this.#max) this.#max = other.#max;
    if (this.#samples && other.#samples) {
      for (const sample of other.#samples) this.#samples.push(sample);
      if (this.#samples.length > this.#exactSamplesMax) this.#useBuckets();
      return;
    }
    this.#useBuckets();
    for (const sample of other.#samples ?? []) this.#buckets?.add(bucketOf(sample), 1);
    if (other.#buckets) this.#buckets?.merge(other.#buckets);
  }

  /** What `ofBuckets` makes it of again, its percentiles then being within 0.8 %. */
  buckets(): BucketCounts {
    const { count, sum } = this;
    let counted = this.#buckets;
    if (counted === null) {
      counted = new SortedCounts();
      for (const sample of this.#samples ?? []) counted.add(bucketOf(sample), 1);
    }
    return { count, sum, min: this.#min, max: this.#max, ...counted.arrays() };
  }

  static ofBuckets({ count, sum, min, max, buckets, counts }: BucketCounts): Distribution {
    const made = new Distribution({ exactSamplesMax: 0 });
    if (count === 0) return made;
    made.count = count;
    made.sum = sum;
    made.#min = min;
    made.#max = max;
    made.#samples = null;
    made.#buckets = SortedCounts.of(buckets, counts);
    return made;
  }

  /**
   * Samples above the value. Exact while they are held one by one; in buckets those that
   * are less than 1.6 % above it may be missing, and none is counted that is not above.
   */
  countAbove(value: number): number {
    if (this.#max <= value) return 0;
    if (this.#min > value) return this.count;
    if (this.#samples) {
      let above = 0;
      for (const sample of this.#samples) if (sample > value) above++;
      return above;
    }
    const bucketOfValue = bucketOf(value);
    let above = 0;
    this.#buckets?.forEach((bucket, count) => {
      if (bucket > bucketOfValue) above += count;
    });
    return above;
  }

  /** `null` without samples. */
  percentiles(): Percentiles | null {
    if (this.count === 0) return null;
    const [p50, p95, p99] = this.#quantiles([0.5, 0.95, 0.99]);
    return { p50: p50 ?? 0, p95: p95 ?? 0, p99: p99 ?? 0 };
  }

  mean(): number | null {
    return this.count === 0 ? null : this.sum / this.count;
  }

  /** @param fractions ascending. */
  #quantiles(fractions: readonly number[]): number[] {
    const rank = (fraction: number) => nearestRank(fraction, this.count);
    if (this.#samples) {
      const sorted = Float64Array.from(this.#samples).sort();
      return fractions.map((fraction) => sorted[rank(fraction) - 1] ?? 0);
    }
    const asked = fractions.map(rank);
    const found: number[] = [];
    let seen = 0;
    this.#buckets?.forEach((bucket, count) => {
      seen += count;
      while (found.length < asked.length && seen >= (asked[found.length] ?? 0)) {
        found.push(Math.min(this.#max, Math.max(this.#min, middleOf(bucket))));
      }
    });
    return found;
  }

  #useBuckets(): void {
    if (!this.#samples) return;
    const samples = this.#samples;
    this.#samples = null;
    this.#buckets = new SortedCounts();
    for (const sample of samples) this.#buckets.add(bucketOf(sample), 1);
  }
}

/** The place, from 1, of a quantile in so many ascending samples: the one definition of a percentile. */
export function nearestRank(fraction: number, count: number): number {
  return Math.max(1, Math.ceil(fraction * count));
}

/** Counts by bucket, ascending, in two flat arrays: there are very many of these. */
class SortedCounts {
  #buckets: Uint32Array<ArrayBuffer>;
  #counts: Uint32Array<ArrayBuffer>;
  #size: number;

  constructor(buckets = new Uint32Array(16), counts = new Uint32Array(16), size = 0) {
    this.#buckets = buckets;
    this.#counts = counts;
    this.#size = size;
  }

  /** The arrays become its own. */
  static of(buckets: Uint32Array<ArrayBuffer>, counts: Uint32Array<ArrayBuffer>): SortedCounts {
    const made = new SortedCounts();
    made.#buckets = buckets;
    made.#counts = counts;
    made.#size = buckets.length;
    return made;
  }

  arrays() {
    return {
      buckets: this.#buckets.slice(0, this.#size),
      counts: this.#counts.slice(0, this.#size),
    };
  }

  add(bucket: number, count: number): void {
    const index = this.#indexOf(bucket);
    if (index === this.#size || this.#buckets[index] !== bucket) this.#insert(index, bucket);
    this.#counts[index] = (this.#counts[index] ?? 0) + count;
  }

  /** In one pass from the end, in place: days are merged from very many of these. */
  merge(other: SortedCounts): void {
    const size = this.#size + other.#missingIn(this);
    if (size > this.#buckets.length) {
      this.#buckets = grown(this.#buckets, 2 * size);
      this.#counts = grown(this.#counts, 2 * size);
    }
    const [buckets, counts] = [this.#buckets, this.#counts];
    let mine = this.#size - 1;
    let its = other.#size - 1;
    for (let to = size - 1; its >= 0; to--) {
      const own = mine >= 0 ? (buckets[mine] ?? 0) : -1;
      const added = other.#buckets[its] ?? 0;
      const count = counts[mine] ?? 0;
      buckets[to] = Math.max(own, added);
      counts[to] = (own >= added ? count : 0) + (added >= own ? (other.#counts[its] ?? 0) : 0);
      if (own >= added) mine--;
      if (added >= own) its--;
    }
    this.#size = size;
  }

  /** How many of its buckets another one lacks. */
  #missingIn(other: SortedCounts): number {
    let missing = 0;
    let at = 0;
    for (let index = 0; index < this.#size; index++) {
      const bucket = this.#buckets[index] ?? 0;
      while (at < other.#size && (other.#buckets[at] ?? 0) < bucket) at++;
      if (at === other.#size || other.#buckets[at] !== bucket) missing++;
    }
    return missing;
  }

  forEach(visit: (bucket: number, count: number) => void): void {
    for (let index = 0; index < this.#size; index++) {
      visit(this.#buckets[index] ?? 0, this.#counts[index] ?? 0);
    }
  }

  /** Where the bucket stands, or would stand. */
  #indexOf(bucket: number): number {
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#buckets[middle] ?? 0) < bucket) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #insert(index: number, bucket: number): void {
    if (this.#size === this.#buckets.length) {
      this.#buckets = grown(this.#buckets, 2 * this.#size);
      this.#counts = grown(this.#counts, 2 * this.#size);
    }
    this.#buckets.copyWithin(index + 1, index, this.#size);
    this.#counts.copyWithin(index + 1, index, this.#size);
    this.#buckets[index] = bucket;
    this.#counts[index] = 0;
    this.#size++;
  }
}

function grown(array: Uint32Array<ArrayBuffer>, size: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(size);
  larger.set(array);
  return larger;
}

// A double's exponent and the first 6 bits of its mantissa: 64 buckets an octave.
const double = new DataView(new ArrayBuffer(8));

/** The one definition of a bucket, which SQL elsewhere repeats. */
export function bucketOf(value: number): number {
  double.setFloat64(0, value);
  return double.getUint32(0) >>> 14;
}

export function middleOf(bucket: number): number {
  double.setUint32(0, bucket << 14);
  double.setUint32(4, 0);
  const low = double.getFloat64(0);
  double.setUint32(0, (bucket + 1) << 14);
  return (low + double.getFloat64(0)) / 2;
}
