/**
 * The time that samples and windows go by: it runs as fast as the clock, but never back.
 * A wall clock that is set – by NTP, by an operator – must not empty a window or keep
 * old samples in it.
 */
import { type Clock, systemClock } from "../clock.ts";

/** Milliseconds from a start that means nothing, the same for all threads of the process. */
export function steadyTime(clock: Clock): () => number {
  if (clock === systemClock) return () => Number(process.hrtime.bigint()) / 1e6;
  let lastMs = clock.now();
  let setBackMs = 0;
  return () => {
    const nowMs = clock.now();
    if (nowMs < lastMs) setBackMs += lastMs - nowMs;
    lastMs = nowMs;
    return nowMs + setBackMs;
  };
}
