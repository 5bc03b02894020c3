/** Recorded OTLP bodies: as the monitor reads them, and as rows of a table of spans. */
import { readdirSync, readFileSync } from "node:fs";
import {
  type KeyValueMessage,
  TracesData,
  type TracesDataMessage,
} from "../../bench/otlp-proto.ts";
import { agentSpans } from "../../src/ingest/otlp/agent-span.ts";
import { decodeTracesProtobuf } from "../../src/ingest/otlp/decode-protobuf.ts";
import type { AgentSpan } from "../../src/signals/span.ts";

const captures = new URL("../../fixtures/telemetry/captures/", import.meta.url);

/** As a table of spans has it, its attributes as JSON text. */
export type RecordedRow = {
  readonly file: string;
  readonly trace_id: string;
  readonly span_id: string;
  readonly parent_span_id: string | null;
  readonly flags: number;
  readonly name: string;
  readonly kind: string;
  readonly start_nano: string;
  readonly end_nano: string;
  readonly status_code: string;
  readonly status_message: string;
  readonly attributes: string;
  readonly resource: string;
  readonly events: readonly { readonly name: string; readonly attributes: string }[];
};

export type RecordedBody = {
  /** Stands in for the agent's name, so that each body is told apart. */
  readonly file: string;
  readonly spans: readonly AgentSpan[];
  readonly rows: readonly RecordedRow[];
};

export function recordedBodies(isWanted: (file: string) => boolean): RecordedBody[] {
  return readdirSync(captures)
    .filter((file) => file.endsWith(".otlp.pb") && isWanted(file))
    .map((file) => {
      const body = readFileSync(new URL(file, captures));
      const decoded = TracesData.toObject(TracesData.decode(body), {
        longs: String,
        arrays: true,
      }) as TracesDataMessage;
      const spans = decodeTracesProtobuf(body, agentSpans).spans;
      return {
        file,
        spans: spans.map((span) => ({ ...span, endpoint: file })),
        rows: decoded.resourceSpans.flatMap(({ resource, scopeSpans }) =>
          scopeSpans.flatMap(({ spans }) =>
            spans.map((span) => ({
              file,
              trace_id: hex(span.traceId),
              span_id: hex(span.spanId),
              parent_span_id: span.parentSpanId?.length ? hex(span.parentSpanId) : null,
              flags: Number(Reflect.get(span, "flags") ?? 0),
              name: span.name,
              kind: ["", "INTERNAL", "SERVER", "CLIENT"][span.kind] ?? "",
              start_nano: String(span.startTimeUnixNano),
              end_nano: String(span.endTimeUnixNano),
              status_code: ["UNSET", "OK", "ERROR"][span.status?.code ?? 0] ?? "UNSET",
              status_message: span.status?.message ?? "",
              attributes: jsonOf(span.attributes),
              resource: jsonOf([
                ...(resource?.attributes ?? []),
                { key: "dspy.endpoint", value: { stringValue: file } },
              ]),
              events: span.events.map(({ name, attributes }) => ({
                name,
                attributes: jsonOf(attributes),
              })),
            })),
          ),
        ),
      };
    });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function jsonOf(attributes: readonly KeyValueMessage[]): string {
  return JSON.stringify(
    Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)])),
  );
}

type Value = KeyValueMessage["value"] & {
  readonly kvlistValue?: { readonly values: readonly KeyValueMessage[] };
};

function plain(value: Value | null | undefined): unknown {
  const { stringValue, boolValue, doubleValue, intValue, kvlistValue } = value ?? {};
  if (kvlistValue) {
    return Object.fromEntries(kvlistValue.values.map(({ key, value }) => [key, plain(value)]));
  }
  const number = intValue === undefined ? null : Number(intValue);
  return stringValue ?? boolValue ?? doubleValue ?? number;
}
