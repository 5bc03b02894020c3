/**
 * Texts met before in one body, found again by their bytes: attribute keys and
 * short values repeat in every span, and decoding UTF-8 costs far more than
 * comparing it. Each slot keeps the last text with its hash, so the table never
 * grows, and texts that collide cost a decoding and nothing else.
 */
import { byteAt } from "./protobuf-cursor.ts";

export type TextTable = {
  readonly starts: Int32Array;
  /** In bytes; -1 for an empty slot. */
  readonly lengths: Int32Array;
  /** What was remembered: for a key that nobody wants it is `null`. */
  readonly texts: (string | null)[];
};

const SLOTS = 512;

export function newTextTable(): TextTable {
  return {
    starts: new Int32Array(SLOTS),
    lengths: new Int32Array(SLOTS).fill(-1),
    texts: new Array<string | null>(SLOTS).fill(null),
  };
}

export function slotOf(body: Uint8Array, start: number, sizeBytes: number): number {
  const end = start + sizeBytes;
  let hash = sizeBytes;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ byteAt(body, at), 0x01000193);
  return (hash ^ (hash >>> 15)) & (SLOTS - 1);
}

/** Whether `slot` holds the text of just these bytes. */
export function holds(
  table: TextTable,
  slot: number,
  body: Uint8Array,
  start: number,
  sizeBytes: number,
): boolean {
  if (table.lengths[slot] !== sizeBytes) return false;
  const before = table.starts[slot] ?? 0;
  for (let index = 0; index < sizeBytes; index++) {
    if (body[before + index] !== body[start + index]) return false;
  }
  return true;
}

export function remember(
  table: TextTable,
  slot: number,
  start: number,
  sizeBytes: number,
  text: string | null,
): void {
  table.starts[slot] = start;
  table.lengths[slot] = sizeBytes;
  table.texts[slot] = text;
}
