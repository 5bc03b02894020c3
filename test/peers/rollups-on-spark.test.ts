/**
 * The roll-ups that Spark makes, beside the monitor's own figures of the same spans: each
 * recorded trace in both layouts of Unity Catalog's span tables, traces that nobody recorded, and
 * the whole job over very many, minute by minute, agent by agent, module by module.
 *
 * `ROLLUP_SPANS=10000000` takes as many spans as it says.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { assembleTrace } from "../../src/ingest/otlp/assemble-trace.ts";
import { TRACE_SPANS_MAX } from "../../src/ingest/otlp/open-traces.ts";
import { findSpanColumns, type SpanColumns } from "../../src/ingest/span-table/columns.ts";
import type { Tally } from "../../src/live/tally.ts";
import { callsOfTraces, viewOfTraces } from "../../src/rollups/calls-of-spans.ts";
import { rollupStatements } from "../../src/rollups/rollup-job.ts";
import {
  bucketOf as bucketSql,
  type RollupName,
  rollupColumns,
  rollupNames,
} from "../../src/rollups/rollup-sql.ts";
import { spanRelation } from "../../src/rollups/span-relation.ts";
import type { ClosedTrace } from "../../src/signals/closed-trace.ts";
import { bucketOf, Distribution } from "../../src/signals/distribution.ts";
import type { AgentSpan } from "../../src/signals/span.ts";
import type { PendingSummaries } from "../../src/summaries/pending-summaries.ts";
import { Summary } from "../../src/summaries/summary.ts";
import { copiesFor, firstNano, summariesOfMany, writeManySpans } from "./many-spans.ts";
import { hugeTraces, randomTraces } from "./random-traces.ts";
import { type RecordedRow, recordedBodies } from "./recorded-spans.ts";
import { type Spark, startSpark } from "./start-spark.ts";

const SPANS = Number(process.env.ROLLUP_SPANS ?? 1_000_000);
/** Of what is shuffled at once a task holds about as many. */
const SPANS_A_PARTITION = 250_000;
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
  const columns = await columnsOf(table);
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

async function columnsOf(table: string): Promise<SpanColumns> {
  const described = await spark.rows(`DESCRIBE TABLE ${table}`);
  const columns = described.map(([name, typeText]) => ({
    name: name ?? "",
    typeText: typeText ?? null,
  }));
  const found = findSpanColumns(columns);
  if (!("found" in found)) throw new Error(`no columns: ${JSON.stringify(found)}`);
  return found.found;
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

test(`the job over ${SPANS} spans gives the monitor's figures, and run again it changes nothing`, async () => {
  const chosen = bodies.filter(({ file }) => /^(callback|openinference|mlflow-otlp)/.test(file));
  const many = copiesFor(chosen, SPANS);
  const path = join(directory, "spans.parquet");
  const told: string[] = [];
  const timed = async (name: string, work: () => unknown) => {
    const beganMs = performance.now();
    await work();
    told.push(`${name} ${((performance.now() - beganMs) / 1000).toFixed(1)} s`);
  };
  await timed("written", () => writeManySpans(path, many));
  await spark.rows(`CREATE TABLE spans USING parquet LOCATION '${path}'`);
  await spark.rows(
    `SET spark.sql.shuffle.partitions = ${Math.max(2, Math.ceil(SPANS / SPANS_A_PARTITION))}`,
  );
  const place = { catalog: "spark_catalog", schema: "default", prefix: "many" };
  const columns = await columnsOf("spans");
  const [count] = await spark.rows("SELECT count(*) FROM spans");
  assert.ok(Number(count?.[0]) >= SPANS);
  const began = Math.min(...chosen.map(({ rows }) => Number(firstNano(rows) / 1_000_000n)));
  const days = 2 + Math.ceil((Date.now() - began) / 86_400_000);
  const statements = rollupStatements({
    source: { kind: "spans", table: { path: ["spark_catalog", "default", "spans"], columns } },
    ...{ place, days },
  });
  for (const statement of statements) {
    const [, what = "set up"] = /(rollup_\w+)/.exec(statement) ?? [];
    await timed(what, () => spark.rows(statement));
  }

  const allSummaries = await (async () => {
    let summaries: PendingSummaries | null = null;
    await timed("the monitor", () => {
      summaries = summariesOfMany(many);
    });
    return summaries as PendingSummaries | null;
  })();
  assert.ok(allSummaries);
  process.stderr.write(`Roll-ups of ${count?.[0]} spans: ${told.join(", ")}\n`);
  const lengths = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
  const compare = async () => {
    for (const name of rollupNames) {
      const rows = await rollupRows(name);
      for (const [period, lengthMs] of Object.entries(lengths)) {
        const expected = expectedRows(name, merged(allSummaries, lengthMs));
        sameFigures(
          rows.filter((row) => row.period === period),
          expected,
          `${name} by ${period}`,
        );
      }
    }
  };
  await compare();
  for (const statement of statements) {
    if (/REPLACE WHERE/.test(statement)) await spark.rows(statement);
  }
  await compare();
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

type Merged = readonly {
  readonly agent: string;
  readonly startMs: number;
  readonly summary: Summary;
}[];

function merged({ agents }: PendingSummaries, lengthMs: number): Merged {
  return [...agents].flatMap(([agent, minutes]) => {
    const sums = new Map<number, Summary>();
    for (const [minuteMs, summary] of minutes) {
      const startMs = Math.floor(minuteMs / lengthMs) * lengthMs;
      const sum = sums.get(startMs) ?? new Summary();
      sum.merge(summary);
      sums.set(startMs, sum);
    }
    return Array.from(sums, ([startMs, summary]) => ({ agent, startMs, summary }));
  });
}

type FigureRow = {
  readonly period: string;
  /** What it is of. */
  readonly key: string;
  readonly figures: readonly (number | null)[];
  readonly buckets: string;
};

function expectedRows(name: RollupName, all: Merged): Omit<FigureRow, "period">[] {
  return all.flatMap(({ agent, startMs, summary }) => {
    const start = new Date(startMs).toISOString();
    const key = (...further: readonly string[]) => [start, agent, ...further].join(" | ");
    if (name === "errors") {
      return Array.from(summary.requests.failedByClass, ([errorClass, count]) => ({
        ...{ key: key(errorClass), figures: [count], buckets: "" },
      }));
    }
    if (name === "modules") {
      return summary.places.flatMap(({ program, path, kind, calls }) => {
        const sum = calls.sum();
        // A caller is listed that ended in another minute than what it called.
        if (sum.calls === 0) return [];
        const { counts, times, buckets } = figures(sum);
        return [{ key: key(program, path, kind), figures: [...counts, ...times], buckets }];
      });
    }
    if (summary.requests.calls === 0) return [];
    const { tokens, cost } = summary.requests;
    const { counts, times, buckets } = figures(summary.requests);
    const used = [tokens?.input ?? null, tokens?.output ?? null, cost.toldUsd];
    return [{ key: key(), figures: [...counts, ...used, ...times], buckets }];
  });
}

function figures({ calls, failed, latencyMs }: Tally) {
  // Few are held one by one by the monitor: their percentiles, too, are compared by their buckets.
  const told = latencyMs.buckets();
  const { p50, p95, p99 } = Distribution.ofBuckets(told).percentiles() ?? {};
  const counted = Array.from(told.buckets, (bucket, at) => `${bucket}:${told.counts[at]}`);
  return {
    counts: [calls, failed],
    times: [told.sum, told.min, told.max, p50 ?? null, p95 ?? null, p99 ?? null],
    buckets: counted.join(" "),
  };
}

const keyColumns = ["endpoint_name", "program", "path", "kind", "error_class"];
const figureColumns = [
  "calls",
  "failed",
  "input_tokens",
  "output_tokens",
  "cost_usd",
  "latency_sum_ms",
  "latency_min_ms",
  "latency_max_ms",
  "latency_p50_ms",
  "latency_p95_ms",
  "latency_p99_ms",
];

/** All of a roll-up, by way of files: there are very many. */
async function rollupRows(name: RollupName): Promise<FigureRow[]> {
  const path = join(directory, `rows-of-${name}`);
  await spark.rows(
    `INSERT OVERWRITE DIRECTORY '${path}' USING json SELECT * FROM many_rollup_${name}`,
  );
  const has = new Set(rollupColumns(name).map((column) => column.name));
  return readdirSync(path)
    .filter((file) => file.endsWith(".json"))
    .flatMap((file) => readFileSync(join(path, file), "utf8").trim().split("\n"))
    .filter((line) => line !== "")
    .map((line) => {
      const row = JSON.parse(line);
      const keys = keyColumns.filter((column) => has.has(column)).map((column) => row[column]);
      const start = new Date(row.period_start).toISOString();
      return {
        period: row.period,
        key: [start, ...keys].join(" | "),
        figures: figureColumns
          .filter((column) => has.has(column))
          .map((column) => row[column] ?? null),
        buckets: Object.entries(row.latency_buckets ?? {})
          .map(([bucket, count]) => `${bucket}:${count}`)
          .join(" "),
      };
    });
}

/** Sums of the same in another order differ in their last digits. */
const SAME_PART = 1e-9;

function sameFigures(
  rows: readonly FigureRow[],
  expected: readonly Omit<FigureRow, "period">[],
  what: string,
): void {
  assert.equal(rows.length, expected.length, what);
  const byKey = new Map(rows.map((row) => [row.key, row]));
  for (const { key, figures, buckets } of expected) {
    const row = byKey.get(key);
    assert.ok(row, `${what}: none of ${key}`);
    const isSame = figures.every((figure, at) => {
      const other = row.figures[at] ?? null;
      if (figure === null || other === null) return figure === other;
      return Math.abs(figure - other) <= SAME_PART * Math.max(1, Math.abs(figure));
    });
    if (!isSame) assert.deepEqual(row.figures, figures, `${what} of ${key}`);
    assert.equal(row.buckets, buckets, `${what} of ${key}`);
  }
}
