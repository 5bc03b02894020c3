/** Rows of the JSON API that both views show, read from the monitor's state. */

import type { Agent } from "../../live/agents.ts";
import { errorRatePercent, failedOfAgent, refusedRatePercent } from "../../live/failed-of-agent.ts";
import { estimatedRequests } from "../../live/requests.ts";
import type { Tally } from "../../live/tally.ts";
import type { Monitor } from "../../monitor/monitor.ts";
import { agentFreshness, healthOf } from "../../monitor/readings.ts";
import { troubleOf } from "../../rules/diagnose.ts";
import { unitOf } from "../../rules/evaluate.ts";
import type { AlertState } from "../../rules/step-alerts.ts";
import { type Cost, costSourceOf, costUsdOf } from "../../signals/cost.ts";
import type { Distribution } from "../../signals/distribution.ts";
import { fingerprint } from "../../signals/fingerprint.ts";
import { tellApart } from "../../signals/tell-apart.ts";
import type { Change, Component, KeptNotification } from "../../state/journal-entry.ts";
import type { ErrorCause } from "../../summaries/summary.ts";
import type {
  AgentRow,
  AlertRow,
  CacheSide,
  ChangeRow,
  ComponentRow,
  CostFigures,
  ErrorGroupRow,
  NotificationRow,
  Status,
} from "../../web/api.ts";
import { type AgentFigures, type GroupFigures, sumOfLoss } from "./figures.ts";
import type { Range } from "./range.ts";

/** Rows of one kind that an answer holds at most. */
export const ROWS_MAX = 50;
/** An agent that nobody called for so long is quiet, though a longer range has requests of it. */
const SILENT_MS = 24 * 3_600_000;
/** Agents that an error is said to be in, beside the one where it is most frequent. */
const ALSO_IN_MAX = 5;

/** @param sinceMs since when anything is known. */
export function agentRow(
  monitor: Monitor,
  figures: AgentFigures,
  { seconds, nowMs, sinceMs }: Pick<Range, "seconds" | "nowMs"> & { readonly sinceMs: number },
): AgentRow {
  const { agent, requests: tally, traffic, trafficFailed } = figures;
  const health = healthOf(agent.endpoint, monitor.state);
  const freshness = agentFreshness(agent, monitor.state, monitor.now());
  const estimated = estimatedRequests(agent, tally.calls);
  const observedSeconds = Math.max(1, Math.min(seconds, (nowMs - sinceMs) / 1000));
  return {
    endpoint: agent.endpoint,
    ...stateOf(monitor, agent, tally),
    modelVersion: agent.modelVersion,
    conventions: [...agent.conventions],
    requests: tally.calls,
    requestsEstimated: estimated,
    failed: failedOfAgent(tally),
    requestsPerSecond: (estimated ?? tally.calls) / observedSeconds,
    errorRatePercent: errorRatePercent(tally),
    refusedRatePercent: refusedRatePercent(tally),
    latencyMs: tally.latencyMs.percentiles(),
    tokens: tally.tokens,
    ...costFigures(tally.cost),
    cacheHits: tally.cacheHits,
    byCache: byCache(tally),
    lastRequestMs: agent.lastRequestMs,
    ...lossFigures([figures]),
    freshness: freshness.kind,
    health: health && { status: health.status, state: health.state, message: health.message },
    traffic: [...traffic],
    trafficFailed: [...trafficFailed],
  };
}

export function lossFigures(agents: readonly AgentFigures[]) {
  const { orphanSpanRatio, incompleteRequests } = sumOfLoss(agents);
  return { orphanSpanRatio, incompleteRequests };
}

export function costFigures(cost: Cost): CostFigures {
  return {
    costUsd: costUsdOf(cost),
    costSource: costSourceOf(cost),
    unpricedCalls: cost.unpricedCalls,
    savedCostUsd: cost.savedUsd,
  };
}

function byCache({ hitLatencyMs, missLatencyMs }: Tally): AgentRow["byCache"] {
  if (!hitLatencyMs && !missLatencyMs) return null;
  const side = (latencyMs: Distribution | null): CacheSide => ({
    requests: latencyMs?.count ?? 0,
    latencyMs: latencyMs?.percentiles() ?? null,
  });
  return { hit: side(hitLatencyMs), miss: side(missLatencyMs) };
}

function stateOf(monitor: Monitor, agent: Agent, tally: Tally): { status: Status; word: string } {
  const breaches = monitor.alerting.breachesOf(agent.endpoint);
  const health = healthOf(agent.endpoint, monitor.state);
  const firing = breaches.filter(({ state }) => state === "firing");
  const worst =
    firing.find(({ rule }) => rule.kind === "endpoint_not_ready") ??
    firing.find(({ rule }) => rule.kind === "error_rate") ??
    firing[0];
  if (worst) return { status: "critical", word: troubleOf[worst.rule.kind] };
  if (health?.status === "unhealthy") return { status: "critical", word: "down" };
  const [pending] = breaches;
  if (pending) return { status: "warning", word: troubleOf[pending.rule.kind] };
  if (health?.status === "degraded") return { status: "warning", word: health.state };
  if (agentFreshness(agent, monitor.state, monitor.now()).kind === "telemetry_lost") {
    return { status: "warning", word: "telemetry lost" };
  }
  if (health?.state === "stopped") return { status: "unknown", word: "stopped" };
  if (health?.state === "cold") return { status: "healthy", word: "cold" };
  const silentMs = monitor.now() - (agent.lastRequestMs ?? Number.NEGATIVE_INFINITY);
  if (tally.calls === 0 || silentMs > SILENT_MS) {
    return { status: health?.status === "healthy" ? "healthy" : "unknown", word: "quiet" };
  }
  return { status: "healthy", word: "healthy" };
}

const alertOrder = { firing: 0, pending: 1, resolved: 2, inactive: 3 };

export function alertRows(monitor: Monitor, endpoint: string | null): AlertRow[] {
  return [...monitor.state.alerts.values()]
    .filter((alert) => endpoint === null || alert.endpoint === endpoint)
    .filter(({ kind }) => kind !== "inactive")
    .sort((a, b) => alertOrder[a.kind] - alertOrder[b.kind] || b.sinceMs - a.sinceMs)
    .slice(0, ROWS_MAX)
    .map((alert) => alertRow(monitor, alert));
}

function alertRow(monitor: Monitor, alert: AlertState): AlertRow {
  const { ruleId, endpoint, sinceMs, value, threshold, reason } = alert;
  const rule = monitor.alerting.rules.find(({ id }) => id === ruleId);
  const state = alert.kind === "inactive" ? "resolved" : alert.kind;
  // An alert that is over may outlive its rule.
  const kind = rule?.kind ?? null;
  const unit = kind === null ? "" : unitOf[kind];
  return { ruleId, kind, endpoint, state, sinceMs, value, threshold, unit, reason };
}

export function changeRows(changes: readonly Change[], endpoint: string | null): ChangeRow[] {
  return changes
    .filter((change) => endpoint === null || change.endpoint === endpoint)
    .slice(-ROWS_MAX)
    .reverse()
    .map(({ timeMs, kind, endpoint, to, text }) => ({ timeMs, kind, endpoint, to, text }));
}

export function notificationRows(
  notifications: Iterable<KeptNotification>,
  endpoint: string | null,
): NotificationRow[] {
  return [...notifications]
    .filter(({ notification }) => endpoint === null || notification.endpoint === endpoint)
    .slice(-ROWS_MAX)
    .reverse()
    .map(({ notification, state, attempts, problem }) => ({
      id: notification.id,
      timeMs: notification.timeMs,
      channel: notification.channel,
      endpoint: notification.endpoint,
      state,
      attempts,
      text: notification.text,
      problem,
    }));
}

/** The same error of several agents is one row: what is wrong is said once. */
export function errorGroupRows(agents: readonly AgentFigures[], steps: number): ErrorGroupRow[] {
  const groups = agents.flatMap(({ groups }) => groups);
  const byCause = Map.groupBy(groups, ({ last }) => causeOf(last));
  const rows = [...byCause.values()]
    .map((same) => errorGroupRow(same, steps))
    .sort((a, b) => b.count - b.handled - (a.count - a.handled) || b.count - a.count)
    .slice(0, ROWS_MAX);
  const lines = tellApart(rows.map(({ message }) => message));
  return rows.map((row, index) => ({ ...row, line: lines[index] ?? row.message }));
}

/** The group of an error if all agents were one. */
function causeOf(error: ErrorCause): string {
  return fingerprint({ ...error, endpoint: "" });
}

function errorGroupRow(same: readonly GroupFigures[], steps: number): Omit<ErrorGroupRow, "line"> {
  const sorted = same.toSorted((a, b) => b.count - a.count);
  const [most] = sorted;
  if (!most) throw new Error("a row is made of one group at least");
  const { endpoint, errorClass, type, path, message } = most.last;
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
  return {
    group: most.group,
    endpoint,
    alsoIn: sorted.slice(1, 1 + ALSO_IN_MAX).map(({ last }) => last.endpoint),
    agents: sorted.length,
    errorClass,
    type,
    path,
    message,
    count: sum(sorted.map(({ count }) => count)),
    handled: sum(sorted.map(({ handled }) => handled)),
    firstMs: Math.min(...sorted.map(({ firstMs }) => firstMs)),
    lastMs: Math.max(...sorted.map(({ lastMs }) => lastMs)),
    trend: Array.from({ length: steps }, (_, step) =>
      sum(sorted.map(({ trend }) => trend[step] ?? 0)),
    ),
  };
}

const healthOrder = { unhealthy: 0, degraded: 1, unknown: 2, healthy: 3 };

export function componentRows(
  components: Iterable<Component>,
  endpoint: string | null,
): ComponentRow[] {
  return [...components]
    .filter((component) => endpoint === null || component.endpoint === endpoint)
    .sort(
      (a, b) =>
        healthOrder[a.status] - healthOrder[b.status] || a.component.localeCompare(b.component),
    )
    .map(({ component, endpoint, status, state, message, latencyMs, sinceMs, timeMs }) => ({
      component,
      endpoint,
      status,
      state,
      message,
      latencyMs,
      sinceMs,
      checkedMs: timeMs,
    }));
}
