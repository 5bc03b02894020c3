/**
 * What one thread writes: its rows, and a ring of its latest latencies, which the
 * collector empties into history and windows. Totals are in the rows before a
 * `record…` call returns; the ring only feeds percentiles. In the collector's own
 * thread, which alone reads totals, most buckets wait in `FreshCounts` until it does.
 */
import { type Clock, systemClock } from "../clock.ts";
import { type Arena, SHARD_HEAD, SHARD_NOBODYS_DOUBLE, shardWord } from "./arena.ts";
import type { FreshCounts } from "./fresh-counts.ts";
import { histogramBucketOf, logBucketOfWord } from "./log-buckets.ts";
import {
  DRAIN_SAMPLES,
  makeRing,
  ringOf,
  SAMPLE_DOUBLES,
  SAMPLE_ROW,
  SAMPLE_STATUS_ROW,
  SAMPLE_TIME,
} from "./ring.ts";
import {
  EXEMPLAR_TIME,
  EXEMPLAR_TRACE,
  EXEMPLAR_VALUE,
  LATENCY_BUCKETS,
  LATENCY_EXEMPLAR,
  LATENCY_FRESH,
  LATENCY_MAX,
  LATENCY_MIN,
  LATENCY_SUM,
  TRACE_ID_MAX_CHARS,
} from "./rows.ts";
import { steadyTime } from "./steady-time.ts";

// V8 puts a module's own constants into the code; one that is imported is looked up by each call.
const TIME = SAMPLE_TIME;
const ROW = SAMPLE_ROW;
const STATUS_ROW = SAMPLE_STATUS_ROW;
const SIZE = SAMPLE_DOUBLES;
const SUM = LATENCY_SUM;
const MIN = LATENCY_MIN;
const MAX = LATENCY_MAX;
const FRESH = LATENCY_FRESH;
const BUCKETS = LATENCY_BUCKETS;

/** Samples between two looks at the clock, which costs as much as five records. */
const TICK_SAMPLES = 256;
/** How old the time of a sample may be when nothing else looks at the clock. */
const TICK_MS = 100;

export type ShardOptions = {
  readonly clock: Clock;
  /** A power of two. */
  readonly ringSamples: number;
  /** Called every 2 048 samples and every 100 ms. */
  readonly onTick: (wallMs: number) => void;
  /** Of the collector's own thread. */
  readonly fresh?: FreshCounts;
};

export class Shard {
  readonly arena: Arena;
  readonly index: number;
  readonly #clock: Clock;
  readonly #steadyNow: () => number;
  /** Moves in between two calls by any time, and costs nothing to read. */
  readonly #isTestClock: boolean;
  readonly #onTick: (wallMs: number) => void;
  readonly #fresh: FreshCounts | undefined;
  // With a number from the first on, V8 reads it as one, and need not look what it is.
  readonly #headWord: number = 0;
  /** Where a latency without a status counts it, and nobody looks. */
  readonly #nobodysDouble: number;
  readonly #ringAt: number = 0;
  readonly #ringMask: number = 0;
  #nowMs = 0;
  #wallMs = 0;
  #stopTimer: () => void;

  /** @throws RangeError when there is no memory for a ring. */
  constructor(arena: Arena, index: number, options: ShardOptions) {
    const { clock, ringSamples, onTick, fresh } = options;
    this.arena = arena;
    this.index = index;
    this.#clock = clock;
    this.#steadyNow = steadyTime(clock);
    this.#onTick = onTick;
    this.#fresh = fresh;
    this.#isTestClock = clock !== systemClock;
    this.#headWord = shardWord(index) + SHARD_HEAD;
    this.#nobodysDouble = shardWord(index) / 2 + SHARD_NOBODYS_DOUBLE;
    const ring = ringOf(arena, index) ?? makeRing(arena, index, ringSamples);
    if (!ring) throw new RangeError("The memory for metrics is used up: no ring for this thread.");
    this.#ringAt = ring.at;
    this.#ringMask = ring.capacity - 1;
    this.refreshClock();
    this.#stopTimer = this.#isTestClock ? () => {} : everyTick(this);
  }

  /**
   * A latency, and one more in the counter of its status. In one call, and in less than 460
   * bytes of bytecode, up to which V8 puts it into its caller: a third of the time. What calls
   * what is not put in here comes last, because all arrays are looked up again behind it.
   *
   * @param ms finite and not negative.
   */
  request(row: number, statusRow: number, ms: number): void {
    if (this.#isTestClock) this.refreshClock();
    const { words, doubles } = this.arena;
    const head = words[this.#headWord] ?? 0;
    const at = this.#ringAt + (head & this.#ringMask) * SIZE;
    doubles[at] = ms;
    doubles[at + TIME] = this.#nowMs;
    words[at * 2 + ROW] = row;
    words[at * 2 + STATUS_ROW] = statusRow;

    const logBucket = logBucketOfWord(words[at * 2 + 1] ?? 0);
    const place = words[(row + FRESH) * 2] ?? 0;
    if (place === 0) {
      const bucketAt = row + BUCKETS + histogramBucketOf(ms, logBucket);
      // A worker can be terminated where a function is called: from here on there is none.
      this.#addToTotals(row, statusRow, ms);
      doubles[bucketAt] = (doubles[bucketAt] ?? 0) + 1;
      words[this.#headWord] = head + 1;
    } else {
      this.#addToTotals(row, statusRow, ms);
      words[this.#headWord] = head + 1;
      this.#fresh?.add(place, logBucket, ms);
    }
    if ((head & (TICK_SAMPLES - 1)) === 0) this.#tick(head);
  }

  #addToTotals(row: number, statusRow: number, ms: number): void {
    const { doubles } = this.arena;
    doubles[statusRow] = (doubles[statusRow] ?? 0) + 1;
    doubles[row + SUM] = (doubles[row + SUM] ?? 0) + ms;
    if (ms < (doubles[row + MIN] ?? 0)) doubles[row + MIN] = ms;
    if (ms > (doubles[row + MAX] ?? 0)) doubles[row + MAX] = ms;
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
    this.#fresh?.goOnAt(this.#nowMs);
  }

  /** Steady time, looked up now. */
  now(): number {
    this.refreshClock();
    return this.#nowMs;
  }

  tick(): void {
    this.refreshClock();
    this.#onTick(this.#wallMs);
  }

  close(): void {
    this.#stopTimer();
    this.#stopTimer = () => {};
  }

  #tick(head: number): void {
    if (head % DRAIN_SAMPLES === 0) this.tick();
    else this.refreshClock();
  }
}

/** A timer that neither keeps the process alive nor a forgotten collector in memory. */
function everyTick(shard: Shard): () => void {
  const reference = new WeakRef(shard);
  const timer = setInterval(() => {
    const alive = reference.deref();
    if (!alive) return clearInterval(timer);
    alive.tick();
  }, TICK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
