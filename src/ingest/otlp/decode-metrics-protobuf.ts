/**
 * Decodes an OTLP metrics request from protobuf into data points. Bounded: every
 * length is checked before it is used, nothing nests, and what is kept of a body
 * has a limit whatever its structure. Exemplars and exponential buckets are
 * stepped over.
 *
 * Source: opentelemetry-proto, collector/metrics/v1 and metrics/v1.
 */
import { MonitorError } from "../../monitor-error.ts";
import { holds, newTextTable, remember, slotOf, TEXT_BYTES_MAX } from "../../signals/text-table.ts";
import {
  BUCKET_LIMIT,
  countDropped,
  type DecodedMetrics,
  FLAG_NO_RECORDED_VALUE,
  LABEL_KEY_LIMIT_BYTES,
  LABEL_LIMIT,
  LABEL_VALUE_LIMIT_BYTES,
  METRIC_NAME_LIMIT_BYTES,
  type MetricDropReason,
  type OtlpMetric,
  type OtlpMetricPoint,
  type OtlpPointData,
  POINT_LIMIT,
  RESOURCE_KEYS,
  type ResourceIdentity,
} from "./decode-metrics-point.ts";
import {
  type Cursor,
  FIXED64,
  LENGTH,
  readDouble,
  readFixed64,
  readLength,
  readTag,
  readVarint,
  skipField,
  TWO_TO_32,
  VARINT,
} from "./protobuf-cursor.ts";

/** @throws MonitorError `TELEMETRY_INVALID` when the bytes are no protobuf message. */
export function decodeMetricsProtobuf(body: Uint8Array): DecodedMetrics {
  if (body[0] === 0x7b) throw otherFormat("JSON", "content-type: application/json");
  if (body[0] === 0x1f && body[1] === 0x8b) throw otherFormat("gzip", "content-encoding: gzip");
  const decoding: Decoding = {
    body,
    view: new DataView(body.buffer, body.byteOffset, body.byteLength),
    at: 0,
    low: 0,
    high: 0,
    points: [],
    dropped: new Map(),
  };
  try {
    const end = body.length;
    eachMessage(decoding, { end, tag: REQUEST_RESOURCE_METRICS }, (resourceEnd) =>
      readResourceMetrics(decoding, resourceEnd),
    );
  } catch (error) {
    throw error instanceof MonitorError ? withHint(error) : error;
  }
  return { points: decoding.points, dropped: decoding.dropped };
}

type Decoding = Cursor & {
  readonly points: OtlpMetricPoint[];
  readonly dropped: Map<string, number>;
};

const REQUEST_RESOURCE_METRICS = (1 << 3) | LENGTH;
const RESOURCE_METRICS_RESOURCE = (1 << 3) | LENGTH;
const RESOURCE_METRICS_SCOPE_METRICS = (2 << 3) | LENGTH;
const RESOURCE_ATTRIBUTES = (1 << 3) | LENGTH;
const SCOPE_METRICS_METRICS = (2 << 3) | LENGTH;
const METRIC_NAME = (1 << 3) | LENGTH;
const METRIC_GAUGE = (5 << 3) | LENGTH;
const METRIC_SUM = (7 << 3) | LENGTH;
const METRIC_HISTOGRAM = (9 << 3) | LENGTH;
const METRIC_EXPONENTIAL_HISTOGRAM = (10 << 3) | LENGTH;
const METRIC_SUMMARY = (11 << 3) | LENGTH;
const DATA_POINTS = (1 << 3) | LENGTH;
const TEMPORALITY = (2 << 3) | VARINT;
const SUM_IS_MONOTONIC = (3 << 3) | VARINT;
/** The same in every kind of data point. */
const POINT_START_TIME = (2 << 3) | FIXED64;
const POINT_TIME = (3 << 3) | FIXED64;
const POINT_COUNT = (4 << 3) | FIXED64;
const POINT_SUM = (5 << 3) | FIXED64;
const NUMBER_AS_DOUBLE = (4 << 3) | FIXED64;
const NUMBER_AS_INT = (6 << 3) | FIXED64;
const HISTOGRAM_COUNT = (6 << 3) | FIXED64;
const HISTOGRAM_COUNTS = (6 << 3) | LENGTH;
const HISTOGRAM_BOUND = (7 << 3) | FIXED64;
const HISTOGRAM_BOUNDS = (7 << 3) | LENGTH;
const SUMMARY_QUANTILES = (6 << 3) | LENGTH;
const QUANTILE_QUANTILE = (1 << 3) | FIXED64;
const QUANTILE_VALUE = (2 << 3) | FIXED64;
const KEY_VALUE_KEY = (1 << 3) | LENGTH;
const KEY_VALUE_VALUE = (2 << 3) | LENGTH;
const VALUE_STRING = (1 << 3) | LENGTH;
const VALUE_BOOL = (2 << 3) | VARINT;
const VALUE_INT = (3 << 3) | VARINT;
const VALUE_DOUBLE = (4 << 3) | FIXED64;

type Kind = OtlpPointData["kind"];

/** The message of each kind's data in a metric, and where its points have labels and flags. */
const KINDS: ReadonlyMap<number, { kind: Kind; labels: number; flags: number }> = new Map([
  [METRIC_GAUGE, { kind: "gauge", labels: (7 << 3) | LENGTH, flags: (8 << 3) | VARINT }],
  [METRIC_SUM, { kind: "sum", labels: (7 << 3) | LENGTH, flags: (8 << 3) | VARINT }],
  [METRIC_HISTOGRAM, { kind: "histogram", labels: (9 << 3) | LENGTH, flags: (10 << 3) | VARINT }],
  [
    METRIC_EXPONENTIAL_HISTOGRAM,
    { kind: "exponential_histogram", labels: (1 << 3) | LENGTH, flags: (10 << 3) | VARINT },
  ],
  [METRIC_SUMMARY, { kind: "summary", labels: (7 << 3) | LENGTH, flags: (8 << 3) | VARINT }],
]);

/** Calls `read` with the end of each message of this tag, at its start; steps over the rest. */
function eachMessage(
  decoding: Decoding,
  { end, tag: wanted }: { readonly end: number; readonly tag: number },
  read: (messageEnd: number) => void,
): void {
  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    if (tag !== wanted) {
      skipField(decoding, tag, end);
      continue;
    }
    const sizeBytes = readLength(decoding, end);
    const messageEnd = decoding.at + sizeBytes;
    read(messageEnd);
    decoding.at = messageEnd;
  }
}

function readResourceMetrics(decoding: Decoding, end: number): void {
  const start = decoding.at;
  // The resource may stand behind its metrics, so it is looked for first.
  const resource = { endpoint: null, service: null, instance: null };
  eachMessage(decoding, { end, tag: RESOURCE_METRICS_RESOURCE }, (resourceEnd) =>
    eachMessage(decoding, { end: resourceEnd, tag: RESOURCE_ATTRIBUTES }, (attributeEnd) =>
      readIdentity(decoding, attributeEnd, resource),
    ),
  );
  decoding.at = start;
  eachMessage(decoding, { end, tag: RESOURCE_METRICS_SCOPE_METRICS }, (scopeEnd) =>
    eachMessage(decoding, { end: scopeEnd, tag: SCOPE_METRICS_METRICS }, (metricEnd) =>
      readMetric(decoding, metricEnd, resource),
    ),
  );
}

function readIdentity(
  decoding: Decoding,
  end: number,
  resource: { -readonly [Key in keyof ResourceIdentity]: string | null },
): void {
  const { key, value } = readKeyValue(decoding, end);
  const part = key !== null && Object.hasOwn(RESOURCE_KEYS, key) ? key : null;
  if (part !== null) resource[RESOURCE_KEYS[part as keyof typeof RESOURCE_KEYS]] = value;
}

function readMetric(decoding: Decoding, end: number, resource: ResourceIdentity): void {
  const start = decoding.at;
  let name: string | null = null;
  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    if (tag === METRIC_NAME) {
      name = readText(decoding, readLength(decoding, end), METRIC_NAME_LIMIT_BYTES);
    } else {
      skipField(decoding, tag, end);
    }
  }
  decoding.at = start;
  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    const shape = KINDS.get(tag);
    if (!shape) {
      skipField(decoding, tag, end);
      continue;
    }
    const sizeBytes = readLength(decoding, end);
    const dataEnd = decoding.at + sizeBytes;
    readData(decoding, dataEnd, { name, resource, shape });
    decoding.at = dataEnd;
  }
}

function readData(
  decoding: Decoding,
  end: number,
  {
    name,
    resource,
    shape,
  }: {
    readonly name: string | null;
    readonly resource: ResourceIdentity;
    readonly shape: { kind: Kind; labels: number; flags: number };
  },
): void {
  const start = decoding.at;
  let temporality = 0;
  let isMonotonic = false;
  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    if (tag === TEMPORALITY || tag === SUM_IS_MONOTONIC) {
      readVarint(decoding, end);
      if (tag === TEMPORALITY) temporality = decoding.high === 0 ? decoding.low : 0;
      else isMonotonic = decoding.low !== 0 || decoding.high !== 0;
    } else {
      skipField(decoding, tag, end);
    }
  }
  decoding.at = start;
  const metric: OtlpMetric | null = name ? { name, temporality, isMonotonic } : null;
  eachMessage(decoding, { end, tag: DATA_POINTS }, (pointEnd) => {
    if (metric === null) countDropped(decoding.dropped, "metric_name");
    else if (decoding.points.length >= POINT_LIMIT) countDropped(decoding.dropped, "metric_limit");
    else {
      const point = readPoint(decoding, pointEnd, shape);
      if (typeof point === "string") countDropped(decoding.dropped, point);
      else decoding.points.push({ metric, resource, ...point });
    }
  });
}

function readPoint(
  decoding: Decoding,
  end: number,
  { kind, labels: labelsTag, flags: flagsTag }: { kind: Kind; labels: number; flags: number },
): Pick<OtlpMetricPoint, "startMs" | "timeMs" | "labels" | "data"> | MetricDropReason {
  const isNumber = kind === "gauge" || kind === "sum";
  const labels: Record<string, string> = Object.create(null);
  const bounds: number[] = [];
  const counts: number[] = [];
  const quantiles: (readonly [number, number])[] = [];
  let labelCount = 0;
  let startMs = 0;
  let timeMs = 0;
  let value = Number.NaN;
  let count = 0;
  let sum: number | null = null;
  let flags = 0;
  let fault: MetricDropReason | null = null;

  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    if (tag === POINT_START_TIME || tag === POINT_TIME) {
      readFixed64(decoding, end);
      const ms = msOfNano(decoding.high, decoding.low);
      if (tag === POINT_TIME) timeMs = ms;
      else startMs = ms;
    } else if (tag === labelsTag) {
      const sizeBytes = readLength(decoding, end);
      const labelEnd = decoding.at + sizeBytes;
      labelCount += 1;
      if (labelCount > LABEL_LIMIT || fault !== null) fault ??= "metric_labels";
      else {
        const { key, value: text } = readKeyValue(decoding, labelEnd);
        if (key === null || text === null) fault = "metric_labels";
        else labels[key] = text;
      }
      decoding.at = labelEnd;
    } else if (tag === flagsTag) {
      readVarint(decoding, end);
      flags = decoding.low;
    } else if (isNumber && tag === NUMBER_AS_DOUBLE) {
      value = readDouble(decoding, end);
    } else if (isNumber && tag === NUMBER_AS_INT) {
      readFixed64(decoding, end);
      value = (decoding.high | 0) * TWO_TO_32 + decoding.low;
    } else if (!isNumber && tag === POINT_COUNT) {
      readFixed64(decoding, end);
      count = decoding.high * TWO_TO_32 + decoding.low;
    } else if (!isNumber && tag === POINT_SUM) {
      sum = readDouble(decoding, end);
    } else if (kind === "histogram" && (tag === HISTOGRAM_COUNTS || tag === HISTOGRAM_COUNT)) {
      const fits = readNumbers(decoding, { end, isPacked: tag === HISTOGRAM_COUNTS }, (next) => {
        readFixed64(decoding, next);
        counts.push(decoding.high * TWO_TO_32 + decoding.low);
        return counts.length;
      });
      if (!fits) fault = "metric_buckets";
    } else if (kind === "histogram" && (tag === HISTOGRAM_BOUNDS || tag === HISTOGRAM_BOUND)) {
      const fits = readNumbers(decoding, { end, isPacked: tag === HISTOGRAM_BOUNDS }, (next) =>
        bounds.push(readDouble(decoding, next)),
      );
      if (!fits) fault = "metric_buckets";
    } else if (kind === "summary" && tag === SUMMARY_QUANTILES) {
      const sizeBytes = readLength(decoding, end);
      const quantileEnd = decoding.at + sizeBytes;
      if (quantiles.length >= BUCKET_LIMIT) fault = "metric_buckets";
      else quantiles.push(readQuantile(decoding, quantileEnd));
      decoding.at = quantileEnd;
    } else {
      skipField(decoding, tag, end);
    }
  }

  if (fault !== null) return fault;
  if ((flags & FLAG_NO_RECORDED_VALUE) !== 0) return "metric_no_value";
  return { startMs, timeMs, labels, data: dataOf() };

  function dataOf(): OtlpPointData {
    switch (kind) {
      case "gauge":
      case "sum":
        return { kind, value };
      case "histogram":
        return { kind, count, sum, bounds, counts };
      case "exponential_histogram":
        return { kind, count, sum };
      case "summary":
        return { kind, count, sum, quantiles };
    }
  }
}

/** @returns false once `BUCKET_LIMIT` is exceeded; the cursor then stands behind the field all the same. */
function readNumbers(
  decoding: Decoding,
  { end, isPacked }: { readonly end: number; readonly isPacked: boolean },
  read: (end: number) => number,
): boolean {
  if (!isPacked) return read(end) <= BUCKET_LIMIT;
  const sizeBytes = readLength(decoding, end);
  const listEnd = decoding.at + sizeBytes;
  const fits = sizeBytes <= BUCKET_LIMIT * 8;
  let kept = 0;
  while (fits && decoding.at < listEnd) kept = read(listEnd);
  decoding.at = listEnd;
  return fits && kept <= BUCKET_LIMIT;
}

function readQuantile(decoding: Decoding, end: number): readonly [number, number] {
  let quantile = 0;
  let value = 0;
  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    if (tag === QUANTILE_QUANTILE) quantile = readDouble(decoding, end);
    else if (tag === QUANTILE_VALUE) value = readDouble(decoding, end);
    else skipField(decoding, tag, end);
  }
  return [quantile, value];
}

/** Either is `null` when it is too long, or no text, number or boolean. */
function readKeyValue(
  decoding: Decoding,
  end: number,
): { readonly key: string | null; readonly value: string | null } {
  let key: string | null = "";
  let value: string | null = null;
  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    if (tag === KEY_VALUE_KEY) {
      key = readText(decoding, readLength(decoding, end), LABEL_KEY_LIMIT_BYTES);
    } else if (tag === KEY_VALUE_VALUE) {
      const sizeBytes = readLength(decoding, end);
      value = readValue(decoding, decoding.at + sizeBytes);
    } else {
      skipField(decoding, tag, end);
    }
  }
  return { key, value };
}

function readValue(decoding: Decoding, end: number): string | null {
  let value: string | null = null;
  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    switch (tag) {
      case VALUE_STRING:
        value = readText(decoding, readLength(decoding, end), LABEL_VALUE_LIMIT_BYTES);
        break;
      case VALUE_BOOL:
        readVarint(decoding, end);
        value = String(decoding.low !== 0 || decoding.high !== 0);
        break;
      case VALUE_INT:
        readVarint(decoding, end);
        value = String((decoding.high | 0) * TWO_TO_32 + decoding.low);
        break;
      case VALUE_DOUBLE:
        value = String(readDouble(decoding, end));
        break;
      default:
        value = null;
        skipField(decoding, tag, end);
    }
  }
  return value;
}

const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

const texts = newTextTable();

/** Reads the next bytes as text and moves past them; `null` when they are too many. */
function readText(decoding: Decoding, sizeBytes: number, limitBytes: number): string | null {
  const { body, view, at: start } = decoding;
  decoding.at = start + sizeBytes;
  if (sizeBytes > limitBytes) return null;
  if (sizeBytes > TEXT_BYTES_MAX) return UTF8.decode(body.subarray(start, start + sizeBytes));
  const slot = slotOf(view, start, sizeBytes);
  if (holds(texts, slot, view, start, sizeBytes)) return texts.texts[slot] ?? "";
  const text = UTF8.decode(body.subarray(start, start + sizeBytes));
  remember(texts, slot, view, start, sizeBytes, text);
  return text;
}

/** 2^32 ns are 4294 ms and 967296 ns; no term below exceeds 2^53. */
function msOfNano(high: number, low: number): number {
  const nano = high * 967_296 + low;
  const restNano = nano % 1e6;
  return high * 4294 + (nano - restNano) / 1e6 + restNano / 1e6;
}

const HINT =
  "Send an ExportMetricsServiceRequest whole and unchanged, as an OTLP/HTTP exporter with the protocol http/protobuf does.";

/** The reader of the wire format says what is wrong; what was expected is said here. */
function withHint(error: MonitorError): MonitorError {
  return new MonitorError(error.code, error.message, { hint: HINT });
}

function otherFormat(what: string, header: string): MonitorError {
  return new MonitorError(
    "TELEMETRY_INVALID",
    `cannot decode the OTLP protobuf body: it is ${what}, from byte 0`,
    { hint: `Send it with the header "${header}".` },
  );
}
