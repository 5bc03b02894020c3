/**
 * A pattern of errors and the times of the last ones that matched it. Whether one
 * more makes a breach is a look at two of these times, whatever the history.
 */
import { MonitorError } from "../monitor-error.ts";
import { errorClasses } from "../signals/error-class.ts";
import type { HistoryEntry } from "./error-history.ts";
import type { ErrorPattern, PatternState } from "./error-pattern.ts";
import { severities } from "./error-severity.ts";

/** A pattern keeps 16 bytes for each error up to its threshold. */
const THRESHOLD_MAX = 100_000;
const WINDOW_MAX_SECONDS = 31 * 24 * 3600;
/** Errors that a callback gets. */
const CALLBACK_ERRORS_MAX = 100;

export class PatternWindow {
  readonly pattern: ErrorPattern;
  readonly #windowMs: number;
  readonly #classMask: number;
  readonly #severityMask: number;
  /** Of the last `thresholdCount` matching errors; the oldest stands at `#next`. */
  readonly #times: Float64Array;
  readonly #sequences: Float64Array;
  #next = 0;
  fired = 0;
  lastFiredMs: number | null = null;

  /** @throws MonitorError `USAGE_INVALID` when the pattern could never fire as it is meant. */
  constructor(pattern: ErrorPattern) {
    check(pattern);
    this.pattern = { ...pattern };
    this.#windowMs = pattern.timeWindowSeconds * 1000;
    this.#classMask = maskOf(pattern.errorClasses, errorClasses);
    this.#severityMask = maskOf(pattern.severities, severities);
    this.#times = new Float64Array(pattern.thresholdCount).fill(Number.NEGATIVE_INFINITY);
    this.#sequences = new Float64Array(pattern.thresholdCount);
  }

  matchesType(type: string): boolean {
    const { errorTypes } = this.pattern;
    return errorTypes === undefined || errorTypes.some((wanted) => isOfType(type, wanted));
  }

  /** Adds an error whose type matches. Returns whether it begins a breach. */
  add({ errorClass, severity, elapsedMs }: HistoryEntry, sequence: number): boolean {
    if (((this.#classMask >>> errorClass) & (this.#severityMask >>> severity) & 1) === 0) {
      return false;
    }
    const times = this.#times;
    const size = times.length;
    const at = this.#next;
    const following = at + 1 === size ? 0 : at + 1;
    const sinceMs = elapsedMs - this.#windowMs;
    // One of the last `size` is out of the window, and one more fills it: the count
    // reaches the threshold now. A threshold of one is filled by the error itself.
    const wasBreached = (times[at] as number) > sinceMs;
    const isBreached = size === 1 || (times[following] as number) > sinceMs;
    times[at] = elapsedMs;
    this.#sequences[at] = sequence;
    this.#next = following;
    return isBreached && !wasBreached;
  }

  /** Sequences of the last matching errors, oldest first: those of the breach that just began. */
  breachSequences(): number[] {
    const size = this.#sequences.length;
    const count = Math.min(size, CALLBACK_ERRORS_MAX);
    return Array.from(
      { length: count },
      (_, index) => this.#sequences[(this.#next + size - count + index) % size] as number,
    );
  }

  state(elapsedMs: number): PatternState {
    const { name, thresholdCount, timeWindowSeconds } = this.pattern;
    const sinceMs = elapsedMs - this.#windowMs;
    let count = 0;
    for (const time of this.#times) if (time > sinceMs) count++;
    const isBreached = count === thresholdCount;
    const { fired, lastFiredMs } = this;
    return { name, thresholdCount, timeWindowSeconds, count, isBreached, fired, lastFiredMs };
  }
}

/** The whole type, or the part of it before a dot. */
export function isOfType(type: string, wanted: string): boolean {
  const size = wanted.endsWith(".") ? wanted.length - 1 : wanted.length;
  if (!type.startsWith(size === wanted.length ? wanted : wanted.slice(0, size))) return false;
  return type.length === size || type.charCodeAt(size) === 46;
}

function maskOf<T>(wanted: readonly T[] | undefined, all: readonly T[]): number {
  if (wanted === undefined) return -1;
  return wanted.reduce((mask, one) => mask | (1 << all.indexOf(one)), 0);
}

function check(pattern: ErrorPattern): void {
  if (typeof pattern !== "object" || pattern === null) {
    refuse(
      "it is no pattern",
      "Give an object with name, thresholdCount, timeWindowSeconds and alertCallback.",
    );
  }
  const { name, errorTypes, thresholdCount, timeWindowSeconds, alertCallback } = pattern;
  const isText = (value: unknown) => typeof value === "string" && value !== "";
  if (!isText(name)) refuse("a pattern without a name", "Give it a name, such as high_error_rate.");
  const of = `pattern ${name}`;
  if (!Number.isInteger(thresholdCount) || thresholdCount < 1 || thresholdCount > THRESHOLD_MAX) {
    refuse(
      `${of} has thresholdCount ${String(thresholdCount)}`,
      `Use a whole number from 1 to ${THRESHOLD_MAX}.`,
    );
  }
  const isTime = typeof timeWindowSeconds === "number" && timeWindowSeconds > 0;
  if (!isTime || timeWindowSeconds > WINDOW_MAX_SECONDS) {
    refuse(
      `${of} has timeWindowSeconds ${String(timeWindowSeconds)}`,
      `Use a number of seconds above 0 and up to ${WINDOW_MAX_SECONDS}.`,
    );
  }
  if (typeof alertCallback !== "function") {
    refuse(`${of} has no alertCallback`, "Give it a function that takes the errors.");
  }
  if (errorTypes !== undefined && !(Array.isArray(errorTypes) && errorTypes.every(isText))) {
    refuse(
      `${of} has errorTypes that are no list of names`,
      'Write them as ["api.error", "agent"].',
    );
  }
  checkWords(of, "errorClasses", pattern.errorClasses, errorClasses);
  checkWords(of, "severities", pattern.severities, severities);
}

function checkWords(of: string, what: string, words: unknown, known: readonly string[]): void {
  if (words === undefined) return;
  const wrong = Array.isArray(words) ? words.find((word) => !known.includes(word)) : words;
  if (wrong !== undefined || !Array.isArray(words)) {
    refuse(`${of} has ${what} ${JSON.stringify(wrong)}`, `Use some of ${known.join(", ")}.`);
  }
}

function refuse(what: string, hint: string): never {
  throw new MonitorError("USAGE_INVALID", `cannot register the pattern: ${what}`, { hint });
}
