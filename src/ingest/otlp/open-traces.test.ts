import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { AgentSpan } from "../../signals/span.ts";
import { CLOSE_AFTER_MS, CLOSE_WITHOUT_ROOT_AFTER_MS, OpenTraces } from "./open-traces.ts";
import { spansOf, traceId } from "./test-spans.ts";

const spans = spansOf({ inside: [{ name: "Predict.forward", inside: [{ kind: "lm" }] }] });
const [root, ...children] = spans as [AgentSpan, ...AgentSpan[]];

/** Adds the parts at their times, and tells at which times the trace is due. */
function check(name: string, parts: [atMs: number, spans: AgentSpan[]][], dueAtMs: number) {
  test(name, () => {
    const traces = new OpenTraces();
    for (const [atMs, part] of parts) traces.add(part, atMs);
    assert.deepEqual(traces.due(dueAtMs - 1), []);
    assert.deepEqual(traces.due(dueAtMs), [traceId]);
  });
}

check("a whole trace closes soon after", [[0, spans]], CLOSE_AFTER_MS);
check(
  "every new part puts it off",
  [
    [0, children],
    [1_500, [root]],
  ],
  1_500 + CLOSE_AFTER_MS,
);
check("without its root a trace waits longer", [[0, children]], CLOSE_WITHOUT_ROOT_AFTER_MS);
check(
  "a root that comes at last closes it",
  [
    [0, children],
    [29_000, [root]],
  ],
  29_000 + CLOSE_AFTER_MS,
);
check(
  "a repetition does not put it off",
  [
    [0, spans],
    [1_000, spans],
  ],
  CLOSE_AFTER_MS,
);

test("time during which the monitor was down is no quiet time", () => {
  const traces = new OpenTraces();
  traces.add(spans, 0);
  const backMs = 60_000;
  traces.waitAnew(backMs);
  assert.deepEqual(traces.due(backMs + CLOSE_AFTER_MS - 1), []);
  assert.deepEqual(traces.due(backMs + CLOSE_AFTER_MS), [traceId]);
});

function dropped(name: string, after: AgentSpan[], expected: Record<string, number>) {
  test(name, () => {
    const traces = new OpenTraces();
    traces.add(spans, 0);
    traces.close([traceId]);
    assert.deepEqual(Object.fromEntries(traces.add(after, 1)), expected);
    assert.deepEqual(traces.all(), []);
  });
}

const late = { ...root, spanId: "00000000000000ff", parentSpanId: root.spanId };
dropped("what comes again after closing is a duplicate", spans, { duplicate_span: 3 });
dropped("what comes too late is counted and changes nothing", [late], { late_span: 1 });
dropped("another span under a known id is counted", [{ ...root, endMs: 9_999 }], {
  changed_span: 1,
});

test("the first span of an id wins", () => {
  const traces = new OpenTraces();
  const told = traces.add([root, { ...root, endMs: 9_999 }, ...children], 0);
  assert.deepEqual(Object.fromEntries(told), { changed_span: 1 });
  assert.equal(traces.close([traceId])[0]?.requests[0]?.latencyMs, 1_000);
});

test("parts in any order, any of them twice, give the same request", () => {
  const whole = new OpenTraces();
  whole.add(spans, 0);
  const expected = whole.close([traceId]);
  fc.assert(
    fc.property(fc.shuffledSubarray([...spans, ...spans], { minLength: 6 }), (parts) => {
      const traces = new OpenTraces();
      for (const span of parts) traces.add([span], 0);
      assert.deepEqual(traces.close([traceId]), expected);
    }),
    { numRuns: 50 },
  );
});
