/**
 * A protobuf message of which some fields are replaced or left out. Nothing is copied until
 * something changes, and then once.
 */
import { LENGTH, VARINT } from "./protobuf-cursor.ts";

export type ByteEdit = {
  readonly body: Uint8Array;
  readonly parts: Uint8Array[];
  /** Up to here everything is in `parts`, or gone. */
  copiedTo: number;
};

export function newByteEdit(body: Uint8Array, start: number): ByteEdit {
  return { body, parts: [], copiedTo: start };
}

/** Puts the given bytes, if any, in place of those from `start` to `end`. */
export function replace(
  edit: ByteEdit,
  { start, end }: { readonly start: number; readonly end: number },
  ...instead: readonly Uint8Array[]
): void {
  edit.parts.push(edit.body.subarray(edit.copiedTo, start), ...instead);
  edit.copiedTo = end;
}

/** The message up to `end`; `null` when nothing changed. */
export function edited(
  { body, parts, copiedTo }: ByteEdit,
  end: number,
): Uint8Array<ArrayBuffer> | null {
  if (parts.length === 0) return null;
  parts.push(body.subarray(copiedTo, end));
  let size = 0;
  for (const part of parts) size += part.length;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function lengthField(number: number, bytes: Uint8Array): Uint8Array {
  const tag = number * 8 + LENGTH;
  const headSize = varintSize(tag) + varintSize(bytes.length);
  const field = new Uint8Array(headSize + bytes.length);
  putVarint(field, putVarint(field, 0, tag), bytes.length);
  field.set(bytes, headSize);
  return field;
}

/** @param value a whole number from 0 to 2^32 - 1. */
export function numberField(number: number, value: number): Uint8Array {
  const tag = number * 8 + VARINT;
  const field = new Uint8Array(varintSize(tag) + varintSize(value));
  putVarint(field, putVarint(field, 0, tag), value);
  return field;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Returns where it ends. */
function putVarint(into: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) into[at++] = (rest % 128) | 0x80;
  into[at++] = rest;
  return at;
}
