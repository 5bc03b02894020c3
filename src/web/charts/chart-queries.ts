/**
 * The queries that make a chart in a Prometheus that scrapes the monitor's
 * `/metrics`, for a dashboard or a rule of one's own.
 */
import type { ChartId } from "../route.ts";

export type ChartQuery = { readonly label: string; readonly promql: string };

/** Long enough for scrapes a minute apart with one of them lost. */
const WINDOW = "5m";

export function chartQueries(id: ChartId, endpoint: string): ChartQuery[] {
  const series = (name: string) => `${name}{endpoint=${quoted(endpoint)}}[${WINDOW}]`;
  const perSecond = (name: string) => `rate(${series(name)})`;
  switch (id) {
    case "latency":
      return [
        ["p99", 0.99],
        ["p95", 0.95],
        ["p50", 0.5],
      ].map(([label, quantile]) => ({
        label: String(label),
        promql: `histogram_quantile(${quantile}, sum by (le) (${perSecond("dspy_request_latency_seconds_bucket")}))`,
      }));
    case "traffic":
      return [
        { label: "all", promql: `sum(${perSecond("dspy_request_total")})` },
        { label: "failed", promql: `sum(${perSecond("dspy_request_failures_total")})` },
      ];
    case "errors":
      return [
        {
          label: "by class",
          promql: `sum by (error_class) (${perSecond("dspy_request_failures_total")})`,
        },
      ];
    case "tokens":
      return [
        {
          label: "by direction",
          promql: `sum by (direction) (${perSecond("dspy_token_total")})`,
        },
      ];
    case "cost":
      return [{ label: "cost", promql: `sum(increase(${series("dspy_cost_usd_total")}))` }];
  }
}

/** As a string of PromQL, which escapes as Go does. */
function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
