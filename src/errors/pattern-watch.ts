/**
 * The patterns that are watched, and their callbacks, which belong to the caller
 * and may do anything: throw, reject, track errors, register and unregister patterns.
 */
import { MonitorError } from "../monitor-error.ts";
import type { AlertCallback, ErrorPattern, PatternState } from "./error-pattern.ts";
import { PatternWindow } from "./pattern-window.ts";
import type { TrackedError } from "./tracked-error.ts";

const PATTERNS_MAX = 1_000;

export type PatternWatchOptions = {
  /** The error with this sequence, unless it has made room for others. */
  readonly read: (sequence: number) => TrackedError | null;
  /** Gets what a callback threw or rejected with. */
  readonly onCallbackError: ((error: unknown, pattern: string) => unknown) | undefined;
};

export class PatternWatch {
  readonly #windows = new Map<string, PatternWindow>();
  readonly #read: PatternWatchOptions["read"];
  readonly #onCallbackError: PatternWatchOptions["onCallbackError"];
  callbackErrors = 0;

  constructor({ read, onCallbackError }: PatternWatchOptions) {
    this.#read = read;
    this.#onCallbackError = onCallbackError;
  }

  register(pattern: ErrorPattern): void {
    const window = new PatternWindow(pattern);
    const { name } = window.pattern;
    if (this.#windows.has(name)) {
      throw new MonitorError(
        "USAGE_INVALID",
        `cannot register the pattern: ${name} is registered already`,
        { hint: "Give it another name, or call unregisterPattern first." },
      );
    }
    if (this.#windows.size >= PATTERNS_MAX) {
      throw new MonitorError(
        "USAGE_INVALID",
        `cannot register the pattern ${name}: there are ${PATTERNS_MAX} already`,
        { hint: "Unregister those that are not needed any more." },
      );
    }
    this.#windows.set(name, window);
  }

  unregister(name: string): boolean {
    return this.#windows.delete(name);
  }

  states(elapsedMs: number): PatternState[] {
    return Array.from(this.#windows.values(), (window) => window.state(elapsedMs));
  }

  ofType(type: string): PatternWindow[] {
    return [...this.#windows.values()].filter((window) => window.matchesType(type));
  }

  /** Calls back the patterns whose breach began with the error of this time. */
  fire(breached: readonly PatternWindow[], timeMs: number): void {
    for (const window of breached) {
      // The callback before may have unregistered it.
      if (this.#windows.get(window.pattern.name) === window) this.#fire(window, timeMs);
    }
  }

  #fire(window: PatternWindow, timeMs: number): void {
    const { name, thresholdCount, timeWindowSeconds, alertCallback } = window.pattern;
    window.fired++;
    window.lastFiredMs = timeMs;
    const errors = window.breachSequences().flatMap((sequence) => this.#read(sequence) ?? []);
    const breach: Parameters<AlertCallback>[1] = {
      pattern: name,
      thresholdCount,
      timeWindowSeconds,
      timeMs,
    };
    try {
      const answer: unknown = alertCallback(errors, breach);
      whenRejected(answer, (error) => this.#callbackFailed(error, name));
    } catch (error) {
      this.#callbackFailed(error, name);
    }
  }

  #callbackFailed(error: unknown, pattern: string): void {
    this.callbackErrors++;
    try {
      // It is counted; when this fails too, there is nobody left to tell.
      whenRejected(this.#onCallbackError?.(error, pattern), () => {});
    } catch {}
  }
}

/** A promise that nobody waits for would end the process when it rejects. */
function whenRejected(answer: unknown, tell: (error: unknown) => void): void {
  const mayBePromise =
    (typeof answer === "object" && answer !== null) || typeof answer === "function";
  if (mayBePromise) Promise.resolve(answer).then(undefined, tell);
}
