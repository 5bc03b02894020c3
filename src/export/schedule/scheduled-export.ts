/**
 * Exports again and again: at the times of its schedule, at once where one was missed, and
 * never two at a time. What fails is tried again or parked, as `export-failure.ts` says, and
 * goes on by itself; how it stands is told to whoever asks.
 */
import type { Clock } from "../../clock.ts";
import { nextDueMs, periodMs, type Schedule } from "../../signals/schedule.ts";
import {
  type AfterFailure,
  afterFailure,
  type ExportFailure,
  failureOf,
  UNKNOWN_OUTCOME_WAIT_MS,
} from "./export-failure.ts";
import type { ExportRun } from "./export-runs.ts";

export type ExportStatus = {
  /** Such as `ml.monitoring.agent_monitoring`, or a directory. */
  readonly target: string;
  /** `ok` from the first run that came to its end; `lagging`: it runs, and does not keep up. */
  readonly state: "waiting" | "ok" | "lagging" | "failing" | "parked";
  readonly isRunning: boolean;
  readonly lastRunMs: number | null;
  /** All that was sealed before is there; `null`: never yet. */
  readonly asOfMs: number | null;
  readonly lagMs: number | null;
  /** Of the last run that came to its end. */
  readonly rows: number | null;
  /** Since the monitor was started. */
  readonly rowsTotal: number;
  readonly runsTotal: number;
  readonly failuresTotal: number;
  /** How far two runs are apart. */
  readonly periodMs: number;
  /** Why it does not work, and what to do about it. */
  readonly reason: string | null;
  readonly nextRunMs: number;
};

export type ScheduledExport = {
  status(): ExportStatus;
  /** Stops. A run under way is waited for, and cut off after a while. */
  close(): Promise<void>;
};

export type ScheduledExportOptions = {
  readonly target: string;
  readonly schedule: Schedule;
  readonly clock: Clock;
  readonly random: () => number;
  /** Cut off, it may be run again. */
  readonly run: (
    signal: AbortSignal,
  ) => Promise<{ readonly rows: number; readonly warnings: readonly string[] }>;
  readonly lastRun: ExportRun | null;
  readonly keepRun: (run: ExportRun) => void;
  /** Told when something begins to fail, changes, or works again. */
  readonly onNotice: (notice: string) => void;
};

/** How often it is looked whether a run is due: clocks are set, and machines sleep. */
export const TICK_MS = 1_000;
/** How long a run under way is waited for at the end. An app is killed after 15 s. */
export const CLOSE_GRACE_MS = 8_000;
/** A run may be that much later than its schedule and two periods say, before it counts as lagging. */
export const LAG_GRACE_MS = 5 * 60_000;

export function startScheduledExport(options: ScheduledExportOptions): ScheduledExport {
  const { target, schedule, clock, random, run, keepRun, onNotice } = options;
  const startedMs = clock.now();
  const controller = new AbortController();
  let last = options.lastRun;
  let running: Promise<void> | null = null;
  let failure: (ExportFailure & AfterFailure) | null = null;
  let failuresInARow = 0;
  let toldReason: string | null = null;
  let rowsTotal = 0;
  let runsTotal = 0;
  let failuresTotal = 0;

  /** From when on the wait for the next run counts. A clock that is set back must not make it longer. */
  let waitFromMs = last?.startedMs ?? startedMs;

  function nextRunMs(): number {
    waitFromMs = Math.min(waitFromMs, clock.now());
    if (failure) return waitFromMs + failure.waitMs;
    if (last === null) return waitFromMs;
    const due = nextDueMs(schedule, waitFromMs);
    // It was cut off, and its last statement may be running still.
    return last.endedMs === null ? Math.max(due, waitFromMs + UNKNOWN_OUTCOME_WAIT_MS) : due;
  }

  function tick(): void {
    if (running || controller.signal.aborted || clock.now() < nextRunMs()) return;
    running = once().finally(() => {
      running = null;
    });
  }

  async function once(): Promise<void> {
    const runStartedMs = clock.now();
    const before = last;
    waitFromMs = runStartedMs;
    const keep = (kept: ExportRun) => {
      last = kept;
      try {
        keepRun(kept);
      } catch {
        // A full disk: the next start runs once more than it had to.
      }
    };
    keep({
      startedMs: runStartedMs,
      endedMs: null,
      asOfMs: before?.asOfMs ?? null,
      rows: before?.rows ?? null,
    });
    try {
      const { rows, warnings } = await run(controller.signal);
      rowsTotal += rows;
      runsTotal++;
      failuresInARow = 0;
      failure = null;
      if (toldReason !== null) onNotice(`The export to ${target} works again.`);
      toldReason = null;
      for (const warning of warnings) onNotice(warning);
      keep({ startedMs: runStartedMs, endedMs: clock.now(), asOfMs: runStartedMs, rows });
    } catch (error) {
      if (controller.signal.aborted) return;
      const failed = failureOf(error);
      failuresInARow++;
      const after = afterFailure(failed, failuresInARow, random());
      if (after.state === "failing" || after.state === "parked") failuresTotal++;
      failure = { ...failed, ...after };
      waitFromMs = clock.now();
      if (last) keep({ ...last, endedMs: clock.now() });
      tell(reasonOf(failure), after.state);
    }
  }

  function tell(reason: string, state: AfterFailure["state"]): void {
    if (state === "busy" || state === "waiting" || reason === toldReason) return;
    toldReason = reason;
    const goesOn =
      state === "parked"
        ? "Nothing is lost: rows wait, it is tried every 5 minutes, and goes on by itself."
        : "Nothing is lost: it is tried again.";
    onNotice(`The export to ${target} stands still: ${reason}\n  ${goesOn}`);
  }

  function status(): ExportStatus {
    const nowMs = clock.now();
    const asOfMs = last?.asOfMs ?? null;
    const lagMs = asOfMs === null ? null : Math.max(0, nowMs - asOfMs);
    // What was missed while nothing ran is no fault of now.
    const behindMs = Math.min(lagMs ?? Number.POSITIVE_INFINITY, Math.max(0, nowMs - startedMs));
    const isLagging = behindMs > 2 * periodMs(schedule) + LAG_GRACE_MS;
    return {
      target,
      state: stateOf(),
      isRunning: running !== null,
      lastRunMs: last?.startedMs ?? null,
      asOfMs,
      lagMs,
      rows: last?.rows ?? null,
      rowsTotal,
      runsTotal,
      failuresTotal,
      periodMs: periodMs(schedule),
      reason: failure && failure.state !== "waiting" ? reasonOf(failure) : null,
      nextRunMs: nextRunMs(),
    };

    function stateOf(): ExportStatus["state"] {
      if (failure?.state === "parked") return "parked";
      if (isLagging && failure?.state !== "waiting") return "lagging";
      if (failure?.state === "failing") return "failing";
      return asOfMs === null ? "waiting" : "ok";
    }
  }

  const stopTicking = clock.every(TICK_MS, tick);
  tick();

  return {
    status,
    async close() {
      stopTicking();
      if (!running) return;
      const stopWaiting = clock.after(CLOSE_GRACE_MS, () => controller.abort());
      await running;
      stopWaiting();
      controller.abort();
    },
  };
}

function reasonOf({ message, hint }: ExportFailure): string {
  const sentence = message.replace(/\.?$/, ".");
  return hint === null ? sentence : `${sentence} ${hint}`;
}
