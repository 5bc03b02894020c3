/** The system's time with timers that keep no program alive: who is being watched may end at any moment. */
import type { Clock } from "../../clock.ts";

export const backgroundClock: Clock = {
  now: () => Date.now(),
  every(intervalMs, run) {
    const timer = setInterval(run, intervalMs).unref();
    return () => clearInterval(timer);
  },
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs).unref();
    return () => clearTimeout(timer);
  },
};
