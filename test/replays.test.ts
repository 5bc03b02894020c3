/**
 * However the spans of recorded requests arrive – torn into other batches, in any
 * order, some of them twice, with the monitor started again in between, and all once
 * more when their traces are closed – they count as when each body comes once.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { agentSpans } from "../src/ingest/otlp/agent-span.ts";
import { decodeTracesJson } from "../src/ingest/otlp/decode-json.ts";
import { decodeTracesProtobuf } from "../src/ingest/otlp/decode-protobuf.ts";
import type { Agent } from "../src/live/agents.ts";
import type { RunTally } from "../src/live/tally.ts";
import { bodyOf, entryOf, type JournalEntry } from "../src/state/journal-entry.ts";
import { MonitorState } from "../src/state/monitor-state.ts";
import type { EntryBody } from "../src/store/journal.ts";
import { expectedCaptures } from "./captures.expected.ts";

const nowMs = 1_800_000_000_000;

/** A request body with one span: bodies of one encoding make a larger one. */
type Body =
  | { readonly encoding: "protobuf"; readonly body: Uint8Array }
  | { readonly encoding: "json"; readonly resourceSpans: unknown };
/** With how a failing test calls it. */
type Part = Body & { readonly [fc.toStringMethod]: () => string };

const recordings: readonly (readonly Part[])[] = expectedCaptures.map(({ file }) => {
  const sent = readFileSync(new URL(`../fixtures/telemetry/captures/${file}`, import.meta.url));
  const body = file.endsWith(".gz") ? gunzipSync(sent) : sent;
  const bodies = file.includes(".json") ? jsonParts(body.toString()) : protobufParts(body);
  return bodies.map((one, place) => ({ ...one, [fc.toStringMethod]: () => `${file} ${place}` }));
});

test("however recorded spans arrive, they count as when each comes once", () => {
  fc.assert(
    fc.property(fc.gen(), (any) => {
      const places = range(recordings.length);
      const chosen = any(fc.shuffledSubarray, places, { minLength: 1, maxLength: 6 }).map(
        (place) => recordings[place] ?? [],
      );
      const parts = chosen.flat();
      const all = range(parts.length);
      const repeated = [...all, ...any(fc.subarray, all)];
      const shuffled = any(fc.shuffledSubarray, repeated, { minLength: repeated.length });
      const lengths = { minLength: shuffled.length, maxLength: shuffled.length };
      const sizes = any(fc.array, fc.integer({ min: 1, max: 20 }), lengths);
      const torn = sizes.map((size) => shuffled.splice(0, size)).filter(({ length }) => length > 0);
      const again = any(fc.subarray, range(torn.length)).map((place) => torn[place] ?? []);
      const batches = [...torn, ...again].map((batch) => batch.flatMap((n) => parts[n] ?? []));
      const restartAfter = any(fc.nat, batches.length);

      const expected = new Run();
      for (const recording of chosen) expected.take(recording);
      expected.close();

      const run = new Run();
      batches.forEach((batch, index) => {
        if (index === restartAfter) run.restart();
        run.take(batch);
      });
      run.close();
      assert.deepEqual(run.figures(), expected.figures());

      for (const recording of chosen) run.take(recording);
      run.close();
      run.restart();
      assert.deepEqual(run.figures(), expected.figures());
      const dropped = [...run.state.dropped.keys()];
      assert.deepEqual(dropped, ["duplicate_span"]);
    }),
    { numRuns: 300 },
  );
});

test("recordings are cut into bodies of one span, and nothing is lost", () => {
  const spanIds = new Set(
    recordings
      .flat()
      .flatMap((part) => spansOf([part]))
      .map(idOf),
  );
  assert.ok(recordings.flat().length > 800, `${recordings.flat().length} spans`);
  for (const part of recordings.flat()) assert.equal(spansOf([part]).length, 1);
  for (const { file } of expectedCaptures.filter((one) => one.file.endsWith(".pb"))) {
    const body = readFileSync(new URL(`../fixtures/telemetry/captures/${file}`, import.meta.url));
    for (const span of decodeTracesProtobuf(body, agentSpans).spans) {
      assert.ok(spanIds.has(idOf(span)), file);
    }
  }
});

const range = (length: number) => Array.from({ length }, (_, place) => place);
const idOf = ({ traceId, spanId }: { traceId: string; spanId: string }) => `${traceId}:${spanId}`;

/** A monitor's state with its journal, without the disk. */
class Run {
  state = new MonitorState();
  readonly #journal: EntryBody[] = [];

  take(parts: readonly Part[]): void {
    const spans = spansOf(parts);
    this.#apply({ kind: "spans", spans, dropped: {} });
  }

  close(): void {
    this.#apply({ kind: "close", traceIds: this.state.openTraces.all() });
  }

  restart(): void {
    this.state = new MonitorState();
    for (const body of this.#journal) this.state.apply(entryOf(body), nowMs);
  }

  #apply(entry: JournalEntry): void {
    const body = bodyOf(entry);
    this.#journal.push(body);
    this.state.apply(entryOf(body), nowMs);
  }

  figures(): unknown {
    const agents = [...this.state.agents.all()].sort(by(({ endpoint }) => endpoint));
    return { agents: agents.map(figuresOf), tracesClosed: this.state.tracesClosed };
  }
}

function spansOf(parts: readonly Part[]) {
  const bodies = parts.flatMap((part) => (part.encoding === "protobuf" ? [part.body] : []));
  const documents = parts.flatMap((part) => (part.encoding === "json" ? [part.resourceSpans] : []));
  return [
    ...decodeTracesProtobuf(Buffer.concat(bodies), agentSpans).spans,
    ...decodeTracesJson(JSON.stringify({ resourceSpans: documents }), agentSpans).spans,
  ];
}

/** Everything that a restart or another order must not change. */
function figuresOf({ endpoint, conventions, run, places, models, groups, recent }: Agent) {
  return {
    endpoint,
    conventions: [...conventions].sort(),
    run: tallyOf(run),
    places: sorted(
      places.inOrder.map(({ kind, program, path, run }) => [
        `${kind} ${program} ${path}`,
        tallyOf(run),
      ]),
    ),
    models: sorted([...models.values()].map(({ model, run }) => [model, tallyOf(run)])),
    groups: sorted([...groups.values()].map(({ group, run }) => [group, run.count, run.handled])),
    requests: recent.map(({ request }) => request).sort(by(({ eventId }) => eventId)),
  };
}

function tallyOf(tally: RunTally) {
  const { calls, failed, latencyMs, selfMs, lmMs, tokens, cost, cacheHits } = tally;
  const { upToBound, lmCalls, parseFailures, toolFailures } = tally;
  const amounts = { latencyMs: latencyMs.sum, selfMs: selfMs.sum, lmMs, ...cost };
  return {
    calls,
    failed,
    tokens,
    cacheHits,
    lmCalls,
    parseFailures,
    toolFailures,
    upToBound: [...upToBound],
    latencies: latencyMs.percentiles(),
    selfTimes: selfMs.percentiles(),
    // Sums of fractions differ in their last digits by their order.
    amounts: Object.entries(amounts).map(([name, sum]) => [
      name,
      sum && Number(sum.toPrecision(9)),
    ]),
  };
}

function by<T>(keyOf: (value: T) => string) {
  return (a: T, b: T) => (keyOf(a) < keyOf(b) ? -1 : 1);
}

function sorted<T extends readonly unknown[]>(rows: readonly T[]): readonly T[] {
  return [...rows].sort(by(([key]) => String(key)));
}

// ─── Bodies of one span ─────────────────────────────────────────────────────

type Field = { readonly number: number; readonly bytes: Uint8Array; readonly whole: Uint8Array };

/** The fields of a message all of whose fields are messages or texts. */
function fieldsOf(message: Uint8Array): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < message.length; ) {
    const start = at;
    const tag = message[at++] ?? 0;
    assert.equal(tag & 7, 2, "a field with a length");
    let length = 0;
    for (let shift = 0, more = true; more; shift += 7) {
      const byte = message[at++] ?? 0;
      length |= (byte & 0x7f) << shift;
      more = byte > 0x7f;
    }
    const bytes = message.subarray(at, at + length);
    at += length;
    fields.push({ number: tag >> 3, bytes, whole: message.subarray(start, at) });
  }
  return fields;
}

function message(number: number, parts: readonly Uint8Array[]): Uint8Array {
  const bytes = Buffer.concat(parts);
  const head = [(number << 3) | 2];
  let rest = bytes.length;
  for (; rest > 0x7f; rest >>>= 7) head.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Uint8Array.from([...head, rest]), bytes]);
}

/** Each with the resource and the scope it had, by the field numbers of OTLP: both keep their spans in field 2. */
function protobufParts(body: Uint8Array): Body[] {
  const apart = (fields: readonly Field[]) => ({
    around: fields.filter(({ number }) => number !== 2).map(({ whole }) => whole),
    inside: fields.filter(({ number }) => number === 2),
  });
  return fieldsOf(body).flatMap((resourceSpans) => {
    const resource = apart(fieldsOf(resourceSpans.bytes));
    return resource.inside.flatMap((scopeSpans) => {
      const scope = apart(fieldsOf(scopeSpans.bytes));
      return scope.inside.map(({ whole }): Body => {
        const inScope = message(2, [...scope.around, whole]);
        return { encoding: "protobuf", body: message(1, [...resource.around, inScope]) };
      });
    });
  });
}

type JsonBody = {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly { readonly spans: readonly unknown[] }[];
  }[];
};

function jsonParts(text: string): Body[] {
  const { resourceSpans }: JsonBody = JSON.parse(text);
  return resourceSpans.flatMap((resource) =>
    resource.scopeSpans.flatMap((scope) =>
      scope.spans.map((span): Body => {
        const scopeSpans = [{ ...scope, spans: [span] }];
        return { encoding: "json", resourceSpans: { ...resource, scopeSpans } };
      }),
    ),
  );
}
