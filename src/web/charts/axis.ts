/**
 * Where an axis ends and which steps it takes. The upright axis begins at zero; a
 * limit belongs into the picture unless it would press the data flat.
 */
import { formatClock, formatDay } from "../format.ts";

/** A limit higher than this many times the data is told in words instead. */
const LIMIT_ABOVE_DATA_MAX = 3;
/** Air above the highest value, so that its line and label are not cut. */
const HEADROOM = 1.08;

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

export function isLimitShown(highest: number, limit: number | null): boolean {
  return limit !== null && (highest === 0 || limit <= highest * LIMIT_ABOVE_DATA_MAX);
}

export function axisTop(highest: number, limit: number | null): number {
  const top = isLimitShown(highest, limit) ? Math.max(highest, limit ?? 0) : highest;
  return top > 0 ? top * HEADROOM : 1;
}

/** Steps of 1, 2 and 5, so that two neighbours never round to the same label. */
export function axisSteps({ wholeSteps }: { wholeSteps: boolean }): number[] {
  const steps: number[] = [];
  for (let power = wholeSteps ? 0 : -6; power <= 12; power++) {
    // Parsed from text: 10 ** -5 * 2 is not quite 0.00002.
    for (const digit of [1, 2, 5]) steps.push(Number(`${digit}e${power}`));
  }
  return steps;
}

/** Whole minutes, hours and days; the shortest range has five minutes, the longest a month. */
export const TIME_STEPS_MS: number[] = [
  ...[1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720].map((minutes) => minutes * MINUTE_MS),
  ...[1, 2, 5, 10].map((days) => days * DAY_MS),
];

/** Steps of days begin at midnight. */
export function formatTick(timeMs: number, stepMs: number): string {
  return stepMs < DAY_MS ? formatClock(timeMs) : formatDay(timeMs);
}
