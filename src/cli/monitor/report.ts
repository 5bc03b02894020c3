/** What `dspy-databricks monitor --for …` says at its end, over everything received during the run. */
import type { Agent } from "../../live/agents.ts";
import { errorRatePercent, failedOfAgent } from "../../live/failed-of-agent.ts";
import type { Place } from "../../live/places.ts";
import { estimatedRequests } from "../../live/requests.ts";
import type { Tally } from "../../live/tally.ts";
import type { Monitor } from "../../monitor/monitor.ts";
import { type AlertStateName, subjectName } from "../../signals/alert.ts";
import { type CostSource, costSourceOf, costUsdOf } from "../../signals/cost.ts";
import type { Percentiles } from "../../signals/distribution.ts";
import type { Tokens } from "../../signals/request.ts";

/** What is not known is `null`, never 0. */
export type Report = {
  readonly page: string;
  readonly telemetry: "recorded" | "live";
  readonly agents: readonly AgentReport[];
  readonly errorGroups: readonly {
    readonly endpoint: string;
    readonly errorClass: string;
    readonly type: string;
    readonly path: string;
    readonly message: string;
    readonly count: number;
    /** Of these, the failures that the request survived. */
    readonly handled: number;
  }[];
  readonly health: readonly {
    readonly component: string;
    readonly status: string;
    readonly state: string;
  }[];
  readonly alerts: readonly {
    readonly rule: string;
    /** `workspace` for an alert that is about the workspace. */
    readonly endpoint: string;
    readonly from: AlertStateName;
    readonly to: AlertStateName;
    readonly timeMs: number;
    readonly value: number | null;
    readonly reason: string;
  }[];
  /** Messages that a channel took. */
  readonly notifications: number;
  readonly dropped: Readonly<Record<string, number>>;
};

export type Figures = {
  readonly latencyMs: Percentiles | null;
  readonly tokens: Tokens | null;
  /** Of the calls whose cost is known: all but `unpricedCalls`. */
  readonly costUsd: number | null;
  readonly costSource: CostSource | null;
  readonly unpricedCalls: number;
  readonly savedCostUsd: number | null;
  readonly cacheHits: number | null;
};

export type AgentReport = Figures & {
  /** Models with tokens that neither telemetry nor the price book has a cost for. */
  readonly unpricedModels: readonly string[];
  readonly endpoint: string;
  /** Those that are known. */
  readonly requests: number;
  /** How many there were, where the endpoint logs only a share of them; `null` where all are known. */
  readonly requestsEstimated: number | null;
  /** Because of the agent, as the error rate says. */
  readonly failed: number;
  readonly errorRatePercent: number | null;
  readonly modules: readonly ModuleReport[];
};

export type ModuleReport = Figures & {
  /** The class of the DSPy program: paths begin at `self` in each. */
  readonly program: string;
  readonly path: string;
  readonly pathSource: "attribute" | "span";
  readonly kind: Place["kind"];
  readonly calls: number;
  readonly errors: number;
};

export function report(
  monitor: Monitor,
  { page, telemetry }: Pick<Report, "page" | "telemetry">,
): Report {
  const { state } = monitor;
  const agents = [...state.agents.all()].sort((a, b) => a.endpoint.localeCompare(b.endpoint));
  return {
    page,
    telemetry,
    agents: agents.map(agentReport),
    errorGroups: agents
      .flatMap(({ groups }) => [...groups.values()])
      .filter(({ run }) => run.count > 0)
      .map(({ last: { endpoint, errorClass, type, path, message }, run: { count, handled } }) => ({
        endpoint,
        errorClass,
        type,
        path,
        message,
        count,
        handled,
      }))
      .sort((a, b) => b.count - a.count),
    health: [...state.components.values()].map(({ component, status, state }) => ({
      component,
      status,
      state,
    })),
    alerts: state.run.alertChanges.map(({ ruleId, endpoint, from, to, timeMs, value, reason }) => ({
      rule: ruleId,
      endpoint: subjectName(endpoint),
      from,
      to,
      timeMs,
      value,
      reason,
    })),
    notifications: state.run.notificationsSent,
    dropped: Object.fromEntries(state.run.dropped),
  };
}

function agentReport(agent: Agent): AgentReport {
  const { endpoint, run, places, models } = agent;
  return {
    endpoint,
    requests: run.calls,
    requestsEstimated: estimatedRequests(agent, run.calls),
    failed: failedOfAgent(run),
    errorRatePercent: errorRatePercent(run),
    ...figures(run),
    unpricedModels: [...models.values()]
      .filter((model) => model.run.cost.unpricedCalls > 0)
      .map(({ model }) => model),
    modules: places.inOrder
      .filter((place) => place.run.calls > 0)
      .map(({ program, path, pathSource, kind, run: { calls, failed }, run }) => ({
        program,
        path,
        pathSource,
        kind,
        calls,
        errors: failed,
        ...figures(run),
      })),
  };
}

function figures({ latencyMs, tokens, cost, cacheHits }: Tally): Figures {
  return {
    latencyMs: latencyMs.percentiles(),
    tokens,
    costUsd: costUsdOf(cost),
    costSource: costSourceOf(cost),
    unpricedCalls: cost.unpricedCalls,
    savedCostUsd: cost.savedUsd,
    cacheHits,
  };
}
