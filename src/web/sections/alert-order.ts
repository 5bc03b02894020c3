/**
 * In which order alerts stand, and whether an alert's reason tells anything that the
 * view's sentence did not: both are made from the same facts, and one is enough.
 */
import type { AlertRow, Sentence } from "../api.ts";

const ORDER: readonly AlertRow["state"][] = ["firing", "pending", "resolved"];

/** Firing before pending before resolved; within one state the oldest first. */
export function sortAlerts(alerts: readonly AlertRow[]): AlertRow[] {
  return [...alerts].sort(
    (a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.sinceMs - b.sinceMs,
  );
}

/** Figures are left out of the comparison: they move between the two. */
export function isSaid(reason: string, sentence: Sentence): boolean {
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
