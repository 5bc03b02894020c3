/** What is said of an export that stands still, in the alert about it. Pure. */
import { formatElapsedMs } from "./format-quantity.ts";
import { plainMessage } from "./plain-text.ts";
import type { Health } from "./rule.ts";
import { type DiagnoseOptions, formatSentence, joinSentences } from "./sentence.ts";
import type { Step } from "./step-alerts.ts";

/** The reason of the alert: why, and what to do about it, or, once it is over, how long it was. */
export function explainExportAlert(
  health: Health | null,
  { from, to, breachSinceMs: sinceMs }: Step,
  { formatTime, nowMs }: DiagnoseOptions,
): string {
  const evidence = plainMessage(health?.message ?? "");
  if (to === "pending" || to === "firing") {
    return formatSentence({
      headline: "The history is not exported",
      detail: joinSentences(
        evidence,
        `So it has been since ${formatTime(sinceMs)}. Nothing is lost: the rows wait.`,
      ),
    });
  }
  if (from === "resolved") return "The history went on being exported.";
  return formatSentence({
    headline: "The history is exported again",
    detail: joinSentences(
      evidence,
      `It stood still for ${formatElapsedMs(nowMs - sinceMs)}, from ${formatTime(sinceMs)}.`,
    ),
  });
}
