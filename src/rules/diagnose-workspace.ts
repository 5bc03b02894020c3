/**
 * What is said of a workspace that can't be read, in the overview's sentence and in
 * the alert about it. What was last known of its endpoints may be long over, so this
 * comes before any good news of them. Pure.
 */
import { formatElapsedMs } from "./format-quantity.ts";
import { plainMessage } from "./plain-text.ts";
import type { Health, Rule } from "./rule.ts";
import { type DiagnoseOptions, formatSentence, joinSentences, type Sentence } from "./sentence.ts";
import type { Step } from "./step-alerts.ts";

/** The last look at the workspace, and the alert about it while there is one. */
export type WorkspaceCheck = Health & {
  /** Since when it is as it is. */
  readonly sinceMs: number;
  readonly breach: {
    readonly state: "pending" | "firing";
    readonly sinceMs: number;
    readonly holdMs: number;
  } | null;
};

/** `null` when there is nothing to say: it answers, and no alert is open. */
export function diagnoseWorkspace(
  { status, message, sinceMs, breach }: WorkspaceCheck,
  { formatTime, nowMs }: DiagnoseOptions,
): Sentence | null {
  const isUnread = status === "unhealthy";
  if (!isUnread && breach?.state !== "firing") return null;

  const since = `since ${formatTime(breach?.sinceMs ?? sinceMs)}`;
  const evidence = plainMessage(message);
  if (!isUnread) {
    const detail = joinSentences(evidence, `It could not be read ${since}.`);
    return { status: "warning", headline: "The workspace is being read again", detail };
  }
  const waits =
    breach?.state === "pending" && nowMs > breach.sinceMs
      ? `Not readable for ${formatElapsedMs(nowMs - breach.sinceMs)}; alerts after ${formatElapsedMs(breach.holdMs)}.`
      : "";
  return {
    status: breach?.state === "firing" ? "critical" : "warning",
    headline: "The workspace can't be read",
    detail: joinSentences(evidence, waits, `The state of its endpoints is not known ${since}.`),
  };
}

/** The reason of the alert: what Databricks answered, or, once it is over, how long it was. */
export function explainWorkspaceAlert(
  health: Health | null,
  { rule, step }: { readonly rule: Rule; readonly step: Step },
  options: DiagnoseOptions,
): string {
  const { from, to, breachSinceMs: sinceMs } = step;
  const { formatTime, nowMs } = options;
  if ((to === "pending" || to === "firing") && health !== null) {
    const breach = { state: to, sinceMs, holdMs: rule.holdSeconds * 1000 };
    const sentence = diagnoseWorkspace({ ...health, sinceMs, breach }, options);
    if (sentence !== null) return formatSentence(sentence);
  }
  if (from === "resolved") return "The workspace went on answering.";
  const lasted = `It could not be read for ${formatElapsedMs(nowMs - sinceMs)}, from ${formatTime(sinceMs)}.`;
  const detail = joinSentences(plainMessage(health?.message ?? ""), lasted);
  return formatSentence({ headline: "The workspace can be read again", detail });
}
