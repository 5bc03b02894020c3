/** Runs what has a schedule of Quartz, each time that it is due by the workspace's clock. */
import type { Clock } from "../clock.ts";
import { nextDueMs, parseQuartz } from "./quartz.ts";

export type QuartzTimers = {
  /** In place of the schedule that the id had. @throws Error that says what is wrong with it. */
  plan(id: string, schedule: QuartzSchedule, run: () => void): void;
  forget(id: string): void;
};

export type QuartzSchedule = { readonly expression: string; readonly timeZone: string };

/** Timers can't wait longer than 24 days; after a day the next moment is worked out again. */
const WAIT_MAX_MS = 24 * 60 * 60 * 1000;

export function createQuartzTimers(clock: Clock): QuartzTimers {
  const cancels = new Map<string, () => void>();

  function forget(id: string): void {
    cancels.get(id)?.();
    cancels.delete(id);
  }

  return {
    forget,
    plan(id, { expression, timeZone }, run) {
      forget(id);
      const cron = parseQuartz(expression, timeZone);
      const waitFrom = (afterMs: number) => {
        const dueMs = nextDueMs(cron, afterMs);
        if (dueMs === null) return;
        const delayMs = dueMs - clock.now();
        const isNear = delayMs <= WAIT_MAX_MS;
        cancels.set(
          id,
          clock.after(Math.max(0, Math.min(delayMs, WAIT_MAX_MS)), () => {
            if (isNear) run();
            // Unless it planned something else, or nothing any more.
            if (cancels.has(id)) waitFrom(isNear ? dueMs : clock.now());
          }),
        );
      };
      waitFrom(clock.now());
    },
  };
}
