/**
 * The recorded answers of a real MLflow server against the same traces as they
 * were recorded over OTLP: the same spans, to the nanosecond. And answers that
 * are not as they should be.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { MonitorError } from "../../monitor-error.ts";
import type { AgentSpan } from "../../signals/span.ts";
import { agentSpans } from "../otlp/agent-span.ts";
import { decodeTracesProtobuf } from "../otlp/decode-protobuf.ts";
import { OpenTraces, TRACE_SPANS_MAX } from "../otlp/open-traces.ts";
import { parseExactJson } from "./parse-exact-json.ts";
import { readTraceArtifact, readTraces, type TraceAbout } from "./read-traces.ts";

const captures = new URL("../../../fixtures/telemetry/captures/", import.meta.url);
const recorded = (name: string) => readFileSync(new URL(name, captures));
const answer = (name: string) => recorded(`mlflow-rest-${name}.response.json`).toString();

const RAG = "tr-6d1f2e26f6bed259ef6d3265f81d45c0";
const OPENINFERENCE = "tr-f12f6b7510e9cde49c898a6558491a8c";

function about(traceId: string, told: Partial<TraceAbout> = {}): TraceAbout {
  const tags = new Map([["service.name", "support-agent"]]);
  return { traceId, tags, tokenUsage: null, servedBy: null, ...told };
}

type Same = { rest: string; traceId: string; tags?: [string, string][]; otlp: string[] };

/** An answer over REST, and the bodies over OTLP that hold the same trace. */
const same: Same[] = [
  { rest: "trace-get", traceId: RAG, otlp: ["mlflow-dual-batch-0001"] },
  { rest: "traces-batchGet", traceId: RAG, otlp: ["mlflow-dual-batch-0001"] },
  { rest: "trace-artifact", traceId: RAG, otlp: ["mlflow-dual-batch-0001"] },
  {
    rest: "trace-get",
    traceId: RAG,
    otlp: ["mlflow-client-to-server-0000", "mlflow-client-to-server-0001"],
  },
  {
    rest: "trace-get-openinference-ingested",
    traceId: OPENINFERENCE,
    tags: [["service.version", "1.4.0"]],
    otlp: ["openinference-litellm-rag-0001"],
  },
];

for (const { rest, traceId, tags = [], otlp } of same) {
  test(`${rest} is the trace that OTLP brought: ${otlp.join(", ")}`, () => {
    const trace = about(traceId, { tags: new Map([["service.name", "support-agent"], ...tags]) });
    const read = rest === "trace-artifact" ? readArtifact : readTraces;
    const { traces, dropped } = read(answer(rest), [trace], { endpoint: "unused" });
    assert.deepEqual([...dropped], []);
    const expected = otlp
      .flatMap((name) => decodeTracesProtobuf(recorded(`${name}.otlp.pb`), agentSpans).spans)
      .filter((span) => `tr-${span.traceId}` === traceId);
    assert.ok(expected.length > 5);
    assert.deepEqual(inOrder(traces.get(traceId) ?? []), inOrder(expected));
  });
}

const readArtifact: typeof readTraces = (text, [trace = about(RAG)], options) =>
  readTraceArtifact(text, trace, options);

function inOrder(spans: readonly AgentSpan[]): AgentSpan[] {
  return spans.toSorted((a, b) => (a.spanId < b.spanId ? -1 : 1));
}

// ─── What the trace tells and its spans don't ───────────────────────────────

const USAGE = '{"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}';

test("tokens of the trace stand in for those that the root span lacks, and only for those", () => {
  const totals = (text: string, tokenUsage: string | null) => {
    const { traces } = readTraces(text, [about(RAG, { tokenUsage })], { endpoint: "x" });
    return (traces.get(RAG) ?? []).map(({ tokens, totalTokens }) => tokens ?? totalTokens)[0];
  };
  const told = answer("trace-get");
  const lacking = told.replaceAll("mlflow.chat.tokenUsage", "mlflow.chat.other");
  assert.equal(totals(told, USAGE)?.input, 263);
  assert.equal(totals(lacking, USAGE)?.input, 7);
  assert.equal(totals(lacking, null), null);
});

test("the agent is what the tags of the trace say, else what the caller says", () => {
  const endpointOf = (tags: [string, string][], servedBy: string | null = null) => {
    const trace = about(RAG, { tags: new Map(tags), servedBy });
    const { traces } = readTraces(answer("trace-get"), [trace], { endpoint: "my experiment" });
    return traces.get(RAG)?.[0]?.endpoint;
  };
  assert.equal(endpointOf([]), "my experiment");
  assert.equal(endpointOf([], "prod-support"), "prod-support");
  assert.equal(endpointOf([["service.name", "a"]], "prod-support"), "a");
  assert.equal(
    endpointOf([
      ["service.name", "a"],
      ["dspy.endpoint", "b"],
    ]),
    "b",
  );
});

test("no prompt and no answer is kept", () => {
  const { traces } = readTraces(answer("trace-get"), [about(RAG)], { endpoint: "x" });
  const kept = JSON.stringify([...traces]);
  assert.ok(answer("trace-get").includes("jane.doe@example.com"));
  assert.doesNotMatch(kept, /laptop|jane\.doe|Stub answer/);
});

test("a file holds values as JSON text, whatever their type and convention", () => {
  const attributes = {
    "dspy.kind": '"lm"',
    "dspy.lm.cache_hit": "false",
    "dspy.lm.cost_usd": "0.5",
    "gen_ai.usage.input_tokens": "7",
    "gen_ai.usage.output_tokens": "3",
    "gen_ai.request.model": "no JSON",
    "mlflow.spanInputs": "[".repeat(100_000),
  };
  const file = JSON.stringify({ spans: [{ ...span, attributes }] });
  const { traces } = readTraceArtifact(file, about(RAG), { endpoint: "x" });
  const [read] = traces.get(RAG) ?? [];
  assert.deepEqual(
    [read?.kind, read?.cacheHit, read?.costUsd, read?.tokens?.input, read?.model],
    ["lm", false, 0.5, 7, "no JSON"],
  );
});

test("pages in any order, overlapping, again after their traces closed: the same signals", () => {
  // Four traces of each of the two recorded answers, told apart by the last byte of their ids.
  const copies = [
    { rest: "trace-get", id: "bR8uJva+0lnvbTJl+B1FwA==", hex: RAG.slice(3) },
    {
      rest: "trace-get-openinference-ingested",
      id: "8S9rdRDpzeSciYplWEkajA==",
      hex: OPENINFERENCE.slice(3),
    },
  ].flatMap(({ rest, id, hex }) =>
    Array.from({ length: 4 }, (_, index) => {
      const other = `${hex.slice(0, -2)}0${index + 1}`;
      const base64 = Buffer.from(other, "hex").toString("base64");
      const text = answer(rest).replaceAll(id, base64).replaceAll(`tr-${hex}`, `tr-${other}`);
      // Its digits stay, as text.
      const { trace: item } = parseExactJson(text) as { trace: unknown };
      return { trace: about(`tr-${other}`), item };
    }),
  );
  const spansOfPage = (page: typeof copies) => {
    const text = JSON.stringify({ traces: page.map(({ item }) => item) });
    const { traces, dropped } = readTraces(
      text,
      page.map(({ trace }) => trace),
      { endpoint: "x" },
    );
    assert.deepEqual([...dropped], []);
    return [...traces.values()].flat();
  };
  const signalsOf = (pages: readonly (typeof copies)[], closesBetween: boolean) => {
    const open = new OpenTraces();
    const closed = pages.flatMap((page) => {
      for (const reason of open.add(spansOfPage(page), 0).keys()) {
        assert.equal(reason, "duplicate_span");
      }
      return closesBetween ? open.close(open.all()) : [];
    });
    return [...closed, ...open.close(open.all())].sort((a, b) => (a.traceId < b.traceId ? -1 : 1));
  };

  const expected = signalsOf([copies], false);
  assert.equal(expected.flatMap(({ requests }) => requests).length, copies.length);
  const page = fc.shuffledSubarray(copies, { minLength: 1 });
  fc.assert(
    fc.property(
      fc.array(page, { maxLength: 4 }),
      fc.shuffledSubarray(copies, { minLength: copies.length }),
      fc.integer({ min: 1, max: copies.length - 1 }),
      fc.boolean(),
      (replayed, all, cut, closesBetween) => {
        const pages = [...replayed, all.slice(0, cut), all.slice(cut), ...replayed];
        assert.deepEqual(signalsOf(pages, closesBetween), expected);
      },
    ),
    { numRuns: 30 },
  );
});

// ─── Answers that are not as they should be ─────────────────────────────────

const span = {
  trace_id: "bR8uJva+0lnvbTJl+B1FwA==",
  span_id: "QGFdqMQ2qvA=",
  name: "RagQA.forward",
  start_time_unix_nano: "1795465280171425418",
  end_time_unix_nano: "1795465280171425419",
  attributes: [],
  status: {},
};
const OTHER = "tr-00000000000000000000000000000001";
const good = { trace_info: { trace_id: RAG }, spans: [span] };

/** What is read, as `spans of RAG, spans of OTHER, reasons`. */
function check(body: unknown, expected: string): void {
  const { traces, dropped } = readTraces(JSON.stringify(body), [about(RAG), about(OTHER)], {
    endpoint: "x",
  });
  const counts = [RAG, OTHER].map((id) => traces.get(id)?.length ?? "missing");
  const reasons = Array.from(dropped, ([reason, count]) => `${reason}×${count}`);
  assert.equal([...counts, ...reasons].join(" "), expected);
}

const traceOf = (spans: unknown) => ({ trace_info: { trace_id: OTHER }, spans });

test("one good trace", () => check({ traces: [good] }, "1 missing"));
test("no trace", () => check({}, "missing missing"));
test("a trace that nobody asked for", () =>
  check({ traces: [good, { trace_info: { trace_id: "tr-2" }, spans: [span] }] }, "1 missing"));
test("spans that are no list", () =>
  check({ traces: [good, traceOf({})] }, "1 0 unreadable_trace×1"));
test("a span that is no object", () =>
  check({ traces: [good, traceOf([span, "x"])] }, "1 0 unreadable_trace×1"));
test("a span without ids", () =>
  check({ traces: [good, traceOf([{ ...span, span_id: "QGFd" }])] }, "1 0 invalid_span_id×1"));
test("a span that ends before it starts", () =>
  check({ traces: [good, traceOf([{ ...span, end_time_unix_nano: 1 }])] }, "1 0 invalid_time×1"));
test("values nested too deep", () => {
  let value: object = { string_value: "x" };
  for (let depth = 0; depth < 100; depth++) value = { array_value: { values: [value] } };
  const deep = { ...span, attributes: [{ key: "mlflow.spanType", value }] };
  check({ traces: [good, traceOf([deep])] }, "1 0 unreadable_trace×1");
});
test("a value of a file nested too deep", () => {
  const attributes = { "mlflow.spanType": `${"[".repeat(20_000)}${"]".repeat(20_000)}` };
  const file = JSON.stringify({ spans: [{ ...span, attributes }] });
  const { dropped } = readTraceArtifact(file, about(RAG), { endpoint: "x" });
  assert.deepEqual([...dropped], [["unreadable_trace", 1]]);
});
test("more spans than a trace may have", () =>
  check(
    { traces: [good, traceOf(Array(TRACE_SPANS_MAX + 5).fill(span))] },
    `1 ${TRACE_SPANS_MAX} trace_span_limit×5`,
  ));

for (const [what, text] of [
  ["no JSON", "<html>secret</html>"],
  ["a list", "[]"],
  ["nested ten thousand deep", `${"[".repeat(10_000)}${"]".repeat(10_000)}`],
] as const) {
  test(`an answer that is ${what} is refused, without quoting it`, () =>
    assert.throws(
      () => readTraces(text, [about(RAG)], { endpoint: "x" }),
      (error) =>
        error instanceof MonitorError &&
        error.code === "TELEMETRY_INVALID" &&
        !error.message.includes("secret"),
    ));
}

test("whole numbers keep every digit, all else is as JSON.parse has it", () => {
  assert.deepEqual(parseExactJson('{"a":1795465280171425418,"b":-9007199254740993,"c":[1,2.5]}'), {
    a: "1795465280171425418",
    b: "-9007199254740993",
    c: [1, 2.5],
  });
  fc.assert(
    fc.property(fc.json(), (text) => {
      const exact = JSON.stringify(parseExactJson(text), (_, value) =>
        typeof value === "string" && /^-?\d{16,}$/.test(value) ? Number(value) : value,
      );
      assert.equal(
        exact,
        JSON.stringify(JSON.parse(text), (_, value) =>
          typeof value === "string" && /^-?\d{16,}$/.test(value) ? Number(value) : value,
        ),
      );
    }),
  );
});

test("whatever a server answers, it is read, counted or refused", () => {
  const anything = fc.oneof(fc.jsonValue(), fc.constantFrom(span, good, [span], [good]));
  const field = fc.constantFrom(...Object.keys(span), "events", "parent_span_id");
  const bentSpan = fc
    .tuple(field, anything)
    .map(([name, value]) => ({ ...span, [name]: value }) as unknown);
  const body = fc.oneof(
    fc.record({ traces: anything, trace: anything }),
    fc.array(bentSpan).map((spans) => ({ traces: [{ ...good, spans }] })),
  );
  fc.assert(
    fc.property(body, (value) => {
      const { traces } = readTraces(JSON.stringify(value), [about(RAG)], { endpoint: "x" });
      for (const spans of traces.values()) {
        for (const { traceId, spanId } of spans) {
          assert.match(`${traceId} ${spanId}`, /^[0-9a-f]{32} [0-9a-f]{16}$/);
        }
      }
    }),
    { numRuns: 500 },
  );
});
