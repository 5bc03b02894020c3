/**
 * Turns the metrics that Databricks exports for one serving endpoint into samples.
 *
 * `request_count_total` and its like are no counters, whatever the name says: they
 * are gauges for the last minute. So there is one sample per metric and minute,
 * polling twice in a minute counts once, and what is absent stays absent: a missing
 * minute is a gap, not a zero. The labels are not documented; they are taken as
 * parts of one endpoint (replicas, served models) and put together.
 *
 * Source: Databricks, "Track and export serving endpoint health metrics".
 */
import type { Sample } from "../../signals/sample.ts";
import {
  estimateQuantile,
  type Histogram,
  type HistogramSpan,
  lastMinute,
  learnSpan,
  unknownSpan,
} from "./histogram.ts";
import { type PrometheusSeries, parsePrometheusText } from "./parse-prometheus-text.ts";

/** What must be kept between two polls of one endpoint. Plain data; replace it after each poll. */
export type EndpointMetricsMemory = {
  /** The last minute that each metric was told for, in Unix milliseconds. */
  readonly toldMinutesMs: ReadonlyMap<string, number>;
  readonly histograms: ReadonlyMap<string, RememberedHistogram>;
};

type RememberedHistogram = {
  readonly histogram: Histogram;
  readonly minuteMs: number;
  readonly span: HistogramSpan;
};

export type EndpointMetrics = {
  /** Whether the text is metrics at all, and not something of which no line could be read. */
  readonly isMetrics: boolean;
  readonly samples: readonly Sample[];
  /** What was left out, by reason. */
  readonly dropped: ReadonlyMap<string, number>;
  /** `null` when Databricks does not say. */
  readonly requestsLastMinute: number | null;
  readonly memory: EndpointMetricsMemory;
};

export const emptyMemory: EndpointMetricsMemory = {
  toldMinutesMs: new Map(),
  histograms: new Map(),
};

const MINUTE_MS = 60_000;
/** A sample's own time further off than this is a mistake; it would land in a wrong minute. */
const TIME_BEHIND_MAX_MS = 3_600_000;
const TIME_AHEAD_MAX_MS = 300_000;

/** How the label sets of one metric become one value. */
type Aggregation = "sum" | "max" | "min" | "mean";

/**
 * Use is the highest, since the fullest replica is the one that fails. Datadog's
 * list of the same metrics has names without `_total`, too.
 */
const gauges: readonly {
  readonly name: string;
  readonly aggregation: Aggregation;
  readonly alsoNamed?: readonly string[];
}[] = [
  { name: "request_count_total", aggregation: "sum", alsoNamed: ["request_count"] },
  {
    name: "request_4xx_count_total",
    aggregation: "sum",
    alsoNamed: ["request_4xx_count", "request_4xx"],
  },
  {
    name: "request_5xx_count_total",
    aggregation: "sum",
    alsoNamed: ["request_5xx_count", "request_5xx"],
  },
  {
    name: "provisioned_concurrent_requests_total",
    aggregation: "sum",
    alsoNamed: ["provisioned_concurrent_requests"],
  },
  { name: "cpu_usage_percentage", aggregation: "max" },
  { name: "mem_usage_percentage", aggregation: "max" },
  ...["gpu_usage_percentage", "gpu_mem_usage_percentage"].flatMap((name) => [
    { name, aggregation: "max" as const },
    { name: `${name}_max`, aggregation: "max" as const },
    { name: `${name}_min`, aggregation: "min" as const },
    { name: `${name}_avg`, aggregation: "mean" as const },
  ]),
];

const histograms = ["request_latency_ms", "model_queue_time_ms"];
const quantiles = [
  { suffix: "p50", quantile: 0.5 },
  { suffix: "p95", quantile: 0.95 },
  { suffix: "p99", quantile: 0.99 },
];

export function readEndpointMetrics({
  endpoint,
  text,
  polledAtMs,
  memory,
}: {
  readonly endpoint: string;
  readonly text: string;
  readonly polledAtMs: number;
  readonly memory: EndpointMetricsMemory;
}): EndpointMetrics {
  const parsed = parsePrometheusText(text);
  const dropped = new Map<string, number>(parsed.dropped);
  const drop = (reason: string) => dropped.set(reason, (dropped.get(reason) ?? 0) + 1);
  const byName = groupByName(parsed.series, { polledAtMs, drop });

  const samples: Sample[] = [];
  const toldMinutesMs = new Map(memory.toldMinutesMs);
  const tell = (name: string, value: number, { minuteMs, kind }: Told) => {
    if (minuteMs <= (toldMinutesMs.get(name) ?? -Infinity)) return;
    toldMinutesMs.set(name, minuteMs);
    samples.push({ name, kind, endpoint, labels: {}, value, timeMs: minuteMs });
  };

  let requestsLastMinute: number | null = null;
  for (const { name, aggregation, alsoNamed = [] } of gauges) {
    const found = [name, ...alsoNamed].find((candidate) => byName.has(candidate));
    const series = byName.get(found ?? name) ?? [];
    // Against the documentation, but then it is no value of a minute, and must not pass for one.
    const kind = parsed.types.get(found ?? name) === "counter" ? "counter" : "gauge";
    for (const [minuteMs, values] of minutesOf(series)) {
      const value = aggregate(values, aggregation);
      tell(name, value, { minuteMs, kind });
      if (name === "request_count_total" && kind === "gauge") requestsLastMinute = value;
    }
  }

  const remembered = new Map(memory.histograms);
  for (const name of histograms) {
    const read = readHistogram(name, byName);
    if (read === "inconsistent") drop("inconsistent_histogram");
    if (read === null || read === "inconsistent") continue;

    const before = memory.histograms.get(name);
    const { histogram, minuteMs } = read;
    if (before && minuteMs <= before.minuteMs) continue;

    const isNext = before !== undefined && minuteMs - before.minuteMs === MINUTE_MS;
    const previous = isNext ? before.histogram : null;
    const requests = requestsIn(samples, minuteMs);
    let span = before?.span ?? unknownSpan;
    if (name === "request_latency_ms" && previous && requests !== null) {
      span = learnSpan(span, { previous, current: histogram, requestsLastMinute: requests });
    } else if (name !== "request_latency_ms") {
      // Both come from the same exporter, and only requests can be compared with a count.
      span = remembered.get("request_latency_ms")?.span ?? unknownSpan;
    }
    remembered.set(name, { histogram, minuteMs, span });

    const minute = lastMinute(span, { previous, current: histogram });
    // Not lost, only not understood yet: the next minutes tell what it counts.
    if (!minute) continue;
    const told: Told = { minuteMs, kind: "gauge" };
    tell(`${name}_count`, minute.count, told);
    tell(`${name}_sum`, minute.sumMs, told);
    for (const { suffix, quantile } of quantiles) {
      const estimate = estimateQuantile(minute, quantile);
      if (estimate !== null) tell(`${name}_${suffix}`, estimate, told);
    }
  }

  const nextMemory = { toldMinutesMs, histograms: remembered };
  const isMetrics = parsed.series.length > 0 || !parsed.dropped.has("malformed_line");
  return { isMetrics, samples, dropped, requestsLastMinute, memory: nextMemory };
}

type Told = { readonly minuteMs: number; readonly kind: "gauge" | "counter" };
type TimedSeries = PrometheusSeries & { readonly minuteMs: number };
type Drop = (reason: string) => void;

const knownNames = new Set([
  ...gauges.flatMap(({ name, alsoNamed = [] }) => [name, ...alsoNamed]),
  ...histograms.flatMap((name) => [`${name}_bucket`, `${name}_sum`, `${name}_count`]),
]);

function groupByName(
  series: readonly PrometheusSeries[],
  { polledAtMs, drop }: { readonly polledAtMs: number; readonly drop: Drop },
): Map<string, TimedSeries[]> {
  const byName = new Map<string, TimedSeries[]>();
  for (const one of series) {
    const timeMs = one.timeMs ?? polledAtMs;
    if (!knownNames.has(one.name)) {
      // `_created` is OpenMetrics' own addition to a histogram.
      if (!one.name.endsWith("_created")) drop("unknown_metric");
    } else if (one.value < 0) {
      drop("negative");
    } else if (
      timeMs < polledAtMs - TIME_BEHIND_MAX_MS ||
      timeMs > polledAtMs + TIME_AHEAD_MAX_MS
    ) {
      drop("implausible_time");
    } else {
      const group = byName.get(one.name) ?? [];
      group.push({ ...one, minuteMs: Math.floor(timeMs / MINUTE_MS) * MINUTE_MS });
      byName.set(one.name, group);
    }
  }
  return byName;
}

/** The values of each minute, the earliest minute first. */
function minutesOf(series: readonly TimedSeries[]): [minuteMs: number, values: number[]][] {
  const minutes = new Map<number, number[]>();
  for (const { minuteMs, value } of series) {
    const values = minutes.get(minuteMs) ?? [];
    values.push(value);
    minutes.set(minuteMs, values);
  }
  return Array.from(minutes).sort(([a], [b]) => a - b);
}

function aggregate(values: readonly number[], aggregation: Aggregation): number {
  const sum = values.reduce((total, value) => total + value, 0);
  switch (aggregation) {
    case "sum":
      return sum;
    case "mean":
      return sum / values.length;
    case "max":
      return values.reduce((a, b) => Math.max(a, b));
    case "min":
      return values.reduce((a, b) => Math.min(a, b));
  }
}

function requestsIn(samples: readonly Sample[], minuteMs: number): number | null {
  const isIt = (sample: Sample) =>
    sample.name === "request_count_total" && sample.kind === "gauge" && sample.timeMs === minuteMs;
  return samples.find(isIt)?.value ?? null;
}

/** The histogram over all label sets; `null` when there is none. */
function readHistogram(
  name: string,
  byName: ReadonlyMap<string, readonly TimedSeries[]>,
): { histogram: Histogram; minuteMs: number } | "inconsistent" | null {
  const bucketSeries = byName.get(`${name}_bucket`) ?? [];
  const counts = byName.get(`${name}_count`) ?? [];
  const sums = byName.get(`${name}_sum`) ?? [];
  const [first] = bucketSeries;
  if (!first || counts.length === 0 || sums.length === 0) return null;

  const all = [...bucketSeries, ...counts, ...sums];
  if (all.some(({ minuteMs }) => minuteMs !== first.minuteMs)) return "inconsistent";

  const byBound = new Map<number, { count: number; parts: number }>();
  for (const { labels, value } of bucketSeries) {
    const upToMs = boundOf(labels.le);
    if (Number.isNaN(upToMs)) return "inconsistent";
    const bucket = byBound.get(upToMs) ?? { count: 0, parts: 0 };
    byBound.set(upToMs, { count: bucket.count + value, parts: bucket.parts + 1 });
  }
  const buckets = Array.from(byBound, ([upToMs, { count }]) => [upToMs, count] as const).sort(
    ([a], [b]) => a - b,
  );
  const histogram: Histogram = {
    buckets,
    count: aggregate(
      counts.map(({ value }) => value),
      "sum",
    ),
    sumMs: aggregate(
      sums.map(({ value }) => value),
      "sum",
    ),
  };
  // Bounds that only some label sets have cannot be added up.
  const isWhole = Array.from(byBound.values()).every(({ parts }) => parts === counts.length);
  const isAscending = buckets.every(([, count], i) => count >= (buckets[i - 1]?.[1] ?? 0));
  const endsWithAll = buckets.at(-1)?.[0] === Infinity && buckets.at(-1)?.[1] === histogram.count;
  if (!isWhole || !isAscending || !endsWithAll) return "inconsistent";
  return { histogram, minuteMs: first.minuteMs };
}

function boundOf(le: string | undefined): number {
  if (le === undefined || le === "") return Number.NaN;
  return /^\+?inf(inity)?$/i.test(le) ? Infinity : Number(le);
}
