/** What changed lately, newest first: alerts, deployments, new kinds of errors, health, messages. */
import type { ChangeRow, Status } from "../api.ts";
import { Clock } from "../elements/moment.tsx";
import { TextWithCode } from "../elements/rich-text.tsx";
import { StateShape } from "../elements/state.tsx";
import { agentHref, type Range } from "../route.ts";

type Props = { changes: readonly ChangeRow[]; nowMs: number; range: Range };

const KIND_WORDS: Record<ChangeRow["kind"], string> = {
  alert: "alert",
  error_group: "error",
  notification: "message",
  health: "health",
  deployment: "deployment",
};

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
            <StateShape status={STATUS_BY_WORD[change.to] ?? "unknown"} size={12} />
            {KIND_WORDS[change.kind]} {change.to}
          </span>
          <span class="change-text">
            {change.endpoint && <a href={agentHref(change.endpoint, range)}>{change.endpoint}</a>}{" "}
            <TextWithCode text={change.text} />
          </span>
        </li>
      ))}
    </ol>
  );
}
