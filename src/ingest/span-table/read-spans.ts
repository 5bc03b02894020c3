/**
 * Rows as `selectSpans` asks for them → spans. Each is put into the form that OTLP has and
 * read by the decoder of OTLP, so that a span is the same whichever way it comes. What
 * differs: values have lost their types on the way through SQL, enums come as number or as
 * name, and MLflow's values are JSON texts.
 */
import type { AgentSpan } from "../../signals/span.ts";
import { agentSpans } from "../otlp/agent-span.ts";
import { decodeTracesObject } from "../otlp/decode-json.ts";
import { agentOfTable, resourceKeys, type SpanTable, spanKeys } from "./select-spans.ts";

export type SpanRow = readonly (string | null)[];

export type ReadSpans = {
  readonly spans: readonly AgentSpan[];
  /** The ids of rows that were left out, by reason: those of OTLP, and `unreadable_span_row`. */
  readonly dropped: readonly { readonly key: string; readonly reason: string }[];
  /** When the newest began, Unix milliseconds; `null` without any. */
  readonly lastStartMs: number | null;
};

export function readSpans(
  rows: readonly SpanRow[],
  tables: readonly Pick<SpanTable, "path">[],
): ReadSpans {
  const spans: AgentSpan[] = [];
  const dropped: { key: string; reason: string }[] = [];
  let lastStartMs: number | null = null;
  for (const row of rows) {
    const startMs = Math.floor(Number(row[at.startNano]) / 1e6);
    if (startMs > 0) lastStartMs = Math.max(lastStartMs ?? startMs, startMs);
    const key = `${row[at.traceId]} ${row[at.spanId]}`.slice(0, KEY_MAX_CHARS);
    const path = tables[Number(row[0])]?.path;
    if (!path) {
      dropped.push({ key, reason: "unreadable_span_row" });
      continue;
    }
    try {
      const decoded = decodeTracesObject(asOtlp(row, agentOfTable(path)), agentSpans);
      spans.push(...decoded.spans);
      // A value that was left out leaves the span: only a span that is gone is counted by row.
      const [reason] = decoded.dropped.keys();
      if (decoded.spans.length === 0 && reason) dropped.push({ key, reason });
    } catch {
      dropped.push({ key, reason: "unreadable_span_row" });
    }
  }
  return { spans, dropped, lastStartMs };
}

const KEY_MAX_CHARS = 64;

/** Places in a row, before those of the resource's and the span's attributes. */
const at = {
  traceId: 1,
  spanId: 2,
  parentSpanId: 3,
  startNano: 4,
  endNano: 5,
  name: 6,
  kind: 7,
  flags: 8,
  statusCode: 9,
  statusMessage: 10,
  serviceName: 11,
  exceptionType: 12,
  exceptionMessage: 13,
} as const;
const RESOURCE_AT = 14;
const ATTRIBUTES_AT = RESOURCE_AT + resourceKeys.length;

function asOtlp(row: SpanRow, tableName: string) {
  const resource = resourceKeys.flatMap((key, index) => attribute(key, row[RESOURCE_AT + index]));
  const service = row[at.serviceName] || tableName;
  return {
    resourceSpans: [
      {
        // Of a key that comes twice the last counts.
        resource: { attributes: [...attribute("service.name", service), ...resource] },
        scopeSpans: [{ spans: [asOtlpSpan(row)] }],
      },
    ],
  };
}

function asOtlpSpan(row: SpanRow) {
  return {
    traceId: row[at.traceId],
    spanId: row[at.spanId],
    parentSpanId: row[at.parentSpanId],
    name: row[at.name] ?? "",
    kind: enumOf(row[at.kind], "SPAN_KIND_"),
    flags: row[at.flags],
    startTimeUnixNano: row[at.startNano],
    endTimeUnixNano: row[at.endNano],
    status: {
      code: enumOf(row[at.statusCode], "STATUS_CODE_"),
      message: row[at.statusMessage] ?? "",
    },
    attributes: spanKeys.flatMap((key, index) => attribute(key, row[ATTRIBUTES_AT + index])),
    events: exceptionOf(row[at.exceptionType], row[at.exceptionMessage]),
  };
}

/** `2`, `ERROR`, `STATUS_CODE_ERROR`: the number, or the name as OTLP's JSON has it. */
function enumOf(value: string | null | undefined, prefix: string): number | string {
  if (!value) return 0;
  if (/^\d+$/.test(value)) return Number(value);
  const name = value.toUpperCase();
  return name.startsWith(prefix) ? name : `${prefix}${name}`;
}

/** What is a number where OTLP has it. SQL gave a text. */
const isNumber =
  /(?:_tokens|^llm\.token_count\..*|cost_usd|^llm\.cost\.total|time_to_first_chunk)$/;
const isFlag = /^dspy\.lm\.cache_hit$/;

type Attribute = { readonly key: string; readonly value: Readonly<Record<string, unknown>> };

function attribute(key: string, value: string | null | undefined): Attribute[] {
  if (value === null || value === undefined) return [];
  if (isNumber.test(key)) {
    const number = Number(value);
    return value.trim() === "" || Number.isNaN(number)
      ? []
      : [{ key, value: { doubleValue: number } }];
  }
  if (isFlag.test(key)) return [{ key, value: { boolValue: value === "true" } }];
  return [{ key, value: { stringValue: value } }];
}

function exceptionOf(type: string | null | undefined, message: string | null | undefined) {
  if (!type && !message) return [];
  const attributes = [
    ...attribute("exception.type", type),
    ...attribute("exception.message", message),
  ];
  return [{ name: "exception", attributes }];
}
