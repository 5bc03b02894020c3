/**
 * Alerts that fire or are about to, with what was measured against which limit, since
 * when. While none does, its place says so, so that nothing moves when one comes.
 */
import type { AlertRow, Sentence, Status } from "../api.ts";
import { Fold } from "../elements/fold.tsx";
import { SentenceText } from "../elements/rich-text.tsx";
import { State } from "../elements/state.tsx";
import { formatAgo, formatMeasure, formatMomentSeconds, formatSpan } from "../format.ts";
import { agentHref, type Range } from "../route.ts";
import { alertsToShow, isSaid } from "./alert-order.ts";
import { withoutAgent } from "./change-words.ts";
import { ruleNames } from "./rule-words.ts";

type Props = {
  alerts: readonly AlertRow[] | null;
  sentence: Sentence | null;
  nowMs: number;
  range: Range;
  showAgent?: true;
};

const STATUS: Record<AlertRow["state"], Status> = {
  firing: "critical",
  pending: "warning",
  resolved: "healthy",
};

export function Alerts({ alerts, sentence, nowMs, range, showAgent }: Props) {
  const shown = alertsToShow(alerts ?? []);
  return (
    <section class="alerts" aria-label="Alerts" id="alerts" tabIndex={-1}>
      {shown.length === 0 && (
        <p class="alert alert-none">{alerts ? "No alert has fired so far." : ""}</p>
      )}
      <Fold rows={shown.length} everywhere>
        <ul>
          {shown.map((alert) => (
            <li
              key={`${alert.ruleId} ${alert.endpoint} ${alert.sinceMs}`}
              class="alert"
              data-testid="alert"
              data-state={alert.state}
              data-rule={alert.ruleId}
            >
              <State status={STATUS[alert.state]} word={alert.state} />
              <span class="alert-what">
                {showAgent && alert.endpoint !== null && (
                  <a href={agentHref(alert.endpoint, range)}>{alert.endpoint}</a>
                )}{" "}
                <span class="alert-rule">
                  {alert.kind === null ? alert.ruleId : ruleNames[alert.kind]}
                </span>
              </span>
              <span class="alert-measure">{measureOf(alert)}</span>
              <span class="alert-since">{sinceWords(alert, nowMs)}</span>
              {sentence && (alert.state === "resolved" || !isSaid(alert, sentence)) && (
                <span class="alert-reason" title={alert.reason}>
                  <SentenceText
                    text={
                      showAgent && alert.endpoint !== null
                        ? withoutAgent(alert.reason, alert.endpoint)
                        : alert.reason
                    }
                  />
                </span>
              )}
            </li>
          ))}
        </ul>
      </Fold>
    </section>
  );
}

function sinceWords({ state, sinceMs }: AlertRow, nowMs: number) {
  const moment = formatMomentSeconds(sinceMs, nowMs);
  if (state === "resolved") {
    return (
      <>
        at {moment} <span class="quiet">({formatAgo(sinceMs, nowMs)})</span>
      </>
    );
  }
  return (
    <>
      since {moment} <span class="quiet">({formatSpan(nowMs - sinceMs)})</span>
    </>
  );
}

function measureOf({ state, value, threshold, unit }: AlertRow): string {
  const limit = formatMeasure(threshold, unit);
  // Once it is over, its reason says what is measured now.
  if (limit === null || state === "resolved") return "";
  const measured = value === null ? "–" : formatMeasure(value, unit);
  return `${measured}, limit ${limit}`;
}
