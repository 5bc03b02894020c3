/** What changed lately, newest first: alerts, deployments, new kinds of errors, health, messages. */
import type { ChangeRow, Status } from "../api.ts";
import { ClockSeconds } from "../elements/moment.tsx";
import { SentenceText } from "../elements/rich-text.tsx";
import { StateShape } from "../elements/state.tsx";
import { agentHref, type Range } from "../route.ts";
import { changeKind, changeText, foldChanges } from "./change-words.ts";

type Props = { changes: readonly ChangeRow[]; nowMs: number; range: Range; showAgent?: true };

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

export function ChangeList({ changes, nowMs, range, showAgent }: Props) {
  return (
    <ol class="changes">
      {foldChanges(changes).map((change) => (
        <li
          key={`${change.timeMs} ${change.kind} ${change.endpoint} ${change.to} ${change.text}`}
          data-testid="change"
          data-kind={change.kind}
        >
          <ClockSeconds timeMs={change.timeMs} nowMs={nowMs} />
          <span class="change-kind">
            {change.kind === "deployment" ? (
              <i class="deployment-mark" aria-hidden="true" />
            ) : (
              <StateShape status={STATUS_BY_WORD[change.to] ?? "unknown"} size={12} />
            )}
            {changeKind(change)}
          </span>
          <span class="change-text">
            {showAgent && change.endpoint && (
              <a href={agentHref(change.endpoint, range)}>{change.endpoint}</a>
            )}{" "}
            <SentenceText text={changeText(change, { isAgentNamed: showAgent === true })} />
            {change.times > 1 && <span class="quiet"> {change.times}×</span>}
          </span>
        </li>
      ))}
    </ol>
  );
}
