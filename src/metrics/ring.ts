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
export const DRAIN_SAMPLES = 2_048;
/** A worker's ring holds this many until the collector comes by, every 100 ms. */
export const WORKER_RING_SAMPLES = 16_384;
/** So many of the oldest may be written over this very moment, before the head tells. */
const IN_FLIGHT_SAMPLES = 64;

/** A sample, side by side: one line of the processor's cache has all of it. */
export const SAMPLE_DOUBLES = 3;
export const SAMPLE_VALUE = 0;
export const SAMPLE_TIME = 1;
/** In words: of the latency, and of the counter that the sample counted in. */
export const SAMPLE_ROW = 4;
export const SAMPLE_STATUS_ROW = 5;

/** Where its samples begin, in doubles, and how many there are. */
export type Ring = { readonly capacity: number; readonly at: number };

/** For the collector's own thread: all the history, and what has not been counted yet. */
export function ownRingSamples(historySize: number): number {
  return 2 ** Math.ceil(Math.log2(historySize + 2 * DRAIN_SAMPLES));
}

export function ringPages(capacity: number): number {
  return Math.ceil((capacity * SAMPLE_DOUBLES * 8) / PAGE_BYTES);
}

/** Undefined while the thread has none yet. */
export function ringOf(arena: Arena, shard: number): Ring | undefined {
  const word = shardWord(shard);
  const capacity = arena.load(word + SHARD_RING_CAPACITY);
  return capacity === 0 ? undefined : { capacity, at: arena.load(word + SHARD_RING_DOUBLE) };
}

/** @returns undefined when the memory is used up. */
export function makeRing(arena: Arena, shard: number, capacity: number): Ring | undefined {
  const page = arena.allocate(PAGE_RING, shard, ringPages(capacity));
  if (page < 0) return undefined;
  const word = shardWord(shard);
  arena.store(word + SHARD_RING_DOUBLE, page * PAGE_DOUBLES);
  arena.store(word + SHARD_RING_CAPACITY, capacity);
  return { capacity, at: page * PAGE_DOUBLES };
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

  /** What came since the last time need not be counted. */
  passOver(head: number): void {
    const ring = ringOf(this.#arena, this.#shard);
    if (ring) this.#goOn(ring, head);
  }

  /** @returns how many samples came since the last time. */
  #goOn({ capacity }: Ring, head: number): number {
    const came = (head - this.#drainedTo) >>> 0;
    this.#drainedTo = head;
    if (head > capacity || came > capacity) this.#hasWrapped = true;
    return came;
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
    const came = this.#goOn(ring, head);
    if (isOwn && came <= ring.capacity) {
      this.#count(windows, ring, { from, head });
      return 0;
    }
    const count = Math.min(came, ring.capacity);
    const doubles = new Float64Array(count * SAMPLE_DOUBLES);
    const lost = this.#copy(ring, { head, count }, (at, pieceCount, to) => {
      const piece = this.#arena.doubles.subarray(at, at + pieceCount * SAMPLE_DOUBLES);
      doubles.set(piece, to * SAMPLE_DOUBLES);
    });
    const words = new Uint32Array(doubles.buffer);
    windows.addRing({ doubles, words, rowWords: this.#arena.words, at: 0 }, lost, count);
    return came - count + lost;
  }

  #count(windows: Windows, ring: Ring, { from, head }: { from: number; head: number }): void {
    const start = from & (ring.capacity - 1);
    const count = (head - from) >>> 0;
    const untilWrap = Math.min(count, ring.capacity - start);
    const { words, doubles } = this.#arena;
    const view = { words, doubles, rowWords: words, at: ring.at };
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
    return this.#timeOf(ring, head - max - 1);
  }

  #timeOf(ring: Ring, sample: number): number {
    const place = sample & (ring.capacity - 1);
    return this.#arena.doubles[ring.at + place * SAMPLE_DOUBLES + SAMPLE_TIME] ?? 0;
  }

  /** What is still there of the samples up to `head`, at most `max`. */
  held(head: number, max: number): HeldSamples | undefined {
    const ring = ringOf(this.#arena, this.#shard);
    if (!ring) return undefined;
    if (head > ring.capacity) this.#hasWrapped = true;
    const there = this.#hasWrapped ? ring.capacity - IN_FLIGHT_SAMPLES : head;
    const count = Math.min(max, there);
    const times = new Float64Array(count);
    const values = new Float64Array(count);
    const rows = new Uint32Array(count);
    const statusRows = new Uint32Array(count);
    const { doubles, words } = this.#arena;
    const lost = this.#copy(ring, { head, count }, (pieceAt, pieceCount, to) => {
      for (let i = to, at = pieceAt; i < to + pieceCount; i++, at += SAMPLE_DOUBLES) {
        times[i] = doubles[at + SAMPLE_TIME] ?? 0;
        values[i] = doubles[at + SAMPLE_VALUE] ?? 0;
        rows[i] = words[at * 2 + SAMPLE_ROW] ?? 0;
        statusRows[i] = words[at * 2 + SAMPLE_STATUS_ROW] ?? 0;
      }
    });
    const held = count - lost;
    const samples = {
      times: times.subarray(lost),
      values: values.subarray(lost),
      rows: rows.subarray(lost),
      statusRows: statusRows.subarray(lost),
      firstSequence: (head - held) >>> 0,
    };
    if (!this.#hasWrapped && held === head) {
      return { ...samples, lostUpToMs: Number.NEGATIVE_INFINITY };
    }
    const lostUpToMs = this.#timeOf(ring, head - held - 1);
    // Written over meanwhile, it would be newer than what was copied.
    return { ...samples, lostUpToMs: Math.min(lostUpToMs, samples.times[0] ?? lostUpToMs) };
  }

  /**
   * Hands over the `count` samples before `head`, in up to two pieces: where each begins, how
   * many they are, and how many came before. Returns how many of the oldest were written over
   * meanwhile.
   */
  #copy(
    ring: Ring,
    { head, count }: { readonly head: number; readonly count: number },
    copy: (at: number, pieceCount: number, to: number) => void,
  ): number {
    const start = (head - count) & (ring.capacity - 1);
    const untilWrap = Math.min(count, ring.capacity - start);
    copy(ring.at + start * SAMPLE_DOUBLES, untilWrap, 0);
    copy(ring.at, count - untilWrap, untilWrap);
    const cameMeanwhile = (this.head() - head) >>> 0;
    const spare = ring.capacity - count;
    return Math.min(count, Math.max(0, cameMeanwhile + IN_FLIGHT_SAMPLES - spare));
  }
}
