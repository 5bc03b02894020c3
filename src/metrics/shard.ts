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
  SHARD_NOBODYS_DOUBLE,
  SHARD_RING_CAPACITY,
  SHARD_RING_DOUBLE,
  SHARD_WRAPPED,
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
import type { Windows } from "./windows.ts";

/** Samples between two looks at the clock: `Date.now()` costs 52 ns, a record 8. */
const TICK_SAMPLES = 128;
/** How old the time of a sample may be when nothing else looks at the clock. */
const TICK_MS = 100;
/** The collector's own thread empties its ring as it goes. */
export const DRAIN_SAMPLES = 1_024;
/** A worker's ring holds this many until the collector comes by, every 100 ms. */
export const WORKER_RING_SAMPLES = 16_384;

export class Shard {
  readonly arena: Arena;
  readonly index: number;
  readonly #clock: Clock;
  readonly #tickMask: number;
  readonly #onTick: () => void;
  readonly #headWord: number;
  /** Where a latency without a status counts it, and nobody looks. */
  readonly #nobodysDouble: number;
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
    this.#nobodysDouble = shardWord(index) / 2 + SHARD_NOBODYS_DOUBLE;
    const ring = ringOf(arena, index) ?? makeRing(arena, index, options.ringSamples);
    this.#valuesAt = ring.valuesAt;
    this.#timesAt = ring.timesAt;
    this.#rowsAt = ring.rowsAt;
    this.#ringMask = ring.capacity - 1;
    this.#nowMs = options.clock.now();
    this.#stopTimer = options.everySample ? () => {} : everyTick(this);
  }

  /**
   * A latency, and one more in the counter of its status. All in one: each array is
   * looked up once, which is a third of the time.
   *
   * @param ms finite and not negative.
   */
  request(row: number, statusRow: number, ms: number): void {
    const { words, doubles } = this.arena;
    doubles[statusRow] = (doubles[statusRow] ?? 0) + 1;
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

  observe(row: number, ms: number): void {
    this.request(row, this.#nobodysDouble, ms);
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

/** For the collector's own thread: all the history, and what has not been counted yet. */
export function ownRingSamples(historySize: number): number {
  return 2 ** Math.ceil(Math.log2(historySize + 2 * DRAIN_SAMPLES));
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
 * Counts what came into a thread's ring since the last time.
 *
 * @returns how many samples were written over before anybody came by.
 */
export function drainRing(arena: Arena, shard: number, windows: Windows): number {
  const word = shardWord(shard);
  const head = arena.load(word + SHARD_HEAD);
  let from = arena.load(word + SHARD_DRAINED);
  if (head === from) return 0;
  const ring = ringOf(arena, shard);
  if (!ring) return 0;
  let skipped = 0;
  if ((head - from) >>> 0 > ring.capacity) {
    // The oldest may be written over this very moment: leave a margin.
    const first = (head - ring.capacity + DRAIN_SAMPLES) >>> 0;
    skipped = (first - from) >>> 0;
    from = first;
  }
  const { words, doubles } = arena;
  const view = { words, doubles, ...ring };
  const start = from & (ring.capacity - 1);
  const count = (head - from) >>> 0;
  const untilWrap = Math.min(count, ring.capacity - start);
  windows.addRing(view, start, start + untilWrap);
  if (count > untilWrap) windows.addRing(view, 0, count - untilWrap);
  arena.store(word + SHARD_DRAINED, head);
  return skipped;
}

export type HeldSamples = {
  /** All that came after this time is held. */
  readonly lostUpToMs: number;
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly rows: Uint32Array;
};

/** The raw samples that a thread's ring still holds, at most `max`, oldest first. */
export function heldSamples(arena: Arena, shard: number, max: number): HeldSamples | undefined {
  const ring = ringOf(arena, shard);
  if (!ring) return undefined;
  const word = shardWord(shard);
  const head = arena.load(word + SHARD_HEAD);
  const wrapped = arena.load(word + SHARD_WRAPPED) === 1 || head > ring.capacity;
  if (wrapped) arena.store(word + SHARD_WRAPPED, 1);
  const count = Math.min(max, wrapped ? ring.capacity - DRAIN_SAMPLES : head);
  const { words, doubles } = arena;
  const mask = ring.capacity - 1;
  const times = new Float64Array(count);
  const values = new Float64Array(count);
  const rows = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const place = (head - count + i) & mask;
    times[i] = doubles[ring.timesAt + place] ?? 0;
    values[i] = doubles[ring.valuesAt + place] ?? 0;
    rows[i] = words[ring.rowsAt + place] ?? 0;
  }
  const isAll = !wrapped && count === head;
  const newestLost = (head - count - 1) & mask;
  const lostUpToMs = isAll ? Number.NEGATIVE_INFINITY : (doubles[ring.timesAt + newestLost] ?? 0);
  return { lostUpToMs, times, values, rows };
}
