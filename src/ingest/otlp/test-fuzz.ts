/**
 * For tests: inputs that follow from a number each, made of recorded ones by damage to
 * their bytes, their fields or their JSON; and a run over very many of them. Each must end in
 * what was decoded or in `TELEMETRY_INVALID`, soon, and leave nothing in memory. A failure
 * names its number, and `FUZZ_SEED=<number> FUZZ_RUNS=1` repeats just that one.
 */
import assert from "node:assert/strict";
import { MonitorError } from "../../monitor-error.ts";

export const RUNS = Number(process.env.FUZZ_RUNS ?? 10_000);
const FIRST_SEED = Number(process.env.FUZZ_SEED ?? 1);
/** Of the processor: on a busy machine, or one that stands still for a while, clocks tell nothing. */
const INPUT_MAX_MS = 100;
/** What all inputs after the first tenth may add to what is in use, in bytes: it varies by a few MiB. */
const GROWTH_MAX_BYTES = 16 * 1024 * 1024;
/** Mutations that insert stop growing a body here, so that the limit above stays meaningful. */
const INPUT_MAX_BYTES = 128 * 1024;

/** A whole number from 0 up to, not including, `end`. */
export type Random = (end: number) => number;

/**
 * @param inputOf makes an input; what it returns decodes it.
 * @param check what has to be true of everything that decodes. Its time counts too.
 * @param usedMemoryBytes after garbage was collected.
 */
export function fuzz<T>({
  inputOf,
  check,
  usedMemoryBytes,
}: {
  readonly inputOf: (random: Random) => () => T;
  readonly check: (decoded: T) => void;
  readonly usedMemoryBytes: () => number;
}): void {
  const outcomes = { decoded: 0, refused: 0 };
  let usedBytes = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
    if (seed === FIRST_SEED + Math.floor(RUNS / 10)) usedBytes = usedMemoryBytes();
    const run = inputOf(randomFrom(seed));
    let tookMs = Number.POSITIVE_INFINITY;
    // Measured again when slow: a collection of garbage may have fallen into it.
    for (let attempt = 0; attempt < 3 && tookMs > INPUT_MAX_MS; attempt++) {
      const start = process.threadCpuUsage();
      try {
        check(run());
        tookMs = sinceMs(start);
        if (attempt === 0) outcomes.decoded += 1;
      } catch (error) {
        tookMs = Math.min(tookMs, sinceMs(start));
        if (!(error instanceof MonitorError) || error.code !== "TELEMETRY_INVALID") {
          throw new Error(`input ${seed}: repeat with FUZZ_SEED=${seed} FUZZ_RUNS=1`, {
            cause: error,
          });
        }
        if (attempt === 0) outcomes.refused += 1;
      }
    }
    assert.ok(tookMs <= INPUT_MAX_MS, `input ${seed} took ${tookMs} ms`);
  }
  const grownBytes = usedMemoryBytes() - usedBytes;
  if (RUNS >= 1000) assert.ok(grownBytes < GROWTH_MAX_BYTES, `${grownBytes} bytes more in use`);
  // Otherwise the damage is too slight, or so heavy that nothing behind the first byte is tried.
  if (RUNS >= 1000) {
    assert.ok(
      outcomes.decoded > RUNS / 20 && outcomes.refused > RUNS / 20,
      JSON.stringify(outcomes),
    );
  }
}

function sinceMs(start: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(start);
  return (user + system) / 1000;
}

/** The generator mulberry32. */
function randomFrom(seed: number): Random {
  let state = seed | 0;
  return (end) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * end);
  };
}

export function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[random(items.length)];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
}

// ─── Bytes, texts, documents ────────────────────────────────────────────────

/** Bytes that mean something at the wrong place: numbers without end, huge lengths, groups. */
const NASTY_BYTES: readonly (readonly number[])[] = [
  [0x00],
  [0x7f],
  [0x80],
  [0xff],
  [0x0b],
  [0x0a, 0x00],
  [0xff, 0xff, 0xff, 0xff, 0x07],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
  [0, 0, 0, 0, 0, 0, 0xf8, 0x7f],
  [0, 0, 0, 0, 0, 0, 0xf0, 0xff],
];

/** @param originals one of which is damaged; of the others parts may come in. */
export function damagedBytes(random: Random, originals: readonly Uint8Array[]): Uint8Array {
  let body = Uint8Array.from(pick(random, originals));
  for (let left = 1 + random(4); left > 0 && body.length > 0; left--) {
    const at = random(body.length);
    const end = Math.min(body.length, at + 1 + random(random(8) === 0 ? 4096 : 16));
    switch (random(9)) {
      case 0:
        body = body.slice(0, at);
        break;
      case 1:
        body = spliced(body, at, end, []);
        break;
      case 2:
        body = spliced(body, at, at, body.subarray(at, end));
        break;
      case 3: {
        const other = pick(random, originals);
        const from = random(other.length);
        body = spliced(body, at, end, other.subarray(from, from + end - at));
        break;
      }
      case 4:
        body = spliced(body, at, at + random(2), pick(random, NASTY_BYTES));
        break;
      case 5:
        body = spliced(body, 0, 0, nestedResource(random));
        break;
      default:
        body[at] = (body[at] ?? 0) ^ (1 << random(8));
    }
  }
  return body;
}

function spliced(
  body: Uint8Array,
  start: number,
  end: number,
  insert: ArrayLike<number>,
): Uint8Array<ArrayBuffer> {
  const length = start + insert.length + body.length - end;
  const result = new Uint8Array(length);
  result.set(body.subarray(0, start));
  result.set(insert, start);
  result.set(body.subarray(end), start + insert.length);
  return result.length > INPUT_MAX_BYTES ? result.slice(0, INPUT_MAX_BYTES) : result;
}

/** A resource without spans, whose only attribute nests up to 200 deep. */
function nestedResource(random: Random): readonly number[] {
  let value = [0x18, 1];
  for (let depth = random(200); depth > 0; depth--) {
    value = withLength(pick(random, [0x2a, 0x2a, 0x32]), withLength(0x0a, value));
  }
  const attribute = [...withLength(0x0a, [0x6b, 0x6b]), ...withLength(0x12, value)];
  return withLength(0x0a, withLength(0x0a, withLength(0x0a, attribute)));
}

function withLength(tag: number, bytes: readonly number[]): number[] {
  const header = [tag];
  let left = bytes.length;
  for (; left > 0x7f; left >>>= 7) header.push((left & 0x7f) | 0x80);
  header.push(left);
  return header.concat(bytes);
}

const NASTY_TEXTS = ['"', "\\", "{", "}", "[", "]", ",", ":", "null", "1e999", "\u0000", "\\ud800"];

export function damagedText(random: Random, originals: readonly string[]): string {
  let text = pick(random, originals);
  for (let left = 1 + random(3); left > 0; left--) {
    const at = random(text.length + 1);
    const end = at + random(16);
    const insert =
      random(2) === 0 ? pick(random, NASTY_TEXTS) : pick(random, originals).slice(at, end);
    text = random(8) === 0 ? text.slice(0, at) : text.slice(0, at) + insert + text.slice(end);
  }
  return text;
}

/** Still JSON, with parts replaced, removed, exchanged and nested. */
export function damagedDocument(random: Random, originals: readonly string[]): string {
  const document: unknown = JSON.parse(pick(random, originals));
  for (let left = 1 + random(3); left > 0; left--) damageSomewhere(random, document);
  return JSON.stringify(document);
}

function damageSomewhere(random: Random, root: unknown): void {
  let node = root;
  for (;;) {
    if (typeof node !== "object" || node === null) return;
    const keys = Object.keys(node);
    if (keys.length === 0) return;
    const key = pick(random, keys);
    // An index is a key here: damage may treat an array like an object.
    const owner = node as Record<string, unknown>;
    const child = owner[key];
    if (typeof child !== "object" || child === null || random(6) === 0) {
      if (random(8) === 0) delete owner[key];
      else owner[key] = damagedChild(random, child);
      return;
    }
    node = child;
  }
}

function damagedChild(random: Random, child: unknown): unknown {
  switch (random(12)) {
    case 0:
      return null;
    case 1:
      return [];
    case 2:
      return {};
    case 3:
      return "";
    case 4:
      return -1;
    case 5:
      return 2 ** 64;
    case 6:
      return 0.5;
    case 7:
      return true;
    case 8:
      return "€".repeat(random(6000));
    case 9:
      return [child];
    case 10:
      return String(child);
    default: {
      let value: unknown = { stringValue: "deep" };
      for (let depth = random(150); depth > 0; depth--) value = { arrayValue: { values: [value] } };
      return value;
    }
  }
}

// ─── Fields of protobuf ─────────────────────────────────────────────────────

type Field = { tag: readonly number[]; wireType: number; value: Uint8Array };

/**
 * Still a protobuf message whose lengths are right, with fields removed, repeated, exchanged,
 * renamed, of other types and with other values, at any depth.
 */
export function damagedMessage(random: Random, originals: readonly Uint8Array[]): Uint8Array {
  let body = pick(random, originals);
  for (let left = 1 + random(3); left > 0; left--) body = withDamagedField(random, body);
  return body.length > INPUT_MAX_BYTES ? body.subarray(0, INPUT_MAX_BYTES) : body;
}

function withDamagedField(random: Random, message: Uint8Array): Uint8Array {
  const fields = fieldsOf(message);
  if (fields === null || fields.length === 0) return message;
  const place = random(fields.length);
  const field = fields[place] as Field; // the place is inside
  const isMessage = field.wireType === 2 && (fieldsOf(field.value)?.length ?? 0) > 0;
  if (isMessage && random(6) !== 0) field.value = withDamagedField(random, field.value);
  else damageField(random, fields, place);
  return encoded(fields);
}

function damageField(random: Random, fields: Field[], place: number): void {
  const field = fields[place] as Field; // the place is inside
  switch (random(8)) {
    case 0:
      fields.splice(place, 1);
      break;
    case 1:
      fields.push(...new Array<Field>(1 + random(random(8) === 0 ? 1_000 : 3)).fill(field));
      break;
    case 2:
      fields.splice(random(fields.length), 0, ...fields.splice(place, 1));
      break;
    case 3:
      field.tag = [((1 + random(15)) << 3) | field.wireType];
      break;
    case 4:
      field.wireType = pick(random, [0, 1, 2, 5]);
      field.tag = [((field.tag[0] ?? 0) & 0x78) | field.wireType];
      break;
    case 5:
      field.value = Uint8Array.from({ length: random(20) }, () => random(256));
      break;
    case 6:
      field.value = Uint8Array.from(pick(random, NASTY_BYTES));
      break;
    default:
      field.value = pick(random, fields).value;
  }
}

/** `null` when the bytes are no message. */
function fieldsOf(message: Uint8Array): Field[] | null {
  const fields: Field[] = [];
  let at = 0;
  const varint = () => {
    const from = at;
    while ((message[at] ?? 0) >= 0x80) at++;
    at++;
    return message.subarray(from, at);
  };
  while (at < message.length) {
    const tag = [...varint()];
    const wireType = (tag[0] ?? 0) & 7;
    let value: Uint8Array;
    if (wireType === 0) value = varint();
    else if (wireType === 1 || wireType === 5) {
      const from = at;
      at += wireType === 1 ? 8 : 4;
      value = message.subarray(from, at);
    } else if (wireType === 2) {
      const length = varint().reduce((sum, byte, index) => sum + (byte & 0x7f) * 128 ** index, 0);
      const from = at;
      at += length;
      value = message.subarray(from, at);
    } else return null;
    if (at > message.length) return null;
    fields.push({ tag, wireType, value });
  }
  return fields;
}

function encoded(fields: readonly Field[]): Uint8Array {
  const parts = fields.flatMap(({ tag, wireType, value }) => {
    const header = [...tag];
    if (wireType !== 2) return [Uint8Array.from(header), value];
    let left = value.length;
    for (; left > 0x7f; left >>>= 7) header.push((left & 0x7f) | 0x80);
    header.push(left);
    return [Uint8Array.from(header), value];
  });
  return Buffer.concat(parts);
}
