/**
 * The one list of panels that every dashboard is made from: what it answers, and
 * the query that answers it. The metrics are those that `MetricsCollector` and the
 * monitor both expose. `test/peers/grafana.test.ts` asks each query of a real
 * Prometheus.
 */
export type PanelQuery = {
  /** PromQL. `$window` is the range that a rate is taken over. */
  readonly promql: string;
  /** In Grafana's legend format. */
  readonly legend: string;
};

export type PanelUnit = "requests/s" | "percent" | "seconds" | "tokens/s" | "count";

export type Panel = {
  readonly title: string;
  /** What it answers, as one sentence. */
  readonly description: string;
  readonly unit: PanelUnit;
  readonly queries: readonly PanelQuery[];
};

const quantile = (fraction: number, metric: string, by: string) =>
  `histogram_quantile(${fraction}, sum by (le, ${by}) (rate(${metric}_bucket[$window])))`;

const requestRate = "sum by (endpoint) (rate(dspy_request_total[$window]))";

export const panels: readonly Panel[] = [
  {
    title: "Requests",
    description: "How often each agent is called.",
    unit: "requests/s",
    queries: [{ promql: requestRate, legend: "{{endpoint}}" }],
  },
  {
    title: "Error rate",
    description: "The share of calls that failed because of the agent.",
    unit: "percent",
    queries: [
      {
        promql: `100 * (sum by (endpoint) (rate(dspy_request_failures_total[$window])) or sum by (endpoint) (rate(dspy_request_total{status_code=~"5.."}[$window])) or 0 * ${requestRate}) / ${requestRate}`,
        legend: "{{endpoint}}",
      },
    ],
  },
  {
    title: "Latency",
    description: "How long calls of each agent take.",
    unit: "seconds",
    queries: [0.5, 0.95, 0.99].map((fraction) => ({
      promql: quantile(fraction, "dspy_request_latency_seconds", "endpoint"),
      legend: `{{endpoint}} p${fraction * 100}`,
    })),
  },
  {
    title: "Refused calls",
    description:
      "Calls that the endpoint itself refused: throttled, or wrong on the caller's side.",
    unit: "requests/s",
    queries: [
      {
        promql: `sum by (endpoint, status_code) (rate(dspy_request_total{status_code=~"4.."}[$window])) or 0 * ${requestRate}`,
        legend: "{{endpoint}} {{status_code}}",
      },
    ],
  },
  {
    title: "Tokens",
    description: "What the models read and wrote.",
    unit: "tokens/s",
    queries: [
      {
        promql: "sum by (endpoint, direction) (rate(dspy_token_total[$window]))",
        legend: "{{endpoint}} {{direction}}",
      },
    ],
  },
  {
    title: "Workflows",
    description: "How long workflows take, 95 of 100.",
    unit: "seconds",
    queries: [
      {
        promql: quantile(0.95, "dspy_workflow_latency_seconds", "workflow"),
        legend: "{{workflow}}",
      },
    ],
  },
  {
    title: "Cache hits",
    description: "The share of look-ups that a cache answered.",
    unit: "percent",
    queries: [
      {
        promql:
          '100 * sum by (cache) (rate(dspy_cache_operation_total{result="hit"}[$window])) / sum by (cache) (rate(dspy_cache_operation_total[$window]))',
        legend: "{{cache}}",
      },
    ],
  },
  {
    title: "Records left out",
    description: "What was no measurement, and what was counted in an overflow series.",
    unit: "count",
    queries: [
      {
        promql: "sum by (reason) (increase(dspy_metrics_rejected_total[$window]))",
        legend: "{{reason}}",
      },
      { promql: "sum(increase(dspy_metrics_overflow_total[$window]))", legend: "overflow" },
    ],
  },
];
