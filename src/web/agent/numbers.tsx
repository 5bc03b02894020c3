/** The four numbers of an agent, each with its trend against the same length of time before. */
import type { ComponentChildren } from "preact";
import type { AgentView } from "../api.ts";
import { Figure } from "../elements/figure.tsx";
import { formatCost, formatCount, formatDuration, formatPercent, formatRate } from "../format.ts";
import { type Range, rangeWords } from "../route.ts";
import { pointsTrend, relativeTrend, type Trend } from "../trend.ts";

export function Numbers({ view, range }: { view: AgentView | null; range: Range }) {
  const agent = view?.agent;
  const before = view?.before ?? null;
  const p95Ms = agent?.latencyMs?.p95 ?? null;
  const errorLimit = view?.thresholds.errorRatePercent ?? null;
  const errorRate = agent?.errorRatePercent ?? null;
  const isAbove = errorLimit !== null && errorRate !== null && errorRate > errorLimit;

  return (
    <dl class="numbers" aria-label={`The last ${rangeWords(range)}`}>
      <Tile
        label="Requests"
        beside={agent && formatRate(agent.requestsPerSecond)}
        trend={relativeTrend(agent?.requests ?? null, before?.requests ?? null)}
        was={before && formatCount(before.requests)}
      >
        {agent && (
          <data data-testid="requests" value={agent.requests}>
            {formatCount(agent.requests)}
          </data>
        )}
      </Tile>
      <Tile
        label="Latency p95"
        beside={agent?.latencyMs && `p99 ${formatDuration(agent.latencyMs.p99)}`}
        trend={relativeTrend(p95Ms, before?.latencyP95Ms ?? null)}
        was={before?.latencyP95Ms != null && formatDuration(before.latencyP95Ms)}
      >
        {agent && <Figure value={p95Ms} format={formatDuration} />}
      </Tile>
      <Tile
        label="Error rate"
        beside={
          errorLimit !== null && `${isAbove ? "above" : "limit"} ${formatPercent(errorLimit)}`
        }
        isAbove={isAbove}
        trend={pointsTrend(errorRate, before?.errorRatePercent ?? null)}
        was={before?.errorRatePercent != null && formatPercent(before.errorRatePercent)}
      >
        {agent && <Figure value={errorRate} format={formatPercent} />}
      </Tile>
      <Tile
        label="Cost"
        beside={agent?.costUsd != null && agent.requests > 0 && costEach(agent)}
        trend={relativeTrend(agent?.costUsd ?? null, before?.costUsd ?? null)}
        was={before?.costUsd != null && formatCost(before.costUsd)}
      >
        {agent && <Figure value={agent.costUsd} format={formatCost} />}
      </Tile>
    </dl>
  );
}

function costEach({ costUsd, requests }: AgentView["agent"]): string {
  return `${formatCost((costUsd ?? 0) / requests)} each`;
}

type TileProps = {
  label: string;
  beside: string | false | null | undefined;
  /** Over its limit, which then stands beside it. */
  isAbove?: boolean;
  trend: Trend;
  was: string | false | null;
  children: ComponentChildren;
};

function Tile({ label, beside, isAbove = false, trend, was, children }: TileProps) {
  return (
    <div class="tile">
      <dt>{label}</dt>
      <dd class="tile-value" data-above={isAbove || undefined}>
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
      return <span class="quiet">nothing to compare with</span>;
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
