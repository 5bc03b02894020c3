/** Durations on the command line: `500ms`, `90s`, `5m`, `2h`. */
import { MonitorError } from "../monitor-error.ts";

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Longest duration that a timer can wait. */
const DURATION_MAX_MS = 2 ** 31 - 1;

/**
 * @param option where the duration was given, such as `--for`.
 * @throws MonitorError `USAGE_INVALID`.
 */
export function parseDurationMs(option: string, text: string): number {
  const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/.exec(text) ?? [];
  const durationMs = Number(amount) * (unitMs[unit ?? ""] ?? Number.NaN);
  if (durationMs > 0 && durationMs <= DURATION_MAX_MS) return durationMs;
  throw new MonitorError("USAGE_INVALID", `${option} "${text}" is not a duration`, {
    hint: "Give a number above 0 and its unit, such as 90s, 5m or 2h; 24 days are the longest.",
  });
}
