/**
 * Roll-ups as Spark SQL: requests, modules and errors by minute, hour and day, as the
 * monitor's summaries have them, for what one machine can't hold. Latencies are counted in the
 * monitor's buckets, so that percentiles of any stretch of time come from merged counts. Calls
 * are read once, into a small table of what was counted by minute, of which all roll-ups are
 * made. Each makes some days anew, so running it again, or after rows came late, is right. Pure.
 */
import {
  quotedName,
  quotedTable,
  quotedText,
  type TablePlace,
} from "../history/databricks-tables.ts";
import { REQUEST } from "./calls-of-spans.ts";

/** Buckets of an octave: the first six bits of a double's mantissa tell which. */
const BUCKETS_AN_OCTAVE = 64;
const EXPONENT_BIAS = 1023;

export type RollupName = "requests" | "modules" | "errors";

type RollupColumn = { readonly name: string; readonly type: string; readonly comment: string };

type Rollup = {
  readonly comment: string;
  /** Which calls are rolled up, and by what beside the period. */
  readonly where: string;
  readonly keys: readonly RollupColumn[];
  readonly hasUse: boolean;
  readonly hasLatency: boolean;
};

const isRequest = `kind = ${quotedText(REQUEST)}`;

const workspaceId = column(
  "workspace_id",
  "STRING",
  "The workspace, by its host; null where not told",
);
const endpointName = column("endpoint_name", "STRING", "The agent");

export const rollups: Readonly<Record<RollupName, Rollup>> = {
  requests: {
    comment: "Requests of each agent",
    where: isRequest,
    keys: [workspaceId, endpointName],
    hasUse: true,
    hasLatency: true,
  },
  modules: {
    comment: "Calls of each module, tool and retriever",
    where: `NOT ${isRequest}`,
    keys: [
      workspaceId,
      endpointName,
      column("program", "STRING", "Class of the DSPy program"),
      column("path", "STRING", "Place in the program, such as self.rag.generate"),
      column("kind", "STRING", "module, tool or retriever"),
    ],
    hasUse: false,
    hasLatency: true,
  },
  errors: {
    comment: "Failed requests of each agent, by why they failed",
    where: `${isRequest} AND error_class IS NOT NULL`,
    keys: [
      workspaceId,
      endpointName,
      column("error_class", "STRING", "Why: timeout, lm_provider, tool, …"),
    ],
    hasUse: false,
    hasLatency: false,
  },
};

export const rollupNames = Object.keys(rollups) as readonly RollupName[];

const period = [
  column("period", "STRING", "minute, hour or day; each holds all there is"),
  column("period_start", "TIMESTAMP", "When it begins, in UTC"),
  column("period_date", "DATE", "Day of that"),
];

const counted = [
  column("calls", "BIGINT", "How many ended in it"),
  column("failed", "BIGINT", "How many of them failed"),
];

const used = [
  column("input_tokens", "DOUBLE", "Tokens that models read; null when not told"),
  column("output_tokens", "DOUBLE", "Tokens that models wrote; null when not told"),
  column("cost_usd", "DOUBLE", "US dollars; null when not told"),
];

const latency = [
  column("latency_sum_ms", "DOUBLE", "For means: divided by calls"),
  column("latency_min_ms", "DOUBLE", "The fastest"),
  column("latency_max_ms", "DOUBLE", "The slowest"),
  column("latency_p50_ms", "DOUBLE", "Nearest rank, within 0.8 %"),
  column("latency_p95_ms", "DOUBLE", "Nearest rank, within 0.8 %"),
  column("latency_p99_ms", "DOUBLE", "Nearest rank, within 0.8 %"),
  column(
    "latency_buckets",
    "MAP<INT,BIGINT>",
    "Calls by bucket, 64 an octave: added up over periods they give their percentiles",
  ),
];

export function rollupColumns(name: RollupName): readonly RollupColumn[] {
  const { keys, hasLatency, hasUse } = rollups[name];
  if (!hasLatency) return [...period, ...keys, ...counted.slice(0, 1)];
  return [...period, ...keys, ...counted, ...(hasUse ? used : []), ...latency];
}

/** Of the roll-ups, and of what each run counts first. */
export type RollupTableName = RollupName | "minutes";

/** Without quotes, as Unity Catalog's API names it. */
export function fullRollupName(place: TablePlace, name: RollupTableName): string {
  return pathOf(place, name).join(".");
}

/** As it stands in SQL. */
export function rollupTable(place: TablePlace, name: RollupTableName): string {
  return pathOf(place, name).map(quotedName).join(".");
}

function pathOf({ catalog, schema, prefix }: TablePlace, name: RollupTableName): string[] {
  return [catalog, schema, `${prefix}_rollup_${name}`];
}

/** In the comment of each of these tables. */
export const ROLLUP_TABLE_MARK = "Made by dspy-databricks-agents";

export function createRollupSql(place: TablePlace, name: RollupName): string {
  const lines = rollupColumns(name).map(
    ({ name: column, type, comment }) =>
      `  ${quotedName(column)} ${type} COMMENT ${quotedText(comment)}`,
  );
  return `CREATE TABLE IF NOT EXISTS ${rollupTable(place, name)} (
${lines.join(",\n")}
) USING DELTA
COMMENT ${quotedText(`${rollups[name].comment} by minute, hour and day. ${ROLLUP_TABLE_MARK}, some days anew with each run`)}`;
}

const sums = {
  calls: "sum(calls)",
  failed: "sum(failed)",
  input_tokens: "sum(input_tokens)",
  output_tokens: "sum(output_tokens)",
  cost_usd: "sum(cost_usd)",
  sum_ms: "sum(sum_ms)",
  min_ms: "min(min_ms)",
  max_ms: "max(max_ms)",
};

/**
 * What each run counts first.
 *
 * @param calls a query of them, with the columns of `callsOfTables`.
 * @param fromDate SQL of the day from which on they are counted.
 */
export function minutesSql(
  place: TablePlace,
  { calls, fromDate }: { readonly calls: string; readonly fromDate: string },
): string {
  const keys = "minute, workspace_id, endpoint_name, kind, program, path, request_error, bucket";
  return `CREATE OR REPLACE TABLE ${rollupTable(place, "minutes")} USING DELTA
COMMENT ${quotedText(`Calls by minute and bucket of latency, of which the roll-ups are made. ${ROLLUP_TABLE_MARK}, anew with each run`)}
AS SELECT minute, workspace_id, endpoint_name, kind, program, path, request_error AS error_class, bucket,
  count(*) AS calls, count(error_class) AS failed,
  sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, sum(cost_usd) AS cost_usd,
  sum(latency_ms) AS sum_ms, min(latency_ms) AS min_ms, max(latency_ms) AS max_ms
FROM (
  SELECT *, date_trunc('MINUTE', timestamp) AS minute, IF(${isRequest}, error_class, NULL) AS request_error,
    ${bucketOf("latency_ms")} AS bucket
  FROM (
${calls}
  ) WHERE timestamp >= ${fromDate}
) GROUP BY ${keys}`;
}

/** @param fromDate SQL of the day from which on the table is made anew. */
export function replaceRollupSql(place: TablePlace, name: RollupName, fromDate: string): string {
  const { where, keys } = rollups[name];
  const by = keys.map((key) => quotedName(key.name)).join(", ");
  const summed = Object.entries(sums).map(([sum, value]) => `${value} AS ${sum}`);
  const selected = rollupColumns(name).map(({ name: column, type }) => {
    const value = madeOf[column] ?? quotedName(column);
    return `CAST(${value} AS ${type}) AS ${quotedName(column)}`;
  });
  return `INSERT INTO ${rollupTable(place, name)} REPLACE WHERE period_date >= ${fromDate}
WITH in_periods AS (
  SELECT *, explode(array(struct('minute' AS name, minute AS start), struct('hour' AS name, date_trunc('HOUR', minute) AS start),
    struct('day' AS name, date_trunc('DAY', minute) AS start))) AS p
  FROM ${rollupTable(place, "minutes")} WHERE ${where}
), bucketed AS (
  SELECT p.name AS period, p.start AS period_start, ${by}, bucket, ${summed.join(", ")}
  FROM in_periods GROUP BY p.name, p.start, ${by}, bucket
), summed AS (
  SELECT period, period_start, ${by}, ${summed.join(", ")}, array_sort(collect_list(struct(bucket, calls))) AS buckets
  FROM bucketed GROUP BY period, period_start, ${by}
)
SELECT ${selected.join(",\n  ")}
FROM summed`;
}

/** What a column is made of, where it is not selected as it stands. */
const madeOf: Readonly<Record<string, string>> = {
  period_date: "period_start",
  latency_sum_ms: "sum_ms",
  latency_min_ms: "min_ms",
  latency_max_ms: "max_ms",
  latency_p50_ms: percentile(0.5),
  latency_p95_ms: percentile(0.95),
  latency_p99_ms: percentile(0.99),
  latency_buckets: "map_from_entries(buckets)",
};

/**
 * `bucketOf` of the monitor's distributions. A logarithm is not exact, so the octave is
 * checked against its bounds, which are.
 */
export function bucketOf(value: string): string {
  const near = `CAST(floor(log2(${value})) AS INT)`;
  const octave = `(${near} + CASE WHEN ${value} < power(2, ${near}) THEN -1 WHEN ${value} >= power(2, ${near} + 1) THEN 1 ELSE 0 END)`;
  const within = `CAST(floor((${value} / power(2, ${octave}) - 1) * ${BUCKETS_AN_OCTAVE}) AS INT)`;
  return `CASE WHEN ${value} > 0 THEN (${octave} + ${EXPONENT_BIAS}) * ${BUCKETS_AN_OCTAVE} + ${within} ELSE 0 END`;
}

/** Of the sorted counts in `buckets`: the middle of the bucket that the rank is in, within smallest and largest. */
function percentile(fraction: number): string {
  const rank = `greatest(1, ceil(${fraction}D * calls))`;
  const bucket = `aggregate(buckets, struct(0L AS seen, CAST(NULL AS INT) AS at), (so, b) -> struct(so.seen + b.calls AS seen,
    coalesce(so.at, IF(so.seen + b.calls >= ${rank}, b.bucket, NULL)) AS at), so -> so.at)`;
  const middle = `transform(array(${bucket}), b -> power(2, b div ${BUCKETS_AN_OCTAVE} - ${EXPONENT_BIAS}) * (1 + (b % ${BUCKETS_AN_OCTAVE} + 0.5D) / ${BUCKETS_AN_OCTAVE}))[0]`;
  return `least(max_ms, greatest(min_ms, ${middle}))`;
}

/** Requests and calls of modules in the tables of the history, as `dspy-databricks export` fills them. */
export function callsOfTables(place: TablePlace, fromDate: string): string {
  const [text, amount] = ["CAST(NULL AS STRING)", "CAST(NULL AS DOUBLE)"];
  return `SELECT timestamp, workspace_id, endpoint_name, ${quotedText(REQUEST)} AS kind, ${text} AS program, ${text} AS path,
  latency_ms, input_tokens, output_tokens, cost_usd, error_class
FROM ${quotedTable(place, "requests")} WHERE event_date >= ${fromDate}
UNION ALL
SELECT timestamp, workspace_id, endpoint_name, kind, program, path, latency_ms, ${amount}, ${amount}, ${amount}, error_class
FROM ${quotedTable(place, "module_calls")} WHERE event_date >= ${fromDate} AND kind IN ('module', 'tool', 'retriever')`;
}

function column(name: string, type: string, comment: string): RollupColumn {
  return { name, type, comment };
}
