/**
 * From a batch of OTLP protobuf to figures per module: ours against protobufjs with the
 * plainest roll-up on top. Both read the same recorded spans of real DSPy programs, 512
 * to a batch under one resource, as exporters send them. Ours does more with them: it
 * checks ids and times, waits for whole traces, finds self times and causes of failures,
 * and counts in windows of time.
 */
import { readdirSync, readFileSync } from "node:fs";
import { isWanted, toAgentSpan } from "../src/ingest/otlp/agent-span.ts";
import { decodeTracesProtobuf } from "../src/ingest/otlp/decode-protobuf.ts";
import { OpenTraces } from "../src/ingest/otlp/open-traces.ts";
import { Agents } from "../src/live/agents.ts";
import { type Contestant, compare, type Effort, type Measured } from "./measure.ts";
import {
  type KeyValueMessage,
  type SpanMessage,
  TracesData,
  type TracesDataMessage,
} from "./otlp-proto.ts";

const SPANS = 512;
/** Batches that differ in their ids, so that no trace comes twice before all is begun anew. */
const VARIANTS = 32;
const RECORDINGS = new URL("../fixtures/telemetry/captures/", import.meta.url);

/** By the convention that the recorded programs were instrumented with. */
export async function ingest(
  recordings: "callback" | "openinference_litellm",
  effort: Effort,
): Promise<Measured> {
  const name = `otlp_to_modules@${recordings}`;
  const prefix = `${recordings.replace("_", "-")}-`;
  const batches = batchesOf(prefix);
  const [first] = batches;
  if (!first) throw new Error(`There are no recordings ${prefix}*.`);
  const [ours, theirs] = [new Ours(), new Protobufjs()];
  for (const batch of batches) {
    ours.take(batch);
    theirs.take(batch);
  }
  if (ours.calls() !== theirs.calls() || ours.calls() === 0) {
    throw new Error(`${name}: ours counts ${ours.calls()} calls, protobufjs ${theirs.calls()}.`);
  }
  const rows = await compare(
    name,
    [
      contestant("ours", batches, () => new Ours()),
      contestant("protobufjs", batches, () => new Protobufjs()),
    ],
    effort,
  );
  return {
    rows: rows.map((row) => ({ ...row, oursNs: row.oursNs / SPANS, peerNs: row.peerNs / SPANS })),
    notes: [],
  };
}

type Reader = { take(batch: Uint8Array): void };

/** One operation is one batch. */
function contestant(
  name: string,
  batches: readonly Uint8Array[],
  create: () => Reader,
): Contestant {
  let reader = create();
  let taken = 0;
  return {
    name,
    run(times) {
      for (let i = 0; i < times; i++) {
        if (taken % VARIANTS === 0) reader = create();
        reader.take(batches[taken++ % VARIANTS] ?? new Uint8Array(0));
      }
    },
  };
}

class Ours {
  readonly #open = new OpenTraces();
  readonly #agents = new Agents();

  take(batch: Uint8Array): void {
    const spans = decodeTracesProtobuf(batch, { isWanted }).spans.map(toAgentSpan);
    const nowMs = spans.at(-1)?.endMs ?? 0;
    this.#open.add(spans, nowMs);
    for (const trace of this.#open.close(this.#open.all())) this.#agents.add(trace, nowMs);
  }

  /** Of model calls, which every convention tells apart. */
  calls(): number {
    const models = this.#agents.all().flatMap((agent) => [...agent.models.values()]);
    return models.reduce((sum, { run }) => sum + run.calls, 0);
  }
}

type ModuleFigures = { calls: number; latencyMs: number; input: number; output: number };

class Protobufjs {
  readonly #modules = new Map<string, ModuleFigures>();
  readonly #models = new Map<string, ModuleFigures>();

  take(batch: Uint8Array): void {
    const { resourceSpans } = TracesData.decode(batch) as unknown as TracesDataMessage;
    for (const { scopeSpans } of resourceSpans) {
      for (const { spans } of scopeSpans) for (const span of spans) this.#count(span);
    }
  }

  #count(span: SpanMessage): void {
    const attributes = new Map(span.attributes.map(({ key, value }) => [key, plain(value)]));
    const latencyMs = msOf(span.endTimeUnixNano) - msOf(span.startTimeUnixNano);
    const kind = attributes.get("dspy.kind") ?? attributes.get("openinference.span.kind");
    const isModel = kind === "lm" || kind === "LLM";
    const place = String(attributes.get("dspy.module.path") ?? span.name);
    const model = String(
      attributes.get("gen_ai.request.model") ?? attributes.get("llm.model_name"),
    );
    add(this.#modules, place, latencyMs, attributes);
    // The attempts of LiteLLM are inside a model call.
    if (isModel && span.name !== "completion" && span.name !== "acompletion") {
      add(this.#models, model, latencyMs, attributes);
    }
  }

  calls(): number {
    return [...this.#models.values()].reduce((sum, { calls }) => sum + calls, 0);
  }
}

function add(
  figures: Map<string, ModuleFigures>,
  name: string,
  latencyMs: number,
  attributes: ReadonlyMap<string, unknown>,
): void {
  let known = figures.get(name);
  if (!known) {
    known = { calls: 0, latencyMs: 0, input: 0, output: 0 };
    figures.set(name, known);
  }
  known.calls++;
  known.latencyMs += latencyMs;
  known.input += Number(attributes.get("gen_ai.usage.input_tokens") ?? 0);
  known.output += Number(attributes.get("gen_ai.usage.output_tokens") ?? 0);
}

function plain(value: KeyValueMessage["value"]): string | number | boolean | null {
  switch (value.value) {
    case "stringValue":
      return value.stringValue ?? "";
    case "intValue":
      return value.intValue?.toNumber() ?? 0;
    case "doubleValue":
      return value.doubleValue ?? 0;
    case "boolValue":
      return value.boolValue ?? false;
    default:
      return null;
  }
}

const TWO_TO_32 = 2 ** 32;

function msOf({ low, high }: { readonly low: number; readonly high: number }): number {
  return (high * TWO_TO_32 + (low >>> 0)) / 1e6;
}

/** Batches of the recorded spans, each with trace ids of its own. */
function batchesOf(prefix: string): Uint8Array[] {
  const recorded = readdirSync(RECORDINGS)
    .filter((name) => name.startsWith(prefix) && name.endsWith(".otlp.pb"))
    .map(
      (name) =>
        TracesData.decode(readFileSync(new URL(name, RECORDINGS))) as unknown as TracesDataMessage,
    );
  const [
    {
      resourceSpans: [first],
    } = { resourceSpans: [] },
  ] = recorded;
  const spans = recorded.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
  );
  return Array.from({ length: VARIANTS }, (_, variant) => {
    const batch = Array.from({ length: SPANS }, (_, index): SpanMessage => {
      const span = spans[index % spans.length] as SpanMessage;
      const traceId = Uint8Array.from(span.traceId);
      traceId[0] = variant;
      traceId[1] = Math.floor(index / spans.length);
      return { ...span, traceId };
    });
    const scope = first?.scopeSpans[0]?.scope;
    const message = {
      resourceSpans: [{ resource: first?.resource, scopeSpans: [{ scope, spans: batch }] }],
    };
    return new Uint8Array(TracesData.encode(TracesData.create(message)).finish());
  });
}
