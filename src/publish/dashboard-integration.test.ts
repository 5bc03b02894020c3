import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorTracker } from "../errors/error-tracker.ts";
import { HealthCheckManager } from "../health/health-check-manager.ts";
import { MetricsCollector } from "../metrics/metrics-collector.ts";
import { MonitorError } from "../monitor-error.ts";
import { DashboardIntegration, type DashboardOptions } from "./dashboard-integration.ts";

const START_MS = Date.UTC(2026, 0, 1);
const MINUTE_MS = 60_000;

/** A service on a clock that goes when it is told to. */
function service(options: DashboardOptions = {}) {
  let nowMs = START_MS;
  let elapsedMs = 0;
  const timers = new Set<{ readonly everyMs: number; nextMs: number; readonly run: () => void }>();
  const every = (everyMs: number, run: () => void) => {
    const timer = { everyMs, nextMs: nowMs + everyMs, run };
    timers.add(timer);
    return () => void timers.delete(timer);
  };
  const clock = { now: () => nowMs, every, after: () => () => {} };
  const health = new HealthCheckManager();
  const metrics = new MetricsCollector({ clock });
  const errors = new ErrorTracker({ clock, elapsedMs: () => elapsedMs });
  const dashboard = new DashboardIntegration(health, metrics, errors, { clock, ...options });
  return {
    health,
    metrics,
    errors,
    dashboard,
    timers,
    pass(minutes: number) {
      const untilMs = nowMs + minutes * MINUTE_MS;
      elapsedMs += minutes * MINUTE_MS;
      while (nowMs < untilMs) {
        nowMs += MINUTE_MS;
        for (const timer of timers) {
          while (timer.nextMs <= nowMs) {
            timer.nextMs += timer.everyMs;
            timer.run();
          }
        }
      }
    },
    async told(timeRangeMinutes = 30) {
      const { overallStatus, reasons } = await dashboard.getDashboardData({ timeRangeMinutes });
      return [overallStatus, ...reasons];
    },
    [Symbol.dispose]() {
      dashboard.close();
      metrics.close();
    },
  };
}

test("what the contract lists is there", async () => {
  using one = service();
  one.health.registerCheck("db", () => ({ status: "healthy", message: "It answers." }));
  one.metrics.recordRequest("qa", { latencyMs: 150, statusCode: 200, labels: { region: "west" } });
  one.metrics.recordRequest("qa", { latencyMs: 250, statusCode: 429 });
  one.metrics.recordRequest("qa", { latencyMs: 200, statusCode: 401 });
  one.metrics.recordRequest("qa", { latencyMs: 200, statusCode: 503 });
  one.metrics.recordLatency("inference_time", 100);
  one.metrics.setGauge("active_connections", 42);
  one.pass(1);
  const data = await one.dashboard.getDashboardData({ timeRangeMinutes: 30 });
  assert.deepEqual(Object.keys(data).toSorted(), [
    "errors",
    "health",
    "metrics",
    "overallStatus",
    "reasons",
    "timeRangeMinutes",
    "timestamp",
  ]);
  assert.equal(data.timestamp, "2026-01-01T00:01:00.000Z");
  const { requests, endpoints, latencies, counters, gauges, omittedSeries } = data.metrics;
  const { latencyMs, since, ...figures } = requests;
  assert.deepEqual(figures, {
    ...{ count: 4, failed: 1, throttled: 1, client: 1 },
    ...{ errorRatePercent: 25, throttledRatePercent: 25, clientRatePercent: 25 },
  });
  assert.deepEqual([latencyMs?.min, latencyMs?.max], [150, 250]);
  assert.equal(since, "2026-01-01T00:00:00.000Z");
  assert.deepEqual(
    endpoints.map(({ endpointName, count, latencyMs }) => [endpointName, count, latencyMs?.p99]),
    [["qa", 4, 250]],
  );
  assert.equal(latencies.inference_time_latency_ms?.p50, 100);
  assert.equal(gauges.active_connections, 42);
  assert.equal(counters['request_total{endpoint="qa",region="west",status_code="200"}'], 1);
  assert.equal(omittedSeries, 0);
  assert.equal(JSON.parse(JSON.stringify(data)).health.components[0].name, "db");
});

test("of thousands of series it holds the first thousand, and says how many there are more", async () => {
  using one = service();
  for (let n = 0; n < 3_000; n++) one.metrics.recordRequest(`e${n}`, { latencyMs: 1 });
  one.metrics.recordRequest("e7", { latencyMs: 1 });
  const { metrics } = await one.dashboard.getDashboardData();
  assert.equal(metrics.requests.count, 3_001);
  assert.equal(metrics.endpoints.length, 50);
  assert.equal(metrics.endpoints[0]?.endpointName, "other");
  assert.equal(metrics.endpoints[1]?.endpointName, "e7");
  assert.equal(Object.keys(metrics.counters).length, 1_000);
  assert.ok(metrics.omittedSeries >= 2_000);
});

test("what is not known is null, and nothing to do is healthy", async () => {
  using one = service();
  const { metrics, overallStatus } = await one.dashboard.getDashboardData();
  assert.equal(overallStatus, "healthy");
  const { errorRatePercent, throttledRatePercent, clientRatePercent } = metrics.requests;
  assert.deepEqual([errorRatePercent, throttledRatePercent, clientRatePercent], [null, null, null]);
  assert.equal(metrics.requests.latencyMs, null);
});

test("failures count as long as they are within the range", async () => {
  using one = service();
  const request = one.metrics.request({ endpointName: "qa" });
  for (let n = 0; n < 100; n++) request.record(10, n < 30 ? 500 : 200);
  assert.deepEqual(await one.told(), ["critical", "30 % of 100 requests failed."]);
  one.pass(20);
  for (let n = 0; n < 100; n++) request.record(10, 200);
  assert.deepEqual(await one.told(), ["critical", "15 % of 200 requests failed."]);
  one.pass(20);
  assert.deepEqual(await one.told(), ["healthy"]);
  assert.deepEqual(await one.told(60), ["critical", "15 % of 200 requests failed."]);
});

test("an error counts until it is resolved, and again when it is back", async () => {
  using one = service();
  const fail = () => one.errors.trackError("api.error", "it failed", { severity: "critical" });
  const id = fail();
  assert.deepEqual(await one.told(), [
    "critical",
    "Critical error: it failed (api.error)",
    "1 error with 0 requests.",
  ]);
  one.errors.resolve(String(id));
  assert.deepEqual(await one.told(), ["healthy"]);
  fail();
  assert.equal((await one.told())[0], "critical");
  one.pass(31);
  assert.deepEqual(await one.told(), ["healthy"]);
});

test("a breached pattern is told", async () => {
  using one = service();
  const pattern = { thresholdCount: 2, timeWindowSeconds: 300, alertCallback: () => {} };
  one.errors.registerPattern({ name: "twice", ...pattern });
  const request = one.metrics.request({ endpointName: "qa" });
  for (let n = 0; n < 1_000; n++) request.record(10, 200);
  one.errors.trackError("api.error", "it failed");
  assert.deepEqual(await one.told(), ["healthy"]);
  one.errors.trackError("api.error", "it failed");
  assert.deepEqual(await one.told(), ["warning", "Pattern twice: at least 2 errors within 300 s."]);
});

test("a latency is judged where a threshold is given", async () => {
  using one = service({ thresholds: { latencyP99ThresholdMs: 100 } });
  one.metrics.recordRequest("qa", { latencyMs: 250, statusCode: 200 });
  assert.deepEqual(await one.told(), [
    "warning",
    "The p99 of the latency is 250 ms, above 100 ms.",
  ]);
});

const wrong: readonly (readonly [string, () => unknown])[] = [
  ["a threshold below 0", () => service({ thresholds: { errorRateWarningPercent: -1 } })],
  ["a threshold that is no number", () => service({ thresholds: { errorThresholdCount: NaN } })],
  ["a time range of 0", () => service().told(0)],
  ["a time range that is no number", () => service().told(NaN)],
  ["a time range of more than a day", () => service().told(1_441)],
  [
    "a monitor without an address",
    () => service().dashboard.generateGrafanaDashboard({ monitorUrl: "localhost:4318" }),
  ],
  [
    "a link that is a script",
    () => service().dashboard.generateGrafanaDashboard({ monitorUrl: "javascript:alert(1)" }),
  ],
];
for (const [name, make] of wrong) {
  test(`${name} is refused with a hint`, async () => {
    await assert.rejects(
      async () => make(),
      (error) => error instanceof MonitorError && error.code === "CONFIG_INVALID" && !!error.hint,
    );
  });
}

test("the Grafana dashboard asks for the names that the metrics are exported by", () => {
  using one = service();
  const named = new MetricsCollector({ namespace: "my-app" });
  const dashboard = new DashboardIntegration(one.health, named, one.errors);
  const text = JSON.stringify(dashboard.generateGrafanaDashboard());
  named.recordRequest("qa", { latencyMs: 1 });
  assert.match(named.exportPrometheusFormat(), /^my_app_request_total\{/m);
  assert.match(text, /\bmy_app_request_total\{/);
  assert.doesNotMatch(text, /dspy_request_total/);
  const other = JSON.stringify(dashboard.generateGrafanaDashboard({ namespace: "" }));
  assert.match(other, /\(request_total\{/);
  dashboard.close();
  named.close();
});

test("a monitor's address loses what a link must not hold", () => {
  using one = service();
  const monitorUrl = "https://user:secret@monitor.example.com/dspy/?token=secret#x";
  const text = JSON.stringify(one.dashboard.generateGrafanaDashboard({ monitorUrl }));
  assert.match(text, /"https:\/\/monitor\.example\.com\/dspy\/#\/agents\//);
  assert.doesNotMatch(text, /secret/);
});

test("a closed one leaves no timer behind", () => {
  using one = service();
  const before = one.timers.size;
  one.dashboard.close();
  assert.equal(one.timers.size, before - 1);
});
