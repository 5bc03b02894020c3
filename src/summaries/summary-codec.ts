/**
 * Summaries as bytes, in two parts: the head, of which charts and lists of agents are made,
 * and the modules and models, which only the view of one agent needs. Errors are apart. Texts stand in a table
 * of names beside them, since each is told in very many summaries. Latencies are counts by
 * bucket, those of the live figures; sums of times are in microseconds.
 */
import type { ByRelease } from "../live/by-release.ts";
import { Tally } from "../live/tally.ts";
import { type Cost, unknownCost } from "../signals/cost.ts";
import { Distribution } from "../signals/distribution.ts";
import { type ErrorClass, errorClasses } from "../signals/error-class.ts";
import type { Tokens } from "../signals/request.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import type { PlaceName, Summary, SummedPlace } from "./summary.ts";

/** Rises with each change of what is written. */
export const SUMMARY_FORMAT = 1;

/** The texts that summaries name by number, from 1 on; 0 is none. */
export type Names = {
  idOf(text: string): number;
  textOf(id: number): string;
};

export function encodeHead(summary: Summary, names: Names): Uint8Array<ArrayBuffer> {
  const to = new ByteWriter();
  writeTally(to, summary.requests);
  const { spans, orphanSpans, incompleteRequests } = summary.loss;
  to.whole(spans);
  to.whole(orphanSpans);
  to.whole(incompleteRequests);
  to.whole(summary.lastRequestMs === null ? 0 : wholeMs(summary.lastRequestMs));
  writeText(to, summary.modelVersion, names);
  to.whole(summary.conventions.size);
  for (const convention of summary.conventions) writeText(to, convention, names);
  return to.bytes();
}

/** Adds a head to a summary. */
export function decodeHead(bytes: Uint8Array, summary: Summary, names: Names): void {
  const from = new ByteReader(bytes);
  summary.requests.merge(readTally(from));
  summary.loss.spans += from.whole();
  summary.loss.orphanSpans += from.whole();
  summary.loss.incompleteRequests += from.whole();
  const lastRequestMs = from.whole();
  const modelVersion = readText(from, names);
  if (lastRequestMs > 0) summary.noteRequest(lastRequestMs, modelVersion);
  for (let left = from.whole(); left > 0; left--) {
    summary.conventions.add(readText(from, names) ?? "");
  }
}

/** The modules and models. */
export function encodeParts(summary: Summary, names: Names): Uint8Array<ArrayBuffer> {
  const to = new ByteWriter();
  const places = new Map<SummedPlace, number>();
  to.whole(summary.places.length);
  for (const place of summary.places) {
    const { kind, program, path, pathSource, above, calls } = place;
    writeText(to, JSON.stringify([kind, program, path, pathSource]), names);
    to.whole((above && places.get(above)) ?? 0);
    places.set(place, places.size + 1);
    writeByRelease(to, calls, names);
  }
  to.whole(summary.models.size);
  for (const [model, calls] of summary.models) {
    writeText(to, model, names);
    writeByRelease(to, calls, names);
  }
  return to.bytes();
}

/** Adds modules and models to a summary. */
export function decodeParts(bytes: Uint8Array, summary: Summary, names: Names): void {
  const from = new ByteReader(bytes);
  const places: SummedPlace[] = [];
  for (let left = from.whole(); left > 0; left--) {
    // What `encodeParts` wrote.
    const [kind, program, path, pathSource] = JSON.parse(readText(from, names) ?? "[]") as [
      PlaceName["kind"],
      string,
      string,
      PlaceName["pathSource"],
    ];
    const above = places[from.whole() - 1] ?? null;
    const place = summary.placeOf({ kind, program, path, pathSource }, above);
    places.push(place);
    readByRelease(from, place.calls, names);
  }
  for (let left = from.whole(); left > 0; left--) {
    readByRelease(from, summary.modelOf(readText(from, names) ?? ""), names);
  }
}

// ─── Parts ──────────────────────────────────────────────────────────────────

function writeByRelease(to: ByteWriter, calls: ByRelease<Tally>, names: Names): void {
  const parts = [...calls.parts()];
  to.whole(parts.length);
  for (const { release, modelVersion, counted } of parts) {
    writeText(to, release, names);
    writeText(to, modelVersion, names);
    writeTally(to, counted);
  }
}

function readByRelease(from: ByteReader, calls: ByRelease<Tally>, names: Names): void {
  for (let left = from.whole(); left > 0; left--) {
    const release = readText(from, names);
    const modelVersion = readText(from, names);
    calls.of({ release, modelVersion }).merge(readTally(from));
  }
}

/** What a tally tells beside its calls and their latencies, in the order in which it is written. */
const HAS = {
  failed: 1,
  lm: 2,
  parseFailures: 4,
  toolFailures: 8,
  tokens: 16,
  cacheRead: 32,
  cacheWrite: 64,
  toldUsd: 128,
  pricedUsd: 256,
  savedUsd: 512,
  unpricedCalls: 1024,
  cacheHits: 2048,
  hitLatencyMs: 4096,
  missLatencyMs: 8192,
  selfMs: 16384,
} as const;

function writeTally(to: ByteWriter, tally: Tally): void {
  const { failed, lmMs, lmCalls, parseFailures, toolFailures, tokens, cost, cacheHits } = tally;
  const { hitLatencyMs, missLatencyMs, selfMsApart } = tally;
  let has = 0;
  if (failed > 0) has |= HAS.failed;
  if (lmMs > 0 || lmCalls > 0) has |= HAS.lm;
  if (parseFailures > 0) has |= HAS.parseFailures;
  if (toolFailures > 0) has |= HAS.toolFailures;
  if (tokens) has |= HAS.tokens;
  if (tokens?.cacheRead !== undefined) has |= HAS.cacheRead;
  if (tokens?.cacheWrite !== undefined) has |= HAS.cacheWrite;
  if (cost.toldUsd !== null) has |= HAS.toldUsd;
  if (cost.pricedUsd !== null) has |= HAS.pricedUsd;
  if (cost.savedUsd !== null) has |= HAS.savedUsd;
  if (cost.unpricedCalls > 0) has |= HAS.unpricedCalls;
  if (cacheHits !== null) has |= HAS.cacheHits;
  if (hitLatencyMs) has |= HAS.hitLatencyMs;
  if (missLatencyMs) has |= HAS.missLatencyMs;
  if (selfMsApart) has |= HAS.selfMs;
  to.whole(has);
  writeDistribution(to, tally.latencyMs);
  if (failed > 0) writeClasses(to, tally.failedByClass);
  if (has & HAS.lm) {
    to.whole(microseconds(lmMs));
    to.whole(lmCalls);
  }
  if (parseFailures > 0) to.whole(parseFailures);
  if (toolFailures > 0) to.whole(toolFailures);
  if (tokens) {
    to.number(tokens.input);
    to.number(tokens.output);
    if (tokens.cacheRead !== undefined) to.number(tokens.cacheRead);
    if (tokens.cacheWrite !== undefined) to.number(tokens.cacheWrite);
  }
  if (cost.toldUsd !== null) to.number(cost.toldUsd);
  if (cost.pricedUsd !== null) to.number(cost.pricedUsd);
  if (cost.savedUsd !== null) to.number(cost.savedUsd);
  if (cost.unpricedCalls > 0) to.whole(cost.unpricedCalls);
  if (cacheHits !== null) to.whole(cacheHits);
  if (hitLatencyMs) writeDistribution(to, hitLatencyMs);
  if (missLatencyMs) writeDistribution(to, missLatencyMs);
  if (selfMsApart) writeDistribution(to, selfMsApart);
}

function readTally(from: ByteReader): Tally {
  const has = from.whole();
  const latencyMs = readDistribution(from);
  const failedByClass = has & HAS.failed ? readClasses(from) : new Map<ErrorClass, number>();
  let failed = 0;
  for (const count of failedByClass.values()) failed += count;
  const whole = (flag: number) => (has & flag ? from.whole() : 0);
  const number = (flag: number) => (has & flag ? from.number() : null);
  const lmMs = whole(HAS.lm) / 1000;
  const lmCalls = whole(HAS.lm);
  const parseFailures = whole(HAS.parseFailures);
  const toolFailures = whole(HAS.toolFailures);
  const tokens = has & HAS.tokens ? readTokens(from, has) : null;
  const cost: Cost = {
    toldUsd: number(HAS.toldUsd),
    pricedUsd: number(HAS.pricedUsd),
    savedUsd: number(HAS.savedUsd),
    unpricedCalls: whole(HAS.unpricedCalls),
  };
  const tellsCost = HAS.toldUsd | HAS.pricedUsd | HAS.savedUsd | HAS.unpricedCalls;
  const cacheHits = has & HAS.cacheHits ? from.whole() : null;
  const distribution = (flag: number) => (has & flag ? readDistribution(from) : null);
  return Tally.of({
    calls: latencyMs.count,
    failed,
    failedByClass,
    latencyMs,
    lmMs,
    lmCalls,
    parseFailures,
    toolFailures,
    tokens,
    cost: has & tellsCost ? cost : unknownCost,
    cacheHits,
    hitLatencyMs: distribution(HAS.hitLatencyMs),
    missLatencyMs: distribution(HAS.missLatencyMs),
    selfMsApart: distribution(HAS.selfMs),
  });
}

function readTokens(from: ByteReader, has: number): Tokens {
  const told = { input: from.number(), output: from.number() };
  return {
    ...told,
    ...(has & HAS.cacheRead ? { cacheRead: from.number() } : {}),
    ...(has & HAS.cacheWrite ? { cacheWrite: from.number() } : {}),
  };
}

function writeClasses(to: ByteWriter, failedByClass: ReadonlyMap<ErrorClass, number>): void {
  to.whole(failedByClass.size);
  for (const [errorClass, count] of failedByClass) {
    to.whole(errorClasses.indexOf(errorClass));
    to.whole(count);
  }
}

function readClasses(from: ByteReader): Map<ErrorClass, number> {
  const read = new Map<ErrorClass, number>();
  for (let left = from.whole(); left > 0; left--) {
    read.set(errorClasses[from.whole()] ?? "unknown", from.whole());
  }
  return read;
}

function writeDistribution(to: ByteWriter, distribution: Distribution): void {
  const { count, sum, min, max, buckets, counts } = distribution.buckets();
  to.whole(count);
  if (count === 0) return;
  to.whole(microseconds(sum));
  // Of one sample the sum tells both. Rounded so that no percentile is cut off.
  if (count > 1) {
    to.whole(Math.floor(min * 1000));
    to.whole(Math.ceil(max * 1000));
  }
  to.whole(buckets.length);
  let before = 0;
  for (const [at, bucket] of buckets.entries()) {
    const count = counts[at] ?? 0;
    // Most buckets hold one, and stand near the one before: then both take a byte.
    to.whole((bucket - before) * 2 + (count > 1 ? 1 : 0));
    if (count > 1) to.whole(count);
    before = bucket;
  }
}

function readDistribution(from: ByteReader): Distribution {
  const count = from.whole();
  if (count === 0) return new Distribution({ exactSamplesMax: 0 });
  const sum = from.whole() / 1000;
  const min = count > 1 ? from.whole() / 1000 : sum;
  const max = count > 1 ? from.whole() / 1000 : sum;
  const size = from.whole();
  const buckets = new Uint32Array(size);
  const counts = new Uint32Array(size);
  let before = 0;
  for (let at = 0; at < size; at++) {
    const step = from.whole();
    before += step >>> 1;
    buckets[at] = before;
    counts[at] = step % 2 === 1 ? from.whole() : 1;
  }
  return Distribution.ofBuckets({ count, sum, min, max, buckets, counts });
}

function writeText(to: ByteWriter, text: string | null, names: Names): void {
  to.whole(text === null ? 0 : names.idOf(text));
}

function readText(from: ByteReader, names: Names): string | null {
  const id = from.whole();
  return id === 0 ? null : names.textOf(id);
}

function microseconds(ms: number): number {
  return Math.round(ms * 1000);
}

function wholeMs(timeMs: number): number {
  return Math.max(1, Math.floor(timeMs));
}
