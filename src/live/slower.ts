/**
 * How many requests of a stretch of time took longer than a limit. A slice of time with
 * few requests – up to 32 in a second of the last half hour, or in a minute before that –
 * is counted exactly; of a slice with more, requests that are less than 1.6 % above the
 * limit may be missing. Never is one counted that is not above it.
 */
import type { Sliced } from "./sliced.ts";
import type { Tally } from "./tally.ts";

export function countSlower(
  slices: Sliced<Tally>,
  limitMs: number,
  {
    fromMs,
    toMs,
    nowMs,
  }: { readonly fromMs: number; readonly toMs: number; readonly nowMs: number },
): number {
  let slower = 0;
  for (const { latencyMs } of slices.between(fromMs, toMs, nowMs)) {
    slower += latencyMs.countAbove(limitMs);
  }
  return slower;
}
