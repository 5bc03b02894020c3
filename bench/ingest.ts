/**
 * From a batch of OTLP protobuf to figures per module. The peer is protobufjs, in two
 * ways: decoding alone, after which nothing is counted yet; and decoding, then the same
 * work on its objects with the same code as ours – the attributes that matter, ids in
 * hexadecimal, whole traces, self times and causes of failures, counts in windows of
 * time – so that the decoders differ and nothing else.
 */
import { agentAttributes } from "../src/ingest/otlp/agent-attributes.ts";
import { agentSpans, toAgentSpan } from "../src/ingest/otlp/agent-span.ts";
import { decodeTracesProtobuf } from "../src/ingest/otlp/decode-protobuf.ts";
import { OpenTraces } from "../src/ingest/otlp/open-traces.ts";
import type { Attributes, AttributeValue, OtlpSpan } from "../src/ingest/otlp/otlp-span.ts";
import { Agents } from "../src/live/agents.ts";
import { builtInPriceBook } from "../src/signals/prices.ts";
import type { AgentSpan } from "../src/signals/span.ts";
import { mustAgree, type Samples } from "./agree.ts";
import { type Contestant, compare, type Effort, type Measured } from "./measure.ts";
import { type OtlpBatch, otlpBatch, type Recordings } from "./otlp-batches.ts";
import {
  type KeyValueMessage,
  type SpanMessage,
  TracesData,
  type TracesDataMessage,
} from "./otlp-proto.ts";

export async function ingest(
  recordings: Recordings,
  attributes: "recorded" | "20",
  effort: Effort,
): Promise<Measured> {
  const batch = otlpBatch(recordings, { attributes });
  const [ours, theirs] = [new Rollup(), new Rollup()];
  ours.take(decoded(batch.body));
  theirs.take(decodedByProtobufjs(batch.body));
  mustAgree("protobufjs", ours.samples(), theirs.samples());
  const name = attributes === "20" ? `${recordings}×20` : recordings;
  const rows = await compare(
    `otlp_to_modules@${name}`,
    [
      rollingUp("ours", batch, decoded),
      rollingUp("protobufjs, then the same", batch, decodedByProtobufjs),
      decodingOnly("protobufjs, decoding only", batch),
    ],
    effort,
  );
  const perSpan = rows.map((row) => ({
    ...row,
    oursNs: row.oursNs / batch.spanCount,
    peerNs: row.peerNs / batch.spanCount,
  }));
  return { rows: perSpan, notes: [] };
}

/** One operation is one batch, of new traces each time. */
function rollingUp(
  name: string,
  batch: OtlpBatch,
  decode: (body: Uint8Array) => readonly AgentSpan[],
): Contestant {
  const rollup = new Rollup();
  return {
    name,
    run(times) {
      for (let i = 0; i < times; i++) {
        batch.renew();
        rollup.take(decode(batch.body));
      }
    },
  };
}

function decodingOnly(name: string, { body }: OtlpBatch): Contestant {
  return {
    name,
    run(times) {
      let resources = 0;
      for (let i = 0; i < times; i++) {
        resources += (TracesData.decode(body) as unknown as TracesDataMessage).resourceSpans.length;
      }
      if (resources !== times) throw new Error("protobufjs did not decode every batch.");
    },
  };
}

/** Traces and what is counted of them, as the monitor keeps both. */
class Rollup {
  readonly #open = new OpenTraces(builtInPriceBook);
  readonly #agents = new Agents();

  take(spans: readonly AgentSpan[]): void {
    const nowMs = spans.at(-1)?.endMs ?? 0;
    this.#open.add(spans, nowMs);
    for (const trace of this.#open.close(this.#open.all())) this.#agents.add(trace, nowMs);
  }

  /** What was counted of each module and model. */
  samples(): Samples {
    const samples: Samples = new Map();
    for (const { places, models } of this.#agents.all()) {
      const counted = [
        ...places.inOrder.map(({ kind, program, path, run }) => ({
          key: `${kind} ${program} ${path}`,
          run,
        })),
        ...[...models.values()].map(({ model, run }) => ({ key: `model ${model}`, run })),
      ];
      for (const { key, run } of counted) {
        samples.set(`${key} calls`, run.calls);
        samples.set(`${key} failed`, run.failed);
        samples.set(`${key} latency`, run.latencyMs.sum);
        samples.set(`${key} own`, run.selfMs.sum);
        samples.set(`${key} tokens`, (run.tokens?.input ?? 0) + (run.tokens?.output ?? 0));
        samples.set(`${key} cost`, run.costUsd ?? 0);
      }
    }
    return samples;
  }
}

function decoded(body: Uint8Array): readonly AgentSpan[] {
  return decodeTracesProtobuf(body, agentSpans).spans;
}

// ─── What a user of protobufjs has to do ────────────────────────────────────

function decodedByProtobufjs(body: Uint8Array): readonly AgentSpan[] {
  const { resourceSpans } = TracesData.decode(body) as unknown as TracesDataMessage;
  const spans: AgentSpan[] = [];
  for (const { resource, scopeSpans } of resourceSpans) {
    const ofResource = wantedOf(resource?.attributes ?? []);
    for (const { spans: ofScope } of scopeSpans) {
      for (const span of ofScope) spans.push(toAgentSpan(asOtlpSpan(span, ofResource)));
    }
  }
  return spans;
}

function asOtlpSpan(span: SpanMessage, resource: OtlpSpan["resource"]): OtlpSpan {
  return {
    traceId: hex(span.traceId),
    spanId: hex(span.spanId),
    parentSpanId: span.parentSpanId?.length ? hex(span.parentSpanId) : null,
    parentIsRemote: false,
    name: span.name,
    kind: span.kind,
    startMs: msOf(span.startTimeUnixNano),
    endMs: msOf(span.endTimeUnixNano),
    attributes: wantedOf(span.attributes),
    statusCode: span.status?.code ?? 0,
    statusMessage: span.status?.message ?? "",
    exceptions: span.events
      .filter(({ name }) => name === "exception")
      .map(({ attributes }) => ({
        type: textOf(attributes, "exception.type"),
        message: textOf(attributes, "exception.message"),
      })),
    resource,
  };
}

function wantedOf(attributes: readonly KeyValueMessage[]): Attributes {
  const { places } = agentAttributes;
  const found = new Array<AttributeValue | undefined>(places.size).fill(undefined);
  for (const { key, value } of attributes) {
    const place = places.get(key);
    if (place !== undefined) found[place] = plain(value);
  }
  return found;
}

function textOf(attributes: readonly KeyValueMessage[], wanted: string): string {
  return attributes.find(({ key }) => key === wanted)?.value.stringValue ?? "";
}

/** The attributes that matter hold texts, numbers and booleans. */
function plain(value: KeyValueMessage["value"]): AttributeValue {
  switch (value.value) {
    case "stringValue":
      return value.stringValue ?? "";
    case "intValue":
      return Number(value.intValue ?? 0);
    case "doubleValue":
      return value.doubleValue ?? 0;
    case "boolValue":
      return value.boolValue ?? false;
    default:
      return null;
  }
}

/** protobufjs gives a `Buffer` under Node. */
function hex(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.length).toString("hex");
}

/** As exact as ours, and as fast. */
function msOf({ low, high }: { readonly low: number; readonly high: number }): number {
  const nano = (high >>> 0) * 967_296 + (low >>> 0);
  const wholeMs = Math.floor(nano / 1e6);
  return (high >>> 0) * 4294 + wholeMs + (nano - wholeMs * 1e6) / 1e6;
}
