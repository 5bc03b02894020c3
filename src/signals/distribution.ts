/**
 * Latencies and their percentiles. Nearest-rank, exact while at most
 * `EXACT_SAMPLES_MAX` samples are held; beyond, in buckets whose relative error
 * is at most 0.8 %, so that memory stays bounded whatever the traffic.
 */

/** Samples kept as they are before they are counted in buckets. */
const EXACT_SAMPLES_MAX = 1_000;

export type Percentiles = { readonly p50: number; readonly p95: number; readonly p99: number };

export class Distribution {
  count = 0;
  sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #samples: number[] | null = [];
  #buckets: Map<number, number> | null = null;

  /** @param value finite and not negative. */
  add(value: number): void {
    this.count++;
    this.sum += value;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
    if (this.#samples) {
      this.#samples.push(value);
      if (this.#samples.length > EXACT_SAMPLES_MAX) this.#useBuckets();
    } else {
      this.#count(bucketOf(value), 1);
    }
  }

  merge(other: Distribution): void {
    this.count += other.count;
    this.sum += other.sum;
    if (other.#min < this.#min) this.#min = other.#min;
    if (other.#max > this.#max) this.#max = other.#max;
    if (this.#samples && other.#samples) {
      for (const sample of other.#samples) this.#samples.push(sample);
      if (this.#samples.length > EXACT_SAMPLES_MAX) this.#useBuckets();
      return;
    }
    this.#useBuckets();
    for (const sample of other.#samples ?? []) this.#count(bucketOf(sample), 1);
    for (const [bucket, count] of other.#buckets ?? []) this.#count(bucket, count);
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
    const rank = (fraction: number) => Math.max(1, Math.ceil(fraction * this.count));
    if (this.#samples) {
      const sorted = Float64Array.from(this.#samples).sort();
      return fractions.map((fraction) => sorted[rank(fraction) - 1] ?? 0);
    }
    const buckets = [...(this.#buckets ?? [])].sort(([a], [b]) => a - b);
    let position = 0;
    let seen = buckets[0]?.[1] ?? 0;
    return fractions.map((fraction) => {
      while (seen < rank(fraction) && position < buckets.length - 1) {
        position++;
        seen += buckets[position]?.[1] ?? 0;
      }
      const middle = middleOf(buckets[position]?.[0] ?? 0);
      return Math.min(this.#max, Math.max(this.#min, middle));
    });
  }

  #useBuckets(): void {
    if (!this.#samples) return;
    const samples = this.#samples;
    this.#samples = null;
    this.#buckets = new Map();
    for (const sample of samples) this.#count(bucketOf(sample), 1);
  }

  #count(bucket: number, count: number): void {
    this.#buckets?.set(bucket, (this.#buckets.get(bucket) ?? 0) + count);
  }
}

// A double's exponent and the first 6 bits of its mantissa: 64 buckets an octave.
const double = new DataView(new ArrayBuffer(8));

function bucketOf(value: number): number {
  double.setFloat64(0, value);
  return double.getUint32(0) >>> 14;
}

function middleOf(bucket: number): number {
  double.setUint32(0, bucket << 14);
  double.setUint32(4, 0);
  const low = double.getFloat64(0);
  double.setUint32(0, (bucket + 1) << 14);
  return (low + double.getFloat64(0)) / 2;
}
