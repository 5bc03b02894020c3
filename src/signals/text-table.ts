/**
 * Short texts met before, in any body, found again by their bytes: names and short values repeat in
 * every span, and decoding UTF-8 costs far more than comparing it. It is one string each time, too, which is
 * looked up and compared fastest. Each slot keeps the last text with its hash, so the table never
 * grows, and texts that collide cost a decoding and nothing else.
 */
export type TextTable = {
  /** Those of a slot begin at `TEXT_BYTES_MAX` times its number. */
  readonly bytes: DataView;
  /** In bytes; -1 for an empty slot. */
  readonly lengths: Int32Array;
  readonly texts: string[];
};

/** Longest text, in bytes, that is worth looking up. */
export const TEXT_BYTES_MAX = 64;
const SLOTS = 512;

export function newTextTable(): TextTable {
  return {
    bytes: new DataView(new ArrayBuffer(SLOTS * TEXT_BYTES_MAX)),
    lengths: new Int32Array(SLOTS).fill(-1),
    texts: new Array<string>(SLOTS).fill(""),
  };
}

export function slotOf(view: DataView, start: number, sizeBytes: number): number {
  return hashOf(view, start, sizeBytes) & (SLOTS - 1);
}

/** From the length and up to twelve of the bytes: first, middle and last four. */
export function hashOf(view: DataView, start: number, sizeBytes: number): number {
  let hash = sizeBytes;
  if (sizeBytes >= 4) {
    const last = start + sizeBytes - 4;
    hash = Math.imul(hash ^ view.getUint32(start), HASH_FACTOR);
    hash = Math.imul(hash ^ view.getUint32((start + last) >>> 1), HASH_FACTOR);
    hash = Math.imul(hash ^ (hash >>> 15) ^ view.getUint32(last), HASH_FACTOR);
  } else {
    for (let at = start; at < start + sizeBytes; at++) {
      hash = Math.imul(hash ^ view.getUint8(at), HASH_FACTOR);
    }
  }
  return hash ^ (hash >>> 15);
}

/** Odd, with bits all over: the multiplier of xxHash32. */
const HASH_FACTOR = 0x9e3779b1;

/** Whether `slot` holds the text of just these bytes. */
export function holds(
  table: TextTable,
  slot: number,
  view: DataView,
  start: number,
  sizeBytes: number,
): boolean {
  if (table.lengths[slot] !== sizeBytes) return false;
  return bytesEqual(table.bytes, slot * TEXT_BYTES_MAX, view, start, sizeBytes);
}

export function bytesEqual(
  one: DataView,
  oneStart: number,
  other: DataView,
  otherStart: number,
  sizeBytes: number,
): boolean {
  let index = 0;
  for (; index + 4 <= sizeBytes; index += 4) {
    if (one.getUint32(oneStart + index) !== other.getUint32(otherStart + index)) return false;
  }
  for (; index < sizeBytes; index++) {
    if (one.getUint8(oneStart + index) !== other.getUint8(otherStart + index)) return false;
  }
  return true;
}

/** @param sizeBytes at most `TEXT_BYTES_MAX`. */
export function remember(
  table: TextTable,
  slot: number,
  view: DataView,
  start: number,
  sizeBytes: number,
  text: string,
): void {
  const own = slot * TEXT_BYTES_MAX;
  for (let index = 0; index < sizeBytes; index++) {
    table.bytes.setUint8(own + index, view.getUint8(start + index));
  }
  table.lengths[slot] = sizeBytes;
  table.texts[slot] = text;
}
