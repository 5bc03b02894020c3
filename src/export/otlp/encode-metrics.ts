/**
 * Encodes what a collector holds as OTLP metrics requests: counters as cumulative
 * sums, gauges, latencies as explicit-bucket histograms in seconds with exemplars.
 * Pure. Each request is whole by itself, of bounded size, and encoded only when it
 * is asked for, so that even 100 000 series never block the caller for long.
 *
 * Source: opentelemetry-proto, collector/metrics/v1 and metrics/v1.
 */
import { createFamilies, ROW_KINDS } from "../../metrics/prometheus-names.ts";
import type {
  CounterOrGauge,
  LatencySeries,
  MetricsSnapshot,
  SeriesSnapshot,
} from "../../metrics/snapshot.ts";
import {
  newProtobufWriter,
  type ProtobufWriter,
  reset,
  writeBytes,
  writeDouble,
  writeFixed64,
  writeMessage,
  writeNumber,
  writePackedDoubles,
  writePackedFixed64,
  writeText,
  writeTime,
  written,
} from "./protobuf-writer.ts";

/**
 * Most series in one request. A latency with 30 buckets takes 600 bytes and 6 µs, so
 * a request stays below 1 MiB and encoding it holds the caller up for some 6 ms.
 */
export const SERIES_PER_REQUEST_MAX = 1_000;

export type EncodeMetricsOptions = {
  /** Resource attributes, such as `service.name`. */
  readonly resource?: Readonly<Record<string, string>>;
  /** In front of every name, as in `/metrics`. */
  readonly namespace?: string;
  readonly seriesPerRequest?: number;
};

/** One ExportMetricsServiceRequest after the other; none without series. */
export function* encodeMetrics(
  snapshot: MetricsSnapshot,
  options: EncodeMetricsOptions = {},
): Generator<Uint8Array<ArrayBuffer>> {
  const { seriesPerRequest = SERIES_PER_REQUEST_MAX, namespace = DEFAULT_NAMESPACE } = options;
  const familyOf = createFamilies(namespace);
  const nameOf = ({ kind, name }: SeriesSnapshot) => familyOf(ROW_KINDS[kind], name).name;
  const writer = newProtobufWriter();
  for (let from = 0; from < snapshot.series.length; from += seriesPerRequest) {
    reset(writer);
    const series = snapshot.series.slice(from, from + seriesPerRequest);
    writeRequest(writer, snapshot, {
      metrics: metricsOf(series, nameOf),
      resource: options.resource ?? {},
    });
    yield written(writer);
  }
}

/** The names are those of `/metrics`, so that one search finds a metric wherever it went. */
const DEFAULT_NAMESPACE = "dspy";
const SCOPE_NAME = "dspy-databricks-agents";
const TEMPORALITY_CUMULATIVE = 2;

const REQUEST_RESOURCE_METRICS = 1;
const RESOURCE_METRICS_RESOURCE = 1;
const RESOURCE_METRICS_SCOPE_METRICS = 2;
const RESOURCE_ATTRIBUTES = 1;
const SCOPE_METRICS_SCOPE = 1;
const SCOPE_METRICS_METRICS = 2;
const SCOPE_NAME_FIELD = 1;
const METRIC_NAME = 1;
const METRIC_UNIT = 3;
const METRIC_GAUGE = 5;
const METRIC_SUM = 7;
const METRIC_HISTOGRAM = 9;
const DATA_POINTS = 1;
const TEMPORALITY = 2;
const SUM_IS_MONOTONIC = 3;
const POINT_START_TIME = 2;
const POINT_TIME = 3;
const NUMBER_AS_DOUBLE = 4;
const NUMBER_ATTRIBUTES = 7;
const HISTOGRAM_COUNT = 4;
const HISTOGRAM_SUM = 5;
const HISTOGRAM_BUCKET_COUNTS = 6;
const HISTOGRAM_BOUNDS = 7;
const HISTOGRAM_EXEMPLARS = 8;
const HISTOGRAM_ATTRIBUTES = 9;
const HISTOGRAM_MIN = 11;
const HISTOGRAM_MAX = 12;
const EXEMPLAR_TIME = 2;
const EXEMPLAR_AS_DOUBLE = 3;
const EXEMPLAR_TRACE_ID = 5;
const KEY_VALUE_KEY = 1;
const KEY_VALUE_VALUE = 2;
const VALUE_STRING = 1;

type Times = { readonly startMs: number; readonly timeMs: number };

/** All series of one name and kind: a metric of OTLP. */
type Metric = {
  readonly kind: SeriesSnapshot["kind"];
  readonly name: string;
  readonly series: SeriesSnapshot[];
};

function writeRequest(
  writer: ProtobufWriter,
  times: Times,
  {
    metrics,
    resource,
  }: { readonly metrics: readonly Metric[]; readonly resource: Readonly<Record<string, string>> },
): void {
  writeMessage(writer, REQUEST_RESOURCE_METRICS, () => {
    writeMessage(writer, RESOURCE_METRICS_SCOPE_METRICS, () => {
      for (const metric of metrics.toReversed()) {
        writeMessage(writer, SCOPE_METRICS_METRICS, () => writeMetric(writer, metric, times));
      }
      writeMessage(writer, SCOPE_METRICS_SCOPE, () =>
        writeText(writer, SCOPE_NAME_FIELD, SCOPE_NAME),
      );
    });
    writeMessage(writer, RESOURCE_METRICS_RESOURCE, () =>
      writeAttributes(writer, RESOURCE_ATTRIBUTES, resource),
    );
  });
}

function metricsOf(
  series: readonly SeriesSnapshot[],
  nameOf: (series: SeriesSnapshot) => string,
): Metric[] {
  const metrics = new Map<string, Metric>();
  for (const one of series) {
    const key = `${one.kind} ${one.name}`;
    const known = metrics.get(key);
    if (known) known.series.push(one);
    else metrics.set(key, { kind: one.kind, name: nameOf(one), series: [one] });
  }
  return [...metrics.values()];
}

function writeMetric(writer: ProtobufWriter, { kind, name, series }: Metric, times: Times): void {
  const points = () => {
    for (const one of series.toReversed()) {
      writeMessage(writer, DATA_POINTS, () =>
        one.kind === "latency"
          ? writeHistogramPoint(writer, one, times)
          : writeNumberPoint(writer, one, times),
      );
    }
  };
  switch (kind) {
    case "gauge":
      writeMessage(writer, METRIC_GAUGE, points);
      break;
    case "counter":
      writeMessage(writer, METRIC_SUM, () => {
        writeNumber(writer, SUM_IS_MONOTONIC, 1);
        writeNumber(writer, TEMPORALITY, TEMPORALITY_CUMULATIVE);
        points();
      });
      break;
    case "latency":
      writeMessage(writer, METRIC_HISTOGRAM, () => {
        writeNumber(writer, TEMPORALITY, TEMPORALITY_CUMULATIVE);
        points();
      });
      break;
  }
  if (kind === "latency") writeText(writer, METRIC_UNIT, "s");
  writeText(writer, METRIC_NAME, name);
}

function writeNumberPoint(
  writer: ProtobufWriter,
  { kind, labels, value }: CounterOrGauge,
  { startMs, timeMs }: Times,
): void {
  writeAttributes(writer, NUMBER_ATTRIBUTES, labels);
  writeDouble(writer, NUMBER_AS_DOUBLE, value);
  writeTime(writer, POINT_TIME, timeMs);
  // A gauge has no beginning.
  if (kind === "counter") writeTime(writer, POINT_START_TIME, startMs);
}

function writeHistogramPoint(
  writer: ProtobufWriter,
  { labels, count, sumMs, minMs, maxMs, buckets, exemplar }: LatencySeries,
  { startMs, timeMs }: Times,
): void {
  if (count > 0) {
    writeDouble(writer, HISTOGRAM_MAX, maxMs / 1000);
    writeDouble(writer, HISTOGRAM_MIN, minMs / 1000);
  }
  writeAttributes(writer, HISTOGRAM_ATTRIBUTES, labels);
  if (exemplar && /^[0-9a-f]{32}$/i.test(exemplar.traceId)) {
    writeMessage(writer, HISTOGRAM_EXEMPLARS, () => {
      writeBytes(writer, EXEMPLAR_TRACE_ID, Buffer.from(exemplar.traceId, "hex"));
      writeDouble(writer, EXEMPLAR_AS_DOUBLE, exemplar.valueMs / 1000);
      writeTime(writer, EXEMPLAR_TIME, exemplar.timeMs);
    });
  }
  const finite = buckets.filter(({ upToMs }) => Number.isFinite(upToMs));
  const counts = finite.map((bucket, index) => bucket.count - (finite[index - 1]?.count ?? 0));
  writePackedDoubles(
    writer,
    HISTOGRAM_BOUNDS,
    finite.map(({ upToMs }) => upToMs / 1000),
  );
  // OTLP's last bucket has no bound: whatever lies above all of them.
  writePackedFixed64(writer, HISTOGRAM_BUCKET_COUNTS, [
    ...counts,
    count - (finite.at(-1)?.count ?? 0),
  ]);
  writeDouble(writer, HISTOGRAM_SUM, sumMs / 1000);
  writeFixed64(writer, HISTOGRAM_COUNT, count);
  writeTime(writer, POINT_TIME, timeMs);
  writeTime(writer, POINT_START_TIME, startMs);
}

function writeAttributes(
  writer: ProtobufWriter,
  field: number,
  attributes: Readonly<Record<string, string>>,
): void {
  for (const [key, value] of Object.entries(attributes).toReversed()) {
    writeMessage(writer, field, () => {
      writeMessage(writer, KEY_VALUE_VALUE, () => writeText(writer, VALUE_STRING, value));
      writeText(writer, KEY_VALUE_KEY, key);
    });
  }
}
