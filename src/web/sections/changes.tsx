/** What changed lately, newest first: alerts, deployments, new kinds of errors, health, messages. */
import type { ChangeRow, Status } from "../api.ts";
import { Clock } from "../elements/moment.tsx";
import { SentenceText } from "../elements/rich-text.tsx";
import { StateShape } from "../elements/state.tsx";
import { agentHref, type Range } from "../route.ts";

type Props = { changes: readonly ChangeRow[]; nowMs: number; range: Range };

const STATUS_BY_WORD: Record<string, Status> = {
  firing: "critical",
  unhealthy: "critical",
  failed: "critical",
  pending: "warning",
  degraded: "warning",
  new: "warning",
  resolved: "healthy",
  healthy: "healthy",
  sent: "healthy",
};

export function ChangeList({ changes, nowMs, range }: Props) {
  return (
    <ol class="changes">
      {changes.map((change) => (
        <li key={`${change.timeMs} ${change.kind} ${change.endpoint} ${change.to} ${change.text}`}>
          <Clock timeMs={change.timeMs} nowMs={nowMs} />
          <span class="change-kind">
            {change.kind === "deployment" ? (
              <i class="deployment-mark" aria-hidden="true" />
            ) : (
              <StateShape status={STATUS_BY_WORD[change.to] ?? "unknown"} size={12} />
            )}
            {whatChanged(change)}
          </span>
          <span class="change-text">
            {change.endpoint && <a href={agentHref(change.endpoint, range)}>{change.endpoint}</a>}{" "}
            <SentenceText text={change.text} />
          </span>
        </li>
      ))}
    </ol>
  );
}

function whatChanged({ kind, to }: ChangeRow): string {
  switch (kind) {
    case "alert":
      return `alert ${to}`;
    case "error_group":
      return `${to} error`;
    case "notification":
      return `message ${to}`;
    case "health":
      return `check ${to}`;
    case "deployment":
      return "deployed";
  }
}
