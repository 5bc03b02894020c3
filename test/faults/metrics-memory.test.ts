/**
 * A day of requests with labels that keep changing: memory stays under the bound that
 * `docs/metrics.md` states. 10 requests per simulated second; `MEMORY_FULL=1` makes it
 * the 1 000 of a busy service, 86.4 million in all, and prints what it took.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { FRESH_COUNTS_BYTES_MAX } from "../../src/metrics/fresh-counts.ts";
import { MetricsCollector, sharedBytesMax } from "../../src/metrics/metrics-collector.ts";
import { createTestClock } from "../../src/metrics/test-clock.ts";
import { WINDOWS_BYTES_MAX } from "../../src/metrics/windows.ts";

const isFull = process.env.MEMORY_FULL === "1";
const REQUESTS_PER_SECOND = isFull ? 1_000 : 10;
const SECONDS = 24 * 3_600;

/** As the docs have it, for names and labels of these many characters. */
function boundBytes(limits: { maxHistorySize: number; maxSeries: number }, charsOfSeries: number) {
  const heap = limits.maxSeries * (1_536 + 8 * charsOfSeries);
  return sharedBytesMax(limits) + 2 * WINDOWS_BYTES_MAX + FRESH_COUNTS_BYTES_MAX + heap;
}

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

function ownBytes(): { readonly heap: number; readonly buffers: number } {
  // Buffers are given back in the background of the first, before the end of the second.
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return { heap: heapUsed, buffers: arrayBuffers };
}

test("a hundred collectors that record a little take less than a mebibyte each, and no time", () => {
  const before = { ...ownBytes(), resident: process.memoryUsage.rss() };
  const startMs = process.cpuUsage().user / 1_000;
  const collectors = Array.from({ length: 100 }, () => {
    const metrics = new MetricsCollector();
    metrics.recordRequest("qa-agent", { latencyMs: 150, statusCode: 200 });
    metrics.recordRequest("triage", { latencyMs: 90, statusCode: 200 });
    assert.equal(metrics.getMetricSummary("latency_ms", { windowSeconds: 60 })?.count, 2);
    return metrics;
  });
  const tookMs = process.cpuUsage().user / 1_000 - startMs;
  const after = { ...ownBytes(), resident: process.memoryUsage.rss() };
  for (const metrics of collectors) {
    assert.ok(metrics.shareHandle().buffer.byteLength <= 2 ** 20);
    metrics.close();
  }
  const mibEach = (bytes: number) => bytes / collectors.length / 2 ** 20;
  const buffers = mibEach(after.buffers - before.buffers);
  assert.ok(buffers < 0.75, `${buffers} MiB of buffers each`);
  const resident = mibEach(after.resident - before.resident);
  assert.ok(resident < 1, `${resident} MiB of the machine's memory each`);
  assert.ok(tookMs < 2_000, `${tookMs} ms of processor time`);
});

test(`24 hours at ${REQUESTS_PER_SECOND} requests a second with changing labels stay under the bound`, () => {
  const limits = { maxHistorySize: 10_000, maxSeries: 20_000 };
  const before = ownBytes();
  const clock = createTestClock();
  const metrics = new MetricsCollector({ ...limits, maxSeriesPerMetric: 9_000, clock });
  const { buffer } = metrics.shareHandle();
  const charsOfSeries = 120;
  let largestBytes = 0;
  const shown: string[] = [];
  let requests = 0;
  for (let second = 0; second < SECONDS; second++) {
    clock.advance(1_000);
    // A release an hour, and customers that come and go: soon more series than allowed.
    const modelVersion = `v${Math.floor(second / 3_600)}`;
    const customer = `customer-${second >> 2}`;
    for (let i = 0; i < REQUESTS_PER_SECOND; i++) {
      const region = i % 2 === 0 ? "eu" : "us";
      metrics.recordRequest(`agent-${i % 10}`, {
        latencyMs: 50 + ((requests * 7_919) % 3_000),
        statusCode: requests % 50 === 0 ? 500 : 200,
        modelVersion,
        labels: i % 20 === 0 ? { region, customer } : { region },
      });
      requests++;
    }
    if (second % 60 === 0) metrics.getMetricSummary("latency_ms", { windowSeconds: 300 });
    if (second % (isFull ? 3_600 : 4 * 3_600) !== 0) continue;
    metrics.exportPrometheusFormat();
    const now = ownBytes();
    const heap = now.heap - before.heap;
    const buffers = now.buffers - before.buffers;
    largestBytes = Math.max(largestBytes, heap + buffers + buffer.byteLength);
    const mib = [buffer.byteLength, buffers, heap].map((bytes) => (bytes / 2 ** 20).toFixed(1));
    shown.push(`hour ${second / 3_600}: shared ${mib[0]}, windows ${mib[1]}, heap ${mib[2]} MiB`);
  }
  if (isFull) console.log(shown.join("\n"));

  assert.ok(buffer.byteLength <= sharedBytesMax(limits));
  const bound = boundBytes(limits, charsOfSeries);
  assert.ok(
    largestBytes <= bound,
    `${largestBytes} bytes, but at most ${bound}:\n${shown.join("\n")}`,
  );
  // It was a test: limits were reached, and nothing of a whole day is missing.
  assert.ok(metrics.overflowed > 0);
  const summary = metrics.getMetricSummary("latency_ms");
  assert.equal(summary?.count, SECONDS * REQUESTS_PER_SECOND);
  const { counters } = metrics.getAllMetrics();
  const counted = Object.entries(counters)
    .filter(([name]) => name.startsWith("request_total"))
    .reduce((sum, [, value]) => sum + value, 0);
  assert.equal(counted, SECONDS * REQUESTS_PER_SECOND);
  metrics.close();
});
