/**
 * A thread's ring of its latest latencies: written by that thread alone, read by the
 * collector while it is written on. Whoever reads copies first, then looks how far the
 * thread has come meanwhile, and leaves out what may have been written over.
 */
import {
  type Arena,
  PAGE_BYTES,
  PAGE_DOUBLES,
  PAGE_RING,
  SHARD_HEAD,
  SHARD_RING_CAPACITY,
  SHARD_RING_DOUBLE,
  shardWord,
} from "./arena.ts";
import type { Windows } from "./windows.ts";

/** The collector's own thread empties its ring as it goes. */
export const DRAIN_SAMPLES = 1_024;
/** A worker's ring holds this many until the collector comes by, every 100 ms. */
export const WORKER_RING_SAMPLES = 16_384;
/** So many of the oldest may be written over this very moment, before the head tells. */
const IN_FLIGHT_SAMPLES = 64;
const BYTES_PER_SAMPLE = 8 + 8 + 4 + 4;

/** In doubles, but `rowsAt` and `statusRowsAt` in words. */
export type Ring = {
  readonly capacity: number;
  readonly valuesAt: number;
  readonly timesAt: number;
  readonly rowsAt: number;
  /** Of the counters that the samples counted in. */
  readonly statusRowsAt: number;
};

/** For the collector's own thread: all the history, and what has not been counted yet. */
export function ownRingSamples(historySize: number): number {
  return 2 ** Math.ceil(Math.log2(historySize + 2 * DRAIN_SAMPLES));
}

export function ringPages(capacity: number): number {
  return Math.ceil((capacity * BYTES_PER_SAMPLE) / PAGE_BYTES);
}

/** Undefined while the thread has none yet. */
export function ringOf(arena: Arena, shard: number): Ring | undefined {
  const word = shardWord(shard);
  const capacity = arena.load(word + SHARD_RING_CAPACITY);
  return capacity === 0 ? undefined : layOut(arena.load(word + SHARD_RING_DOUBLE), capacity);
}

/** @returns undefined when the memory is used up. */
export function makeRing(arena: Arena, shard: number, capacity: number): Ring | undefined {
  const page = arena.allocate(PAGE_RING, shard, ringPages(capacity));
  if (page < 0) return undefined;
  const word = shardWord(shard);
  arena.store(word + SHARD_RING_DOUBLE, page * PAGE_DOUBLES);
  arena.store(word + SHARD_RING_CAPACITY, capacity);
  return layOut(page * PAGE_DOUBLES, capacity);
}

function layOut(valuesAt: number, capacity: number): Ring {
  const timesAt = valuesAt + capacity;
  const rowsAt = (timesAt + capacity) * 2;
  return { capacity, valuesAt, timesAt, rowsAt, statusRowsAt: rowsAt + capacity };
}

/** Oldest first. */
export type HeldSamples = {
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly rows: Uint32Array;
  readonly statusRows: Uint32Array;
  /** Place of the first among all samples of its thread, modulo 2^32. */
  readonly firstSequence: number;
  /** All that came after this time is held; `-Infinity` when all that ever came is. */
  readonly lostUpToMs: number;
};

/** How far the collector has read one thread's ring. */
export class RingReader {
  readonly #arena: Arena;
  readonly #shard: number;
  /** Heads count samples modulo 2^32. */
  #drainedTo = 0;
  /** Whether more came than the ring holds: after 2^32 samples the head alone does not tell. */
  #hasWrapped = false;

  constructor(arena: Arena, shard: number) {
    this.#arena = arena;
    this.#shard = shard;
  }

  /** How many samples there are now. */
  head(): number {
    return this.#arena.load(shardWord(this.#shard) + SHARD_HEAD);
  }

  /**
   * Counts what came since the last time.
   *
   * @param head when the rows of all samples up to it are known.
   * @param isOwn whether this is the thread that writes the ring, so nobody does meanwhile.
   * @returns how many samples were written over before anybody came by.
   */
  drain(windows: Windows, { head, isOwn }: { readonly head: number; readonly isOwn: boolean }) {
    const from = this.#drainedTo;
    if (head === from) return 0;
    const ring = ringOf(this.#arena, this.#shard);
    if (!ring) return 0;
    this.#drainedTo = head;
    const came = (head - from) >>> 0;
    if (head > ring.capacity || came > ring.capacity) this.#hasWrapped = true;
    if (isOwn && came <= ring.capacity) {
      this.#count(windows, ring, { from, head });
      return 0;
    }
    const {
      view,
      from: first,
      to,
    } = this.#copy(ring, { head, count: Math.min(came, ring.capacity) });
    windows.addRing(view, first, to);
    return came - (to - first);
  }

  #count(windows: Windows, ring: Ring, { from, head }: { from: number; head: number }): void {
    const start = from & (ring.capacity - 1);
    const count = (head - from) >>> 0;
    const untilWrap = Math.min(count, ring.capacity - start);
    const { words, doubles } = this.#arena;
    const view = { words, doubles, rowWords: words, ...ring };
    windows.addRing(view, start, start + untilWrap);
    if (count > untilWrap) windows.addRing(view, 0, count - untilWrap);
  }

  /** When the newest sample came that is not among the `max` latest; `-Infinity` for none. */
  lostUpToMs(max: number): number {
    const ring = ringOf(this.#arena, this.#shard);
    const head = this.head();
    if (!ring || max >= ring.capacity || (head <= max && !this.#hasWrapped)) {
      return Number.NEGATIVE_INFINITY;
    }
    const newestLost = (head - max - 1) & (ring.capacity - 1);
    return this.#arena.doubles[ring.timesAt + newestLost] ?? 0;
  }

  /** What is still there of the samples up to `head`, at most `max`. */
  held(head: number, max: number): HeldSamples | undefined {
    const ring = ringOf(this.#arena, this.#shard);
    if (!ring) return undefined;
    if (head > ring.capacity) this.#hasWrapped = true;
    const there = this.#hasWrapped ? ring.capacity - IN_FLIGHT_SAMPLES : head;
    const count = Math.min(max, there);
    const { view, from, to } = this.#copy(ring, { head, count });
    const samples = {
      times: view.doubles.subarray(view.timesAt + from, view.timesAt + to),
      values: view.doubles.subarray(view.valuesAt + from, view.valuesAt + to),
      rows: view.words.subarray(view.rowsAt + from, view.rowsAt + to),
      statusRows: view.words.subarray(view.statusRowsAt + from, view.statusRowsAt + to),
      firstSequence: (head - (to - from)) >>> 0,
    };
    const held = to - from;
    if (!this.#hasWrapped && held === head) {
      return { ...samples, lostUpToMs: Number.NEGATIVE_INFINITY };
    }
    const newestLost = (head - held - 1) & (ring.capacity - 1);
    const lostUpToMs = this.#arena.doubles[ring.timesAt + newestLost] ?? 0;
    // Written over meanwhile, it would be newer than what was copied.
    return { ...samples, lostUpToMs: Math.min(lostUpToMs, samples.times[0] ?? lostUpToMs) };
  }

  /** The `count` samples before `head`, without the oldest that were written over meanwhile. */
  #copy(ring: Ring, { head, count }: { readonly head: number; readonly count: number }) {
    const { words, doubles } = this.#arena;
    const layout = layOut(0, count);
    const ownDoubles = new Float64Array(Math.ceil((count * BYTES_PER_SAMPLE) / 8));
    const ownWords = new Uint32Array(ownDoubles.buffer);
    const start = (head - count) & (ring.capacity - 1);
    const untilWrap = Math.min(count, ring.capacity - start);
    const copy = <A extends Float64Array | Uint32Array>(
      into: A,
      to: number,
      from: A,
      at: number,
    ) => {
      into.set(from.subarray(at + start, at + start + untilWrap), to);
      into.set(from.subarray(at, at + count - untilWrap), to + untilWrap);
    };
    copy(ownDoubles, layout.timesAt, doubles, ring.timesAt);
    copy(ownDoubles, layout.valuesAt, doubles, ring.valuesAt);
    copy(ownWords, layout.rowsAt, words, ring.rowsAt);
    copy(ownWords, layout.statusRowsAt, words, ring.statusRowsAt);
    const cameMeanwhile = (this.head() - head) >>> 0;
    const spare = ring.capacity - count;
    const lost = Math.min(count, Math.max(0, cameMeanwhile + IN_FLIGHT_SAMPLES - spare));
    const view = { words: ownWords, doubles: ownDoubles, rowWords: words, ...layout };
    return { view, from: lost, to: count };
  }
}
