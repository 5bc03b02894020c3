/**
 * The messages of OTLP's trace and metrics requests as a table: what each field is called in
 * JSON, its number, and how it is written. For those who pass a request on; decoders read what
 * they need by themselves.
 *
 * Source: opentelemetry-proto 1.x, collector, trace, metrics, resource and common.
 */
export type Scalar =
  | "string"
  | "bytes"
  /** Bytes that JSON has as hex digits. */
  | "id"
  /** Whole numbers as varints: `bool`, `int64`, `uint32`, enums. */
  | "varint"
  /** Whole numbers as zigzag varints: `sint32`. */
  | "zigzag"
  | "fixed64"
  | "fixed32"
  | "double";

export type Field = {
  readonly number: number;
  readonly json: string;
  readonly repeated: boolean;
  readonly type: Scalar | Message;
};

export type Message = {
  readonly name: string;
  /** The number of the field that counts attributes which were left out; `null` without one. */
  readonly leftOutField: number | null;
  /** Asked for when it is used, since a value may hold values. */
  readonly fields: () => ReadonlyMap<number, Field>;
  readonly byName: () => ReadonlyMap<string, Field>;
};

function message(name: string, ...fields: (() => Field)[]): Message {
  let byNumber: ReadonlyMap<number, Field> | null = null;
  let byName: ReadonlyMap<string, Field> | null = null;
  let leftOut: number | null | undefined;
  const all = () => {
    byNumber ??= new Map(fields.map((make) => make()).map((field) => [field.number, field]));
    return byNumber;
  };
  return {
    name,
    get leftOutField() {
      if (leftOut === undefined) {
        const fields = [...all().values()];
        leftOut = fields.find(({ json }) => json === "droppedAttributesCount")?.number ?? null;
      }
      return leftOut;
    },
    fields: all,
    byName() {
      byName ??= new Map(
        [...all().values()].flatMap((field): [string, Field][] => [
          [field.json, field],
          [field.json.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), field],
        ]),
      );
      return byName;
    },
  };
}

type TypeOf = Scalar | (() => Message);
const typed = (type: TypeOf) => (typeof type === "function" ? type() : type);

function one(number: number, json: string, type: TypeOf): () => Field {
  return () => ({ number, json, repeated: false, type: typed(type) });
}

function many(number: number, json: string, type: TypeOf): () => Field {
  return () => ({ number, json, repeated: true, type: typed(type) });
}

export const anyValue: Message = message(
  "AnyValue",
  one(1, "stringValue", "string"),
  one(2, "boolValue", "varint"),
  one(3, "intValue", "varint"),
  one(4, "doubleValue", "double"),
  one(5, "arrayValue", () => arrayValue),
  one(6, "kvlistValue", () => keyValueList),
  one(7, "bytesValue", "bytes"),
);
const arrayValue = message(
  "ArrayValue",
  many(1, "values", () => anyValue),
);
const keyValueList: Message = message(
  "KeyValueList",
  many(1, "values", () => keyValue),
);
export const keyValue: Message = message(
  "KeyValue",
  one(1, "key", "string"),
  one(2, "value", () => anyValue),
);

const keyValues = (number: number, json = "attributes") => many(number, json, () => keyValue);
const droppedAttributes = (number: number) => one(number, "droppedAttributesCount", "varint");
const startTime = one(2, "startTimeUnixNano", "fixed64");
const time = one(3, "timeUnixNano", "fixed64");

const resource = message("Resource", keyValues(1), droppedAttributes(2));
const scope = message(
  "InstrumentationScope",
  one(1, "name", "string"),
  one(2, "version", "string"),
  keyValues(3),
  droppedAttributes(4),
);

// ─── Traces ───────────────────────────────────────────────────────────────────

export const event = message(
  "Event",
  one(1, "timeUnixNano", "fixed64"),
  one(2, "name", "string"),
  keyValues(3),
  droppedAttributes(4),
);
const link = message(
  "Link",
  one(1, "traceId", "id"),
  one(2, "spanId", "id"),
  one(3, "traceState", "string"),
  keyValues(4),
  droppedAttributes(5),
  one(6, "flags", "fixed32"),
);
export const status = message("Status", one(2, "message", "string"), one(3, "code", "varint"));
export const span = message(
  "Span",
  one(1, "traceId", "id"),
  one(2, "spanId", "id"),
  one(3, "traceState", "string"),
  one(4, "parentSpanId", "id"),
  one(5, "name", "string"),
  one(6, "kind", "varint"),
  one(7, "startTimeUnixNano", "fixed64"),
  one(8, "endTimeUnixNano", "fixed64"),
  keyValues(9),
  droppedAttributes(10),
  many(11, "events", () => event),
  one(12, "droppedEventsCount", "varint"),
  many(13, "links", () => link),
  one(14, "droppedLinksCount", "varint"),
  one(15, "status", () => status),
  one(16, "flags", "fixed32"),
);
const scopeSpans = message(
  "ScopeSpans",
  one(1, "scope", () => scope),
  many(2, "spans", () => span),
  one(3, "schemaUrl", "string"),
);
const resourceSpans = message(
  "ResourceSpans",
  one(1, "resource", () => resource),
  many(2, "scopeSpans", () => scopeSpans),
  one(3, "schemaUrl", "string"),
);
export const traceRequest = message(
  "ExportTraceServiceRequest",
  many(1, "resourceSpans", () => resourceSpans),
);

// ─── Metrics ──────────────────────────────────────────────────────────────────

const exemplar = message(
  "Exemplar",
  one(2, "timeUnixNano", "fixed64"),
  one(3, "asDouble", "double"),
  one(4, "spanId", "id"),
  one(5, "traceId", "id"),
  one(6, "asInt", "fixed64"),
  keyValues(7, "filteredAttributes"),
);
const numberPoint = message(
  "NumberDataPoint",
  startTime,
  time,
  one(4, "asDouble", "double"),
  many(5, "exemplars", () => exemplar),
  one(6, "asInt", "fixed64"),
  keyValues(7),
  one(8, "flags", "varint"),
);
const histogramPoint = message(
  "HistogramDataPoint",
  startTime,
  time,
  one(4, "count", "fixed64"),
  one(5, "sum", "double"),
  many(6, "bucketCounts", "fixed64"),
  many(7, "explicitBounds", "double"),
  many(8, "exemplars", () => exemplar),
  keyValues(9),
  one(10, "flags", "varint"),
  one(11, "min", "double"),
  one(12, "max", "double"),
);
const buckets = message("Buckets", one(1, "offset", "zigzag"), many(2, "bucketCounts", "varint"));
const exponentialPoint = message(
  "ExponentialHistogramDataPoint",
  keyValues(1),
  startTime,
  time,
  one(4, "count", "fixed64"),
  one(5, "sum", "double"),
  one(6, "scale", "zigzag"),
  one(7, "zeroCount", "fixed64"),
  one(8, "positive", () => buckets),
  one(9, "negative", () => buckets),
  one(10, "flags", "varint"),
  many(11, "exemplars", () => exemplar),
  one(12, "min", "double"),
  one(13, "max", "double"),
  one(14, "zeroThreshold", "double"),
);
const valueAtQuantile = message(
  "ValueAtQuantile",
  one(1, "quantile", "double"),
  one(2, "value", "double"),
);
const summaryPoint = message(
  "SummaryDataPoint",
  startTime,
  time,
  one(4, "count", "fixed64"),
  one(5, "sum", "double"),
  many(6, "quantileValues", () => valueAtQuantile),
  keyValues(7),
  one(8, "flags", "varint"),
);
const temporality = one(2, "aggregationTemporality", "varint");
const gauge = message(
  "Gauge",
  many(1, "dataPoints", () => numberPoint),
);
const sum = message(
  "Sum",
  many(1, "dataPoints", () => numberPoint),
  temporality,
  one(3, "isMonotonic", "varint"),
);
const histogram = message(
  "Histogram",
  many(1, "dataPoints", () => histogramPoint),
  temporality,
);
const exponentialHistogram = message(
  "ExponentialHistogram",
  many(1, "dataPoints", () => exponentialPoint),
  temporality,
);
const summary = message(
  "Summary",
  many(1, "dataPoints", () => summaryPoint),
);
const metric = message(
  "Metric",
  one(1, "name", "string"),
  one(2, "description", "string"),
  one(3, "unit", "string"),
  one(5, "gauge", () => gauge),
  one(7, "sum", () => sum),
  one(9, "histogram", () => histogram),
  one(10, "exponentialHistogram", () => exponentialHistogram),
  one(11, "summary", () => summary),
  keyValues(12, "metadata"),
);
const scopeMetrics = message(
  "ScopeMetrics",
  one(1, "scope", () => scope),
  many(2, "metrics", () => metric),
  one(3, "schemaUrl", "string"),
);
const resourceMetrics = message(
  "ResourceMetrics",
  one(1, "resource", () => resource),
  many(2, "scopeMetrics", () => scopeMetrics),
  one(3, "schemaUrl", "string"),
);
export const metricsRequest = message(
  "ExportMetricsServiceRequest",
  many(1, "resourceMetrics", () => resourceMetrics),
);

/** What is counted of a request: spans, or data points. */
export const counted: ReadonlySet<Message> = new Set([
  span,
  numberPoint,
  histogramPoint,
  exponentialPoint,
  summaryPoint,
]);
