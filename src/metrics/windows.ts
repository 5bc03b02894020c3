/**
 * How many samples fell into which log bucket, by slice of time: what percentiles of a
 * window come from when its raw samples are no longer held. Slices of one second for
 * two minutes, then coarser, so the start of a longer window is rounded to at most an
 * eighth of its length, and asking costs the same whatever the traffic.
 *
 * A slice is a plain list of (key, count); a key is a series' number and a bucket.
 */
import { LOG_BUCKETS, logBucketOfWord } from "./log-buckets.ts";
import { SAMPLE_DOUBLES, SAMPLE_ROW, SAMPLE_TIME, SAMPLE_VALUE } from "./ring.ts";
import { LATENCY_FRESH, seriesWordOf } from "./rows.ts";

export const BUCKET_BITS = 12;
/** Series' numbers fit into what a bucket leaves of 32 bits. */
export const WINDOW_SERIES_MAX = 2 ** (32 - BUCKET_BITS);

export const FINEST_SLICE_MS = 1_000;
const LEVELS = [
  { sliceMs: FINEST_SLICE_MS, keptMs: 2 * 60_000 },
  { sliceMs: 10_000, keptMs: 20 * 60_000 },
  { sliceMs: 60_000, keptMs: 2 * 3_600_000 },
  { sliceMs: 900_000, keptMs: 7 * 86_400_000 },
] as const;

/** Of 8 bytes, per level: above, the oldest slices are let go, and windows reach less far back. */
const ENTRIES_PER_LEVEL_MAX = 262_144;
/** Slots of the open slice: four times as many whenever half are taken, and at the most it is closed early. */
const OPEN_SLOTS_BITS_MIN = 6;
const OPEN_SLOTS_BITS_STEP = 2;
const OPEN_SLOTS_BITS_MAX = 16;
const OPEN_SLOTS_MAX = 2 ** OPEN_SLOTS_BITS_MAX;

/** Series numbered below count in a table of their own, without hashing: 3 times faster. */
const DENSE_SERIES_MAX = 128;
/** 32 KiB each, so there is room for few at first, and four times as many whenever it is needed. */
const DENSE_SERIES_MIN = 16;
const DENSE_SERIES_FACTOR = 4;

/** Most that one `Windows` takes: slices, open slices, and what is being dropped. */
export const WINDOWS_BYTES_MAX =
  LEVELS.length * (ENTRIES_PER_LEVEL_MAX + OPEN_SLOTS_MAX / 2) * 8 +
  LEVELS.length * OPEN_SLOTS_MAX * 10 +
  DENSE_SERIES_MAX * LOG_BUCKETS * 8;

/** Where latencies lie, from which double on, and where their rows. */
export type RingView = {
  readonly words: Uint32Array;
  readonly doubles: Float64Array;
  readonly at: number;
  readonly rowWords: Uint32Array;
};

type Slice = { readonly endMs: number; readonly entries: Uint32Array };

/** Calls back with a series' number, a bucket and a count. */
type See = (series: number, bucket: number, count: number) => void;

/** Slices that end after `startMs`, and not after `endMs`. */
type Range = { readonly startMs: number; readonly endMs: number };

class Level {
  readonly sliceMs: number;
  readonly keptMs: number;
  #slotsBits = OPEN_SLOTS_BITS_MIN;
  #keys = new Uint32Array(2 ** OPEN_SLOTS_BITS_MIN);
  #counts = new Uint32Array(2 ** OPEN_SLOTS_BITS_MIN);
  #used = new Uint32Array(2 ** OPEN_SLOTS_BITS_MIN / 2);
  #usedCount = 0;
  #slices: Slice[] = [];
  #entries = 0;
  openEndMs = 0;
  /** Nothing from here on has been let go. */
  coveredSinceMs = Number.NEGATIVE_INFINITY;

  constructor({ sliceMs, keptMs }: { readonly sliceMs: number; readonly keptMs: number }) {
    this.sliceMs = sliceMs;
    this.keptMs = keptMs;
  }

  get isFull(): boolean {
    return this.#usedCount === OPEN_SLOTS_MAX / 2;
  }

  add(key: number, count: number): void {
    const counts = this.#counts;
    const keys = this.#keys;
    const mask = counts.length - 1;
    let slot = Math.imul(key, 0x9e3779b1) >>> (32 - this.#slotsBits);
    for (;;) {
      const before = counts[slot] ?? 0;
      if (before === 0) break;
      if (keys[slot] === key) {
        counts[slot] = before + count;
        return;
      }
      slot = (slot + 1) & mask;
    }
    keys[slot] = key;
    counts[slot] = count;
    this.#used[this.#usedCount++] = slot;
    if (this.#usedCount === this.#used.length && !this.isFull) this.#grow();
  }

  #grow(): void {
    const [keys, counts, used] = [this.#keys, this.#counts, this.#used];
    this.#slotsBits += OPEN_SLOTS_BITS_STEP;
    this.#keys = new Uint32Array(2 ** this.#slotsBits);
    this.#counts = new Uint32Array(2 ** this.#slotsBits);
    this.#used = new Uint32Array(2 ** this.#slotsBits / 2);
    this.#usedCount = 0;
    for (const slot of used) this.add(keys[slot] ?? 0, counts[slot] ?? 0);
  }

  /** Ends the open slice and returns what was in it. */
  close(): Uint32Array {
    const entries = new Uint32Array(this.#usedCount * 2);
    for (let i = 0; i < this.#usedCount; i++) {
      const slot = this.#used[i] ?? 0;
      entries[i * 2] = this.#keys[slot] ?? 0;
      entries[i * 2 + 1] = this.#counts[slot] ?? 0;
      this.#counts[slot] = 0;
    }
    this.#usedCount = 0;
    if (entries.length > 0) {
      this.#slices.push({ endMs: this.openEndMs, entries });
      this.#entries += entries.length / 2;
    }
    const keptSinceMs = this.openEndMs - this.keptMs;
    let dropped = 0;
    for (const slice of this.#slices) {
      if (slice.endMs > keptSinceMs && this.#entries <= ENTRIES_PER_LEVEL_MAX) break;
      this.#entries -= slice.entries.length / 2;
      this.coveredSinceMs = slice.endMs;
      dropped++;
    }
    if (dropped > 0) this.#slices = this.#slices.slice(dropped);
    return entries;
  }

  open(see: See): void {
    for (let i = 0; i < this.#usedCount; i++) {
      const slot = this.#used[i] ?? 0;
      const key = this.#keys[slot] ?? 0;
      see(key >>> BUCKET_BITS, key & (LOG_BUCKETS - 1), this.#counts[slot] ?? 0);
    }
  }

  closedOfEach({ startMs, endMs }: Range, see: See): void {
    for (const slice of this.#slices) {
      if (slice.endMs <= startMs || slice.endMs > endMs) continue;
      const { entries } = slice;
      for (let at = 0; at < entries.length; at += 2) {
        const key = entries[at] ?? 0;
        see(key >>> BUCKET_BITS, key & (LOG_BUCKETS - 1), entries[at + 1] ?? 0);
      }
    }
  }

  closed({ startMs, endMs }: Range, isWanted: Uint8Array, into: Float64Array): void {
    for (let i = this.#slices.length - 1; i >= 0; i--) {
      const slice = this.#slices[i];
      if (!slice || slice.endMs <= startMs) return;
      if (slice.endMs > endMs) continue;
      const { entries } = slice;
      for (let at = 0; at < entries.length; at += 2) {
        const key = entries[at] ?? 0;
        if (isWanted[key >>> BUCKET_BITS] !== 1) continue;
        const bucket = key & (LOG_BUCKETS - 1);
        into[bucket] = (into[bucket] ?? 0) + (entries[at + 1] ?? 0);
      }
    }
  }
}

export class Windows {
  /** How many series the dense table has room for. */
  #denseSeries = 0;
  #dense = new Uint32Array(0);
  #denseUsed = new Uint32Array(0);
  #denseCount = 0;
  readonly #levels = LEVELS.map((level) => new Level(level));
  readonly #finest: Level;
  readonly #onSlice: ((entries: Uint32Array, timeMs: number) => void) | undefined;

  /** @param onSlice told of each finest slice when it ends. */
  constructor(onSlice?: (entries: Uint32Array, timeMs: number) => void) {
    const [finest] = this.#levels;
    if (!finest) throw new Error("Windows without levels.");
    this.#finest = finest;
    this.#onSlice = onSlice;
  }

  /**
   * Counts samples `from` … `to` of a ring, without those that are counted as they come.
   * Tight, because every sample of a worker passes here: 4 ns each, half of them for
   * finding out which series it is of.
   */
  addRing(view: RingView, from: number, to: number): void {
    if (from >= to) return;
    const { words, doubles, at: ringAt, rowWords } = view;
    const timeOf = (place: number) => doubles[ringAt + place * SAMPLE_DOUBLES + SAMPLE_TIME] ?? 0;
    // Times only grow within a ring, so mostly a look at the last one is enough.
    if (timeOf(to - 1) >= this.#finest.openEndMs && to - from > 1) {
      const middle = (from + to) >>> 1;
      this.addRing(view, from, middle);
      this.addRing(view, middle, to);
      return;
    }
    if (timeOf(from) >= this.#finest.openEndMs) this.#advance(timeOf(from));
    let denseSeries = this.#denseSeries;
    let dense = this.#dense;
    let used = this.#denseUsed;
    let usedCount = this.#denseCount;
    for (let place = from; place < to; place++) {
      const at = (ringAt + place * SAMPLE_DOUBLES) * 2;
      const row = words[at + SAMPLE_ROW] ?? 0;
      const series = (rowWords[seriesWordOf(row)] ?? 0) - 1;
      if (series < 0 || rowWords[(row + LATENCY_FRESH) * 2] !== 0) continue;
      const bucket = logBucketOfWord(words[at + SAMPLE_VALUE * 2 + 1] ?? 0);
      const key = (series << BUCKET_BITS) | bucket;
      if (series >= denseSeries && series < DENSE_SERIES_MAX) {
        this.#makeRoomFor(series);
        denseSeries = this.#denseSeries;
        dense = this.#dense;
        used = this.#denseUsed;
      }
      if (series < denseSeries) {
        const before = dense[key] ?? 0;
        dense[key] = before + 1;
        if (before === 0) used[usedCount++] = key;
      } else if (series < WINDOW_SERIES_MAX) {
        if (this.#finest.isFull) {
          this.#denseCount = usedCount;
          this.#close(0);
          usedCount = 0;
        }
        this.#finest.add(key >>> 0, 1);
      }
    }
    this.#denseCount = usedCount;
  }

  add(key: number, count: number, timeMs: number): void {
    if (timeMs >= this.#finest.openEndMs) this.#advance(timeMs);
    if (this.#finest.isFull) this.#close(0);
    this.#finest.add(key, count);
  }

  #makeRoomFor(series: number): void {
    const [dense, used] = [this.#dense, this.#denseUsed];
    let room = Math.max(DENSE_SERIES_MIN, this.#denseSeries);
    while (room <= series) room *= DENSE_SERIES_FACTOR;
    this.#denseSeries = Math.min(DENSE_SERIES_MAX, room);
    this.#dense = new Uint32Array(this.#denseSeries * LOG_BUCKETS);
    this.#denseUsed = new Uint32Array(this.#denseSeries * LOG_BUCKETS);
    this.#dense.set(dense);
    this.#denseUsed.set(used);
  }

  /** Puts what was counted densely into the open slice. */
  #flushDense(): void {
    const count = this.#denseCount;
    this.#denseCount = 0;
    for (let i = 0; i < count; i++) {
      const key = this.#denseUsed[i] ?? 0;
      if (this.#finest.isFull) this.#close(0);
      this.#finest.add(key, this.#dense[key] ?? 0);
      this.#dense[key] = 0;
    }
  }

  #advance(timeMs: number): void {
    this.#levels.forEach((level, index) => {
      if (timeMs < level.openEndMs) return;
      if (level.openEndMs > 0) this.#close(index);
      level.openEndMs = (Math.floor(timeMs / level.sliceMs) + 1) * level.sliceMs;
    });
  }

  #close(index: number): void {
    const level = this.#levels[index];
    if (!level) return;
    if (index === 0 && this.#denseCount > 0) this.#flushDense();
    const entries = level.close();
    if (index === 0) this.#onSlice?.(entries, level.openEndMs - level.sliceMs);
    const next = this.#levels[index + 1];
    if (!next) return;
    for (let at = 0; at < entries.length; at += 2) {
      if (next.isFull) this.#close(index + 1);
      next.add(entries[at] ?? 0, entries[at + 1] ?? 0);
    }
  }

  /** Adds up the buckets of the wanted series since a time. */
  read(startMs: number, isWanted: Uint8Array, into: Float64Array): void {
    const see: See = (series, bucket, count) => {
      if (isWanted[series] === 1) into[bucket] = (into[bucket] ?? 0) + count;
    };
    this.#slicesSince(startMs, see, (level, range) => level.closed(range, isWanted, into));
  }

  /** The same of all series, unsorted and not added up. */
  each(startMs: number, see: See): void {
    this.#slicesSince(startMs, see, (level, range) => level.closedOfEach(range, see));
  }

  /**
   * Fine slices up to where a coarse one begins, and from there on the coarse ones, which
   * say the same in fewer entries: a minute is read in a third of the time.
   */
  #slicesSince(startMs: number, seeOpen: See, seeClosed: (level: Level, range: Range) => void) {
    this.#flushDense();
    const covering = this.#levels.findIndex((level) => level.coveredSinceMs <= startMs);
    let chosen = covering < 0 ? this.#levels.length - 1 : covering;
    let fromMs = startMs;
    for (let level = this.#levels[chosen]; level; level = this.#levels[chosen]) {
      const next = this.#levels[chosen + 1];
      const nextMs = next ? Math.ceil(fromMs / next.sliceMs) * next.sliceMs : 0;
      if (!next || nextMs >= next.openEndMs || next.coveredSinceMs > nextMs) {
        seeClosed(level, { startMs: fromMs, endMs: Number.POSITIVE_INFINITY });
        break;
      }
      seeClosed(level, { startMs: fromMs, endMs: nextMs });
      fromMs = nextMs;
      chosen++;
    }
    this.#levels.forEach((level, index) => {
      if (index <= chosen && level.openEndMs > startMs) level.open(seeOpen);
    });
  }

  /** Of the finest slice that has not ended. */
  open(startMs: number, see: See): void {
    this.#flushDense();
    if (this.#finest.openEndMs > startMs) this.#finest.open(see);
  }
}
