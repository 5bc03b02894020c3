/**
 * The figures that are drawn from the Delta tables of the history: what each answers,
 * and the query in Databricks SQL. The notebook and the AI/BI dashboard are made from
 * this one list, as Grafana's is from `panels.ts`. Pure.
 *
 * A query has the markers `:endpoint`, `:hours` and `:bucket` (seconds), and gives rows
 * of a time or name, a number, and for several lines the name of the line.
 */
import { quotedTable, type TablePlace } from "../history/databricks-tables.ts";
import type { TableName } from "../history/tables.ts";
import { FAILED_SQL } from "./sql-alerts/sql-alerts.ts";

export type TablePanelSection = "performance" | "errors" | "endpoint";

export type TablePanel = {
  readonly id: string;
  readonly section: TablePanelSection;
  readonly title: string;
  /** What it answers, as a sentence. */
  readonly description: string;
  readonly shape: "lines" | "bars";
  readonly unit: string;
  /** Its columns: `time` or `name`, `value`, and `line` where there are several. */
  readonly sql: string;
};

export function tablePanels(place: TablePlace): readonly TablePanel[] {
  const from = (table: TableName) => `FROM ${quotedTable(place, table)}
WHERE endpoint_name = :endpoint
  AND timestamp > timestamp_seconds(unix_seconds(current_timestamp()) - :hours * 3600)`;
  const time = "timestamp_seconds(floor(unix_seconds(timestamp) / :bucket) * :bucket) AS time";
  const quantiles = [50, 95, 99]
    .map((part) => `percentile_disc(${part / 100}) WITHIN GROUP (ORDER BY latency_ms) AS p${part}`)
    .join(", ");
  const lines = (parts: Readonly<Record<string, string>>) =>
    Object.entries(parts)
      .map(([line, value]) => `SELECT time, '${line}' AS line, ${value} AS value FROM figures`)
      .join("\nUNION ALL ");
  const endpointMetric = (name: string) => `${from("metrics")}
  AND source = 'endpoint_metrics' AND metric_name ${name}`;

  return [
    {
      id: "latency",
      section: "performance",
      title: "Latency",
      description: "How long calls take: 50, 95 and 99 of 100 take no longer.",
      shape: "lines",
      unit: "ms",
      sql: `WITH figures AS (
SELECT ${time}, ${quantiles}
${from("requests")}
GROUP BY 1
)
${lines({ p50: "p50", p95: "p95", p99: "p99" })}
ORDER BY line, time`,
    },
    {
      id: "throughput",
      section: "performance",
      title: "Throughput",
      description: "How often the agent is called.",
      shape: "lines",
      unit: "requests/min",
      sql: `SELECT ${time}, COUNT(DISTINCT event_id) * 60.0D / :bucket AS value
${from("requests")}
GROUP BY 1 ORDER BY time`,
    },
    {
      id: "tokens",
      section: "performance",
      title: "Token usage",
      description: "What the models read (input) and wrote (output), where it is told.",
      shape: "lines",
      unit: "tokens/min",
      sql: `WITH figures AS (
SELECT ${time}, SUM(input_tokens) * 60.0D / :bucket AS input, SUM(output_tokens) * 60.0D / :bucket AS output
${from("module_calls")}
GROUP BY 1
)
${lines({ input: "input", output: "output" })}
ORDER BY line, time`,
    },
    {
      id: "slowest_modules",
      section: "performance",
      title: "Where the time goes",
      description: "The ten modules, models and tools that take most of the time themselves.",
      shape: "bars",
      unit: "seconds",
      sql: `SELECT concat(coalesce(path, '?'), ' (', coalesce(kind, '?'), ')') AS name, SUM(self_ms) / 1000 AS value
${from("module_calls")}
GROUP BY 1 HAVING SUM(self_ms) IS NOT NULL ORDER BY value DESC LIMIT 10`,
    },
    {
      id: "error_rate",
      section: "errors",
      title: "Error rate",
      description: "The share of calls that failed because of the agent.",
      shape: "lines",
      unit: "percent",
      sql: `SELECT ${time}, 100.0D * COUNT(DISTINCT CASE WHEN ${FAILED_SQL} THEN event_id END) / COUNT(DISTINCT event_id) AS value
${from("requests")}
GROUP BY 1 ORDER BY time`,
    },
    {
      id: "failures_by_class",
      section: "errors",
      title: "Failures by cause",
      description: "What failed requests failed of.",
      shape: "bars",
      unit: "requests",
      sql: `SELECT error_class AS name, COUNT(DISTINCT event_id) AS value
${from("requests")}
  AND error_class IS NOT NULL
GROUP BY 1 ORDER BY value DESC`,
    },
    {
      id: "error_patterns",
      section: "errors",
      title: "Error patterns",
      description: "Errors with the same cause, the ten most frequent.",
      shape: "bars",
      unit: "errors",
      sql: `SELECT concat(any_value(error_type), ': ', left(any_value(message), 60)) AS name, COUNT(DISTINCT event_id) AS value
${from("errors")}
GROUP BY group_id ORDER BY value DESC LIMIT 10`,
    },
    {
      id: "endpoint_requests",
      section: "endpoint",
      title: "Requests that the endpoint counted",
      description: "Per minute: all, and those that it answered with 4xx and 5xx.",
      shape: "lines",
      unit: "requests/min",
      sql: `SELECT ${time}, replace(metric_name, '_total', '') AS line, AVG(value) AS value
${endpointMetric("IN ('request_count_total', 'request_4xx_count_total', 'request_5xx_count_total')")}
GROUP BY 1, 2 ORDER BY line, time`,
    },
    {
      id: "endpoint_load",
      section: "endpoint",
      title: "Load of the endpoint",
      description: "Its busiest replica's processor and memory.",
      shape: "lines",
      unit: "percent",
      sql: `SELECT ${time}, replace(metric_name, '_usage_percentage', '') AS line, MAX(value) AS value
${endpointMetric("IN ('cpu_usage_percentage', 'mem_usage_percentage')")}
GROUP BY 1, 2 ORDER BY line, time`,
    },
  ];
}
