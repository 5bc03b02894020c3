/**
 * A part of a journal as bytes, to be carried elsewhere: for each entry its place, its time, a
 * checksum and its body. Whoever reads it refuses what was cut off or changed.
 *
 *   entry: place (double), time (double), kind (byte: 0 text, 1 bytes), checksum (4 bytes),
 *          length of the body (4 bytes), body
 *
 * Numbers are little-endian.
 */
import { crc32 } from "node:zlib";
import type { PlacedEntry } from "./journal.ts";

const HEAD_BYTES = 25;
const TEXT = 0;
const BYTES = 1;

export function encodePart(entries: readonly PlacedEntry[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  for (const { seq, timeMs, body } of entries) {
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeDoubleLE(seq, 0);
    head.writeDoubleLE(timeMs, 8);
    head.writeUInt8(typeof body === "string" ? TEXT : BYTES, 16);
    head.writeUInt32LE(crc32(bytes), 17);
    head.writeUInt32LE(bytes.length, 21);
    parts.push(head, bytes);
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** @throws RangeError when it is cut off or changed. */
export function decodePart(bytes: Uint8Array): PlacedEntry[] {
  const part = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: PlacedEntry[] = [];
  for (let at = 0; at < part.length; ) {
    const length = part.length - at >= HEAD_BYTES ? part.readUInt32LE(at + 21) : Number.NaN;
    const end = at + HEAD_BYTES + length;
    if (!(end <= part.length)) throw new RangeError("A part of a journal is cut off.");
    const body = new Uint8Array(part.subarray(at + HEAD_BYTES, end));
    if (crc32(body) !== part.readUInt32LE(at + 17)) {
      throw new RangeError("An entry of a part of a journal was changed.");
    }
    const kind = part.readUInt8(at + 16);
    entries.push({
      seq: part.readDoubleLE(at),
      timeMs: part.readDoubleLE(at + 8),
      body: kind === TEXT ? Buffer.from(body).toString("utf8") : body,
    });
    at = end;
  }
  return entries;
}
