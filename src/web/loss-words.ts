/** Says when traces are not whole: what is counted then is what did come. */
import type { AgentRow } from "./api.ts";
import { formatCount, formatPercent } from "./format.ts";

/** `null` when nothing is known to be missing. */
export function lossWords({
  orphanSpanRatio,
  incompleteRequests,
}: Pick<AgentRow, "orphanSpanRatio" | "incompleteRequests">): string | null {
  const lacks: string[] = [];
  if (incompleteRequests > 0) {
    const requests = incompleteRequests === 1 ? "request lacks" : "requests lack";
    lacks.push(`${formatCount(incompleteRequests)} ${requests} the beginning`);
  }
  if (orphanSpanRatio !== null && orphanSpanRatio > 0) {
    lacks.push(`${formatPercent(orphanSpanRatio * 100)} of the spans lack the span they belong to`);
  }
  if (lacks.length === 0) return null;
  return `${lacks.join(", and ")}: sampled, still on the way, or lost. The figures are of what came.`;
}
