/**
 * The memory that a collector shares with its workers: one SharedArrayBuffer, grown
 * as needed up to a hard limit, cut into pages. A page belongs to one thread, which
 * alone writes it; everybody reads. So recording needs no atomic operation (a plain
 * `++` takes 1.2 ns, `Atomics.add` 9 to 12), and what a thread recorded stays when it is
 * terminated.
 *
 *   page 0             the header, and where each thread's ring is
 *   page 1             the kind and owner of every page
 *   page 2 …           rows (see rows.ts) and rings (see shard.ts)
 */

export const PAGE_BYTES = 65_536;
export const PAGE_WORDS = PAGE_BYTES / 4;
export const PAGE_DOUBLES = PAGE_BYTES / 8;
const RESERVED_PAGES = 2;
/** Page 1 has one word for each. */
export const PAGES_MAX = PAGE_WORDS;
const GROW_PAGES = 4;

/** Threads that may record at one time. */
export const SHARDS_MAX = 256;

export const PAGE_UNUSED = 0;
export const PAGE_ROWS = 1;
export const PAGE_RING = 2;

// The header, in words of 32 bits (the start time is a double).
const MAGIC = 0x64737079;
const WORD_MAGIC = 0;
const WORD_NEXT_PAGE = 1;
const WORD_ROWS = 2;
const WORD_SHARDS = 3;
const WORD_MAX_SERIES = 4;
const WORD_MAX_SERIES_PER_METRIC = 5;
const DOUBLE_START_MS = 4;
/** 64 bits: at a thousand settings a second, 32 would be used up in 25 days. */
const BIGINT_GAUGE_SEQUENCE = 5;

// Two cache lines for each thread, so that no two threads write into one.
const SHARD_TABLE_WORD = 64;
const SHARD_WORDS = 32;
export const SHARD_HEAD = 0;
export const SHARD_RING_DOUBLE = 1;
export const SHARD_RING_CAPACITY = 2;
export const SHARD_NOBODYS_DOUBLE = 2;
/** The number of the thread whose place it is, plus 1; 0 while it is nobody's. */
const SHARD_OWNER = 16;
const NOBODY = 0;

export type ArenaLimits = { readonly maxSeries: number; readonly maxSeriesPerMetric: number };

export class Arena {
  readonly buffer: SharedArrayBuffer;
  /** Fixed views of all pages there are: a view that follows the length is slower. */
  words: Uint32Array = new Uint32Array(0);
  doubles: Float64Array = new Float64Array(0);
  bytes: Uint8Array = new Uint8Array(0);
  #atomics: Int32Array = new Int32Array(0);
  readonly #gaugeSequence: BigInt64Array;
  #isDetached = false;

  private constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#gaugeSequence = new BigInt64Array(buffer, BIGINT_GAUGE_SEQUENCE * 8, 1);
    this.refresh();
  }

  static create(options: ArenaLimits & { readonly maxBytes: number; readonly startMs: number }) {
    const pages = Math.min(PAGES_MAX, Math.max(8, Math.floor(options.maxBytes / PAGE_BYTES)));
    const buffer = new SharedArrayBuffer(RESERVED_PAGES * PAGE_BYTES, {
      maxByteLength: pages * PAGE_BYTES,
    });
    const arena = new Arena(buffer);
    arena.words[WORD_NEXT_PAGE] = RESERVED_PAGES;
    arena.words[WORD_MAX_SERIES] = options.maxSeries;
    arena.words[WORD_MAX_SERIES_PER_METRIC] = options.maxSeriesPerMetric;
    arena.doubles[DOUBLE_START_MS] = options.startMs;
    arena.words[WORD_MAGIC] = MAGIC;
    return arena;
  }

  /** @returns undefined when the buffer is not one that `create` has made. */
  static open(buffer: unknown): Arena | undefined {
    if (!(buffer instanceof SharedArrayBuffer)) return undefined;
    const { byteLength } = buffer;
    if (byteLength < RESERVED_PAGES * PAGE_BYTES || byteLength % PAGE_BYTES !== 0) return undefined;
    const arena = new Arena(buffer);
    return arena.words[WORD_MAGIC] === MAGIC ? arena : undefined;
  }

  /** From now on this thread sees and writes nothing: the place may be another one's. */
  detach(): void {
    this.#isDetached = true;
    this.words = new Uint32Array(0);
    this.doubles = new Float64Array(0);
    this.bytes = new Uint8Array(0);
  }

  get isDetached(): boolean {
    return this.#isDetached;
  }

  get limits(): ArenaLimits {
    return {
      maxSeries: this.words[WORD_MAX_SERIES] ?? 0,
      maxSeriesPerMetric: this.words[WORD_MAX_SERIES_PER_METRIC] ?? 0,
    };
  }

  get startMs(): number {
    return this.doubles[DOUBLE_START_MS] ?? 0;
  }

  /** Sees pages that another thread has added since. */
  refresh(): void {
    const length = this.buffer.byteLength;
    if (length === this.bytes.length || this.#isDetached) return;
    this.words = new Uint32Array(this.buffer, 0, length / 4);
    this.doubles = new Float64Array(this.buffer, 0, length / 8);
    this.bytes = new Uint8Array(this.buffer, 0, length);
    this.#atomics = new Int32Array(this.buffer, 0, length / 4);
  }

  /** @returns the first of `count` adjoining pages, all zero; -1 when the memory is used up. */
  allocate(kind: number, shard: number, count: number): number {
    const pagesMax = Math.floor(this.buffer.maxByteLength / PAGE_BYTES);
    for (;;) {
      const page = Atomics.load(this.#atomics, WORD_NEXT_PAGE);
      if (page + count > pagesMax) return -1;
      if (Atomics.compareExchange(this.#atomics, WORD_NEXT_PAGE, page, page + count) !== page) {
        continue;
      }
      if (!this.#grow(Math.min(pagesMax, page + count + GROW_PAGES) * PAGE_BYTES)) return -1;
      for (let i = 0; i < count; i++) {
        Atomics.store(this.#atomics, PAGE_WORDS + page + i, (shard << 8) | kind);
      }
      return page;
    }
  }

  /** @returns whether the memory is there; a service must not fail because there is none left. */
  #grow(toBytes: number): boolean {
    while (this.buffer.byteLength < toBytes) {
      try {
        this.buffer.grow(toBytes);
      } catch {
        // Another thread grew it further in between, or the machine has no more.
        if (this.buffer.byteLength < toBytes) return false;
      }
    }
    this.refresh();
    return true;
  }

  pages(): number {
    return Atomics.load(this.#atomics, WORD_NEXT_PAGE);
  }

  kindOf(page: number): number {
    return Atomics.load(this.#atomics, PAGE_WORDS + page) & 0xff;
  }

  shardOf(page: number): number {
    return Atomics.load(this.#atomics, PAGE_WORDS + page) >>> 8;
  }

  load(word: number): number {
    return Atomics.load(this.#atomics, word) >>> 0;
  }

  store(word: number, value: number): void {
    Atomics.store(this.#atomics, word, value | 0);
  }

  /** A number that is above all that any thread got before. */
  nextGaugeSequence(): number {
    return Number(Atomics.add(this.#gaugeSequence, 0, 1n)) + 1;
  }

  /** To be called when a row can be read, before anything is counted in it. */
  rowAdded(): void {
    Atomics.add(this.#atomics, WORD_ROWS, 1);
  }

  /** Changes whenever there are new rows. */
  rows(): number {
    return Atomics.load(this.#atomics, WORD_ROWS);
  }

  /** A place to write for one thread; `undefined` when all are taken. */
  claimShard(threadId: number): number | undefined {
    for (let shard = 0; shard < SHARDS_MAX; shard++) {
      const owner = shardWord(shard) + SHARD_OWNER;
      if (Atomics.compareExchange(this.#atomics, owner, NOBODY, threadId + 1) !== NOBODY) continue;
      // Places are taken from the first on: this many were ever used.
      for (;;) {
        const used = Atomics.load(this.#atomics, WORD_SHARDS);
        if (used > shard) break;
        Atomics.compareExchange(this.#atomics, WORD_SHARDS, used, shard + 1);
      }
      return shard;
    }
    return undefined;
  }

  /**
   * The thread writes there no more. What it recorded stays; the next thread to claim
   * the place goes on with the same rows, so threads that come and go need no more memory.
   */
  freeShard(shard: number, threadId: number): void {
    // Only while it is still this thread's: another one may have claimed it since.
    const owner = shardWord(shard) + SHARD_OWNER;
    Atomics.compareExchange(this.#atomics, owner, threadId + 1, NOBODY);
  }

  /** The thread has ended, maybe without giving back what it had. */
  freeThread(threadId: number): void {
    for (let shard = 0; shard < this.shards(); shard++) this.freeShard(shard, threadId);
  }

  /** How many places were ever taken. */
  shards(): number {
    return Atomics.load(this.#atomics, WORD_SHARDS);
  }
}

export function shardWord(shard: number): number {
  return SHARD_TABLE_WORD + shard * SHARD_WORDS;
}
