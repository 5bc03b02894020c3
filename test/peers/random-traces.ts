/**
 * Traces as nobody records them: parents that are missing, are later, or stand in a circle,
 * several roots, attempts within attempts, spans that come twice, failures anywhere. As rows of a
 * table of spans, and as what the monitor reads. The same seed gives the same traces.
 */
import { agentSpans } from "../../src/ingest/otlp/agent-span.ts";
import { decodeTracesObject } from "../../src/ingest/otlp/decode-json.ts";
import type { AgentSpan } from "../../src/signals/span.ts";
import type { RecordedRow } from "./recorded-spans.ts";

export type RandomTrace = {
  /** In the order in which the first of each id counts. */
  readonly spans: readonly AgentSpan[];
  readonly rows: readonly RecordedRow[];
};

type Told = Pick<RecordedRow, "name" | "kind"> & {
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
};

type Random = (below: number) => number;

/**
 * @param orderly whether each call ends up where it began: after its caller and whatever was called
 * before, so that callers first and the first first are the same order.
 */
export function randomTraces(
  count: number,
  { seed, orderly }: { readonly seed: number; readonly orderly: boolean },
): RandomTrace[] {
  const random = randomOf(seed);
  return Array.from({ length: count }, (_, number) => {
    const size = 1 + random(number % 10 === 0 ? 60 : 14);
    return traceOf(number, { size, random, orderly, shape: orderly ? nested(random) : anyhow });
  });
}

/** Where the parent of a span stands, by its own place; itself and none may be told. */
type Shape = (place: number, size: number, random: Random) => number | null;

const anyhow: Shape = (place, size, random) => {
  if (place === 0) return random(10) === 0 ? size + 1 : null;
  switch (random(20)) {
    case 0:
      return null;
    case 1:
      return size + 1;
    case 2:
      return random(size);
    case 3:
      return 0;
    default:
      return Math.max(0, place - 1 - random(3));
  }
};

/** Inside the call before, or inside what that was called in. */
function nested(random: Random): Shape {
  let around: number[] = [];
  return (place, size) => {
    if (place === 0) around = [];
    around.length -= random(Math.min(4, around.length + 1));
    const parent = around.at(-1) ?? null;
    around.push(place);
    if (parent !== null) return parent;
    return random(3) === 0 ? size + 1 : null;
  };
}

/** Beside each other, one in another, and of very many roots. */
export function hugeTraces(size: number): RandomTrace[] {
  const shapes: readonly Shape[] = [
    (place) => (place === 0 ? null : 0),
    (place) => (place === 0 ? null : place - 1),
    (place) => (place % 10 === 0 ? null : place - (place % 10)),
  ];
  const random = randomOf(7);
  return shapes.map((shape, at) => traceOf(1_000_000 + at, { size, random, orderly: true, shape }));
}

type Making = {
  readonly size: number;
  readonly random: Random;
  readonly orderly: boolean;
  readonly shape: Shape;
};

function traceOf(number: number, { size, random, orderly, shape }: Making): RandomTrace {
  const traceId = (number + 1).toString(16).padStart(32, "0");
  const spanId = (place: number) => (place + 1).toString(16).padStart(16, "0");
  const agent = `trace-${number}`;
  const tell = tellers[random(tellers.length)] ?? tellers[0];
  const startMs = 1_700_000_000_000 + random(86_400_000);
  const rows: RecordedRow[] = [];
  for (let place = 0; place < size; place++) {
    const parent = shape(place, size, random);
    const began = startMs + place * 3 + (orderly ? 0 : random(4) - 2 * random(3));
    const failed = random(4) === 0;
    const failure = failures[random(failures.length)] ?? failures[0];
    const { name, kind, attributes } = random(12) === 0 ? foreign(random) : tell(random);
    const row: RecordedRow = {
      file: agent,
      trace_id: traceId,
      span_id: spanId(place),
      parent_span_id: parent === null ? null : spanId(parent),
      flags: random(30) === 0 ? 768 : 0,
      name,
      kind,
      start_nano: `${began}000000`,
      end_nano: `${began + random(40) * (size - place)}000000`,
      status_code: failed ? "ERROR" : "UNSET",
      status_message: failed ? failure.status : "",
      attributes: JSON.stringify(attributes),
      resource: JSON.stringify({ "service.name": agent }),
      events: failed ? exceptionOf(failure) : [],
    };
    rows.push(row);
    if (random(25) === 0) {
      rows.push(row);
      rows.push({ ...row, name: "Other.forward", start_nano: `${began + 5}000000` });
    }
  }
  return { spans: rows.flatMap(spansOfRow).sort(inOrder), rows };
}

function exceptionOf({ type, message }: Failed): RecordedRow["events"] {
  if (type === undefined) return [];
  const told = { "exception.type": type, "exception.message": message };
  return [{ name: "exception", attributes: JSON.stringify(told) }];
}

/** As a trace is told: callers first. */
function inOrder(one: AgentSpan, other: AgentSpan): number {
  return (
    one.startMs - other.startMs ||
    other.endMs - one.endMs ||
    (one.spanId < other.spanId ? -1 : one.spanId > other.spanId ? 1 : 0)
  );
}

function spansOfRow(row: RecordedRow): readonly AgentSpan[] {
  const listed = (json: string) =>
    Object.entries(JSON.parse(json)).map(([key, value]) => ({ key, value: anyValue(value) }));
  const status = { UNSET: 0, ERROR: 2 }[row.status_code] ?? 0;
  return decodeTracesObject(
    {
      resourceSpans: [
        {
          resource: { attributes: listed(row.resource) },
          scopeSpans: [
            {
              spans: [
                {
                  traceId: row.trace_id,
                  spanId: row.span_id,
                  parentSpanId: row.parent_span_id,
                  name: row.name,
                  kind: row.kind === "SERVER" ? 2 : 1,
                  flags: row.flags,
                  startTimeUnixNano: row.start_nano,
                  endTimeUnixNano: row.end_nano,
                  status: { code: status, message: row.status_message },
                  attributes: listed(row.attributes),
                  events: row.events.map(({ name, attributes }) => ({
                    name,
                    attributes: listed(attributes),
                  })),
                },
              ],
            },
          ],
        },
      ],
    },
    agentSpans,
  ).spans;
}

function anyValue(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "number") return { doubleValue: value };
  return typeof value === "boolean" ? { boolValue: value } : { stringValue: value };
}

// ─── What a span tells ──────────────────────────────────────────────────────

type Failed = { readonly status: string; readonly type?: string; readonly message?: string };

const failures: readonly [Failed, ...Failed[]] = [
  { status: "RateLimitError: too many", type: "litellm.RateLimitError", message: "too many" },
  { status: "", type: "dspy.LMRateLimitError", message: "too many" },
  { status: "", type: "dspy.LMTransportError", message: "the request timed out\n\nTry again" },
  { status: "ValueError: no such thing" },
  { status: "", type: "dspy.utils.exceptions.AdapterParseError", message: "no field" },
  { status: "", type: "builtins.KeyError", message: "no such thing" },
  { status: "", type: "asyncio.exceptions.CancelledError", message: "" },
  { status: "KeyboardInterrupt" },
  { status: "something happened" },
];

function foreign(random: Random): Told {
  return random(2) === 0
    ? { name: "POST /ask", kind: "SERVER", attributes: {} }
    : { name: "db.query", kind: "INTERNAL", attributes: {} };
}

function tokens(random: Random, names: { readonly input: string; readonly output: string }) {
  return random(2) === 0 ? {} : { [names.input]: random(900), [names.output]: random(90) };
}

const genAi = { input: "gen_ai.usage.input_tokens", output: "gen_ai.usage.output_tokens" };

const tellers: readonly [(random: Random) => Told, ...((random: Random) => Told)[]] = [
  function callback(random) {
    const kind = pick(random, ["module", "module", "lm", "lm", "tool", "retriever", "adapter"]);
    return {
      name: `${kind}-${random(3)}`,
      kind: "INTERNAL",
      attributes: {
        "dspy.kind": kind,
        ...(kind === "module" && random(3) > 0 ? { "dspy.module.path": `self.${random(3)}` } : {}),
        ...(random(2) === 0 ? { "dspy.program.class": `Program${random(2)}` } : {}),
        ...(kind === "lm" ? tokens(random, genAi) : {}),
        ...(kind === "lm" && random(3) === 0 ? { "dspy.lm.cost_usd": random(8) / 4 } : {}),
        ...(kind === "lm" && random(9) === 0 ? { "dspy.lm.cache_hit": true } : {}),
        ...(random(6) === 0 ? { "dspy.error_class": "max_iterations" } : {}),
      },
    };
  },
  function openinference(random) {
    const kind = pick(random, ["CHAIN", "CHAIN", "CHAIN", "LLM", "LLM", "TOOL", "RETRIEVER"]);
    const names = { input: "llm.token_count.prompt", output: "llm.token_count.completion" };
    const name =
      kind === "CHAIN"
        ? pick(random, [
            "Predict.forward",
            "Predict(Triage).forward",
            "Predict(StringSignature).forward",
            "RagQA.forward",
            "ChatAdapter.__call__",
          ])
        : `${kind.toLowerCase()}-${random(3)}`;
    return {
      name,
      kind: "INTERNAL",
      attributes: {
        "openinference.span.kind": kind,
        ...(kind === "LLM" ? tokens(random, names) : {}),
        ...(kind === "LLM" && random(3) === 0 ? { "llm.cost.total": random(8) / 4 } : {}),
      },
    };
  },
  function mlflow(random) {
    const type = pick(random, ["CHAIN", "LLM", "CHAT_MODEL", "CHAT_MODEL", "TOOL", "PARSER"]);
    const usage = JSON.stringify({ input_tokens: random(900), output_tokens: random(90) });
    return {
      name: type === "LLM" ? "Predict.forward" : `${type}-${random(3)}.forward`,
      kind: "INTERNAL",
      attributes: {
        "mlflow.spanType": `"${type}"`,
        ...(random(3) === 0 ? { "mlflow.chat.tokenUsage": usage } : {}),
      },
    };
  },
  function genai(random) {
    const operation = pick(random, ["chat", "chat", "invoke_agent", "execute_tool", "retrieval"]);
    return {
      name: `${operation}-${random(3)}`,
      kind: "INTERNAL",
      attributes: { "gen_ai.operation.name": operation, ...tokens(random, genAi) },
    };
  },
];

function pick(random: Random, values: readonly string[]): string {
  return values[random(values.length)] ?? "";
}

/** Whole numbers below a bound, by Lehmer's generator. */
function randomOf(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}
