/**
 * Signals → rows of the history. Pure, and the same for the same signals: what is
 * written after a restart is what would have been written before it.
 */

import type { AlertChange } from "../signals/alert.ts";
import type { ClosedTrace } from "../signals/closed-trace.ts";
import { costUsdOf } from "../signals/cost.ts";
import type { Deployment } from "../signals/deployment.ts";
import type { ErrorEvent } from "../signals/error-event.ts";
import type { Happened } from "../signals/happened.ts";
import type { HealthResult } from "../signals/health-result.ts";
import type { LoggedRequest } from "../signals/logged-request.ts";
import type { ModuleCall, Request } from "../signals/request.ts";
import type { Sample } from "../signals/sample.ts";
import type { MonitorState } from "../state/monitor-state.ts";
import { eventIdOf } from "./event-id.ts";
import { KnownSeries, type Series } from "./series.ts";
import type { TableName } from "./tables.ts";

/** A time is in Unix milliseconds. `undefined` does not occur. */
export type Value = string | number | null | Labels;
export type Labels = Readonly<Record<string, string>>;

export type HistoryRow = PlainRow | SampleRow;

/** Values in the order of the table's columns, without `event_date`, which follows from `timestamp`. */
export type PlainRow = { readonly table: TableName; readonly values: readonly Value[] };

export type SampleRow = {
  readonly table: "metrics";
  readonly series: Series;
  readonly timeMs: number;
  readonly value: number;
};

export type RowContext = {
  readonly workspaceId: string;
  /** Remembered from one call to the next. */
  readonly series?: KnownSeries;
  /** What is known of an endpoint besides: see `MonitorState.versionsOf`. */
  readonly versionsOf?: MonitorState["versionsOf"];
};

const unknownVersions = () => ({ called: null, served: null });

export function rowsOf(
  happened: Happened,
  { workspaceId, series = new KnownSeries(), versionsOf = unknownVersions }: RowContext,
): HistoryRow[] {
  const rows: HistoryRow[] = [];
  for (const trace of happened.traces) {
    for (const request of trace.requests) {
      rows.push(requestRow(request, trace, workspaceId), latencyRow(request, trace, workspaceId));
    }
    for (const call of trace.moduleCalls) rows.push(moduleCallRow(call, workspaceId));
    for (const error of trace.errors) rows.push(errorRow(error, workspaceId));
  }
  for (const request of happened.logged) rows.push(...loggedRows(request, workspaceId));
  for (const sample of happened.samples) {
    const modelVersion = versionsOf(sample.endpoint).served;
    const told = { workspaceId, source: "endpoint_metrics", modelVersion };
    rows.push(sampleRow(sample, series.of(sample, told)));
  }
  for (const sample of happened.pushed) {
    const modelVersion = sample.labels.model_version ?? null;
    const told = { workspaceId, source: "otlp_metrics", modelVersion };
    rows.push(sampleRow(sample, series.of(sample, told)));
  }
  for (const result of happened.health) rows.push(healthRow(result, workspaceId));
  for (const change of happened.alerts) {
    const { called, served } =
      change.endpoint === null ? unknownVersions() : versionsOf(change.endpoint);
    rows.push(alertRow(change, { workspaceId, version: called ?? served }));
  }
  for (const deployment of happened.deployments) rows.push(deploymentRow(deployment, workspaceId));
  return rows;
}

function requestRow(request: Request, trace: ClosedTrace, workspaceId: string): PlainRow {
  const { eventId, timeMs, endpoint, modelVersion } = request;
  return {
    table: "requests",
    values: [
      eventId,
      timeMs,
      workspaceId,
      endpoint,
      modelVersion,
      "traces",
      null,
      request.traceId,
      null,
      request.latencyMs,
      request.firstTokenMs,
      request.tokens?.input ?? null,
      request.tokens?.output ?? null,
      costUsdOf(request.cost),
      request.cache,
      request.errorClass,
      request.release,
      requestLabels(request, trace),
    ],
  };
}

function requestLabels({ program, incomplete }: Request, { convention }: ClosedTrace): Labels {
  return incomplete ? { program, convention, incomplete: "true" } : { program, convention };
}

export function loggedEventId({ endpoint, requestId }: LoggedRequest, workspaceId: string): string {
  return eventIdOf("inference_table", workspaceId, endpoint, requestId);
}

/** As `requestRow` and `latencyRow`. */
function loggedRows(request: LoggedRequest, workspaceId: string): PlainRow[] {
  const { requestId, endpoint, timeMs, latencyMs, tokens, servedEntity, share } = request;
  const eventId = loggedEventId(request, workspaceId);
  const labels: Labels = {
    ...(servedEntity === null ? {} : { served_entity: servedEntity }),
    ...(share === undefined ? {} : { sampling_fraction: String(share) }),
  };
  const common = [timeMs, workspaceId, endpoint, null, "inference_table"];
  return [
    {
      table: "requests",
      values: [
        eventId,
        ...common,
        requestId,
        request.traceId,
        request.statusCode,
        latencyMs,
        null,
        tokens?.input ?? null,
        tokens?.output ?? null,
        null,
        "unknown",
        request.errorClass,
        null,
        labels,
      ],
    },
    {
      table: "metrics",
      values: [
        `${eventId}/request_latency_ms`,
        ...common,
        "request_latency_ms",
        "latency",
        latencyMs,
        labels,
      ],
    },
  ];
}

function latencyRow(request: Request, trace: ClosedTrace, workspaceId: string): PlainRow {
  const { eventId, timeMs, endpoint, modelVersion, latencyMs } = request;
  return {
    table: "metrics",
    values: [
      `${eventId}/request_latency_ms`,
      timeMs,
      workspaceId,
      endpoint,
      modelVersion,
      "traces",
      "request_latency_ms",
      "latency",
      latencyMs,
      requestLabels(request, trace),
    ],
  };
}

function moduleCallRow(call: ModuleCall, workspaceId: string): PlainRow {
  return {
    table: "module_calls",
    values: [
      call.eventId,
      call.timeMs,
      workspaceId,
      call.endpoint,
      call.modelVersion,
      "traces",
      call.traceId,
      call.spanId,
      call.parentSpanId,
      call.kind,
      call.program,
      call.path,
      call.model,
      call.latencyMs,
      call.selfMs,
      call.tokens?.input ?? null,
      call.tokens?.output ?? null,
      costUsdOf(call.cost),
      call.cache,
      call.errorClass,
    ],
  };
}

function errorRow(error: ErrorEvent, workspaceId: string): PlainRow {
  const { path, traceId, handled } = error;
  return {
    table: "errors",
    values: [
      error.eventId,
      error.timeMs,
      workspaceId,
      error.endpoint,
      error.modelVersion,
      "traces",
      error.type,
      error.errorClass,
      error.severity,
      error.group,
      error.message === "" ? null : error.message,
      error.program,
      { path, trace_id: traceId, handled: String(handled) },
    ],
  };
}

function sampleRow({ timeMs, value }: Sample, series: Series): SampleRow {
  return { table: "metrics", series, timeMs, value };
}

/** What tells it from all other events. */
export function eventIdOfRow(row: HistoryRow): string {
  return "series" in row ? `${row.series.id}/${row.timeMs}` : String(row.values[0]);
}

function healthRow(result: HealthResult, workspaceId: string): PlainRow {
  const { component, endpoint, status, state, message, latencyMs, timeMs } = result;
  const eventId = eventIdOf("health", workspaceId, component, timeMs);
  const version = result.modelVersion ?? null;
  const common = [eventId, timeMs, workspaceId, endpoint, version, "health"];
  return { table: "health", values: [...common, component, status, state, message, latencyMs] };
}

function alertRow(
  change: AlertChange,
  { workspaceId, version }: { readonly workspaceId: string; readonly version: string | null },
): PlainRow {
  const { id, ruleId, endpoint, from, to, value, threshold, reason, timeMs } = change;
  const common = [
    eventIdOf("alert", workspaceId, id),
    timeMs,
    workspaceId,
    endpoint,
    version,
    "monitor",
  ];
  return { table: "alerts", values: [...common, ruleId, from, to, reason, value, threshold] };
}

function deploymentRow(deployment: Deployment, workspaceId: string): PlainRow {
  const { endpoint, from, to, release, outcome, timeMs } = deployment;
  const eventId = eventIdOf("deployment", workspaceId, endpoint, to, release);
  const common = [eventId, timeMs, workspaceId, endpoint, to, "monitor"];
  return { table: "deployments", values: [...common, from, to, release, outcome, null] };
}
