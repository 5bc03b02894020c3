/**
 * Reads OTLP data points of any kind into points that the monitor keeps, and
 * keeps the newest of every series. Points may come twice, late, or with totals
 * that began anew; each counts once. Pure: the time is passed in.
 */
import type { MetricPoint, MetricValue } from "../../signals/metric-point.ts";
import type { Sample } from "../../signals/sample.ts";
import { scrub } from "../../signals/scrub.ts";
import {
  countDropped,
  type DecodedMetrics,
  type MetricDropReason,
  type OtlpMetricPoint,
} from "./decode-metrics-point.ts";

/** A point may be this much older than its arrival: what a collector in between held back. */
export const METRIC_BEHIND_MAX_MS = 24 * 3_600_000;
/** A point may be this much ahead of us: clocks differ. */
export const METRIC_AHEAD_MAX_MS = 3_600_000;

const TEMPORALITY_DELTA = 1;
const TEMPORALITY_CUMULATIVE = 2;
/** Longest name of an endpoint, in characters. */
const ENDPOINT_LENGTH_MAX = 200;
const QUANTILES = [
  ["_p50", 0.5],
  ["_p95", 0.95],
  ["_p99", 0.99],
] as const;

export function toMetricPoints(
  { points, dropped: before }: DecodedMetrics,
  nowMs: number,
): { readonly points: readonly MetricPoint[]; readonly dropped: ReadonlyMap<string, number> } {
  const dropped = new Map(before);
  const cleaned = new Map<string, string>();
  const clean = (text: string) => {
    let known = cleaned.get(text);
    if (known === undefined) {
      known = scrub(text).replaceAll(/\p{Cc}/gu, " ");
      cleaned.set(text, known);
    }
    return known;
  };
  const kept = points.flatMap((point) => {
    const read = toMetricPoint(point, { nowMs, clean });
    if (typeof read !== "string") return [read];
    countDropped(dropped, read);
    return [];
  });
  return { points: kept, dropped };
}

function toMetricPoint(
  { metric, resource, startMs, timeMs, labels, data }: OtlpMetricPoint,
  { nowMs, clean }: { readonly nowMs: number; readonly clean: (text: string) => string },
): MetricPoint | MetricDropReason {
  const hasTime =
    timeMs >= nowMs - METRIC_BEHIND_MAX_MS &&
    timeMs <= nowMs + METRIC_AHEAD_MAX_MS &&
    startMs >= 0 &&
    startMs <= timeMs;
  if (!hasTime) return "metric_time";
  const mode = modeOf(data.kind, metric.temporality);
  if (mode === null) return "metric_temporality";
  const values = valuesOf(data, metric.isMonotonic);
  if (typeof values === "string") return values;

  const told = Object.entries(labels).map(([key, value]) => [clean(key), clean(value)] as const);
  if (resource.instance !== null) told.push(["service.instance.id", clean(resource.instance)]);
  const endpoint = resource.endpoint || resource.service || "unknown";
  return {
    endpoint: clean(endpoint).slice(0, ENDPOINT_LENGTH_MAX),
    name: clean(metric.name),
    labels: Object.fromEntries(told.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))),
    mode,
    startMs,
    timeMs,
    values,
  };
}

function modeOf(
  kind: OtlpMetricPoint["data"]["kind"],
  temporality: number,
): MetricPoint["mode"] | null {
  if (kind === "gauge") return "gauge";
  if (kind === "summary" || temporality === TEMPORALITY_CUMULATIVE) return "cumulative";
  return temporality === TEMPORALITY_DELTA ? "delta" : null;
}

function valuesOf(
  data: OtlpMetricPoint["data"],
  isMonotonic: boolean,
): readonly MetricValue[] | MetricDropReason {
  switch (data.kind) {
    case "gauge":
      return [{ suffix: "", kind: "gauge", value: textIfNotFinite(data.value) }];
    case "sum": {
      const { value } = data;
      if (!Number.isFinite(value) || (isMonotonic && value < 0)) return "metric_value";
      const kind = isMonotonic ? "counter" : "gauge";
      return [{ suffix: "", kind, value: unsignedZero(value) }];
    }
    case "histogram": {
      const totals = totalsOf(data);
      if (totals === null) return "metric_value";
      if (!fitsTogether(data)) return "metric_buckets";
      if (data.count === 0 || data.bounds.length === 0) return totals;
      const quantiles = QUANTILES.map(([suffix, quantile]): MetricValue => {
        return { suffix, kind: "gauge", value: unsignedZero(estimateQuantile(data, quantile)) };
      });
      return [...totals, ...quantiles];
    }
    case "exponential_histogram":
      return totalsOf(data) ?? "metric_value";
    case "summary": {
      const totals = totalsOf(data);
      if (totals === null) return "metric_value";
      // A summary without recent observations says NaN.
      const quantiles = data.quantiles
        .filter(([quantile, value]) => quantile >= 0 && quantile <= 1 && Number.isFinite(value))
        .map(([quantile, value]): MetricValue => {
          const suffix = `_p${Number((quantile * 100).toPrecision(6))}`;
          return { suffix, kind: "gauge", value: unsignedZero(value) };
        });
      return [...totals, ...quantiles];
    }
  }
}

/** −0 would come back from the journal as 0, and pass for a change. */
function unsignedZero(value: number): number {
  return value + 0;
}

function textIfNotFinite(value: number): MetricValue["value"] {
  if (Number.isFinite(value)) return unsignedZero(value);
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "Infinity" : "-Infinity";
}

function totalsOf({
  count,
  sum,
}: {
  readonly count: number;
  readonly sum: number | null;
}): readonly MetricValue[] | null {
  if (!Number.isSafeInteger(count) || count < 0) return null;
  const counted: MetricValue = { suffix: "_count", kind: "counter", value: count };
  if (sum === null) return [counted];
  if (!Number.isFinite(sum)) return null;
  return [counted, { suffix: "_sum", kind: "counter", value: unsignedZero(sum) }];
}

type Histogram = Extract<OtlpMetricPoint["data"], { readonly kind: "histogram" }>;

function fitsTogether({ count, bounds, counts }: Histogram): boolean {
  if (bounds.length === 0 && counts.length === 0) return true;
  if (counts.length !== bounds.length + 1) return false;
  const isAscending = bounds.every(
    (bound, index) => Number.isFinite(bound) && bound > (bounds[index - 1] ?? -Infinity),
  );
  const areCounts = counts.every((one) => Number.isSafeInteger(one) && one >= 0);
  return isAscending && areCounts && counts.reduce((sum, one) => sum + one, 0) === count;
}

/** Linear within the bucket of the nearest rank; of the last bucket, its lower bound. */
function estimateQuantile({ count, bounds, counts }: Histogram, quantile: number): number {
  const rank = Math.max(1, Math.ceil(quantile * count));
  let below = 0;
  for (const [index, inBucket] of counts.entries()) {
    if (below + inBucket < rank) {
      below += inBucket;
      continue;
    }
    const upper = bounds[index];
    if (upper === undefined) break;
    const lower = bounds[index - 1] ?? Math.min(0, upper);
    const part = (rank - below) / inBucket;
    // Not `lower + (upper - lower) × part`: what is between may be more than a double holds.
    return lower * (1 - part) + upper * part;
  }
  return bounds.at(-1) ?? 0;
}

// ─── The newest of every series ─────────────────────────────────────────────

/** Most series kept, over all endpoints. The rest counts as `series_limit`. */
export const SERIES_MAX = 20_000;
/** Most series kept of one endpoint, so that one service takes no place from the others. */
export const SERIES_PER_ENDPOINT_MAX = 5_000;
/** A series that was silent for so long gives its place to a new one, in milliseconds. */
export const SERIES_STALE_MS = 15 * 60_000;
/** A value that has not changed is taken anew after so long, so that its time stays about right. */
export const SERIES_REPEAT_MS = 5 * 60_000;
/** Stretches of time of a delta series that are remembered, so that each is added once. */
const DELTAS_REMEMBERED = 16;

type Series = {
  /** The same for all of its values, so that they are known again at once. */
  readonly labels: MetricPoint["labels"];
  /** The same, names and values in turns. */
  readonly labelTexts: readonly string[];
  /** The newest. */
  point: MetricPoint;
  /** When it arrived. */
  takenMs: number;
  /** `start time` of the deltas that were added last, the oldest first. */
  added: readonly string[];
  /** Of which a point came next, when it was last told. */
  next: Series | null;
};

/** Why a point changed nothing. */
export type SeriesDropReason = "duplicate_metric" | "late_metric" | "series_limit";

export type AddedPoints = {
  readonly dropped: ReadonlyMap<SeriesDropReason, number>;
  readonly samples: readonly Sample[];
};

export class PushedSeries {
  readonly #series = new Map<string, Series>();
  /** When it was last looked for stale ones, and when there may be one at the earliest. */
  #looked = { atMs: 0, staleMs: 0 };
  readonly #perEndpoint = new Map<string, number>();
  /** The one that was told last. */
  #last: Series | null = null;

  get size(): number {
    return this.#series.size;
  }

  /** Whether a point says what is known already, only later. */
  isKnown(point: MetricPoint): boolean {
    const known = this.#find(point)?.point;
    return (
      known !== undefined &&
      point.mode !== "delta" &&
      known.mode === point.mode &&
      known.startMs === point.startMs &&
      point.timeMs - known.timeMs < SERIES_REPEAT_MS &&
      haveSameValues(known, point)
    );
  }

  /**
   * Returns what changed nothing, by reason, and the values of every series that moved on in
   * time. A delta that comes late adds to a value of the series' newest time: it moves nothing on.
   */
  add(points: readonly MetricPoint[], takenMs: number): AddedPoints {
    const dropped = new Map<SeriesDropReason, number>();
    const samples: Sample[] = [];
    const drop = (reason: SeriesDropReason) => dropped.set(reason, (dropped.get(reason) ?? 0) + 1);
    for (const point of points) {
      const known = this.#find(point);
      if (!known) {
        const begun = this.#begin(point, takenMs);
        if (begun) addSamples(samples, begun);
        else drop("series_limit");
        continue;
      }
      const knownMs = known.point.timeMs;
      const reason = moveOn(known, point, takenMs);
      if (reason !== null) drop(reason);
      else if (known.point.timeMs !== knownMs) addSamples(samples, known);
    }
    return { dropped, samples };
  }

  /**
   * Senders tell their series in the same order each time: to compare a point with the one that
   * came next before takes a fifth of looking it up.
   */
  #find(point: MetricPoint): Series | undefined {
    const next = this.#last?.next;
    const series = next && isOf(next, point) ? next : this.#series.get(keyOf(point));
    if (series) this.#tell(series);
    return series;
  }

  #tell(series: Series): void {
    if (this.#last) this.#last.next = series;
    this.#last = series;
  }

  /** The newest finite value of every series, of one endpoint or of all. */
  samples(endpoint: string | null = null): Sample[] {
    const samples: Sample[] = [];
    for (const series of this.#series.values()) {
      const isAsked = endpoint === null || series.point.endpoint === endpoint;
      if (isAsked) addSamples(samples, series);
    }
    return samples;
  }

  #begin(point: MetricPoint, takenMs: number): Series | null {
    if (!this.#makeRoom(point.endpoint, takenMs)) return null;
    this.#perEndpoint.set(point.endpoint, (this.#perEndpoint.get(point.endpoint) ?? 0) + 1);
    const { labels } = point;
    const labelTexts = Object.entries(labels).flat();
    const added = stretchesOf(point);
    const series: Series = { labels, labelTexts, point, takenMs, added, next: null };
    this.#series.set(keyOf(point), series);
    this.#tell(series);
    return series;
  }

  /** What was heard of since the last look can't be stale before what was oldest then. */
  #forgetStale(nowMs: number): void {
    const isClockSetBack = nowMs < this.#looked.atMs;
    if (nowMs <= this.#looked.staleMs && !isClockSetBack) return;
    let oldestMs = nowMs;
    this.#last = null;
    for (const [key, series] of this.#series) {
      const { point, takenMs } = series;
      // It may be one that is forgotten.
      series.next = null;
      if (nowMs - takenMs <= SERIES_STALE_MS) {
        oldestMs = Math.min(oldestMs, takenMs);
        continue;
      }
      this.#series.delete(key);
      const left = (this.#perEndpoint.get(point.endpoint) ?? 0) - 1;
      if (left > 0) this.#perEndpoint.set(point.endpoint, left);
      else this.#perEndpoint.delete(point.endpoint);
    }
    this.#looked = { atMs: nowMs, staleMs: oldestMs + SERIES_STALE_MS };
  }

  #makeRoom(endpoint: string, takenMs: number): boolean {
    const isFull =
      this.#series.size >= SERIES_MAX ||
      (this.#perEndpoint.get(endpoint) ?? 0) >= SERIES_PER_ENDPOINT_MAX;
    if (!isFull) return true;
    this.#forgetStale(takenMs);
    return (
      this.#series.size < SERIES_MAX &&
      (this.#perEndpoint.get(endpoint) ?? 0) < SERIES_PER_ENDPOINT_MAX
    );
  }
}

/** Control characters are taken out where points are read, and labels are in order. */
function keyOf({ endpoint, name, labels }: MetricPoint): string {
  let key = `${endpoint}\u0000${name}`;
  for (const label of Object.keys(labels)) key += `\u0000${label}\u0000${labels[label]}`;
  return key;
}

function isOf({ labelTexts, point }: Series, { endpoint, name, labels }: MetricPoint): boolean {
  if (point.endpoint !== endpoint || point.name !== name) return false;
  let at = 0;
  for (const label in labels) {
    if (labelTexts[at++] !== label || labelTexts[at++] !== labels[label]) return false;
  }
  return at === labelTexts.length;
}

function haveSameValues({ values: known }: MetricPoint, { values }: MetricPoint): boolean {
  return (
    known.length === values.length &&
    known.every(({ suffix, kind, value }, at) => {
      const other = values[at];
      return suffix === other?.suffix && kind === other.kind && value === other.value;
    })
  );
}

/** Returns why the point changes nothing; `null` where it does. */
function moveOn(series: Series, point: MetricPoint, takenMs: number): SeriesDropReason | null {
  const isDelta = point.mode === "delta" && series.point.mode === "delta";
  return isDelta ? addDelta(series, point, takenMs) : replace(series, point, takenMs);
}

const noStretches: readonly string[] = [];

/** Those of deltas alone are asked for. */
function stretchesOf(point: MetricPoint): readonly string[] {
  return point.mode === "delta" ? [stretchOf(point)] : noStretches;
}

function stretchOf({ startMs, timeMs }: MetricPoint): string {
  return `${startMs} ${timeMs}`;
}

/** A total or gauge takes the place of an earlier one. Totals that begin anew are newer whatever their time. */
function replace(series: Series, point: MetricPoint, takenMs: number): SeriesDropReason | null {
  const { point: known } = series;
  const isSame = point.timeMs === known.timeMs && point.startMs === known.startMs;
  if (isSame && point.mode === known.mode) return "duplicate_metric";
  const isRestart = point.mode !== "gauge" && point.startMs > known.startMs;
  const hasSameStart = point.mode === "gauge" || point.startMs === known.startMs;
  const isNewer = isRestart || (hasSameStart && point.timeMs > known.timeMs);
  // After a long silence the sender's clock may have been set back.
  const isStale = takenMs - series.takenMs > SERIES_STALE_MS;
  if (!isNewer && !isStale && point.mode === known.mode) return "late_metric";
  series.point = point;
  series.takenMs = takenMs;
  series.added = stretchesOf(point);
  return null;
}

/** Deltas are added in whatever order they come, each stretch of time once. */
function addDelta(series: Series, point: MetricPoint, takenMs: number): SeriesDropReason | null {
  const { point: known, added } = series;
  const stretch = stretchOf(point);
  if (added.includes(stretch)) return "duplicate_metric";
  const oldestMs = Number(added[0]?.split(" ")[1]);
  if (added.length === DELTAS_REMEMBERED && point.timeMs <= oldestMs) return "late_metric";
  const newest = point.timeMs > known.timeMs ? point : known;
  const values = newest.values.map((told): MetricValue => {
    if (told.suffix.startsWith("_p")) return told;
    const sum = (part: MetricPoint) =>
      Number(part.values.find(({ suffix }) => suffix === told.suffix)?.value ?? 0);
    return { ...told, value: sum(known) + sum(point) };
  });
  series.point = { ...newest, startMs: Math.min(known.startMs, point.startMs), values };
  series.takenMs = takenMs;
  series.added = [...added, stretch].sort(byEnd).slice(-DELTAS_REMEMBERED);
  return null;
}

function byEnd(a: string, b: string): number {
  return Number(a.split(" ")[1]) - Number(b.split(" ")[1]);
}

function addSamples(samples: Sample[], { labels, point }: Series): void {
  const { endpoint, name, timeMs, values } = point;
  for (const { suffix, kind, value } of values) {
    if (typeof value !== "number") continue;
    samples.push({ name: `${name}${suffix}`, kind, endpoint, labels, value, timeMs });
  }
}
