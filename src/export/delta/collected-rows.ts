/**
 * What a collector, an error tracker and health checks hold → rows of the Delta tables,
 * a line of JSON each. Pure: the same of them makes the same rows with the same ids.
 */
import type { TrackedError } from "../../errors/tracked-error.ts";
import type { ComponentHealth } from "../../health/health-check-manager.ts";
import { eventIdOf } from "../../history/event-id.ts";
import { type TableName, tables } from "../../history/tables.ts";
import type { HeldLatency } from "../../metrics/metrics-collector.ts";
import type { CounterOrGauge, SeriesLabels } from "../../metrics/snapshot.ts";
import { failedOutcomes } from "../../signals/call-outcome.ts";
import { classOfStatus, type ErrorClass } from "../../signals/error-class.ts";

export type Collected = {
  /** Tells the collectors of a workspace apart. */
  readonly collectorId: string;
  readonly workspaceId: string;
  /** Of counters and gauges. */
  readonly nowMs: number;
  readonly latencies: readonly HeldLatency[];
  readonly values: readonly CounterOrGauge[];
  readonly errors: readonly TrackedError[];
  readonly components: readonly ComponentHealth[];
  /** Whether each call of an agent is a row of `_requests`, too. */
  readonly requests: boolean;
};

/** By table, NDJSON; tables without a row are left out. */
export function collectedRows(collected: Collected): ReadonlyMap<TableName, string> {
  const lines: readonly (readonly [TableName, readonly string[]])[] = [
    ["metrics", [...latencyLines(collected), ...valueLines(collected)]],
    ["requests", collected.requests ? requestLines(collected) : []],
    ["errors", collected.errors.map((error) => errorLine(error, collected))],
    ["health", collected.components.map((component) => healthLine(component, collected))],
  ];
  return new Map(
    lines.filter(([, of]) => of.length > 0).map(([table, of]) => [table, `${of.join("\n")}\n`]),
  );
}

function latencyLines(collected: Collected): string[] {
  return collected.latencies.map((latency) => {
    const { name, labels, valueMs, timeMs } = latency;
    return line("metrics", {
      event_id: latencyId(latency, collected),
      ...common(timeMs, collected.workspaceId, labels),
      metric_name: name,
      metric_type: "latency",
      value: valueMs,
      labels,
    });
  });
}

/** A request has the id of its latency. */
function requestLines(collected: Collected): string[] {
  return collected.latencies.flatMap((latency) => {
    const { request, labels, valueMs, timeMs } = latency;
    if (!request) return [];
    return line("requests", {
      event_id: latencyId(latency, collected),
      ...common(timeMs, collected.workspaceId, labels),
      status_code: request.statusCode,
      latency_ms: valueMs,
      cache: "unknown",
      error_class: errorClassOf(request.statusCode, labels.outcome),
      labels,
    });
  });
}

function latencyId(
  { name, labels, thread, sequence }: HeldLatency,
  { collectorId }: Collected,
): string {
  return eventIdOf("collector", collectorId, name, labels, thread, sequence);
}

const FAILED_OUTCOMES: ReadonlySet<string> = new Set(failedOutcomes);

/** The status first: a refusal whose body breaks off is a refusal. */
function errorClassOf(statusCode: number | null, outcome: string | undefined): ErrorClass | null {
  const refused = statusCode === null ? null : classOfStatus(statusCode);
  if (refused || outcome === undefined || !FAILED_OUTCOMES.has(outcome)) return refused;
  return outcome === "timeout" ? "timeout" : "unknown";
}

function valueLines({ values, collectorId, workspaceId, nowMs }: Collected): string[] {
  return values
    .filter(({ value }) => Number.isFinite(value))
    .map(({ name, labels, kind, value }) =>
      line("metrics", {
        event_id: eventIdOf("collector", collectorId, name, labels, nowMs),
        ...common(nowMs, workspaceId, labels),
        metric_name: name,
        metric_type: kind,
        value,
        labels,
      }),
    );
}

function errorLine(error: TrackedError, { workspaceId }: Collected): string {
  const context = Object.entries(error.context).map(([name, value]) => [
    name,
    typeof value === "string" ? value : (JSON.stringify(value) ?? ""),
  ]);
  return line("errors", {
    event_id: error.eventId,
    ...common(error.timeMs, workspaceId, {}),
    endpoint_name: error.agentName,
    model_version: error.modelVersion,
    error_type: error.type,
    error_class: error.errorClass,
    severity: error.severity,
    group_id: error.groupId,
    message: error.message,
    agent_name: error.agentName,
    context: Object.fromEntries(context),
  });
}

function healthLine(component: ComponentHealth, { collectorId, workspaceId }: Collected): string {
  const { name, status, state, message, latencyMs, timestamp } = component;
  return line("health", {
    event_id: eventIdOf("health", collectorId, name, timestamp),
    ...common(Date.parse(timestamp), workspaceId, {}),
    component: name,
    status,
    state,
    message,
    latency_ms: latencyMs,
  });
}

function common(timeMs: number, workspaceId: string, labels: SeriesLabels) {
  const timestamp = new Date(timeMs).toISOString();
  return {
    event_date: timestamp.slice(0, 10),
    timestamp,
    workspace_id: workspaceId,
    endpoint_name: labels.endpoint ?? null,
    model_version: labels.model_version ?? null,
    source: "collector",
  };
}

/** Every column is there, so that each file has the same ones; a map is JSON text. */
function line(table: TableName, row: Readonly<Record<string, unknown>>): string {
  const columns = tables[table].columns.map(({ name, type }) => {
    const value = row[name] ?? null;
    return [name, type === "MAP<STRING,STRING>" ? JSON.stringify(value ?? {}) : value];
  });
  return JSON.stringify(Object.fromEntries(columns));
}
