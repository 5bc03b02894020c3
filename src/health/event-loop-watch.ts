/**
 * Sees when the event loop stands still while checks run, and who blocked it as far
 * as that can be told. A check's own code up to its first `await` is timed exactly;
 * a later standstill is known by a tick that comes late, and then only which checks
 * were running is known: the service around them may have blocked it as well.
 */

/** Between two ticks, while any check runs. */
const TICK_MS = 20;
/** A standstill shorter than this, in milliseconds, is none: garbage collection takes as long. */
export const STANDSTILL_MIN_MS = 100;
/** The newest standstills that are remembered. */
const STANDSTILLS_MAX = 100;

type Standstill = {
  readonly fromMs: number;
  readonly untilMs: number;
  /** The check whose code it was; `null` when that is not known. */
  readonly by: string | null;
};

export type EventLoopWatch = {
  /** Watches until the returned function is called. May be called for many at a time. */
  watch(): () => void;
  /** Calls `run` and returns for how long it kept the loop, when that is a standstill, else 0. */
  time(by: string, run: () => void): number;
  /**
   * For how long the loop stood still since then, in milliseconds of `performance.now()`,
   * without what `notBy` did.
   */
  stoodStillMs(sinceMs: number, options?: { readonly notBy?: string }): number;
  /** The same, counting only standstills that are nobody's. */
  unexplainedMs(sinceMs: number): number;
};

export function createEventLoopWatch(): EventLoopWatch {
  let watchers = 0;
  let timer: NodeJS.Timeout | null = null;
  let lastSeenMs = 0;
  let standstills: Standstill[] = [];

  function note(standstill: Standstill): void {
    if (standstill.untilMs - standstill.fromMs < STANDSTILL_MIN_MS) return;
    standstills = [...standstills.slice(1 - STANDSTILLS_MAX), standstill];
  }

  /** Also called between ticks, since after a standstill others may come before the tick. */
  function look(): void {
    const nowMs = performance.now();
    if (watchers > 0) note({ fromMs: lastSeenMs + TICK_MS, untilMs: nowMs, by: null });
    lastSeenMs = nowMs;
  }

  function sumSince(sinceMs: number, counts: (standstill: Standstill) => boolean): number {
    look();
    return standstills
      .filter(counts)
      .reduce(
        (sum, { fromMs, untilMs }) => sum + Math.max(0, untilMs - Math.max(fromMs, sinceMs)),
        0,
      );
  }

  return {
    watch() {
      watchers += 1;
      if (watchers === 1) {
        standstills = [];
        lastSeenMs = performance.now();
        timer = setInterval(look, TICK_MS);
        timer.unref();
      }
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        watchers -= 1;
        if (watchers > 0 || timer === null) return;
        clearInterval(timer);
        timer = null;
      };
    },
    time(by, run) {
      look();
      const fromMs = performance.now();
      run();
      const untilMs = performance.now();
      note({ fromMs, untilMs, by });
      lastSeenMs = untilMs;
      return untilMs - fromMs < STANDSTILL_MIN_MS ? 0 : untilMs - fromMs;
    },
    stoodStillMs: (sinceMs, { notBy } = {}) =>
      sumSince(sinceMs, ({ by }) => notBy === undefined || by !== notBy),
    unexplainedMs: (sinceMs) => sumSince(sinceMs, ({ by }) => by === null),
  };
}
