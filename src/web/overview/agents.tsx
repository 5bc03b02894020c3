/** One row per agent, in the order in which the monitor tells them, so that nothing moves while one looks. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { agentAbout } from "../agent-about.ts";
import { filterAgents } from "../agent-filter.ts";
import type { AgentRow, AlertRow, RuleKind, Source } from "../api.ts";
import { CostFigure, Figure, TokensFigure, Unknown } from "../elements/figure.tsx";
import { type Column, FiguresTable } from "../elements/figures-table.tsx";
import { AwaitedRows, Panel } from "../elements/panel.tsx";
import { Sparkline } from "../elements/sparkline.tsx";
import { State, statusOfHealth } from "../elements/state.tsx";
import {
  formatAgo,
  formatCount,
  formatDuration,
  formatPercent,
  formatPlural,
  formatRate,
} from "../format.ts";
import { requestsText, requestsTitle } from "../requests-words.ts";
import { agentHref, type Range, rangeWords } from "../route.ts";
import { NoAgents } from "./no-agents.tsx";

type Props = {
  agents: readonly AgentRow[] | null;
  alerts: readonly AlertRow[];
  source: Source | null;
  nowMs: number;
  range: Range;
};

export function Agents({ agents, alerts, source, nowMs, range }: Props) {
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
          columns={columnsOf({ alerts, nowMs, range })}
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

type Told = { alerts: readonly AlertRow[]; nowMs: number; range: Range };

function columnsOf({ alerts, nowMs, range }: Told): Column<AgentRow>[] {
  const during = `in the last ${rangeWords(range)}`;
  /** The figure that an alert is about stands out in its row. */
  const alertState = (kind: RuleKind, { endpoint }: AgentRow) =>
    alerts.find((alert) => alert.kind === kind && alert.endpoint === endpoint)?.state;
  return [
    {
      id: "agent",
      label: "Agent",
      text: true,
      sortBy: (agent) => agent.endpoint,
      cell: (agent) => (
        <>
          <a
            class="row-link"
            href={agentHref(agent.endpoint, range)}
            title={agent.endpoint}
            data-row-link
          >
            {agent.endpoint}
          </a>
          <span class="agent-about" title={aboutOf(agent, nowMs)}>
            {aboutOf(agent, nowMs)}
          </span>
        </>
      ),
    },
    {
      id: "state",
      label: "State",
      text: true,
      sortBy: (agent) => STATUS_ORDER[agent.status],
      cell: (agent) => <State status={agent.status} word={agent.word} />,
    },
    {
      id: "traffic",
      label: "Traffic",
      text: true,
      cell: (agent) => (
        <Sparkline
          counts={agent.traffic}
          failed={agent.trafficFailed}
          label={`${formatPlural(agent.requests, "request")} ${during}, ${agent.failed} failed`}
        />
      ),
    },
    {
      id: "requests",
      label: "Requests",
      title: `Requests ${during}`,
      testId: "requests",
      sortBy: (agent) => agent.requests,
      cell: (agent) => (
        <data value={agent.requests} title={requestsTitle(agent)}>
          {requestsText(agent)}
        </data>
      ),
    },
    {
      id: "rate",
      label: "Rate",
      sortBy: (agent) => agent.requestsPerSecond,
      cell: (agent) => formatRate(agent.requestsPerSecond),
    },
    ...(["p50", "p95", "p99"] as const).map((quantile) => ({
      id: quantile,
      label: quantile,
      title: `Latency ${quantile} ${during}`,
      sortBy: (agent: AgentRow) => agent.latencyMs?.[quantile] ?? null,
      cell: (agent: AgentRow) => (
        <Alerted by={quantile === "p99" ? alertState("latency_p99", agent) : undefined}>
          <Figure value={agent.latencyMs?.[quantile] ?? null} format={formatDuration} />
        </Alerted>
      ),
    })),
    {
      id: "errors",
      label: "Errors",
      title: `Share of requests that failed ${during}`,
      sortBy: (agent) => agent.errorRatePercent,
      cell: (agent) => (
        <Alerted by={alertState("error_rate", agent)}>
          <span title={`${agent.failed} of ${agent.requests} failed`}>
            <Figure value={agent.errorRatePercent} format={formatPercent} />
          </span>
        </Alerted>
      ),
    },
    {
      id: "tokens",
      label: "Tokens in / out",
      sortBy: ({ tokens }) => tokens && tokens.input + tokens.output,
      cell: (agent) => <TokensFigure tokens={agent.tokens} />,
    },
    {
      id: "cost",
      label: "Cost",
      sortBy: (agent) => agent.costUsd,
      cell: (agent) => <CostFigure cost={agent} />,
    },
    {
      id: "cache",
      label: "Cache hits",
      title: `Model calls answered from DSPy's cache ${during}`,
      sortBy: (agent) => agent.cacheHits,
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

/** The worst first when the state is sorted by. */
const STATUS_ORDER: Record<AgentRow["status"], number> = {
  critical: 0,
  warning: 1,
  unknown: 2,
  healthy: 3,
};

function Alerted({
  by,
  children,
}: {
  by: AlertRow["state"] | undefined;
  children: ComponentChildren;
}) {
  if (by !== "firing" && by !== "pending") return <>{children}</>;
  return (
    <span class="alerted" data-by={by} title={`An alert is ${by} on this`}>
      {children}
    </span>
  );
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
