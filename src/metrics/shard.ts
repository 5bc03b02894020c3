/**
 * What one thread writes: its rows, and a ring of its latest latencies, which the
 * collector empties into history and windows. Totals are in the rows before a
 * `record…` call returns; the ring only feeds percentiles.
 */
import { type Clock, systemClock } from "../clock.ts";
import { type Arena, SHARD_HEAD, SHARD_NOBODYS_DOUBLE, shardWord } from "./arena.ts";
import { HISTOGRAM_BOUNDS_MS, HISTOGRAM_BUCKET_OF_BITS } from "./log-buckets.ts";
import { DRAIN_SAMPLES, makeRing, ringOf } from "./ring.ts";
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
import { steadyTime } from "./steady-time.ts";

/** Samples between two looks at the clock: `Date.now()` costs 52 ns, a record 8. */
const TICK_SAMPLES = 128;
/** How old the time of a sample may be when nothing else looks at the clock. */
const TICK_MS = 100;

export type ShardOptions = {
  readonly clock: Clock;
  /** A power of two. */
  readonly ringSamples: number;
  /** Called every 1 024 samples and every 100 ms. */
  readonly onTick: () => void;
};

export class Shard {
  readonly arena: Arena;
  readonly index: number;
  readonly #clock: Clock;
  readonly #steadyNow: () => number;
  /** Moves in between two calls by any time, and costs nothing to read. */
  readonly #isTestClock: boolean;
  readonly #onTick: () => void;
  readonly #headWord: number;
  /** Where a latency without a status counts it, and nobody looks. */
  readonly #nobodysDouble: number;
  readonly #valuesAt: number;
  readonly #timesAt: number;
  readonly #rowsAt: number;
  readonly #statusRowsAt: number;
  readonly #ringMask: number;
  #nowMs = 0;
  #wallMs = 0;
  #stopTimer: () => void;

  /** @throws RangeError when there is no memory for a ring. */
  constructor(arena: Arena, index: number, { clock, ringSamples, onTick }: ShardOptions) {
    this.arena = arena;
    this.index = index;
    this.#clock = clock;
    this.#steadyNow = steadyTime(clock);
    this.#onTick = onTick;
    this.#isTestClock = clock !== systemClock;
    this.#headWord = shardWord(index) + SHARD_HEAD;
    this.#nobodysDouble = shardWord(index) / 2 + SHARD_NOBODYS_DOUBLE;
    const ring = ringOf(arena, index) ?? makeRing(arena, index, ringSamples);
    if (!ring) throw new RangeError("The memory for metrics is used up: no ring for this thread.");
    this.#valuesAt = ring.valuesAt;
    this.#timesAt = ring.timesAt;
    this.#rowsAt = ring.rowsAt;
    this.#statusRowsAt = ring.statusRowsAt;
    this.#ringMask = ring.capacity - 1;
    this.refreshClock();
    this.#stopTimer = this.#isTestClock ? () => {} : everyTick(this);
  }

  /**
   * A latency, and one more in the counter of its status. All in one: each array is
   * looked up once, which is a third of the time.
   *
   * @param ms finite and not negative.
   */
  request(row: number, statusRow: number, ms: number): void {
    if (this.#isTestClock) this.refreshClock();
    const { words, doubles } = this.arena;
    const head = words[this.#headWord] ?? 0;
    doubles[statusRow] = (doubles[statusRow] ?? 0) + 1;
    const place = head & this.#ringMask;
    const valueAt = this.#valuesAt + place;
    doubles[valueAt] = ms;
    doubles[this.#timesAt + place] = this.#nowMs;
    words[this.#rowsAt + place] = row;
    words[this.#statusRowsAt + place] = statusRow;

    let bucket = HISTOGRAM_BUCKET_OF_BITS[(words[valueAt * 2 + 1] ?? 0) >>> 14] ?? 0;
    if (ms > (HISTOGRAM_BOUNDS_MS[bucket] ?? 0)) bucket++;
    const bucketAt = row + LATENCY_BUCKETS + bucket;
    doubles[bucketAt] = (doubles[bucketAt] ?? 0) + 1;
    doubles[row + LATENCY_SUM] = (doubles[row + LATENCY_SUM] ?? 0) + ms;
    if (ms < (doubles[row + LATENCY_MIN] ?? 0)) doubles[row + LATENCY_MIN] = ms;
    if (ms > (doubles[row + LATENCY_MAX] ?? 0)) doubles[row + LATENCY_MAX] = ms;

    words[this.#headWord] = head + 1;
    if ((head & (TICK_SAMPLES - 1)) === 0) this.#tick(head);
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
    const { arena } = this;
    if (traceId === "" || traceId.length > TRACE_ID_MAX_CHARS || arena.isDetached) return;
    const { words, doubles, bytes } = arena;
    const sequenceWord = (row + LATENCY_EXEMPLAR) * 2;
    // Also when a thread was ended while it wrote here: then it is odd already.
    const sequence = arena.load(sequenceWord) | 1;
    arena.store(sequenceWord, sequence);
    doubles[row + EXEMPLAR_VALUE] = ms;
    doubles[row + EXEMPLAR_TIME] = this.#wallMs;
    words[sequenceWord + 1] = traceId.length;
    const textAt = (row + EXEMPLAR_TRACE) * 8;
    for (let i = 0; i < traceId.length; i++) {
      const code = traceId.charCodeAt(i);
      bytes[textAt + i] = code < 128 ? code : 63;
    }
    arena.store(sequenceWord, sequence + 1);
  }

  refreshClock(): void {
    this.#nowMs = this.#steadyNow();
    this.#wallMs = this.#clock.now();
  }

  /** Steady time, looked up now. */
  now(): number {
    this.refreshClock();
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
    this.refreshClock();
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
