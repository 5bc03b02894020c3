/**
 * Tracks the errors of a service: groups them by cause, watches patterns of them,
 * and tells what happened lately. It stands in the path of requests, so it never
 * throws there, keeps a bounded amount, and costs the same whatever the history.
 * Nothing is kept before secrets are out of it.
 */
import type { Clock } from "../clock.ts";
import { MonitorError } from "../monitor-error.ts";
import {
  hashNumber,
  hashTemplate,
  hashText,
  type Lanes,
  startHash,
} from "../signals/fingerprint.ts";
import { createScrubber, type Scrubber, type ScrubOptions } from "../signals/scrub.ts";
import { classOfName, classOfStatus, classOfType } from "./error-class-of.ts";
import type { ErrorGroup } from "./error-group.ts";
import { ErrorHistory } from "./error-history.ts";
import {
  type AlertCallback,
  type ErrorPattern,
  isOfType,
  type PatternState,
  PatternWindow,
} from "./error-pattern.ts";
import { type ErrorClass, ErrorSeverity, errorClasses, severities } from "./error-severity.ts";
import { GroupTable, groupOf, type LiveGroup } from "./group-table.ts";
import { type Context, keptContext } from "./kept-context.ts";
import {
  asStatus,
  cleanText,
  type KeptError,
  keptError,
  keptStack,
  statusOf,
} from "./kept-error.ts";
import { asText, field } from "./read-safely.ts";
import { Timeline } from "./timeline.ts";
import type { TrackedError } from "./tracked-error.ts";

export type ErrorTrackerOptions = {
  /** Errors that are kept, oldest out first. 10 000 by default. */
  readonly maxErrors?: number;
  /** Groups that are kept; the one not seen for longest makes room. 1 000 by default. */
  readonly maxGroups?: number;
  /** The system's by default. */
  readonly clock?: Pick<Clock, "now">;
  /** Milliseconds that never go back. `performance.now` where the clock is the system's. */
  readonly elapsedMs?: () => number;
  readonly redact?: ScrubOptions;
  /** Gets what a pattern's callback threw or rejected with. */
  readonly onCallbackError?: (error: unknown, pattern: string) => void;
};

export type TrackOptions = {
  /** `error` by default. */
  readonly severity?: ErrorSeverity;
  readonly agentName?: string;
  readonly modelVersion?: string;
  /** The status that the endpoint answered with; else the thrown error's own. */
  readonly statusCode?: number;
  /** By default told from the type, the status and the error's name. */
  readonly errorClass?: ErrorClass;
  readonly context?: unknown;
  /** What was thrown, whatever it is. */
  readonly error?: unknown;
};

export type RecentErrorsFilter = {
  /** 60 by default. */
  readonly minutes?: number;
  readonly severities?: readonly ErrorSeverity[];
  /** A whole type, or the part before a dot. */
  readonly errorType?: string;
  readonly agentName?: string;
  /** The newest ones when there are more. All that are kept by default. */
  readonly limit?: number;
};

export type SummaryGroup = ErrorGroup & {
  /** Errors of the group within the window. */
  readonly countInWindow: number;
};

export type ErrorSummary = {
  readonly timeWindowMinutes: number;
  readonly totalErrors: number;
  /** Groups that had an error within the window. */
  readonly uniqueErrors: number;
  readonly bySeverity: Readonly<Record<ErrorSeverity, number>>;
  readonly byType: Readonly<Record<string, number>>;
  /** The most frequent first, at most 100. */
  readonly groups: readonly SummaryGroup[];
  /** Whether all errors of the window are still kept. Otherwise the counts are of those that are. */
  readonly exact: boolean;
};

/** What the tracker counts of itself. */
export type TrackerCounters = {
  readonly errors: number;
  /** Errors that could not be tracked at all. */
  readonly untracked: number;
  readonly groups: number;
  readonly evictedGroups: number;
  readonly callbackErrors: number;
};

const MAX_ERRORS_DEFAULT = 10_000;
const MAX_GROUPS_DEFAULT = 1_000;
/** The most that `maxErrors` and `maxGroups` may be. */
const SIZE_MAX = 10_000_000;
const PATTERNS_MAX = 1_000;
/** Types, agents and versions that are remembered, each. Others are worked out again every time. */
const NAMES_MAX = 1_000;
const NAME_MAX_CHARS = 200;
const SUMMARY_GROUPS_MAX = 100;
const WINDOW_DEFAULT_MINUTES = 60;
/** A callback that tracks an error may set off another one, but not for ever. */
const CALLBACKS_DEEP_MAX = 4;

/** What is known of a type, an agent or a version by its name. */
type Name = { readonly text: string; readonly low: number; readonly high: number };
type TypeName = Name & {
  readonly errorClass: number;
  patterns: readonly PatternWindow[];
};

const UNKNOWN_CLASS = errorClasses.indexOf("unknown");
const NONE: TrackOptions = Object.freeze({});

export class ErrorTracker {
  readonly #id = crypto.randomUUID();
  readonly #timeline: Timeline;
  readonly #scrubber: Scrubber;
  readonly #history: ErrorHistory;
  readonly #groups: GroupTable;
  readonly #patterns = new Map<string, PatternWindow>();
  readonly #types = new Map<string, TypeName>();
  readonly #names = new Map<string, Name>();
  readonly #lanes: Lanes = { low: 0, high: 0 };
  readonly #onCallbackError: ErrorTrackerOptions["onCallbackError"];
  #callbacksDeep = 0;
  #callbackErrors = 0;
  #untracked = 0;

  /** @throws MonitorError `USAGE_INVALID` when a limit is no whole number above 0. */
  constructor({
    maxErrors = MAX_ERRORS_DEFAULT,
    maxGroups = MAX_GROUPS_DEFAULT,
    clock,
    elapsedMs,
    redact,
    onCallbackError,
  }: ErrorTrackerOptions = {}) {
    this.#history = new ErrorHistory(checkedSize("maxErrors", maxErrors));
    this.#groups = new GroupTable(checkedSize("maxGroups", maxGroups));
    this.#timeline = new Timeline(clock, elapsedMs);
    this.#scrubber = createScrubber(redact);
    this.#onCallbackError = onCallbackError;
  }

  /**
   * Counts errors from now on.
   *
   * @throws MonitorError `USAGE_INVALID` when the pattern makes no sense or its name is taken.
   */
  registerPattern(pattern: ErrorPattern): void {
    if (this.#patterns.has(pattern.name)) {
      throw new MonitorError(
        "USAGE_INVALID",
        `cannot register the pattern: ${pattern.name} is registered already`,
        { hint: "give it another name, or call unregisterPattern first" },
      );
    }
    if (this.#patterns.size >= PATTERNS_MAX) {
      throw new MonitorError(
        "USAGE_INVALID",
        `cannot register the pattern ${pattern.name}: there are ${PATTERNS_MAX} already`,
        { hint: "unregister those that are not needed any more" },
      );
    }
    this.#patterns.set(pattern.name, new PatternWindow(pattern));
    this.#matchTypes();
  }

  /** Returns whether there was such a pattern. */
  unregisterPattern(name: string): boolean {
    const wasThere = this.#patterns.delete(name);
    if (wasThere) this.#matchTypes();
    return wasThere;
  }

  getPatterns(): PatternState[] {
    this.#timeline.read();
    return Array.from(this.#patterns.values(), (window) => window.state(this.#timeline.elapsedMs));
  }

  /**
   * Never throws, whatever it is given. Returns the id of the error's group, or
   * `null` when the error could not be tracked, which `getCounters` tells.
   */
  trackError(type: string, message: string, options: TrackOptions = NONE): string | null {
    try {
      return this.#track(type, message, options ?? NONE);
    } catch {
      this.#untracked++;
      return null;
    }
  }

  /** An error of the type `agent.<kind>`. */
  trackAgentError(
    agentName: string,
    kind: string,
    message: string,
    options: Omit<TrackOptions, "agentName"> = NONE,
  ): string | null {
    return this.trackError(`agent.${asText(kind)}`, message, {
      ...safeOptions(options),
      agentName,
    });
  }

  /** An error of the type `deployment.<kind>`; the endpoint stands for the agent. */
  trackDeploymentError(
    endpointName: string,
    kind: string,
    message: string,
    options: Omit<TrackOptions, "agentName"> = NONE,
  ): string | null {
    const given = { ...safeOptions(options), agentName: endpointName };
    return this.trackError(`deployment.${asText(kind)}`, message, given);
  }

  /** Newest first. */
  getRecentErrors({
    minutes,
    severities: wanted,
    errorType,
    agentName,
    limit = Number.POSITIVE_INFINITY,
  }: RecentErrorsFilter = {}): TrackedError[] {
    const recent: TrackedError[] = [];
    const mask = wanted ? severityMask(wanted) : -1;
    this.#timeline.read();
    for (const sequence of this.#since(windowMinutes(minutes))) {
      if (recent.length >= limit) break;
      if (((mask >>> this.#history.severity(sequence)) & 1) === 0) continue;
      const group = this.#history.group(sequence);
      if (group === null || (agentName !== undefined && group.agentName !== agentName)) continue;
      if (errorType !== undefined && !isOfType(group.type, errorType)) continue;
      const error = this.#read(sequence);
      if (error) recent.push(error);
    }
    return recent;
  }

  /**
   * Errors after the one with this sequence, oldest first: for those who carry them
   * elsewhere. What has made room for others is left out.
   */
  getErrorsAfter(sequence: number, limit: number): TrackedError[] {
    const errors: TrackedError[] = [];
    const from = Math.max(this.#history.oldest, Math.floor(sequence) + 1 || 1);
    for (let next = from; next <= this.#history.sequence && errors.length < limit; next++) {
      const error = this.#read(next);
      if (error) errors.push(error);
    }
    return errors;
  }

  getErrorSummary({
    timeWindowMinutes,
  }: {
    readonly timeWindowMinutes?: number;
  } = {}): ErrorSummary {
    this.#timeline.read();
    const { elapsedMs } = this.#timeline;
    const minutes = windowMinutes(timeWindowMinutes);
    const bySeverity = { info: 0, warning: 0, error: 0, critical: 0 };
    const byType = new Map<string, number>();
    const byGroup = new Map<string, { readonly group: LiveGroup; count: number }>();
    let totalErrors = 0;
    let reached = this.#history.sequence + 1;
    for (const sequence of this.#since(minutes)) {
      const group = this.#history.group(sequence);
      if (group === null) continue;
      reached = sequence;
      totalErrors++;
      bySeverity[severities[this.#history.severity(sequence)] ?? ErrorSeverity.ERROR]++;
      byType.set(group.type, (byType.get(group.type) ?? 0) + 1);
      // A group that made room and came back is there twice: the newest tells its story.
      const counted = byGroup.get(group.id);
      if (counted) counted.count++;
      else byGroup.set(group.id, { group, count: 1 });
    }
    const { oldest } = this.#history;
    return {
      timeWindowMinutes: minutes,
      totalErrors,
      uniqueErrors: byGroup.size,
      bySeverity,
      byType: Object.fromEntries(byType),
      groups: summaryGroups([...byGroup.values()], elapsedMs),
      exact: oldest === 1 || reached > oldest,
    };
  }

  /** All groups that are kept, the last seen first. */
  getGroups(): ErrorGroup[] {
    this.#timeline.read();
    return Array.from(this.#groups.all(), (group) => groupOf(group, this.#timeline.elapsedMs));
  }

  getGroup(groupId: string): ErrorGroup | undefined {
    this.#timeline.read();
    const group = this.#groups.withId(groupId);
    return group ? groupOf(group, this.#timeline.elapsedMs) : undefined;
  }

  /**
   * Says that the cause is mended; its next error makes the group `regressed`. With
   * `inVersion`, errors of other versions seen so far are still expected. Returns
   * whether the group is known.
   */
  resolve(groupId: string, { inVersion }: { readonly inVersion?: string } = {}): boolean {
    const group = this.#groups.withId(groupId);
    if (!group) return false;
    group.mark = "resolved";
    const known = new Set(group.versions.map(({ version }) => version));
    group.fixed = inVersion === undefined ? null : { version: inVersion, known };
    return true;
  }

  /** Takes `resolve` back. Returns whether the group is known. */
  reopen(groupId: string): boolean {
    const group = this.#groups.withId(groupId);
    if (!group) return false;
    group.mark = "seen";
    group.fixed = null;
    return true;
  }

  getCounters(): TrackerCounters {
    return {
      errors: this.#history.sequence,
      untracked: this.#untracked,
      groups: this.#groups.size,
      evictedGroups: this.#groups.evicted,
      callbackErrors: this.#callbackErrors,
    };
  }

  #track(type: string, message: string, options: TrackOptions): string {
    const given = options === NONE ? NONE : readOptions(options);
    const timeline = this.#timeline;
    timeline.read();
    const scrubber = this.#scrubber;
    const known = this.#typeOf(type);
    const agent = given.agentName === undefined ? null : this.#nameOf(given.agentName);
    const version = given.modelVersion === undefined ? null : this.#nameOf(given.modelVersion).text;
    const clean = cleanText(typeof message === "string" ? message : asText(message), scrubber);
    const error = keptError(given.error, scrubber);
    const statusCode =
      asStatus(given.statusCode) ?? (error === null ? null : statusOf(given.error));
    const severity = severityIndex(given.severity);
    const context = keptContext(given.context, scrubber);

    const lanes = this.#lanes;
    startHash(lanes);
    hashNumber(lanes, lanes.low ^ known.low, lanes.high ^ known.high, statusCode ?? 0);
    if (agent !== null) hashNumber(lanes, lanes.low ^ agent.low, lanes.high ^ agent.high, 1);
    hashTemplate(lanes, clean);
    if (error !== null) hashError(lanes, error);

    let group = this.#groups.find(lanes);
    const errorClass = classIndex(given.errorClass, known.errorClass, statusCode, error);
    if (group === null) {
      group = this.#groups.add(
        lanes,
        {
          type: known.text,
          agentName: agent === null ? null : agent.text,
          statusCode,
          errorClass,
          severity,
          message: clean,
          errorName: error === null ? null : error.name,
          stack: error === null ? null : keptStack(given.error, scrubber),
        },
        timeline.timeMs,
        timeline.elapsedMs,
      );
    }
    this.#groups.see(group, severity, version, timeline.timeMs);
    this.#keep(group, known.patterns, severity, errorClass, version, clean, context, error);
    return group.id;
  }

  /** Keeps the error and calls back the patterns whose breach it begins. */
  #keep(
    group: LiveGroup,
    patterns: readonly PatternWindow[],
    severity: number,
    errorClass: number,
    version: string | null,
    message: string,
    context: Context,
    error: KeptError | null,
  ): void {
    const { timeMs, elapsedMs } = this.#timeline;
    const sequence = this.#history.add(
      group,
      severity,
      errorClass,
      timeMs,
      elapsedMs,
      version,
      message,
      context,
      error,
    );
    let breached: PatternWindow[] | null = null;
    for (let index = 0; index < patterns.length; index++) {
      const pattern = patterns[index] as PatternWindow;
      if (!pattern.add(errorClass, severity, elapsedMs, sequence)) continue;
      breached ??= [];
      breached.push(pattern);
    }
    if (breached !== null) for (const pattern of breached) this.#fire(pattern, Math.floor(timeMs));
  }

  #fire(window: PatternWindow, timeMs: number): void {
    const { name, thresholdCount, timeWindowSeconds, alertCallback } = window.pattern;
    window.fired++;
    window.lastFiredMs = timeMs;
    if (this.#callbacksDeep >= CALLBACKS_DEEP_MAX) {
      this.#callbackFailed(new Error(`callbacks of patterns set each other off: ${name}`), name);
      return;
    }
    const errors = window.breachSequences().flatMap((sequence) => this.#read(sequence) ?? []);
    const breach: Parameters<AlertCallback>[1] = {
      pattern: name,
      thresholdCount,
      timeWindowSeconds,
      timeMs,
    };
    this.#callbacksDeep++;
    try {
      const answer: unknown = alertCallback(errors, breach);
      if (typeof answer === "object" && answer !== null) {
        Promise.resolve(answer).then(undefined, (error: unknown) =>
          this.#callbackFailed(error, name),
        );
      }
    } catch (error) {
      this.#callbackFailed(error, name);
    } finally {
      this.#callbacksDeep--;
    }
  }

  #callbackFailed(error: unknown, pattern: string): void {
    this.#callbackErrors++;
    try {
      const answer: unknown = this.#onCallbackError?.(error, pattern);
      if (answer instanceof Promise) answer.catch(() => {});
    } catch {
      // It is counted; there is nobody left to tell.
    }
  }

  #typeOf(type: string): TypeName {
    const known = this.#types.get(type);
    if (known !== undefined) return known;
    const name = this.#newName(asText(type) || "unknown");
    const errorClass = classOfType(name.text);
    const made: TypeName = {
      ...name,
      errorClass: errorClass === null ? -1 : errorClasses.indexOf(errorClass),
      patterns: this.#patternsOf(name.text),
    };
    if (this.#types.size < NAMES_MAX && type === name.text) this.#types.set(name.text, made);
    return made;
  }

  #nameOf(name: string): Name {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const made = this.#newName(asText(name));
    // What had to be cleaned is not remembered: it would be kept as it was.
    if (this.#names.size < NAMES_MAX && name === made.text) this.#names.set(made.text, made);
    return made;
  }

  #newName(name: string): Name {
    const text = ` ${cleanText(name, this.#scrubber, NAME_MAX_CHARS)}`.slice(1);
    const lanes: Lanes = { low: 0, high: 0 };
    startHash(lanes);
    hashText(lanes, text);
    return { text, low: lanes.low, high: lanes.high };
  }

  #patternsOf(type: string): PatternWindow[] {
    return [...this.#patterns.values()].filter((pattern) => pattern.matchesType(type));
  }

  #matchTypes(): void {
    for (const type of this.#types.values()) type.patterns = this.#patternsOf(type.text);
  }

  /** Sequences of the errors of the last minutes, newest first. */
  *#since(minutes: number): Generator<number> {
    const sinceMs = this.#timeline.elapsedMs - minutes * 60_000;
    const { oldest } = this.#history;
    for (let sequence = this.#history.sequence; sequence >= oldest; sequence--) {
      if (this.#history.elapsedMs(sequence) <= sinceMs) return;
      yield sequence;
    }
  }

  #read(sequence: number): TrackedError | null {
    const kept = this.#history.read(sequence);
    if (kept === null) return null;
    const { group, timeMs, message, modelVersion, context, error } = kept;
    return {
      eventId: `${this.#id}:${sequence}`,
      sequence,
      timeMs,
      type: group.type,
      errorClass: errorClasses[kept.errorClass] ?? "unknown",
      severity: severities[kept.severity] ?? ErrorSeverity.ERROR,
      message,
      agentName: group.agentName,
      modelVersion,
      statusCode: group.statusCode,
      context,
      error,
      groupId: group.id,
    };
  }
}

function summaryGroups(
  groups: { readonly group: LiveGroup; readonly count: number }[],
  elapsedMs: number,
): SummaryGroup[] {
  return groups
    .sort((one, other) => other.count - one.count)
    .slice(0, SUMMARY_GROUPS_MAX)
    .map(({ group, count }) => ({ ...groupOf(group, elapsedMs), countInWindow: count }));
}

function checkedSize(name: string, size: number): number {
  if (Number.isInteger(size) && size >= 1 && size <= SIZE_MAX) return size;
  throw new MonitorError("USAGE_INVALID", `cannot track errors with ${name} ${size}`, {
    hint: `use a whole number from 1 to ${SIZE_MAX}`,
  });
}

const windowMinutes = (minutes: number | undefined) =>
  minutes !== undefined && minutes >= 0 ? minutes : WINDOW_DEFAULT_MINUTES;

function severityMask(wanted: readonly ErrorSeverity[]): number {
  return wanted.reduce((mask, one) => mask | (1 << severities.indexOf(one)), 0);
}

function severityIndex(severity: ErrorSeverity | undefined): number {
  switch (severity) {
    case "info":
      return 0;
    case "warning":
      return 1;
    case "critical":
      return 3;
    default:
      return 2;
  }
}

function classIndex(
  given: ErrorClass | undefined,
  ofType: number,
  statusCode: number | null,
  error: KeptError | null,
): number {
  if (given !== undefined) {
    const index = errorClasses.indexOf(given);
    if (index >= 0) return index;
  }
  if (ofType >= 0) return ofType;
  const told =
    (statusCode === null ? null : classOfStatus(statusCode)) ??
    (error === null ? null : classOfName(error.name));
  return told === null ? UNKNOWN_CLASS : errorClasses.indexOf(told);
}

/** What was thrown is a part of the cause: `fetch failed` has many. */
function hashError(lanes: Lanes, { name, message, code, causes }: KeptError): void {
  hashText(lanes, name);
  hashText(lanes, code ?? "");
  hashTemplate(lanes, message);
  for (let index = 0; index < causes.length; index++) {
    const cause = causes[index] as KeptError["causes"][number];
    hashText(lanes, cause.name);
    hashText(lanes, cause.code ?? "");
    hashTemplate(lanes, cause.message);
  }
}

/** Each option is read once. One that throws when it is read is left out. */
function readOptions(options: TrackOptions): TrackOptions {
  try {
    const { severity, agentName, modelVersion, statusCode, errorClass, context, error } = options;
    // Some may be undefined, which says the same as being left out.
    return {
      severity,
      agentName,
      modelVersion,
      statusCode,
      errorClass,
      context,
      error,
    } as TrackOptions;
  } catch {
    return safeOptions(options);
  }
}

function safeOptions(options: TrackOptions): TrackOptions {
  if (typeof options !== "object" || options === null) return NONE;
  const read = (name: keyof TrackOptions) => field(options, name);
  return {
    severity: read("severity"),
    agentName: read("agentName"),
    modelVersion: read("modelVersion"),
    statusCode: read("statusCode"),
    errorClass: read("errorClass"),
    context: read("context"),
    error: read("error"),
    // Each is checked where it is used.
  } as TrackOptions;
}
