/**
 * The spans of closed traces, as far as it takes to know one that is sent again: three
 * numbers each, since very many are remembered, and no object.
 */
import type { AgentSpan } from "../../signals/span.ts";

/** Of one trace. */
export type ClosedTraceSpans = {
  /** Shared with other traces: goes once all of them are forgotten. */
  readonly words: Int32Array;
  readonly start: number;
  readonly size: number;
  /** Place of each id: made when the first of very many spans comes late, which few traces see. */
  places: ReadonlyMap<string, number> | null;
};

/** The two halves of a span's id, and its digest. */
const WORDS = 3;
const BLOCK_WORDS = WORDS * 1_024;
/** Spans of one trace that are searched through. */
const SEARCHED_MAX = 64;

export class ClosedSpans {
  #words = new Int32Array(0);
  #used = 0;

  add(spans: readonly AgentSpan[]): ClosedTraceSpans {
    const needed = WORDS * spans.length;
    if (this.#used + needed > this.#words.length) {
      this.#words = new Int32Array(Math.max(needed, BLOCK_WORDS));
      this.#used = 0;
    }
    const words = this.#words;
    const start = this.#used;
    for (const span of spans) {
      words[this.#used++] = wordOf(span.spanId, 0);
      words[this.#used++] = wordOf(span.spanId, 8);
      words[this.#used++] = digest(span);
    }
    return { words, start, size: spans.length, places: null };
  }
}

export type RepeatDropReason = "duplicate_span" | "changed_span" | "late_span";

export function reasonToDrop(closed: ClosedTraceSpans, span: AgentSpan): RepeatDropReason {
  const at = closed.size > SEARCHED_MAX ? lookUp(closed, span.spanId) : search(closed, span.spanId);
  if (at === undefined) return "late_span";
  return closed.words[at + 2] === digest(span) ? "duplicate_span" : "changed_span";
}

function search({ words, start, size }: ClosedTraceSpans, spanId: string): number | undefined {
  const high = wordOf(spanId, 0);
  const low = wordOf(spanId, 8);
  for (let at = start; at < start + WORDS * size; at += WORDS) {
    if (words[at] === high && words[at + 1] === low) return at;
  }
  return undefined;
}

function lookUp(closed: ClosedTraceSpans, spanId: string): number | undefined {
  closed.places ??= placesOf(closed);
  return closed.places.get(spanId);
}

function placesOf({ words, start, size }: ClosedTraceSpans): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  for (let at = start; at < start + WORDS * size; at += WORDS) {
    places.set(hexOf(words[at] ?? 0) + hexOf(words[at + 1] ?? 0), at);
  }
  return places;
}

/** Eight of the hexadecimal digits, from `start` on. */
function wordOf(id: string, start: number): number {
  let word = 0;
  for (let at = start; at < start + 8; at++) {
    const code = id.charCodeAt(at);
    word = (word << 4) | (code < 58 ? code - 48 : code - 87);
  }
  return word;
}

function hexOf(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}

const times = new Float64Array(2);
const timeWords = new Int32Array(times.buffer);

/**
 * Tells a repeated span from a different one with the same id, of which only one is
 * counted anyway: so the times, and a few characters of its name and parent, will do.
 */
export function digest({ name, startMs, endMs, failed, parentSpanId }: AgentSpan): number {
  times[0] = startMs;
  times[1] = endMs;
  let hash = failed ? 17 : 19;
  for (let word = 0; word < 4; word++) hash = mixed(hash, timeWords[word] ?? 0);
  hash = mixed(hash, (name.length << 16) | someOf(name));
  return parentSpanId === null ? hash : mixed(hash, someOf(parentSpanId));
}

/** Of the first, the middle and the last character. */
function someOf(text: string): number {
  const last = text.length - 1;
  if (last < 0) return 0;
  return text.charCodeAt(0) ^ (text.charCodeAt(last >> 1) << 5) ^ (text.charCodeAt(last) << 10);
}

function mixed(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, 0x9e3779b1);
  return product ^ (product >>> 15);
}
