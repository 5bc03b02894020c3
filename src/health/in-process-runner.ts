/** Runs a check that is a function of this process. */
import type { Check } from "./check.ts";
import { readResult, readThrown } from "./read-result.ts";
import type { Runner } from "./runner.ts";

export function createInProcessRunner(name: string, check: Check): Runner {
  return {
    isInProcess: true,
    start: (signal) =>
      // Inside a promise, a check that throws at once is one that rejects.
      new Promise<unknown>((resolve) => resolve(check({ signal, name }))).then(
        readResult,
        readThrown,
      ),
    giveUp: () => false,
    close: async () => {},
  };
}
