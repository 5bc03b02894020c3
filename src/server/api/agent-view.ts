/** The answer of `GET /api/agents/{endpoint}`. */
import type { Agent } from "../../live/agents.ts";
import type { ReleaseName } from "../../live/by-release.ts";
import type { Model } from "../../live/models.ts";
import type { Place } from "../../live/places.ts";
import type { RecentRequest } from "../../live/requests.ts";
import type { Tally } from "../../live/tally.ts";
import type { Monitor } from "../../monitor.ts";
import { diagnoseAgent } from "../../rules/diagnose.ts";
import type { RuleKind } from "../../rules/rule.ts";
import { rulesOf } from "../../rules/rules-in-force.ts";
import type { AgentView, ModelRow, ModuleRow, ReleaseFilter, RequestRow } from "../../web/api.ts";
import type { Surroundings } from "./overview.ts";
import type { Range } from "./range.ts";
import { everyRelease, isIn } from "./release-filter.ts";
import { releaseRows } from "./releases.ts";
import {
  agentRow,
  alertRows,
  changeRows,
  componentRows,
  costFigures,
  errorGroupRows,
  errorRatePercent,
  notificationRows,
} from "./rows.ts";
import { ruleRows } from "./rules.ts";

/** Slowest and failing requests that are listed. */
const REQUESTS_MAX = 10;

export function agentView(
  monitor: Monitor,
  { source }: Surroundings,
  agent: Agent,
  range: Range,
  releaseFilter: ReleaseFilter = everyRelease,
): AgentView {
  const { state } = monitor;
  const { endpoint } = agent;
  const asked = { ...range, isWanted: isIn(releaseFilter) };
  return {
    asOfMs: range.nowMs,
    rangeSeconds: range.seconds,
    sliceSeconds: range.stepMs / 1000,
    source,
    sentence: diagnoseAgent(monitor.readingOf(agent), monitor.diagnoseOptions),
    agent: agentRow(monitor, agent, range),
    before: before(agent, range),
    series: series(agent, range),
    thresholds: {
      latencyP99Ms: threshold(monitor, endpoint, "latency_p99"),
      errorRatePercent: threshold(monitor, endpoint, "error_rate"),
    },
    releaseFilter,
    modules: moduleRows(agent, asked),
    models: modelRows(agent, asked),
    releases: releaseRows(agent),
    errorGroups: errorGroupRows([agent], range),
    slowest: requestRows(
      agent,
      range,
      () => true,
      (a, b) => b.latencyMs - a.latencyMs,
    ),
    failing: requestRows(
      agent,
      range,
      ({ request }) => request.errorClass !== null,
      (a, b) => b.timeMs - a.timeMs,
    ),
    alerts: alertRows(monitor, endpoint),
    rules: ruleRows(monitor, endpoint),
    changes: changeRows(state.changes, endpoint),
    notifications: notificationRows(state.notifications.values(), endpoint),
    health: componentRows(state.components.values(), endpoint),
    platform: platform(monitor, endpoint),
  };
}

function before(agent: Agent, { seconds, fromMs, nowMs }: Range): AgentView["before"] {
  const tally = agent.slices.over(fromMs - seconds * 1000, fromMs, nowMs);
  if (tally.calls === 0) return null;
  return {
    requests: tally.calls,
    errorRatePercent: errorRatePercent(tally),
    latencyP95Ms: tally.latencyMs.percentiles()?.p95 ?? null,
    costUsd: tally.costUsd,
  };
}

function series(agent: Agent, { chartFromMs, stepMs, steps, nowMs }: Range): AgentView["series"] {
  const slices = agent.slices.series(chartFromMs, stepMs, steps, nowMs);
  const percentiles = slices.map((slice) => slice?.latencyMs.percentiles() ?? null);
  const classes = new Set(slices.flatMap((slice) => [...(slice?.failedByClass.keys() ?? [])]));
  const each = <T>(read: (tally: Tally) => T, empty: T) =>
    slices.map((slice) => (slice ? read(slice) : empty));
  return {
    timesMs: slices.map((_, index) => chartFromMs + index * stepMs),
    succeeded: each(({ calls, failed }) => calls - failed, 0),
    failed: each(({ failed }) => failed, 0),
    p50Ms: percentiles.map((told) => told?.p50 ?? null),
    p95Ms: percentiles.map((told) => told?.p95 ?? null),
    p99Ms: percentiles.map((told) => told?.p99 ?? null),
    errorsByClass: Object.fromEntries(
      [...classes].map((name) => [
        name,
        each(({ failedByClass }) => failedByClass.get(name) ?? 0, 0),
      ]),
    ),
    inputTokens: each<number | null>(({ tokens }) => tokens?.input ?? null, null),
    outputTokens: each<number | null>(({ tokens }) => tokens?.output ?? null, null),
    costUsd: each<number | null>(({ costUsd }) => costUsd, null),
  };
}

function threshold(monitor: Monitor, endpoint: string, kind: RuleKind): number | null {
  const rules = rulesOf(monitor.rules, endpoint);
  return rules.find((rule) => rule.kind === kind)?.threshold ?? null;
}

/** The calls that are asked for: of a stretch of time, and of some releases. */
type Asked = Range & { readonly isWanted: (name: ReleaseName) => boolean };

function tallyOf({ slices }: Place | Model, { fromMs, toMs, nowMs, isWanted }: Asked): Tally {
  return slices.over(fromMs, toMs, nowMs).sum(isWanted);
}

function figures({ calls, failed: errors, latencyMs, tokens, cost, cacheHits }: Tally) {
  const use = { tokens, ...costFigures(cost), cacheHits };
  return { calls, errors, latencyMs: latencyMs.percentiles(), ...use };
}

function moduleRows({ places }: Agent, asked: Asked): ModuleRow[] {
  const rows = places.inOrder
    .map((place) => ({ place, tally: tallyOf(place, asked) }))
    .filter(({ tally }) => tally.calls > 0);
  const allMs = rows.reduce((sum, { tally }) => sum + tally.selfMs.sum, 0);
  return rows.map(({ place: { program, path, pathSource, kind, depth }, tally }) => ({
    program,
    path,
    pathSource,
    kind,
    depth,
    ...figures(tally),
    selfMs: tally.selfMs.percentiles(),
    lmCalls: tally.lmCalls,
    parseFailures: tally.parseFailures,
    toolFailures: tally.toolFailures,
    timeShare: allMs === 0 ? null : tally.selfMs.sum / allMs,
  }));
}

function modelRows({ models }: Agent, asked: Asked): ModelRow[] {
  return [...models.values()]
    .map((model) => ({ model: model.model, ...figures(tallyOf(model, asked)) }))
    .filter(({ calls }) => calls > 0)
    .map((row) => ({ ...row, unpriced: row.unpricedCalls > 0 && row.costUsd === null }))
    .sort((a, b) => b.calls - a.calls);
}

function requestRows(
  agent: Agent,
  { fromMs, toMs }: Range,
  isShown: (recent: RecentRequest) => boolean,
  order: (a: RequestRow, b: RequestRow) => number,
): RequestRow[] {
  return agent.recent
    .filter(({ request: { timeMs } }) => timeMs >= fromMs && timeMs < toMs)
    .filter(isShown)
    .map(({ request, errorType, path }) => ({
      traceId: request.traceId,
      timeMs: request.timeMs,
      program: request.program,
      latencyMs: request.latencyMs,
      tokens: request.tokens,
      ...costFigures(request.cost),
      cache: request.cache,
      errorClass: request.errorClass,
      errorType,
      path,
      incomplete: request.incomplete,
    }))
    .sort(order)
    .slice(0, REQUESTS_MAX);
}

function platform(monitor: Monitor, endpoint: string): AgentView["platform"] {
  const samples = monitor.state.platform.get(endpoint);
  if (!samples) return null;
  return [...samples.values()].map(({ name, value, timeMs }) => ({
    name,
    value,
    unit: unitIn(name),
    timeMs,
  }));
}

function unitIn(metricName: string): string {
  if (metricName.includes("percentage")) return "percent";
  return metricName.includes("_ms") ? "ms" : "";
}
