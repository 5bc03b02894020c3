/**
 * The components as their contract has them: one program that uses each call once, as a
 * service would, and what every call gives. What they mean in detail is tested beside
 * each of them.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import {
  DashboardIntegration,
  ErrorSeverity,
  ErrorTracker,
  HealthCheckManager,
  HealthStatus,
  MetricsCollector,
  OverallStatus,
} from "../src/monitoring.ts";

const keys = (value: object) => Object.keys(value).toSorted();

test("health checks", async () => {
  const healthManager = new HealthCheckManager({ timeoutSeconds: 30 });
  healthManager.registerCheck("vector_store", async () => ({
    name: "vector_store",
    status: HealthStatus.HEALTHY,
    message: "Vector store is accessible",
  }));
  const { components, timestamp, ...status } = await healthManager.runAllChecks();
  assert.deepEqual(status, {
    status: "healthy",
    summary: { total: 1, healthy: 1, degraded: 0, unhealthy: 0, unknown: 0 },
  });
  assert.ok(Date.now() - Date.parse(timestamp) < 60_000);
  assert.equal(components[0]?.message, "Vector store is accessible");
  assert.deepEqual(
    [healthManager.unregisterCheck("vector_store"), healthManager.unregisterCheck("vector_store")],
    [true, false],
  );
  assert.equal((await healthManager.runAllChecks()).summary.total, 0);
});

test("metrics", async () => {
  const metrics = new MetricsCollector({ maxHistorySize: 10_000 });
  metrics.recordRequest("qa-agent", {
    latencyMs: 150,
    statusCode: 200,
    modelVersion: "v2",
    labels: { environment: "prod", region: "us-west", customer_tier: "premium" },
  });
  metrics.incrementCounter("requests_total", { labels: { endpoint: "qa" } });
  metrics.recordLatency("inference_time", 250.0);
  metrics.setGauge("active_connections", 42);
  metrics.recordTokenUsage("qa-agent", {
    inputTokens: 263,
    outputTokens: 57,
    model: "databricks-claude-sonnet",
  });
  metrics.recordWorkflowExecution("triage", { durationMs: 900, success: true, steps: 3 });
  metrics.recordCacheOperation("answers", { hit: true });

  const summary = metrics.getMetricSummary("latency_ms", { windowSeconds: 3600 });
  assert.deepEqual(summary, {
    ...{ count: 1, sum: 150, min: 150, max: 150, avg: 150, p50: 150, p95: 150, p99: 150 },
    exact: true,
  });
  assert.equal((summary?.p95 ?? 0) * 1.5, 225);
  assert.equal(metrics.getMetricSummary("never_recorded"), undefined);
  assert.match(metrics.exportPrometheusFormat(), /^dspy_requests_total\{endpoint="qa"\} 1$/m);
  assert.equal(metrics.exportMlflowFormat()["inference_time_latency_ms/p95"], 250);

  const handle = structuredClone(metrics.shareHandle()); // as workerData
  const recorder = MetricsCollector.attach(handle);
  recorder.recordRequest("qa-agent", { latencyMs: 50, statusCode: 200 });
  recorder.close();
  assert.equal(metrics.getMetricSummary("latency_ms")?.count, 2);

  const receiver = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.writeHead(200).end());
  }).listen(0, "127.0.0.1");
  await once(receiver, "listening");
  const arrived = once(receiver, "request");
  const address = receiver.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const connection = metrics.connect({ url: `http://127.0.0.1:${port}` });
  await connection.flush();
  const [{ url }] = await arrived;
  assert.equal(url, "/v1/metrics");
  await connection.close();
  metrics.close();
  receiver.closeAllConnections();
  receiver.close();
});

test("errors", () => {
  const errorTracker = new ErrorTracker();
  const alerts: number[] = [];
  errorTracker.registerPattern({
    name: "high_error_rate",
    errorTypes: ["api.error", "model.error"],
    thresholdCount: 10,
    timeWindowSeconds: 300,
    alertCallback: (errors) => alerts.push(errors.length),
  });
  const error = new Error("connect ECONNREFUSED 127.0.0.1:443");
  for (let n = 0; n < 10; n++) {
    errorTracker.trackError("api.error", "Model inference failed", {
      severity: ErrorSeverity.ERROR,
      agentName: "qa",
      context: {},
      error,
    });
  }
  assert.deepEqual(alerts, [10]);
  errorTracker.trackAgentError("qa", "timeout", "The answer took too long");
  errorTracker.trackDeploymentError("prod-qa", "registration", "The model was refused");
  const recent = errorTracker.getRecentErrors({
    minutes: 5,
    severities: ["error"],
    errorType: "api",
  });
  assert.equal(recent.length, 10);
  const summary = errorTracker.getErrorSummary({ timeWindowMinutes: 60 });
  assert.deepEqual([summary.totalErrors, summary.uniqueErrors], [12, 3]);
  assert.deepEqual(summary.byType, {
    "api.error": 10,
    "agent.timeout": 1,
    "deployment.registration": 1,
  });
  assert.equal(summary.bySeverity.error, 12);
  assert.equal(summary.groups[0]?.count, 10);
});

test("one status, and a dashboard", async () => {
  const metrics = new MetricsCollector();
  const dashboard = new DashboardIntegration(new HealthCheckManager(), metrics, new ErrorTracker());
  const data = await dashboard.getDashboardData({ timeRangeMinutes: 30 });
  assert.deepEqual(keys(data), [
    ...["errors", "health", "metrics", "overallStatus", "reasons"],
    ...["timeRangeMinutes", "timestamp"],
  ]);
  assert.equal(data.overallStatus, OverallStatus.HEALTHY);
  const { title, panels } = dashboard.generateGrafanaDashboard().dashboard;
  assert.equal(title, "DSPy Agent Monitoring");
  assert.ok(panels.length > 5);
  dashboard.close();
  metrics.close();
});

test("unions of words are constants, too", () => {
  assert.deepEqual(
    [HealthStatus.HEALTHY, ErrorSeverity.CRITICAL, OverallStatus.WARNING],
    ["healthy", "critical", "warning"],
  );
});
