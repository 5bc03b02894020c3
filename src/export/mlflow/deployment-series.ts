/**
 * How a deployment fared, minute by minute, as metrics of an MLflow run. MLflow appends,
 * and a batch that fails may have been written in part: so the run's own tags say up to
 * which minute it is complete, and from where on it has to be read before anything is
 * added. Each point is there once, wherever it was stopped.
 */
import type { DatabricksClient } from "../../databricks/client.ts";
import {
  getMlflowMetricHistory,
  getMlflowRun,
  logMlflowBatch,
  type MetricInput,
} from "../../databricks/mlflow-runs.ts";
import { quoteText } from "../../history/duckdb.ts";
import { openHistory } from "../../history/query.ts";

/** A minute in which the deployment was called. */
export type DeploymentMinute = {
  readonly minuteMs: number;
  readonly requests: number;
  readonly latencyP50Ms: number;
  readonly latencyP99Ms: number;
  /** From 0 to 1: those that did not fail because of the agent. */
  readonly successRate: number;
};

/** By model version; `null` where telemetry names none. */
export type DeploymentSeries = ReadonlyMap<string | null, readonly DeploymentMinute[]>;

const MINUTE_MS = 60_000;
/** What came later than that for a minute is not in its figures. */
export const SETTLED_AFTER_MS = 3 * MINUTE_MS;
/** Minutes of one export: a week. */
const MINUTES_MAX = 7 * 24 * 60;

const COMPLETE_TAG = "dspy_databricks.complete_up_to";
const BEGUN_TAG = "dspy_databricks.begun_up_to";

/** @throws MonitorError `HISTORY_MISSING` */
export async function readDeploymentSeries(
  directory: string,
  { endpointName, nowMs }: { readonly endpointName: string; readonly nowMs: number },
): Promise<DeploymentSeries> {
  const history = await openHistory(directory);
  const upTo = new Date(Math.floor((nowMs - SETTLED_AFTER_MS) / MINUTE_MS) * MINUTE_MS);
  try {
    const { rows } = await history.query(
      `SELECT model_version, epoch_ms(date_trunc('minute', timestamp)) AS minute, count(*),
         quantile_disc(latency_ms, 0.5), quantile_disc(latency_ms, 0.99),
         count(*) FILTER (error_class IS NULL OR error_class IN ('throttled', 'client'))
       FROM requests
       WHERE endpoint_name = ${quoteText(endpointName)} AND timestamp < '${upTo.toISOString()}'
       GROUP BY ALL HAVING count(latency_ms) > 0 ORDER BY minute DESC`,
      { rowsMax: MINUTES_MAX },
    );
    const series = new Map<string | null, DeploymentMinute[]>();
    for (const [version, minuteMs, requests, p50, p99, succeeded] of rows) {
      const key = version === null ? null : String(version);
      const minutes = series.get(key) ?? [];
      series.set(key, minutes);
      minutes.push({
        minuteMs: Number(minuteMs),
        requests: Number(requests),
        latencyP50Ms: Number(p50),
        latencyP99Ms: Number(p99),
        successRate: Number(succeeded) / Number(requests),
      });
    }
    return series;
  } finally {
    history.close();
  }
}

/** Adds the minutes that are not in the run yet, and returns how many values that were. */
export async function logDeploymentMinutes(
  client: DatabricksClient,
  runId: string,
  minutes: readonly DeploymentMinute[],
): Promise<number> {
  const { tags } = await getMlflowRun(client, runId);
  const completeUpToMs = Number(tags.get(COMPLETE_TAG) ?? 0);
  const begunUpToMs = Number(tags.get(BEGUN_TAG) ?? 0);
  const wanted = minutes
    .filter(({ minuteMs }) => minuteMs > completeUpToMs)
    .sort((a, b) => a.minuteMs - b.minuteMs)
    .flatMap(metricsOf);
  const upToMs = wanted.at(-1)?.timestamp;
  if (upToMs === undefined) return 0;
  const isBegun = begunUpToMs > completeUpToMs;
  const there = isBegun ? await stepsThere(client, runId) : new Set<string>();
  const missing = wanted.filter((metric) => !there.has(placeOf(metric)));

  const tagged = (key: string) => ({ tags: [{ key, value: String(upToMs) }] });
  await logMlflowBatch(client, runId, tagged(BEGUN_TAG));
  await logMlflowBatch(client, runId, { metrics: missing });
  await logMlflowBatch(client, runId, tagged(COMPLETE_TAG));
  return missing.length;
}

const metricNames = [
  "deployment_latency_p50",
  "deployment_latency_p99",
  "deployment_success_rate",
  "deployment_requests",
] as const;

/** The step is the minute, counted since 1970. */
function metricsOf(minute: DeploymentMinute): MetricInput[] {
  const { minuteMs, latencyP50Ms, latencyP99Ms, successRate, requests } = minute;
  const values = [latencyP50Ms, latencyP99Ms, successRate, requests];
  return metricNames.map((key, at) => ({
    key,
    value: values[at] ?? 0,
    timestamp: minuteMs,
    step: minuteMs / MINUTE_MS,
  }));
}

async function stepsThere(client: DatabricksClient, runId: string): Promise<ReadonlySet<string>> {
  const there = new Set<string>();
  for (const key of metricNames) {
    for (const { step } of await getMlflowMetricHistory(client, { runId, key })) {
      there.add(placeOf({ key, step }));
    }
  }
  return there;
}

function placeOf({ key, step }: Pick<MetricInput, "key" | "step">): string {
  return `${key} ${step}`;
}
