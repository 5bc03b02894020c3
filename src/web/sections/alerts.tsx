/** Alerts that fire or are about to, with what was measured against which limit, since when. */
import type { AlertRow, Status } from "../api.ts";
import { TextWithCode } from "../elements/rich-text.tsx";
import { State } from "../elements/state.tsx";
import { formatMeasure, formatMoment, formatSpan } from "../format.ts";
import { agentHref, type Range } from "../route.ts";

type Props = { alerts: readonly AlertRow[]; nowMs: number; range: Range };

const STATUS: Record<AlertRow["state"], Status> = {
  firing: "critical",
  pending: "warning",
  resolved: "healthy",
};

/** Firing before pending before resolved; within one state, the oldest first. */
export function sortAlerts(alerts: readonly AlertRow[]): AlertRow[] {
  const order = ["firing", "pending", "resolved"];
  return [...alerts].sort(
    (a, b) => order.indexOf(a.state) - order.indexOf(b.state) || a.sinceMs - b.sinceMs,
  );
}

export function AlertList({ alerts, nowMs, range }: Props) {
  return (
    <ul class="alerts" aria-label="Alerts">
      {sortAlerts(alerts).map((alert) => (
        <li
          key={`${alert.ruleId} ${alert.endpoint}`}
          class="alert"
          data-testid="alert"
          data-state={alert.state}
          data-rule={alert.ruleId}
        >
          <State status={STATUS[alert.state]} word={alert.state} />
          <span class="alert-what">
            <a href={agentHref(alert.endpoint, range)}>{alert.endpoint}</a>{" "}
            <span class="alert-rule">{alert.ruleId}</span>
          </span>
          <span class="alert-measure">{measureOf(alert)}</span>
          <span class="alert-since">
            since {formatMoment(alert.sinceMs, nowMs)}{" "}
            <span class="quiet">({formatSpan(nowMs - alert.sinceMs)})</span>
          </span>
          <span class="alert-reason">
            <TextWithCode text={alert.reason} />
          </span>
        </li>
      ))}
    </ul>
  );
}

function measureOf({ value, threshold, unit }: AlertRow): string {
  const limit = formatMeasure(threshold, unit);
  if (limit === null) return "";
  const measured = value === null ? "–" : formatMeasure(value, unit);
  return `${measured}, limit ${limit}`;
}
