/**
 * Metrics over OTLP, both ways: OpenTelemetry's Python SDK pushes to `/v1/metrics`,
 * and ours arrives in a receiver that decodes with OpenTelemetry's own library, and
 * in the monitor.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createMetricsSender } from "../../src/export/metrics-sender.ts";
import { startOtlpPush } from "../../src/export/otlp/push.ts";
import { MetricsCollector } from "../../src/metrics/metrics-collector.ts";
import type { MetricsSnapshot } from "../../src/metrics/snapshot.ts";
import type { Sample } from "../../src/signals/sample.ts";
import { startMonitor } from "../start-monitor.ts";
import { freePort, runProgram, startProgram, until } from "./run-program.ts";

const python = new URL("../../.peers/python/bin/python", import.meta.url).pathname;
const service = new URL("otlp-metrics-push.py", import.meta.url).pathname;
const sink = new URL("otlp-metrics-sink.py", import.meta.url).pathname;

for (const temporality of ["cumulative", "delta"]) {
  for (const compression of ["none", "gzip"]) {
    test(`OpenTelemetry's Python SDK pushes ${temporality} metrics, compression ${compression}`, async () => {
      const { monitor, url, close } = await startMonitor();
      try {
        const args = [service, url, "billing", temporality, compression];
        const { code, output } = await runProgram(python, args);
        assert.equal(code, 0, output);
        const seen = monitor.state.pushed.samples("billing");
        const newest = (name: string) => seen.find((sample) => sample.name === name)?.value;
        const values = [
          "jobs",
          "queue",
          "duration_count",
          "duration_sum",
          "duration_p50",
          "duration_p99",
          "size_count",
          "size_sum",
          "temperature",
        ].map((name) => [name, newest(name)]);
        assert.deepEqual(Object.fromEntries(values), {
          jobs: 6,
          queue: 6,
          duration_count: 12,
          duration_sum: 18.15,
          duration_p50: 0.55,
          duration_p99: 10,
          size_count: 3,
          size_sum: 300,
          temperature: 21.5,
        });
        const labelsOf = (name: string) => seen.find((sample) => sample.name === name)?.labels;
        assert.deepEqual(labelsOf("jobs"), {
          cached: "true",
          kind: "good",
          "service.instance.id": "one",
          weight: "7",
        });
        assert.equal(labelsOf("temperature")?.room, 'a "b" ');
        const reasons = [...monitor.state.dropped.keys()];
        assert.deepEqual(reasons, [], "nothing of it is left out");
      } finally {
        await close();
      }
    });
  }
}

const TRACE_ID = "0102030405060708090a0b0c0d0e0f10";
const snapshot: MetricsSnapshot = {
  startMs: 1_795_465_657_140,
  timeMs: 1_795_465_667_140.25,
  series: [
    { kind: "counter", name: "request_total", labels: { endpoint: 'qa "1"\n€' }, value: 12 },
    { kind: "gauge", name: "active_connections", labels: {}, value: -0.25 },
    { kind: "gauge", name: "unknown", labels: {}, value: Number.NaN },
    {
      kind: "latency",
      name: "request_latency_ms",
      labels: { endpoint: "qa" },
      count: 4,
      sumMs: 3150,
      minMs: 50,
      maxMs: 2500,
      buckets: [
        { upToMs: 100, count: 1 },
        { upToMs: 1000, count: 3 },
        { upToMs: Number.POSITIVE_INFINITY, count: 4 },
      ],
      exemplar: { traceId: TRACE_ID, valueMs: 2500, timeMs: 1_795_465_660_000 },
    },
  ],
};

test("our push arrives in a neutral receiver, decoded by OpenTelemetry's own library", async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const receiver = startProgram(python, [sink, String(port)]);
  try {
    await until("the start of the receiver", async () => (await fetch(url)).ok || null);
    const push = startOtlpPush({
      url,
      token: "of-the-test",
      headers: { "x-reject": "yes" },
      resource: { "service.name": "billing", "service.instance.id": "one" },
      snapshot: () => snapshot,
    });
    await push.close();
    assert.deepEqual([push.stats().problem, push.stats().rejectedSeries], [null, 300]);

    const told = await until("what the receiver says", async () => JSON.parse(receiver.output()));
    assert.equal(told.path, "/v1/metrics");
    assert.equal(told.authorization, "Bearer of-the-test");
    const [{ resource, scopeMetrics }] = told.request.resourceMetrics;
    const attributesOf = (from: { attributes?: { key: string; value: object }[] }) =>
      Object.fromEntries((from.attributes ?? []).map(({ key, value }) => [key, value]));
    assert.deepEqual(attributesOf(resource)["service.name"], { stringValue: "billing" });

    const metrics = Object.fromEntries(
      scopeMetrics[0].metrics.map((metric: { name: string }) => [metric.name, metric]),
    );
    const start = "1795465657140000000";
    const time = "1795465667140250000";
    const { sum } = metrics.dspy_request_total;
    assert.equal(sum.isMonotonic, true);
    assert.equal(sum.aggregationTemporality, "AGGREGATION_TEMPORALITY_CUMULATIVE");
    assert.deepEqual(sum.dataPoints, [
      {
        startTimeUnixNano: start,
        timeUnixNano: time,
        asDouble: 12,
        attributes: [{ key: "endpoint", value: { stringValue: 'qa "1"\n€' } }],
      },
    ]);
    const { gauge } = metrics.dspy_active_connections;
    assert.deepEqual(gauge.dataPoints, [{ timeUnixNano: time, asDouble: -0.25 }]);
    assert.equal(metrics.dspy_unknown.gauge.dataPoints[0].asDouble, "NaN");
    const { unit, histogram } = metrics.dspy_request_latency_seconds;
    assert.equal(unit, "s");
    assert.deepEqual(histogram, {
      aggregationTemporality: "AGGREGATION_TEMPORALITY_CUMULATIVE",
      dataPoints: [
        {
          startTimeUnixNano: start,
          timeUnixNano: time,
          count: "4",
          sum: 3.15,
          bucketCounts: ["1", "2", "1"],
          explicitBounds: [0.1, 1],
          min: 0.05,
          max: 2.5,
          attributes: [{ key: "endpoint", value: { stringValue: "qa" } }],
          exemplars: [
            {
              timeUnixNano: "1795465660000000000",
              asDouble: 2.5,
              traceId: Buffer.from(TRACE_ID, "hex").toString("base64"),
            },
          ],
        },
      ],
    });
  } catch (error) {
    throw new Error(receiver.output(), { cause: error });
  } finally {
    await receiver.stop();
  }
});

test("our collector's push arrives in our monitor", async () => {
  const { monitor, url, close } = await startMonitor();
  const problems: string[] = [];
  const sender = createMetricsSender({
    env: { OTEL_SERVICE_NAME: "billing" },
    onProblem: ({ message }) => problems.push(message),
  });
  const metrics = new MetricsCollector({ sender });
  try {
    for (const latencyMs of [100, 200, 300]) {
      metrics.recordRequest("qa", { latencyMs, statusCode: 200 });
    }
    metrics.setGauge("active_connections", 42);
    const connection = metrics.connect({ url });
    await connection.flush();
    metrics.recordRequest("qa", { latencyMs: 400, statusCode: 200 });
    await connection.close();

    assert.deepEqual(problems, []);
    const seen = new Map<string, Sample>(
      monitor.state.pushed.samples("billing").map((sample) => [sample.name, sample]),
    );
    assert.equal(seen.get("dspy_request_total")?.value, 4);
    assert.equal(seen.get("dspy_request_latency_seconds_count")?.value, 4);
    assert.equal(seen.get("dspy_request_latency_seconds_sum")?.value, 1);
    assert.equal(seen.get("dspy_active_connections")?.value, 42);
  } finally {
    metrics.close();
    await close();
  }
});
