/**
 * The one list of panels that every dashboard is made from: what it answers, and
 * the query that answers it, in PromQL. It is for the metrics of `MetricsCollector`
 * and for those of the monitor's own `/metrics`, which tell the same by the same
 * names and each something of its own. `test/peers/grafana.test.ts` asks each query
 * of a real Prometheus.
 *
 * In a query `$window` is the range that a rate is taken over, `$agents` selects
 * by job and endpoint, `$jobs` by job alone.
 */
import { failedOutcomes } from "../signals/call-outcome.ts";

export type MetricsSource = "service" | "monitor";

export type PanelQuery = {
  readonly promql: string;
  /** In Grafana's legend format; empty for a single line. */
  readonly legend: string;
  /** Where only one of the two has the metric. */
  readonly only?: MetricsSource;
};

export type PanelUnit =
  | "requests/s"
  | "calls/s"
  | "percent"
  | "seconds"
  | "tokens/s"
  | "spans/s"
  | "USD/h"
  | "count"
  | "yes or no";

export type Panel = {
  readonly title: string;
  /** What it answers, as sentences. */
  readonly description: string;
  /** One figure, lines over time, or how often which latency was. */
  readonly shape: "figure" | "lines" | "heatmap";
  readonly unit: PanelUnit;
  /** From where on a value is a warning, or critical. */
  readonly thresholds?: { readonly warning?: number; readonly critical?: number };
  /** Whether each line is an agent, so that a click on it may lead there. */
  readonly isByAgent?: boolean;
  readonly queries: readonly PanelQuery[];
};

export type Section = { readonly title: string; readonly panels: readonly Panel[] };

export type PanelOptions = {
  /** In front of every name, such as `dspy_`. */
  readonly prefix: string;
  readonly source: MetricsSource;
  /** From where on the error rate is a warning, and critical. */
  readonly errorRatePercent: { readonly warning: number; readonly critical: number };
  /** From where on the p99 is a warning; unknown by default. */
  readonly latencyP99Ms: number | undefined;
};

/** The sections that have something to show of this source. */
export function panelSections(options: PanelOptions): Section[] {
  return allSections(options)
    .map(({ title, panels }) => ({
      title,
      panels: panels
        .map((panel) => ({
          ...panel,
          queries: panel.queries.filter(
            ({ only }) => only === undefined || only === options.source,
          ),
        }))
        .filter(({ queries }) => queries.length > 0),
    }))
    .filter(({ panels }) => panels.length > 0);
}

function allSections({ prefix, errorRatePercent, latencyP99Ms }: PanelOptions): Section[] {
  const rate = (metric: string, matchers: string) =>
    `rate(${prefix}${metric}{${matchers}}[$window])`;
  const by = (labels: string, rates: string) => `sum by (${labels}) (${rates})`;
  const quantile = (fraction: number, metric: string, labels: string, matchers = "$agents") => {
    const kept = labels === "" ? "le" : `le, ${labels}`;
    return `histogram_quantile(${fraction}, ${by(kept, rate(`${metric}_bucket`, matchers))})`;
  };

  const requests = rate("request_total", "$agents");
  const requestsByAgent = by("endpoint", requests);
  // A service tells by status and outcome, the monitor by class.
  const failed = [
    rate("request_total", '$agents,status_code=~"5.."'),
    rate("request_total", `$agents,status_code!~"[45]..",outcome=~"${failedOutcomes.join("|")}"`),
    rate("request_failures_total", '$agents,error_class!~"throttled|client"'),
  ].join(" or ");
  const refused = [
    rate("request_total", '$agents,status_code=~"4.."'),
    rate("request_failures_total", '$agents,error_class=~"throttled|client"'),
  ].join(" or ");
  /** Without a failure so far there is no series of failures, but it is known that there was none. */
  const orNone = (promql: string) => `(${promql} or 0 * ${requestsByAgent})`;
  const shareOfAll = (part: string) => `100 * (sum(${part}) or vector(0)) / sum(${requests})`;
  const tokens = rate("token_total", "$agents");
  const cacheOperations = by("cache", rate("cache_operation_total", "$jobs"));
  const cacheHits = by("cache", rate("cache_operation_total", '$jobs,result="hit"'));

  return [
    {
      title: "Overview",
      panels: [
        {
          title: "Agents",
          description: "Agents that were called since the service or the monitor was started.",
          shape: "figure",
          unit: "count",
          queries: [
            {
              promql: `count(count by (endpoint) (${prefix}request_total{$agents}))`,
              legend: "",
            },
          ],
        },
        {
          title: "Requests",
          description: "How often the agents are called.",
          shape: "figure",
          unit: "requests/s",
          queries: [{ promql: `sum(${requests})`, legend: "" }],
        },
        {
          title: "Error rate",
          description:
            "The share of calls that failed because of the agent. Refused calls are counted apart.",
          shape: "figure",
          unit: "percent",
          thresholds: errorRatePercent,
          queries: [{ promql: shareOfAll(failed), legend: "" }],
        },
        {
          title: "Refused",
          description:
            "The share of calls that the endpoint itself refused: throttled (429), or wrong on the caller's side (other 4xx).",
          shape: "figure",
          unit: "percent",
          queries: [{ promql: shareOfAll(refused), legend: "" }],
        },
        {
          title: "Latency p99",
          description: "99 of 100 calls take no longer.",
          shape: "figure",
          unit: "seconds",
          ...(latencyP99Ms === undefined ? {} : { thresholds: { warning: latencyP99Ms / 1_000 } }),
          queries: [{ promql: quantile(0.99, "request_latency_seconds", ""), legend: "" }],
        },
        {
          title: "Tokens",
          description: "What the models read and wrote, where it is told.",
          shape: "figure",
          unit: "tokens/s",
          queries: [{ promql: `sum(${tokens})`, legend: "" }],
        },
        {
          title: "Alerts firing",
          description: "Alerts of the monitor that are firing now.",
          shape: "figure",
          unit: "count",
          thresholds: { critical: 1 },
          queries: [
            {
              promql: `sum(${prefix}alert_firing{$agents}) or vector(0)`,
              legend: "",
              only: "monitor",
            },
          ],
        },
      ],
    },
    {
      title: "Requests",
      panels: [
        {
          title: "Requests by agent",
          description: "How often each agent is called.",
          shape: "lines",
          unit: "requests/s",
          isByAgent: true,
          queries: [{ promql: requestsByAgent, legend: "{{endpoint}}" }],
        },
        {
          title: "Error rate by agent",
          description: "The share of calls of each agent that failed because of it.",
          shape: "lines",
          unit: "percent",
          thresholds: errorRatePercent,
          isByAgent: true,
          queries: [
            {
              promql: `100 * ${orNone(by("endpoint", failed))} / ${requestsByAgent}`,
              legend: "{{endpoint}}",
            },
          ],
        },
        {
          title: "Failures by cause",
          description:
            "Calls that failed because of the agent: by status and how they ended, or by error class.",
          shape: "lines",
          unit: "requests/s",
          isByAgent: true,
          queries: [
            {
              promql: orNone(by("endpoint, status_code, outcome", failed)),
              legend: "{{endpoint}} {{status_code}} {{outcome}}",
              only: "service",
            },
            {
              promql: orNone(by("endpoint, error_class", failed)),
              legend: "{{endpoint}} {{error_class}}",
              only: "monitor",
            },
          ],
        },
        {
          title: "Refused by agent",
          description:
            "Calls that the endpoint itself refused: throttled (429), or wrong on the caller's side (other 4xx).",
          shape: "lines",
          unit: "requests/s",
          isByAgent: true,
          queries: [
            {
              promql: orNone(by("endpoint, status_code", refused)),
              legend: "{{endpoint}} {{status_code}}",
              only: "service",
            },
            {
              promql: orNone(by("endpoint, error_class", refused)),
              legend: "{{endpoint}} {{error_class}}",
              only: "monitor",
            },
          ],
        },
      ],
    },
    {
      title: "Latency",
      panels: [
        {
          title: "Latency by agent",
          description:
            "How long calls of each agent take. A dot is a single call that leads to its trace.",
          shape: "lines",
          unit: "seconds",
          isByAgent: true,
          queries: [0.5, 0.95, 0.99].map((fraction) => ({
            promql: quantile(fraction, "request_latency_seconds", "endpoint"),
            legend: `{{endpoint}} p${fraction * 100}`,
          })),
        },
        {
          title: "Latencies",
          description: "How many calls took how long: two bands are two kinds of calls.",
          shape: "heatmap",
          unit: "seconds",
          queries: [
            {
              promql: `sum by (le) (increase(${prefix}request_latency_seconds_bucket{$agents}[$window]))`,
              legend: "{{le}}",
            },
          ],
        },
        {
          title: "Time to first content, p95",
          description:
            "When callers see something: of a stream its first piece, of any other answer the whole.",
          shape: "lines",
          unit: "seconds",
          isByAgent: true,
          queries: [
            {
              promql: `${quantile(0.95, "time_to_first_content_seconds", "endpoint")} or ${quantile(0.95, "request_latency_seconds", "endpoint")}`,
              legend: "{{endpoint}}",
              only: "service",
            },
          ],
        },
      ],
    },
    {
      title: "Models",
      panels: [
        {
          title: "Tokens by agent",
          description: "What the models read (input) and wrote (output), where it is told.",
          shape: "lines",
          unit: "tokens/s",
          isByAgent: true,
          queries: [
            { promql: by("endpoint, direction", tokens), legend: "{{endpoint}} {{direction}}" },
          ],
        },
        {
          title: "Tokens by model",
          description: "What each model read and wrote. Without a name: the answer told none.",
          shape: "lines",
          unit: "tokens/s",
          queries: [
            {
              promql: by("model, direction", tokens),
              legend: "{{model}} {{direction}}",
              only: "service",
            },
          ],
        },
        {
          title: "Cost by agent",
          description: "What the model calls cost in an hour at this rate, where telemetry tells.",
          shape: "lines",
          unit: "USD/h",
          isByAgent: true,
          queries: [
            {
              promql: `3600 * ${by("endpoint", rate("cost_usd_total", "$agents"))}`,
              legend: "{{endpoint}}",
              only: "monitor",
            },
          ],
        },
        {
          title: "DSPy cache hits",
          description: "Model calls that the cache of DSPy answered, where telemetry tells.",
          shape: "lines",
          unit: "calls/s",
          isByAgent: true,
          queries: [
            {
              promql: by("endpoint", rate("cache_hits_total", "$agents")),
              legend: "{{endpoint}}",
              only: "monitor",
            },
          ],
        },
      ],
    },
    {
      title: "Modules",
      panels: [
        {
          title: "Slowest modules, p95",
          description: "The ten DSPy modules, tools and retrievers that take longest.",
          shape: "lines",
          unit: "seconds",
          isByAgent: true,
          queries: [
            {
              promql: `topk(10, ${quantile(0.95, "module_latency_seconds", "endpoint, path, kind")})`,
              legend: "{{endpoint}} {{path}}",
              only: "monitor",
            },
          ],
        },
        {
          title: "Failing modules",
          description: "The ten DSPy modules, tools and retrievers that fail most often.",
          shape: "lines",
          unit: "calls/s",
          isByAgent: true,
          queries: [
            {
              promql: `topk(10, ${by("endpoint, path, kind", rate("module_failures_total", "$agents"))})`,
              legend: "{{endpoint}} {{path}}",
              only: "monitor",
            },
          ],
        },
      ],
    },
    {
      title: "Workflows and caches",
      panels: [
        {
          title: "Workflows, p95",
          description: "How long workflows take: 95 of 100 take no longer.",
          shape: "lines",
          unit: "seconds",
          queries: [
            {
              promql: quantile(0.95, "workflow_latency_seconds", "workflow", "$jobs"),
              legend: "{{workflow}}",
              only: "service",
            },
          ],
        },
        {
          title: "Workflows by outcome",
          description: "How often workflows are executed, and how they end.",
          shape: "lines",
          unit: "calls/s",
          queries: [
            {
              promql: by("workflow, outcome", rate("workflow_total", "$jobs")),
              legend: "{{workflow}} {{outcome}}",
              only: "service",
            },
          ],
        },
        {
          title: "Cache hits",
          description: "The share of look-ups that a cache answered.",
          shape: "lines",
          unit: "percent",
          queries: [
            {
              promql: `100 * (${cacheHits} or 0 * ${cacheOperations}) / ${cacheOperations}`,
              legend: "{{cache}}",
              only: "service",
            },
          ],
        },
      ],
    },
    {
      title: "Monitoring itself",
      panels: [
        {
          title: "Records left out",
          description:
            "Records that were no measurement, such as NaN, and those that count in an overflow series because a limit was reached.",
          shape: "lines",
          unit: "count",
          queries: [
            {
              promql: `sum by (reason) (increase(${prefix}metrics_rejected_total{$jobs}[$window]))`,
              legend: "{{reason}}",
              only: "service",
            },
            {
              promql: `sum(increase(${prefix}metrics_overflow_total{$jobs}[$window]))`,
              legend: "overflow",
              only: "service",
            },
          ],
        },
        {
          title: "Telemetry left out",
          description: "Spans and values that the monitor left out, by reason.",
          shape: "lines",
          unit: "count",
          queries: [
            {
              promql: `sum by (reason) (increase(${prefix}telemetry_dropped_total{$jobs}[$window])) or vector(0)`,
              legend: "{{reason}}",
              only: "monitor",
            },
            {
              promql: `sum(increase(${prefix}telemetry_refused_total{$jobs}[$window])) or vector(0)`,
              legend: "refused bodies",
              only: "monitor",
            },
          ],
        },
        {
          title: "Telemetry",
          description: "Spans that the monitor takes. At 0, the agents send none.",
          shape: "lines",
          unit: "spans/s",
          queries: [
            {
              promql: `sum(${rate("telemetry_spans_total", "$jobs")})`,
              legend: "spans",
              only: "monitor",
            },
          ],
        },
        {
          title: "Components",
          description: "1 where the last check found it healthy, 0 where not.",
          shape: "lines",
          unit: "yes or no",
          queries: [
            {
              promql: `min by (component) (${prefix}endpoint_healthy{$jobs})`,
              legend: "{{component}}",
              only: "monitor",
            },
          ],
        },
      ],
    },
  ];
}
