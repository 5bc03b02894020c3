/**
 * Decodes an OTLP metrics request from JSON into the same data points as
 * `decode-metrics-protobuf.ts`. Takes camelCase or snake_case names, 64-bit
 * numbers as text or number, enums as number or name. Errors say where they were
 * found and never quote the body.
 *
 * Source: OTLP specification, JSON Protobuf Encoding.
 */
import { MonitorError } from "../../monitor-error.ts";
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

/** @throws MonitorError `TELEMETRY_INVALID` when the text is no JSON or has another structure. */
export function decodeMetricsJson(text: string): DecodedMetrics {
  const decoding: Decoding = { place: "", points: [], dropped: new Map() };
  const request = parse(text);
  for (const [index, resourceMetrics] of objectsIn(
    decoding,
    request,
    "resourceMetrics",
  ).entries()) {
    decoding.place = ` in resourceMetrics[${index}]`;
    readResourceMetrics(decoding, resourceMetrics);
  }
  return { points: decoding.points, dropped: decoding.dropped };
}

type JsonObject = { readonly [key: string]: unknown };

type Decoding = {
  /** Of what is being read, for messages. */
  place: string;
  readonly points: OtlpMetricPoint[];
  readonly dropped: Map<string, number>;
};

function parse(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // The error of JSON.parse quotes the body, so it is not even the cause.
  }
  throw invalid(`its ${text.length} characters are not a JSON object`);
}

function readResourceMetrics(decoding: Decoding, resourceMetrics: JsonObject): void {
  const resource = identityOf(decoding, objectIn(decoding, resourceMetrics, "resource"));
  for (const scope of objectsIn(decoding, resourceMetrics, "scopeMetrics")) {
    for (const metric of objectsIn(decoding, scope, "metrics"))
      readMetric(decoding, metric, resource);
  }
}

function identityOf(decoding: Decoding, resource: JsonObject | null): ResourceIdentity {
  const identity = { endpoint: null, service: null, instance: null } as {
    -readonly [Key in keyof ResourceIdentity]: string | null;
  };
  for (const attribute of resource ? objectsIn(decoding, resource, "attributes") : []) {
    const { key } = attribute;
    if (typeof key !== "string" || !Object.hasOwn(RESOURCE_KEYS, key)) continue;
    identity[RESOURCE_KEYS[key as keyof typeof RESOURCE_KEYS]] = labelValue(decoding, attribute);
  }
  return identity;
}

const DATA = {
  gauge: "gauge",
  sum: "sum",
  histogram: "histogram",
  exponentialHistogram: "exponential_histogram",
  summary: "summary",
} as const;

function readMetric(decoding: Decoding, metric: JsonObject, resource: ResourceIdentity): void {
  const told = fieldOf(metric, "name") ?? "";
  if (typeof told !== "string") throw misfit(decoding, "name", "text", told);
  const name = told !== "" && isShort(told, METRIC_NAME_LIMIT_BYTES) ? told : null;

  for (const [field, kind] of Object.entries(DATA)) {
    const data = objectIn(decoding, metric, field);
    if (data === null) continue;
    const described: OtlpMetric | null =
      name === null
        ? null
        : {
            name,
            temporality: temporalityOf(fieldOf(data, "aggregationTemporality")),
            isMonotonic: fieldOf(data, "isMonotonic") === true,
          };
    for (const point of objectsIn(decoding, data, "dataPoints")) {
      if (described === null) countDropped(decoding.dropped, "metric_name");
      else if (decoding.points.length >= POINT_LIMIT)
        countDropped(decoding.dropped, "metric_limit");
      else {
        const read = readPoint(decoding, point, kind);
        if (typeof read === "string") countDropped(decoding.dropped, read);
        else decoding.points.push({ metric: described, resource, ...read });
      }
    }
  }
}

const TEMPORALITIES: readonly unknown[] = [
  "AGGREGATION_TEMPORALITY_UNSPECIFIED",
  "AGGREGATION_TEMPORALITY_DELTA",
  "AGGREGATION_TEMPORALITY_CUMULATIVE",
];

function temporalityOf(value: unknown): number {
  return typeof value === "number" ? value : Math.max(0, TEMPORALITIES.indexOf(value));
}

function readPoint(
  decoding: Decoding,
  point: JsonObject,
  kind: OtlpPointData["kind"],
): Pick<OtlpMetricPoint, "startMs" | "timeMs" | "labels" | "data"> | MetricDropReason {
  const data = dataOf(decoding, point, kind);
  const labels = labelsOf(decoding, point);
  if (labels === null) return "metric_labels";
  if (data === null) return "metric_buckets";
  const flags = fieldOf(point, "flags");
  if (typeof flags === "number" && (flags & FLAG_NO_RECORDED_VALUE) !== 0) return "metric_no_value";
  return {
    startMs: msOfNano(fieldOf(point, "startTimeUnixNano")),
    timeMs: msOfNano(fieldOf(point, "timeUnixNano")),
    labels,
    data,
  };
}

/** `null` when it holds too much. */
function dataOf(
  decoding: Decoding,
  point: JsonObject,
  kind: OtlpPointData["kind"],
): OtlpPointData | null {
  switch (kind) {
    case "gauge":
    case "sum": {
      const double = fieldOf(point, "asDouble");
      const value = double ?? fieldOf(point, "asInt");
      const number = value === undefined || value === null ? Number.NaN : value;
      return { kind, value: numberOf(decoding, number, double == null ? "asInt" : "asDouble") };
    }
    case "histogram": {
      const bounds = numbersIn(decoding, point, "explicitBounds");
      const counts = numbersIn(decoding, point, "bucketCounts");
      return bounds && counts && { kind, ...countAndSum(decoding, point), bounds, counts };
    }
    case "exponential_histogram":
      return { kind, ...countAndSum(decoding, point) };
    case "summary": {
      const quantiles = objectsIn(decoding, point, "quantileValues");
      if (quantiles.length > BUCKET_LIMIT) return null;
      return {
        kind,
        ...countAndSum(decoding, point),
        quantiles: quantiles.map((told) => [
          numberOf(decoding, fieldOf(told, "quantile") ?? 0, "quantile"),
          numberOf(decoding, fieldOf(told, "value") ?? 0, "value"),
        ]),
      };
    }
  }
}

function countAndSum(decoding: Decoding, point: JsonObject) {
  const sum = fieldOf(point, "sum") ?? null;
  return {
    count: numberOf(decoding, fieldOf(point, "count") ?? 0, "count"),
    sum: sum === null ? null : numberOf(decoding, sum, "sum"),
  };
}

function numbersIn(decoding: Decoding, point: JsonObject, field: string): number[] | null {
  const list = listIn(decoding, point, field);
  return list.length > BUCKET_LIMIT ? null : list.map((item) => numberOf(decoding, item, field));
}

function numberOf(decoding: Decoding, value: unknown, field: string): number {
  if (typeof value === "number") return value;
  if (typeof value === "string" && /^(?:-?[0-9]{1,20}|NaN|-?Infinity)$/.test(value)) {
    return Number(value);
  }
  throw misfit(decoding, field, "a number", value);
}

/**
 * NaN when it is no time. Text is split in two, since nanoseconds exceed 2^53;
 * a JSON number above that has lost at most 256 ns before we see it.
 */
function msOfNano(value: unknown): number {
  if (value === undefined || value === null) return 0;
  if (typeof value === "number") return value / 1e6;
  if (typeof value !== "string" || !/^[0-9]{1,20}$/.test(value)) return Number.NaN;
  return Number(value.slice(0, -6)) + Number(value.slice(-6)) / 1e6;
}

/** `null` when one can't be kept. */
function labelsOf(decoding: Decoding, point: JsonObject): Record<string, string> | null {
  const attributes = objectsIn(decoding, point, "attributes");
  if (attributes.length > LABEL_LIMIT) return null;
  const labels: Record<string, string> = Object.create(null);
  for (const attribute of attributes) {
    const key = fieldOf(attribute, "key") ?? "";
    if (typeof key !== "string") throw misfit(decoding, "key", "text", key);
    const value = labelValue(decoding, attribute);
    if (value === null || !isShort(key, LABEL_KEY_LIMIT_BYTES)) return null;
    labels[key] = value;
  }
  return labels;
}

/** `null` when it is too long, or no text, number or boolean. */
function labelValue(decoding: Decoding, attribute: JsonObject): string | null {
  const value = objectIn(decoding, attribute, "value");
  if (value === null) return null;
  const text = fieldOf(value, "stringValue");
  if (typeof text === "string") return isShort(text, LABEL_VALUE_LIMIT_BYTES) ? text : null;
  const bool = fieldOf(value, "boolValue");
  if (typeof bool === "boolean") return String(bool);
  const number = fieldOf(value, "intValue") ?? fieldOf(value, "doubleValue") ?? null;
  return number === null ? null : String(numberOf(decoding, number, "value"));
}

const UTF8 = new TextEncoder();
/** A UTF-16 unit takes at most this many bytes in UTF-8. */
const UTF8_BYTES_MAX = 3;

function isShort(text: string, limitBytes: number): boolean {
  if (text.length * UTF8_BYTES_MAX <= limitBytes) return true;
  return text.length <= limitBytes && UTF8.encode(text).length <= limitBytes;
}

function fieldOf(object: JsonObject, camelCase: string): unknown {
  return (
    object[camelCase] ?? object[camelCase.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)]
  );
}

/** Absent and `null` are the empty list, as in protobuf. */
function listIn(decoding: Decoding, object: JsonObject, field: string): readonly unknown[] {
  const value = fieldOf(object, field) ?? [];
  if (!Array.isArray(value)) throw misfit(decoding, field, "an array", value);
  return value;
}

function objectsIn(decoding: Decoding, object: JsonObject, field: string): readonly JsonObject[] {
  const list = listIn(decoding, object, field);
  for (const item of list) {
    if (!isObject(item)) throw misfit(decoding, `an entry of ${field}`, "an object", item);
  }
  // Every entry has just been looked at.
  return list as readonly JsonObject[];
}

function objectIn(decoding: Decoding, object: JsonObject, field: string): JsonObject | null {
  const value = fieldOf(object, field) ?? null;
  if (value === null || isObject(value)) return value;
  throw misfit(decoding, field, "an object", value);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Says what a value is without showing it. */
function misfit({ place }: Decoding, field: string, wanted: string, value: unknown): MonitorError {
  const kind =
    value === null ? "null" : Array.isArray(value) ? "an array" : `of type ${typeof value}`;
  return invalid(`${field} must be ${wanted}, but is ${kind}${place}`);
}

function invalid(what: string): MonitorError {
  return new MonitorError("TELEMETRY_INVALID", `cannot decode the OTLP JSON body: ${what}`, {
    hint: 'Send an ExportMetricsServiceRequest as OTLP JSON, as an OTLP/HTTP exporter with the protocol http/json does; protobuf needs the header "content-type: application/x-protobuf".',
  });
}
