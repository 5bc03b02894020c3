/**
 * Decodes an OTLP trace request from protobuf. Lazy: an attribute nobody wants
 * is stepped over without its value being read, so prompts and answers never
 * become strings. Bounded: every length is checked before it is used.
 *
 * Source: opentelemetry-proto, collector/trace/v1 and trace/v1.
 */
import { MonitorError } from "../../monitor-error.ts";
import { holds, newTextTable, remember, slotOf, TEXT_BYTES_MAX } from "../../signals/text-table.ts";
import { type AttributeKeys, placeOf } from "./attribute-keys.ts";
import {
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
import {
  byteAt,
  type Cursor,
  damaged,
  FIXED32,
  FIXED64,
  LENGTH,
  readDouble,
  readFixed32,
  readFixed64,
  readLength,
  readTag,
  readVarint,
  skipField,
  TWO_TO_32,
  VARINT,
} from "./protobuf-cursor.ts";

/**
 * @throws MonitorError `TELEMETRY_INVALID` when the bytes are no protobuf
 * message or nest too deeply. A fault of one span only drops that span.
 */
export function decodeTracesProtobuf<T>(
  body: Uint8Array,
  { keys, read }: SpanReader<T>,
): DecodedTraces<T> {
  refuseOtherFormats(body);
  const spans: T[] = [];
  const decoding: Decoding = {
    body,
    view: new DataView(body.buffer, body.byteOffset, body.byteLength),
    at: 0,
    low: 0,
    high: 0,
    keys,
    attributes: newAttributes(keys),
    ids: { starts: new Int32Array(ID_SLOTS).fill(-1), texts: [] },
    keyStart: 0,
    keyBytes: 0,
    valueStart: 0,
    valueEnd: 0,
    nestedLeft: 0,
    traceIdAt: -1,
    traceId: "",
    take: (span) => spans.push(read(span)),
    dropped: new Map(),
  };
  const end = body.length;
  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    if (tag === REQUEST_RESOURCE_SPANS) readResourceSpans(decoding, readLength(decoding, end));
    else skipField(decoding, tag, end);
  }
  return { spans, dropped: decoding.dropped };
}

/** All that one call knows. One object of one shape, so that reading stays fast. */
type Decoding = Cursor & {
  readonly keys: AttributeKeys;
  /** Of the span being read. */
  readonly attributes: AttributeRow;
  /** The last ids of spans, by some of their bits, and where they stand. */
  readonly ids: { readonly starts: Int32Array; readonly texts: string[] };
  /** Where `findKeyAndValue` found them. */
  keyStart: number;
  keyBytes: number;
  valueStart: number;
  valueEnd: number;
  /** How many more values the attribute being read may hold. */
  nestedLeft: number;
  /** The trace id read last, since the next span mostly has the same. */
  traceIdAt: number;
  traceId: string;
  readonly take: (span: OtlpSpan) => void;
  readonly dropped: Map<string, number>;
};

type AttributeRow = (AttributeValue | undefined)[];

function newAttributes({ places }: AttributeKeys): AttributeRow {
  return new Array<AttributeValue | undefined>(places.size).fill(undefined);
}

const ID_SLOTS = 256;

const REQUEST_RESOURCE_SPANS = (1 << 3) | LENGTH;
const RESOURCE_SPANS_RESOURCE = (1 << 3) | LENGTH;
const RESOURCE_SPANS_SCOPE_SPANS = (2 << 3) | LENGTH;
const RESOURCE_ATTRIBUTES = (1 << 3) | LENGTH;
const SCOPE_SPANS_SPANS = (2 << 3) | LENGTH;
const SPAN_TRACE_ID = (1 << 3) | LENGTH;
const SPAN_SPAN_ID = (2 << 3) | LENGTH;
const SPAN_PARENT_SPAN_ID = (4 << 3) | LENGTH;
const SPAN_NAME = (5 << 3) | LENGTH;
const SPAN_KIND = (6 << 3) | VARINT;
const SPAN_START_TIME = (7 << 3) | FIXED64;
const SPAN_END_TIME = (8 << 3) | FIXED64;
const SPAN_FLAGS = (16 << 3) | FIXED32;
const SPAN_ATTRIBUTES = (9 << 3) | LENGTH;
const SPAN_EVENTS = (11 << 3) | LENGTH;
const SPAN_STATUS = (15 << 3) | LENGTH;
const EVENT_NAME = (2 << 3) | LENGTH;
const EVENT_ATTRIBUTES = (3 << 3) | LENGTH;
const STATUS_MESSAGE = (2 << 3) | LENGTH;
const STATUS_CODE = (3 << 3) | VARINT;
const KEY_VALUE_KEY = (1 << 3) | LENGTH;
const KEY_VALUE_VALUE = (2 << 3) | LENGTH;
const VALUE_STRING = (1 << 3) | LENGTH;
const VALUE_BOOL = (2 << 3) | VARINT;
const VALUE_INT = (3 << 3) | VARINT;
const VALUE_DOUBLE = (4 << 3) | FIXED64;
const VALUE_ARRAY = (5 << 3) | LENGTH;
const VALUE_KVLIST = (6 << 3) | LENGTH;
const VALUE_BYTES = (7 << 3) | LENGTH;
const VALUES_VALUES = (1 << 3) | LENGTH;

/** Named here since the first byte of each would only say "wire type 3" or "7". */
function refuseOtherFormats(body: Uint8Array): void {
  const refuse = (what: string, hint: string) =>
    new MonitorError("TELEMETRY_INVALID", `cannot decode the OTLP protobuf body: it is ${what}`, {
      hint,
    });
  if (body[0] === 0x7b) {
    throw refuse("JSON, from byte 0", 'Send it with the header "content-type: application/json".');
  }
  if (body[0] === 0x1f && body[1] === 0x8b) {
    throw refuse("gzip, from byte 0", 'Send it with the header "content-encoding: gzip".');
  }
}

function readResourceSpans(decoding: Decoding, sizeBytes: number): void {
  const start = decoding.at;
  const end = start + sizeBytes;

  // The resource may stand behind its spans, so it is looked for first.
  const resource = newAttributes(decoding.keys);
  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    if (tag === RESOURCE_SPANS_RESOURCE) {
      readResource(decoding, readLength(decoding, end), resource);
    } else {
      skipField(decoding, tag, end);
    }
  }

  decoding.at = start;
  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    if (tag === RESOURCE_SPANS_SCOPE_SPANS) {
      readScopeSpans(decoding, readLength(decoding, end), resource);
    } else {
      skipField(decoding, tag, end);
    }
  }
}

function readResource(decoding: Decoding, sizeBytes: number, resource: AttributeRow): void {
  const end = decoding.at + sizeBytes;
  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    if (tag === RESOURCE_ATTRIBUTES) {
      readAttribute(decoding, readLength(decoding, end), resource);
    } else {
      skipField(decoding, tag, end);
    }
  }
}

function readScopeSpans(decoding: Decoding, sizeBytes: number, resource: AttributeRow): void {
  const end = decoding.at + sizeBytes;
  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    if (tag === SCOPE_SPANS_SPANS) readSpan(decoding, readLength(decoding, end), resource);
    else skipField(decoding, tag, end);
  }
}

function readSpan(decoding: Decoding, sizeBytes: number, resource: AttributeRow): void {
  const end = decoding.at + sizeBytes;
  const { attributes } = decoding;
  // `fill` takes three times as long for so few.
  for (let place = 0; place < attributes.length; place++) attributes[place] = undefined;
  let traceIdAt = 0;
  let traceIdBytes = 0;
  let spanIdAt = 0;
  let spanIdBytes = 0;
  let parentIdAt = 0;
  let parentIdBytes = 0;
  let name = "";
  let kind = 0;
  let flags = 0;
  let startMs = 0;
  let endMs = 0;
  let statusCode = 0;
  let statusMessage = "";
  let exceptions: OtlpException[] | null = null;

  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    switch (tag) {
      case SPAN_TRACE_ID:
        traceIdBytes = readLength(decoding, end);
        traceIdAt = decoding.at;
        decoding.at += traceIdBytes;
        break;
      case SPAN_SPAN_ID:
        spanIdBytes = readLength(decoding, end);
        spanIdAt = decoding.at;
        decoding.at += spanIdBytes;
        break;
      case SPAN_PARENT_SPAN_ID:
        parentIdBytes = readLength(decoding, end);
        parentIdAt = decoding.at;
        decoding.at += parentIdBytes;
        break;
      case SPAN_NAME:
        name = readText(decoding, readLength(decoding, end));
        break;
      case SPAN_KIND:
        kind = readEnum(decoding, end, 5);
        break;
      case SPAN_START_TIME:
        readFixed64(decoding, end);
        startMs = msOfNano(decoding.high, decoding.low);
        break;
      case SPAN_END_TIME:
        readFixed64(decoding, end);
        endMs = msOfNano(decoding.high, decoding.low);
        break;
      case SPAN_FLAGS:
        flags = readFixed32(decoding, end);
        break;
      case SPAN_ATTRIBUTES:
        readAttributes(decoding, end, attributes);
        break;
      case SPAN_EVENTS: {
        const exception = readException(decoding, readLength(decoding, end));
        if (exception === null) break;
        exceptions ??= [];
        if (exceptions.length < EXCEPTION_LIMIT) exceptions.push(exception);
        else countDropped(decoding.dropped, "exception_limit");
        break;
      }
      case SPAN_STATUS: {
        const statusEnd = readLength(decoding, end) + decoding.at;
        while (decoding.at < statusEnd) {
          const statusTag = readTag(decoding, statusEnd);
          if (statusTag === STATUS_CODE) statusCode = readEnum(decoding, statusEnd, 2);
          else if (statusTag === STATUS_MESSAGE) {
            statusMessage = readText(decoding, readLength(decoding, statusEnd));
          } else skipField(decoding, statusTag, statusEnd);
        }
        break;
      }
      default:
        skipField(decoding, tag, end);
    }
  }

  if (traceIdBytes !== 16 || isZero(decoding.view, traceIdAt, 16)) {
    countDropped(decoding.dropped, "invalid_trace_id");
    return;
  }
  if (
    spanIdBytes !== 8 ||
    isZero(decoding.view, spanIdAt, 8) ||
    (parentIdBytes !== 0 && parentIdBytes !== 8)
  ) {
    countDropped(decoding.dropped, "invalid_span_id");
    return;
  }
  if (!isValidTime(startMs, endMs)) {
    countDropped(decoding.dropped, "invalid_time");
    return;
  }
  const isRoot = parentIdBytes === 0 || isZero(decoding.view, parentIdAt, 8);
  decoding.take({
    traceId: traceIdOf(decoding, traceIdAt),
    spanId: idOf(decoding, spanIdAt),
    parentSpanId: isRoot ? null : idOf(decoding, parentIdAt),
    parentIsRemote: !isRoot && isParentRemote(flags),
    name,
    kind,
    startMs,
    endMs,
    attributes,
    statusCode,
    statusMessage,
    exceptions: exceptions ?? NO_EXCEPTIONS,
    resource,
  });
}

const NO_EXCEPTIONS: readonly OtlpException[] = Object.freeze([]);

function readEnum(decoding: Decoding, end: number, largest: number): number {
  readVarint(decoding, end);
  return decoding.high === 0 && decoding.low <= largest ? decoding.low : 0;
}

/**
 * A 64-bit nanosecond count exceeds 2^53, so whole milliseconds and the rest are
 * computed apart: 2^32 ns are 4294 ms and 967296 ns, and no term below does. (`%`
 * would say the same, and takes ten times as long.)
 */
function msOfNano(high: number, low: number): number {
  const nano = high * 967_296 + low;
  const wholeMs = Math.floor(nano / 1e6);
  return high * 4294 + wholeMs + (nano - wholeMs * 1e6) / 1e6;
}

function readAttribute(decoding: Decoding, sizeBytes: number, attributes: AttributeRow): void {
  const end = decoding.at + sizeBytes;
  findKeyAndValue(decoding, end);
  const { keys, view, keyStart, keyBytes } = decoding;
  const place = placeOf(keys, view, keyStart, keyBytes);
  if (place === -1) return;
  decoding.nestedLeft = NESTED_VALUE_LIMIT;
  decoding.at = decoding.valueStart;
  attributes[place] = readValue(decoding, decoding.valueEnd, 1);
  decoding.at = end;
}

/**
 * All attributes of a span, which stand one behind the other; the cursor is behind the tag of
 * the first. Those that every exporter writes so – a short key, then the value up to the end –
 * and nobody reads are passed by here, with nothing but local variables: a third of the
 * time that the general way takes.
 */
function readAttributes(decoding: Decoding, end: number, attributes: AttributeRow): void {
  const { body, view, keys } = decoding;
  let { at } = decoding;
  for (;;) {
    // The least that is looked at below: two lengths of two bytes, two tags, a key's length.
    if (end - at < 7) break;
    let sizeBytes = byteAt(body, at++);
    if (sizeBytes >= 0x80) sizeBytes = (sizeBytes & 0x7f) | (byteAt(body, at++) << 7);
    const keyBytes = byteAt(body, at + 1);
    const valueAt = at + 2 + keyBytes;
    const attributeEnd = at + sizeBytes;
    if (sizeBytes >= 0x4000 || attributeEnd > end || byteAt(body, at) !== KEY_VALUE_KEY) break;
    if (keyBytes >= 0x80 || attributeEnd - valueAt < 3) break;
    if (byteAt(body, valueAt) !== KEY_VALUE_VALUE) break;
    const first = byteAt(body, valueAt + 1);
    const valueEnd =
      first < 0x80
        ? valueAt + 2 + first
        : valueAt + 3 + ((first & 0x7f) | (byteAt(body, valueAt + 2) << 7));
    if (valueEnd !== attributeEnd) break;
    const place = placeOf(keys, view, at + 2, keyBytes);
    if (place !== -1) {
      decoding.nestedLeft = NESTED_VALUE_LIMIT;
      decoding.at = valueAt + (first < 0x80 ? 2 : 3);
      attributes[place] = readValue(decoding, valueEnd, 1);
    }
    at = valueEnd;
    decoding.at = at;
    if (at === end || byteAt(body, at) !== SPAN_ATTRIBUTES) return;
    decoding.at = ++at;
  }
  readAttribute(decoding, readLength(decoding, end), attributes);
}

/** Leaves the cursor at `end`; an absent value lies from `end` to `end`. */
function findKeyAndValue(decoding: Decoding, end: number): void {
  decoding.keyBytes = 0;
  decoding.keyStart = end;
  decoding.valueStart = end;
  decoding.valueEnd = end;
  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    if (tag === KEY_VALUE_KEY) {
      decoding.keyBytes = readLength(decoding, end);
      decoding.keyStart = decoding.at;
      decoding.at += decoding.keyBytes;
    } else if (tag === KEY_VALUE_VALUE) {
      const valueBytes = readLength(decoding, end);
      decoding.valueStart = decoding.at;
      decoding.at += valueBytes;
      decoding.valueEnd = decoding.at;
    } else {
      skipField(decoding, tag, end);
    }
  }
}

function readValue(decoding: Decoding, end: number, depth: number): AttributeValue {
  if (depth > VALUE_DEPTH_LIMIT) {
    throw damaged(decoding.at, `a value nests deeper than ${VALUE_DEPTH_LIMIT}`);
  }
  let value: AttributeValue = null;
  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    switch (tag) {
      case VALUE_STRING:
        value = readText(decoding, readLength(decoding, end));
        break;
      case VALUE_BOOL:
        readVarint(decoding, end);
        value = decoding.low !== 0 || decoding.high !== 0;
        break;
      case VALUE_INT:
        readVarint(decoding, end);
        value = (decoding.high | 0) * TWO_TO_32 + decoding.low;
        break;
      case VALUE_DOUBLE:
        value = readDouble(decoding, end);
        break;
      case VALUE_ARRAY:
        value = readArray(decoding, readLength(decoding, end), depth);
        break;
      case VALUE_KVLIST:
        value = readKvlist(decoding, readLength(decoding, end), depth);
        break;
      case VALUE_BYTES:
        skipField(decoding, tag, end);
        value = null;
        break;
      default:
        skipField(decoding, tag, end);
    }
  }
  return value;
}

function readArray(decoding: Decoding, sizeBytes: number, depth: number): AttributeValue {
  const end = decoding.at + sizeBytes;
  const values: AttributeValue[] = [];
  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    if (tag !== VALUES_VALUES || !takeNested(decoding)) {
      skipField(decoding, tag, end);
      continue;
    }
    const valueEnd = readLength(decoding, end) + decoding.at;
    values.push(readValue(decoding, valueEnd, depth + 1));
  }
  return values;
}

function readKvlist(decoding: Decoding, sizeBytes: number, depth: number): AttributeValue {
  const end = decoding.at + sizeBytes;
  const values: Record<string, AttributeValue> = Object.create(null);
  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    if (tag !== VALUES_VALUES || !takeNested(decoding)) {
      skipField(decoding, tag, end);
      continue;
    }
    const entryEnd = readLength(decoding, end) + decoding.at;
    findKeyAndValue(decoding, entryEnd);
    const { valueStart, valueEnd } = decoding;
    decoding.at = decoding.keyStart;
    const key = readText(decoding, decoding.keyBytes);
    decoding.at = valueStart;
    values[key] = readValue(decoding, valueEnd, depth + 1);
    decoding.at = entryEnd;
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

const EXCEPTION = asciiBytes("exception");
const EXCEPTION_TYPE = asciiBytes("exception.type");
const EXCEPTION_MESSAGE = asciiBytes("exception.message");

/** `null` when the event is no exception. */
function readException(decoding: Decoding, sizeBytes: number): OtlpException | null {
  const start = decoding.at;
  const end = start + sizeBytes;

  // The name may stand behind the attributes, so it is looked for first.
  let isException = false;
  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    if (tag === EVENT_NAME) {
      const nameBytes = readLength(decoding, end);
      isException = equalsAt(decoding.body, decoding.at, nameBytes, EXCEPTION);
      decoding.at += nameBytes;
    } else {
      skipField(decoding, tag, end);
    }
  }
  if (!isException) return null;

  let type = "";
  let message = "";
  decoding.at = start;
  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    if (tag !== EVENT_ATTRIBUTES) {
      skipField(decoding, tag, end);
      continue;
    }
    const attributeEnd = readLength(decoding, end) + decoding.at;
    findKeyAndValue(decoding, attributeEnd);
    const { body, keyStart, keyBytes } = decoding;
    if (equalsAt(body, keyStart, keyBytes, EXCEPTION_TYPE)) {
      type = readStringValue(decoding);
    } else if (equalsAt(body, keyStart, keyBytes, EXCEPTION_MESSAGE)) {
      message = readStringValue(decoding);
    }
    decoding.at = attributeEnd;
  }
  return { type, message };
}

/** Only a string counts: nothing else is an exception's type or message. */
function readStringValue(decoding: Decoding): string {
  const end = decoding.valueEnd;
  let text = "";
  decoding.at = decoding.valueStart;
  while (decoding.at < end) {
    const tag = readTag(decoding, end);
    if (tag === VALUE_STRING) text = readText(decoding, readLength(decoding, end));
    else skipField(decoding, tag, end);
  }
  return text;
}

const texts = newTextTable();

/** Reads the next bytes as text, cut at `TEXT_LIMIT_BYTES`, and moves past all of them. */
function readText(decoding: Decoding, sizeBytes: number): string {
  const { body, view, at: start } = decoding;
  decoding.at = start + sizeBytes;
  if (sizeBytes > TEXT_BYTES_MAX) {
    return decodeText(body, start, cutEnd(body, start, sizeBytes));
  }
  const slot = slotOf(view, start, sizeBytes);
  if (holds(texts, slot, view, start, sizeBytes)) return texts.texts[slot] ?? "";
  const text = decodeText(body, start, start + sizeBytes);
  remember(texts, slot, view, start, sizeBytes, text);
  return text;
}

/** The end of the text that is kept: never inside a UTF-8 sequence. */
function cutEnd(body: Uint8Array, start: number, sizeBytes: number): number {
  if (sizeBytes <= TEXT_LIMIT_BYTES) return start + sizeBytes;
  const limit = start + TEXT_LIMIT_BYTES;
  let end = limit;
  while (limit - end < 3 && (byteAt(body, end) & 0xc0) === 0x80) end -= 1;
  return end;
}

const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** Up to this length, in bytes, ASCII is decoded faster here than by `TextDecoder`. */
const SHORT_TEXT_BYTES = 24;

function decodeText(body: Uint8Array, start: number, end: number): string {
  if (end - start <= SHORT_TEXT_BYTES) {
    let text = "";
    let at = start;
    for (; at < end; at++) {
      const byte = byteAt(body, at);
      if (byte >= 0x80) break;
      text += String.fromCharCode(byte);
    }
    if (at === end) return text;
  }
  return UTF8.decode(body.subarray(start, end));
}

function traceIdOf(decoding: Decoding, at: number): string {
  const { view, traceIdAt: before } = decoding;
  const isSame =
    before >= 0 &&
    view.getUint32(before + 12) === view.getUint32(at + 12) &&
    view.getUint32(before + 8) === view.getUint32(at + 8) &&
    view.getUint32(before + 4) === view.getUint32(at + 4) &&
    view.getUint32(before) === view.getUint32(at);
  if (!isSame) {
    decoding.traceIdAt = at;
    decoding.traceId = hex8(view, at) + hex8(view, at + 8);
  }
  return decoding.traceId;
}

/** The id of a span stands in its children, too, and mostly near by: it becomes one string for all. */
function idOf({ view, ids }: Decoding, at: number): string {
  const slot = view.getUint32(at + 4) & (ID_SLOTS - 1);
  const before = ids.starts[slot] ?? -1;
  const isSame =
    before >= 0 &&
    view.getUint32(before) === view.getUint32(at) &&
    view.getUint32(before + 4) === view.getUint32(at + 4);
  if (isSame) return ids.texts[slot] ?? "";
  const id = hex8(view, at);
  ids.starts[slot] = at;
  ids.texts[slot] = id;
  return id;
}

/** Eight bytes as 16 lower-case hex digits: one flat string, which is quick to look up. */
function hex8(view: DataView, at: number): string {
  const high = view.getUint32(at);
  const low = view.getUint32(at + 4);
  return String.fromCharCode(
    digitOf(high >>> 28),
    digitOf(high >>> 24),
    digitOf(high >>> 20),
    digitOf(high >>> 16),
    digitOf(high >>> 12),
    digitOf(high >>> 8),
    digitOf(high >>> 4),
    digitOf(high),
    digitOf(low >>> 28),
    digitOf(low >>> 24),
    digitOf(low >>> 20),
    digitOf(low >>> 16),
    digitOf(low >>> 12),
    digitOf(low >>> 8),
    digitOf(low >>> 4),
    digitOf(low),
  );
}

const DIGITS = asciiBytes("0123456789abcdef");

/** Of the lowest four bits. */
function digitOf(bits: number): number {
  return byteAt(DIGITS, bits & 15);
}

/** `sizeBytes` is a multiple of 4. */
function isZero(view: DataView, at: number, sizeBytes: number): boolean {
  for (let offset = 0; offset < sizeBytes; offset += 4) {
    if (view.getUint32(at + offset) !== 0) return false;
  }
  return true;
}

function equalsAt(
  body: Uint8Array,
  start: number,
  sizeBytes: number,
  expected: Uint8Array,
): boolean {
  if (sizeBytes !== expected.length) return false;
  for (let index = 0; index < sizeBytes; index++) {
    if (body[start + index] !== expected[index]) return false;
  }
  return true;
}

function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
