/**
 * Every recorded body decodes, and whatever is done to one ends in spans within
 * their limits and traces of them, or in a `MonitorError`: soon, and without leaving
 * anything in memory. A long run, of a quarter of an hour:
 *
 *     FUZZ_RUNS=10000000 node src/ingest/otlp/decode-fuzz.test.ts
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { usedMemoryBytes } from "../../../test/used-memory.ts";
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
import {
  damagedBytes,
  damagedDocument,
  damagedMessage,
  damagedText,
  fuzz,
  pick,
  type Random,
  RUNS,
} from "./test-fuzz.ts";

type Capture = { readonly name: string; readonly format: "pb" | "json"; readonly body: Uint8Array };

const CAPTURES = readCaptures(new URL("../../../fixtures/telemetry/captures/", import.meta.url));
const PROTOBUF = CAPTURES.filter(({ format }) => format === "pb").map(({ body }) => body);
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
  const check = (decoded: DecodedTraces<DecodedSpan>) => {
    const closed = tracesOf(decoded);
    assertWithinLimits(decoded);
    assertFigures(closed);
  };
  fuzz({ inputOf: damagedInput, check, usedMemoryBytes });
});

/** A span as it was decoded, and what an agent told with it. */
type DecodedSpan = KeptSpan & { readonly read: AgentSpan };

/** Agents' keys have the same places as in the product only where they come first. */
function readingOf(keys: Iterable<string>): SpanReader<DecodedSpan> {
  const kept = keptSpans(keys);
  return { keys: kept.keys, read: (span) => ({ ...kept.read(span), read: toAgentSpan(span) }) };
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

function damagedInput(random: Random): () => DecodedTraces<DecodedSpan> {
  const reading = pick(random, [EVERY_KEY, SOME_KEYS, AGENT_KEYS]);
  switch (random(8)) {
    case 0: {
      const text = damagedText(random, JSON_TEXTS);
      return () => decodeTracesJson(text, reading);
    }
    case 1: {
      const text = damagedDocument(random, JSON_TEXTS);
      return () => decodeTracesJson(text, reading);
    }
    case 2: {
      const body = damagedMessage(random, PROTOBUF);
      return () => decodeTracesProtobuf(body, reading);
    }
    default: {
      const body = damagedBytes(random, PROTOBUF);
      return () => decodeTracesProtobuf(body, reading);
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
