import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorTracker } from "../errors/error-tracker.ts";
import { HealthCheckManager } from "../health/health-check-manager.ts";
import { MetricsCollector } from "../metrics/metrics-collector.ts";
import { DashboardIntegration } from "./dashboard-integration.ts";

type Status = "healthy" | "degraded" | "unhealthy" | "unknown";

function check(
  name: string,
  statuses: readonly Status[],
  severities: readonly ("info" | "warning" | "error" | "critical")[],
  expected: { overallStatus: string; reasons: string[] },
) {
  test(name, async () => {
    const health = new HealthCheckManager();
    statuses.forEach((status, index) => {
      const component = `c${index}`;
      health.registerCheck(component, async () => ({
        name: component,
        status,
        message: "so it is",
      }));
    });
    const errors = new ErrorTracker();
    for (const severity of severities) errors.trackError("api.error", "it failed", { severity });
    const metrics = new MetricsCollector();
    const dashboard = new DashboardIntegration(health, metrics, errors);
    const { overallStatus, reasons } = await dashboard.getDashboardData({ timeRangeMinutes: 30 });
    assert.deepEqual({ overallStatus, reasons }, expected);
    metrics.close();
  });
}

const fine = { overallStatus: "healthy", reasons: [] };
check("nothing registered, nothing failed", [], [], fine);
check("all healthy", ["healthy", "healthy"], ["info", "warning"], fine);
check("an error is a warning", ["healthy"], ["error"], {
  overallStatus: "warning",
  reasons: ["1 error."],
});
check("what is not known is a warning", ["healthy", "unknown"], [], {
  overallStatus: "warning",
  reasons: ["c1 is unknown: so it is"],
});
check(
  "an unhealthy component is critical, and told first",
  ["degraded", "unhealthy"],
  ["error", "error"],
  {
    overallStatus: "critical",
    reasons: ["c1 is unhealthy: so it is", "c0 is degraded: so it is", "2 errors."],
  },
);
check("a critical error is critical", ["healthy"], ["critical"], {
  overallStatus: "critical",
  reasons: ["1 critical error."],
});

test("the metrics are those of the time range", async () => {
  const metrics = new MetricsCollector();
  metrics.recordRequest("qa", { latencyMs: 150, statusCode: 200 });
  const dashboard = new DashboardIntegration(new HealthCheckManager(), metrics, new ErrorTracker());
  const data = await dashboard.getDashboardData({ timeRangeMinutes: 30 });
  assert.equal(data.metrics.requestLatencyMs?.count, 1);
  assert.equal(data.timeRangeMinutes, 30);
  metrics.close();
});
