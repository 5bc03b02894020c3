/**
 * When alerts were firing, read from what changed: the charts mark it, so that one sees
 * what the figures did before, meanwhile and after. Alerts that overlap are one span.
 */
import type { ChangeRow } from "../api.ts";

/** Open at its end while an alert is still firing. */
export type FiringSpan = { readonly fromMs: number; readonly toMs: number | null };

export function firingSpans(changes: readonly ChangeRow[]): FiringSpan[] {
  const spans: FiringSpan[] = [];
  let firing = 0;
  const alerts = changes.filter((change) => change.kind === "alert");
  for (const { to, timeMs } of alerts.sort((a, b) => a.timeMs - b.timeMs)) {
    if (to === "firing") {
      if (firing === 0) spans.push({ fromMs: timeMs, toMs: null });
      firing += 1;
    }
    // What began before the oldest change that is kept has no beginning to draw.
    if (to === "resolved" && firing > 0) {
      firing -= 1;
      const open = spans.at(-1);
      if (firing === 0 && open) spans[spans.length - 1] = { ...open, toMs: timeMs };
    }
  }
  return spans;
}
