/**
 * Something that is counted over time: in short slices for the last half hour,
 * in longer ones for the last day. Empty slices take no memory; slices that are
 * too old leave. What is asked for is the sum of the slices in a stretch of time.
 */
export type Mergeable<T> = { merge(other: T): void };

export type Slicing = {
  readonly fineSliceMs: number;
  readonly coarseSliceMs: number;
};

/** How far back the short slices reach. */
export const FINE_RETAINED_MS = 30 * 60_000;
/** How far back the longer slices reach. */
export const COARSE_RETAINED_MS = 24 * 60 * 60_000;

export class Sliced<T extends Mergeable<T>> {
  readonly #create: () => T;
  readonly #fine: Tier<T>;
  readonly #coarse: Tier<T>;

  /** @param create makes a sum; told `slice`, one of very many that are kept. */
  constructor(create: (use: "sum" | "slice") => T, { fineSliceMs, coarseSliceMs }: Slicing) {
    this.#create = () => create("sum");
    const createSlice = () => create("slice");
    this.#fine = new Tier(createSlice, fineSliceMs, FINE_RETAINED_MS);
    this.#coarse = new Tier(createSlice, coarseSliceMs, COARSE_RETAINED_MS);
  }

  /** Changes the slices that hold `timeMs`. Too old a time changes nothing. */
  add(timeMs: number, nowMs: number, change: (slice: T) => void): void {
    const fine = this.fine(timeMs, nowMs);
    if (fine) change(fine);
    const coarse = this.coarse(timeMs, nowMs);
    if (coarse) change(coarse);
  }

  /** The short slice that holds `timeMs`, to be changed; `null` when it is too old. */
  fine(timeMs: number, nowMs: number): T | null {
    return this.#fine.at(timeMs, nowMs);
  }

  /** The longer slice that holds `timeMs`. What is added to one is to be added to both. */
  coarse(timeMs: number, nowMs: number): T | null {
    return this.#coarse.at(timeMs, nowMs);
  }

  /** The sum over `[fromMs, toMs)`, widened to whole slices at its start. */
  over(fromMs: number, toMs: number, nowMs: number): T {
    const sum = this.#create();
    for (const slice of this.between(fromMs, toMs, nowMs)) sum.merge(slice);
    return sum;
  }

  /** The slices that `over` sums up. */
  between(fromMs: number, toMs: number, nowMs: number): Iterable<T> {
    return this.#tierFor(fromMs, nowMs).between(fromMs, toMs);
  }

  /** One sum per step of `[fromMs, fromMs + count * stepMs)`; `null` where nothing happened. */
  series(fromMs: number, stepMs: number, count: number, nowMs: number): (T | null)[] {
    const tier = this.#tierFor(fromMs, nowMs);
    return Array.from({ length: count }, (_, index) => {
      let sum: T | null = null;
      const startMs = fromMs + index * stepMs;
      for (const slice of tier.between(startMs, startMs + stepMs)) {
        sum ??= this.#create();
        sum.merge(slice);
      }
      return sum;
    });
  }

  #tierFor(fromMs: number, nowMs: number): Tier<T> {
    return nowMs - fromMs <= FINE_RETAINED_MS ? this.#fine : this.#coarse;
  }
}

class Tier<T> {
  readonly #create: () => T;
  readonly #sliceMs: number;
  readonly #retainedMs: number;
  readonly #slices = new Map<number, T>();
  #prunedUntil = Number.NEGATIVE_INFINITY;
  /** The slice that was changed last: the next call mostly belongs to it too. */
  #lastIndex = Number.NaN;
  #last: T | null = null;

  constructor(create: () => T, sliceMs: number, retainedMs: number) {
    this.#create = create;
    this.#sliceMs = sliceMs;
    this.#retainedMs = retainedMs;
  }

  at(timeMs: number, nowMs: number): T | null {
    const oldest = Math.floor((nowMs - this.#retainedMs) / this.#sliceMs);
    const index = Math.floor(timeMs / this.#sliceMs);
    if (index < oldest) return null;
    if (index === this.#lastIndex) return this.#last;
    this.#prune(oldest);
    let slice = this.#slices.get(index);
    if (!slice) {
      slice = this.#create();
      this.#slices.set(index, slice);
    }
    this.#lastIndex = index;
    this.#last = slice;
    return slice;
  }

  *between(fromMs: number, toMs: number): Generator<T> {
    const last = Math.ceil(toMs / this.#sliceMs);
    for (let index = Math.floor(fromMs / this.#sliceMs); index < last; index++) {
      const slice = this.#slices.get(index);
      if (slice) yield slice;
    }
  }

  #prune(oldest: number): void {
    // Every few slices is often enough: a few too many do no harm.
    if (oldest - this.#prunedUntil < 10) return;
    this.#prunedUntil = oldest;
    this.#lastIndex = Number.NaN;
    for (const index of this.#slices.keys()) if (index < oldest) this.#slices.delete(index);
  }
}
