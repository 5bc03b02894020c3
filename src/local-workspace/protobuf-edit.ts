/**
 * Edits single fields of a protobuf message and leaves every other byte as it
 * is, in order, known or not. Every read is checked against the end of the
 * message, so that damaged bytes end in an error and never in a wild read.
 *
 * Source: protobuf.dev, "Encoding".
 */

/** Gives a field's new content from its old one. Without an edit, a field stays. */
export type FieldEdits = Readonly<Record<number, (value: Uint8Array) => Uint8Array>>;

export type Field = {
  readonly number: number;
  readonly wireType: number;
  /** Where the tag begins, and where the content does. */
  readonly tagAt: number;
  readonly valueAt: number;
  readonly value: Uint8Array;
};

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;
/** Bytes of the longest varint, one of 64 bits. */
const VARINT_MAX_BYTES = 10;

/** @throws Error for damaged bytes, or when an edit changes the size of a fixed field. */
export function editMessage(message: Uint8Array, edits: FieldEdits): Uint8Array {
  const parts: Uint8Array[] = [];
  let copiedTo = 0;
  for (const field of readFields(message)) {
    const edited = edits[field.number]?.(field.value) ?? field.value;
    if (edited === field.value) continue;

    const end = field.valueAt + field.value.length;
    if (edited.length === field.value.length) {
      parts.push(message.subarray(copiedTo, field.valueAt), edited);
    } else {
      if (field.wireType !== LENGTH_DELIMITED) throw new Error("a fixed field cannot change size");
      const tagEnd = readVarint(message, field.tagAt).end;
      parts.push(message.subarray(copiedTo, tagEnd), writeVarint(edited.length), edited);
    }
    copiedTo = end;
  }
  if (copiedTo === 0) return message;
  parts.push(message.subarray(copiedTo));
  return joined(parts);
}

/** @throws Error at the first byte that is not of a well-formed field. */
export function* readFields(message: Uint8Array): Generator<Field> {
  let at = 0;
  while (at < message.length) {
    const tag = readVarint(message, at);
    const wireType = tag.value % 8;
    const number = Math.floor(tag.value / 8);
    const { valueAt, end } = contentAt(message, wireType, tag.end);
    if (number === 0 || end > message.length) throw new Error("damaged protobuf field");
    yield { number, wireType, tagAt: at, valueAt, value: message.subarray(valueAt, end) };
    at = end;
  }
}

function contentAt(message: Uint8Array, wireType: number, at: number) {
  switch (wireType) {
    case VARINT:
      return { valueAt: at, end: readVarint(message, at).end };
    case FIXED64:
      return { valueAt: at, end: at + 8 };
    case FIXED32:
      return { valueAt: at, end: at + 4 };
    case LENGTH_DELIMITED: {
      const length = readVarint(message, at);
      return { valueAt: length.end, end: length.end + length.value };
    }
    default:
      throw new Error(`protobuf wire type ${wireType} is not supported`);
  }
}

/** Beyond 53 bits the value is inexact, which only matters for lengths: those are refused as too long. */
function readVarint(bytes: Uint8Array, at: number): { value: number; end: number } {
  let value = 0;
  for (let i = 0; i < VARINT_MAX_BYTES; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) throw new Error("protobuf ends within a number");
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, end: at + i + 1 };
  }
  throw new Error("protobuf number is too long");
}

function writeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((bytes, part) => bytes + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
