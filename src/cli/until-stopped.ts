/** How a long-running command ends: by itself after a while, or because somebody stops it. */
import type { Clock } from "../clock.ts";

/** Resolves after `forMs` with false, or on SIGINT or SIGTERM with whether a person asked. */
export function untilStopped(forMs: number | null, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = forMs === null ? () => {} : clock.after(forMs, () => resolve(false));
    const stop = (signal: NodeJS.Signals) => {
      cancel();
      process.once(signal, () => process.exit(130));
      resolve(signal === "SIGINT");
    };
    process.once("SIGINT", stop);
    process.once("SIGTERM", stop);
  });
}
