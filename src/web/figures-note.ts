/** Says how far back the figures of a long range go, and how new they are. */
import type { FiguresFrom } from "./api.ts";
import { formatDated, formatMoment } from "./format.ts";

const DAY_MS = 86_400_000;

/** `null` where the range is known whole, up to now. */
export function figuresNote({
  figures: { from, asOfMs, sinceMs },
  rangeSeconds,
  asOfMs: nowMs,
}: {
  readonly figures: FiguresFrom;
  readonly rangeSeconds: number;
  readonly asOfMs: number;
}): string | null {
  const isLong = rangeSeconds * 1000 > DAY_MS;
  if (from === "live") {
    return isLong ? "Further back than the last 24 hours nothing is known." : null;
  }
  const isWhole = sinceMs <= nowMs - rangeSeconds * 1000;
  const since = isWhole ? "" : ` They go back to ${formatDated(sinceMs)}.`;
  const asOf = formatMoment(asOfMs, nowMs);
  return `Figures of this range are as of ${asOf}; the last step of each chart is still filling.${since}`;
}
