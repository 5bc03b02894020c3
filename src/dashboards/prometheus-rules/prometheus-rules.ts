/**
 * The rules of one agent as alerting rules of Prometheus, over the monitor's `/metrics`:
 * the text of a rule file. Pure.
 *
 * A histogram knows how many calls were slower than one of its bounds, and nothing in
 * between: slow calls are counted from the next bound on, so never too many of them.
 */
import { stringify } from "yaml";
import type { ThresholdRule } from "../../rules/alert-thresholds.ts";

export type PrometheusRulesOptions = {
  /** In front of every name, such as `dspy_`. */
  readonly prefix: string;
  /** Of the latency histogram, ascending. */
  readonly boundsMs: readonly number[];
};

export function prometheusRules(
  rules: readonly ThresholdRule[],
  options: PrometheusRulesOptions,
): string {
  const [first] = rules;
  const groups = first
    ? [
        {
          name: `dspy-databricks ${first.endpointName}`,
          rules: rules.map((rule) => {
            const { alert, expr, summary } = words[rule.kind](rule, options);
            return {
              alert,
              expr,
              labels: { severity: "warning", endpoint: named(rule), rule: rule.kind },
              annotations: { summary },
            };
          }),
        },
      ]
    : [];
  return stringify({ groups }, { lineWidth: 0 });
}

type Words = { readonly alert: string; readonly expr: string; readonly summary: string };

const words: Readonly<
  Record<ThresholdRule["kind"], (rule: ThresholdRule, options: PrometheusRulesOptions) => Words>
> = {
  latency_p99(rule, options) {
    const buckets = increase("request_latency_seconds_bucket", rule, options);
    return {
      alert: "DspyAgentLatencyP99",
      expr: `histogram_quantile(0.99, sum by (le) (${buckets})) > ${rule.threshold / 1_000}`,
      summary: `The p99 of ${named(rule)} is above ${rule.threshold} ms.`,
    };
  },
  slow_requests(rule, options) {
    const slowerThanMs = rule.slowerThanMs ?? 0;
    const boundMs = options.boundsMs.find((bound) => bound >= slowerThanMs);
    const all = `sum(${increase("request_latency_seconds_count", rule, options)})`;
    const quick =
      boundMs === undefined
        ? all
        : `sum(${increase("request_latency_seconds_bucket", rule, options, `,le="${boundMs / 1_000}"`)})`;
    return {
      alert: "DspyAgentSlowRequests",
      expr: `${all} - ${quick} > ${rule.threshold}`,
      summary: `More than ${rule.threshold} calls of ${named(rule)} took longer than ${boundMs ?? slowerThanMs} ms.`,
    };
  },
  error_rate(rule, options) {
    const failures = increase(
      "request_failures_total",
      rule,
      options,
      ',error_class!~"throttled|client"',
    );
    const all = `sum(${increase("request_total", rule, options)})`;
    return {
      alert: "DspyAgentErrorRate",
      expr: `100 * sum(${failures}) / ${all} > ${rule.threshold} and ${all} >= ${rule.minRequests}`,
      summary: `More than ${rule.threshold} % of the calls of ${named(rule)} failed because of it.`,
    };
  },
};

function increase(
  metric: string,
  { endpointName, windowSeconds }: ThresholdRule,
  { prefix }: PrometheusRulesOptions,
  matchers = "",
): string {
  return `increase(${prefix}${metric}{endpoint=${JSON.stringify(endpointName)}${matchers}}[${windowSeconds}s])`;
}

/** Labels and annotations are templates: a name that looks like one becomes a text of it. */
function named({ endpointName }: ThresholdRule): string {
  return endpointName.includes("{{") ? `{{ ${JSON.stringify(endpointName)} }}` : endpointName;
}
