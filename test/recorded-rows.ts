/**
 * Rows of all seven tables, for tests: made of everything recorded, and of what the parts that
 * make signals make.
 */
import { globSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { createTestClock } from "../src/databricks/test-clock.ts";
import { encodeMetrics } from "../src/export/otlp/encode-metrics.ts";
import { type HistoryRow, rowsOf } from "../src/history/rows.ts";
import {
  emptyMemory,
  readEndpointMetrics,
} from "../src/ingest/endpoint-metrics/endpoint-metrics.ts";
import { healthOfEndpoint } from "../src/ingest/endpoint-state/endpoint-state.ts";
import { readRows } from "../src/ingest/inference-table/read-rows.ts";
import { agentSpans } from "../src/ingest/otlp/agent-span.ts";
import { decodeMetricsProtobuf } from "../src/ingest/otlp/decode-metrics-protobuf.ts";
import { decodeTracesProtobuf } from "../src/ingest/otlp/decode-protobuf.ts";
import { toMetricPoints } from "../src/ingest/otlp/metric-samples.ts";
import { MetricsCollector } from "../src/metrics/metrics-collector.ts";
import { builtInPriceBook } from "../src/signals/prices.ts";
import type { AgentSpan } from "../src/signals/span.ts";
import type { JournalEntry } from "../src/state/journal-entry.ts";
import { MonitorState } from "../src/state/monitor-state.ts";

export const nowMs = Date.UTC(2026, 10, 26, 12);
export const workspaceId = "dbc-1234.cloud.databricks.com";

/** A service that recorded some calls. */
export function measuredService(): MetricsCollector {
  const metrics = new MetricsCollector({ clock: createTestClock({ startMs: nowMs }) });
  const labels = { region: "eu" };
  metrics.recordRequest("qa", { latencyMs: 150, statusCode: 200, modelVersion: "v2", labels });
  metrics.recordRequest("qa", { latencyMs: 150, statusCode: 503, modelVersion: "v2" });
  metrics.setGauge("active_connections", 42);
  return metrics;
}

/** @param metrics of a service that pushes them. */
export function recordedRows(metrics: MetricsCollector): HistoryRow[] {
  const state = new MonitorState(builtInPriceBook);
  const traces = [...recordedTraces(), ...nextRelease()];
  const entries = [...traces, loggedRequests(), observed(), pushed(metrics), alert()];
  const versionsOf = (endpoint: string) => state.versionsOf(endpoint);
  return entries.flatMap((entry, at) =>
    rowsOf(state.apply(entry, nowMs, at + 1), { workspaceId, versionsOf }),
  );
}

/** All recorded traces: of each convention, and of the example agents. */
function recordedTraces(): JournalEntry[] {
  const files = [
    ...globSync("fixtures/telemetry/captures/*.otlp.pb"),
    ...globSync("fixtures/telemetry/*/*.otlp.pb.gz"),
  ].sort();
  return files.flatMap((file) => {
    const bytes = readFileSync(file);
    return traceEntries(file.endsWith(".gz") ? gunzipSync(bytes) : bytes);
  });
}

/** As if it had been deployed again before this trace. */
function nextRelease(): JournalEntry[] {
  const file = "fixtures/telemetry/captures/callback-rag-0001.otlp.pb";
  return traceEntries(readFileSync(file), (span) => ({
    ...span,
    traceId: `fe${span.traceId.slice(2)}`,
    modelVersion: "1.5.0",
    release: span.parentSpanId === null ? "0123456789abcdef" : null,
  }));
}

function traceEntries(
  body: Uint8Array,
  changed: (span: AgentSpan) => AgentSpan = (span) => span,
): JournalEntry[] {
  const spans = decodeTracesProtobuf(body, agentSpans).spans.map(changed);
  const traceIds = new Set(spans.map(({ traceId, endpoint }) => `${traceId} ${endpoint}`));
  return [
    { kind: "spans", spans, dropped: {} },
    { kind: "close", traceIds: [...traceIds] },
  ];
}

function loggedRequests(): JournalEntry {
  const row = (id: string, status: string, tokens: string | null) =>
    ["0", id, "0af7651916cd43dd8448eb211c80319c", `${nowMs - 5_000}`, "1200", status, "e1"].concat(
      ...[tokens ?? [], tokens ?? []],
    );
  const rows = [row("r1", "200", "263"), row("r2", "503", null)];
  const { requests } = readRows(rows, [{ endpoint: "logged" }]);
  return { kind: "requests", requests, dropped: {} };
}

const entity = {
  name: "support-1",
  entityName: "ml.agents.support",
  entityVersion: "1",
  deployment: "DEPLOYMENT_READY",
  message: null,
};

function observed(): JournalEntry {
  const text = 'cpu_usage_percentage{endpoint="support-agent"} 12.5\n';
  const endpoint = "support-agent";
  const { samples } = readEndpointMetrics({
    endpoint,
    text,
    polledAtMs: nowMs,
    memory: emptyMemory,
  });
  const state = {
    name: endpoint,
    ready: "READY",
    configUpdate: "NOT_UPDATING",
    servedEntities: [entity],
    pendingEntities: [],
  };
  const workspace = {
    component: "workspace",
    endpoint: null,
    status: "healthy",
    state: "ready",
    message: "Answered with 1 serving endpoint.",
    latencyMs: 12,
    timeMs: nowMs,
  } as const;
  const health = [workspace, healthOfEndpoint(state, { timeMs: nowMs })];
  return { kind: "observed", samples, health, dropped: {} };
}

function pushed(metrics: MetricsCollector): JournalEntry {
  const points = [
    ...encodeMetrics(metrics.snapshot(), { resource: { "dspy.endpoint": "qa" } }),
  ].flatMap((body) => toMetricPoints(decodeMetricsProtobuf(body), nowMs).points);
  return { kind: "metrics", points, repeated: 0, dropped: {} };
}

function alert(): JournalEntry {
  const change = {
    id: "latency_p99/support-agent/1",
    ruleId: "latency_p99",
    endpoint: "support-agent",
    from: "inactive",
    to: "pending",
    value: 1_250,
    threshold: 1_000,
    reason: "support-agent is getting slow",
    timeMs: nowMs,
  } as const;
  const workspace = { ...change, id: "2", endpoint: null, value: null };
  return { kind: "alerts", changes: [change, workspace], alerts: [], notifications: [] };
}
