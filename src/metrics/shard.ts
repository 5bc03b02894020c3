/**
 * What one thread writes: its rows, and a ring of its latest latencies, which the
 * collector empties into history and windows. Totals are in the rows before a
 * `record…` call returns; the ring only feeds percentiles.
 */
import type { Clock } from "../clock.ts";
import {
  type Arena,
  PAGE_BYTES,
  PAGE_DOUBLES,
  PAGE_RING,
  SHARD_DRAINED,
  SHARD_HEAD,
  SHARD_RING_CAPACITY,
  SHARD_RING_DOUBLE,
  shardWord,
} from "./arena.ts";
import { HISTOGRAM_BOUNDS_MS, HISTOGRAM_BUCKET_OF_BITS } from "./log-buckets.ts";
import {
  EXEMPLAR_TIME,
  EXEMPLAR_TRACE,
  EXEMPLAR_VALUE,
  LATENCY_BUCKETS,
  LATENCY_EXEMPLAR,
  LATENCY_MAX,
  LATENCY_MIN,
  LATENCY_SUM,
  TRACE_ID_MAX_CHARS,
} from "./rows.ts";

/** Samples between two looks at the clock: `Date.now()` costs 52 ns, a record 8. */
const TICK_SAMPLES = 64;
/** How old the time of a sample may be when nothing else looks at the clock. */
const TICK_MS = 100;
/** The collector's own thread empties its ring as it goes. */
export const OWN_RING_SAMPLES = 2_048;
const DRAIN_SAMPLES = OWN_RING_SAMPLES / 2;
/** A worker's ring holds this many until the collector comes by, every 100 ms. */
export const WORKER_RING_SAMPLES = 16_384;

export class Shard {
  readonly arena: Arena;
  readonly index: number;
  readonly #clock: Clock;
  readonly #tickMask: number;
  readonly #onTick: () => void;
  readonly #headWord: number;
  readonly #valuesAt: number;
  readonly #timesAt: number;
  readonly #rowsAt: number;
  readonly #ringMask: number;
  #nowMs: number;
  #stopTimer: () => void;

  constructor(
    arena: Arena,
    index: number,
    options: {
      readonly clock: Clock;
      /** A clock of a test stands still between two calls, and costs nothing to read. */
      readonly everySample: boolean;
      readonly ringSamples: number;
      /** Called every 1 024 samples and every 100 ms. */
      readonly onTick: () => void;
    },
  ) {
    this.arena = arena;
    this.index = index;
    this.#clock = options.clock;
    this.#onTick = options.onTick;
    this.#tickMask = options.everySample ? 0 : TICK_SAMPLES - 1;
    this.#headWord = shardWord(index) + SHARD_HEAD;
    const ring = ringOf(arena, index) ?? makeRing(arena, index, options.ringSamples);
    this.#valuesAt = ring.valuesAt;
    this.#timesAt = ring.timesAt;
    this.#rowsAt = ring.rowsAt;
    this.#ringMask = ring.capacity - 1;
    this.#nowMs = options.clock.now();
    this.#stopTimer = options.everySample ? () => {} : everyTick(this);
  }

  /** @param ms finite and not negative. */
  observe(row: number, ms: number): void {
    const { words, doubles } = this.arena;
    const head = words[this.#headWord] ?? 0;
    const place = head & this.#ringMask;
    const valueAt = this.#valuesAt + place;
    doubles[valueAt] = ms;
    doubles[this.#timesAt + place] = this.#nowMs;
    words[this.#rowsAt + place] = row;

    let bucket = HISTOGRAM_BUCKET_OF_BITS[(words[valueAt * 2 + 1] ?? 0) >>> 14] ?? 0;
    if (ms > (HISTOGRAM_BOUNDS_MS[bucket] ?? 0)) bucket++;
    const bucketAt = row + LATENCY_BUCKETS + bucket;
    doubles[bucketAt] = (doubles[bucketAt] ?? 0) + 1;
    doubles[row + LATENCY_SUM] = (doubles[row + LATENCY_SUM] ?? 0) + ms;
    if (ms < (doubles[row + LATENCY_MIN] ?? 0)) doubles[row + LATENCY_MIN] = ms;
    if (ms > (doubles[row + LATENCY_MAX] ?? 0)) doubles[row + LATENCY_MAX] = ms;

    words[this.#headWord] = head + 1;
    if ((head & this.#tickMask) === 0) this.#tick(head);
  }

  add(row: number, value: number): void {
    const { doubles } = this.arena;
    doubles[row] = (doubles[row] ?? 0) + value;
  }

  /** Keeps which trace the latest observation came from. */
  setExemplar(row: number, traceId: string, ms: number): void {
    if (traceId.length > TRACE_ID_MAX_CHARS) return;
    const { words, doubles, bytes, store, load } = accessOf(this.arena);
    const sequenceWord = (row + LATENCY_EXEMPLAR) * 2;
    const sequence = load(sequenceWord) | 1;
    store(sequenceWord, sequence);
    doubles[row + EXEMPLAR_VALUE] = ms;
    doubles[row + EXEMPLAR_TIME] = this.#nowMs;
    words[sequenceWord + 1] = traceId.length;
    const textAt = (row + EXEMPLAR_TRACE) * 8;
    for (let i = 0; i < traceId.length; i++) {
      const code = traceId.charCodeAt(i);
      bytes[textAt + i] = code < 128 ? code : 63;
    }
    store(sequenceWord, sequence + 1);
  }

  refreshClock(): void {
    this.#nowMs = this.#clock.now();
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  get onTick(): () => void {
    return this.#onTick;
  }

  close(): void {
    this.#stopTimer();
    this.#stopTimer = () => {};
  }

  #tick(head: number): void {
    this.#nowMs = this.#clock.now();
    if (head % DRAIN_SAMPLES === 0) this.#onTick();
  }
}

/** A timer that neither keeps the process alive nor a forgotten collector in memory. */
function everyTick(shard: Shard): () => void {
  const reference = new WeakRef(shard);
  const timer = setInterval(() => {
    const alive = reference.deref();
    if (!alive) return clearInterval(timer);
    alive.refreshClock();
    alive.onTick();
  }, TICK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

function accessOf(arena: Arena) {
  const { words, doubles, bytes } = arena;
  return {
    words,
    doubles,
    bytes,
    store: (word: number, value: number) => arena.store(word, value),
    load: (word: number) => arena.load(word),
  };
}

type Ring = {
  readonly capacity: number;
  readonly valuesAt: number;
  readonly timesAt: number;
  readonly rowsAt: number;
};

/** Undefined while the thread has none yet. */
function ringOf(arena: Arena, shard: number): Ring | undefined {
  const word = shardWord(shard);
  const capacity = arena.load(word + SHARD_RING_CAPACITY);
  if (capacity === 0) return undefined;
  const valuesAt = arena.load(word + SHARD_RING_DOUBLE);
  const timesAt = valuesAt + capacity;
  return { capacity, valuesAt, timesAt, rowsAt: (timesAt + capacity) * 2 };
}

function makeRing(arena: Arena, shard: number, capacity: number): Ring {
  const pages = Math.ceil((capacity * (8 + 8 + 4)) / PAGE_BYTES);
  const page = arena.allocate(PAGE_RING, shard, pages);
  if (page < 0) throw new RangeError("The memory for metrics is used up: no ring for this thread.");
  const word = shardWord(shard);
  arena.store(word + SHARD_RING_DOUBLE, page * PAGE_DOUBLES);
  arena.store(word + SHARD_RING_CAPACITY, capacity);
  const ring = ringOf(arena, shard);
  if (!ring) throw new Error("A ring that was just made is not there.");
  return ring;
}

/**
 * Empties a thread's ring, oldest first.
 *
 * @returns how many samples were written over before anybody came by.
 */
export function drainRing(
  arena: Arena,
  shard: number,
  see: (row: number, ms: number, timeMs: number) => void,
): number {
  const ring = ringOf(arena, shard);
  if (!ring) return 0;
  const word = shardWord(shard);
  const head = arena.load(word + SHARD_HEAD);
  let from = arena.load(word + SHARD_DRAINED);
  let skipped = 0;
  if ((head - from) >>> 0 > ring.capacity) {
    // The oldest may be written over this very moment: leave a margin.
    const first = (head - ring.capacity + DRAIN_SAMPLES) >>> 0;
    skipped = (first - from) >>> 0;
    from = first;
  }
  const { words, doubles } = arena;
  const mask = ring.capacity - 1;
  const count = (head - from) >>> 0;
  for (let i = 0; i < count; i++) {
    const place = (from + i) & mask;
    const row = words[ring.rowsAt + place] ?? 0;
    if (row === 0) continue;
    see(row, doubles[ring.valuesAt + place] ?? 0, doubles[ring.timesAt + place] ?? 0);
  }
  arena.store(word + SHARD_DRAINED, head);
  return skipped;
}
