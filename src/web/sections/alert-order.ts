/**
 * Which alerts are shown, in which order, and whether an alert's reason tells anything
 * that the view's sentence did not: both are made from the same facts, and one is enough.
 */
import type { AlertRow, Sentence } from "../api.ts";

const ORDER: readonly AlertRow["state"][] = ["firing", "pending", "resolved"];

/** Firing before pending before resolved; within one state the oldest first. */
export function sortAlerts(alerts: readonly AlertRow[]): AlertRow[] {
  return [...alerts].sort(
    (a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.sinceMs - b.sinceMs,
  );
}

/**
 * What is firing or about to. When nothing is, the one that was over last: who was
 * woken up by it wants to see that it ended, and the place is never empty.
 */
export function alertsToShow(alerts: readonly AlertRow[]): AlertRow[] {
  const open = alerts.filter((alert) => alert.state !== "resolved");
  if (open.length > 0) return sortAlerts(open);
  return [...alerts].sort((a, b) => b.sinceMs - a.sinceMs).slice(0, 1);
}

/**
 * Whether the view's sentence tells an alert's reason: word for word, or because it is
 * about the same agent. Figures are left out of the comparison: they move between the two.
 */
export function isSaid({ endpoint, reason }: AlertRow, sentence: Sentence): boolean {
  if (endpoint !== null && sentence.headline.startsWith(`${endpoint} `)) return true;
  const said = withoutFigures(`${sentence.headline} ${sentence.detail}`);
  const parts = reason.split(/(?<=[.:;])\s+/).map(withoutFigures);
  return parts.every((part) => said.includes(part));
}

function withoutFigures(text: string): string {
  return text
    .toLowerCase()
    .replace(/\d+([.,:]\d+)*/g, "#")
    .replace(/[\s`*.:;]+/g, " ")
    .trim();
}
