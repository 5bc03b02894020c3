/** What happened lately, counted by severity, by type and by cause. */
import type { ErrorGroup } from "./error-group.ts";
import type { ErrorHistory } from "./error-history.ts";
import { ErrorSeverity, severities } from "./error-severity.ts";
import { groupOf, type LiveGroup } from "./group-table.ts";

export type SummaryGroup = ErrorGroup & {
  /** Errors of the group within the window. */
  readonly countInWindow: number;
};

export type ErrorSummary = {
  readonly timeWindowMinutes: number;
  readonly totalErrors: number;
  /** Groups that had an error within the window. */
  readonly uniqueErrors: number;
  readonly bySeverity: Readonly<Record<ErrorSeverity, number>>;
  readonly byType: Readonly<Record<string, number>>;
  /** The most frequent first, at most 100. */
  readonly groups: readonly SummaryGroup[];
  /** Whether all errors of the window are still kept. Otherwise the counts are of those that are. */
  readonly exact: boolean;
};

const GROUPS_MAX = 100;

export function summarize(
  history: ErrorHistory,
  { elapsedMs, minutes }: { readonly elapsedMs: number; readonly minutes: number },
): ErrorSummary {
  const bySeverity = { info: 0, warning: 0, error: 0, critical: 0 };
  const byType = new Map<string, number>();
  const byGroup = new Map<string, { readonly group: LiveGroup; count: number }>();
  let totalErrors = 0;
  for (const sequence of history.since(elapsedMs - minutes * 60_000)) {
    const group = history.group(sequence);
    if (group === null) continue;
    totalErrors++;
    bySeverity[severities[history.severity(sequence)] ?? ErrorSeverity.ERROR]++;
    byType.set(group.type, (byType.get(group.type) ?? 0) + 1);
    // A group that made room and came back is there twice: the newest tells its story.
    const counted = byGroup.get(group.id);
    if (counted) counted.count++;
    else byGroup.set(group.id, { group, count: 1 });
  }
  const groups = [...byGroup.values()]
    .sort((one, other) => other.count - one.count)
    .slice(0, GROUPS_MAX)
    .map(({ group, count }) => ({ ...groupOf(group, elapsedMs), countInWindow: count }));
  return {
    timeWindowMinutes: minutes,
    totalErrors,
    uniqueErrors: byGroup.size,
    bySeverity,
    byType: Object.fromEntries(byType),
    groups,
    exact: history.oldest === 1 || totalErrors < history.size,
  };
}
