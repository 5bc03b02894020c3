/** How a deployed agent is now, as one word with its reasons and what they come from. Reads only. */
import { join } from "node:path";
import { exportServingEndpointMetrics } from "../databricks/serving-endpoints.ts";
import { readExportRuns } from "../export/schedule/export-runs.ts";
import type { HealthReport } from "../health/health-check-manager.ts";
import { emptyMemory, readEndpointMetrics } from "../ingest/endpoint-metrics/endpoint-metrics.ts";
import {
  askExports,
  askRules,
  type ExportState,
  type RuleState,
} from "../monitor-client/ask-monitor.ts";
import { readAllExportSettings } from "../monitor-client/export-settings.ts";
import { MonitorError } from "../monitor-error.ts";
import { defaultThresholds, type OverallStatus, overallStatus } from "../publish/overall-status.ts";
import { foreignLine } from "../signals/foreign-line.ts";
import { runChecks } from "./agent-health.ts";
import { type DeploymentStatus, deploymentStatus } from "./deployment-status.ts";
import type { DeployContext } from "./progress.ts";
import { getKnownEndpoint } from "./rollback.ts";

export type EndpointFigures = {
  /** Each is of the last minute. */
  readonly requests: number | null;
  readonly clientErrors: number | null;
  readonly serverErrors: number | null;
  readonly latencyP50Ms: number | null;
  readonly latencyP99Ms: number | null;
  readonly cpuUsagePercent: number | null;
  readonly memoryUsagePercent: number | null;
};

export type MonitoringStatus = {
  readonly endpointName: string;
  /** ISO 8601. */
  readonly timestamp: string;
  readonly overallStatus: OverallStatus;
  /** Why it is not healthy, as sentences; empty when it is. */
  readonly reasons: readonly string[];
  readonly health: HealthReport;
  /** As the endpoint itself tells them; `null` where it tells none, as when it is scaled to zero. */
  readonly metrics: EndpointFigures | null;
  /** What failed in the last minute because of the agent; `null` where it is not known. */
  readonly errors: { readonly failedRequests: number } | null;
  readonly endpoint: DeploymentStatus;
  /** What each rule of the monitor on the data directory says; `null` where none runs there. */
  readonly alerts: readonly RuleStatus[] | null;
  /**
   * How each export of the history on the data directory stands; `null` where nobody asked for one.
   * While no monitor runs there it is what the last one left.
   */
  readonly exports: readonly ExportStatus[] | null;
};

export type ExportStatus = {
  /** Such as `ml.monitoring.agent_monitoring`, or a directory. */
  readonly target: string;
  /** `parked`: somebody has to mend something, which `reason` says. `stopped`: no monitor runs. */
  readonly state: "waiting" | "ok" | "lagging" | "failing" | "parked" | "stopped";
  /** All that was sealed before is there, ISO 8601; `null`: never yet. */
  readonly asOf: string | null;
  readonly lagSeconds: number | null;
  /** Of the last run that came to its end. */
  readonly rows: number | null;
  readonly lastRun: string | null;
  /** `null` while it is stopped. */
  readonly nextRun: string | null;
  readonly reason: string | null;
};

export type RuleStatus = {
  readonly id: string;
  /** `latency_p99`, `slow_requests`, `error_rate`, `endpoint_not_ready`. */
  readonly kind: string;
  readonly state: "inactive" | "pending" | "firing" | "resolved";
  /** What was measured last, in the unit of the threshold; `null` while there was nothing to measure. */
  readonly value: number | null;
  readonly threshold: number;
  readonly windowSeconds: number;
  /** ISO 8601; `null` while it is inactive. */
  readonly since: string | null;
  /** One sentence; empty while it is inactive. */
  readonly reason: string;
};

export async function monitoringStatus(
  context: DeployContext,
  endpointName: string,
  dataDirectory: string,
): Promise<MonitoringStatus> {
  const endpoint = await getKnownEndpoint(context, endpointName);
  const [health, status, metrics, monitor, exports] = await Promise.all([
    runChecks(context, endpoint),
    deploymentStatus(context, endpointName),
    figuresOf(context, endpointName),
    askRules(dataDirectory, endpointName),
    askExports(dataDirectory),
  ]);
  const alerts = monitor?.rules.map(ruleStatus) ?? null;
  const firing = alerts?.filter(({ state }) => state === "firing") ?? [];
  const pending = alerts?.filter(({ state }) => state === "pending") ?? [];
  const failed = metrics.figures?.serverErrors ?? null;
  const { overallStatus: word, reasons } = overallStatus(
    {
      components: health.components,
      requests: {
        count: metrics.figures?.requests ?? 0,
        failed: failed ?? 0,
        // The endpoint counts refusals of both kinds as one.
        throttled: 0,
        client: metrics.figures?.clientErrors ?? 0,
      },
      latencyP99Ms: metrics.figures?.latencyP99Ms ?? null,
      openErrors: 0,
      criticalGroups: [],
      regressedGroups: [],
      patterns: [],
    },
    defaultThresholds,
  );
  return {
    endpointName,
    timestamp: new Date(context.clock.now()).toISOString(),
    overallStatus:
      firing.length > 0 ? "critical" : pending.length > 0 && word === "healthy" ? "warning" : word,
    reasons: [
      ...firing.map(({ reason }) => reason),
      ...reasons,
      ...pending.map(({ reason }) => reason),
      ...metrics.problems,
    ],
    health,
    metrics: metrics.figures,
    errors: failed === null ? null : { failedRequests: failed },
    endpoint: status,
    alerts,
    exports: exports?.map(exportStatus) ?? (await stoppedExports(context, dataDirectory)),
  };
}

function exportStatus(one: ExportState): ExportStatus {
  const { target, state, rows, reason, asOfMs, lagMs, lastRunMs, nextRunMs } = one;
  return {
    target,
    state,
    asOf: isoOf(asOfMs),
    lagSeconds: lagMs === null ? null : lagMs / 1000,
    rows,
    lastRun: isoOf(lastRunMs),
    nextRun: new Date(nextRunMs).toISOString(),
    reason,
  };
}

/** What deployments asked for, and what was exported before the monitor stopped. */
async function stoppedExports(
  { client, clock }: DeployContext,
  dataDirectory: string,
): Promise<readonly ExportStatus[] | null> {
  const { settings } = await readAllExportSettings(dataDirectory);
  const asked = settings
    .filter(({ host }) => host === client.host)
    .map(({ tables: { catalog, schema, prefix } }) => `${catalog}.${schema}.${prefix}`);
  const runs = new Map(Object.entries(readExportRuns(join(dataDirectory, "history"))));
  const targets = new Set([...asked, ...runs.keys()]);
  if (targets.size === 0) return null;
  return Array.from(targets, (target) => {
    const { asOfMs = null, rows = null, endedMs = null } = runs.get(target) ?? {};
    return {
      target,
      state: "stopped",
      asOf: isoOf(asOfMs),
      lagSeconds: asOfMs === null ? null : (clock.now() - asOfMs) / 1000,
      rows,
      lastRun: isoOf(endedMs),
      nextRun: null,
      reason: `no monitor runs on ${dataDirectory}: start dspy-databricks monitor there`,
    };
  });
}

function isoOf(timeMs: number | null): string | null {
  return timeMs === null ? null : new Date(timeMs).toISOString();
}

function ruleStatus(rule: RuleState): RuleStatus {
  const { ruleId: id, kind, state, value, threshold, windowSeconds, sinceMs, reason } = rule;
  const since = sinceMs === null ? null : new Date(sinceMs).toISOString();
  return { id, kind, state, value, threshold, windowSeconds, since, reason };
}

async function figuresOf({ client, clock }: DeployContext, endpoint: string) {
  let text: string;
  try {
    text = await exportServingEndpointMetrics(client, endpoint);
  } catch (error) {
    if (!(error instanceof MonitorError)) throw error;
    return {
      figures: null,
      problems: [`Its metrics can't be read: ${foreignLine(error.message)}`],
    };
  }
  const { samples } = readEndpointMetrics({
    endpoint,
    text,
    polledAtMs: clock.now(),
    memory: emptyMemory,
  });
  const figureOf = (name: string) =>
    samples.findLast((sample) => sample.name === name)?.value ?? null;
  if (samples.length === 0) return { figures: null, problems: [] };
  const figures: EndpointFigures = {
    requests: figureOf("request_count_total"),
    clientErrors: figureOf("request_4xx_count_total"),
    serverErrors: figureOf("request_5xx_count_total"),
    latencyP50Ms: figureOf("request_latency_ms_p50"),
    latencyP99Ms: figureOf("request_latency_ms_p99"),
    cpuUsagePercent: figureOf("cpu_usage_percentage"),
    memoryUsagePercent: figureOf("mem_usage_percentage"),
  };
  return { figures, problems: [] };
}
