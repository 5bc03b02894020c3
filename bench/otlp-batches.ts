/**
 * A batch of OTLP spans as exporters send it: 512 spans under one resource, of real DSPy
 * programs that were recorded. Nothing of a recorded span is changed but its trace id and,
 * by the same amount for all, its time. With 20 attributes a span has those that were recorded
 * and, up to 20, such as a service puts on all of its spans.
 */
import { readdirSync, readFileSync } from "node:fs";
import {
  type KeyValueMessage,
  type SpanMessage,
  TracesData,
  type TracesDataMessage,
} from "./otlp-proto.ts";

/** What exporters send at once; a few less where no further trace fits. */
const BATCH_SPANS_MAX = 512;

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

export type OtlpBatch = {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly spanCount: number;
  /** Gives all of its traces the next ids, in place: as cheap as no other way to make a new batch. */
  renew(): void;
};

/**
 * @param firstId of the traces; of two senders each has its own.
 * @param endMs when the last span ended; without it, when it was recorded.
 */
export function otlpBatch(
  recordings: Recordings,
  {
    attributes,
    firstId = 0,
    endMs,
  }: {
    readonly attributes: "recorded" | "20";
    readonly firstId?: number;
    readonly endMs?: number;
  },
): OtlpBatch {
  const recorded = readRecorded(`${recordings.replace("_", "-")}-`);
  const spans = attributes === "recorded" ? recorded.spans : recorded.spans.map(filledUp);
  const laterByNano = endMs === undefined ? 0n : BigInt(endMs) * 1_000_000n - lastEndNano(spans);
  const batch = wholeTraces(spans).map((span) => ({
    ...span,
    startTimeUnixNano: later(span.startTimeUnixNano, laterByNano),
    endTimeUnixNano: later(span.endTimeUnixNano, laterByNano),
  }));
  const { resource, scope } = recorded;
  const message = { resourceSpans: [{ resource, scopeSpans: [{ scope, spans: batch }] }] };
  const body = new Uint8Array(TracesData.encode(TracesData.create(message)).finish());
  const idsAt = placesOf(body, batch);
  const view = new DataView(body.buffer);
  let id = firstId;
  return {
    body,
    spanCount: batch.length,
    renew() {
      for (const at of idsAt) view.setUint32(at, id);
      id++;
    },
  };
}

/** The recorded traces that have a root, over and over, as far as they fit as a whole. */
function wholeTraces(spans: readonly SpanMessage[]): SpanMessage[] {
  const traces = Map.groupBy(spans, ({ traceId }) => Buffer.from(traceId).toString("hex"));
  const whole = [...traces.values()].filter((trace) =>
    trace.some(({ parentSpanId }) => !parentSpanId?.length),
  );
  const batch: SpanMessage[] = [];
  for (let repetition = 0, before = -1; before < batch.length; repetition++) {
    before = batch.length;
    for (const trace of whole) {
      if (batch.length + trace.length > BATCH_SPANS_MAX) continue;
      for (const span of trace) batch.push({ ...span, traceId: traceIdOf(span, repetition) });
    }
  }
  return batch;
}

/** The first four bytes are for `renew`; the fifth differs where a recording stands in the batch again. */
function traceIdOf({ traceId }: SpanMessage, repetition: number): Uint8Array {
  const own = Uint8Array.from(traceId);
  own[4] = repetition;
  return own;
}

/** Where each span has its trace id: its first field. */
function placesOf(body: Uint8Array, spans: readonly SpanMessage[]): number[] {
  const bytes = Buffer.from(body.buffer);
  let from = 0;
  return spans.map(({ traceId }) => {
    const at = bytes.indexOf(traceId, from);
    if (at < 0) throw new Error("A span lost its trace id.");
    from = at + traceId.length;
    return at;
  });
}

function lastEndNano(spans: readonly SpanMessage[]): bigint {
  let last = 0n;
  for (const { endTimeUnixNano } of spans) {
    const nano = nanoOf(endTimeUnixNano);
    if (nano > last) last = nano;
  }
  return last;
}

type NanosMessage = SpanMessage["endTimeUnixNano"];

function nanoOf({ low, high }: NanosMessage): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

function later(time: NanosMessage, byNano: bigint): NanosMessage {
  const nano = nanoOf(time) + byNano;
  return { low: Number(nano & 0xffff_ffffn) | 0, high: Number(nano >> 32n) };
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
