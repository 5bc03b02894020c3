/** A pattern of errors as its owner describes it, and what the tracker says of it. */
import type { ErrorClass } from "../signals/error-class.ts";
import type { ErrorSeverity } from "./error-severity.ts";
import type { TrackedError } from "./tracked-error.ts";

export type AlertCallback = (
  /** The last errors of the window, oldest first, at most 100. */
  errors: readonly TrackedError[],
  breach: {
    readonly pattern: string;
    readonly thresholdCount: number;
    readonly timeWindowSeconds: number;
    /** Unix milliseconds. */
    readonly timeMs: number;
  },
) => unknown;

export type ErrorPattern = {
  readonly name: string;
  /** Whole types, or the part before a dot: `agent` matches `agent.timeout`. All types by default. */
  readonly errorTypes?: readonly string[];
  /** All classes by default. */
  readonly errorClasses?: readonly ErrorClass[];
  /** All severities by default. */
  readonly severities?: readonly ErrorSeverity[];
  /** Fires when so many errors match within the window. */
  readonly thresholdCount: number;
  readonly timeWindowSeconds: number;
  /** Called once per breach. May return a promise, throw or reject. */
  readonly alertCallback: AlertCallback;
};

/** What a pattern says of itself. */
export type PatternState = {
  readonly name: string;
  readonly thresholdCount: number;
  readonly timeWindowSeconds: number;
  /** Matching errors of the window, counted up to the threshold. */
  readonly count: number;
  readonly isBreached: boolean;
  /** Breaches so far. */
  readonly fired: number;
  /** Unix milliseconds. */
  readonly lastFiredMs: number | null;
};
