/** What is known of an agent now, as rules and sentences read it. Pure: the state and a time in, figures out. */
import type { Agent } from "../live/agents.ts";
import { failedOfAgent } from "../live/failed-of-agent.ts";
import { countSlower } from "../live/slower.ts";
import { windowOf } from "../live/window.ts";
import type { AgentReading } from "../rules/diagnose.ts";
import { type Freshness, freshnessOf, workspaceReadingOf } from "../rules/freshness.ts";
import { releaseLabel } from "../rules/release-label.ts";
import { EXPORT_COMPONENT, isEndpointRule, type Reading, type Rule } from "../rules/rule.ts";
import type { HealthResult } from "../signals/health-result.ts";
import type { MonitorState } from "../state/monitor-state.ts";

/** A baseline is this many times as long as the window that it is compared with. */
const BASELINE_WINDOWS = 6;

/** What a rule is compared with: a reading of each agent that it watches, or one of the workspace or the exports. */
export function readingsFor(rule: Rule, state: MonitorState, nowMs: number): Reading[] {
  if (rule.kind === "export_lagging") return readingsOf(worstExport(state));
  if (!isEndpointRule(rule)) return readingsOf(state.components.get("workspace"));
  const { agents } = state;
  const own = rule.endpoint === null ? null : agents.get(rule.endpoint);
  const watched = rule.endpoint === null ? agents.all() : own ? [own] : [];
  const span = { fromMs: nowMs - rule.windowSeconds * 1000, toMs: nowMs, nowMs };
  return watched.map(({ endpoint, slices }): Reading => {
    const tally = slices.over(span.fromMs, span.toMs, nowMs);
    return {
      endpoint,
      requests: tally.calls,
      failed: failedOfAgent(tally),
      p99Ms: tally.latencyMs.percentiles()?.p99 ?? null,
      slower: rule.slowerThanMs === undefined ? null : countSlower(slices, rule.slowerThanMs, span),
      health: healthOf(endpoint, state),
    };
  });
}

/** Health of an endpoint; `null` where none was looked at. */
export function healthOf(endpoint: string, { components }: MonitorState): HealthResult | null {
  // An app of the same name is the same agent: what is worse counts.
  const served = components.get(`endpoint/${endpoint}`);
  const app = components.get(`app/${endpoint}`);
  if (!served || !app) return served ?? app ?? null;
  return severityOf(app) > severityOf(served) ? app : served;
}

/** Whether what is known of an agent is how it is now. */
export function agentFreshness(
  { endpoint, lastRequestMs }: Agent,
  { platform, components }: MonitorState,
  nowMs: number,
): Freshness {
  const sample = platform.get(endpoint)?.get("request_count_total");
  const counted =
    sample?.kind === "gauge" ? { requestsPerMinute: sample.value, timeMs: sample.timeMs } : null;
  const workspace = workspaceReadingOf(components.get("workspace"), nowMs);
  return freshnessOf({ lastRequestMs, counted, workspace }, nowMs);
}

/** The window up to now, and, where there is trouble, the time before it began. */
export function compare(
  agent: Agent,
  state: MonitorState,
  { windowMs, sinceMs, nowMs }: { windowMs: number; sinceMs: number | null; nowMs: number },
): Omit<AgentReading, "breaches"> {
  return {
    endpoint: agent.endpoint,
    health: healthOf(agent.endpoint, state),
    now: windowOf(agent, { fromMs: nowMs - windowMs, toMs: nowMs }, nowMs),
    before: sinceMs === null ? null : baselineOf(agent, windowMs, { sinceMs, nowMs }),
    lastRequestMs: agent.lastRequestMs,
    freshness: agentFreshness(agent, state, nowMs),
    release: newestRelease(agent),
  };
}

/** What is gone says nothing; what is down says most. */
function severityOf({ status, state }: HealthResult): number {
  return state === "gone" ? -1 : ["unknown", "healthy", "degraded", "unhealthy"].indexOf(status);
}

/** One that stands still before all others, so that one alert tells of all. */
function worstExport({ components }: MonitorState): HealthResult | undefined {
  const exports = [...components.values()].filter(
    ({ component, state }) => component.startsWith(EXPORT_COMPONENT) && state !== "gone",
  );
  return exports.find(({ status }) => status === "unhealthy") ?? exports[0];
}

/** One where something was looked at, else none. */
function readingsOf(health: HealthResult | undefined): Reading[] {
  const measured = { requests: 0, failed: 0, p99Ms: null, slower: null };
  return health ? [{ endpoint: null, ...measured, health }] : [];
}

/** The figures from before the trouble; `null` where nothing was watched then. */
function baselineOf(
  agent: Agent,
  windowMs: number,
  { sinceMs, nowMs }: { readonly sinceMs: number; readonly nowMs: number },
): AgentReading["before"] {
  const toMs = Math.min(sinceMs, nowMs) - windowMs;
  const before = windowOf(agent, { fromMs: toMs - BASELINE_WINDOWS * windowMs, toMs }, nowMs);
  return before.requests > 0 ? before : null;
}

/** `null` while no program had another one before it. */
function newestRelease({ releases }: Agent): AgentReading["release"] {
  const newest = releases.all().findLast((release) => releases.before(release) !== null);
  return newest ? { name: releaseLabel(newest.name), sinceMs: newest.firstMs } : null;
}
