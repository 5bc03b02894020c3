/**
 * The job that makes roll-ups, as it is generated, over very many spans: every row of its tables
 * beside the monitor's figures of the same spans, minute by minute, agent by agent, module by
 * module, percentiles included.
 *
 * `ROLLUP_SPANS=10000000` takes as many spans as it says.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Tally } from "../../src/live/tally.ts";
import { rollupStatements } from "../../src/rollups/rollup-job.ts";
import { type RollupName, rollupColumns, rollupNames } from "../../src/rollups/rollup-sql.ts";
import { Distribution } from "../../src/signals/distribution.ts";
import type { PendingSummaries } from "../../src/summaries/pending-summaries.ts";
import { Summary } from "../../src/summaries/summary.ts";
import { copiesFor, firstNano, summariesOfMany, writeManySpans } from "./many-spans.ts";
import { recordedBodies } from "./recorded-spans.ts";
import { spanColumnsOf } from "./span-columns-of.ts";
import { type Spark, startSpark } from "./start-spark.ts";

const SPANS = Number(process.env.ROLLUP_SPANS ?? 1_000_000);
/** Of what is shuffled at once a task holds about as many. */
const SPANS_A_PARTITION = 250_000;

const directory = mkdtempSync(join(tmpdir(), "rollup-job-"));
const bodies = recordedBodies((file) => !file.includes("truncated"));
let spark: Spark;

before(async () => {
  spark = await startSpark({ env: { SPARK_COMPILES: "true", SPARK_MEMORY: "3g" } });
});
after(async () => {
  await spark?.stop();
  rmSync(directory, { recursive: true });
});

test(`the job over ${SPANS} spans gives the monitor's figures, and run again it changes nothing`, async () => {
  const chosen = bodies.filter(({ file }) => /^(callback|openinference|mlflow-otlp)/.test(file));
  const many = copiesFor(chosen, SPANS);
  const path = join(directory, "spans.parquet");
  const told: string[] = [];
  const timed = async (name: string, work: () => Promise<unknown>) => {
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
  const columns = await spanColumnsOf(spark, "spans");
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

  const monitorBeganMs = performance.now();
  const summaries = summariesOfMany(many);
  told.push(`the monitor ${((performance.now() - monitorBeganMs) / 1000).toFixed(1)} s`);
  process.stderr.write(`Roll-ups of ${count?.[0]} spans: ${told.join(", ")}\n`);
  const lengths = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
  for (const name of rollupNames) {
    const rows = await rollupRows(name);
    for (const [period, lengthMs] of Object.entries(lengths)) {
      sameFigures(
        rows.filter((row) => row.period === period),
        expectedRows(name, merged(summaries, lengthMs)),
        `${name} by ${period}`,
      );
    }
  }
  const counted = () =>
    Promise.all(
      rollupNames.map((name) =>
        spark.rows(`SELECT '${name}', count(*), sum(calls) FROM many_rollup_${name}`),
      ),
    );
  const countedBefore = await counted();
  for (const statement of statements) {
    if (/REPLACE WHERE/.test(statement)) await spark.rows(statement);
  }
  assert.deepEqual(await counted(), countedBefore);
});

// ─── What the monitor makes of the same spans ───────────────────────────────

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
