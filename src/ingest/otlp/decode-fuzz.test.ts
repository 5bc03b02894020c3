/**
 * Every recorded body decodes, and whatever is done to one ends in spans within
 * their limits and traces of them, or in a `MonitorError`: soon, and without leaving
 * anything in memory. Inputs follow from a number each: a failure names it, and
 * `FUZZ_SEED=<number> FUZZ_RUNS=1` repeats just that one. A long run, of a quarter of an hour:
 *
 *     FUZZ_RUNS=10000000 node src/ingest/otlp/decode-fuzz.test.ts
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { usedMemoryBytes } from "../../../test/used-memory.ts";
import { MonitorError } from "../../monitor-error.ts";
import type { ClosedTrace } from "../../signals/closed-trace.ts";
import type { AgentSpan } from "../../signals/span.ts";
import { agentAttributes } from "./agent-attributes.ts";
import { toAgentSpan } from "./agent-span.ts";
import { decodeTracesJson } from "./decode-json.ts";
import { decodeTracesProtobuf } from "./decode-protobuf.ts";
import { OpenTraces } from "./open-traces.ts";
import {
  type DecodedTraces,
  EXCEPTION_LIMIT,
  type SpanReader,
  TEXT_LIMIT_BYTES,
  TIME_END_MS,
} from "./otlp-span.ts";
import { type KeptSpan, keptSpans } from "./test-attributes.ts";

const RUNS = Number(process.env.FUZZ_RUNS ?? 100_000);
const FIRST_SEED = Number(process.env.FUZZ_SEED ?? 1);
/** Of the processor: on a busy machine, or one that stands still for a while, clocks tell nothing. */
const INPUT_MAX_MS = 100;
/** What all inputs after the first tenth may add to what is in use, in bytes: it varies by a few MiB. */
const GROWTH_MAX_BYTES = 16 * 1024 * 1024;
/** Mutations that insert stop growing a body here, so that the limit above stays meaningful. */
const INPUT_MAX_BYTES = 128 * 1024;

type Capture = { readonly name: string; readonly format: "pb" | "json"; readonly body: Uint8Array };

const CAPTURES = readCaptures(new URL("../../../fixtures/telemetry/captures/", import.meta.url));
const PROTOBUF = CAPTURES.filter(({ format }) => format === "pb");
const JSON_TEXTS = CAPTURES.filter(({ format }) => format === "json").map(({ body }) =>
  new TextDecoder().decode(body),
);

/** Whatever looks like a key in a recorded body, and what agents tell. */
const KEYS = CAPTURES.flatMap(({ body }) => [
  ...Buffer.from(body)
    .toString("latin1")
    .matchAll(/[a-z_]+(?:\.\w+)+/g),
]).map(([key]) => key);
const EVERY_KEY = readingOf([...agentAttributes.places.keys(), ...KEYS]);
const SOME_KEYS = readingOf(KEYS.filter((key) => key.length % 2 === 0));
const AGENT_KEYS = readingOf(agentAttributes.places.keys());

test("every recorded body decodes completely", () => {
  assert.ok(PROTOBUF.length > 50 && JSON_TEXTS.length > 3, "the recordings are there");
  for (const { name, format, body } of CAPTURES) {
    const decoded =
      format === "pb"
        ? decodeTracesProtobuf(body, EVERY_KEY)
        : decodeTracesJson(new TextDecoder().decode(body), EVERY_KEY);
    assert.ok(decoded.spans.length > 0, name);
    assert.equal(decoded.dropped.size, 0, name);
    assertWithinLimits(decoded);
    for (const span of decoded.spans) {
      assert.ok(span.name.length > 0, name);
      assert.ok(span.attributes.size > 0, `${name}: ${span.name} has no attributes`);
      assert.ok(span.endMs - span.startMs < 60_000, `${name}: ${span.name} is too long`);
    }
  }
});

test(`${RUNS} damaged bodies decode or are refused`, () => {
  const outcomes = { decoded: 0, refused: 0 };
  let usedBytes = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
    if (seed === FIRST_SEED + Math.floor(RUNS / 10)) usedBytes = usedMemoryBytes();
    const run = damagedInput(randomFrom(seed));
    let tookMs = Number.POSITIVE_INFINITY;
    // Measured again when slow: a collection of garbage may have fallen into it.
    for (let attempt = 0; attempt < 3 && tookMs > INPUT_MAX_MS; attempt++) {
      const start = process.threadCpuUsage();
      try {
        const decoded = run();
        const closed = tracesOf(decoded);
        tookMs = sinceMs(start);
        if (attempt === 0) outcomes.decoded += 1;
        assertWithinLimits(decoded);
        assertFigures(closed);
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
});

/** A span as it was decoded, and what an agent told with it. */
type DecodedSpan = KeptSpan & { readonly read: AgentSpan };

/** Agents' keys have the same places as in the product only where they come first. */
function readingOf(keys: Iterable<string>): SpanReader<DecodedSpan> {
  const kept = keptSpans(keys);
  return { keys: kept.keys, read: (span) => ({ ...kept.read(span), read: toAgentSpan(span) }) };
}

function sinceMs(start: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(start);
  return (user + system) / 1000;
}

function assertWithinLimits({ spans, dropped }: DecodedTraces<DecodedSpan>): void {
  for (const span of spans) {
    assert.match(span.traceId, /^[0-9a-f]{32}$/);
    assert.match(span.spanId, /^[0-9a-f]{16}$/);
    assert.match(span.parentSpanId ?? span.spanId, /^[0-9a-f]{16}$/);
    assert.ok(span.startMs > 0 && span.endMs >= span.startMs && span.endMs < TIME_END_MS);
    assert.ok(span.kind >= 0 && span.kind <= 5 && span.statusCode >= 0 && span.statusCode <= 2);
    assert.ok(span.exceptions.length <= EXCEPTION_LIMIT);
    for (const text of [span.name, span.statusMessage]) {
      assert.ok(text.length <= TEXT_LIMIT_BYTES);
    }
    for (const value of span.attributes.values()) {
      assert.ok(typeof value !== "string" || value.length <= TEXT_LIMIT_BYTES);
    }
  }
  for (const count of dropped.values()) assert.ok(Number.isInteger(count) && count > 0);
}

/** As the monitor goes on with them, whatever their parents and times are. */
function tracesOf({ spans }: DecodedTraces<DecodedSpan>): readonly ClosedTrace[] {
  const traces = new OpenTraces();
  traces.add(
    spans.map(({ read }) => read),
    0,
  );
  return traces.close(traces.all());
}

function assertFigures(traces: readonly ClosedTrace[]): void {
  const isAmount = (amount: number) => Number.isFinite(amount) && amount >= 0;
  for (const { requests, moduleCalls } of traces) {
    for (const { latencyMs, tokens } of [...requests, ...moduleCalls]) {
      assert.ok(isAmount(latencyMs));
      assert.ok(tokens === null || (isAmount(tokens.input) && isAmount(tokens.output)));
    }
    for (const { selfMs, latencyMs } of moduleCalls) {
      assert.ok(isAmount(selfMs) && selfMs <= latencyMs);
    }
  }
}

/** A whole number from 0 up to, not including, `end`. */
type Random = (end: number) => number;

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

function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[random(items.length)];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
}

function damagedInput(random: Random): () => DecodedTraces<DecodedSpan> {
  const reading = pick(random, [EVERY_KEY, SOME_KEYS, AGENT_KEYS]);
  switch (random(8)) {
    case 0: {
      const text = damagedText(random);
      return () => decodeTracesJson(text, reading);
    }
    case 1: {
      const text = damagedDocument(random);
      return () => decodeTracesJson(text, reading);
    }
    default: {
      const body = damagedBytes(random, pick(random, PROTOBUF).body);
      return () => decodeTracesProtobuf(body, reading);
    }
  }
}

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
];

function damagedBytes(random: Random, original: Uint8Array): Uint8Array {
  let body = Uint8Array.from(original);
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
        const other = pick(random, PROTOBUF).body;
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

function damagedText(random: Random): string {
  let text = pick(random, JSON_TEXTS);
  for (let left = 1 + random(3); left > 0; left--) {
    const at = random(text.length + 1);
    const end = at + random(16);
    const insert =
      random(2) === 0 ? pick(random, NASTY_TEXTS) : pick(random, JSON_TEXTS).slice(at, end);
    text = random(8) === 0 ? text.slice(0, at) : text.slice(0, at) + insert + text.slice(end);
  }
  return text;
}

/** Still JSON, with parts replaced, removed, exchanged and nested. */
function damagedDocument(random: Random): string {
  const document: unknown = JSON.parse(pick(random, JSON_TEXTS));
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

function readCaptures(directory: URL): readonly Capture[] {
  return readdirSync(directory).flatMap((name) => {
    const format = /\.otlp\.(pb|json)(\.gz)?$/.exec(name);
    if (format === null) return [];
    const sent = readFileSync(new URL(name, directory));
    return [
      {
        name,
        format: format[1] === "pb" ? "pb" : "json",
        body: format[2] === undefined ? sent : gunzipSync(sent),
      } as const,
    ];
  });
}
