import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { AgentSpan } from "../signals/span.ts";
import { decodeSpans, encodeSpans, type SpanBatch } from "./span-codec.ts";

const hex = (size: number) =>
  fc
    .array(fc.constantFrom(..."0123456789abcdef"), { minLength: size, maxLength: size })
    .map((digits) => digits.join(""));
const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });
const amount = fc.double({ noNaN: true });
const tokens = fc.record(
  { input: amount, output: amount, cacheRead: amount, cacheWrite: amount },
  { noNullPrototype: true, requiredKeys: ["input", "output"] },
);
/** Few different ones, so that texts and traces recur, and strange ones. */
const text = fc.oneof(
  fc.constantFrom("", "self.rag", "ä‹✓", "\ufeffmark"),
  fc.string({ unit: "grapheme", maxLength: 400 }),
);

/** As the reader of telemetry makes them. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(model, { noNullPrototype: true });

const span: fc.Arbitrary<AgentSpan> = record<AgentSpan>({
  traceId: fc.oneof(fc.constant("0af7651916cd43dd8448eb211c80319c"), hex(32)),
  spanId: hex(16),
  parentSpanId: orNull(hex(16)),
  name: text,
  convention: fc.constantFrom("callback", "openinference", "mlflow", "genai", "none"),
  kind: fc.constantFrom(
    "module",
    "lm",
    "tool",
    "retriever",
    "adapter",
    "embedding",
    "server",
    "other",
  ),
  startMs: amount,
  endMs: amount,
  endpoint: text,
  modelVersion: orNull(text),
  release: orNull(text),
  predictorHash: orNull(text),
  path: orNull(text),
  program: orNull(text),
  model: orNull(text),
  provider: orNull(text),
  tokens: orNull(tokens),
  totalTokens: orNull(tokens),
  costUsd: orNull(amount),
  savedCostUsd: orNull(amount),
  cacheHit: orNull(fc.boolean()),
  firstTokenMs: orNull(amount),
  failed: fc.boolean(),
  errorClass: orNull(fc.constantFrom("timeout", "tool", "max_iterations")),
  errorType: orNull(text),
  errorMessage: orNull(text),
  repeatsParent: fc.boolean(),
});
const batch = record<SpanBatch>({
  spans: fc.array(span, { maxLength: 30 }),
  dropped: fc
    .dictionary(fc.constantFrom("invalid_time", "attribute_limit"), fc.nat())
    .map((dropped) => ({ ...dropped })),
});

test("a batch comes back as it was", () => {
  fc.assert(
    fc.property(batch, (given) => assert.deepEqual(decodeSpans(encodeSpans(given)), given)),
  );
});

test("a batch that was cut off is refused, wherever it was cut", () => {
  fc.assert(
    fc.property(batch, fc.nat(), (given, at) => {
      const bytes = encodeSpans(given);
      assert.throws(() => decodeSpans(bytes.subarray(0, at % bytes.length)), RangeError);
    }),
  );
});

test("bytes of another format are refused", () => {
  assert.throws(() => decodeSpans(Uint8Array.of(9, 0, 0)), /format 9/);
});

test("bytes that nobody wrote are refused or read, and take no time", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      try {
        decodeSpans(Uint8Array.of(2, ...bytes));
      } catch (error) {
        assert.ok(error instanceof RangeError);
      }
    }),
  );
});
