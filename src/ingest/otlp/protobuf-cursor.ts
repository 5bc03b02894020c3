/**
 * Reads protobuf's wire format in place. Every read is bounded by the `end` of
 * the message it is in, and a length is compared with the bytes left before
 * anything is done with it. Damage throws `TELEMETRY_INVALID` and names the byte.
 *
 * Source: protobuf.dev, Encoding.
 */
import { MonitorError } from "../../monitor-error.ts";

export type Cursor = {
  readonly body: Uint8Array;
  readonly view: DataView;
  /** The next byte to be read. */
  at: number;
  /** The lower and upper 32 bits of what `readVarint` or `readFixed64` read, unsigned. */
  low: number;
  high: number;
};

/** The three wire types that OTLP's trace messages use, in the low bits of a tag. */
export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH = 2;
export const FIXED32 = 5;

export const TWO_TO_32 = 2 ** 32;

/**
 * Field number times 8 plus wire type. Compared as a whole, so that a known
 * field with another wire type is skipped as unknown, as protobuf's own parsers do.
 *
 * What is common is read here, and the rest by a function of its own: small enough for
 * V8 to inline, which makes decoding a batch twice as fast.
 */
export function readTag(cursor: Cursor, end: number): number {
  const tag = byteAt(cursor.body, cursor.at);
  if (tag >= 0x80 || tag < 8) return readRareTag(cursor, end);
  cursor.at += 1;
  return tag;
}

function readRareTag(cursor: Cursor, end: number): number {
  const start = cursor.at;
  readVarint(cursor, end);
  if (cursor.high !== 0) throw damaged(start, "a field number is larger than 2^29 - 1");
  if (cursor.low < 8) throw damaged(start, "a field has the number 0");
  return cursor.low;
}

/** The length of the bytes that follow; all of them lie before `end`. */
export function readLength(cursor: Cursor, end: number): number {
  const { body, at } = cursor;
  const left = end - at;
  if (left < 2) return readRareLength(cursor, end);
  const first = byteAt(body, at);
  if (first < 0x80) {
    if (first >= left) return readRareLength(cursor, end);
    cursor.at = at + 1;
    return first;
  }
  const length = (first & 0x7f) | (byteAt(body, at + 1) << 7);
  if (length >= 0x4000 || length > left - 2) return readRareLength(cursor, end);
  cursor.at = at + 2;
  return length;
}

function readRareLength(cursor: Cursor, end: number): number {
  const start = cursor.at;
  readVarint(cursor, end);
  const length = cursor.high * TWO_TO_32 + cursor.low;
  const left = end - cursor.at;
  if (length > left) {
    throw damaged(start, `a length of ${length} bytes is given where ${left} are left`);
  }
  return length;
}

export function readVarint(cursor: Cursor, end: number): void {
  const { body } = cursor;
  const start = cursor.at;
  let at = start;
  let low = 0;
  let high = 0;
  for (let shift = 0; ; shift += 7) {
    if (at >= end) throw damaged(start, "a number is cut off");
    const byte = byteAt(body, at++);
    if (shift === 63 && byte > 1) throw damaged(start, "a number has more than 64 bits");
    const bits = byte & 0x7f;
    if (shift < 28) {
      low |= bits << shift;
    } else if (shift === 28) {
      low |= bits << 28;
      high = bits >>> 4;
    } else {
      high |= bits << (shift - 32);
    }
    if (byte < 0x80) break;
  }
  cursor.at = at;
  cursor.low = low >>> 0;
  cursor.high = high >>> 0;
}

export function readFixed64(cursor: Cursor, end: number): void {
  const start = cursor.at;
  moveBy(cursor, end, 8);
  cursor.low = cursor.view.getUint32(start, true);
  cursor.high = cursor.view.getUint32(start + 4, true);
}

export function readFixed32(cursor: Cursor, end: number): number {
  const start = cursor.at;
  moveBy(cursor, end, 4);
  return cursor.view.getUint32(start, true);
}

export function readDouble(cursor: Cursor, end: number): number {
  const start = cursor.at;
  moveBy(cursor, end, 8);
  return cursor.view.getFloat64(start, true);
}

/** Moves past the field whose tag was just read. */
export function skipField(cursor: Cursor, tag: number, end: number): void {
  if ((tag & 7) === LENGTH) {
    const length = readLength(cursor, end);
    cursor.at += length;
  } else {
    skipNumber(cursor, tag, end);
  }
}

function skipNumber(cursor: Cursor, tag: number, end: number): void {
  switch (tag & 7) {
    case VARINT:
      readVarint(cursor, end);
      return;
    case FIXED64:
      moveBy(cursor, end, 8);
      return;
    case FIXED32:
      moveBy(cursor, end, 4);
      return;
    default:
      throw damaged(
        cursor.at,
        `the field before has wire type ${tag & 7}, which OTLP does not use`,
      );
  }
}

/** `index` must be inside `body`: every caller has compared it with an `end`. */
export function byteAt(body: Uint8Array, index: number): number {
  // An index inside the array always gives a number.
  return body[index] as number;
}

export function damaged(at: number, what: string): MonitorError {
  return new MonitorError(
    "TELEMETRY_INVALID",
    `cannot decode the OTLP protobuf body: ${what}, at byte ${at}`,
    {
      hint: "Send an ExportTraceServiceRequest whole and unchanged, as an OTLP/HTTP exporter with the protocol http/protobuf does.",
    },
  );
}

function moveBy(cursor: Cursor, end: number, sizeBytes: number): void {
  if (end - cursor.at < sizeBytes) throw cutOff(cursor.at, sizeBytes, end);
  cursor.at += sizeBytes;
}

function cutOff(at: number, sizeBytes: number, end: number): MonitorError {
  return damaged(at, `a value of ${sizeBytes} bytes is cut off after ${end - at}`);
}
