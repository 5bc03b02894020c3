import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { AgentSpan } from "../../signals/span.ts";
import { assembleTrace } from "./assemble-trace.ts";
import { TRACE_SPANS_MAX } from "./open-traces.ts";
import { type Branch, failure, spansOf } from "./test-spans.ts";

/** `!` failed the request, `~` was survived. */
function errors(name: string, tree: Branch, expected: string[]) {
  test(name, () => {
    const told = assembleTrace(spansOf(tree)).errors.map(
      ({ handled, type, path, errorClass }) =>
        `${handled ? "~" : "!"}${type} ${errorClass} in ${path}`,
    );
    assert.deepEqual(told, expected);
  });
}

const lm = { kind: "lm", name: "LM.__call__", model: "gpt" } as const;
const predict = { name: "Predict.forward" } as const;
const tool = { kind: "tool", name: "lookup_order" } as const;

errors("nothing failed", { inside: [{ ...predict, inside: [lm] }] }, []);

errors(
  "one failure on all its callers is told once, at the deepest",
  {
    ...failure("LMServerError"),
    inside: [
      { ...predict, ...failure("LMServerError"), inside: [{ ...lm, ...failure("LMServerError") }] },
    ],
  },
  ["!LMServerError lm_provider in Predict.forward"],
);

errors(
  "a tool that failed while the agent went on is survived",
  { name: "ReAct.forward", inside: [{ ...tool, ...failure("ConnectionError") }, predict] },
  ["~ConnectionError tool in lookup_order"],
);

errors(
  "a request that its caller gave up is no failure of the model that it waited for",
  {
    ...failure("CancelledError"),
    inside: [
      {
        ...predict,
        ...failure("CancelledError"),
        inside: [{ ...lm, ...failure("CancelledError") }],
      },
    ],
  },
  ["!CancelledError client in Predict.forward"],
);

errors(
  "nor is a stream whose reader left, while the program fills it in a thread",
  { ...failure("RunFinishedError"), inside: [{ ...lm, ...failure("RunFinishedError") }] },
  ["!RunFinishedError client in RagQA.forward"],
);

errors(
  "nor of the tool",
  { ...failure("CancelledError"), inside: [{ ...tool, ...failure("CancelledError") }] },
  ["!CancelledError client in lookup_order"],
);

errors(
  "a stream that its reader left is told by our package with the exception of the model call",
  {
    ...failure("LMUnexpectedError"),
    errorClass: "client",
    inside: [{ ...lm, ...failure("LMUnexpectedError"), errorClass: "client" }],
  },
  ["!LMUnexpectedError client in RagQA.forward"],
);

errors(
  "an agent that waits no longer for its model has run out of time",
  { ...failure("TimeoutError"), inside: [{ ...lm, ...failure("CancelledError") }] },
  ["!TimeoutError timeout in RagQA.forward"],
);

errors(
  "what was given up since another call failed is not the cause, though it ends last",
  {
    ...failure("ExceptionGroup"),
    inside: [
      { ...predict, ...failure("LMServerError"), endMs: 1_500 },
      { ...predict, ...failure("CancelledError"), endMs: 1_600 },
    ],
  },
  ["!LMServerError lm_provider in Predict.forward", "~CancelledError client in Predict.forward"],
);

errors(
  "a process that is told to end says nothing of its model",
  { ...failure("KeyboardInterrupt"), inside: [{ ...lm, ...failure("KeyboardInterrupt") }] },
  ["!KeyboardInterrupt unknown in RagQA.forward"],
);

errors(
  "a swallowed tool failure stays apart from the failure that came after it",
  {
    name: "ReAct.forward",
    ...failure("LMRateLimitError"),
    inside: [
      { ...tool, ...failure("ConnectionError"), startMs: 1_100, endMs: 1_200 },
      {
        ...predict,
        ...failure("LMRateLimitError"),
        startMs: 1_300,
        inside: [{ ...lm, ...failure("LMRateLimitError"), startMs: 1_300 }],
      },
    ],
  },
  ["!LMRateLimitError lm_provider in Predict.forward", "~ConnectionError tool in lookup_order"],
);

errors(
  "a failure of the program's own code after a swallowed tool failure is the program's",
  {
    name: "ReAct.forward",
    ...failure("ValueError"),
    inside: [{ ...tool, ...failure("ConnectionError") }],
  },
  ["!ValueError unknown in ReAct.forward", "~ConnectionError tool in lookup_order"],
);

errors(
  "a tool whose failure ended the request is its cause",
  {
    name: "ReAct.forward",
    ...failure("ConnectionError"),
    inside: [{ ...tool, ...failure("ConnectionError") }],
  },
  ["!ConnectionError tool in lookup_order"],
);

errors(
  "an adapter that fell back and worked is survived",
  {
    inside: [
      {
        ...predict,
        inside: [
          { kind: "adapter", name: "ChatAdapter.parse", ...failure("AdapterParseError") },
          { kind: "adapter", name: "JSONAdapter.parse" },
        ],
      },
    ],
  },
  ["~AdapterParseError adapter_parse in Predict.forward"],
);

errors(
  "a fallback that failed too is one failure",
  {
    ...failure("AdapterParseError"),
    inside: [
      {
        ...predict,
        ...failure("AdapterParseError"),
        inside: [
          {
            kind: "adapter",
            name: "ChatAdapter.parse",
            ...failure("AdapterParseError"),
            endMs: 1_200,
          },
          {
            kind: "adapter",
            name: "JSONAdapter.parse",
            ...failure("AdapterParseError"),
            startMs: 1_300,
          },
        ],
      },
    ],
  },
  ["!AdapterParseError adapter_parse in Predict.forward"],
);

errors(
  "a failed attempt that was repeated with success is survived",
  {
    inside: [
      {
        ...lm,
        inside: [
          { ...lm, name: "completion", ...failure("RateLimitError"), endMs: 1_300 },
          { ...lm, name: "completion", startMs: 1_400 },
        ],
      },
    ],
  },
  ["~RateLimitError lm_provider in RagQA.forward"],
);

errors(
  "a time-out is told by the message where the exception does not",
  { inside: [{ ...lm, ...failure("LMTransportError"), errorMessage: "[m] read timed out" }] },
  ["~LMTransportError timeout in RagQA.forward"],
);

test("tokens of attempts and of totals are counted once", () => {
  const attempt = { ...lm, name: "completion", tokens: { input: 10, output: 2 } };
  const tree: Branch = {
    totalTokens: { input: 999, output: 999 },
    inside: [
      {
        ...predict,
        totalTokens: { input: 99, output: 99 },
        inside: [{ ...lm, inside: [attempt] }],
      },
    ],
  };
  assert.deepEqual(assembleTrace(spansOf(tree)).requests[0]?.tokens, { input: 10, output: 2 });
});

test("without tokens on calls the topmost total counts, and only that", () => {
  const tree: Branch = {
    totalTokens: { input: 7, output: 3 },
    inside: [{ ...predict, totalTokens: { input: 7, output: 3 }, inside: [lm] }],
  };
  assert.deepEqual(assembleTrace(spansOf(tree)).requests[0]?.tokens, { input: 7, output: 3 });
});

test("own time leaves out the time in which calls inside run, also where they overlap", () => {
  const tree: Branch = {
    startMs: 0,
    endMs: 1_000,
    inside: [
      { ...predict, startMs: 100, endMs: 500 },
      { ...predict, startMs: 300, endMs: 700 },
    ],
  };
  const [program] = assembleTrace(spansOf(tree)).moduleCalls;
  assert.equal(program?.selfMs, 400);
});

test("the first token counts from the start of the request", () => {
  const tree: Branch = { startMs: 1_000, inside: [{ ...lm, startMs: 1_200, firstTokenMs: 50 }] };
  assert.equal(assembleTrace(spansOf(tree)).requests[0]?.firstTokenMs, 250);
});

for (const kind of ["embedding", "adapter", "tool", "retriever", "lm", "other"] as const) {
  test(`a lone ${kind} is no request`, () => {
    assert.deepEqual(assembleTrace(spansOf({ kind })).requests, []);
  });
}

test("without its root a trace is an incomplete request", () => {
  const [, ...rest] = spansOf({ inside: [{ ...predict, inside: [lm] }] });
  const { requests, spans, orphanSpans } = assembleTrace(rest);
  const [request] = requests;
  assert.deepEqual(
    { incomplete: request?.incomplete, program: request?.program, failed: request?.errorClass },
    { incomplete: true, program: "unknown", failed: null },
  );
  assert.deepEqual([spans, orphanSpans], [2, 1]);
});

test("what lost its parent was called in the request of its trace, and so is of its release", () => {
  const [program, , inner] = spansOf({ release: "r1", inside: [{ ...predict, inside: [lm] }] });
  const [, , elsewhere] = spansOf({ inside: [{ ...predict, inside: [lm] }] }, 100);
  assert.ok(program && inner && elsewhere);
  const releases = (...spans: AgentSpan[]) =>
    assembleTrace(spans).moduleCalls.map(({ release }) => release);
  assert.deepEqual(releases(program, inner), ["r1", "r1"]);
  const other = { ...program, spanId: "00000000000000ff", release: "r2" };
  assert.deepEqual(releases(program, other, elsewhere), ["r1", "r2", null]);
});

test("a subtree whose parent never came is counted as orphaned, and is no request of its own", () => {
  const [program, , inner] = spansOf({ inside: [{ ...predict, inside: [lm] }] });
  assert.ok(program && inner);
  const trace = assembleTrace([program, inner]);
  assert.deepEqual([trace.requests.length, trace.orphanSpans, trace.moduleCalls.length], [1, 1, 2]);
});

test("parents in a circle neither hang nor lose a span", () => {
  const spans = spansOf({ inside: [{ ...predict, inside: [lm] }] });
  const [first, second, third] = spans;
  assert.ok(first && second && third);
  const circle = [{ ...first, parentSpanId: third.spanId }, second, third];
  assert.equal(assembleTrace(circle).moduleCalls.length, 3);
  assert.equal(assembleTrace([{ ...first, parentSpanId: first.spanId }]).requests.length, 1);
});

/** Ten thousand spans, each made of its place and of the ids of the one before and of the first. */
function atOnce(name: string, span: (place: number, ids: Ids) => Partial<AgentSpan>) {
  test(`ten thousand spans, ${name}: assembled at once`, () => {
    const idOf = (place: number) => (place + 1).toString(16).padStart(16, "0");
    const [blank] = spansOf({});
    assert.ok(blank);
    const spans = Array.from({ length: TRACE_SPANS_MAX }, (_, place) => {
      const ids = { first: place > 0 ? idOf(0) : null, before: place > 0 ? idOf(place - 1) : null };
      return { ...blank, spanId: idOf(place), ...span(place, ids) };
    });
    let tookMs = Number.POSITIVE_INFINITY;
    // Again when slow: another process may have had the processor.
    for (let attempt = 0; attempt < 3 && tookMs > 500; attempt++) {
      const started = performance.now();
      const trace = assembleTrace(spans);
      tookMs = performance.now() - started;
      assert.ok(trace.moduleCalls.length > 0);
    }
    assert.ok(tookMs < 500, `${tookMs} ms`);
  });
}
type Ids = { readonly first: string | null; readonly before: string | null };
const failed = failure("ValueError");

atOnce("each inside the one before", (_, { before }) => ({ parentSpanId: before }));
atOnce("each failed by the one inside it", (_, { before }) => ({
  ...failed,
  parentSpanId: before,
}));
atOnce("failed tools inside failed tools", (place, { before }) => ({
  ...failed,
  kind: place > 0 ? "tool" : "module",
  parentSpanId: before,
}));
atOnce("attempts inside attempts, none of which tells its tokens", (place, { before }) => ({
  kind: place > 0 ? "lm" : "module",
  parentSpanId: before,
}));
atOnce("attempts inside attempts, all of which tell", (place, { before }) => ({
  kind: place > 0 ? "lm" : "module",
  parentSpanId: before,
  tokens: { input: 1, output: 1 },
}));
atOnce("all of them failures of one call", (_, { first }) => ({ ...failed, parentSpanId: first }));
atOnce("failures and successes of one call by turns", (place, { first }) => ({
  ...(place % 2 === 0 && failed),
  parentSpanId: first,
  startMs: 1_500 - place / 100,
  endMs: 2_500 - place / 100,
}));
atOnce("each its own parent", (place) => ({
  parentSpanId: (place + 1).toString(16).padStart(16, "0"),
}));
atOnce("in one circle", (place, { before }) => ({
  parentSpanId: before ?? TRACE_SPANS_MAX.toString(16).padStart(16, "0"),
  startMs: 1_500 - place / 100,
}));
atOnce("all of them failed orphans", (place, { first }) => ({
  ...failed,
  parentSpanId: first && place.toString(16).padStart(16, "f"),
}));
atOnce("all of them failed roots", () => failed);

test("the order in which spans come changes nothing", () => {
  const spans = spansOf({
    ...failure("ValueError"),
    inside: [
      {
        ...predict,
        startMs: 1_100,
        inside: [{ ...lm, startMs: 1_150, tokens: { input: 3, output: 4 } }],
      },
      { ...tool, startMs: 1_500, ...failure("ConnectionError") },
      { ...predict, startMs: 1_600, ...failure("ValueError") },
    ],
  });
  const expected = assembleTrace(spans);
  fc.assert(
    fc.property(fc.shuffledSubarray(spans, { minLength: spans.length }), (shuffled) => {
      assert.deepEqual(assembleTrace(shuffled), expected);
    }),
    { numRuns: 100 },
  );
});

errors(
  "a tool that failed before others succeeded is not why the program failed, though the type is the same",
  {
    ...failure("ValueError"),
    errorMessage: "its own",
    inside: [
      {
        ...tool,
        ...failure("ValueError"),
        errorMessage: "the tool's",
        startMs: 1_100,
        endMs: 1_200,
      },
      { ...predict, startMs: 1_300 },
    ],
  },
  ["!ValueError unknown in RagQA.forward", "~ValueError tool in lookup_order"],
);

errors(
  "a model that was replaced by another with success is not why the program failed",
  {
    ...failure("KeyError"),
    inside: [
      { name: "Primary.forward", ...failure("LMRateLimitError"), startMs: 1_100, endMs: 1_200 },
      { name: "Fallback.forward", startMs: 1_300 },
    ],
  },
  ["!KeyError unknown in RagQA.forward", "~LMRateLimitError lm_provider in Primary.forward"],
);

errors(
  "a retriever that failed and was survived is not why the program failed",
  {
    ...failure("KeyError"),
    inside: [{ kind: "retriever", name: "Retrieve.forward", ...failure("ConnectionError") }],
  },
  ["!KeyError unknown in RagQA.forward", "~ConnectionError retriever in Retrieve.forward"],
);

errors(
  "the class that the agent told counts, not what the exception's name suggests",
  {
    ...failure("LMTransportError"),
    errorClass: "timeout",
    inside: [{ ...lm, ...failure("LMTransportError"), errorClass: "timeout" }],
  },
  ["!LMTransportError timeout in RagQA.forward"],
);

errors(
  "a loop that used up its steps and answered all the same is a survived failure",
  { name: "ReAct.forward", errorType: "MaxIterations", errorClass: "max_iterations", inside: [lm] },
  ["~MaxIterations max_iterations in ReAct.forward"],
);

test("a request has the release of its program, a module the hash of its predictor", () => {
  const tree: Branch = {
    release: "r1",
    inside: [{ ...predict, predictorHash: "p1", inside: [lm] }],
  };
  const { requests, moduleCalls } = assembleTrace(spansOf(tree));
  assert.equal(requests[0]?.release, "r1");
  assert.deepEqual(
    moduleCalls.map(({ predictorHash }) => predictorHash),
    [null, "p1", null],
  );
});

test("calls behind a span of somebody else's belong to the module around it", () => {
  const tree: Branch = {
    startMs: 0,
    endMs: 1_000,
    inside: [
      {
        kind: "other",
        name: "my span",
        startMs: 100,
        endMs: 900,
        inside: [{ ...lm, startMs: 100, endMs: 900, tokens: { input: 5, output: 1 } }],
      },
    ],
  };
  const [program, call] = assembleTrace(spansOf(tree)).moduleCalls;
  assert.deepEqual(
    [program?.selfMs, call?.parentSpanId, call?.path],
    [200, program?.spanId, "RagQA.forward"],
  );
});

test("tokens that a call and its attempt both tell are counted once", () => {
  const told = { tokens: { input: 100, output: 10 }, costUsd: 0.5 };
  const tree: Branch = {
    inside: [{ ...lm, ...told, inside: [{ ...lm, ...told, name: "completion" }] }],
  };
  const [request] = assembleTrace(spansOf(tree)).requests;
  assert.deepEqual([request?.tokens, request?.cost.toldUsd], [told.tokens, told.costUsd]);
});

test("tokens that only an attempt inside an attempt tells are counted", () => {
  const inner: Branch = { ...lm, tokens: { input: 7, output: 1 } };
  const tree: Branch = { inside: [{ ...lm, inside: [{ ...lm, inside: [inner] }] }] };
  assert.deepEqual(assembleTrace(spansOf(tree)).requests[0]?.tokens, { input: 7, output: 1 });
});

test("a probe of the server around an agent is no request; a call of the agent is", () => {
  const edge = { kind: "server", name: "GET /health" } as const;
  assert.equal(assembleTrace(spansOf(edge)).requests.length, 0);
  assert.equal(assembleTrace(spansOf({ ...edge, inside: [predict] })).requests.length, 1);
});
