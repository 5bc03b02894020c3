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
};

/** By table, NDJSON; tables without a row are left out. */
export function collectedRows(collected: Collected): ReadonlyMap<TableName, string> {
  const lines: readonly (readonly [TableName, readonly string[]])[] = [
    ["metrics", [...latencyLines(collected), ...valueLines(collected)]],
    ["errors", collected.errors.map((error) => errorLine(error, collected))],
    ["health", collected.components.map((component) => healthLine(component, collected))],
  ];
  return new Map(
    lines.filter(([, of]) => of.length > 0).map(([table, of]) => [table, `${of.join("\n")}\n`]),
  );
}

function latencyLines({ latencies, collectorId, workspaceId }: Collected): string[] {
  // Times come in steps of some milliseconds: equal ones are told apart by their order.
  const seen = new Map<string, number>();
  return latencies.map(({ name, labels, valueMs, timeMs, steadyMs }) => {
    const id = eventIdOf("collector", collectorId, name, labels, steadyMs, valueMs);
    const nth = seen.get(id) ?? 0;
    seen.set(id, nth + 1);
    return line("metrics", {
      event_id: nth === 0 ? id : `${id}/${nth}`,
      ...common(timeMs, workspaceId, labels),
      metric_name: name,
      metric_type: "latency",
      value: valueMs,
      labels,
    });
  });
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
