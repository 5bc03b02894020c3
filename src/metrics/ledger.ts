/**
 * The reading half, in the thread that made the collector: finds the rows of all
 * threads, adds them up by series, and empties their rings into history and windows.
 */
import { type Arena, PAGE_ROWS } from "./arena.ts";
import { describe, OVERFLOW_LABELS, readDescription } from "./labels.ts";
import { HISTOGRAM_BOUNDS_MS, HISTOGRAM_BUCKETS, LOG_BUCKETS } from "./log-buckets.ts";
import {
  EXEMPLAR_TIME,
  EXEMPLAR_TRACE,
  EXEMPLAR_VALUE,
  GAUGE_SEQUENCE,
  GAUGE_VALUE,
  KIND_COUNTER,
  KIND_GAUGE,
  KIND_LATENCY,
  LATENCY_BUCKETS,
  LATENCY_EXEMPLAR,
  LATENCY_MAX,
  LATENCY_MIN,
  LATENCY_SUM,
  type RowKind,
  readRows,
  seriesWordOf,
} from "./rows.ts";
import { drainRing, type HeldSamples, heldSamples } from "./shard.ts";
import type { Exemplar, SeriesLabels, SeriesSnapshot } from "./snapshot.ts";
import { type MetricSummary, summarizeBuckets, summarizeSamples } from "./summary.ts";
import { Windows } from "./windows.ts";

export const OVERFLOW_TOTAL = "metrics_overflow_total";
export const WINDOW_SKIPPED_TOTAL = "metrics_window_skipped_total";

export type Series = {
  readonly id: number;
  readonly labels: SeriesLabels;
  /** One for each thread that recorded it. */
  readonly rows: number[];
};

export type Metric = {
  readonly id: number;
  readonly kind: RowKind;
  readonly name: string;
  readonly series: Series[];
};

/** Shown only once something is in them. */
const SHOWN_WHEN_USED = new Set(["overflow_total", "overflow", "overflow_latency_ms"]);

export class Ledger {
  readonly #arena: Arena;
  readonly #readTo: number[] = [];
  readonly #metrics = new Map<string, Metric>();
  readonly #metricOfSeries: number[] = [];
  readonly #seriesByKey = new Map<string, Series>();
  readonly #foldedRows: { readonly kind: RowKind; readonly at: number }[] = [];
  readonly #historySize: number;
  readonly #windows: Windows;
  readonly #metricWindows = new Windows();
  /** Samples that no window has, because a worker's ring was written over. */
  #skipped = 0;

  constructor(arena: Arena, options: { readonly historySize: number }) {
    this.#arena = arena;
    this.#historySize = options.historySize;
    this.#windows = new Windows((entries, timeMs) => {
      for (let at = 0; at < entries.length; at += 2) {
        const key = entries[at] ?? 0;
        const metric = this.#metricOfSeries[key >>> 12] ?? 0;
        this.#metricWindows.add(
          ((metric << 12) | (key & 4_095)) >>> 0,
          entries[at + 1] ?? 0,
          timeMs,
        );
      }
    });
  }

  /** Metrics in the order in which they appeared. */
  metrics(): readonly Metric[] {
    this.#discover();
    return [...this.#metrics.values()].filter(
      (metric) => !SHOWN_WHEN_USED.has(metric.name) || this.#isUsed(metric),
    );
  }

  metric(kind: RowKind, name: string): Metric | undefined {
    this.#discover();
    return this.#metrics.get(`${kind}${name}`);
  }

  /** Brings history and windows up to date. */
  drain(): void {
    this.#discover();
    for (let shard = 0; shard < this.#arena.shards(); shard++) {
      this.#skipped += drainRing(this.#arena, shard, this.#windows);
    }
  }

  /** @param startMs of the window; undefined for all of the time. */
  summary(
    name: string,
    options: { readonly startMs: number | undefined; readonly labels: SeriesLabels | undefined },
  ): MetricSummary | undefined {
    const metric = this.metric(KIND_LATENCY, name);
    if (!metric) return undefined;
    const { startMs = Number.NEGATIVE_INFINITY, labels } = options;
    const wanted = labels ? Object.entries(labels) : [];
    const series = metric.series.filter((one) =>
      wanted.every(([label, value]) => one.labels[label] === value),
    );
    if (series.length === 0) return undefined;
    const isWanted = new Uint8Array(this.#metricOfSeries.length);
    for (const one of series) isWanted[one.id] = 1;

    const held = this.#held();
    if (held.every((ring) => startMs > ring.lostUpToMs)) {
      return summarizeSamples(this.#wantedOf(held, startMs, isWanted));
    }
    const isAllTime = startMs === Number.NEGATIVE_INFINITY;
    const totals = isAllTime ? this.#totalsOf(series) : undefined;
    if (totals?.count === 0) return undefined;
    if (totals) {
      const samples = this.#wantedOf(held, startMs, isWanted);
      if (samples.length === totals.count) return summarizeSamples(samples);
    }
    const buckets = new Float64Array(LOG_BUCKETS);
    if (wanted.length === 0) {
      const isMetric = new Uint8Array(this.#metrics.size);
      isMetric[metric.id] = 1;
      this.#metricWindows.read(startMs, isMetric, buckets);
      this.#windows.open(startMs, (id, bucket, count) => {
        if (isWanted[id] === 1) buckets[bucket] = (buckets[bucket] ?? 0) + count;
      });
    } else {
      this.#windows.read(startMs, isWanted, buckets);
    }
    return summarizeBuckets(buckets, totals);
  }

  /** The raw samples of all threads, no more than the history may hold. */
  #held(): readonly HeldSamples[] {
    const rings: HeldSamples[] = [];
    let count = 0;
    for (let shard = 0; shard < this.#arena.shards(); shard++) {
      const ring = heldSamples(this.#arena, shard, this.#historySize);
      if (!ring) continue;
      rings.push(ring);
      count += ring.times.length;
    }
    if (count <= this.#historySize) return rings;
    const times = new Float64Array(count);
    let at = 0;
    for (const ring of rings) {
      times.set(ring.times, at);
      at += ring.times.length;
    }
    const newestLostMs = times.sort()[count - this.#historySize - 1] ?? 0;
    return rings.map((ring) => {
      const first = ring.times.findIndex((timeMs) => timeMs > newestLostMs);
      const from = first < 0 ? ring.times.length : first;
      return {
        lostUpToMs: Math.max(ring.lostUpToMs, newestLostMs),
        times: ring.times.subarray(from),
        values: ring.values.subarray(from),
        rows: ring.rows.subarray(from),
      };
    });
  }

  #wantedOf(held: readonly HeldSamples[], startMs: number, isWanted: Uint8Array): Float64Array {
    const { words } = this.#arena;
    const found = new Float64Array(held.reduce((sum, ring) => sum + ring.times.length, 0));
    let count = 0;
    for (const { times, values, rows } of held) {
      for (let i = 0; i < times.length; i++) {
        if ((times[i] ?? 0) < startMs) continue;
        if (isWanted[words[seriesWordOf(rows[i] ?? 0)] ?? 0] !== 1) continue;
        found[count++] = values[i] ?? 0;
      }
    }
    return found.subarray(0, count);
  }

  value(metric: Metric, series: Series): number {
    const { doubles } = this.#arena;
    if (metric.kind === KIND_GAUGE) {
      let sequence = 0;
      let value = Number.NaN;
      for (const row of series.rows) {
        const set = doubles[row + GAUGE_SEQUENCE] ?? 0;
        if (set <= sequence) continue;
        sequence = set;
        value = doubles[row + GAUGE_VALUE] ?? 0;
      }
      return value;
    }
    let value = 0;
    for (const row of series.rows) value += doubles[row] ?? 0;
    if (metric.name === OVERFLOW_TOTAL) value += this.#foldedRecords();
    if (metric.name === WINDOW_SKIPPED_TOTAL) value += this.#skipped;
    return value;
  }

  /** Total count and sum; what lies in each bucket is added to `into`. */
  latency(series: Series, into: Float64Array): { readonly count: number; readonly sumMs: number } {
    const { doubles } = this.#arena;
    let count = 0;
    let sumMs = 0;
    for (const row of series.rows) {
      sumMs += doubles[row + LATENCY_SUM] ?? 0;
      for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        const inBucket = doubles[row + LATENCY_BUCKETS + bucket] ?? 0;
        into[bucket] = (into[bucket] ?? 0) + inBucket;
        count += inBucket;
      }
    }
    return { count, sumMs };
  }

  /** Records of workers that went beyond the limits of the whole. */
  #foldedRecords(): number {
    const { doubles } = this.#arena;
    let records = 0;
    for (const { kind, at } of this.#foldedRows) {
      if (kind === KIND_COUNTER) records += doubles[at] ?? 0;
      if (kind !== KIND_LATENCY) continue;
      for (let i = 0; i < HISTOGRAM_BUCKETS; i++) records += doubles[at + LATENCY_BUCKETS + i] ?? 0;
    }
    return records;
  }

  snapshotOf(metric: Metric, series: Series): SeriesSnapshot {
    const { name } = metric;
    const { labels } = series;
    if (metric.kind !== KIND_LATENCY) {
      const kind = metric.kind === KIND_COUNTER ? "counter" : "gauge";
      return { kind, name, labels, value: this.value(metric, series) };
    }
    const inBuckets = new Float64Array(HISTOGRAM_BUCKETS);
    const { count, sumMs } = this.latency(series, inBuckets);
    const { min, max } = this.#totalsOf([series]);
    let below = 0;
    const buckets = Array.from(inBuckets, (inBucket, index) => {
      below += inBucket;
      return { upToMs: HISTOGRAM_BOUNDS_MS[index] ?? Number.POSITIVE_INFINITY, count: below };
    });
    const exemplar = this.#exemplarOf(series);
    return {
      kind: "latency",
      name,
      labels,
      count,
      sumMs,
      minMs: count === 0 ? 0 : min,
      maxMs: count === 0 ? 0 : max,
      buckets,
      ...(exemplar ? { exemplar } : {}),
    };
  }

  #totalsOf(series: readonly Series[]) {
    const { doubles } = this.#arena;
    const buckets = new Float64Array(HISTOGRAM_BUCKETS);
    let count = 0;
    let sum = 0;
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    for (const one of series) {
      const total = this.latency(one, buckets);
      count += total.count;
      sum += total.sumMs;
      for (const row of one.rows) {
        min = Math.min(min, doubles[row + LATENCY_MIN] ?? Number.POSITIVE_INFINITY);
        max = Math.max(max, doubles[row + LATENCY_MAX] ?? Number.NEGATIVE_INFINITY);
      }
    }
    return { count, sum, min, max };
  }

  #exemplarOf(series: Series): Exemplar | undefined {
    const { words, doubles, bytes } = this.#arena;
    let latest: Exemplar | undefined;
    for (const row of series.rows) {
      const sequenceWord = (row + LATENCY_EXEMPLAR) * 2;
      const sequence = this.#arena.load(sequenceWord);
      if (sequence === 0 || sequence % 2 === 1) continue;
      const textAt = (row + EXEMPLAR_TRACE) * 8;
      const text = bytes.slice(textAt, textAt + (words[sequenceWord + 1] ?? 0));
      const exemplar = {
        traceId: String.fromCharCode(...text),
        valueMs: doubles[row + EXEMPLAR_VALUE] ?? 0,
        timeMs: doubles[row + EXEMPLAR_TIME] ?? 0,
      };
      if (this.#arena.load(sequenceWord) !== sequence) continue;
      if (!latest || exemplar.timeMs >= latest.timeMs) latest = exemplar;
    }
    return latest;
  }

  #isUsed(metric: Metric): boolean {
    const empty = new Float64Array(HISTOGRAM_BUCKETS);
    return metric.series.some((series) =>
      metric.kind === KIND_LATENCY
        ? this.latency(series, empty).count > 0
        : metric.kind === KIND_COUNTER
          ? this.value(metric, series) > 0
          : series.rows.some((row) => (this.#arena.doubles[row + GAUGE_SEQUENCE] ?? 0) > 0),
    );
  }

  #discover(): void {
    const arena = this.#arena;
    arena.refresh();
    const pages = arena.pages();
    for (let page = 0; page < pages; page++) {
      if (arena.kindOf(page) !== PAGE_ROWS) continue;
      this.#readTo[page] = readRows(arena, page, this.#readTo[page] ?? 0, (row) => {
        const series = this.#seriesOf(row.kind, row.description, row.at);
        series.rows.push(row.at);
        arena.words[seriesWordOf(row.at)] = series.id;
      });
    }
  }

  #seriesOf(kind: RowKind, description: string, at: number): Series {
    const known = this.#seriesByKey.get(`${kind}${description}`);
    if (known) return known;
    const { name, labels } = readDescription(description);
    let metric = this.#metrics.get(`${kind}${name}`);
    if (!metric) {
      metric = { id: this.#metrics.size, kind, name, series: [] };
      this.#metrics.set(`${kind}${name}`, metric);
    }
    // Each thread keeps the limits for itself; together they keep them here.
    const { maxSeries, maxSeriesPerMetric } = this.#arena.limits;
    const isFull =
      metric.series.length >= maxSeriesPerMetric || this.#seriesByKey.size >= maxSeries;
    const overflow = describe(name, OVERFLOW_LABELS);
    if (isFull && description !== overflow && !name.startsWith("metrics_")) {
      this.#foldedRows.push({ kind, at });
      return this.#seriesOf(kind, overflow, at);
    }

    const series: Series = { id: this.#metricOfSeries.length, labels, rows: [] };
    this.#metricOfSeries.push(metric.id);
    metric.series.push(series);
    this.#seriesByKey.set(`${kind}${description}`, series);
    return series;
  }
}
