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
  return new Uint8Array(Buffer.concat([...parts, body.subarray(copiedTo, end)]));
}

export function lengthField(number: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([varint(number * 8 + LENGTH), varint(bytes.length), bytes]);
}

/** @param value a whole number from 0 to 2^32 - 1. */
export function numberField(number: number, value: number): Uint8Array {
  return Buffer.concat([varint(number * 8 + VARINT), varint(value)]);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
