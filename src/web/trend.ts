/**
 * How a figure compares with the same length of time before. Small moves are no
 * news: within three percent it is the same. Twice and more reads as a factor.
 */
import { formatPercent } from "./format.ts";

export type Trend =
  | { readonly kind: "unknown" }
  | { readonly kind: "same" }
  | { readonly kind: "up" | "down"; readonly text: string; readonly words: string };

const SAME_WITHIN = 0.03;
const SAME_WITHIN_POINTS = 0.1;

/** For amounts: `12 %` more, `4.2×` as much. */
export function relativeTrend(now: number | null, before: number | null): Trend {
  if (now === null || before === null || (before === 0 && now > 0)) return { kind: "unknown" };
  if (now === before) return { kind: "same" };
  const ratio = now / before;
  if (Math.abs(ratio - 1) < SAME_WITHIN) return { kind: "same" };
  if (ratio >= 2) {
    const factor = ratio < 9.95 ? ratio.toFixed(1) : String(Math.round(ratio));
    return { kind: "up", text: `${factor}×`, words: `${factor} times as much as before` };
  }
  const text = formatPercent(Math.abs(ratio - 1) * 100);
  return ratio > 1
    ? { kind: "up", text, words: `${text} more than before` }
    : { kind: "down", text, words: `${text} less than before` };
}

/** For shares: the difference in percentage points. */
export function pointsTrend(nowPercent: number | null, beforePercent: number | null): Trend {
  if (nowPercent === null || beforePercent === null) return { kind: "unknown" };
  const points = nowPercent - beforePercent;
  const size = Math.abs(points);
  if (size < SAME_WITHIN_POINTS) return { kind: "same" };
  const text = `${size < 9.95 ? size.toFixed(1) : Math.round(size)}\u00a0points`;
  return points > 0
    ? { kind: "up", text, words: `${text} higher than before` }
    : { kind: "down", text, words: `${text} lower than before` };
}
