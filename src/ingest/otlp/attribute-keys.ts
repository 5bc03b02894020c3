/**
 * The attribute keys that are read. Each has a place, so that the attributes of a span
 * are a row of values and no map. Decoders find a key by its bytes. Most attributes are
 * read by nobody, and their length and last byte tell so before anything is compared
 * (5 ns a key, where a hash over twelve of the bytes takes 10).
 */
import { bytesEqual } from "../../signals/text-table.ts";

export type AttributeKeys = {
  /** By key; from 0 up, in the order in which the keys were given. */
  readonly places: ReadonlyMap<string, number>;
  /** The first place of each bucket, and for each place the next one of its bucket; -1 at the end. */
  readonly first: Int16Array;
  readonly next: Int16Array;
  /** Where the bytes of the key of each place are, and, at the end, where they end. */
  readonly starts: Int32Array;
  readonly view: DataView;
};

/** Five bits of the length, and five of the last byte. */
const BUCKETS = 1024;

/** @param keys none of them empty. */
export function attributeKeys(keys: readonly string[]): AttributeKeys {
  const encoded = keys.map((key) => new TextEncoder().encode(key));
  const first = new Int16Array(BUCKETS).fill(-1);
  const next = new Int16Array(keys.length).fill(-1);
  const starts = new Int32Array(keys.length + 1);
  for (const [place, bytes] of encoded.entries()) {
    starts[place + 1] = (starts[place] ?? 0) + bytes.length;
    const bucket = bucketOf(bytes.length, bytes.at(-1) ?? 0);
    next[place] = first[bucket] ?? -1;
    first[bucket] = place;
  }
  const all = new Uint8Array(starts[keys.length] ?? 0);
  for (const [place, bytes] of encoded.entries()) all.set(bytes, starts[place]);
  const places = new Map(keys.map((key, place) => [key, place]));
  return { places, first, next, starts, view: new DataView(all.buffer) };
}

/** The place of the key with just these bytes; -1 when it is not read. */
export function placeOf(
  keys: AttributeKeys,
  view: DataView,
  start: number,
  sizeBytes: number,
): number {
  if (sizeBytes === 0) return -1;
  const lastByte = view.getUint8(start + sizeBytes - 1);
  const place = keys.first[bucketOf(sizeBytes, lastByte)] ?? -1;
  return place === -1 ? -1 : placeFrom(place, keys, view, start, sizeBytes);
}

function placeFrom(
  first: number,
  { next, starts, view: keys }: AttributeKeys,
  view: DataView,
  start: number,
  sizeBytes: number,
): number {
  let place = first;
  while (place !== -1) {
    const keyStart = starts[place] ?? 0;
    const isSame =
      (starts[place + 1] ?? 0) - keyStart === sizeBytes &&
      bytesEqual(keys, keyStart, view, start, sizeBytes);
    if (isSame) return place;
    place = next[place] ?? -1;
  }
  return -1;
}

function bucketOf(sizeBytes: number, lastByte: number): number {
  return ((sizeBytes & 31) << 5) | (lastByte & 31);
}
