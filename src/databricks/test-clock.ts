/**
 * A clock for tests: time stands still until the test moves it, or jumps over the
 * waits that the test calls short, so that nothing sleeps.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../clock.ts";

export type TestClock = Clock & {
  /** Runs what is due within this time, in order, and lets each settle. */
  advance(durationMs: number): Promise<void>;
  /** The waits that were jumped over. */
  readonly skippedMs: readonly number[];
};

export function createTestClock({
  startMs = Date.UTC(2026, 0, 1),
  skipsUpToMs = -1,
}: {
  readonly startMs?: number;
  /** Waits up to this long take no time. */
  readonly skipsUpToMs?: number;
} = {}): TestClock {
  let nowMs = startMs;
  let timers: { readonly atMs: number; readonly run: () => void }[] = [];
  const skippedMs: number[] = [];

  function after(delayMs: number, run: () => void): () => void {
    if (delayMs <= skipsUpToMs) {
      skippedMs.push(delayMs);
      nowMs += delayMs;
      const immediate = setImmediate(run);
      return () => clearImmediate(immediate);
    }
    const timer = { atMs: nowMs + delayMs, run };
    timers.push(timer);
    return () => {
      timers = timers.filter((other) => other !== timer);
    };
  }

  return {
    now: () => nowMs,
    after,
    every(intervalMs, run) {
      let cancel = () => {};
      const again = () => {
        cancel = after(intervalMs, () => {
          again();
          run();
        });
      };
      again();
      return () => cancel();
    },
    async advance(durationMs) {
      const endMs = nowMs + durationMs;
      await settle();
      for (;;) {
        const [next] = timers.toSorted((a, b) => a.atMs - b.atMs);
        if (!next || next.atMs > endMs) break;
        timers = timers.filter((timer) => timer !== next);
        nowMs = next.atMs;
        next.run();
        await settle();
      }
      nowMs = endMs;
    },
    skippedMs,
  };
}

/** Lets promises and streams that are under way without a timer come to their end. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await nextTurn();
}
