/**
 * Metrics of a service: recorded by every request, read by people and by Prometheus,
 * MLflow and OTLP. Cheap enough to be left on, bounded whatever is recorded, and exact
 * over any number of worker threads.
 */
import { threadId } from "node:worker_threads";
import { type Clock, systemClock } from "../clock.ts";
import { MonitorError } from "../monitor-error.ts";
import {
  checkAboveZero,
  checkMethods,
  checkOptions,
  checkText,
  checkWholeNumber,
} from "../option.ts";
import { Arena, PAGE_BYTES, PAGES_MAX, SHARDS_MAX } from "./arena.ts";
import { keepLabels, keepName } from "./labels.ts";
import { Ledger } from "./ledger.ts";
import type { LentText } from "./lent-text.ts";
import { latencyName, MetricsRecorder } from "./metrics-recorder.ts";
import { mlflowName, putFigure } from "./mlflow-names.ts";
import { renderOpenMetrics } from "./open-metrics.ts";
import { OVERFLOW_TOTAL, REJECTED_TOTAL } from "./own-series.ts";
import { createFamilies } from "./prometheus-names.ts";
import { PrometheusText } from "./prometheus-text.ts";
import { Recorder } from "./recorder.ts";
import { ownRingSamples, ringPages, WORKER_RING_SAMPLES } from "./ring.ts";
import { KIND_COUNTER, KIND_GAUGE, KIND_LATENCY } from "./rows.ts";
import type { Connection, ConnectOptions, LogToMlflowOptions, MetricsSender } from "./sender.ts";
import type { MetricsSnapshot, SeriesLabels } from "./snapshot.ts";
import type { MetricSummary } from "./summary.ts";
import { onWorkerExit } from "./worker-exits.ts";

export type CounterTotals = {
  /** When the totals began, Unix milliseconds. */
  readonly startMs: number;
  readonly series: readonly { readonly labels: SeriesLabels; readonly value: number }[];
};

export type HeldLatency = {
  readonly name: string;
  readonly labels: SeriesLabels;
  readonly valueMs: number;
  /** Unix milliseconds. */
  readonly timeMs: number;
  /** Which thread recorded it, and its place among all that this thread did, modulo 2^32. */
  readonly thread: number;
  readonly sequence: number;
  /** How the call of an agent ended that it is the latency of; `null` of any other. */
  readonly request: { readonly statusCode: number | null } | null;
};

const HISTORY_SIZE_DEFAULT = 10_000;
const HISTORY_SIZE_MAX = 10_000_000;
const SERIES_DEFAULT = 100_000;
const SERIES_PER_METRIC_DEFAULT = 10_000;
/** Window keys hold 20 bits of a series' number. */
const SERIES_MAX = 1_000_000;

/** Shared memory, most there can be: this for each series, in all threads together. */
const BYTES_PER_SERIES = 1_024;
/** The own ring's length is a power of two, so up to twice 24 bytes. */
const BYTES_PER_SAMPLE = 48;
/** Of each other thread the ring and a first page of rows; the rest is headers and room to grow. */
const BYTES_BASE = (SHARDS_MAX * (ringPages(WORKER_RING_SAMPLES) + 1) + 16) * PAGE_BYTES;

/** Most shared memory that a collector takes, with all its threads. `docs/metrics.md` has it as a formula. */
export function sharedBytesMax({
  maxHistorySize = HISTORY_SIZE_DEFAULT,
  maxSeries = SERIES_DEFAULT,
}: Pick<MetricsCollectorOptions, "maxHistorySize" | "maxSeries">): number {
  const bytes = BYTES_BASE + maxHistorySize * BYTES_PER_SAMPLE + maxSeries * BYTES_PER_SERIES;
  return Math.min(bytes, PAGES_MAX * PAGE_BYTES);
}

const ALL_TIME = Number.NEGATIVE_INFINITY;

export type MetricsCollectorOptions = {
  /** Raw samples of the whole collector, oldest out first. 10 000 by default; 0 keeps none. */
  readonly maxHistorySize?: number;
  /** In front of every Prometheus name. `dspy` by default; may be empty. */
  readonly namespace?: string;
  /** Series of all metrics together, 100 000 by default. */
  readonly maxSeries?: number;
  /** 10 000 by default. What is above counts in one series with the label `overflow="true"`. */
  readonly maxSeriesPerMetric?: number;
  readonly clock?: Clock;
  /** What `connect` and `logToMlflow` use. */
  readonly sender?: MetricsSender;
};

/** Goes into `workerData`. */
export type MetricsHandle = { readonly kind: "dspy-metrics"; readonly buffer: SharedArrayBuffer };

export type AllMetrics = {
  readonly counters: Readonly<Record<string, number>>;
  readonly gauges: Readonly<Record<string, number>>;
  readonly latencies: Readonly<Record<string, MetricSummary>>;
};

export class MetricsCollector extends MetricsRecorder {
  readonly #arena: Arena;
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #namespace: string;
  readonly #text: PrometheusText;
  /** Of `lendPrometheusText`: most services use one of the two. */
  readonly #sentText: PrometheusText;
  readonly #familyOf: ReturnType<typeof createFamilies>;
  readonly #sender: MetricsSender | undefined;
  readonly #connections = new Set<Connection>();
  readonly #steadyNow: () => number;
  #unwatchWorkers: (() => void) | undefined;

  /** @throws MonitorError `CONFIG_INVALID` for an option that makes no sense. */
  constructor(options: MetricsCollectorOptions = {}) {
    checkOptions("a MetricsCollector", options);
    const clock = options.clock ?? systemClock;
    checkMethods("clock", clock, { methods: ["now"], hint: "Give a clock with now(), or none." });
    const namespace = options.namespace ?? "dspy";
    checkText("namespace", namespace);
    const maxSeries = limit("maxSeries", options.maxSeries, SERIES_DEFAULT, SERIES_MAX);
    const historySize = limit(
      "maxHistorySize",
      options.maxHistorySize,
      HISTORY_SIZE_DEFAULT,
      HISTORY_SIZE_MAX,
    );
    const arena = Arena.create({
      maxSeries,
      maxSeriesPerMetric: limit(
        "maxSeriesPerMetric",
        options.maxSeriesPerMetric,
        Math.min(SERIES_PER_METRIC_DEFAULT, maxSeries),
        SERIES_MAX,
      ),
      maxBytes: sharedBytesMax({ maxHistorySize: historySize, maxSeries }),
      startMs: clock.now(),
    });
    const shard = arena.claimShard(threadId);
    if (shard === undefined) throw new Error("A new collector has no place for its own thread.");
    const ledger = new Ledger(arena, { ownShard: shard, historySize });
    const familyOf = createFamilies(namespace);
    const text = new PrometheusText(ledger, familyOf, { isRoomy: false });
    const sentText = new PrometheusText(ledger, familyOf, { isRoomy: true });
    const recorder = new Recorder(arena, shard, {
      clock,
      ringSamples: ownRingSamples(historySize),
      fresh: ledger.fresh,
      onTick: (wallMs) => {
        ledger.drainRings();
        text.rest(wallMs);
        sentText.rest(wallMs);
      },
    });
    super(recorder, () => this.#stop());
    this.#arena = arena;
    this.#ledger = ledger;
    this.#clock = clock;
    this.#namespace = namespace;
    this.#familyOf = familyOf;
    this.#text = text;
    this.#sentText = sentText;
    this.#sender = options.sender;
    this.#steadyNow = () => recorder.shard.now();
  }

  /** For a worker: `new Worker(url, { workerData: { metrics: metrics.shareHandle() } })`. */
  shareHandle(): MetricsHandle {
    const arena = this.#arena;
    // A worker that ends without `close()` leaves its place to the next one.
    this.#unwatchWorkers ??= onWorkerExit((threadId) => arena.freeThread(threadId));
    return { kind: "dspy-metrics", buffer: arena.buffer };
  }

  /**
   * In a worker: what is recorded here counts in the collector that made the handle,
   * from the moment that the call returns, also when the worker is terminated later.
   *
   * @throws MonitorError `METRICS_HANDLE_INVALID` for what `shareHandle()` has not made,
   * `METRICS_FULL` when there is no place or no memory for another thread.
   */
  static attach(handle: MetricsHandle): MetricsRecorder {
    const arena = Arena.open(handle?.buffer);
    if (!arena) {
      throw new MonitorError(
        "METRICS_HANDLE_INVALID",
        "cannot record into a collector: what was given to attach() is no handle of one",
        { hint: "Pass on what shareHandle() returned, as workerData or in a message, as it is." },
      );
    }
    const shard = arena.claimShard(threadId);
    if (shard === undefined) {
      throw new MonitorError(
        "METRICS_FULL",
        `cannot record into a collector: ${SHARDS_MAX} threads record into it already`,
        { hint: "Call close() in threads that record no more, or use a second collector." },
      );
    }
    const leave = () => {
      arena.freeShard(shard, threadId);
      arena.detach();
    };
    try {
      const options = { clock: systemClock, ringSamples: WORKER_RING_SAMPLES, onTick: () => {} };
      return new MetricsRecorder(new Recorder(arena, shard, options), leave);
    } catch (cause) {
      leave();
      throw new MonitorError(
        "METRICS_FULL",
        "cannot record into a collector: its memory is used up",
        { hint: "Give the collector a higher maxSeries, or its series fewer labels.", cause },
      );
    }
  }

  /** Records that were no measurement: NaN, infinite or negative where that means nothing. */
  get rejected(): number {
    return this.#own(REJECTED_TOTAL);
  }

  /** Records that count in an overflow series because a limit was reached. */
  get overflowed(): number {
    return this.#own(OVERFLOW_TOTAL);
  }

  /**
   * A latency's figures, of all label sets or of those that have the given labels.
   *
   * @param name the full name (`inference_time_latency_ms`), the name that was given
   * (`inference_time`), or `latency_ms` for `request_latency_ms`.
   * @returns undefined while nothing was recorded in the window.
   * @throws MonitorError `CONFIG_INVALID` for a window that is no number of seconds.
   */
  getMetricSummary(
    name: string,
    options: { readonly windowSeconds?: number; readonly labels?: SeriesLabels } = {},
  ): MetricSummary | undefined {
    checkOptions("getMetricSummary", options);
    const { windowSeconds = Number.POSITIVE_INFINITY, labels } = options;
    checkAboveZero("windowSeconds", windowSeconds, {
      max: Number.POSITIVE_INFINITY,
      unit: "a number of seconds",
    });
    this.#ledger.drain();
    const full = keepName(latencyName(name));
    const wanted = Object.fromEntries(keepLabels([], labels));
    return this.#ledger.summary(this.#ledger.latencies(full, wanted), {
      startMs: this.#steadyNow() - windowSeconds * 1_000,
    });
  }

  /** The namespace that was given, `dspy` by default. */
  get namespace(): string {
    return this.#namespace;
  }

  /** One counter, all of its series. Cheap enough to be asked every minute. */
  getCounterTotals(name: string): CounterTotals {
    const metric = this.#ledger.metric(KIND_COUNTER, name);
    const series = metric?.series ?? [];
    return {
      startMs: this.#arena.startMs,
      series: series.map((one) => ({
        labels: one.labels,
        value: metric ? this.#ledger.value(metric, one) : 0,
      })),
    };
  }

  /** Every series by name and labels, as `request_total{endpoint="qa"}`. */
  getAllMetrics(): AllMetrics {
    const counters: [string, number][] = [];
    const gauges: [string, number][] = [];
    const latencies: [string, MetricSummary][] = [];
    this.#ledger.drain();
    const summaries = this.#ledger.summaries();
    for (const metric of this.#ledger.metrics()) {
      for (const series of metric.series) {
        const key = seriesKey(metric.name, series.labels);
        if (metric.kind === KIND_COUNTER) counters.push([key, this.#ledger.value(metric, series)]);
        if (metric.kind === KIND_GAUGE) gauges.push([key, this.#ledger.value(metric, series)]);
        if (metric.kind !== KIND_LATENCY) continue;
        const summary = summaries.get(series);
        if (summary) latencies.push([key, summary]);
      }
    }
    return {
      counters: Object.fromEntries(counters),
      gauges: Object.fromEntries(gauges),
      latencies: Object.fromEntries(latencies),
    };
  }

  /** Text 0.0.4, or OpenMetrics with exemplars. */
  exportPrometheusFormat(options: { readonly openMetrics?: boolean } = {}): string {
    checkOptions("exportPrometheusFormat", options);
    if (options.openMetrics) return renderOpenMetrics(this.snapshot(), this.#familyOf);
    return this.#text.render(this.#ledger.metrics(), this.#clock.now());
  }

  /**
   * The same text 0.0.4 as bytes, for whoever sends it: ten thousand histograms are 30 MB, and
   * making a string of them takes longer than all the rest. The parts stay as they are; once
   * they were given back, the next call goes on with them, and needs no copy.
   */
  lendPrometheusText(): LentText {
    return this.#sentText.lend(this.#ledger.metrics(), this.#clock.now());
  }

  /** At most 1 000 figures, latencies first. */
  exportMlflowFormat(): Record<string, number> {
    const figures = new Map<string, number>();
    this.#ledger.drain();
    const held = this.#ledger.held();
    const metrics = this.#ledger.metrics();
    for (const metric of metrics) {
      if (metric.kind !== KIND_LATENCY) continue;
      const summary = this.#ledger.summary(metric.series, { startMs: ALL_TIME, held });
      if (!summary) continue;
      for (const figure of ["count", "avg", "min", "max", "p50", "p95", "p99"] as const) {
        putFigure(figures, `${mlflowName(metric.name, {})}/${figure}`, summary[figure]);
      }
    }
    for (const metric of metrics) {
      if (metric.kind === KIND_LATENCY) continue;
      for (const series of metric.series) {
        const value = this.#ledger.value(metric, series);
        putFigure(figures, mlflowName(metric.name, series.labels), value);
      }
    }
    return Object.fromEntries(figures);
  }

  /** The raw latencies that are still held, at most `maxHistorySize`, with the time of each. */
  getHeldLatencies(): readonly HeldLatency[] {
    const held: HeldLatency[] = [];
    const wallMs = this.#clock.now() - this.#steadyNow();
    this.#ledger.eachHeld(({ metric, series, counter, timeMs, value, shard, sequence }) => {
      held.push({
        name: metric.name,
        labels: series.labels,
        valueMs: value,
        timeMs: wallMs + timeMs,
        thread: shard,
        sequence,
        request: counter ? endOf(counter.labels) : null,
      });
    });
    return held;
  }

  snapshot(): MetricsSnapshot {
    const metrics = this.#ledger.metrics();
    return {
      startMs: this.#arena.startMs,
      timeMs: this.#clock.now(),
      series: metrics.flatMap((metric) =>
        metric.series.map((series) => this.#ledger.snapshotOf(metric, series)),
      ),
    };
  }

  /** Pushes to a monitor or any OTLP receiver, in the background. */
  connect(options: ConnectOptions): Connection {
    const connection = this.#senderFor("connect").connect(this, options);
    this.#connections.add(connection);
    return connection;
  }

  logToMlflow(options: LogToMlflowOptions): Promise<{ logged: number }> {
    return this.#senderFor("logToMlflow").logToMlflow(this, options);
  }

  #senderFor(call: string): MetricsSender {
    if (this.#sender) return this.#sender;
    throw new Error(`${call}: import MetricsCollector from "dspy-databricks-agents/monitoring".`);
  }

  #own(name: string): number {
    const metric = this.#ledger.metric(KIND_COUNTER, name);
    if (!metric) return 0;
    return metric.series.reduce((sum, series) => sum + this.#ledger.value(metric, series), 0);
  }

  #stop(): void {
    this.#unwatchWorkers?.();
    this.#unwatchWorkers = undefined;
    for (const connection of this.#connections) void connection.close();
    this.#connections.clear();
  }
}

/** In an overflow series it can't be told any more. */
function endOf({ status_code: status, overflow }: SeriesLabels): HeldLatency["request"] {
  if (overflow !== undefined) return null;
  const statusCode = Number(status);
  return { statusCode: Number.isInteger(statusCode) ? statusCode : null };
}

function limit(name: string, value: number | undefined, byDefault: number, max: number): number {
  if (value === undefined) return byDefault;
  checkWholeNumber(name, value, { min: 0, max });
  return value;
}

/** `request_total{endpoint="qa"}` */
export function seriesKey(name: string, labels: SeriesLabels): string {
  const text = Object.entries(labels).map(([label, value]) => {
    const shown = /^[\w.\-/]+$/.test(label) ? label : JSON.stringify(label);
    return `${shown}=${JSON.stringify(value)}`;
  });
  return text.length === 0 ? name : `${name}{${text.join(",")}}`;
}
