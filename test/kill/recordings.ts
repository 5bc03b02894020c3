/**
 * The recorded OTLP bodies as something that can be sent any number of times:
 * each copy has trace ids of its own, ends now and belongs to one of three
 * agents, and what it must count as is known from `captures.expected.ts`.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { agentSpans } from "../../src/ingest/otlp/agent-span.ts";
import { decodeTracesJson } from "../../src/ingest/otlp/decode-json.ts";
import { decodeTracesProtobuf } from "../../src/ingest/otlp/decode-protobuf.ts";
import { type ExpectedTotals, expectedCaptures, sequences } from "../captures.expected.ts";

/** One body with its headers, ready to be posted. */
export type Batch = {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer>;
};

/** One copy of a recording: whole traces, in one batch or in several. */
export type Copy = { readonly batches: readonly Batch[]; readonly expected: ExpectedTotals };

export type Recording = { readonly name: string; copy(agent: Agent): Copy };

/** As long as the name that was recorded, so that lengths inside the bodies stay true. */
export const agents = ["support-agent", "billing-agent", "booking-agent"] as const;
export type Agent = (typeof agents)[number];
const RECORDED_AGENT: Agent = "support-agent";

/** A recording without its root closes only after half a minute: those are left out. */
export function readRecordings(): Recording[] {
  const whole = [...expectedCaptures.map(({ file, ...expected }) => ({ files: [file], expected }))];
  const torn = sequences.map(({ files, ...expected }) => ({ files, expected }));
  return [...whole, ...torn]
    .filter(({ expected }) => expected.incomplete === 0)
    .filter(
      ({ files }) => files.length > 1 || !torn.some((one) => one.files.includes(files[0] ?? "")),
    )
    .map(({ files, expected }) => recordingOf(files, expected));
}

function recordingOf(files: readonly string[], expected: ExpectedTotals): Recording {
  const parts = files.map(readPart);
  const traceIds = [...new Set(parts.flatMap((part) => part.traceIds))];
  const endMs = Math.max(...parts.map((part) => part.endMs));
  const templates = parts.map((part) => templateOf(part, traceIds));
  return {
    name: files.join(" + "),
    copy(agent) {
      const freshIds = traceIds.map(() => randomBytes(16));
      const shiftNs = BigInt(Math.round(Date.now() - endMs)) * NS_PER_MS;
      return {
        batches: templates.map((template) => batchOf(template, { freshIds, shiftNs, agent })),
        expected: { ...expected, endpoint: expected.endpoint.replace(RECORDED_AGENT, agent) },
      };
    },
  };
}

const NS_PER_MS = 1_000_000n;
const HOUR_NS = 3_600_000n * NS_PER_MS;

const captures = new URL("../../fixtures/telemetry/captures/", import.meta.url);

type Part = {
  readonly bytes: Buffer;
  readonly isGzip: boolean;
  readonly isJson: boolean;
  readonly traceIds: readonly string[];
  readonly endMs: number;
};

function readPart(file: string): Part {
  const stored = readFileSync(new URL(file, captures));
  const isGzip = file.endsWith(".gz");
  const isJson = file.includes(".json");
  const bytes = isGzip ? gunzipSync(stored) : stored;
  const { spans } = isJson
    ? decodeTracesJson(bytes.toString("utf8"), agentSpans)
    : decodeTracesProtobuf(bytes, agentSpans);
  return {
    bytes,
    isGzip,
    isJson,
    traceIds: [...new Set(spans.map(({ traceId }) => traceId))],
    endMs: Math.max(...spans.map((span) => span.endMs)),
  };
}

/** A body and the places in it that differ from copy to copy. Every edit keeps its length. */
type Template = Part & {
  readonly ids: readonly { readonly at: number; readonly index: number; readonly isHex: boolean }[];
  readonly times: readonly { readonly at: number; readonly ns: bigint }[];
  readonly names: readonly number[];
};

function templateOf(part: Part, traceIds: readonly string[]): Template {
  const { bytes } = part;
  return {
    ...part,
    ids: traceIds.flatMap((id, index) => [
      ...placesOf(bytes, Buffer.from(id, "hex")).map((at) => ({ at, index, isHex: false })),
      ...placesOf(bytes, Buffer.from(id)).map((at) => ({ at, index, isHex: true })),
    ]),
    times: part.isJson ? textTimes(part) : binaryTimes(part),
    names: placesOf(bytes, Buffer.from(RECORDED_AGENT)),
  };
}

function placesOf(bytes: Buffer, wanted: Buffer): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at + 1)) places.push(at);
  return places;
}

/** Any eight bytes that read as a time near the recording are one: by chance none is. */
function binaryTimes({ bytes, endMs }: Part): Template["times"] {
  const endNs = BigInt(Math.round(endMs)) * NS_PER_MS;
  const times: { at: number; ns: bigint }[] = [];
  for (let at = 0; at + 8 <= bytes.length; at++) {
    const ns = bytes.readBigUInt64LE(at);
    if (ns < endNs - HOUR_NS || ns > endNs + HOUR_NS) continue;
    times.push({ at, ns });
    at += 7;
  }
  return times;
}

function textTimes({ bytes }: Part): Template["times"] {
  return [...bytes.toString("latin1").matchAll(/(?<=UnixNano":\s*"?)\d{19}/g)].map((match) => ({
    at: match.index,
    ns: BigInt(match[0]),
  }));
}

function batchOf(
  template: Template,
  {
    freshIds,
    shiftNs,
    agent,
  }: { readonly freshIds: readonly Buffer[]; readonly shiftNs: bigint; readonly agent: Agent },
): Batch {
  const bytes = Buffer.from(template.bytes);
  for (const { at, index, isHex } of template.ids) {
    const id = freshIds[index] ?? Buffer.alloc(16);
    bytes.set(isHex ? Buffer.from(id.toString("hex")) : id, at);
  }
  for (const { at, ns } of template.times) {
    if (template.isJson) bytes.write(String(ns + shiftNs), at, "latin1");
    else bytes.writeBigUInt64LE(ns + shiftNs, at);
  }
  for (const at of template.names) bytes.write(agent, at, "latin1");
  return {
    headers: {
      "content-type": template.isJson ? "application/json" : "application/x-protobuf",
      ...(template.isGzip && { "content-encoding": "gzip" }),
    },
    body: Uint8Array.from(template.isGzip ? gzipSync(bytes) : bytes),
  };
}
