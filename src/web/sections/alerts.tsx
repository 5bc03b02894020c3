/** Alerts that fire or are about to, with what was measured against which limit, since when. */
import type { AlertRow, Sentence, Status } from "../api.ts";
import { SentenceText } from "../elements/rich-text.tsx";
import { State } from "../elements/state.tsx";
import { formatMeasure, formatMoment, formatSpan } from "../format.ts";
import { agentHref, type Range } from "../route.ts";
import { isSaid, sortAlerts } from "./alert-order.ts";

type Props = {
  alerts: readonly AlertRow[];
  sentence: Sentence;
  nowMs: number;
  range: Range;
  showAgent?: true;
};

const STATUS: Record<AlertRow["state"], Status> = {
  firing: "critical",
  pending: "warning",
  resolved: "healthy",
};

export function AlertList({ alerts, sentence, nowMs, range, showAgent }: Props) {
  return (
    <ul class="alerts" aria-label="Alerts">
      {sortAlerts(alerts).map((alert) => (
        <li
          key={`${alert.ruleId} ${alert.endpoint} ${alert.sinceMs}`}
          class="alert"
          data-testid="alert"
          data-state={alert.state}
          data-rule={alert.ruleId}
        >
          <State status={STATUS[alert.state]} word={alert.state} />
          <span class="alert-what">
            {showAgent && <a href={agentHref(alert.endpoint, range)}>{alert.endpoint}</a>}{" "}
            <span class="alert-rule">{ruleName(alert.ruleId)}</span>
          </span>
          <span class="alert-measure">{measureOf(alert)}</span>
          <span class="alert-since">
            since {formatMoment(alert.sinceMs, nowMs)}{" "}
            <span class="quiet">({formatSpan(nowMs - alert.sinceMs)})</span>
          </span>
          {!isSaid(alert.reason, sentence) && (
            <span class="alert-reason">
              <SentenceText text={alert.reason} />
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}

/** The built-in rules in words; a rule of one's own by its id. */
const RULE_NAMES: Readonly<Record<string, string>> = {
  latency_p99: "p99 latency",
  error_rate: "error rate",
  endpoint_not_ready: "readiness",
};

function ruleName(ruleId: string): string {
  return RULE_NAMES[ruleId] ?? ruleId;
}

function measureOf({ value, threshold, unit }: AlertRow): string {
  const limit = formatMeasure(threshold, unit);
  if (limit === null) return "";
  const measured = value === null ? "–" : formatMeasure(value, unit);
  return `${measured}, limit ${limit}`;
}
