/**
 * The roll-ups that Spark makes, beside the monitor's own figures of the same spans: each
 * recorded trace in both layouts of Unity Catalog's span tables, and very many of them, whose
 * requests, modules, errors and percentiles are those of the monitor's summaries.
 *
 * `ROLLUP_SPANS=1000000` takes as many spans as it says.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { assembleTrace } from "../../src/ingest/otlp/assemble-trace.ts";
import { findSpanColumns } from "../../src/ingest/span-table/columns.ts";
import type { Tally } from "../../src/live/tally.ts";
import { rollupStatements } from "../../src/rollups/rollup-job.ts";
import {
  bucketOf as bucketSql,
  createRollupSql,
  type RollupName,
  replaceRollupSql,
  rollupColumns,
  rollupNames,
  tableRelations,
} from "../../src/rollups/rollup-sql.ts";
import { spanRelations } from "../../src/rollups/span-relations.ts";
import type { ClosedTrace } from "../../src/signals/closed-trace.ts";
import { bucketOf } from "../../src/signals/distribution.ts";
import { PendingSummaries } from "../../src/summaries/pending-summaries.ts";
import { Summary } from "../../src/summaries/summary.ts";
import { type RecordedBody, recordedBodies } from "./recorded-spans.ts";
import { type Spark, startSpark } from "./start-spark.ts";

const SPANS = Number(process.env.ROLLUP_SPANS ?? 1_500);
/** One copy of all bodies begins so long after the other, and takes another time. */
const COPY_NANO = 37_000_000_000n;
const FROM_DATE = "DATE'2020-01-01'";

const directory = mkdtempSync(join(tmpdir(), "rollups-"));
const bodies = recordedBodies((file) => !file.includes("truncated"));
let spark: Spark;

before(async () => {
  // Planning large statements once is most of the work: compiling the planner well costs more than it saves.
  spark = await startSpark({
    env: { JAVA_TOOL_OPTIONS: "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC" },
  });
  await spark.rows("SET spark.sql.constraintPropagation.enabled = false");
  const rows = bodies.flatMap(({ rows }) => {
    const base = firstNano(rows);
    return rows.map((row) => JSON.stringify({ ...row, base_nano: String(base) }));
  });
  const path = join(directory, "rows.json");
  writeFileSync(path, rows.join("\n"));
  const text =
    "file, trace_id, span_id, parent_span_id, name, kind, start_nano, end_nano, base_nano, status_code, status_message, attributes, resource";
  const columns = text.split(", ").map((column) => `${column} STRING`);
  await spark.rows(
    `CREATE TEMPORARY VIEW raw (${columns.join(", ")}, flags INT, events ARRAY<STRUCT<name: STRING, attributes: STRING>>) USING json OPTIONS (path '${path}')`,
  );
});
after(async () => {
  await spark?.stop();
  rmSync(directory, { recursive: true });
});

const common = `trace_id, span_id, parent_span_id, flags, name, kind, CAST(start_nano AS BIGINT) AS start_time_unix_nano,
  CAST(end_nano AS BIGINT) AS end_time_unix_nano, struct(status_message AS message, status_code AS code) AS status`;

const layouts = {
  v1: { keyed: (json: string) => `from_json(${json}, 'MAP<STRING,STRING>')`, further: "" },
  v2: {
    keyed: (json: string) => `parse_json(${json})`,
    further:
      ", timestamp_micros(CAST(start_nano AS BIGINT) div 1000) AS time, file AS service_name",
  },
} as const;

for (const [name, { keyed, further }] of Object.entries(layouts)) {
  test(`each recorded trace of a table in layout ${name} is the same requests and calls`, async () => {
    await spark.rows(`CREATE TEMPORARY VIEW ${name} AS SELECT ${common}${further}, ${keyed("attributes")} AS attributes,
      struct(${keyed("resource")} AS attributes) AS resource,
      transform(events, e -> struct(e.name AS name, ${keyed("e.attributes")} AS attributes)) AS events FROM raw`);
    const relations = await relationsOf(name);
    const requests = await spark.rows(
      `WITH ${relations} SELECT endpoint_name, input_tokens, output_tokens, error_class, latency_ms FROM requests`,
    );
    const calls = await spark.rows(
      `WITH ${relations} SELECT endpoint_name, kind, program, path, count(*), count(error_class), sum(latency_ms) FROM module_calls GROUP BY ALL`,
    );
    const expected = expectedOf(bodies);
    sameRows(requests, expected.requests);
    sameRows(calls, expected.calls);
    assert.ok(requests.length > 90 && calls.length > 300);
  });
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

test(`the roll-ups of ${SPANS} spans are the monitor's summaries, and running again changes nothing`, async () => {
  const chosen = bodies.filter(({ file }) => /^(callback|openinference|mlflow-otlp)/.test(file));
  const copies = Math.ceil(SPANS / chosen.reduce((sum, { rows }) => sum + rows.length, 0));
  const files = chosen.map(({ file }) => `'${file}'`).join(", ");
  // A table of the bodies, and each of its rows as often as there are copies.
  await spark.rows(`CREATE TABLE bodies USING delta AS SELECT *, ${layouts.v1.keyed("attributes")} AS a, ${layouts.v1.keyed("resource")} AS r,
    transform(events, e -> struct(e.name AS name, ${layouts.v1.keyed("e.attributes")} AS attributes)) AS es FROM raw WHERE file IN (${files})`);
  const moved = (column: string) =>
    `CAST(base_nano AS BIGINT) + copy * ${COPY_NANO} + (CAST(${column} AS BIGINT) - CAST(base_nano AS BIGINT)) * (5 + copy % 21) div 10`;
  await spark.rows(`CREATE TEMPORARY VIEW many AS SELECT concat(lpad(hex(copy), 8, '0'), substring(trace_id, 9)) AS trace_id, span_id, parent_span_id, flags, name, kind,
    ${moved("start_nano")} AS start_time_unix_nano, ${moved("end_nano")} AS end_time_unix_nano,
    struct(status_message AS message, status_code AS code) AS status, a AS attributes, struct(r AS attributes) AS resource, es AS events
    FROM bodies CROSS JOIN (SELECT id AS copy FROM range(0, ${copies}, 1, 8))`);
  // Put together once for all three, as the tables of the history.
  const spans = await relationsOf("many");
  const place = { catalog: "spark_catalog", schema: "default", prefix: "many" };
  const told: string[] = [];
  const timed = async (name: string, statement: string) => {
    const beganMs = performance.now();
    await spark.rows(statement);
    told.push(`${name} ${((performance.now() - beganMs) / 1000).toFixed(1)} s`);
  };
  for (const name of ["requests", "module_calls"]) {
    await timed(
      name,
      `CREATE TABLE many_${name} USING delta AS WITH ${spans} SELECT *, CAST(timestamp AS DATE) AS event_date FROM ${name}`,
    );
  }
  const relations = tableRelations(place, FROM_DATE);
  for (const name of rollupNames) {
    await spark.rows(createRollupSql(`rollup_${name}`, name));
    const replace = replaceRollupSql(`rollup_${name}`, name, { relations, fromDate: FROM_DATE });
    await timed(`roll-up of ${name}`, replace);
    await timed("again", replace);
  }
  process.stderr.write(`Roll-ups of ${SPANS} spans: ${told.join(", ")}\n`);

  const summaries = summariesOf(chosen, copies);
  for (const period of ["hour", "day"] as const) {
    const lengthMs = period === "hour" ? 3_600_000 : 86_400_000;
    const expected = merged(summaries, lengthMs);
    for (const name of rollupNames) {
      const rows = await rowsOf(name, `period = '${period}'`);
      assert.deepEqual(rows, expectedRows(name, expected), `${name} by ${period}`);
    }
  }
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

async function relationsOf(table: string): Promise<string> {
  const described = await spark.rows(`DESCRIBE TABLE ${table}`);
  const columns = described.map(([name, typeText]) => ({
    name: name ?? "",
    typeText: typeText ?? null,
  }));
  const found = findSpanColumns(columns);
  if (!("found" in found)) throw new Error(`no columns: ${JSON.stringify(found)}`);
  const none = "CAST(NULL AS STRING)";
  return spanRelations({ table, columns: found.found, where: "true", workspaceId: none });
}

// ─── What the monitor makes of the same spans ───────────────────────────────

const isPlaced = (kind: string) => ["module", "tool", "retriever"].includes(kind);

function tracesOf({ spans }: Pick<RecordedBody, "spans">): ClosedTrace[] {
  return [...Map.groupBy(spans, ({ traceId }) => traceId).values()].map((trace) => {
    const first = new Map(trace.toReversed().map((span) => [span.spanId, span]));
    return assembleTrace([...first.values()]);
  });
}

function expectedOf(recorded: readonly RecordedBody[]) {
  const traces = recorded.flatMap(tracesOf);
  const requests = traces.flatMap(({ requests }) =>
    requests.map(({ endpoint, latencyMs, tokens, errorClass }) => [
      endpoint,
      tokens?.input ?? null,
      tokens?.output ?? null,
      errorClass,
      latencyMs,
    ]),
  );
  const calls = traces.flatMap(({ moduleCalls }) =>
    moduleCalls.filter(({ kind }) => isPlaced(kind)),
  );
  const byPlace = Map.groupBy(calls, ({ endpoint, kind, program, path }) =>
    JSON.stringify([endpoint, kind, program, path]),
  );
  return {
    requests,
    calls: Array.from(byPlace, ([place, same]) => {
      const failed = same.filter(({ errorClass }) => errorClass !== null).length;
      const latencyMs = same.reduce((sum, call) => sum + call.latencyMs, 0);
      return [...JSON.parse(place), same.length, failed, latencyMs];
    }),
  };
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
  assert.deepEqual(
    one.map(({ key }) => key),
    other.map(({ key }) => key),
  );
  for (const [at, { key, ms }] of one.entries()) {
    assert.ok(Math.abs(ms - (other[at]?.ms ?? 0)) < 0.01, `${key}: ${ms}, not ${other[at]?.ms}`);
  }
}

/** Spark writes `263.0`. */
function plainText(value: unknown): string {
  return typeof value === "string" && /^\d+\.0$/.test(value) ? value.slice(0, -2) : String(value);
}

/** Sums of the same in another order differ in their last digits. */
function comparable(row: readonly unknown[]): string {
  return JSON.stringify(
    row.map((value) =>
      value !== null && value !== "" && Number.isFinite(Number(value))
        ? Number(value).toPrecision(5)
        : value,
    ),
  );
}

function firstNano(rows: RecordedBody["rows"]): bigint {
  // As long as one another, so they are in order as texts, too.
  return BigInt(rows.map(({ start_nano }) => start_nano).sort()[0] ?? 0);
}

/** By agent and minute. */
function summariesOf(recorded: readonly RecordedBody[], copies: number): PendingSummaries {
  const pending = new PendingSummaries();
  for (const { rows, spans } of recorded) {
    const nanos = new Map(rows.map((row) => [`${row.trace_id} ${row.span_id}`, row]));
    const base = firstNano(rows);
    for (let copy = 0; copy < copies; copy++) {
      const factor = BigInt(5 + (copy % 21));
      const movedMs = (nano: string) =>
        Number(base + BigInt(copy) * COPY_NANO + ((BigInt(nano) - base) * factor) / 10n) / 1e6;
      const moved = spans.map((span) => {
        const row = nanos.get(`${span.traceId} ${span.spanId}`);
        assert.ok(row);
        const traceId = `${copy.toString(16).padStart(8, "0")}${span.traceId.slice(8)}`;
        return { ...span, traceId, startMs: movedMs(row.start_nano), endMs: movedMs(row.end_nano) };
      });
      for (const trace of tracesOf({ spans: moved })) {
        const endMs = Math.max(...moved.map(({ endMs }) => endMs));
        pending.add({ traces: [trace], logged: [] }, endMs, (name) => name);
      }
    }
  }
  return pending;
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

function expectedRows(name: RollupName, all: Merged): string[] {
  return all
    .flatMap(({ agent, startMs, summary }) => {
      const start = new Date(startMs).toISOString();
      if (name === "errors") {
        return Array.from(summary.requests.failedByClass, ([errorClass, count]) =>
          comparable([start, agent, errorClass, count]),
        );
      }
      if (name === "modules") {
        return summary.places.map(({ program, path, kind, calls }) =>
          comparable([start, agent, program, path, kind, ...figures(calls.sum())]),
        );
      }
      if (summary.requests.calls === 0) return [];
      const { tokens } = summary.requests;
      const [calls, failed, ...latency] = figures(summary.requests);
      return [
        comparable([
          start,
          agent,
          calls,
          failed,
          tokens?.input ?? null,
          tokens?.output ?? null,
          ...latency,
        ]),
      ];
    })
    .sort();
}

function figures({ calls, failed, latencyMs }: Tally) {
  // As many samples as are held one by one are few: their buckets are what Spark counts.
  const { buckets, counts, ...rest } = latencyMs.buckets();
  const counted = new Map(Array.from(buckets, (bucket, at) => [bucket, counts[at] ?? 0]));
  return [calls, failed, rest.sum, rest.min, rest.max, bucketsText(counted)];
}

function bucketsText(counted: ReadonlyMap<number, number>): string {
  return [...counted].map(([bucket, count]) => `${bucket}:${count}`).join(" ");
}

async function rowsOf(name: RollupName, where: string): Promise<string[]> {
  const known = new Set(rollupColumns(name).map((column) => column.name));
  const wanted = [
    "period_start",
    "endpoint_name",
    "program",
    "path",
    "kind",
    "error_class",
    "calls",
    "failed",
    "input_tokens",
    "output_tokens",
    "latency_sum_ms",
    "latency_min_ms",
    "latency_max_ms",
    "latency_buckets",
  ].filter((column) => known.has(column));
  const rows = await spark.rows(`SELECT ${wanted.join(", ")} FROM rollup_${name} WHERE ${where}`);
  return rows
    .map((row) =>
      comparable(
        row.map((value, at) =>
          wanted[at] === "latency_buckets"
            ? bucketsText(
                new Map(
                  Object.entries(JSON.parse(value ?? "{}")).map(([bucket, count]) => [
                    Number(bucket),
                    Number(count),
                  ]),
                ),
              )
            : value,
        ),
      ),
    )
    .sort();
}
