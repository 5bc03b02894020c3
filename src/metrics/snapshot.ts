/**
 * What a collector holds at one moment, as plain data: the contract between the
 * collector and everything that exports (Prometheus text, OTLP, MLflow, Delta).
 * Names are ours (`request_latency_ms`); each exporter maps them to its own.
 */
export type SeriesLabels = Readonly<Record<string, string>>;

export type CounterOrGauge = {
  readonly kind: "counter" | "gauge";
  readonly name: string;
  readonly labels: SeriesLabels;
  /** Counters only grow, from `startMs` on. A gauge may be any number, NaN included. */
  readonly value: number;
};

export type LatencyBucket = {
  /** Inclusive. The last bucket's is `Infinity`. */
  readonly upToMs: number;
  /** Cumulative: all observations up to here. */
  readonly count: number;
};

export type Exemplar = {
  readonly traceId: string;
  readonly valueMs: number;
  readonly timeMs: number;
};

export type LatencySeries = {
  readonly kind: "latency";
  /** Ends in `_ms`. */
  readonly name: string;
  readonly labels: SeriesLabels;
  readonly count: number;
  readonly sumMs: number;
  /** Of all time; 0 while `count` is 0. */
  readonly minMs: number;
  readonly maxMs: number;
  /** The same bounds in every series and every snapshot. */
  readonly buckets: readonly LatencyBucket[];
  /** The latest observation that named its trace. */
  readonly exemplar?: Exemplar;
};

export type SeriesSnapshot = CounterOrGauge | LatencySeries;

export type MetricsSnapshot = {
  /** When the totals began, Unix milliseconds. */
  readonly startMs: number;
  readonly timeMs: number;
  readonly series: readonly SeriesSnapshot[];
};
