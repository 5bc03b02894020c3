/**
 * Reads the spans of traces as MLflow's REST API answers them. Each trace is put
 * into the form that OTLP has and read by the decoder of OTLP, so that a trace
 * gives the same spans whichever way it comes. What differs: ids are base64,
 * nanoseconds are numbers, what OTLP tells of a resource stands in the tags of
 * the trace, and an artifact has attributes as an object of JSON texts. Prompts
 * and answers, which MLflow repeats in previews, metadata and spans, are not
 * among what is read.
 */
import { MonitorError } from "../../monitor-error.ts";
import type { AgentSpan } from "../../signals/span.ts";
import { agentAttributes } from "../otlp/agent-attributes.ts";
import { agentSpans } from "../otlp/agent-span.ts";
import { decodeTracesObject } from "../otlp/decode-json.ts";
import { TRACE_SPANS_MAX } from "../otlp/open-traces.ts";
import { parseExactJson } from "./parse-exact-json.ts";

/** What a search tells of a trace and its spans don't. */
export type TraceAbout = {
  /** Such as `tr-6d1f2e26f6bed259ef6d3265f81d45c0`. */
  readonly traceId: string;
  /** With the attributes of the resource that reported it. */
  readonly tags: ReadonlyMap<string, string>;
  /** JSON text: tokens of the whole trace. */
  readonly tokenUsage: string | null;
  /** The serving endpoint that Databricks says it was; `null` elsewhere. */
  readonly servedBy: string | null;
};

export type ReadTraces = {
  /** By trace id as MLflow writes it. A trace that is missing here was not in the answer. */
  readonly traces: ReadonlyMap<string, readonly AgentSpan[]>;
  /** What was left out, by reason: those of OTLP, `unreadable_trace` and `trace_span_limit`. */
  readonly dropped: ReadonlyMap<string, number>;
};

export type ReadOptions = {
  /** The agent's name where the trace tells none. */
  readonly endpoint: string;
};

/** Largest answer that is read, in characters: parsing it exactly takes a second. */
export const ANSWER_LENGTH_MAX = 32 * 1024 * 1024;

/**
 * The answer of `traces/batchGet` or `traces/get`. A fault of one trace only drops that trace.
 *
 * @param about of each trace that was asked for; others are not read.
 * @throws MonitorError `TELEMETRY_INVALID` when nothing of the answer can be read.
 */
export function readTraces(
  answer: string,
  about: readonly TraceAbout[],
  options: ReadOptions,
): ReadTraces {
  const body = parsed(answer);
  const items = [body.trace, body.traces].flat().map(recordOf);
  const byId = new Map(items.map((item) => [recordOf(item?.trace_info)?.trace_id, item]));
  return reading(about, options, ({ traceId }) => byId.get(traceId)?.spans);
}

/**
 * `traces.json`, where MLflow keeps the spans of a trace as a file.
 *
 * @throws MonitorError as `readTraces`.
 */
export function readTraceArtifact(
  artifact: string,
  about: TraceAbout,
  options: ReadOptions,
): ReadTraces {
  const spans = parsed(artifact).spans ?? UNREADABLE;
  return reading([about], options, () => spans);
}

const UNREADABLE = "no list";

function reading(
  about: readonly TraceAbout[],
  { endpoint }: ReadOptions,
  spansOf: (about: TraceAbout) => unknown,
): ReadTraces {
  const traces = new Map<string, readonly AgentSpan[]>();
  const dropped = new Map<string, number>();
  const drop = (reason: string, count: number) =>
    dropped.set(reason, (dropped.get(reason) ?? 0) + count);

  for (const trace of about) {
    const found = spansOf(trace);
    if (found === undefined) continue;
    traces.set(trace.traceId, []);
    if (!Array.isArray(found)) {
      drop("unreadable_trace", 1);
      continue;
    }
    const spans = found.slice(0, TRACE_SPANS_MAX);
    if (found.length > spans.length) drop("trace_span_limit", found.length - spans.length);
    try {
      const decoded = decodeTracesObject(asOtlp(spans, trace, endpoint), agentSpans);
      traces.set(trace.traceId, decoded.spans);
      for (const [reason, count] of decoded.dropped) drop(reason, count);
    } catch {
      drop("unreadable_trace", 1);
    }
  }
  return { traces, dropped };
}

// ─── MLflow's form → OTLP's ─────────────────────────────────────────────────

type JsonRecord = Readonly<Record<string, unknown>>;

function asOtlp(found: readonly unknown[], about: TraceAbout, endpoint: string) {
  const { tags, tokenUsage, servedBy } = about;
  const resource = new Map([["service.name", servedBy ?? endpoint], ...tags]);
  const spans = found.map(asOtlpSpan);
  const isTold = spans.some((span) => hasAttribute(span, TOKEN_USAGE));
  return {
    resourceSpans: [
      {
        resource: { attributes: Array.from(resource, ([key, value]) => textAttribute(key, value)) },
        scopeSpans: [
          { spans: isTold || tokenUsage === null ? spans : spans.map(withTokens(tokenUsage)) },
        ],
      },
    ],
  };
}

const SPAN_TYPE = "mlflow.spanType";
const TOKEN_USAGE = "mlflow.chat.tokenUsage";

/** What is no object stays as it is: the decoder of OTLP refuses it. */
function asOtlpSpan(value: unknown): unknown {
  const span = recordOf(value);
  if (!span) return value;
  const attributes = Array.isArray(span.attributes)
    ? span.attributes
    : attributesOfTexts(recordOf(span.attributes) ?? {});
  return {
    ...span,
    trace_id: hexOf(span.trace_id),
    span_id: hexOf(span.span_id),
    parent_span_id: hexOf(span.parent_span_id),
    // The server adds a type to GenAI spans that it takes over OTLP; what was sent counts.
    attributes: attributes.some((attribute) => keyOf(attribute) === "gen_ai.operation.name")
      ? attributes.filter((attribute) => keyOf(attribute) !== SPAN_TYPE)
      : attributes,
    events: Array.isArray(span.events) ? span.events.map(asOtlpEvent) : [],
  };
}

/** An artifact has an object, whose values stand there as they are. */
function asOtlpEvent(value: unknown): unknown {
  const event = recordOf(value);
  if (!event || Array.isArray(event.attributes)) return value;
  const texts = Object.entries(recordOf(event.attributes) ?? {}).filter(
    ([, text]) => typeof text === "string",
  );
  return { ...event, attributes: texts.map(([key, text]) => textAttribute(key, text)) };
}

/** An artifact has an object of JSON texts. Those that nobody wants are not looked into. */
function attributesOfTexts(texts: JsonRecord): unknown[] {
  return Object.entries(texts)
    .filter(
      (entry): entry is [string, string] =>
        agentAttributes.places.has(entry[0]) && typeof entry[1] === "string",
    )
    .map(([key, text]) => ({ key, value: anyValue(parsedValue(text)) }));
}

function parsedValue(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}

/** A JSON value in OTLP's form. Too deep a one overflows the stack, and drops the trace. */
function anyValue(value: unknown): unknown {
  switch (typeof value) {
    case "string":
      return { stringValue: value };
    case "boolean":
      return { boolValue: value };
    case "number":
      return Number.isInteger(value) ? { intValue: value } : { doubleValue: value };
    default: {
      if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } };
      const entries = Object.entries(recordOf(value) ?? {});
      const values = entries.map(([key, one]) => ({ key, value: anyValue(one) }));
      return value === null ? null : { kvlistValue: { values } };
    }
  }
}

function textAttribute(key: string, value: unknown) {
  return { key, value: { stringValue: value } };
}

/** The trace's own total, put where autolog puts it: on the root. */
function withTokens(tokenUsage: string): (span: unknown) => unknown {
  return (value) => {
    const span = recordOf(value);
    if (!span || span.parent_span_id || !hasAttribute(span, SPAN_TYPE)) return value;
    const attributes = [...attributesOf(span), textAttribute(TOKEN_USAGE, tokenUsage)];
    return { ...span, attributes };
  };
}

function hasAttribute(span: unknown, key: string): boolean {
  return attributesOf(span).some((attribute) => keyOf(attribute) === key);
}

function attributesOf(span: unknown): readonly unknown[] {
  const attributes = recordOf(span)?.attributes;
  return Array.isArray(attributes) ? attributes : [];
}

function keyOf(attribute: unknown): unknown {
  return recordOf(attribute)?.key;
}

/** 16 and 8 bytes are 24 and 12 characters of base64. What is neither is left to the decoder of OTLP. */
function hexOf(id: unknown): unknown {
  if (typeof id !== "string" || !/^(?:[A-Za-z0-9+/]{22}==|[A-Za-z0-9+/]{11}=)$/.test(id)) return id;
  return Array.from(atob(id), (byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}

function parsed(text: string): JsonRecord {
  if (text.length > ANSWER_LENGTH_MAX) {
    throw invalid(`it has more than ${ANSWER_LENGTH_MAX / 1024 / 1024} Mi characters`);
  }
  let body: JsonRecord | null;
  try {
    body = recordOf(parseExactJson(text));
  } catch {
    // The parser's own error quotes the body, so it is not even the cause.
    throw invalid("it is not valid JSON, or nests too deep");
  }
  if (!body) throw invalid("it is no object");
  return body;
}

function invalid(what: string): MonitorError {
  return new MonitorError("TELEMETRY_INVALID", `cannot read traces from MLflow's answer: ${what}`, {
    hint: "Check that the address is that of an MLflow server, without a sign-in page or gateway in front of it.",
  });
}

function recordOf(value: unknown): JsonRecord | null {
  // The one cast: an object's fields are unknown until somebody has looked at them.
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as JsonRecord)
    : null;
}
