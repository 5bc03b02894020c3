import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Tokens } from "../../signals/request.ts";
import type { AgentSpan } from "../../signals/span.ts";
import { NO_ROW, SpanRows } from "./span-rows.ts";
import { spansOf, traceId } from "./test-spans.ts";

const [span] = spansOf({}) as [AgentSpan, ...AgentSpan[]];

const amount = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true });
const known = fc.option(amount);
const tokens = fc.option(
  fc.record(
    { input: amount, output: amount, cacheRead: amount, cacheWrite: amount },
    { requiredKeys: ["input", "output"], noNullPrototype: true },
  ),
) as fc.Arbitrary<Tokens | null>;
const name = fc.constantFrom("a", "b");
const maybe = fc.option(name);

/** Few texts, so that spans are alike in part. */
const spans: fc.Arbitrary<AgentSpan> = fc.record(
  {
    traceId: fc.constant(traceId),
    spanId: fc.stringMatching(/^[0-9a-f]{16}$/),
    parentSpanId: fc.option(fc.stringMatching(/^[0-9a-f]{16}$/)),
    name,
    convention: fc.constantFrom("callback", "none"),
    kind: fc.constantFrom("module", "lm"),
    startMs: amount,
    endMs: amount,
    endpoint: name,
    modelVersion: maybe,
    release: maybe,
    predictorHash: maybe,
    path: maybe,
    program: maybe,
    model: maybe,
    provider: maybe,
    tokens,
    totalTokens: tokens,
    costUsd: known,
    savedCostUsd: known,
    cacheHit: fc.option(fc.boolean()),
    firstTokenMs: known,
    failed: fc.boolean(),
    errorClass: fc.option(fc.constantFrom("tool", "timeout")),
    errorType: maybe,
    errorMessage: maybe,
    repeatsParent: fc.boolean(),
  },
  { noNullPrototype: true },
);

test("what waits comes back as it was, also in a row that was free again", () => {
  fc.assert(
    fc.property(fc.array(spans, { maxLength: 200 }), fc.array(spans), (first, second) => {
      const rows = new SpanRows();
      const places = first.map((each) => rows.add(each));
      const back = places.map((row) => rows.get(row, traceId));
      assert.deepEqual(back, first);
      for (const row of places) rows.free(row);
      const again = second.map((each) => rows.add(each));
      assert.deepEqual(
        again.map((row) => rows.get(row, traceId)),
        second,
      );
      assert.equal(new Set(again).size, second.length);
    }),
  );
});

test("rows follow each other as they are told to", () => {
  const rows = new SpanRows();
  const [first, other, second] = [rows.add(span), rows.add(span), rows.add(span)];
  rows.follow(first, second);
  assert.equal(rows.after(first), second);
  assert.equal(rows.after(second), NO_ROW);
  assert.equal(rows.after(other), NO_ROW);
});
