/** The stretch of time that a view shows, and the steps of its charts. */
import { alignmentMs } from "../../live/counted.ts";
import { keptStart } from "../../summaries/periods.ts";

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
  "7d": { seconds: 604_800, stepSeconds: 7_200 },
  "30d": { seconds: 2_592_000, stepSeconds: 28_800 },
};

/** Steps of the small charts in a list of very many agents, in seconds: of the ranges that summaries tell. */
const listStepSeconds: Readonly<Record<string, number>> = {
  "24h": 3_600,
  "7d": 21_600,
  "30d": 86_400,
};

/** Whether the summaries of the history tell it, where there are any: the live figures go back a day. */
export function isLong(name: string): boolean {
  return Object.hasOwn(listStepSeconds, name);
}

/** As `rangeOf`, of summaries. The step that is still filling is shown: hours of it may be the newest there is. */
export function summarisedRangeOf(
  name: string,
  nowMs: number,
  shownIn: "list" | "detail",
): Range | null {
  const range = isLong(name) ? ranges[name] : undefined;
  if (!range) return null;
  const { seconds } = range;
  const stepMs = 1000 * (shownIn === "list" ? (listStepSeconds[name] ?? 0) : range.stepSeconds);
  const lengthMs = seconds * 1000;
  return {
    seconds,
    fromMs: keptStart(nowMs - lengthMs, nowMs),
    toMs: nowMs,
    nowMs,
    chartFromMs: Math.ceil(nowMs / stepMs) * stepMs - lengthMs,
    stepMs,
    steps: lengthMs / stepMs,
  };
}

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
