/**
 * A row is one series of one thread: its totals, and the name and labels that say
 * what they are of. Rows stand one after the other in the pages of their thread. The
 * thread writes a whole row, then moves the page's end behind it, then counts in it:
 * whoever sees a total can read what it is of.
 *
 *   -2  words: size of the row in doubles, kind
 *   -1  words: bytes of the description, the series' number plus 1 once the collector gave it
 *    0  totals (see the offsets below)
 *       description: JSON of [name, label, value, label, value, …], UTF-8
 */
import { type Arena, PAGE_DOUBLES, PAGE_ROWS, PAGE_WORDS } from "./arena.ts";
import type { FreshCounts } from "./fresh-counts.ts";
import { HISTOGRAM_BUCKETS } from "./log-buckets.ts";

export const KIND_COUNTER = 1;
export const KIND_GAUGE = 2;
export const KIND_LATENCY = 3;
export type RowKind = typeof KIND_COUNTER | typeof KIND_GAUGE | typeof KIND_LATENCY;

/** A gauge's number among all settings of gauges, by which the last one wins. */
export const GAUGE_SEQUENCE = 0;
export const GAUGE_VALUE = 1;

export const LATENCY_SUM = 0;
export const LATENCY_MIN = 1;
export const LATENCY_MAX = 2;
/** A word: where `FreshCounts` counts the row's latencies; 0 when it does not. */
export const LATENCY_FRESH = 3;
export const LATENCY_BUCKETS = 4;
/** Words: a number that is odd while the exemplar is being written, length of the trace id. */
export const LATENCY_EXEMPLAR = LATENCY_BUCKETS + HISTOGRAM_BUCKETS;
export const EXEMPLAR_VALUE = LATENCY_EXEMPLAR + 1;
export const EXEMPLAR_TIME = LATENCY_EXEMPLAR + 2;
export const EXEMPLAR_TRACE = LATENCY_EXEMPLAR + 3;
/** A W3C trace id has 32 characters; what is longer than this is not kept. */
export const TRACE_ID_MAX_CHARS = 64;

const DATA_DOUBLES: Readonly<Record<RowKind, number>> = {
  [KIND_COUNTER]: 1,
  [KIND_GAUGE]: 2,
  [KIND_LATENCY]: EXEMPLAR_TRACE + TRACE_ID_MAX_CHARS / 8,
};

/** A page begins with one double: in its first word, where its rows end. */
const PAGE_HEADER_DOUBLES = 1;
const ROW_HEADER_DOUBLES = 2;

export type Row = { readonly kind: RowKind; readonly at: number; readonly description: string };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Appends rows to the pages of one thread. */
export class RowWriter {
  readonly #arena: Arena;
  readonly #shard: number;
  readonly #fresh: FreshCounts | undefined;
  readonly #known = new Map<string, number>();
  #page = -1;

  /** @param fresh where the thread counts what it records, if it is the collector's own. */
  constructor(arena: Arena, shard: number, fresh?: FreshCounts) {
    this.#arena = arena;
    this.#shard = shard;
    this.#fresh = fresh;
    // A thread that had this place before left its rows: go on with them.
    for (let page = 0; page < arena.pages(); page++) {
      if (arena.kindOf(page) !== PAGE_ROWS || arena.shardOf(page) !== shard) continue;
      this.#page = page;
      readRows(arena, page, 0, ({ kind, description, at }) => {
        this.#known.set(`${kind}${description}`, at);
        if (kind === KIND_LATENCY) this.#setFresh(at);
      });
    }
    // It may have been ended before it told of the last one.
    arena.rowAdded();
  }

  /** Of what a thread before this one left here: each row, once. */
  *known(): Iterable<{ readonly kind: RowKind; readonly description: string }> {
    for (const key of this.#known.keys()) {
      const kind = rowKindOf(Number(key[0]));
      if (kind) yield { kind, description: key.slice(1) };
    }
  }

  has(kind: RowKind, description: string): boolean {
    return this.#known.has(`${kind}${description}`);
  }

  /** @returns where the row's totals begin, in doubles; -1 when the memory is used up. */
  rowOf(kind: RowKind, description: string): number {
    const key = `${kind}${description}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#arena.isDetached) return -1;

    const text = encoder.encode(description);
    const size = ROW_HEADER_DOUBLES + DATA_DOUBLES[kind] + Math.ceil(text.length / 8);
    const arena = this.#arena;
    let used = this.#page < 0 ? PAGE_DOUBLES : usedOf(arena, this.#page);
    if (used + size > PAGE_DOUBLES) {
      if (size + PAGE_HEADER_DOUBLES > PAGE_DOUBLES) return -1;
      const page = arena.allocate(PAGE_ROWS, this.#shard, 1);
      if (page < 0) return -1;
      this.#page = page;
      used = PAGE_HEADER_DOUBLES;
    }

    const start = this.#page * PAGE_DOUBLES + used;
    const at = start + ROW_HEADER_DOUBLES;
    arena.words[start * 2] = size;
    arena.words[start * 2 + 1] = kind;
    arena.words[start * 2 + 2] = text.length;
    arena.words[start * 2 + 3] = 0;
    // A thread that was ended while it wrote a row here left what it had written.
    arena.doubles.fill(0, at, at + DATA_DOUBLES[kind]);
    if (kind === KIND_LATENCY) {
      arena.doubles[at + LATENCY_MIN] = Number.POSITIVE_INFINITY;
      arena.doubles[at + LATENCY_MAX] = Number.NEGATIVE_INFINITY;
      this.#setFresh(at);
    }
    arena.bytes.set(text, (at + DATA_DOUBLES[kind]) * 8);
    arena.store(this.#page * PAGE_WORDS, used + size);
    arena.rowAdded();
    this.#known.set(key, at);
    return at;
  }

  #setFresh(at: number): void {
    this.#arena.words[(at + LATENCY_FRESH) * 2] = this.#fresh?.placeFor(at) ?? 0;
  }
}

function usedOf(arena: Arena, page: number): number {
  return arena.load(page * PAGE_WORDS) || PAGE_HEADER_DOUBLES;
}

/**
 * Reads the rows of a page from a place on.
 *
 * @param from what an earlier call returned, or 0.
 * @returns where to go on.
 */
export function readRows(
  arena: Arena,
  page: number,
  from: number,
  see: (row: Row) => void,
): number {
  const end = usedOf(arena, page);
  arena.refresh();
  let used = Math.max(from, PAGE_HEADER_DOUBLES);
  while (used < end) {
    const start = page * PAGE_DOUBLES + used;
    const at = start + ROW_HEADER_DOUBLES;
    const size = arena.words[start * 2] ?? 0;
    const kind = rowKindOf(arena.words[start * 2 + 1] ?? 0);
    if (!kind || size < ROW_HEADER_DOUBLES) break;
    const textStart = (at + DATA_DOUBLES[kind]) * 8;
    const text = arena.bytes.slice(textStart, textStart + (arena.words[start * 2 + 2] ?? 0));
    see({ kind, at, description: decoder.decode(text) });
    used += size;
  }
  return used;
}

function rowKindOf(word: number): RowKind | undefined {
  return word === KIND_COUNTER || word === KIND_GAUGE || word === KIND_LATENCY ? word : undefined;
}

/** Where the collector notes which series a row belongs to. */
export function seriesWordOf(at: number): number {
  return at * 2 - 1;
}
