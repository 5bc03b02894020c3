/** Request counts are those of the last complete minute, and what was not measured is absent. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createTestClock } from "../test-clock.ts";
import { createEndpointMetrics, type ProcessUse } from "./endpoint-metrics.ts";

const MINUTE_MS = 60_000;

/** Each row is a minute's answers; then the series are those at the start of the next minute. */
async function check(
  minutes: readonly (readonly { status: number; latencyMs: number }[])[],
  expected: Readonly<Record<string, number | undefined>>,
  use: ProcessUse | null = null,
) {
  const clock = createTestClock(1_800_000_000_000);
  const metrics = createEndpointMetrics({
    clock,
    processUse: () => use,
    provisionedConcurrency: () => 4,
    isCold: () => false,
  });
  for (const [i, requests] of minutes.entries()) {
    if (i > 0) await clock.advance(MINUTE_MS);
    for (const request of requests) metrics.count(request);
  }
  const lines = metrics.prometheusText().split("\n");
  for (const [series, value] of Object.entries(expected)) {
    const line = lines.find((each) => each.startsWith(`${series} `));
    assert.equal(line && Number(line.slice(series.length + 1)), value, series);
  }
}

const ok = { status: 200, latencyMs: 120 };
const failed = { status: 400, latencyMs: 30 };
const broken = { status: 503, latencyMs: 9 };

test("before the first minute is over, nothing is said of requests", () =>
  check([[ok]], { request_count_total: undefined, request_latency_ms_count: 1 }));
test("a complete minute is counted by status", () =>
  check([[ok, ok, failed, broken], [ok]], {
    request_count_total: 4,
    request_4xx_count_total: 1,
    request_5xx_count_total: 1,
  }));
test("the count of one minute does not contain that of another", () =>
  check([[ok, ok, ok], [ok], []], { request_count_total: 1, request_4xx_count_total: 0 }));
test("a minute without requests counts none", () =>
  check([[ok], [], []], { request_count_total: 0 }));
test("latencies are counted since the start", () =>
  check([[ok, failed], [broken], []], {
    'request_latency_ms_bucket{le="10"}': 1,
    'request_latency_ms_bucket{le="50"}': 2,
    'request_latency_ms_bucket{le="250"}': 3,
    'request_latency_ms_bucket{le="+Inf"}': 3,
    request_latency_ms_sum: 159,
    request_latency_ms_count: 3,
  }));
test("the use of the machine is absent until it was measured", () =>
  check([[ok], []], { cpu_usage_percentage: undefined, mem_usage_percentage: undefined }));
test("the use of the machine is told once it was measured", () =>
  check(
    [[ok], []],
    { cpu_usage_percentage: 12.5, mem_usage_percentage: 3 },
    { cpuPercent: 12.5, memoryPercent: 3 },
  ));

test("an old minute is not told as the last one", async () => {
  const clock = createTestClock(1_800_000_000_000);
  const metrics = createEndpointMetrics({
    clock,
    processUse: () => null,
    provisionedConcurrency: () => 4,
    isCold: () => false,
  });
  metrics.count(ok);
  await clock.advance(5 * MINUTE_MS);
  assert.match(metrics.prometheusText(), /^request_count_total 0$/m);
});

test("each metric is declared once, with its type", async () => {
  const clock = createTestClock();
  const metrics = createEndpointMetrics({
    clock,
    processUse: () => null,
    provisionedConcurrency: () => 4,
    isCold: () => false,
  });
  const types = metrics.prometheusText().match(/^# TYPE .*$/gm);
  assert.deepEqual(types, [
    "# TYPE provisioned_concurrent_requests_total gauge",
    "# TYPE request_latency_ms histogram",
  ]);
});
