/**
 * Requests and calls that Spark makes of spans, beside the monitor's own of the same spans: each
 * recorded trace in both layouts of Unity Catalog's span tables, and traces that nobody recorded.
 * And roll-ups of the tables of the history.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { assembleTrace } from "../../src/ingest/otlp/assemble-trace.ts";
import { TRACE_SPANS_MAX } from "../../src/ingest/otlp/open-traces.ts";
import { callsOfTraces, viewOfTraces } from "../../src/rollups/calls-of-spans.ts";
import { rollupStatements } from "../../src/rollups/rollup-job.ts";
import { bucketOf as bucketSql } from "../../src/rollups/rollup-sql.ts";
import { spanRelation } from "../../src/rollups/span-relation.ts";
import type { ClosedTrace } from "../../src/signals/closed-trace.ts";
import { bucketOf } from "../../src/signals/distribution.ts";
import type { AgentSpan } from "../../src/signals/span.ts";
import { hugeTraces, randomTraces } from "./random-traces.ts";
import { type RecordedRow, recordedBodies } from "./recorded-spans.ts";
import { spanColumnsOf } from "./span-columns-of.ts";
import { type Spark, startSpark } from "./start-spark.ts";

const NONE = "CAST(NULL AS STRING)";

const directory = mkdtempSync(join(tmpdir(), "rollups-"));
const bodies = recordedBodies((file) => !file.includes("truncated"));
let spark: Spark;

before(async () => {
  spark = await startSpark({ env: { SPARK_COMPILES: "true", SPARK_MEMORY: "3g" } });
});
after(async () => {
  await spark?.stop();
  rmSync(directory, { recursive: true });
});

const layouts = {
  v1: { keyed: (json: string) => `from_json(${json}, 'MAP<STRING,STRING>')`, further: "" },
  v2: {
    keyed: (json: string) => `parse_json(${json})`,
    further:
      ", timestamp_micros(CAST(start_nano AS BIGINT) div 1000) AS time, file AS service_name",
  },
} as const;

for (const layout of ["v1", "v2"] as const) {
  test(`each recorded trace of a table in layout ${layout} is the same requests and calls`, async () => {
    const rows = bodies.flatMap(({ rows }) => rows);
    const told = await callsOf(await tableOf(rows, layout));
    const expected = expectedOf(bodies.flatMap(tracesOf));
    sameRows(told.requests, expected.requests);
    sameRows(told.calls, expected.calls);
    assert.ok(told.requests.length > 90 && told.calls.length > 300);
  });
}

for (const orderly of [true, false]) {
  test(`traces that nobody recorded, ${orderly ? "in order" : "in disorder"}, are the same requests and calls`, async () => {
    const traces = randomTraces(600, { seed: 20_261_126, orderly });
    const told = await callsOf(
      await tableOf(
        traces.flatMap(({ rows }) => rows),
        "v1",
      ),
    );
    const expected = expectedOf(traces.flatMap(tracesOf));
    sameRows(told.requests, expected.requests);
    // Where clocks differ, or calls overlap, Spark may name another of a trace's modules as the program.
    const compared = (rows: readonly Row[]) => (orderly ? rows : rows.map(withoutProgram));
    sameRows(compared(told.calls), compared(expected.calls));
  });
}

test("traces of more spans than the monitor takes are the same, whatever their shape", async () => {
  const traces = hugeTraces(TRACE_SPANS_MAX + 50);
  const told = await callsOf(
    await tableOf(
      traces.flatMap(({ rows }) => rows),
      "v1",
    ),
  );
  const expected = expectedOf(traces.flatMap(tracesOf));
  sameRows(told.requests, expected.requests);
  sameRows(told.calls, expected.calls);
});

/** A view of the rows as a table of spans. */
async function tableOf(
  rows: readonly RecordedRow[],
  layout: keyof typeof layouts,
): Promise<string> {
  const { keyed, further } = layouts[layout];
  const path = join(directory, "rows.json");
  writeFileSync(path, rows.map((row) => JSON.stringify(row)).join("\n"));
  const text =
    "file, trace_id, span_id, parent_span_id, name, kind, start_nano, end_nano, status_code, status_message, attributes, resource";
  const columns = text.split(", ").map((column) => `${column} STRING`);
  await spark.rows(
    `CREATE OR REPLACE TEMPORARY VIEW raw (${columns.join(", ")}, flags INT, events ARRAY<STRUCT<name: STRING, attributes: STRING>>) USING json OPTIONS (path '${path}')`,
  );
  await spark.rows(`CREATE OR REPLACE TEMPORARY VIEW told_spans AS SELECT trace_id, span_id, parent_span_id, flags, name, kind,
    CAST(start_nano AS BIGINT) AS start_time_unix_nano, CAST(end_nano AS BIGINT) AS end_time_unix_nano,
    struct(status_message AS message, status_code AS code) AS status${further}, ${keyed("attributes")} AS attributes,
    struct(${keyed("resource")} AS attributes) AS resource,
    transform(events, e -> struct(e.name AS name, ${keyed("e.attributes")} AS attributes)) AS events FROM raw`);
  return "told_spans";
}

async function callsOf(table: string) {
  const columns = await spanColumnsOf(spark, table);
  await spark.rows(viewOfTraces(spanRelation({ table, columns, where: "true", agent: "none" })));
  await spark.rows(`CREATE OR REPLACE TABLE told_calls USING delta AS ${callsOfTraces(NONE)}`);
  const requests = await spark.rows(
    "SELECT endpoint_name, input_tokens, output_tokens, cost_usd, error_class, latency_ms FROM told_calls WHERE kind = 'request'",
  );
  const calls = await spark.rows(
    "SELECT endpoint_name, kind, program, path, error_class IS NOT NULL, latency_ms FROM told_calls WHERE kind <> 'request'",
  );
  return { requests, calls };
}

test("Spark finds the bucket of a latency that the monitor finds", async () => {
  const values = [
    0, 0.1, 0.5, 1, 1.5, 2, 3.9999999, 4, 7.999999999999999, 8, 1024, 64_000.123, 1e7,
  ];
  const listed = values.map((value) => `CAST('${value}' AS DOUBLE)`).join(", ");
  const rows = await spark.rows(
    `SELECT ${bucketSql("value")} FROM (SELECT explode(array(${listed})) AS value)`,
  );
  assert.deepEqual(
    rows.map(([bucket]) => Number(bucket)),
    values.map(bucketOf),
  );
});

test("the tables of the history give the same roll-ups", async () => {
  await spark.rows("CREATE SCHEMA IF NOT EXISTS monitoring");
  const place = { catalog: "spark_catalog", schema: "monitoring", prefix: "agents" };
  const time = "TIMESTAMP'2026-01-15 10:59:30' + make_interval(0, 0, 0, 0, 0, 0, id)";
  await spark.rows(`CREATE TABLE monitoring.agents_requests USING delta AS SELECT ${time} AS timestamp, DATE'2026-01-15' AS event_date, 'local' AS workspace_id,
    'qa' AS endpoint_name, CAST(id + 1 AS DOUBLE) AS latency_ms, id AS input_tokens, CAST(NULL AS BIGINT) AS output_tokens, 0.5D AS cost_usd,
    IF(id % 10 = 0, 'timeout', NULL) AS error_class FROM range(100)`);
  await spark.rows(`CREATE TABLE monitoring.agents_module_calls USING delta AS SELECT timestamp, event_date, workspace_id, endpoint_name,
    'module' AS kind, 'QA' AS program, 'self' AS path, latency_ms, error_class FROM monitoring.agents_requests`);
  const days = 2 + Math.ceil((Date.now() - Date.UTC(2026, 0, 15)) / 86_400_000);
  for (const statement of rollupStatements({ source: { kind: "tables" }, place, days })) {
    await spark.rows(statement);
  }
  assert.deepEqual(
    await spark.rows(
      `SELECT period, period_start, calls, failed, input_tokens, output_tokens, cost_usd, latency_p50_ms > 29, latency_max_ms FROM monitoring.agents_rollup_requests WHERE period <> 'minute' ORDER BY ALL`,
    ),
    [
      ["day", "2026-01-15T00:00:00.000Z", "100", "10", "4950.0", null, "50.0", "true", "100.0"],
      ["hour", "2026-01-15T10:00:00.000Z", "30", "3", "435.0", null, "15.0", "false", "30.0"],
      ["hour", "2026-01-15T11:00:00.000Z", "70", "7", "4515.0", null, "35.0", "true", "100.0"],
    ],
  );
  assert.deepEqual(
    await spark.rows(
      "SELECT calls, failed FROM monitoring.agents_rollup_modules WHERE period = 'day'",
    ),
    [["100", "10"]],
  );
  assert.deepEqual(
    await spark.rows(
      "SELECT error_class, calls FROM monitoring.agents_rollup_errors WHERE period = 'day'",
    ),
    [["timeout", "10"]],
  );
});

// ─── What the monitor makes of the same spans ───────────────────────────────

const isPlaced = (kind: string) => ["module", "tool", "retriever"].includes(kind);

function tracesOf({ spans }: { readonly spans: readonly AgentSpan[] }): ClosedTrace[] {
  return [...Map.groupBy(spans, ({ traceId }) => traceId).values()].map((trace) => {
    const first = new Map<string, AgentSpan>();
    for (const span of trace) if (!first.has(span.spanId)) first.set(span.spanId, span);
    return assembleTrace([...first.values()].slice(0, TRACE_SPANS_MAX));
  });
}

function expectedOf(traces: readonly ClosedTrace[]) {
  const requests = traces.flatMap(({ requests }) =>
    requests.map(({ endpoint, latencyMs, tokens, cost, errorClass }) => [
      endpoint,
      tokens?.input ?? null,
      tokens?.output ?? null,
      cost.toldUsd,
      errorClass,
      latencyMs,
    ]),
  );
  const calls = traces.flatMap(({ moduleCalls }) =>
    moduleCalls.filter(({ kind }) => isPlaced(kind)),
  );
  return {
    requests,
    calls: calls.map(({ endpoint, kind, program, path, errorClass, latencyMs }) => [
      ...[endpoint, kind, program, path, errorClass !== null, latencyMs],
    ]),
  };
}

function withoutProgram([endpoint, kind, , ...further]: Row): Row {
  return [endpoint, kind, ...further];
}

type Row = readonly unknown[];

/** The last of each row are milliseconds: decoders and SQL differ in the last digits of times. */
function sameRows(told: readonly Row[], expected: readonly Row[]): void {
  const split = (rows: readonly Row[]) =>
    rows
      .map((row) => ({
        key: JSON.stringify(
          row.slice(0, -1).map((value) => (value === null ? null : plainText(value))),
        ),
        ms: Number(row.at(-1)),
      }))
      .sort((a, b) => (a.key === b.key ? a.ms - b.ms : a.key < b.key ? -1 : 1));
  const [one, other] = [split(told), split(expected)];
  const without = (rows: typeof one, others: typeof one) => {
    const known = new Set(others.map(({ key }) => key));
    return rows.map(({ key }) => key).filter((key) => !known.has(key));
  };
  // Of very many rows only those that differ can be read.
  assert.deepEqual(without(one, other), without(other, one));
  assert.equal(one.length, other.length);
  for (const [at, { key, ms }] of one.entries()) {
    assert.equal(key, other[at]?.key);
    assert.ok(Math.abs(ms - (other[at]?.ms ?? 0)) < 0.01, `${key}: ${ms}, not ${other[at]?.ms}`);
  }
}

/** Spark writes `263.0`, and sums of the same in another order differ in their last digits. */
function plainText(value: unknown): string {
  const number = Number(value);
  return value === "" || typeof value === "boolean" || Number.isNaN(number)
    ? String(value)
    : number.toPrecision(9);
}
