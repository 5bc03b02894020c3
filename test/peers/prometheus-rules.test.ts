/** The alerting rules of an agent in a real Prometheus: promtool takes them, and each fires on its own series. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { stringify } from "yaml";
import { prometheusRules } from "../../src/dashboards/prometheus-rules/prometheus-rules.ts";
import { LATENCY_BOUNDS_MS } from "../../src/live/tally.ts";
import { defaultAlertThresholds, thresholdRules } from "../../src/rules/alert-thresholds.ts";
import { runProgram } from "./run-program.ts";

const ENDPOINT = 'prod "qa" \\ {{ . }}';
const directory = mkdtempSync(join(tmpdir(), "prometheus-rules-"));
after(() => rmSync(directory, { recursive: true }));

const file = join(directory, "rules.yaml");
writeFileSync(
  file,
  prometheusRules(
    thresholdRules(ENDPOINT, { ...defaultAlertThresholds, latencyP99ThresholdMs: 1_000 }),
    { prefix: "dspy_", boundsMs: LATENCY_BOUNDS_MS },
  ),
);

test("promtool check rules takes them", async () => {
  const { code, output } = await runProgram("promtool", ["check", "rules", file]);
  assert.equal(code, 0, output);
  assert.match(output, /3 rules found/);
});

/** Per minute, what is counted of the agent's calls → which rules fire after ten minutes. */
async function check(
  perMinute: { readonly all: number; readonly slow: number; readonly failed: number },
  expected: readonly string[],
) {
  const { all, slow, failed } = perMinute;
  const endpoint = JSON.stringify(ENDPOINT);
  const series = (metric: string, labels: string, step: number) => ({
    series: `${metric}{endpoint=${endpoint}${labels}}`,
    values: `0+${step}x20`,
  });
  const alerts = ["DspyAgentLatencyP99", "DspyAgentSlowRequests", "DspyAgentErrorRate"];
  const path = join(directory, "test.yaml");
  const ruleOf: Record<string, string> = {
    DspyAgentLatencyP99: "latency_p99",
    DspyAgentSlowRequests: "slow_requests",
    DspyAgentErrorRate: "error_rate",
  };
  const summaries: Record<string, string> = {
    DspyAgentLatencyP99: `The p99 of ${ENDPOINT} is above 1000 ms.`,
    DspyAgentSlowRequests: `More than 10 calls of ${ENDPOINT} took longer than 1000 ms.`,
    DspyAgentErrorRate: `More than 5 % of the calls of ${ENDPOINT} failed because of it.`,
  };
  const text = stringify({
    rule_files: [file],
    evaluation_interval: "1m",
    tests: [
      {
        interval: "1m",
        input_series: [
          series("dspy_request_total", "", all),
          series("dspy_request_failures_total", ',error_class="timeout"', failed),
          series("dspy_request_failures_total", ',error_class="throttled"', all),
          series("dspy_request_latency_seconds_count", "", all),
          ...LATENCY_BOUNDS_MS.map((boundMs) =>
            series(
              "dspy_request_latency_seconds_bucket",
              `,le="${boundMs / 1_000}"`,
              boundMs <= 1_000 ? all - slow : all,
            ),
          ),
          series("dspy_request_latency_seconds_bucket", ',le="+Inf"', all),
        ],
        alert_rule_test: alerts.map((alertname) => ({
          eval_time: "10m",
          alertname,
          exp_alerts: expected.includes(alertname)
            ? [
                {
                  exp_labels: { severity: "warning", endpoint: ENDPOINT, rule: ruleOf[alertname] },
                  exp_annotations: { summary: summaries[alertname] },
                },
              ]
            : [],
        })),
      },
    ],
  });
  writeFileSync(path, text);
  const { code, output } = await runProgram("promtool", ["test", "rules", path]);
  assert.equal(code, 0, output);
}

test("all is well", () => check({ all: 100, slow: 0, failed: 0 }, []));
test("slow calls", () =>
  check({ all: 100, slow: 50, failed: 0 }, ["DspyAgentLatencyP99", "DspyAgentSlowRequests"]));
test("a few slow calls are not the p99", () =>
  check({ all: 1_000, slow: 5, failed: 0 }, ["DspyAgentSlowRequests"]));
test("failures", () => check({ all: 100, slow: 0, failed: 10 }, ["DspyAgentErrorRate"]));
test("failures of too few calls", () => check({ all: 2, slow: 0, failed: 1 }, []));
