/**
 * A long text with a number at the end of each line, kept as bytes from one time that it
 * is asked for to the next: only numbers that have changed are written again, in place,
 * and where one needs more digits than before, what follows moves up.
 *
 * Rendering 10 000 counters anew takes 2 200 ns each, 20 lines of a histogram 8 700;
 * this way it is 19 and 700 when two thirds of them have changed.
 */
import { numberText } from "./prometheus-names.ts";

/** Room for more, so that not every new digit makes all bytes be copied. */
const GROWTH = 1.25;
const BYTES_PER_LINE = 4 + 1 + 8;
const NEWLINE = 10;
const ZERO = 48;

export class TextSlab {
  // Lines one after the other: what is constant, beginning with a newline, and the number.
  #bytes = Buffer.alloc(0);
  #size = 0;
  #isAscii = true;
  #lines = 0;
  /** Where the number of each line stands, how long it is, and which it is. */
  #starts = new Uint32Array(0);
  #lengths = new Uint8Array(0);
  #values = new Float64Array(0);
  /** Lines whose number has another length than what is written, and the number as text. */
  readonly #resized = new Map<number, string>();

  get lines(): number {
    return this.#lines;
  }

  /** All memory that it holds. */
  get sizeBytes(): number {
    return this.#bytes.length + this.#starts.length * BYTES_PER_LINE;
  }

  /**
   * Puts new lines before a line, or at the end. Each must be given a number by `set`.
   *
   * @param texts what stands before the number; may hold whole lines too.
   */
  insert(line: number, texts: readonly string[]): void {
    this.#settle();
    const constants = texts.map((text) => `\n${text}`);
    const added = Buffer.from(constants.join(""));
    const from = line === 0 ? 0 : (this.#starts[line - 1] ?? 0) + (this.#lengths[line - 1] ?? 0);
    this.#reserve(added.length, texts.length);
    this.#bytes.copyWithin(from + added.length, from, this.#size);
    this.#bytes.set(added, from);
    this.#size += added.length;
    for (const array of [this.#starts, this.#lengths, this.#values]) {
      array.copyWithin(line + texts.length, line, this.#lines);
    }
    this.#lines += texts.length;
    for (let i = line + texts.length; i < this.#lines; i++) {
      this.#starts[i] = (this.#starts[i] ?? 0) + added.length;
    }
    let at = from;
    constants.forEach((text, index) => {
      at += Buffer.byteLength(text);
      this.#starts[line + index] = at;
      this.#lengths[line + index] = 0;
      this.#values[line + index] = Number.NaN;
    });
    this.#isAscii &&= added.every((byte) => byte < 128);
  }

  set(line: number, value: number): void {
    // Also not a number, which is never the same, is written again.
    if (this.#values[line] === value) return;
    this.#values[line] = value;
    if (this.#resized.size > 0) this.#resized.delete(line);
    const length = this.#lengths[line] ?? 0;
    if ((value | 0) === value && value >= 0) {
      if (digitsOf(value) === length) this.#writeInteger(line, value | 0);
      else this.#resized.set(line, String(value));
      return;
    }
    const text = numberText(value);
    if (text.length === length) this.#writeText(line, text);
    else this.#resized.set(line, text);
  }

  toString(): string {
    this.#settle();
    if (this.#lines === 0) return "";
    this.#bytes[this.#size] = NEWLINE;
    // The newline that begins the first line is left out, one after the last is put.
    return this.#bytes.toString(this.#isAscii ? "latin1" : "utf8", 1, this.#size + 1);
  }

  /** Without making a string: 4 ns, where `String` and copying it take 30. */
  #writeInteger(line: number, value: number): void {
    const bytes = this.#bytes;
    const start = this.#starts[line] ?? 0;
    let at = start + (this.#lengths[line] ?? 0);
    let rest = value;
    while (at > start) {
      const tenth = (rest / 10) | 0;
      bytes[--at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
  }

  #writeText(line: number, text: string): void {
    const bytes = this.#bytes;
    const start = this.#starts[line] ?? 0;
    for (let i = 0; i < text.length; i++) bytes[start + i] = text.charCodeAt(i);
  }

  /** Makes room for the numbers that have another length now. */
  #settle(): void {
    if (this.#resized.size === 0) return;
    const lines = Uint32Array.from(this.#resized.keys()).sort();
    const textOf = (line: number) => this.#resized.get(line) ?? "";
    // What follows the number of such a line, up to the next one, moves by so much.
    const shifts = new Int32Array(lines.length);
    let shift = 0;
    lines.forEach((line, index) => {
      shift += textOf(line).length - (this.#lengths[line] ?? 0);
      shifts[index] = shift;
    });
    this.#reserve(Math.max(0, shift), 0);
    const move = (index: number) => {
      const line = lines[index] ?? 0;
      const from = (this.#starts[line] ?? 0) + (this.#lengths[line] ?? 0);
      const next = lines[index + 1];
      const to = next === undefined ? this.#size : (this.#starts[next] ?? 0);
      const by = shifts[index] ?? 0;
      if (by !== 0) this.#bytes.copyWithin(from + by, from, to);
    };
    // Down from the front, then up from the back: none is written over before it moves.
    for (let i = 0; i < lines.length; i++) if ((shifts[i] ?? 0) < 0) move(i);
    for (let i = lines.length - 1; i >= 0; i--) if ((shifts[i] ?? 0) > 0) move(i);
    this.#size += shift;

    const starts = this.#starts;
    const end = this.#lines;
    let by = 0;
    for (let index = 0; index < lines.length; index++) {
      const line = lines[index] ?? 0;
      const text = textOf(line);
      starts[line] = (starts[line] ?? 0) + by;
      this.#lengths[line] = text.length;
      this.#writeText(line, text);
      by = shifts[index] ?? 0;
      const next = lines[index + 1] ?? end;
      if (by !== 0) for (let i = line + 1; i < next; i++) starts[i] = (starts[i] ?? 0) + by;
    }
    this.#resized.clear();
  }

  #reserve(bytes: number, lines: number): void {
    // One more for the newline at the end.
    const neededBytes = this.#size + bytes + 1;
    if (neededBytes > this.#bytes.length) {
      const grown = Buffer.alloc(Math.ceil(neededBytes * GROWTH));
      grown.set(this.#bytes.subarray(0, this.#size));
      this.#bytes = grown;
    }
    const neededLines = this.#lines + lines;
    if (neededLines <= this.#starts.length) return;
    const capacity = Math.ceil(neededLines * GROWTH);
    const [starts, lengths, values] = [this.#starts, this.#lengths, this.#values];
    this.#starts = new Uint32Array(capacity);
    this.#lengths = new Uint8Array(capacity);
    this.#values = new Float64Array(capacity);
    this.#starts.set(starts);
    this.#lengths.set(lengths);
    this.#values.set(values);
  }
}

/** Of a whole number below 2^31. */
function digitsOf(value: number): number {
  if (value < 10) return 1;
  if (value < 100) return 2;
  if (value < 1_000) return 3;
  if (value < 10_000) return 4;
  if (value < 100_000) return 5;
  if (value < 1_000_000) return 6;
  if (value < 10_000_000) return 7;
  if (value < 100_000_000) return 8;
  return value < 1_000_000_000 ? 9 : 10;
}
