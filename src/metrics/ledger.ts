/**
 * The reading half, in the thread that made the collector: finds the rows of all
 * threads, adds them up by series, and empties their rings into history and windows.
 */
import { type Arena, PAGE_ROWS } from "./arena.ts";
import { FreshCounts } from "./fresh-counts.ts";
import { describe, OVERFLOW_LABELS, readDescription } from "./labels.ts";
import { HISTOGRAM_BOUNDS_MS, HISTOGRAM_BUCKETS, LOG_BUCKETS } from "./log-buckets.ts";
import {
  isLimited,
  METRICS_MAX,
  OVERFLOW_NAMES,
  OVERFLOW_TOTAL,
  OWN_METRICS,
  overflowOf,
  WINDOW_SKIPPED_TOTAL,
} from "./own-series.ts";
import { type HeldSamples, RingReader } from "./ring.ts";
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
  type Row,
  type RowKind,
  readRows,
  seriesWordOf,
} from "./rows.ts";
import type { Exemplar, SeriesLabels, SeriesSnapshot } from "./snapshot.ts";
import { type MetricSummary, summarizeBuckets, summarizeSamples } from "./summary.ts";
import { BUCKET_BITS, FINEST_SLICE_MS, Windows } from "./windows.ts";

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

/** One raw sample of a latency. */
export type HeldSample = {
  readonly metric: Metric;
  readonly series: Series;
  /** That of the status, where it is the latency of a request. */
  readonly counter: Series | undefined;
  readonly timeMs: number;
  readonly value: number;
  /** The thread that recorded it, and its place among all that this thread did, modulo 2^32. */
  readonly shard: number;
  readonly sequence: number;
};

/** Of one thread. */
export type ShardSamples = HeldSamples & { readonly shard: number };

/** Shown only once something is in them. */
const SHOWN_WHEN_USED: ReadonlySet<string> = new Set(Object.values(OVERFLOW_NAMES));

export class Ledger {
  /** What the thread of this ledger counts, if it does, until it is looked at. */
  readonly fresh: FreshCounts;
  readonly #arena: Arena;
  readonly #ownShard: number;
  readonly #rings: RingReader[] = [];
  readonly #readTo: number[] = [];
  #rowsSeen = -1;
  readonly #metrics = new Map<string, Metric>();
  readonly #metricsById: Metric[] = [];
  readonly #metricOfSeries: number[] = [];
  readonly #seriesByKey = new Map<string, Series>();
  /** Series that count towards the limits: of all metrics, and by the number of the metric. */
  #limitedSeries = 0;
  readonly #limitedOfMetric: number[] = [];
  readonly #foldedRows: { readonly kind: RowKind; readonly at: number }[] = [];
  readonly #historySize: number;
  /** Of the summary that is being made: a new one each time takes 3 µs of 26. */
  readonly #buckets = new Float64Array(LOG_BUCKETS);
  readonly #windows: Windows;
  readonly #metricWindows = new Windows();
  /** Samples that no window has, because a worker's ring was written over. */
  #skipped = 0;

  /** @param options.ownShard where the thread of this ledger writes itself. */
  constructor(arena: Arena, options: { readonly ownShard: number; readonly historySize: number }) {
    this.#arena = arena;
    this.#ownShard = options.ownShard;
    this.#historySize = options.historySize;
    this.fresh = new FreshCounts(FINEST_SLICE_MS, () => this.drain());
    this.#windows = new Windows((entries, timeMs) => {
      for (let at = 0; at < entries.length; at += 2) {
        const key = entries[at] ?? 0;
        const metric = this.#metricOfSeries[key >>> BUCKET_BITS] ?? 0;
        this.#metricWindows.add(
          ((metric << BUCKET_BITS) | (key & (LOG_BUCKETS - 1))) >>> 0,
          entries[at + 1] ?? 0,
          timeMs,
        );
      }
    });
  }

  /** Metrics in the order in which they appeared. */
  metrics(): readonly Metric[] {
    this.#catchUp();
    return [...this.#metrics.values()].filter(
      (metric) => !SHOWN_WHEN_USED.has(metric.name) || this.#isUsed(metric),
    );
  }

  metric(kind: RowKind, name: string): Metric | undefined {
    this.#catchUp();
    return this.#metrics.get(`${kind}${name}`);
  }

  /** Brings the windows up to date. */
  drain(): void {
    this.#catchUp();
    this.drainRings();
  }

  /** The same without what this thread counted, which has no end and may wait until it is read. */
  drainRings(): void {
    const heads = this.#look();
    this.#rings.forEach((ring, shard) => {
      const head = heads[shard] ?? 0;
      const isOwn = shard === this.#ownShard;
      if (isOwn && this.fresh.hasAll) ring.passOver(head);
      else this.#skipped += ring.drain(this.#windows, { head, isOwn });
    });
  }

  /** How far each thread has come. What it recorded up to there, it is known what that is of. */
  #look(): readonly number[] {
    while (this.#rings.length < this.#arena.shards()) {
      this.#rings.push(new RingReader(this.#arena, this.#rings.length));
    }
    const heads = this.#rings.map((ring) => ring.head());
    // In this order: a row is there before the first sample of it.
    this.#discover();
    return heads;
  }

  /** The latencies of this name that have these labels, and maybe more. */
  latencies(name: string, labels: SeriesLabels): readonly Series[] {
    const wanted = Object.entries(labels);
    const series = this.metric(KIND_LATENCY, name)?.series ?? [];
    return series.filter((one) => wanted.every(([label, value]) => one.labels[label] === value));
  }

  /**
   * Of series of one metric, all together.
   *
   * @param startMs of the window, in steady time; `-Infinity` for all of the time.
   * @param held so that many summaries need to look only once.
   */
  summary(
    series: readonly Series[],
    { startMs, held }: { startMs: number; held?: readonly HeldSamples[] },
  ): MetricSummary | undefined {
    const [first] = series;
    if (!first) return undefined;
    const isWanted = new Uint8Array(this.#metricOfSeries.length);
    for (const one of series) isWanted[one.id] = 1;

    // Copying what is held takes longer than all the rest, and is of no use then.
    const isTooLong = startMs > Number.NEGATIVE_INFINITY && this.#isLost(startMs);
    const there = isTooLong ? [] : (held ?? this.held());
    const samples = this.#wantedOf(there, startMs, isWanted);
    const isAllHeld = there.every(
      ({ lostUpToMs }) => lostUpToMs < startMs || lostUpToMs === Number.NEGATIVE_INFINITY,
    );
    if (isAllHeld && !isTooLong) return summarizeSamples(samples);
    const totals = startMs === Number.NEGATIVE_INFINITY ? this.#totalsOf(series) : undefined;
    if (totals && samples.length === totals.count) return summarizeSamples(samples);

    const buckets = this.#buckets.fill(0);
    const metric = this.#metricOfSeries[first.id] ?? 0;
    if (series.length < (this.#metricsById[metric]?.series.length ?? 0)) {
      this.#windows.read(startMs, isWanted, buckets);
    } else {
      const isMetric = new Uint8Array(this.#metrics.size);
      isMetric[metric] = 1;
      this.#metricWindows.read(startMs, isMetric, buckets);
      this.#windows.open(startMs, (id, bucket, count) => {
        if (isWanted[id] === 1) buckets[bucket] = (buckets[bucket] ?? 0) + count;
      });
    }
    return summarizeBuckets(buckets, totals);
  }

  /** Of each series of latencies alone, over all of the time. */
  summaries(): ReadonlyMap<Series, MetricSummary> {
    const held = this.held();
    const { words } = this.#arena;
    const samples = groupBySeries(this.#metricOfSeries.length, (see) => {
      for (const { values, rows } of held) {
        for (let i = 0; i < values.length; i++) {
          see((words[seriesWordOf(rows[i] ?? 0)] ?? 0) - 1, values[i] ?? 0);
        }
      }
    });
    const counts = groupBySeries(this.#metricOfSeries.length, (see) => {
      this.#windows.each(Number.NEGATIVE_INFINITY, (series, bucket, count) => {
        see(series, bucket * COUNTS + count);
      });
    });
    const summaries = new Map<Series, MetricSummary>();
    const buckets = new Float64Array(LOG_BUCKETS);
    for (const series of this.metrics().flatMap((one) =>
      one.kind === KIND_LATENCY ? one.series : [],
    )) {
      const totals = this.#totalsOf([series]);
      const ofSeries = samples(series.id);
      const isAllHeld = ofSeries.length >= totals.count;
      if (!isAllHeld) {
        buckets.fill(0);
        for (const packed of counts(series.id)) {
          const bucket = Math.floor(packed / COUNTS);
          buckets[bucket] = (buckets[bucket] ?? 0) + (packed % COUNTS);
        }
      }
      const summary = isAllHeld ? summarizeSamples(ofSeries) : summarizeBuckets(buckets, totals);
      if (summary) summaries.set(series, summary);
    }
    return summaries;
  }

  /** Whether a sample from then on has made room for others, in the ring of any thread. */
  #isLost(startMs: number): boolean {
    return this.#rings.some((ring) => ring.lostUpToMs(this.#historySize) >= startMs);
  }

  /** The raw samples of all threads, no more than the history may hold. */
  held(): readonly ShardSamples[] {
    const heads = this.#look();
    const rings = this.#rings.flatMap((ring, shard) => {
      const samples = ring.held(heads[shard] ?? 0, this.#historySize);
      return samples ? { ...samples, shard } : [];
    });
    const count = rings.reduce((sum, ring) => sum + ring.times.length, 0);
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
        statusRows: ring.statusRows.subarray(from),
        shard: ring.shard,
        firstSequence: (ring.firstSequence + from) >>> 0,
      };
    });
  }

  /** The raw samples with what they are of, oldest first within each thread. */
  eachHeld(see: (sample: HeldSample) => void): void {
    const { words } = this.#arena;
    const known = new Map<number, Pick<HeldSample, "metric" | "series">>();
    const counters = new Map<number, Series>();
    for (const metric of this.metrics()) {
      for (const series of metric.series) {
        if (metric.kind === KIND_LATENCY) known.set(series.id, { metric, series });
        if (metric.kind === KIND_COUNTER) for (const row of series.rows) counters.set(row, series);
      }
    }
    for (const { times, values, rows, statusRows, shard, firstSequence } of this.held()) {
      for (let i = 0; i < times.length; i++) {
        const found = known.get((words[seriesWordOf(rows[i] ?? 0)] ?? 0) - 1);
        const counter = counters.get(statusRows[i] ?? 0);
        const sequence = (firstSequence + i) >>> 0;
        const timeMs = times[i] ?? 0;
        if (found) see({ ...found, counter, timeMs, value: values[i] ?? 0, shard, sequence });
      }
    }
  }

  #wantedOf(held: readonly HeldSamples[], startMs: number, isWanted: Uint8Array): Float64Array {
    const { words } = this.#arena;
    const found = new Float64Array(held.reduce((sum, ring) => sum + ring.times.length, 0));
    let count = 0;
    for (const { times, values, rows } of held) {
      for (let i = 0; i < times.length; i++) {
        if ((times[i] ?? 0) < startMs) continue;
        const series = (words[seriesWordOf(rows[i] ?? 0)] ?? 0) - 1;
        if (isWanted[series] !== 1) continue;
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
    const { name } = metric;
    // By name first: looking at the labels of each series takes half of a scrape.
    if (name !== OVERFLOW_TOTAL && name !== WINDOW_SKIPPED_TOTAL) return value;
    if (Object.keys(series.labels).length > 0) return value;
    return value + (name === OVERFLOW_TOTAL ? this.#foldedRecords() : this.#skipped);
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

  /**
   * The same as a scrape shows it: `into` becomes the buckets, added up from below, and the sum.
   * Mostly a series has one row, which is read once: 50 ns, where the long way takes 100.
   */
  cumulative(series: Series, into: Float64Array): void {
    const { doubles } = this.#arena;
    const [row = 0] = series.rows;
    let below = 0;
    if (series.rows.length === 1) {
      const bucketsAt = row + LATENCY_BUCKETS;
      for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        below += doubles[bucketsAt + bucket] ?? 0;
        into[bucket] = below;
      }
      into[HISTOGRAM_BUCKETS] = doubles[row + LATENCY_SUM] ?? 0;
      return;
    }
    into.fill(0);
    const { sumMs } = this.latency(series, into);
    for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
      below += into[bucket] ?? 0;
      into[bucket] = below;
    }
    into[HISTOGRAM_BUCKETS] = sumMs;
  }

  /**
   * What was added to series that threads keep, each within its limits, and that are
   * beyond the limits of the whole.
   */
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

  /** After this, totals have all that this thread recorded, and windows what was fresh. */
  #catchUp(): void {
    this.#discover();
    const { words, doubles } = this.#arena;
    const { timeMs } = this.fresh;
    this.fresh.take(({ row, logBucket, bucket, count }) => {
      const series = (words[seriesWordOf(row)] ?? 0) - 1;
      this.#windows.add(((series << BUCKET_BITS) | logBucket) >>> 0, count, timeMs);
      const bucketAt = row + LATENCY_BUCKETS + bucket;
      doubles[bucketAt] = (doubles[bucketAt] ?? 0) + count;
    });
  }

  #discover(): void {
    const arena = this.#arena;
    const rows = arena.rows();
    if (rows === this.#rowsSeen) return;
    this.#rowsSeen = rows;
    arena.refresh();
    const pages = arena.pages();
    for (let page = 0; page < pages; page++) {
      if (arena.kindOf(page) !== PAGE_ROWS) continue;
      this.#readTo[page] = readRows(arena, page, this.#readTo[page] ?? 0, (row) => {
        const series = this.#seriesOf(row);
        series.rows.push(row.at);
        arena.words[seriesWordOf(row.at)] = series.id + 1;
      });
    }
  }

  #seriesOf({ kind, description, at }: Row): Series {
    const known = this.#seriesByKey.get(`${kind}${description}`);
    if (known) return known;
    // Each thread keeps the limits for itself; together they keep them here.
    const { name, labels } = readDescription(description);
    const isCounted = isLimited(kind, name, description);
    const fold = (into: string): Series => {
      if (isCounted) this.#foldedRows.push({ kind, at });
      return this.#seriesOf({ kind, description: into, at });
    };
    let metric = this.#metrics.get(`${kind}${name}`);
    if (!metric && this.#metrics.size >= METRICS_MAX + OWN_METRICS) return fold(overflowOf(kind));
    const { maxSeries, maxSeriesPerMetric } = this.#arena.limits;
    const ofMetric = metric ? (this.#limitedOfMetric[metric.id] ?? 0) : 0;
    if (isCounted && (this.#limitedSeries >= maxSeries || ofMetric >= maxSeriesPerMetric)) {
      return fold(describe(name, OVERFLOW_LABELS));
    }

    if (!metric) {
      metric = { id: this.#metrics.size, kind, name, series: [] };
      this.#metrics.set(`${kind}${name}`, metric);
      this.#metricsById.push(metric);
    }
    if (isCounted) {
      this.#limitedSeries++;
      this.#limitedOfMetric[metric.id] = ofMetric + 1;
    }
    const series: Series = { id: this.#metricOfSeries.length, labels, rows: [] };
    this.#metricOfSeries.push(metric.id);
    metric.series.push(series);
    this.#seriesByKey.set(`${kind}${description}`, series);
    return series;
  }
}

/** A count of one slice and bucket is below; together with the bucket it fits into a double. */
const COUNTS = 2 ** 32;

/**
 * Sorts values by series in two passes.
 *
 * @param visit calls back with every series' number and value, the same both times.
 * @returns the values of a series.
 */
function groupBySeries(
  seriesCount: number,
  visit: (see: (series: number, value: number) => void) => void,
): (series: number) => Float64Array {
  const ends = new Uint32Array(seriesCount + 1);
  visit((series) => {
    if (series >= 0) ends[series + 1] = (ends[series + 1] ?? 0) + 1;
  });
  for (let i = 1; i < ends.length; i++) ends[i] = (ends[i] ?? 0) + (ends[i - 1] ?? 0);
  const values = new Float64Array(ends.at(-1) ?? 0);
  const next = ends.slice();
  visit((series, value) => {
    if (series < 0) return;
    const at = next[series] ?? 0;
    values[at] = value;
    next[series] = at + 1;
  });
  return (series) => values.subarray(ends[series], ends[series + 1]);
}
