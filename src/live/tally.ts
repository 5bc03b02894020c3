/**
 * What is counted of calls: of an agent, a module, a model. Sums of what is not
 * always known remember whether anything was known at all.
 */
import { addKnown, type Cost, CostSum, costUsdOf, unknownCost } from "../signals/cost.ts";
import { Distribution, EXACT_SAMPLES_MAX } from "../signals/distribution.ts";
import type { ErrorClass } from "../signals/error-class.ts";
import type { CacheOutcome, Tokens } from "../signals/request.ts";
import { TokenSum } from "../signals/tokens.ts";

const nothingFailed: ReadonlyMap<ErrorClass, number> = new Map();

/** Upper bounds of latency histograms, in milliseconds: from a cache hit to a long agent run. */
export const LATENCY_BOUNDS_MS = [
  5, 10, 25, 50, 100, 250, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 7_500, 10_000, 20_000,
  30_000, 60_000, 120_000, 300_000,
] as const;

/** What a call adds to sums of what is not always known. */
export type Use = {
  readonly tokens: Tokens | null;
  readonly cost: Cost;
  readonly cacheHits: number | null;
};

/** What is counted of one call. */
export type CallFigures = Use & {
  readonly latencyMs: number;
  /** Of modules: the part of the latency that was not spent in modules below. Of all else: the latency. */
  readonly selfMs: number;
  readonly errorClass: ErrorClass | null;
  /** Of requests: whether DSPy's cache answered. */
  readonly cache: CacheOutcome;
  /** Of modules: what they did themselves, as `Tally` has it. */
  readonly lmMs: number;
  readonly lmCalls: number;
  readonly parseFailures: number;
  readonly toolFailures: number;
};

/** A call of which no more is known than what is told. */
export function callFigures(
  told: Pick<CallFigures, "latencyMs"> & Partial<CallFigures>,
): CallFigures {
  return {
    latencyMs: told.latencyMs,
    selfMs: told.selfMs ?? told.latencyMs,
    errorClass: told.errorClass ?? null,
    cache: told.cache ?? "unknown",
    tokens: told.tokens ?? null,
    cost: told.cost ?? unknownCost,
    cacheHits: told.cacheHits ?? null,
    lmMs: told.lmMs ?? 0,
    lmCalls: told.lmCalls ?? 0,
    parseFailures: told.parseFailures ?? 0,
    toolFailures: told.toolFailures ?? 0,
  };
}

/** What a tally holds, to be written down and made a tally again. */
export type TallyFigures = {
  readonly calls: number;
  readonly failed: number;
  readonly latencyMs: Distribution;
  readonly selfMsApart: Distribution | null;
  readonly lmMs: number;
  readonly lmCalls: number;
  readonly parseFailures: number;
  readonly toolFailures: number;
  readonly tokens: Tokens | null;
  readonly cost: Cost;
  readonly cacheHits: number | null;
  readonly hitLatencyMs: Distribution | null;
  readonly missLatencyMs: Distribution | null;
  readonly failedByClass: ReadonlyMap<ErrorClass, number>;
};

export class Tally {
  calls = 0;
  failed = 0;
  readonly latencyMs: Distribution;
  /** Waited for the models that the calls called themselves. */
  lmMs = 0;
  /** Model calls that the calls made themselves, not the modules below. */
  lmCalls = 0;
  /** Answers of models that could not be read, also where the request went on. */
  parseFailures = 0;
  /** Failed calls of tools that the calls called themselves, also where the request went on. */
  toolFailures = 0;
  #tokens: TokenSum | null = null;
  #cost: CostSum | null = null;
  cacheHits: number | null = null;
  /** Latencies of what DSPy's cache answered, and of what it did not, where telemetry tells. */
  hitLatencyMs: Distribution | null = null;
  missLatencyMs: Distribution | null = null;
  /** `null` while it is the latency: as long as no module below was called. */
  #selfMs: Distribution | null = null;
  readonly #exactSamplesMax: number;
  /** Made when the first call fails: there are very many tallies, and few failures. */
  #failedByClass: Map<ErrorClass, number> | null = null;

  /** `null` until one call told. */
  get tokens(): Tokens | null {
    return this.#tokens?.value() ?? null;
  }

  get cost(): Cost {
    return this.#cost?.value() ?? unknownCost;
  }

  get failedByClass(): ReadonlyMap<ErrorClass, number> {
    return this.#failedByClass ?? nothingFailed;
  }

  /** Of the calls whose cost is known. */
  get costUsd(): number | null {
    return costUsdOf(this.cost);
  }

  /** Of modules: the part of the latency that was not spent in modules below. */
  get selfMs(): Distribution {
    return this.#selfMs ?? this.latencyMs;
  }

  merge(other: Tally): void {
    this.calls += other.calls;
    this.failed += other.failed;
    if (this.#selfMs || other.#selfMs) this.#selfApart().merge(other.selfMs);
    this.latencyMs.merge(other.latencyMs);
    this.lmMs += other.lmMs;
    this.lmCalls += other.lmCalls;
    this.parseFailures += other.parseFailures;
    this.toolFailures += other.toolFailures;
    this.#addUse(other);
    if (other.hitLatencyMs) this.#hits().merge(other.hitLatencyMs);
    if (other.missLatencyMs) this.#misses().merge(other.missLatencyMs);
    for (const [errorClass, count] of other.failedByClass) this.#countClass(errorClass, count);
  }

  /** @param exactSamplesMax latencies that are kept one by one. */
  constructor(
    exactSamplesMax = EXACT_SAMPLES_MAX,
    latencyMs = new Distribution({ exactSamplesMax }),
  ) {
    this.#exactSamplesMax = exactSamplesMax;
    this.latencyMs = latencyMs;
  }

  /** A tally of what another one told, whose distributions become its own. */
  static of(told: TallyFigures): Tally {
    const made = new Tally(EXACT_SAMPLES_MAX, told.latencyMs);
    made.calls = told.calls;
    made.failed = told.failed;
    made.#selfMs = told.selfMsApart;
    made.lmMs = told.lmMs;
    made.lmCalls = told.lmCalls;
    made.parseFailures = told.parseFailures;
    made.toolFailures = told.toolFailures;
    made.#addUse(told);
    made.hitLatencyMs = told.hitLatencyMs;
    made.missLatencyMs = told.missLatencyMs;
    for (const [errorClass, count] of told.failedByClass) made.#countClass(errorClass, count);
    return made;
  }

  /** `selfMs` where it is not the latency. */
  get selfMsApart(): Distribution | null {
    return this.#selfMs;
  }

  /** One more call. */
  add(call: CallFigures): void {
    const { latencyMs, selfMs, cache, errorClass } = call;
    if (this.#selfMs || selfMs !== latencyMs) this.#selfApart().add(selfMs);
    this.calls++;
    this.latencyMs.add(latencyMs);
    if (cache === "hit") this.#hits().add(latencyMs);
    else if (cache === "miss") this.#misses().add(latencyMs);
    this.lmMs += call.lmMs;
    this.lmCalls += call.lmCalls;
    this.parseFailures += call.parseFailures;
    this.toolFailures += call.toolFailures;
    this.#addUse(call);
    if (errorClass === null) return;
    this.failed++;
    this.#countClass(errorClass, 1);
  }

  #addUse(use: Use): void {
    if (use.tokens !== null) {
      this.#tokens ??= new TokenSum();
      this.#tokens.add(use.tokens);
    }
    if (use.cost !== unknownCost) {
      this.#cost ??= new CostSum();
      this.#cost.add(use.cost);
    }
    this.cacheHits = addKnown(this.cacheHits, use.cacheHits);
  }

  #countClass(errorClass: ErrorClass, count: number): void {
    this.#failedByClass ??= new Map();
    this.#failedByClass.set(errorClass, (this.#failedByClass.get(errorClass) ?? 0) + count);
  }

  #selfApart(): Distribution {
    if (this.#selfMs === null) {
      this.#selfMs = new Distribution({ exactSamplesMax: this.#exactSamplesMax });
      this.#selfMs.merge(this.latencyMs);
    }
    return this.#selfMs;
  }

  // Made when the first is told: few tallies are of requests, and few telemetries tell.
  #hits(): Distribution {
    this.hitLatencyMs ??= new Distribution({ exactSamplesMax: this.#exactSamplesMax });
    return this.hitLatencyMs;
  }

  #misses(): Distribution {
    this.missLatencyMs ??= new Distribution({ exactSamplesMax: this.#exactSamplesMax });
    return this.missLatencyMs;
  }
}

/** A tally that only grows, with a histogram at fixed bounds, as Prometheus wants its counters. */
export class RunTally extends Tally {
  /** Calls by the lowest bound that they did not exceed. */
  readonly #byBound = new Uint32Array(LATENCY_BOUNDS_MS.length);

  override add(call: CallFigures): void {
    super.add(call);
    let index = 0;
    while (call.latencyMs > (LATENCY_BOUNDS_MS[index] ?? Number.POSITIVE_INFINITY)) index++;
    if (index < LATENCY_BOUNDS_MS.length) this.#byBound[index] = (this.#byBound[index] ?? 0) + 1;
  }

  /** Calls that took at most as long as the bound, one for each of `LATENCY_BOUNDS_MS`. */
  get upToBound(): readonly number[] {
    let sum = 0;
    return Array.from(this.#byBound, (count) => {
      sum += count;
      return sum;
    });
  }
}
