/**
 * Runs health checks side by side, bounded in number and time, and keeps for each
 * since when it is how it is. Whatever a check does is a finding about that check
 * and nothing else: it may hang, throw, return nonsense or block. Times come from
 * the clock that is passed in; latencies are monotonic.
 */
import { type Clock, systemClock } from "../clock.ts";
import { MonitorError } from "../monitor-error.ts";
import { checkAboveZero, checkMethods, checkOptions, checkWholeNumber } from "../option.ts";
import type { Check, Evidence, ModuleCheck } from "./check.ts";
import { createEventLoopWatch } from "./event-loop-watch.ts";
import { type HealthStatus, worstStatus } from "./health-status.ts";
import { createInProcessRunner } from "./in-process-runner.ts";
import { type HealthHistory, nextHealth, type Thresholds } from "./next-health.ts";
import { describe, type Finding, unknownFinding } from "./read-result.ts";
import type { Runner } from "./runner.ts";
import { createWorkerRunner } from "./worker-runner.ts";

export type HealthCheckManagerOptions = {
  /** For one run of one check. 10 by default. */
  readonly timeoutSeconds?: number | undefined;
  /** Checks that run at a time; the others wait their turn. 16 by default. */
  readonly maxConcurrent?: number | undefined;
  /** So many failures in a row make a passing component fail. 1 by default. */
  readonly failuresToUnhealthy?: number | undefined;
  /** So many successes in a row make a failing component pass. 1 by default. */
  readonly successesToRecover?: number | undefined;
  readonly clock?: Clock | undefined;
};

/** For one check, in place of the manager's own. */
export type CheckOptions = {
  readonly timeoutSeconds?: number | undefined;
  readonly failuresToUnhealthy?: number | undefined;
  readonly successesToRecover?: number | undefined;
};

export type ComponentHealth = {
  readonly name: string;
  /** After the thresholds. */
  readonly status: HealthStatus;
  /** What the last run found. Differs from `status` while that holds through a blip. */
  readonly lastStatus: HealthStatus;
  /** A word for programs, such as `cold` or `timed_out`; `null` when the check says none. */
  readonly state: string | null;
  readonly message: string;
  /** How long the last run took; `null` when it was not started. */
  readonly latencyMs: number | null;
  /** When the last run ended, ISO 8601. */
  readonly timestamp: string;
  /** Since when `status` is what it is, ISO 8601. */
  readonly since: string;
  readonly consecutiveFailures: number;
  readonly consecutiveSuccesses: number;
  /** For how long the check's own code blocked the event loop in one piece; `null` in a worker thread. */
  readonly blockedMs: number | null;
  readonly evidence: Evidence;
};

export type HealthReport = {
  /** The worst of the components. */
  readonly status: HealthStatus;
  /** ISO 8601. */
  readonly timestamp: string;
  /** In the order of their registration. */
  readonly components: readonly ComponentHealth[];
  readonly summary: Readonly<Record<HealthStatus | "total", number>>;
};

const DEFAULT_TIMEOUT_S = 10;
const TIMEOUT_MAX_S = 3600;
const DEFAULT_MAX_CONCURRENT = 16;
const MAX_CONCURRENT_MAX = 1000;
const THRESHOLD_MAX = 1000;
/** Checks that a manager holds. Beyond, `registerCheck` throws. */
export const CHECKS_MAX = 1000;
/** Of them those that have a worker thread, which costs some 10 MB each. */
export const MODULE_CHECKS_MAX = 32;
const NAME_MAX_CHARS = 200;
const DEFAULT_MEMORY_MB = 128;
const MEMORY_MAX_MB = 4096;

type Entry = {
  readonly name: string;
  readonly runner: Runner;
  readonly timeoutMs: number;
  readonly thresholds: Thresholds;
  health: HealthHistory | null;
  /** The run that is asked for now; whoever asks meanwhile gets the same. */
  current: Promise<ComponentHealth> | null;
  /** When a run began that its time could not end; `null` once it has ended by itself. */
  stuckSinceMs: number | null;
  /** Ends the current run at once; `null` between runs. */
  end: ((finding: Finding) => void) | null;
};

/** The checks that ran in process at the same time as one of them. */
type Companions = { readonly name: string; readonly names: Set<string> };

type Run = {
  readonly finding: Finding;
  readonly latencyMs: number | null;
  readonly blockedMs: number | null;
};

export class HealthCheckManager {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #thresholds: Thresholds;
  readonly #entries = new Map<string, Entry>();
  readonly #loop = createEventLoopWatch();
  readonly #running = new Set<Companions>();
  readonly #waiting: (() => void)[] = [];
  #free: number;

  /** @throws MonitorError `CONFIG_INVALID` for an option that makes no sense. */
  constructor(options: HealthCheckManagerOptions = {}) {
    checkOptions("a HealthCheckManager", options);
    this.#clock = options.clock ?? systemClock;
    checkMethods("clock", this.#clock, {
      methods: ["now", "every", "after"],
      hint: "Give a clock with now(), every() and after(), or none.",
    });
    this.#timeoutMs = timeoutMs(options.timeoutSeconds ?? DEFAULT_TIMEOUT_S);
    this.#thresholds = thresholds(options, { failuresToUnhealthy: 1, successesToRecover: 1 });
    const maxConcurrent = options.maxConcurrent ?? DEFAULT_MAX_CONCURRENT;
    this.#free = wholeNumber("maxConcurrent", maxConcurrent, { max: MAX_CONCURRENT_MAX });
  }

  /**
   * Adds a check, or replaces the one of this name, whose history is forgotten. A
   * function runs in this process; `{ module }` runs in a worker thread of its own.
   *
   * @throws MonitorError `USAGE_INVALID` for anything that can't be a check, and beyond
   * 1000 checks or 32 with a module; `CONFIG_INVALID` for an option that makes no sense, and for a
   * module where this package was bundled.
   */
  registerCheck(name: string, check: Check | ModuleCheck, options: CheckOptions = {}): void {
    checkOptions("a check", options);
    if (typeof name !== "string" || name === "" || name.length > NAME_MAX_CHARS) {
      throw invalid(
        `a health check can't have the name ${describe(name).slice(0, NAME_MAX_CHARS)}`,
        `Give it a name of 1 to ${NAME_MAX_CHARS} characters.`,
      );
    }
    const inModule = typeof check === "function" ? null : moduleCheck(name, check);
    const seconds = options.timeoutSeconds ?? inModule?.timeoutSeconds;
    const entry: Entry = {
      name,
      timeoutMs: seconds === undefined ? this.#timeoutMs : timeoutMs(seconds),
      thresholds: thresholds(options, this.#thresholds),
      runner:
        typeof check === "function"
          ? createInProcessRunner(name, check)
          : createWorkerRunner({
              name,
              module: check.module,
              exportName: check.export ?? "default",
              memoryMb: wholeNumber("memoryMb", check.memoryMb ?? DEFAULT_MEMORY_MB, {
                max: MEMORY_MAX_MB,
              }),
            }),
      health: null,
      current: null,
      stuckSinceMs: null,
      end: null,
    };
    const others = [...this.#entries.values()].filter((other) => other.name !== name);
    checkCount(others, entry);
    const replaced = this.#entries.get(name);
    this.#entries.set(name, entry);
    if (replaced) void discard(replaced);
  }

  /** Returns whether there was such a check. A run of it is ended and left out of the report. */
  unregisterCheck(name: string): boolean {
    const entry = this.#entries.get(name);
    if (!entry) return false;
    this.#entries.delete(name);
    void discard(entry);
    return true;
  }

  /**
   * Runs one check; while it runs already, waits for that run.
   *
   * @throws MonitorError `USAGE_INVALID` when no check has this name. Whatever the
   * check does, there is a result.
   */
  async runCheck(name: string): Promise<ComponentHealth> {
    const entry = this.#entries.get(name);
    if (!entry) {
      const names = [...this.#entries.keys()].slice(0, 20).join(", ") || "none";
      throw invalid(
        `there is no health check ${JSON.stringify(name)}`,
        `Register it first. Registered: ${names}.`,
      );
    }
    return this.#run(entry);
  }

  /** Runs all checks side by side. Never rejects, and ends when the time of the last check is up. */
  async runAllChecks(): Promise<HealthReport> {
    const entries = [...this.#entries.values()];
    const results = await Promise.all(entries.map((entry) => this.#run(entry)));
    // What was unregistered or replaced meanwhile says nothing about what is there now.
    const components = results.filter(
      (_, index) => this.#entries.get(entries[index]?.name ?? "") === entries[index],
    );
    const count = (status: HealthStatus) =>
      components.filter((component) => component.status === status).length;
    return {
      status: worstStatus(components.map(({ status }) => status)),
      timestamp: this.#now(),
      components,
      summary: {
        total: components.length,
        healthy: count("healthy"),
        degraded: count("degraded"),
        unhealthy: count("unhealthy"),
        unknown: count("unknown"),
      },
    };
  }

  /** Unregisters all checks and ends their worker threads. */
  async close(): Promise<void> {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(entries.map(discard));
  }

  #run(entry: Entry): Promise<ComponentHealth> {
    entry.current ??= this.#attempt(entry).finally(() => {
      entry.current = null;
    });
    return entry.current;
  }

  async #attempt(entry: Entry): Promise<ComponentHealth> {
    if (entry.stuckSinceMs !== null) return this.#record(entry, this.#stillRunning(entry));

    // Alone in its turn: between here and the run itself nothing else may take the place.
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      const isRegistered = this.#entries.get(entry.name) === entry;
      return this.#record(entry, isRegistered ? await this.#start(entry) : notStarted);
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }

  #start(entry: Entry): Promise<Run> {
    const { name, runner } = entry;
    const controller = new AbortController();
    const startedMs = performance.now();
    const stopWatching = this.#loop.watch();
    const companions = runner.isInProcess ? this.#join(name) : null;
    let blockedMs = 0;

    return new Promise((resolve) => {
      let isOver = false;
      const finish = (finding: Finding) => {
        if (isOver) return;
        isOver = true;
        cancelTimer();
        entry.end = null;
        const latencyMs = performance.now() - startedMs;
        const unexplainedMs = this.#loop.unexplainedMs(startedMs);
        stopWatching();
        if (companions === null) return resolve({ finding, latencyMs, blockedMs: null });
        this.#running.delete(companions);
        const standstill = { blockedMs, unexplainedMs, companions: companions.names };
        resolve({ finding: withStandstill(finding, standstill), latencyMs, blockedMs });
      };

      const giveUp = (finding: Finding) => {
        if (isOver) return;
        finish(finding);
        // After it is told: a check that stops at its signal changes nothing any more.
        controller.abort(
          new DOMException(`The time of health check "${name}" is up.`, "TimeoutError"),
        );
        if (runner.giveUp()) entry.stuckSinceMs = null;
      };

      // Time during which others kept the loop is not the check's own. Where it may have
      // been the check itself, it gets no more than as much time again.
      let lentMs = 0;
      const lostMs = () => {
        const unexplainedMs = this.#loop.unexplainedMs(startedMs);
        const byOthersMs = this.#loop.stoodStillMs(startedMs, { notBy: name }) - unexplainedMs;
        return byOthersMs + Math.min(unexplainedMs, entry.timeoutMs);
      };
      const timeIsUp = () => {
        const owedMs = lostMs() - lentMs;
        if (owedMs < 1) return giveUp(timedOut(entry));
        lentMs += owedMs;
        cancelTimer = this.#clock.after(owedMs, timeIsUp);
      };
      let cancelTimer = this.#clock.after(entry.timeoutMs, timeIsUp);

      entry.end = giveUp;
      entry.stuckSinceMs = this.#clock.now();
      let finding = new Promise<Finding>(() => {});
      const start = () => {
        finding = runner.start(controller.signal);
      };
      if (runner.isInProcess) blockedMs = this.#loop.time(name, start);
      else start();

      void finding.then((found) => {
        entry.stuckSinceMs = null;
        const ownMs = performance.now() - startedMs - lostMs();
        // A check that blocked past its time settles before any timer can tell.
        if (ownMs > entry.timeoutMs) giveUp(timedOut(entry));
        else finish(found);
      });
    });
  }

  #join(name: string): Companions {
    const joined = { name, names: new Set<string>() };
    for (const other of this.#running) {
      joined.names.add(other.name);
      other.names.add(name);
    }
    this.#running.add(joined);
    return joined;
  }

  #stillRunning({ stuckSinceMs, timeoutMs }: Entry): Run {
    const sinceMs = stuckSinceMs ?? this.#clock.now();
    const since = new Date(sinceMs).toISOString();
    return {
      finding: unknownFinding(
        "still_running",
        `The run that began at ${since} has not ended, so no other was started: the check does not heed its signal, which was aborted after ${seconds(timeoutMs)}. Given as { module: URL } it would be ended.`,
      ),
      latencyMs: null,
      blockedMs: null,
    };
  }

  #record(entry: Entry, { finding, latencyMs, blockedMs }: Run): ComponentHealth {
    const nowMs = this.#clock.now();
    const health = nextHealth(entry.health, finding.status, {
      thresholds: entry.thresholds,
      nowMs,
    });
    entry.health = health;
    return {
      name: entry.name,
      status: health.status,
      lastStatus: finding.status,
      state: finding.state,
      message: messageOf(finding, { health, thresholds: entry.thresholds }),
      latencyMs,
      timestamp: new Date(nowMs).toISOString(),
      since: new Date(health.sinceMs).toISOString(),
      consecutiveFailures: health.consecutiveFailures,
      consecutiveSuccesses: health.consecutiveSuccesses,
      blockedMs,
      evidence: finding.evidence,
    };
  }

  #now(): string {
    return new Date(this.#clock.now()).toISOString();
  }
}

const unregistered = unknownFinding("unregistered", "The check was unregistered while it ran.");
const notStarted: Run = { finding: unregistered, latencyMs: null, blockedMs: null };

function discard(entry: Entry): Promise<void> {
  entry.end?.(unregistered);
  return entry.runner.close();
}

function timedOut({ timeoutMs }: Entry): Finding {
  return unknownFinding("timed_out", `The check gave no result within ${seconds(timeoutMs)}.`);
}

function withStandstill(
  finding: Finding,
  {
    blockedMs,
    unexplainedMs,
    companions,
  }: {
    readonly blockedMs: number;
    readonly unexplainedMs: number;
    readonly companions: ReadonlySet<string>;
  },
): Finding {
  const said: string[] = [];
  if (blockedMs > 0) {
    said.push(
      `It blocked the event loop for ${seconds(blockedMs)}; given as { module: URL } it runs in a worker thread.`,
    );
  }
  if (unexplainedMs > 0) {
    const others = companions.size === 0 ? "" : `, ${[...companions].slice(0, 8).join(", ")}`;
    said.push(
      `The event loop stood still for ${seconds(unexplainedMs)} while it ran: blocked by this check${others} or the service itself.`,
    );
  }
  return said.length === 0
    ? finding
    : { ...finding, message: [finding.message, ...said].filter((part) => part !== "").join(" ") };
}

/** Says, while a status holds, why it is not what the last run found. */
function messageOf(
  { status, message }: Finding,
  { health, thresholds }: { readonly health: HealthHistory; readonly thresholds: Thresholds },
): string {
  const said = message === "" ? `The check says ${status}.` : message;
  if (health.status === status) return said;
  const { consecutiveFailures, consecutiveSuccesses } = health;
  return consecutiveFailures > 0
    ? `${said} (Failure ${consecutiveFailures} of ${thresholds.failuresToUnhealthy} in a row; still ${health.status}.)`
    : `${said} (Success ${consecutiveSuccesses} of ${thresholds.successesToRecover} in a row; still ${health.status}.)`;
}

function moduleCheck(name: string, check: unknown): ModuleCheck {
  const module =
    typeof check === "object" && check !== null && "module" in check ? check.module : undefined;
  if (!(module instanceof URL) || !["file:", "data:"].includes(module.protocol)) {
    throw invalid(
      `health check ${JSON.stringify(name)} is neither a function nor { module: URL }`,
      'Give a function, or { module: new URL("./my-check.js", import.meta.url) }.',
    );
  }
  return check as ModuleCheck; // Its other fields are looked at where they are used.
}

function checkCount(others: readonly Entry[], added: Entry): void {
  const inThreads = others.filter(({ runner }) => !runner.isInProcess).length;
  if (others.length >= CHECKS_MAX) {
    throw invalid(
      `a manager holds ${CHECKS_MAX} health checks at most`,
      "Unregister some, or let one check look at many things.",
    );
  }
  if (!added.runner.isInProcess && inThreads >= MODULE_CHECKS_MAX) {
    throw invalid(
      `a manager holds ${MODULE_CHECKS_MAX} health checks with a worker thread at most`,
      "Let one module look at several things, or run what does not block as a function.",
    );
  }
}

function thresholds(options: CheckOptions, defaults: Thresholds): Thresholds {
  const { failuresToUnhealthy, successesToRecover } = options;
  const limits = { max: THRESHOLD_MAX };
  return {
    failuresToUnhealthy: wholeNumber(
      "failuresToUnhealthy",
      failuresToUnhealthy ?? defaults.failuresToUnhealthy,
      limits,
    ),
    successesToRecover: wholeNumber(
      "successesToRecover",
      successesToRecover ?? defaults.successesToRecover,
      limits,
    ),
  };
}

function timeoutMs(timeoutSeconds: number): number {
  checkAboveZero("timeoutSeconds", timeoutSeconds, { max: TIMEOUT_MAX_S, unit: "seconds" });
  return timeoutSeconds * 1000;
}

function wholeNumber(name: string, value: number, { max }: { readonly max: number }): number {
  checkWholeNumber(name, value, { min: 1, max });
  return value;
}

function invalid(message: string, hint: string): MonitorError {
  return new MonitorError("USAGE_INVALID", message, { hint });
}

function seconds(durationMs: number): string {
  return `${Number((durationMs / 1000).toPrecision(3))} s`;
}
