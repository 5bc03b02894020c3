/**
 * Batches of OTLP spans as exporters send them: 512 to a batch, under one resource, of
 * real DSPy programs that were recorded. Nothing of a recorded span is changed but its
 * trace id, so that no trace comes twice. With 20 attributes a span has those that were
 * recorded and, up to 20, such as a service puts on all of its spans.
 */
import { readdirSync, readFileSync } from "node:fs";
import {
  type KeyValueMessage,
  type SpanMessage,
  TracesData,
  type TracesDataMessage,
} from "./otlp-proto.ts";

export const BATCH_SPANS = 512;

/** By the convention that the recorded programs were instrumented with. */
export type Recordings = "callback" | "openinference_litellm" | "mlflow_otlp";

const RECORDINGS = new URL("../fixtures/telemetry/captures/", import.meta.url);

/** Attributes that services put on every span, by a span processor or OpenTelemetry's baggage. */
const SERVICE_ATTRIBUTES: readonly KeyValueMessage[] = Object.entries({
  "app.request.id": "9f1c8f0e-6c3b-4a57-9d53-0f3f6f5b2d11",
  "app.tenant": "acme",
  "app.user.plan": "enterprise",
  "app.session.id": "session-00",
  "app.channel": "web",
  "app.feature_flags": '{"new_retriever": true, "long_answers": false}',
  "app.build": "2026-11-20.3",
  "deployment.environment.name": "production",
  "cloud.region": "westeurope",
  "k8s.namespace.name": "agents",
  "k8s.pod.name": "support-agent-6d9c7b9f5-x2x4z",
  "thread.name": "asyncio_0",
  "thread.id": 140_233,
  "code.function.name": "support_agent.serve.answer",
  "code.file.path": "/opt/agent/support_agent/serve.py",
  "code.line.number": 118,
  "enduser.id": "user-0",
}).map(([key, value]) =>
  typeof value === "string"
    ? { key, value: { stringValue: value } }
    : { key, value: { intValue: value } },
);

const ATTRIBUTES = 20;

/**
 * @param count batches that differ in their trace ids.
 * @param firstId of the first of them; every batch has the next.
 */
export function otlpBatches(
  recordings: Recordings,
  {
    attributes,
    count,
    firstId = 0,
  }: {
    readonly attributes: "recorded" | "20";
    readonly count: number;
    readonly firstId?: number;
  },
): Uint8Array<ArrayBuffer>[] {
  const recorded = readRecorded(`${recordings.replace("_", "-")}-`);
  const spans = attributes === "recorded" ? recorded.spans : recorded.spans.map(filledUp);
  return Array.from({ length: count }, (_, index) => {
    const batch = Array.from({ length: BATCH_SPANS }, (_, place): SpanMessage => {
      const span = spans[place % spans.length] as SpanMessage; // there are spans
      const traceId = Uint8Array.from(span.traceId);
      const view = new DataView(traceId.buffer);
      view.setUint32(0, firstId + index);
      view.setUint8(4, Math.floor(place / spans.length));
      return { ...span, traceId };
    });
    const message = {
      resourceSpans: [
        { resource: recorded.resource, scopeSpans: [{ scope: recorded.scope, spans: batch }] },
      ],
    };
    return new Uint8Array(TracesData.encode(TracesData.create(message)).finish());
  });
}

function readRecorded(prefix: string) {
  const bodies = readdirSync(RECORDINGS)
    .filter((name) => name.startsWith(prefix) && name.endsWith(".otlp.pb"))
    .map((name) => readFileSync(new URL(name, RECORDINGS)))
    .map((body) => TracesData.decode(body) as unknown as TracesDataMessage);
  const resources = bodies.flatMap(({ resourceSpans }) => resourceSpans);
  const scopes = resources.flatMap(({ scopeSpans }) => scopeSpans);
  const spans = scopes.flatMap(({ spans }) => spans);
  if (spans.length === 0) throw new Error(`There are no recordings ${prefix}*.`);
  return { resource: resources[0]?.resource, scope: scopes[0]?.scope, spans };
}

/** A few model calls have more than 20 and keep them. */
function filledUp(span: SpanMessage): SpanMessage {
  const missing = Math.max(0, ATTRIBUTES - span.attributes.length);
  return { ...span, attributes: [...span.attributes, ...SERVICE_ATTRIBUTES.slice(0, missing)] };
}
