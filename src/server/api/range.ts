/** The stretch of time that a view shows, and the steps of its charts. */
import { alignmentMs } from "../../live/counted.ts";

export type Range = {
  readonly seconds: number;
  /** Aligned so that requests and module calls of the range are the same ones. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly nowMs: number;
  /** Aligned to whole steps, so that a chart's past does not change while it moves on. */
  readonly chartFromMs: number;
  readonly stepMs: number;
  readonly steps: number;
};

/**
 * Charts end this long ago, in milliseconds: a trace is counted a little after it
 * ended, and a step that is still filling would look like a drop.
 */
export const SETTLE_MS = 3_000;

/** Length and step of each range, in seconds. Steps are whole slices of what is kept. */
export const ranges: Readonly<
  Record<string, { readonly seconds: number; readonly stepSeconds: number }>
> = {
  "5m": { seconds: 300, stepSeconds: 5 },
  "15m": { seconds: 900, stepSeconds: 15 },
  "1h": { seconds: 3_600, stepSeconds: 60 },
  "6h": { seconds: 21_600, stepSeconds: 300 },
  "24h": { seconds: 86_400, stepSeconds: 1_200 },
};

/** `null` when there is no range of that name. */
export function rangeOf(name: string, nowMs: number): Range | null {
  const range = Object.hasOwn(ranges, name) ? ranges[name] : undefined;
  if (!range) return null;
  const { seconds, stepSeconds } = range;
  const stepMs = stepSeconds * 1000;
  const startMs = nowMs - seconds * 1000;
  const unitMs = alignmentMs(startMs - stepMs, nowMs);
  const chartToMs = Math.floor((nowMs - SETTLE_MS) / stepMs) * stepMs;
  return {
    seconds,
    fromMs: Math.floor(startMs / unitMs) * unitMs,
    // Clocks differ a little: what ended a moment ahead of us belongs to now.
    toMs: nowMs + 1_000,
    nowMs,
    chartFromMs: chartToMs - seconds * 1000,
    stepMs,
    steps: seconds / stepSeconds,
  };
}
