/**
 * Numbers as few bytes: whole numbers take one byte for each seven bits. What is written
 * is read back in the same order; nothing says what it is.
 */
const STEP = 128;

export class ByteWriter {
  #bytes = new Uint8Array(512);
  #at = 0;

  /** @param value whole, from 0 to 2⁵³ − 1. */
  whole(value: number): void {
    if (this.#at + 8 > this.#bytes.length) this.#grow();
    let left = value;
    while (left >= STEP) {
      this.#bytes[this.#at++] = (left % STEP) | STEP;
      left = Math.floor(left / STEP);
    }
    this.#bytes[this.#at++] = left;
  }

  /** Any number; what is whole and not too large takes few bytes. */
  number(value: number): void {
    if (Number.isSafeInteger(value * 2) && value >= 0) {
      this.whole(value * 2);
      return;
    }
    this.whole(1);
    if (this.#at + 8 > this.#bytes.length) this.#grow();
    new DataView(this.#bytes.buffer).setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  /** The writer may be used on; the bytes stay as they are. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#at);
  }

  #grow(): void {
    const larger = new Uint8Array(this.#bytes.length * 2);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** @throws Error beyond the end. */
  whole(): number {
    let value = 0;
    for (let unit = 1; ; unit *= STEP) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new Error("the bytes of a summary end early");
      value += (byte % STEP) * unit;
      if (byte < STEP) return value;
    }
  }

  number(): number {
    const value = this.whole();
    if (value !== 1) return value / 2;
    const { buffer, byteOffset } = this.#bytes;
    const read = new DataView(buffer, byteOffset + this.#at, 8).getFloat64(0, true);
    this.#at += 8;
    return read;
  }
}
