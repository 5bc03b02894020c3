/** A clock for tests that moves only when it is told to, and then runs what is due. */
import type { Clock } from "./clock.ts";

export type TestClock = Clock & {
  /** Runs everything that falls due, in order, and lets promises settle in between. */
  advance(byMs: number): Promise<void>;
};

type Timer = { dueMs: number; readonly everyMs: number | null; readonly run: () => void };

export function createTestClock(startMs = 1_800_000_000_000): TestClock {
  let nowMs = startMs;
  const timers = new Set<Timer>();

  function add(timer: Timer): () => void {
    timers.add(timer);
    return () => timers.delete(timer);
  }

  return {
    now: () => nowMs,
    after: (delayMs, run) => add({ dueMs: nowMs + delayMs, everyMs: null, run }),
    every: (everyMs, run) => add({ dueMs: nowMs + everyMs, everyMs, run }),
    async advance(byMs) {
      const untilMs = nowMs + byMs;
      await settled();
      for (;;) {
        const [next] = [...timers].sort((a, b) => a.dueMs - b.dueMs);
        if (!next || next.dueMs > untilMs) break;
        nowMs = next.dueMs;
        if (next.everyMs === null) timers.delete(next);
        else next.dueMs += next.everyMs;
        next.run();
        await settled();
      }
      nowMs = untilMs;
    },
  };
}

/** A body is read over several turns of the event loop, not in one. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}
