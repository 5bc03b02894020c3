/** The four numbers of an agent, each with its trend against the same length of time before. */
import type { ComponentChildren } from "preact";
import type { AgentView, RuleKind } from "../api.ts";
import { CostFigure, Figure } from "../elements/figure.tsx";
import { State } from "../elements/state.tsx";
import { formatCost, formatCount, formatDuration, formatPercent, formatRate } from "../format.ts";
import { requestsText, requestsTitle } from "../requests-words.ts";
import { type Range, rangeWords } from "../route.ts";
import { pointsTrend, relativeTrend, type Trend } from "../trend.ts";

export function Numbers({ view, range }: { view: AgentView | null; range: Range }) {
  const agent = view?.agent;
  const before = view?.before ?? null;
  const p95Ms = agent?.latencyMs?.p95 ?? null;
  const errorLimit = view?.thresholds.errorRatePercent ?? null;
  const errorRate = agent?.errorRatePercent ?? null;
  /** Above the limit alone is no alarm: a rule also asks for a minimum of requests. */
  const alertOn = (kind: RuleKind) => {
    const alert = view?.alerts.find((candidate) => candidate.kind === kind);
    return alert?.state === "resolved" ? undefined : alert?.state;
  };

  return (
    <dl class="numbers" aria-label={`The last ${rangeWords(range)}`}>
      <Tile
        label="Requests"
        beside={agent && formatRate(agent.requestsPerSecond)}
        trend={relativeTrend(agent?.requests ?? null, before?.requests ?? null)}
        was={before && formatCount(before.requests)}
      >
        {agent && (
          <data data-testid="requests" value={agent.requests} title={requestsTitle(agent)}>
            {requestsText(agent)}
          </data>
        )}
      </Tile>
      <Tile
        label="Latency p95"
        beside={
          agent?.latencyMs && (
            <span class="alerted" data-by={alertOn("latency_p99")}>
              p99 {formatDuration(agent.latencyMs.p99)}
            </span>
          )
        }
        alert={alertOn("latency_p99")}
        trend={relativeTrend(p95Ms, before?.latencyP95Ms ?? null)}
        was={before?.latencyP95Ms != null && formatDuration(before.latencyP95Ms)}
      >
        {agent && <Figure value={p95Ms} format={formatDuration} />}
      </Tile>
      <Tile
        label="Error rate"
        beside={besideErrorRate(agent?.refusedRatePercent ?? 0, errorLimit)}
        alert={alertOn("error_rate")}
        trend={pointsTrend(errorRate, before?.errorRatePercent ?? null)}
        was={before?.errorRatePercent != null && formatPercent(before.errorRatePercent)}
      >
        {agent && (
          <span class="alerted" data-by={alertOn("error_rate")}>
            <Figure value={errorRate} format={formatPercent} />
          </span>
        )}
      </Tile>
      <Tile
        label="Cost"
        beside={agent?.costUsd != null && agent.requests > 0 && costEach(agent)}
        trend={relativeTrend(agent?.costUsd ?? null, before?.costUsd ?? null)}
        was={before?.costUsd != null && formatCost(before.costUsd)}
      >
        {agent && <CostFigure cost={agent} />}
      </Tile>
    </dl>
  );
}

function besideErrorRate(refusedPercent: number, limitPercent: number | null): string | false {
  if (refusedPercent > 0) return `and ${formatPercent(refusedPercent)} refused or given up`;
  return limitPercent !== null && `limit ${formatPercent(limitPercent)}`;
}

function costEach({ costUsd, requests, unpricedCalls }: AgentView["agent"]): string {
  if (unpricedCalls > 0) return `without ${formatCount(unpricedCalls)} unpriced calls`;
  return `${formatCost((costUsd ?? 0) / requests)} each`;
}

type TileProps = {
  label: string;
  beside: ComponentChildren;
  /** An alert is about this figure. */
  alert?: "firing" | "pending" | undefined;
  trend: Trend;
  was: string | false | null;
  children: ComponentChildren;
};

function Tile({ label, beside, alert, trend, was, children }: TileProps) {
  return (
    <div class="tile">
      <dt>
        {label}
        {alert && <State status={alert === "firing" ? "critical" : "warning"} word={alert} />}
      </dt>
      <dd class="tile-value">
        {children ?? "–"}
        {beside && <span class="tile-beside">{beside}</span>}
      </dd>
      <dd class="tile-trend">
        <TrendMark trend={trend} />
        {was && <span class="quiet">was {was}</span>}
      </dd>
    </div>
  );
}

function TrendMark({ trend }: { trend: Trend }) {
  switch (trend.kind) {
    case "unknown":
      return <span class="quiet">no earlier figures</span>;
    case "same":
      return <span>about the same</span>;
    case "up":
    case "down":
      return (
        <span class="trend">
          <span aria-hidden="true">
            {trend.kind === "up" ? "↑" : "↓"} {trend.text}
          </span>
          <span class="visually-hidden">{trend.words}</span>
        </span>
      );
  }
}
