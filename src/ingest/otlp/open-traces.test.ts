import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { AgentSpan } from "../../signals/span.ts";
import {
  CLOSE_AFTER_MS,
  CLOSE_UNFINISHED_AFTER_MS,
  CLOSE_WITHOUT_ROOT_AFTER_MS,
  CLOSED_SPANS_MAX,
  OPEN_SPANS_MAX,
  OpenTraces,
  TRACE_SPANS_MAX,
} from "./open-traces.ts";
import { spansOf, traceId } from "./test-spans.ts";

const spans = spansOf({ inside: [{ name: "Predict.forward", inside: [{ kind: "lm" }] }] });
const key = `${traceId} support-rag`;
const [root, ...children] = spans as [AgentSpan, ...AgentSpan[]];

/** Adds the parts at their times, and tells at which times the trace is due. */
function check(name: string, parts: [atMs: number, spans: AgentSpan[]][], dueAtMs: number) {
  test(name, () => {
    const traces = new OpenTraces();
    for (const [atMs, part] of parts) traces.add(part, atMs);
    assert.deepEqual(traces.due(dueAtMs - 1), []);
    assert.deepEqual(traces.due(dueAtMs), [key]);
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

test("a clock that is set back does not keep a trace open until it is as late as before", () => {
  const traces = new OpenTraces();
  const rightMs = 1_000;
  traces.add(spans, rightMs + 720 * 3_600_000);
  assert.deepEqual(traces.due(rightMs), []);
  assert.deepEqual(traces.due(rightMs + CLOSE_AFTER_MS - 1), []);
  assert.deepEqual(traces.due(rightMs + CLOSE_AFTER_MS), [key]);
});

test("time during which the monitor was down is no quiet time", () => {
  const traces = new OpenTraces();
  traces.add(spans, 0);
  const backMs = 60_000;
  traces.waitAnew(backMs);
  assert.deepEqual(traces.due(backMs + CLOSE_AFTER_MS - 1), []);
  assert.deepEqual(traces.due(backMs + CLOSE_AFTER_MS), [key]);
});

function dropped(name: string, after: AgentSpan[], expected: Record<string, number>) {
  test(name, () => {
    const traces = new OpenTraces();
    traces.add(spans, 0);
    traces.close([key]);
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
  assert.equal(traces.close([key])[0]?.requests[0]?.latencyMs, 1_000);
});

test("parts in any order, any of them twice, give the same request", () => {
  const whole = new OpenTraces();
  whole.add(spans, 0);
  const expected = whole.close([key]);
  fc.assert(
    fc.property(fc.shuffledSubarray([...spans, ...spans], { minLength: 6 }), (parts) => {
      const traces = new OpenTraces();
      for (const span of parts) traces.add([span], 0);
      assert.deepEqual(traces.close([key]), expected);
    }),
    { numRuns: 50 },
  );
});

test("an agent whose roots come is still at work while one is missing", () => {
  const traces = new OpenTraces();
  traces.add([{ ...root, traceId: "f".repeat(32) }], 0);
  traces.add(children, 0);
  assert.ok(!traces.due(CLOSE_UNFINISHED_AFTER_MS - 1).includes(key));
  assert.ok(traces.due(CLOSE_UNFINISHED_AFTER_MS).includes(key));
});

test("an agent that calls another: both are called, each for itself", () => {
  const traces = new OpenTraces();
  const called = spansOf({ endpoint: "billing", program: "Billing" }, 100);
  traces.add([...spans, ...called], 0);
  const closed = traces.close(traces.all());
  assert.deepEqual(
    closed.map(({ endpoint, requests }) => [endpoint, requests.length]),
    [
      ["support-rag", 1],
      ["billing", 1],
    ],
  );
});

test("beyond the bound the longest quiet close early", () => {
  const traces = new OpenTraces();
  const many = OPEN_SPANS_MAX / TRACE_SPANS_MAX + 2;
  for (let index = 0; index < many; index++) {
    const id = index.toString(16).padStart(32, "a");
    const part = Array.from({ length: TRACE_SPANS_MAX }, (_, n) => ({
      ...root,
      traceId: id,
      parentSpanId: "00000000000000ff",
      spanId: n.toString(16).padStart(16, "0"),
    }));
    traces.add(part, index);
  }
  assert.equal(traces.due(many).length, 2);
});

test("a request that made too many calls ends as its root says, which comes last", () => {
  const calls = Array.from({ length: TRACE_SPANS_MAX + 5 }, (_, index) => {
    const spanId = `f${index.toString(16).padStart(15, "0")}`;
    return { ...root, spanId, parentSpanId: root.spanId };
  });
  const lastMs = CLOSE_WITHOUT_ROOT_AFTER_MS - 1;
  const traces = new OpenTraces();
  assert.deepEqual(traces.add(calls.slice(0, TRACE_SPANS_MAX), 0), new Map());
  assert.deepEqual(
    traces.add(calls.slice(TRACE_SPANS_MAX), lastMs),
    new Map([["trace_span_limit", 5]]),
  );
  // It is still at work, as what was left out tells.
  assert.deepEqual(traces.due(lastMs + 1), []);
  const end = { ...root, failed: true, errorType: "ValueError", endMs: root.startMs + 60_000 };
  assert.deepEqual(traces.add([end], 2 * lastMs), new Map());
  const [closed] = traces.close(traces.due(2 * lastMs + CLOSE_AFTER_MS));
  const told = closed?.requests.map(({ latencyMs, errorClass, incomplete }) => {
    return { latencyMs, errorClass, incomplete };
  });
  assert.deepEqual(told, [{ latencyMs: 60_000, errorClass: "unknown", incomplete: false }]);
  assert.equal(closed?.orphanSpans, 0);
});

test("of a trace of very many spans, too, each is known again", () => {
  const many = Array.from({ length: 2_000 }, (_, index) => {
    const spanId = (index + 1).toString(16).padStart(16, "0");
    return { ...root, spanId, parentSpanId: index === 0 ? null : root.spanId };
  });
  const other = { ...root, spanId: "ffffffffffffffff" };
  const traces = new OpenTraces();
  assert.deepEqual(traces.add(many, 0), new Map());
  assert.deepEqual(traces.add(many, 1), new Map([["duplicate_span", 2_000]]));
  traces.close([key]);
  assert.deepEqual(
    traces.add([...many, other], 2),
    new Map([
      ["duplicate_span", 2_000],
      ["late_span", 1],
    ]),
  );
});

test("a trace whose spans are forgotten is still known to have been closed", () => {
  const traces = new OpenTraces();
  const idOf = (index: number) => index.toString(16).padStart(32, "b");
  const count = CLOSED_SPANS_MAX / TRACE_SPANS_MAX + 2;
  for (let index = 0; index < count; index++) {
    const part = Array.from({ length: TRACE_SPANS_MAX }, (_, n) => ({
      ...root,
      traceId: idOf(index),
      spanId: (n + 1).toString(16).padStart(16, "0"),
      parentSpanId: n === 0 ? null : root.spanId,
    }));
    traces.add(part, index);
    traces.close(traces.all());
  }
  const isForgotten = (index: number, endpoint = root.endpoint) =>
    traces.isForgotten({ ...root, traceId: idOf(index), endpoint });
  assert.deepEqual(
    [0, 1, 2, count].map((index) => isForgotten(index)),
    [true, true, false, false],
  );
  assert.equal(isForgotten(0, "billing"), false, "of another agent in the same trace");
});
