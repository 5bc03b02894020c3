/**
 * Recorded spans as rows of tables in Unity Catalog, in the layouts that there are, for tests:
 * SQL that makes such a table and fills it. A prompt stands where prompts stand.
 */
import { readFileSync } from "node:fs";
import { agentAttributes } from "../ingest/otlp/agent-attributes.ts";
import { decodeTracesProtobuf } from "../ingest/otlp/decode-protobuf.ts";
import type { AttributeValue, OtlpSpan } from "../ingest/otlp/otlp-span.ts";

export const PROMPT = "what the customer asked";

/** A text of Databricks SQL. */
function quoteString(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** One of each convention, and failures. */
export const captures = [
  "callback-rag-0001",
  "callback-err-429-retry-ok-0043",
  "callback-stream-cached-0037",
  "openinference-litellm-rag-0001",
  "mlflow-genai-err-429-0056",
  "mlflow-genai-pipeline-0033",
  "mlflow-otlp-rag-0001",
];

export function recorded(name: string): OtlpSpan[] {
  const url = new URL(`../../fixtures/telemetry/captures/${name}.otlp.pb`, import.meta.url);
  const copy = (span: OtlpSpan): OtlpSpan => ({
    ...span,
    attributes: [...span.attributes],
    resource: [...span.resource],
  });
  return [...decodeTracesProtobuf(readFileSync(url), { keys: agentAttributes, read: copy }).spans];
}

/** The same spans, as if they had ended at that time. */
export function endingAt(spans: readonly OtlpSpan[], timeMs: number): OtlpSpan[] {
  const endMs = Math.max(...spans.map((span) => span.endMs));
  const laterMs = timeMs - Math.ceil(endMs);
  return spans.map((span) => ({
    ...span,
    startMs: span.startMs + laterMs,
    endMs: span.endMs + laterMs,
  }));
}

const nano = (ms: number) =>
  `${BigInt(Math.floor(ms)) * 1_000_000n + BigInt(Math.round((ms % 1) * 1e6))}`;

const keys = [...agentAttributes.places.keys()];

function entries(values: readonly (AttributeValue | undefined)[]): [string, AttributeValue][] {
  return values.flatMap((value, place): [string, AttributeValue][] => {
    const key = keys[place];
    return value === undefined || key === undefined ? [] : [[key, value]];
  });
}

const textOf = (value: AttributeValue) =>
  typeof value === "string" ? value : JSON.stringify(value);
const map = (pairs: readonly (readonly [string, AttributeValue])[]) =>
  `map(${pairs.flatMap(([key, value]) => [quoteString(key), quoteString(textOf(value))]).join(", ")})`;
const variant = (pairs: readonly (readonly [string, AttributeValue])[]) =>
  `parse_json(${quoteString(JSON.stringify(Object.fromEntries(pairs)))})`;

type Written = {
  readonly attributes: [string, AttributeValue][];
  readonly resource: [string, AttributeValue][];
  readonly events: { name: string; attributes: [string, AttributeValue][] }[];
};

function written({ attributes, resource, exceptions }: OtlpSpan): Written {
  return {
    attributes: [...entries(attributes), ["input.value", PROMPT], ["mlflow.spanInputs", PROMPT]],
    resource: entries(resource),
    events: [
      { name: "log", attributes: [["message", PROMPT]] },
      ...exceptions.map(({ type, message }) => ({
        name: "exception",
        attributes: [
          ["exception.type", type],
          ["exception.message", message],
          ["exception.stacktrace", PROMPT],
        ] satisfies [string, string][],
      })),
    ],
  };
}

type Layout = { readonly columns: string; readonly row: (span: OtlpSpan) => string };

const id = (value: string | null) => (value === null ? "NULL" : quoteString(value));
const flags = ({ parentIsRemote }: OtlpSpan) => (parentIsRemote ? 0x300 : 0x101);
const events = (all: Written["events"], attributes: typeof map) =>
  `array(${all.map((event) => `named_struct('time_unix_nano', 0L, 'name', ${quoteString(event.name)}, 'attributes', ${attributes(event.attributes)})`).join(", ")})`;

export const layouts: Readonly<Record<"v1" | "v2" | "renamed", Layout>> = {
  v1: {
    columns: `trace_id STRING, span_id STRING, trace_state STRING, parent_span_id STRING, flags INT, name STRING, kind STRING,
      start_time_unix_nano BIGINT, end_time_unix_nano BIGINT, attributes MAP<STRING, STRING>,
      events ARRAY<STRUCT<time_unix_nano: BIGINT, name: STRING, attributes: MAP<STRING, STRING>>>,
      status STRUCT<message: STRING, code: STRING>, resource STRUCT<attributes: MAP<STRING, STRING>, dropped_attributes_count: INT>`,
    row(span) {
      const { attributes, resource, events: all } = written(span);
      return `SELECT ${id(span.traceId)}, ${id(span.spanId)}, '', ${id(span.parentSpanId)}, ${flags(span)}, ${quoteString(span.name)},
        '${["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT"][span.kind]}', ${nano(span.startMs)}, ${nano(span.endMs)}, ${map(attributes)}, ${events(all, map)},
        named_struct('message', ${quoteString(span.statusMessage)}, 'code', '${["UNSET", "OK", "ERROR"][span.statusCode]}'),
        named_struct('attributes', ${map(resource)}, 'dropped_attributes_count', 0)`;
    },
  },
  v2: {
    columns: `record_id STRING, time TIMESTAMP, date DATE, service_name STRING, trace_id STRING, span_id STRING, trace_state STRING,
      parent_span_id STRING, flags INT, name STRING, kind STRING, start_time_unix_nano BIGINT, end_time_unix_nano BIGINT,
      attributes VARIANT, events ARRAY<STRUCT<time_unix_nano: BIGINT, name: STRING, attributes: VARIANT>>,
      status STRUCT<message: STRING, code: STRING>, resource STRUCT<attributes: VARIANT, dropped_attributes_count: INT>`,
    row(span) {
      const { attributes, resource, events: all } = written(span);
      const service = resource.find(([key]) => key === "service.name")?.[1] ?? null;
      const startMs = Math.floor(span.startMs);
      return `SELECT 'r', timestamp_millis(${startMs}), CAST(timestamp_millis(${startMs}) AS DATE), ${id(service === null ? null : textOf(service))}, ${id(span.traceId)}, ${id(span.spanId)}, '',
        ${id(span.parentSpanId ?? "")}, ${flags(span)}, ${quoteString(span.name)}, 'SPAN_KIND_${["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT"][span.kind]}',
        ${nano(span.startMs)}, ${nano(span.endMs)}, ${variant(attributes)}, ${events(all, variant)},
        named_struct('message', ${quoteString(span.statusMessage)}, 'code', 'STATUS_CODE_${["UNSET", "OK", "ERROR"][span.statusCode]}'),
        named_struct('attributes', ${variant(resource)}, 'dropped_attributes_count', 0)`;
    },
  },
  renamed: {
    columns: `TraceId STRING, SpanId STRING, parent_id STRING, flags BIGINT, span_name STRING, span_kind INT,
      start_time_ns BIGINT, end_time_ns BIGINT, span_attributes MAP<STRING, STRING>, resource_attributes MAP<STRING, STRING>,
      events ARRAY<STRUCT<name: STRING, attributes: MAP<STRING, STRING>, time_unix_nano: BIGINT>>, status_code INT, status_message STRING`,
    row(span) {
      const { attributes, resource, events: all } = written(span);
      const renamed = all.map(
        (event) =>
          `named_struct('name', ${quoteString(event.name)}, 'attributes', ${map(event.attributes)}, 'time_unix_nano', 0L)`,
      );
      return `SELECT ${id(span.traceId)}, ${id(span.spanId)}, ${id(span.parentSpanId)}, ${flags(span)}, ${quoteString(span.name)}, ${span.kind},
        ${nano(span.startMs)}, ${nano(span.endMs)}, ${map(attributes)}, ${map(resource)}, array(${renamed.join(", ")}), ${span.statusCode}, ${quoteString(span.statusMessage)}`;
    },
  },
};
