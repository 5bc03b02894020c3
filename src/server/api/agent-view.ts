/** The answer of `GET /api/agents/{endpoint}`. */
import type { Agent } from "../../live/agents.ts";
import { errorRatePercent } from "../../live/failed-of-agent.ts";
import type { RecentRequest } from "../../live/requests.ts";
import type { Tally } from "../../live/tally.ts";
import type { Monitor } from "../../monitor/monitor.ts";
import { diagnoseAgent } from "../../rules/diagnose.ts";
import type { RuleKind } from "../../rules/rule.ts";
import { rulesOf } from "../../rules/rules-in-force.ts";
import { unknownCost } from "../../signals/cost.ts";
import type { ErrorClass } from "../../signals/error-class.ts";
import type { LoggedRequest } from "../../signals/logged-request.ts";
import type {
  AgentView,
  FiguresFrom,
  ModelRow,
  ModuleRow,
  ReleaseFilter,
  RequestRow,
} from "../../web/api.ts";
import { type AgentDetails, liveDetails, summedDetails } from "./figures.ts";
import { fromLive, fromSummaries, readOrNull } from "./figures-from.ts";
import type { Surroundings } from "./overview.ts";
import { type Range, summarisedRangeOf } from "./range.ts";
import { everyRelease, isIn } from "./release-filter.ts";
import { releaseRows } from "./releases.ts";
import {
  agentRow,
  alertRows,
  changeRows,
  componentRows,
  costFigures,
  errorGroupRows,
  notificationRows,
} from "./rows.ts";
import { ruleRows } from "./rules.ts";

/** Slowest and failing requests that are listed. */
const REQUESTS_MAX = 10;

/**
 * @param name of the range.
 * @param range as the live figures tell it.
 * @returns `null` when nothing is known of such an agent.
 */
export async function agentView(
  monitor: Monitor,
  { source, summaries }: Pick<Surroundings, "source" | "summaries">,
  {
    endpoint,
    name,
    range,
    releaseFilter = everyRelease,
  }: {
    readonly endpoint: string;
    readonly name: string;
    readonly range: Range;
    readonly releaseFilter?: ReleaseFilter;
  },
): Promise<AgentView | null> {
  const { state } = monitor;
  const live = state.agents.get(endpoint);
  const known = await detailsOf(monitor, summaries, { endpoint, name, range, releaseFilter });
  if (!known) return null;
  const { details, figures } = known;
  const { agent, before, steps } = details;
  return {
    asOfMs: range.nowMs,
    rangeSeconds: range.seconds,
    sliceSeconds: known.range.stepMs / 1000,
    figures,
    source,
    sentence: diagnoseAgent(monitor.alerting.readingOf(agent), monitor.alerting.diagnoseOptions),
    agent: agentRow(monitor, details, { ...known.range, sinceMs: figures.sinceMs }),
    before: before && beforeFigures(before),
    series: series(steps, known.range),
    thresholds: {
      latencyP99Ms: threshold(monitor, endpoint, "latency_p99"),
      errorRatePercent: threshold(monitor, endpoint, "error_rate"),
    },
    releaseFilter,
    modules: moduleRows(details.places),
    models: modelRows(details.models),
    releases: live ? releaseRows(live) : [],
    errorGroups: errorGroupRows([details], known.range.steps),
    slowest: requestRows(
      agent,
      range,
      () => true,
      (a, b) => b.latencyMs - a.latencyMs,
    ),
    failing: requestRows(
      agent,
      range,
      (errorClass) => errorClass !== null,
      (a, b) => b.timeMs - a.timeMs,
    ),
    alerts: alertRows(monitor, endpoint),
    rules: ruleRows(monitor, endpoint),
    changes: changeRows(state.changes, endpoint),
    notifications: notificationRows(state.notifications.values(), endpoint),
    health: componentRows(state.components.values(), endpoint),
    platform: platform(monitor, endpoint),
    account: account(monitor, endpoint),
  };
}

type Known = {
  readonly details: AgentDetails;
  readonly range: Range;
  readonly figures: FiguresFrom;
};

async function detailsOf(
  monitor: Monitor,
  summaries: Surroundings["summaries"],
  {
    endpoint,
    name,
    range,
    releaseFilter,
  }: { endpoint: string; name: string; range: Range; releaseFilter: ReleaseFilter },
): Promise<Known | null> {
  const isWanted = isIn(releaseFilter);
  const live = monitor.state.agents.get(endpoint);
  const long = summarisedRangeOf(name, range.nowMs, "detail");
  const read = long && (await readOrNull(summaries, endpoint, long));
  const [summed] = read?.agents ?? [];
  if (long && read && summed) {
    const beforeFromMs = 2 * long.fromMs - long.nowMs;
    const beforeIsWhole = (read.sinceMs ?? long.nowMs) <= beforeFromMs;
    const details = summedDetails(summed, live, { isWanted, beforeIsWhole });
    return { details, range: long, figures: fromSummaries(read, monitor) };
  }
  if (!live) return null;
  return { details: liveDetails(live, range, isWanted), range, figures: fromLive(monitor) };
}

function beforeFigures(tally: Tally): NonNullable<AgentView["before"]> {
  return {
    requests: tally.calls,
    errorRatePercent: errorRatePercent(tally),
    latencyP95Ms: tally.latencyMs.percentiles()?.p95 ?? null,
    costUsd: tally.costUsd,
  };
}

function series(
  slices: AgentDetails["steps"],
  { chartFromMs, stepMs }: Range,
): AgentView["series"] {
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
  const rules = rulesOf(monitor.alerting.rules, endpoint);
  return rules.find((rule) => rule.kind === kind)?.threshold ?? null;
}

function figures({ calls, failed: errors, latencyMs, tokens, cost, cacheHits }: Tally) {
  const use = { tokens, ...costFigures(cost), cacheHits };
  return { calls, errors, latencyMs: latencyMs.percentiles(), ...use };
}

function moduleRows(places: AgentDetails["places"]): ModuleRow[] {
  const rows = places
    .map(({ place, calls: tally }) => ({ place, tally }))
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

function modelRows(models: AgentDetails["models"]): ModelRow[] {
  return models
    .map(({ model, calls }) => ({ model, ...figures(calls) }))
    .filter(({ calls }) => calls > 0)
    .map((row) => ({ ...row, unpriced: row.unpricedCalls > 0 && row.costUsd === null }))
    .sort((a, b) => b.calls - a.calls);
}

function requestRows(
  agent: Agent,
  { fromMs, toMs }: Range,
  isShown: (errorClass: ErrorClass | null) => boolean,
  order: (a: RequestRow, b: RequestRow) => number,
): RequestRow[] {
  const isIn = ({ timeMs }: { readonly timeMs: number }) => timeMs >= fromMs && timeMs < toMs;
  const told = agent.recent.filter(({ request }) => isIn(request) && isShown(request.errorClass));
  const logged = agent.recentLogged.filter(
    (request) => isIn(request) && isShown(request.errorClass),
  );
  return [...told.map(toldRow), ...logged.map(loggedRow)].sort(order).slice(0, REQUESTS_MAX);
}

function toldRow({ request, errorType, path }: RecentRequest): RequestRow {
  return {
    traceId: request.traceId,
    requestId: null,
    statusCode: null,
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
  };
}

/** Only its endpoint tells it: what went on inside is not known. */
function loggedRow(request: LoggedRequest): RequestRow {
  return {
    traceId: request.traceId,
    requestId: request.requestId,
    statusCode: request.statusCode,
    timeMs: request.timeMs,
    program: null,
    latencyMs: request.latencyMs,
    tokens: request.tokens,
    ...costFigures(unknownCost),
    cache: "unknown",
    errorClass: request.errorClass,
    errorType: null,
    path: null,
    incomplete: false,
  };
}

/** Days that are summed up, today included. */
const ACCOUNT_VIEW_DAYS = 30;

function account(monitor: Monitor, endpoint: string): AgentView["account"] {
  const sums = monitor.state.account.sumsOf(endpoint, ACCOUNT_VIEW_DAYS, monitor.now());
  if (!sums) return null;
  const { counted, billed, costs } = sums;
  return { days: ACCOUNT_VIEW_DAYS, counted: [...counted], billed: [...billed], costs: [...costs] };
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
