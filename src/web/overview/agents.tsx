/** One row per agent, in the order in which the monitor tells them, so that nothing moves while one looks. */
import { useState } from "preact/hooks";
import { agentAbout } from "../agent-about.ts";
import { filterAgents } from "../agent-filter.ts";
import type { AgentRow, Source } from "../api.ts";
import { Figure, TokensFigure, Unknown } from "../elements/figure.tsx";
import { type Column, FiguresTable } from "../elements/figures-table.tsx";
import { AwaitedRows, Panel } from "../elements/panel.tsx";
import { Sparkline } from "../elements/sparkline.tsx";
import { State, statusOfHealth } from "../elements/state.tsx";
import {
  formatAgo,
  formatCost,
  formatCount,
  formatDuration,
  formatPercent,
  formatPlural,
  formatRate,
} from "../format.ts";
import { agentHref, type Range, rangeWords } from "../route.ts";
import { NoAgents } from "./no-agents.tsx";

type Props = {
  agents: readonly AgentRow[] | null;
  source: Source | null;
  nowMs: number;
  range: Range;
};

export function Agents({ agents, source, nowMs, range }: Props) {
  const [filter, setFilter] = useState("");
  const shown = agents ? filterAgents(agents, filter) : [];
  return (
    <Panel
      id="agents"
      title="Agents"
      count={agents?.length}
      aside={<AgentFilter filter={filter} onFilter={setFilter} />}
    >
      {!agents && <AwaitedRows rows={3} />}
      {agents?.length === 0 && <NoAgents source={source} />}
      {agents && agents.length > 0 && shown.length === 0 && (
        <p class="none">No agent matches “{filter}”.</p>
      )}
      {shown.length > 0 && (
        <FiguresTable
          label="Agents"
          class="agents"
          columns={columnsOf({ nowMs, range })}
          rows={shown}
          keyOf={(agent) => agent.endpoint}
          rowAttributes={(agent) => ({
            "data-testid": "agent-row",
            "data-endpoint": agent.endpoint,
            "data-status": agent.status,
          })}
          onOpen={(agent) => {
            location.hash = agentHref(agent.endpoint, range);
          }}
        />
      )}
    </Panel>
  );
}

function AgentFilter({ filter, onFilter }: { filter: string; onFilter: (text: string) => void }) {
  return (
    <label class="filter">
      <span class="visually-hidden">Filter agents by name or state</span>
      <input
        id="agent-filter"
        type="search"
        placeholder="Filter agents"
        autocomplete="off"
        spellcheck={false}
        value={filter}
        onInput={(event) => onFilter(event.currentTarget.value)}
      />
      <kbd>/</kbd>
    </label>
  );
}

function columnsOf({ nowMs, range }: { nowMs: number; range: Range }): Column<AgentRow>[] {
  const during = `in the last ${rangeWords(range)}`;
  return [
    {
      id: "agent",
      label: "Agent",
      text: true,
      cell: (agent) => (
        <>
          <a class="row-link" href={agentHref(agent.endpoint, range)} data-row-link>
            {agent.endpoint}
          </a>
          <span class="agent-about">{aboutOf(agent, nowMs)}</span>
        </>
      ),
    },
    {
      id: "state",
      label: "State",
      text: true,
      cell: (agent) => <State status={agent.status} word={agent.word} />,
    },
    {
      id: "traffic",
      label: "Traffic",
      text: true,
      cell: (agent) => (
        <Sparkline
          counts={agent.traffic}
          label={`${formatPlural(agent.requests, "request")} ${during}`}
        />
      ),
    },
    {
      id: "requests",
      label: "Requests",
      title: `Requests ${during}`,
      testId: "requests",
      cell: (agent) => <data value={agent.requests}>{formatCount(agent.requests)}</data>,
    },
    { id: "rate", label: "Rate", cell: (agent) => formatRate(agent.requestsPerSecond) },
    ...(["p50", "p95", "p99"] as const).map((quantile) => ({
      id: quantile,
      label: quantile,
      title: `Latency ${quantile} ${during}`,
      cell: (agent: AgentRow) => (
        <Figure value={agent.latencyMs?.[quantile] ?? null} format={formatDuration} />
      ),
    })),
    {
      id: "errors",
      label: "Errors",
      title: `Share of requests that failed ${during}`,
      cell: (agent) => (
        <span title={`${agent.failed} of ${agent.requests} failed`}>
          <Figure value={agent.errorRatePercent} format={formatPercent} />
        </span>
      ),
    },
    {
      id: "tokens",
      label: "Tokens in / out",
      cell: (agent) => <TokensFigure tokens={agent.tokens} />,
    },
    {
      id: "cost",
      label: "Cost",
      cell: (agent) => <Figure value={agent.costUsd} format={formatCost} />,
    },
    {
      id: "cache",
      label: "Cache hits",
      title: `Model calls answered from DSPy's cache ${during}`,
      cell: (agent) => <Figure value={agent.cacheHits} format={formatCount} />,
    },
    {
      id: "health",
      label: "Health",
      text: true,
      cell: ({ health }) =>
        health ? (
          <span title={health.message}>
            <State status={statusOfHealth(health.status)} word={health.state} />
          </span>
        ) : (
          <Unknown why="not checked" />
        ),
    },
  ];
}

/** How long ago the last request was stands there only if none came in the range. */
function aboutOf(agent: AgentRow, nowMs: number): string {
  const last =
    agent.lastRequestMs === null
      ? ["no request yet"]
      : agent.requests === 0
        ? [`last request ${formatAgo(agent.lastRequestMs, nowMs)}`]
        : [];
  return [...agentAbout(agent), ...last].join(" · ");
}
