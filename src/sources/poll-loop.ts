/**
 * Runs one poll again and again, never two at once. A poll that fails is repeated
 * after a growing wait, no sooner than Databricks asks; a poll that takes longer
 * than its interval is followed by the next at once, not by those missed.
 */
import type { Clock } from "../clock.ts";
import { DatabricksError } from "../databricks/databricks-error.ts";

export type PollLoop = {
  /** Stops a running poll by its signal and resolves when it has ended. */
  close(): Promise<void>;
};

/** Longest wait after failures, unless the interval is longer still. */
const BACKOFF_MAX_MS = 60_000;
/** Between the end of one poll and the start of the next, however long it took. */
const PAUSE_MIN_MS = 1000;

/** `onFailure` gets what `poll` threw and how often in a row it has failed. */
export function startPollLoop({
  clock,
  intervalMs,
  poll,
  onFailure,
}: {
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly poll: (signal: AbortSignal) => Promise<void>;
  readonly onFailure: (error: unknown, failures: number) => void;
}): PollLoop {
  const controller = new AbortController();
  let failures = 0;
  let cancelNext = () => {};
  let running = run();

  async function run(): Promise<void> {
    const startedMs = clock.now();
    let waitMs = intervalMs;
    try {
      await poll(controller.signal);
      failures = 0;
      // A clock that was set back would make the time that passed negative.
      const passedMs = Math.max(0, clock.now() - startedMs);
      waitMs = Math.max(PAUSE_MIN_MS, intervalMs - passedMs);
    } catch (error) {
      if (controller.signal.aborted) return;
      failures++;
      waitMs = Math.max(backoffMs(failures, intervalMs), askedToWaitMs(error));
      onFailure(error, failures);
    }
    if (controller.signal.aborted) return;
    cancelNext = clock.after(waitMs, () => {
      running = run();
    });
  }

  return {
    async close() {
      controller.abort();
      cancelNext();
      await running;
    },
  };
}

/** The interval after the first failure, then twice as long each time. */
export function backoffMs(failures: number, intervalMs: number): number {
  const longestMs = Math.max(BACKOFF_MAX_MS, intervalMs);
  return Math.min(intervalMs * 2 ** Math.max(0, failures - 1), longestMs);
}

function askedToWaitMs(error: unknown): number {
  return error instanceof DatabricksError ? (error.call.retryAfterMs ?? 0) : 0;
}
