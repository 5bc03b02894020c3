/**
 * Every column of every table, and what fills it: `table-columns.golden.txt` shows for each
 * source whether all of its rows have a value, some or none, with an example. The rows are made of
 * everything recorded, and of what the parts that make signals make. A column that nothing
 * fills fails, unless it is said here why. `UPDATE=1` writes the file anew.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { createTestClock } from "../src/databricks/test-clock.ts";
import { ErrorTracker } from "../src/errors/error-tracker.ts";
import { collectedRows } from "../src/export/delta/collected-rows.ts";
import { encodeMetrics } from "../src/export/otlp/encode-metrics.ts";
import { HealthCheckManager } from "../src/health/health-check-manager.ts";
import { eventIdOfRow, type HistoryRow, rowsOf } from "../src/history/rows.ts";
import { type Column, notNull, type TableName, tableNames, tables } from "../src/history/tables.ts";
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
import type { JournalEntry } from "../src/journal-entry.ts";
import { MetricsCollector } from "../src/metrics/metrics-collector.ts";
import { MonitorState } from "../src/monitor-state.ts";
import { builtInPriceBook } from "../src/signals/prices.ts";
import type { AgentSpan } from "../src/signals/span.ts";

/** Why nothing can fill it. */
const nothingFills: Readonly<Record<string, string>> = {
  "deployments.actor": "neither telemetry nor the list of endpoints tells who deployed",
};

type Row = Readonly<Record<string, unknown>>;

const nowMs = Date.UTC(2026, 10, 26, 12);
const golden = new URL("table-columns.golden.txt", import.meta.url);

// ─── Rows of every source ───────────────────────────────────────────────────

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

const metrics = new MetricsCollector({ clock: createTestClock({ startMs: nowMs }) });
after(() => metrics.close());

function monitorRows(): [TableName, Row][] {
  const state = new MonitorState(builtInPriceBook);
  const traces = [...recordedTraces(), ...nextRelease()];
  const entries = [...traces, loggedRequests(), observed(), pushed(metrics), alert()];
  const context = {
    workspaceId: "dbc-1234.cloud.databricks.com",
    versionsOf: (endpoint: string) => state.versionsOf(endpoint),
  };
  return entries
    .flatMap((entry, at) => rowsOf(state.apply(entry, nowMs, at + 1), context))
    .map((each) => {
      const { table } = each;
      const values = valuesOf(each);
      const columns = tables[table].columns.filter(({ name }) => name !== "event_date");
      const row = Object.fromEntries(columns.map(({ name }, at) => [name, values[at]] as const));
      assert.equal(columns.length, values.length);
      const timestamp = new Date(Number(row.timestamp)).toISOString();
      return [table, { ...row, timestamp, event_date: timestamp.slice(0, 10) }] as const;
    })
    .map(([table, row]) => [table, row]);
}

function valuesOf(row: HistoryRow): readonly unknown[] {
  if (!("series" in row)) return row.values;
  const { workspaceId, endpoint, modelVersion, source, name, kind, labels } = row.series;
  const told = [workspaceId, endpoint, modelVersion, source, name, kind, row.value, labels];
  return [eventIdOfRow(row), row.timeMs, ...told];
}

async function serviceRows(): Promise<[TableName, Row][]> {
  const health = new HealthCheckManager({ clock: createTestClock({ startMs: nowMs }) });
  health.registerCheck("index", async () => ({ name: "index", status: "healthy", message: "up" }));
  const errors = new ErrorTracker({ clock: createTestClock({ startMs: nowMs }) });
  const more = { modelVersion: "v2", context: { step: 3 } };
  errors.trackAgentError("qa", "timeout", "The answer took too long", more);
  const collected = collectedRows({
    collectorId: "c0ffee",
    workspaceId: "dbc-1234.cloud.databricks.com",
    nowMs,
    latencies: metrics.getHeldLatencies(),
    values: metrics.snapshot().series.filter((one) => one.kind !== "latency"),
    errors: errors.getRecentErrors().map((error) => ({ ...error, eventId: "tracker:1" })),
    components: (await health.runAllChecks()).components,
    requests: true,
  });
  return [...collected].flatMap(([table, text]) =>
    text
      .trimEnd()
      .split("\n")
      .map((line): [TableName, Row] => {
        const row = Object.entries(JSON.parse(line)).map(([name, value]) => {
          const type = tables[table].columns.find((column) => column.name === name)?.type;
          return [name, type === "MAP<STRING,STRING>" ? JSON.parse(String(value)) : value];
        });
        return [table, Object.fromEntries(row)];
      }),
  );
}

// ─── What fills a column ────────────────────────────────────────────────────

type Filled = { readonly every: boolean; readonly example: unknown };

function filledBy(rows: readonly Row[], name: string): Filled | null {
  const values = rows.map((row) => row[name] ?? null).filter((value) => value !== null);
  return values.length === 0
    ? null
    : { every: values.length === rows.length, example: values.find((value) => value !== "") };
}

const isOfType: Readonly<Record<Column["type"], (value: unknown) => boolean>> = {
  STRING: (value) => typeof value === "string",
  DATE: (value) => /^\d{4}-\d\d-\d\d$/.test(String(value)),
  TIMESTAMP: (value) => !Number.isNaN(Date.parse(String(value))),
  INT: Number.isInteger,
  BIGINT: Number.isInteger,
  DOUBLE: Number.isFinite,
  "MAP<STRING,STRING>": (value) =>
    typeof value === "object" && Object.values(value ?? {}).every((one) => typeof one === "string"),
};

function linesOf(table: TableName, bySource: ReadonlyMap<string, readonly Row[]>): string[] {
  return tables[table].columns.map(({ name }) => {
    const told = [...bySource].flatMap(([source, rows]) => {
      const filled = filledBy(rows, name);
      return filled ? [{ source, ...filled }] : [];
    });
    const isFilled = told.length > 0;
    const why = nothingFills[`${table}.${name}`];
    assert.equal(isFilled, why === undefined, `${table}.${name}: ${why ?? "nothing fills it"}`);
    const sources = told.map(({ source, every }) => (every ? source : `${source} (some)`));
    const example = JSON.stringify(told[0]?.example ?? null);
    const text = example.length > 60 ? `${example.slice(0, 59)}…` : example;
    const by = isFilled ? `${sources.join(", ")}: ${text}` : `nothing: ${why}`;
    return `  ${name.padEnd(15)} ${by}`;
  });
}

test("each column of each table has something that fills it, of its type", async () => {
  const labels = { region: "eu" };
  metrics.recordRequest("qa", { latencyMs: 150, statusCode: 200, modelVersion: "v2", labels });
  metrics.recordRequest("qa", { latencyMs: 150, statusCode: 503, modelVersion: "v2" });
  metrics.setGauge("active_connections", 42);
  const all = [...monitorRows(), ...(await serviceRows())];

  const lines: string[] = [];
  for (const table of tableNames) {
    const rows = all.flatMap(([of, row]) => (of === table ? [row] : []));
    const bySource = Map.groupBy(rows, ({ source }) => String(source));
    for (const row of rows) {
      for (const { name, type } of tables[table].columns) {
        const value = row[name] ?? null;
        if (value === null) assert.ok(!notNull.has(name), `${table}.${name}`);
        else assert.ok(isOfType[type](value), `${table}.${name} ${type}: ${value}`);
      }
    }
    assert.equal(new Set(rows.map(({ event_id }) => event_id)).size, rows.length, table);
    lines.push(table, ...linesOf(table, bySource), "");
  }
  const now = lines.join("\n");
  if (process.env.UPDATE === "1") writeFileSync(golden, now);
  assert.equal(now, readFileSync(golden, "utf8"), "UPDATE=1 writes it");
});
