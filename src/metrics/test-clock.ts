/** For tests: a clock that stands still until it is told, and may be set back. */
import type { Clock } from "../clock.ts";

export type TestClock = Clock & { advance(byMs: number): void };

export function createTestClock(startMs = Date.UTC(2026, 0, 1)): TestClock {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    every: () => () => {},
    after: () => () => {},
    advance: (byMs) => {
      nowMs += byMs;
    },
  };
}
