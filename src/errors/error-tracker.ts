/**
 * Tracks the errors of a service: groups them by cause, watches patterns of them,
 * and tells what happened lately. It stands in the path of requests, so it never
 * throws there, keeps a bounded amount, and costs the same whatever the history.
 * Nothing is kept before secrets are out of it.
 */
import type { Clock } from "../clock.ts";
import {
  checkFunction,
  checkMethods,
  checkOptions,
  checkText,
  checkWholeNumber,
  refuseOption,
} from "../option.ts";
import { errorClasses } from "../signals/error-class.ts";
import {
  hashHash,
  hashNumber,
  hashTemplate,
  type Lanes,
  startHash,
} from "../signals/fingerprint.ts";
import { createScrubber, type Scrubber, type ScrubOptions } from "../signals/scrub.ts";
import { errorClassOf } from "./error-class-of.ts";
import type { ErrorGroup } from "./error-group.ts";
import { ErrorHistory, type HistoryEntry } from "./error-history.ts";
import type { ErrorPattern, PatternState } from "./error-pattern.ts";
import { ErrorSeverity, severities } from "./error-severity.ts";
import { type ErrorSummary, summarize } from "./error-summary.ts";
import { GroupTable, groupOf } from "./group-table.ts";
import { fullBudget, keptContext, usedBytes } from "./kept-context.ts";
import {
  asStatus,
  hashError,
  keptError,
  keptMessage,
  keptStack,
  sizeOfError,
  statusOf,
} from "./kept-error.ts";
import { NameTable, type TypeName } from "./name-table.ts";
import { PatternWatch } from "./pattern-watch.ts";
import { isOfType, type PatternWindow } from "./pattern-window.ts";
import { asText } from "./read-safely.ts";
import { Timeline } from "./timeline.ts";
import {
  classIndex,
  NO_OPTIONS,
  readOptions,
  severityIndex,
  type TrackOptions,
} from "./track-options.ts";
import type { TrackedError } from "./tracked-error.ts";

export type ErrorTrackerOptions = {
  /** Errors that are kept, oldest out first. 10 000 by default. */
  readonly maxErrors?: number;
  /** Memory of their messages, contexts and causes; large ones make room sooner. 32 MiB by default. */
  readonly maxHistoryBytes?: number;
  /** Groups that are kept; the one not seen for longest makes room. 1 000 by default. */
  readonly maxGroups?: number;
  /** The system's by default. */
  readonly clock?: Pick<Clock, "now">;
  /** Milliseconds that never go back. `performance.now` where the clock is the system's. */
  readonly elapsedMs?: () => number;
  readonly redact?: ScrubOptions;
  /** Gets what a pattern's callback threw or rejected with. */
  readonly onCallbackError?: (error: unknown, pattern: string) => unknown;
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

/** What the tracker counts of itself. */
export type TrackerCounters = {
  readonly errors: number;
  /** Errors of which everything is still kept. */
  readonly keptErrors: number;
  /** Errors that could not be tracked at all. */
  readonly untracked: number;
  readonly groups: number;
  readonly evictedGroups: number;
  readonly callbackErrors: number;
};

const MAX_ERRORS_DEFAULT = 10_000;
const MAX_HISTORY_BYTES_DEFAULT = 32 * 1_048_576;
const MAX_GROUPS_DEFAULT = 1_000;
/** The most that `maxErrors` and `maxGroups` may be. */
const SIZE_MAX = 10_000_000;
const HISTORY_BYTES_MAX = 64 * 1_073_741_824;
const WINDOW_DEFAULT_MINUTES = 60;
/**
 * An error may be tracked while another one is: by a pattern's callback, by a getter
 * of a context. But not one within the other for ever.
 */
const DEPTH_MAX = 5;
/** Memory of one error besides what is large in it: its places in the columns, its message's head. */
const ENTRY_BYTES = 100;

export class ErrorTracker {
  readonly #id = crypto.randomUUID();
  readonly #timeline: Timeline;
  readonly #scrubber: Scrubber;
  readonly #history: ErrorHistory;
  readonly #groups: GroupTable;
  readonly #patterns: PatternWatch;
  readonly #names: NameTable;
  readonly #lanes: Lanes = { low: 0, high: 0 };
  #depth = 0;
  #untracked = 0;

  /** @throws MonitorError `CONFIG_INVALID` for an option that makes no sense. */
  constructor(options: ErrorTrackerOptions = {}) {
    checkOptions("an ErrorTracker", options);
    const {
      maxErrors = MAX_ERRORS_DEFAULT,
      maxHistoryBytes = MAX_HISTORY_BYTES_DEFAULT,
      maxGroups = MAX_GROUPS_DEFAULT,
      clock,
      elapsedMs,
      redact,
      onCallbackError,
    } = options;
    checkWholeNumber("maxErrors", maxErrors, { min: 1, max: SIZE_MAX });
    checkWholeNumber("maxHistoryBytes", maxHistoryBytes, { min: 1, max: HISTORY_BYTES_MAX });
    checkWholeNumber("maxGroups", maxGroups, { min: 1, max: SIZE_MAX });
    if (clock !== undefined) {
      checkMethods("clock", clock, { methods: ["now"], hint: "Give a clock with now(), or none." });
    }
    if (elapsedMs !== undefined) checkFunction("elapsedMs", elapsedMs);
    if (onCallbackError !== undefined) checkFunction("onCallbackError", onCallbackError);
    this.#history = new ErrorHistory({ maxErrors, maxBytes: maxHistoryBytes });
    this.#groups = new GroupTable(maxGroups);
    this.#timeline = new Timeline(clock, elapsedMs);
    this.#scrubber = createScrubber(redact);
    this.#patterns = new PatternWatch({
      read: (sequence) => this.#read(sequence),
      onCallbackError,
    });
    this.#names = new NameTable(this.#scrubber, (type) => this.#patterns.ofType(type));
  }

  /**
   * Counts errors from now on.
   *
   * @throws MonitorError `USAGE_INVALID` when the pattern makes no sense or its name is taken.
   */
  registerPattern(pattern: ErrorPattern): void {
    this.#patterns.register(pattern);
    this.#names.matchPatterns();
  }

  /** Returns whether there was such a pattern. */
  unregisterPattern(name: string): boolean {
    const wasThere = this.#patterns.unregister(name);
    if (wasThere) this.#names.matchPatterns();
    return wasThere;
  }

  getPatterns(): PatternState[] {
    this.#timeline.read();
    return this.#patterns.states(this.#timeline.elapsedMs);
  }

  /**
   * Never throws, whatever it is given. Returns the id of the error's group, or
   * `null` when the error could not be tracked, which `getCounters` tells.
   */
  trackError(type: string, message: string, options: TrackOptions = NO_OPTIONS): string | null {
    return this.#tryTrack(type, message, options);
  }

  #tryTrack(
    type: unknown,
    message: unknown,
    options: TrackOptions,
    owner?: { readonly agentName: unknown },
  ): string | null {
    if (this.#depth < DEPTH_MAX) {
      this.#depth++;
      try {
        return this.#track(type, message, options, owner);
      } catch {
        // It is counted; the caller has an error of its own to care for.
      } finally {
        this.#depth--;
      }
    }
    this.#untracked++;
    return null;
  }

  /** An error of the type `agent.<kind>`. */
  trackAgentError(
    agentName: string,
    kind: string,
    message: string,
    options: Omit<TrackOptions, "agentName"> = NO_OPTIONS,
  ): string | null {
    return this.#tryTrack(`agent.${asText(kind)}`, message, options, { agentName });
  }

  /** An error of the type `deployment.<kind>`; the endpoint stands for the agent. */
  trackDeploymentError(
    endpointName: string,
    kind: string,
    message: string,
    options: Omit<TrackOptions, "agentName"> = NO_OPTIONS,
  ): string | null {
    const type = `deployment.${asText(kind)}`;
    return this.#tryTrack(type, message, options, { agentName: endpointName });
  }

  /**
   * Newest first.
   *
   * @throws MonitorError `CONFIG_INVALID` for a filter that makes no sense.
   */
  getRecentErrors(filter: RecentErrorsFilter = {}): TrackedError[] {
    checkOptions("getRecentErrors", filter);
    const {
      minutes,
      severities: wanted,
      errorType,
      agentName,
      limit = Number.POSITIVE_INFINITY,
    } = filter;
    if (errorType !== undefined) checkText("errorType", errorType);
    const recent: TrackedError[] = [];
    const mask = wanted ? severityMask(wanted) : -1;
    this.#timeline.read();
    const sinceMs = this.#timeline.elapsedMs - 60_000 * windowMinutes(minutes);
    for (const sequence of this.#history.since(sinceMs)) {
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

  getErrorSummary(options: { readonly timeWindowMinutes?: number } = {}): ErrorSummary {
    checkOptions("getErrorSummary", options);
    const { timeWindowMinutes } = options;
    this.#timeline.read();
    const { elapsedMs } = this.#timeline;
    return summarize(this.#history, { elapsedMs, minutes: windowMinutes(timeWindowMinutes) });
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
  resolve(groupId: string, options: { readonly inVersion?: string } = {}): boolean {
    checkOptions("resolve", options);
    const { inVersion } = options;
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
      keptErrors: this.#history.size,
      untracked: this.#untracked,
      groups: this.#groups.size,
      evictedGroups: this.#groups.evicted,
      callbackErrors: this.#patterns.callbackErrors,
    };
  }

  #track(
    type: unknown,
    message: unknown,
    options: TrackOptions,
    owner: { readonly agentName: unknown } | undefined,
  ): string {
    // Everything is read first: a getter may track an error itself.
    const given = readOptions(options);
    const { agentName } = owner ?? given;
    const scrubber = this.#scrubber;
    const known = this.#names.type(type);
    const agent = isGiven(agentName) ? this.#names.name(agentName) : null;
    const version = isGiven(given.modelVersion) ? this.#names.name(given.modelVersion).text : null;
    const clean = keptMessage(message, scrubber);
    const error = keptError(given.error, scrubber);
    const statusCode =
      asStatus(given.statusCode) ?? (error === null ? null : statusOf(given.error));
    const severity = severityIndex(given.severity);
    const budget = fullBudget();
    const context = keptContext(given.context, scrubber, budget);
    const errorName = error === null ? null : error.name;
    let errorClass = classIndex(given.errorClass);
    if (errorClass < 0) errorClass = known.errorClass;
    if (errorClass < 0) errorClass = errorClasses.indexOf(errorClassOf({ statusCode, errorName }));

    this.#timeline.read();
    const { timeMs, elapsedMs } = this.#timeline;
    const lanes = this.#lanes;
    startHash(lanes);
    hashHash(lanes, known.hash);
    hashNumber(lanes, statusCode ?? 0);
    if (agent !== null) hashHash(lanes, agent.hash);
    hashTemplate(lanes, clean);
    if (error !== null) hashError(lanes, error);

    let group = this.#groups.find(lanes);
    if (group === null) {
      const cause = { ...lanes };
      // So may a stack as it is read.
      const stack = keptStack(given.error, scrubber);
      group =
        this.#groups.find(cause) ??
        this.#groups.add(cause, {
          type: known.text,
          agentName: agent === null ? null : agent.text,
          statusCode,
          errorClass,
          severity,
          message: clean,
          errorName,
          firstSeenMs: timeMs,
          firstElapsedMs: elapsedMs,
          stack,
        });
    }
    this.#keep(known, {
      group,
      severity,
      errorClass,
      timeMs,
      elapsedMs,
      message: clean,
      modelVersion: version,
      context,
      error,
      sizeBytes:
        ENTRY_BYTES +
        2 * clean.length +
        usedBytes(budget) +
        (error === null ? 0 : sizeOfError(error)),
    });
    return group.id;
  }

  /** Keeps the error and calls back the patterns whose breach it begins. */
  #keep({ patterns }: TypeName, entry: HistoryEntry): void {
    this.#groups.see(entry);
    const sequence = this.#history.add(entry);
    let breached: PatternWindow[] | null = null;
    for (let index = 0; index < patterns.length; index++) {
      const pattern = patterns[index] as PatternWindow;
      if (!pattern.add(entry, sequence)) continue;
      breached ??= [];
      breached.push(pattern);
    }
    if (breached !== null) this.#patterns.fire(breached, Math.floor(entry.timeMs));
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

const isGiven = (value: unknown) => value !== undefined && value !== null;

const windowMinutes = (minutes: number | undefined) =>
  minutes !== undefined && minutes >= 0 ? minutes : WINDOW_DEFAULT_MINUTES;

function severityMask(wanted: readonly ErrorSeverity[]): number {
  if (!Array.isArray(wanted) || !wanted.every((one) => severities.includes(one))) {
    refuseOption("severities", wanted, `Give a list of some of ${severities.join(", ")}.`);
  }
  return wanted.reduce((mask, one) => mask | (1 << severities.indexOf(one)), 0);
}
