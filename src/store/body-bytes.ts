/**
 * What bodies of the journal are written with: numbers as varints, doubles little-endian, hex
 * digits as bytes, and every text once. A text is a number: one that was met before, or the next
 * one, whose length in bytes and UTF-8 follow.
 */
import { holds, newTextTable, remember, slotOf, TEXT_BYTES_MAX } from "../signals/text-table.ts";

/** Up to so many characters ASCII is encoded here. */
const SHORT_TEXT = 48;
/** A character takes at most so many bytes in UTF-8. */
const CHAR_BYTES_MAX = 3;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
/** Of bodies before: what is the same string is compared at once. */
const texts = newTextTable();

export class BodyWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #at = 0;
  readonly #texts = new Map<string, number>();

  readonly #recordBytesMax: number;

  /** @param recordBytesMax room for all of a record but its texts. */
  constructor(sizeBytes: number, recordBytesMax: number) {
    this.#bytes = new Uint8Array(sizeBytes);
    this.#recordBytesMax = recordBytesMax;
    this.#view = new DataView(this.#bytes.buffer);
  }

  written(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#at);
  }

  /** Room for a record; texts make their own. */
  reserve(textBytes = 0): void {
    const sizeBytes = textBytes + this.#recordBytesMax;
    if (this.#at + sizeBytes <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + sizeBytes));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }

  /** @param value whole, from 0 to 2^31 - 1. */
  number(value: number): void {
    let rest = value;
    for (; rest > 0x7f; rest >>>= 7) this.#bytes[this.#at++] = (rest & 0x7f) | 0x80;
    this.#bytes[this.#at++] = rest;
  }

  double(value: number): void {
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  /** @param digits lower-case, an even number of them. */
  hex(digits: string): void {
    for (let at = 0; at < digits.length; at += 2) {
      this.#bytes[this.#at++] =
        (nibble(digits.charCodeAt(at)) << 4) | nibble(digits.charCodeAt(at + 1));
    }
  }

  text(text: string): void {
    const known = this.#texts.get(text);
    if (known !== undefined) {
      this.number(known);
      return;
    }
    this.number(this.#texts.size);
    this.#texts.set(text, this.#texts.size);
    this.reserve(text.length * CHAR_BYTES_MAX);
    const start = this.#at;
    if (this.#ascii(text)) return;
    this.#at = start;
    const bytes = encoder.encode(text);
    this.number(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Nearly all texts are short names: a third of the encoder's time. `false` where it does not fit. */
  #ascii(text: string): boolean {
    if (text.length > SHORT_TEXT) return false;
    this.number(text.length);
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code >= 0x80) return false;
      this.#bytes[this.#at++] = code;
    }
    return true;
  }
}

export class BodyReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  readonly #texts: string[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  number(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#view.getUint8(this.#at++);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError("A number of the journal is too large.");
  }

  double(): number {
    const value = this.#view.getFloat64(this.#at, true);
    this.#at += 8;
    return value;
  }

  hex(sizeBytes: number): string {
    let digits = "";
    for (let left = sizeBytes; left > 0; left -= 4) {
      digits += this.#view.getUint32(this.#at).toString(16).padStart(8, "0");
      this.#at += 4;
    }
    return digits;
  }

  text(): string {
    const place = this.number();
    const known = this.#texts[place];
    if (known !== undefined) return known;
    const sizeBytes = this.number();
    const end = this.#at + sizeBytes;
    if (end > this.#bytes.length) throw new RangeError("A text of the journal is cut off.");
    const text = this.#decode(sizeBytes);
    this.#at = end;
    this.#texts.push(text);
    return text;
  }

  #decode(sizeBytes: number): string {
    const from = this.#at;
    const slot = slotOf(this.#view, from, sizeBytes);
    if (holds(texts, slot, this.#view, from, sizeBytes)) return texts.texts[slot] ?? "";
    const text = decoder.decode(this.#bytes.subarray(from, from + sizeBytes));
    if (sizeBytes <= TEXT_BYTES_MAX) remember(texts, slot, this.#view, from, sizeBytes, text);
    return text;
  }
}

/** Of `0` to `9` and `a` to `f`. */
function nibble(charCode: number): number {
  return charCode < 58 ? charCode - 48 : charCode - 87;
}
