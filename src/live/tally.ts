/**
 * What is counted of calls: of an agent, a module, a model. Sums of what is not
 * always known remember whether anything was known at all.
 */
import { Distribution } from "../signals/distribution.ts";
import type { ErrorClass } from "../signals/error-class.ts";
import type { Tokens } from "../signals/request.ts";

export class Tally {
  calls = 0;
  failed = 0;
  readonly latencyMs = new Distribution();
  /** Time spent in the call itself and the model calls it made, not in modules below. */
  ownMs = 0;
  /** The part of `ownMs` that waited for models. */
  lmMs = 0;
  /** `null` until one call told. */
  tokens: Tokens | null = null;
  costUsd: number | null = null;
  cacheHits: number | null = null;
  readonly failedByClass = new Map<ErrorClass, number>();

  merge(other: Tally): void {
    this.calls += other.calls;
    this.failed += other.failed;
    this.latencyMs.merge(other.latencyMs);
    this.ownMs += other.ownMs;
    this.lmMs += other.lmMs;
    this.addUse(other);
    for (const [errorClass, count] of other.failedByClass) this.addFailed(errorClass, count);
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
    this.costUsd = add(this.costUsd, use.costUsd);
    this.cacheHits = add(this.cacheHits, use.cacheHits);
  }

  addFailed(errorClass: ErrorClass, count: number): void {
    this.failedByClass.set(errorClass, (this.failedByClass.get(errorClass) ?? 0) + count);
  }
}

function add(sum: number | null, value: number | null): number | null {
  return value === null ? sum : (sum ?? 0) + value;
}
