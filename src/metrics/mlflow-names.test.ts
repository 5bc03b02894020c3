/** Names for MLflow: whatever a metric and its labels are called, MLflow takes them, and none is lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MetricsCollector } from "./metrics-collector.ts";
import { MLFLOW_METRICS_MAX, mlflowName } from "./mlflow-names.ts";
import { createTestClock } from "./test-clock.ts";

/** As MLflow checks them: its characters, its length, and a path that stays what it is. */
function isTaken(name: string): boolean {
  const isPath = name.split("/").every((part) => part !== "" && part !== "." && part !== "..");
  return /^[\w.\- :/]{1,250}$/.test(name) && isPath && !name.startsWith("/");
}

for (const [name, labels, expected] of [
  [
    "request_total",
    { endpoint: "qa", status_code: "200" },
    "request_total/endpoint.qa/status_code.200",
  ],
  ["größe", {}, "gr__e"],
  ["a/b", { path: "/x/y" }, "a_b/path._x_y"],
  ["..", { "": "" }, "_/_"],
] as const) {
  test(`${name} ${JSON.stringify(labels)} is ${expected}`, () =>
    assert.equal(mlflowName(name, labels), expected));
}

test("the figures of a collector: latencies by their figures, counters and gauges by their labels", () => {
  const metrics = new MetricsCollector({ clock: createTestClock() });
  metrics.recordRequest("qa", { latencyMs: 150, statusCode: 200 });
  metrics.setGauge("active_connections", 42);
  metrics.setGauge("unknown", Number.NaN);
  assert.deepEqual(metrics.exportMlflowFormat(), {
    "request_latency_ms/count": 1,
    "request_latency_ms/avg": 150,
    "request_latency_ms/min": 150,
    "request_latency_ms/max": 150,
    "request_latency_ms/p50": 150,
    "request_latency_ms/p95": 150,
    "request_latency_ms/p99": 150,
    metrics_overflow_total: 0,
    metrics_window_skipped_total: 0,
    "metrics_rejected_total/reason.not_finite": 0,
    "metrics_rejected_total/reason.negative": 0,
    "metrics_rejected_total/reason.unreadable": 0,
    "request_total/endpoint.qa/status_code.200": 1,
    active_connections: 42,
  });
  metrics.close();
});

test("MLflow takes every name, and no two metrics share one", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 400 }),
    fc.constantFrom("a/b", "a_b", ".", ""),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text), { maxLength: 12 }), (gauges) => {
      const metrics = new MetricsCollector({ clock: createTestClock() });
      for (const [name, label] of gauges) metrics.setGauge(name, 1, { labels: { label } });
      const figures = metrics.exportMlflowFormat();
      const own = 5;
      const different = Object.keys(metrics.getAllMetrics().gauges).length;
      assert.equal(Object.keys(figures).length, Math.min(MLFLOW_METRICS_MAX, own + different));
      for (const name of Object.keys(figures)) assert.ok(isTaken(name), JSON.stringify(name));
      metrics.close();
    }),
    { numRuns: 40 },
  );
});

test("at most 1 000 figures, latencies first", () => {
  const metrics = new MetricsCollector({ clock: createTestClock() });
  for (let n = 0; n < 1_500; n++) metrics.incrementCounter("x", { labels: { n: `${n}` } });
  metrics.recordLatency("late", 5);
  const figures = metrics.exportMlflowFormat();
  assert.equal(Object.keys(figures).length, MLFLOW_METRICS_MAX);
  assert.equal(figures["late_latency_ms/count"], 1);
  metrics.close();
});
