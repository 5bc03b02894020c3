/**
 * Decodes an OTLP trace request from JSON into the same spans as
 * `decode-protobuf.ts`. Takes what real clients write: camelCase or snake_case
 * names, hex ids in either case, 64-bit numbers as text or number, enums as
 * number or name. Errors say where they were found and never quote the body.
 *
 * Source: OTLP specification, JSON Protobuf Encoding.
 */
import { MonitorError } from "../../monitor-error.ts";
import type { AttributeKeys } from "./attribute-keys.ts";
import {
  type Attributes,
  type AttributeValue,
  countDropped,
  type DecodedTraces,
  EXCEPTION_LIMIT,
  isParentRemote,
  isValidTime,
  NESTED_VALUE_LIMIT,
  type OtlpException,
  type OtlpSpan,
  type SpanReader,
  TEXT_LIMIT_BYTES,
  VALUE_DEPTH_LIMIT,
} from "./otlp-span.ts";

/**
 * @throws MonitorError `TELEMETRY_INVALID` when the text is no JSON or has
 * another structure. A fault of one span only drops that span.
 */
export function decodeTracesJson<T>(text: string, reader: SpanReader<T>): DecodedTraces<T> {
  return decodeTracesObject(parse(text), reader);
}

/**
 * The same for what is parsed already.
 *
 * @throws MonitorError `TELEMETRY_INVALID` when it has another structure.
 */
export function decodeTracesObject<T>(
  request: unknown,
  { keys, read }: SpanReader<T>,
): DecodedTraces<T> {
  const spans: T[] = [];
  const decoding: Decoding = {
    keys,
    place: { resource: -1, scope: -1, span: -1 },
    nestedLeft: 0,
    take: (span) => spans.push(read(span)),
    dropped: new Map(),
  };
  if (!isObject(request))
    throw invalid(decoding, `the body must be an object, not ${kindOf(request)}`);
  for (const item of listIn(decoding, request, "resourceSpans", "resource_spans")) {
    decoding.place.resource += 1;
    readResourceSpans(decoding, objectOf(decoding, item, "an entry of resourceSpans"));
  }
  return { spans, dropped: decoding.dropped };
}

type JsonObject = { readonly [key: string]: unknown };

type Decoding = {
  readonly keys: AttributeKeys;
  /** Indexes of what is being read, for messages; -1 outside. */
  readonly place: { resource: number; scope: number; span: number };
  /** How many more values the attribute being read may hold. */
  nestedLeft: number;
  readonly take: (span: OtlpSpan) => void;
  readonly dropped: Map<string, number>;
};

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The error of JSON.parse quotes the body, so it is not even the cause.
    throw new MonitorError(
      "TELEMETRY_INVALID",
      `cannot decode the OTLP JSON body: its ${text.length} characters are not valid JSON`,
      {
        hint: 'Send an ExportTraceServiceRequest whole, as OTLP JSON; protobuf needs the header "content-type: application/x-protobuf".',
      },
    );
  }
}

function readResourceSpans(decoding: Decoding, resourceSpans: JsonObject): void {
  const described = objectIn(decoding, resourceSpans, "resource", "resource");
  const resource = readAttributes(decoding, described ?? {});

  for (const item of listIn(decoding, resourceSpans, "scopeSpans", "scope_spans")) {
    decoding.place.scope += 1;
    const scopeSpans = objectOf(decoding, item, "an entry of scopeSpans");
    for (const span of listIn(decoding, scopeSpans, "spans", "spans")) {
      decoding.place.span += 1;
      readSpan(decoding, objectOf(decoding, span, "a span"), resource);
    }
    decoding.place.span = -1;
  }
  decoding.place.scope = -1;
}

function readSpan(decoding: Decoding, span: JsonObject, resource: Attributes): void {
  const attributes = readAttributes(decoding, span);
  const exceptions = readExceptions(decoding, span);
  const name = textIn(decoding, span, "name", "name");
  const status = objectIn(decoding, span, "status", "status");
  const statusMessage = status === null ? "" : textIn(decoding, status, "message", "message");

  const traceId = hexId(fieldOf(span, "traceId", "trace_id"), 32);
  if (traceId === null) {
    countDropped(decoding.dropped, "invalid_trace_id");
    return;
  }
  const spanId = hexId(fieldOf(span, "spanId", "span_id"), 16);
  const parent = fieldOf(span, "parentSpanId", "parent_span_id") ?? "";
  const isRoot = parent === "" || parent === "0000000000000000";
  const parentSpanId = isRoot ? null : hexId(parent, 16);
  if (spanId === null || (parentSpanId === null && !isRoot)) {
    countDropped(decoding.dropped, "invalid_span_id");
    return;
  }
  const startMs = msOfNano(fieldOf(span, "startTimeUnixNano", "start_time_unix_nano"));
  const endMs = msOfNano(fieldOf(span, "endTimeUnixNano", "end_time_unix_nano"));
  if (!isValidTime(startMs, endMs)) {
    countDropped(decoding.dropped, "invalid_time");
    return;
  }
  decoding.take({
    traceId,
    spanId,
    parentSpanId,
    parentIsRemote: !isRoot && isParentRemote(Number(fieldOf(span, "flags", "flags") ?? 0)),
    name,
    kind: enumOf(fieldOf(span, "kind", "kind"), SPAN_KINDS),
    startMs,
    endMs,
    attributes,
    statusCode: enumOf(status === null ? 0 : fieldOf(status, "code", "code"), STATUS_CODES),
    statusMessage,
    exceptions,
    resource,
  });
}

const SPAN_KINDS: readonly unknown[] = [
  "SPAN_KIND_UNSPECIFIED",
  "SPAN_KIND_INTERNAL",
  "SPAN_KIND_SERVER",
  "SPAN_KIND_CLIENT",
  "SPAN_KIND_PRODUCER",
  "SPAN_KIND_CONSUMER",
];

const STATUS_CODES: readonly unknown[] = [
  "STATUS_CODE_UNSET",
  "STATUS_CODE_OK",
  "STATUS_CODE_ERROR",
];

/** The number of an enum value given by number or name; 0 for anything else, as for a new value. */
function enumOf(value: unknown, names: readonly unknown[]): number {
  if (typeof value === "number") return names[value] === undefined ? 0 : value;
  return Math.max(0, names.indexOf(value));
}

/** In lower case; `null` when it is not `digits` long or all zero. */
function hexId(value: unknown, digits: 16 | 32): string | null {
  if (typeof value !== "string" || value.length !== digits) return null;
  if (!/^[0-9a-fA-F]+$/.test(value) || /^0+$/.test(value)) return null;
  return value.toLowerCase();
}

/**
 * NaN when it is no time. Text is split in two, since nanoseconds exceed 2^53;
 * a JSON number above that has lost at most 256 ns before we see it.
 */
function msOfNano(value: unknown): number {
  if (typeof value === "number") return value / 1e6;
  if (typeof value !== "string" || !/^[0-9]{1,20}$/.test(value)) return Number.NaN;
  return Number(value.slice(0, -6)) + Number(value.slice(-6)) / 1e6;
}

function readAttributes(decoding: Decoding, owner: JsonObject): Attributes {
  const { places } = decoding.keys;
  const attributes = new Array<AttributeValue | undefined>(places.size).fill(undefined);
  for (const item of listIn(decoding, owner, "attributes", "attributes")) {
    const attribute = objectOf(decoding, item, "an attribute");
    const place = places.get(stringIn(decoding, attribute, "key", "key"));
    if (place === undefined) continue;
    decoding.nestedLeft = NESTED_VALUE_LIMIT;
    attributes[place] = valueIn(decoding, attribute, 1);
  }
  return attributes;
}

/** The value beside a key. */
function valueIn(decoding: Decoding, keyValue: JsonObject, depth: number): AttributeValue {
  const value = objectIn(decoding, keyValue, "value", "value");
  return value === null ? checkDepth(decoding, depth) : readValue(decoding, value, depth);
}

function readValue(decoding: Decoding, value: JsonObject, depth: number): AttributeValue {
  checkDepth(decoding, depth);
  const string = fieldOf(value, "stringValue", "string_value");
  if (string !== undefined && string !== null) {
    return textIn(decoding, value, "stringValue", "string_value");
  }
  const int = fieldOf(value, "intValue", "int_value");
  if (int !== undefined && int !== null) return intOf(decoding, int);
  const bool = fieldOf(value, "boolValue", "bool_value");
  if (bool !== undefined && bool !== null) {
    if (typeof bool === "boolean") return bool;
    throw invalid(decoding, `boolValue must be true or false, not ${kindOf(bool)}`);
  }
  const double = fieldOf(value, "doubleValue", "double_value");
  if (double !== undefined && double !== null) return doubleOf(decoding, double);
  const array = objectIn(decoding, value, "arrayValue", "array_value");
  if (array !== null) return readArray(decoding, array, depth);
  const kvlist = objectIn(decoding, value, "kvlistValue", "kvlist_value");
  if (kvlist !== null) return readKvlist(decoding, kvlist, depth);
  return null;
}

function checkDepth(decoding: Decoding, depth: number): null {
  if (depth <= VALUE_DEPTH_LIMIT) return null;
  throw invalid(decoding, `a value nests deeper than ${VALUE_DEPTH_LIMIT}`);
}

function readArray(decoding: Decoding, array: JsonObject, depth: number): AttributeValue {
  const values: AttributeValue[] = [];
  for (const item of listIn(decoding, array, "values", "values")) {
    const value = objectOf(decoding, item, "an entry of arrayValue");
    if (takeNested(decoding)) values.push(readValue(decoding, value, depth + 1));
  }
  return values;
}

function readKvlist(decoding: Decoding, kvlist: JsonObject, depth: number): AttributeValue {
  const values: Record<string, AttributeValue> = Object.create(null);
  for (const item of listIn(decoding, kvlist, "values", "values")) {
    const entry = objectOf(decoding, item, "an entry of kvlistValue");
    if (!takeNested(decoding)) continue;
    const key = textIn(decoding, entry, "key", "key");
    values[key] = valueIn(decoding, entry, depth + 1);
  }
  return values;
}

function takeNested(decoding: Decoding): boolean {
  if (decoding.nestedLeft === 0) {
    countDropped(decoding.dropped, "value_limit");
    return false;
  }
  decoding.nestedLeft -= 1;
  return true;
}

function intOf(decoding: Decoding, value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value)) return value;
  if (typeof value === "string" && /^-?[0-9]{1,20}$/.test(value)) return Number(value);
  throw invalid(
    decoding,
    `intValue must be a whole number, as number or text, not ${kindOf(value)}`,
  );
}

function doubleOf(decoding: Decoding, value: unknown): number {
  if (typeof value === "number") return value;
  if (value === "NaN" || value === "Infinity" || value === "-Infinity") return Number(value);
  throw invalid(decoding, `doubleValue must be a number, not ${kindOf(value)}`);
}

const NO_EXCEPTIONS: readonly OtlpException[] = Object.freeze([]);

function readExceptions(decoding: Decoding, span: JsonObject): readonly OtlpException[] {
  let exceptions: OtlpException[] | null = null;
  for (const item of listIn(decoding, span, "events", "events")) {
    const event = objectOf(decoding, item, "an event");
    if (fieldOf(event, "name", "name") !== "exception") continue;
    const exception = readException(decoding, event);
    exceptions ??= [];
    if (exceptions.length < EXCEPTION_LIMIT) exceptions.push(exception);
    else countDropped(decoding.dropped, "exception_limit");
  }
  return exceptions ?? NO_EXCEPTIONS;
}

function readException(decoding: Decoding, event: JsonObject): OtlpException {
  let type = "";
  let message = "";
  for (const item of listIn(decoding, event, "attributes", "attributes")) {
    const attribute = objectOf(decoding, item, "an attribute");
    const key = fieldOf(attribute, "key", "key");
    if (key !== "exception.type" && key !== "exception.message") continue;
    const value = objectIn(decoding, attribute, "value", "value");
    const text = value === null ? "" : textIn(decoding, value, "stringValue", "string_value");
    if (key === "exception.type") type = text;
    else message = text;
  }
  return { type, message };
}

function fieldOf(object: JsonObject, camelCase: string, snakeCase: string): unknown {
  return object[camelCase] ?? object[snakeCase];
}

/** Absent and `null` are the empty list, as in protobuf. */
function listIn(
  decoding: Decoding,
  object: JsonObject,
  camelCase: string,
  snakeCase: string,
): readonly unknown[] {
  const value = fieldOf(object, camelCase, snakeCase);
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value))
    throw invalid(decoding, `${camelCase} must be an array, not ${kindOf(value)}`);
  return value;
}

function objectIn(
  decoding: Decoding,
  object: JsonObject,
  camelCase: string,
  snakeCase: string,
): JsonObject | null {
  const value = fieldOf(object, camelCase, snakeCase);
  return value === undefined || value === null ? null : objectOf(decoding, value, camelCase);
}

function objectOf(decoding: Decoding, value: unknown, what: string): JsonObject {
  if (isObject(value)) return value;
  throw invalid(decoding, `${what} must be an object, not ${kindOf(value)}`);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function stringIn(
  decoding: Decoding,
  object: JsonObject,
  camelCase: string,
  snakeCase: string,
): string {
  const value = fieldOf(object, camelCase, snakeCase) ?? "";
  if (typeof value === "string") return value;
  throw invalid(decoding, `${camelCase} must be text, not ${kindOf(value)}`);
}

/** As `stringIn`, cut at `TEXT_LIMIT_BYTES`. */
function textIn(
  decoding: Decoding,
  object: JsonObject,
  camelCase: string,
  snakeCase: string,
): string {
  return cut(stringIn(decoding, object, camelCase, snakeCase));
}

const UTF8_ENCODER = new TextEncoder();
const UTF8_DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** A UTF-16 unit takes at most this many bytes in UTF-8. */
const UTF8_BYTES_MAX = 3;

function cut(text: string): string {
  if (text.length * UTF8_BYTES_MAX <= TEXT_LIMIT_BYTES) return text;
  const kept = new Uint8Array(TEXT_LIMIT_BYTES);
  const { read, written } = UTF8_ENCODER.encodeInto(text, kept);
  // A slice would keep the whole text in memory for as long as its part lives.
  return read === text.length ? text : UTF8_DECODER.decode(kept.subarray(0, written));
}

/** What a value is, said without showing it. */
function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function invalid(decoding: Decoding, what: string): MonitorError {
  const { resource, scope, span } = decoding.place;
  let place = "";
  if (resource >= 0) place = ` in resourceSpans[${resource}]`;
  if (scope >= 0) place += `.scopeSpans[${scope}]`;
  if (span >= 0) place += `.spans[${span}]`;
  return new MonitorError(
    "TELEMETRY_INVALID",
    `cannot decode the OTLP JSON body: ${what}${place}`,
    {
      hint: "Send an ExportTraceServiceRequest as OTLP JSON, as an OTLP/HTTP exporter with the protocol http/json does.",
    },
  );
}
