/**
 * The latest raw samples of the whole collector, oldest out first. While they still
 * hold all of a window, its percentiles are exact.
 */
export class History {
  readonly #values: Float64Array;
  readonly #times: Float64Array;
  readonly #series: Uint32Array;
  #added = 0;
  /** No sample as young as this or younger has been let go. */
  #lostUpToMs = Number.NEGATIVE_INFINITY;

  constructor(size: number) {
    this.#values = new Float64Array(size);
    this.#times = new Float64Array(size);
    this.#series = new Uint32Array(size);
  }

  add(series: number, valueMs: number, timeMs: number): void {
    const size = this.#values.length;
    if (size === 0) {
      if (timeMs > this.#lostUpToMs) this.#lostUpToMs = timeMs;
      return;
    }
    const at = this.#added % size;
    if (this.#added >= size) {
      const lostMs = this.#times[at] ?? 0;
      if (lostMs > this.#lostUpToMs) this.#lostUpToMs = lostMs;
    }
    this.#values[at] = valueMs;
    this.#times[at] = timeMs;
    this.#series[at] = series;
    this.#added++;
  }

  /** Samples that never got here, such as those that a worker's ring had no room for. */
  lose(upToMs: number): void {
    if (upToMs > this.#lostUpToMs) this.#lostUpToMs = upToMs;
  }

  holdsAllSince(startMs: number): boolean {
    return startMs > this.#lostUpToMs;
  }

  /** In no particular order. */
  read(startMs: number, isWanted: Uint8Array): Float64Array {
    const held = Math.min(this.#added, this.#values.length);
    const found = new Float64Array(held);
    let count = 0;
    for (let i = 0; i < held; i++) {
      if ((this.#times[i] ?? 0) < startMs || isWanted[this.#series[i] ?? 0] !== 1) continue;
      found[count++] = this.#values[i] ?? 0;
    }
    return found.subarray(0, count);
  }
}
