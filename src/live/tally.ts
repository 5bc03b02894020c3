/**
 * What is counted of calls: of an agent, a module, a model. Sums of what is not
 * always known remember whether anything was known at all.
 */
import { Distribution, EXACT_SAMPLES_MAX } from "../signals/distribution.ts";
import type { ErrorClass } from "../signals/error-class.ts";
import { isUnpriced, type Tokens } from "../signals/request.ts";

const nothingFailed: ReadonlyMap<ErrorClass, number> = new Map();

/** Upper bounds of latency histograms, in milliseconds: from a cache hit to a long agent run. */
export const LATENCY_BOUNDS_MS = [
  5, 10, 25, 50, 100, 250, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 7_500, 10_000, 20_000,
  30_000, 60_000, 120_000, 300_000,
] as const;

export class Tally {
  calls = 0;
  failed = 0;
  readonly latencyMs: Distribution;
  /** Time spent in the call itself and the model calls it made, not in modules below. */
  ownMs = 0;
  /** The part of `ownMs` that waited for models. */
  lmMs = 0;
  /** `null` until one call told. */
  tokens: Tokens | null = null;
  cacheHits: number | null = null;
  #costUsd: number | null = null;
  #hasUnpriced = false;
  /** Made when the first call fails: there are very many tallies, and few failures. */
  #failedByClass: Map<ErrorClass, number> | null = null;

  /** Cached answers cost 0: beside calls whose cost nobody told they don't make the sum 0. */
  get costUsd(): number | null {
    return this.#costUsd === 0 && this.#hasUnpriced ? null : this.#costUsd;
  }

  get failedByClass(): ReadonlyMap<ErrorClass, number> {
    return this.#failedByClass ?? nothingFailed;
  }

  merge(other: Tally): void {
    this.calls += other.calls;
    this.failed += other.failed;
    this.latencyMs.merge(other.latencyMs);
    this.ownMs += other.ownMs;
    this.lmMs += other.lmMs;
    this.addUse(other);
    for (const [errorClass, count] of other.failedByClass) this.addFailed(errorClass, count);
  }

  /** @param exactSamplesMax latencies that are kept one by one. */
  constructor(exactSamplesMax = EXACT_SAMPLES_MAX) {
    this.latencyMs = new Distribution({ exactSamplesMax });
  }

  /** One more call. */
  addLatency(latencyMs: number): void {
    this.calls++;
    this.latencyMs.add(latencyMs);
  }

  addUse(use: {
    readonly tokens: Tokens | null;
    readonly costUsd: number | null;
    readonly cacheHits: number | null;
  }): void {
    if (use.tokens) {
      this.tokens = {
        input: (this.tokens?.input ?? 0) + use.tokens.input,
        output: (this.tokens?.output ?? 0) + use.tokens.output,
      };
    }
    this.#costUsd = add(this.#costUsd, use.costUsd);
    this.#hasUnpriced ||= isUnpriced(use);
    this.cacheHits = add(this.cacheHits, use.cacheHits);
  }

  addFailed(errorClass: ErrorClass, count: number): void {
    this.#failedByClass ??= new Map();
    this.#failedByClass.set(errorClass, (this.#failedByClass.get(errorClass) ?? 0) + count);
  }
}

/** A tally that only grows, with a histogram at fixed bounds, as Prometheus wants its counters. */
export class RunTally extends Tally {
  /** Calls that took at most as long as the bound, one for each of `LATENCY_BOUNDS_MS`. */
  readonly upToBound: Uint32Array = new Uint32Array(LATENCY_BOUNDS_MS.length);

  override addLatency(latencyMs: number): void {
    super.addLatency(latencyMs);
    for (let index = LATENCY_BOUNDS_MS.length - 1; index >= 0; index--) {
      if (latencyMs > (LATENCY_BOUNDS_MS[index] ?? 0)) break;
      this.upToBound[index] = (this.upToBound[index] ?? 0) + 1;
    }
  }
}

function add(sum: number | null, value: number | null): number | null {
  return value === null ? sum : (sum ?? 0) + value;
}
