/**
 * Totals over real worker threads. `WORKER_RUNS=200` repeats the runs with terminated
 * workers that often, each with a seed of its own, and starts 300 workers one after the
 * other; without it all takes seconds.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { MonitorError } from "../monitor-error.ts";
import { MetricsCollector } from "./metrics-collector.ts";
import { WORKER_RING_SAMPLES } from "./ring.ts";
import {
  TALLY_AGENTS,
  TALLY_LATENCIES,
  TALLY_REJECTED,
  TALLY_TOKENS,
  type WorkerTask,
} from "./test-worker-task.ts";

const isLong = process.env.WORKER_RUNS !== undefined;
const RUNS = Number(process.env.WORKER_RUNS ?? 2);
const WORKERS = 8;
const AGENTS = 5;
const url = new URL("./test-worker.ts", import.meta.url);

type Running = {
  readonly worker: Worker;
  readonly tally: Int32Array;
  readonly began: Promise<unknown>;
  readonly ended: Promise<unknown>;
};

function start(metrics: MetricsCollector, options: Partial<WorkerTask>): Running {
  const tally = new SharedArrayBuffer((TALLY_AGENTS + AGENTS) * 4);
  const task: WorkerTask = {
    metrics: metrics.shareHandle(),
    tally,
    seed: 1,
    records: 1_000,
    agents: AGENTS,
    closes: false,
    ...options,
  };
  const worker = new Worker(url, { workerData: task });
  return {
    worker,
    tally: new Int32Array(tally),
    began: once(worker, "message"),
    ended: once(worker, "exit"),
  };
}

/** What the collector counted, in the order of a tally. */
function totals(metrics: MetricsCollector): number[] {
  const { counters, latencies } = metrics.getAllMetrics();
  const sum = (pattern: RegExp) =>
    Object.entries(counters)
      .filter(([name]) => pattern.test(name))
      .reduce((all, [, value]) => all + value, 0);
  const found: number[] = [];
  found[TALLY_TOKENS] = sum(/^token_total\{/) / 3;
  found[TALLY_LATENCIES] = latencies.step_latency_ms?.count ?? 0;
  found[TALLY_REJECTED] = metrics.rejected;
  for (let agent = 0; agent < AGENTS; agent++) {
    found[TALLY_AGENTS + agent] = sum(new RegExp(`^request_total\\{endpoint="agent-${agent}"`));
  }
  return found;
}

/** Once nobody records any more: a request is in its latency and its counter, or in neither. */
function assertRequestsAreWhole(metrics: MetricsCollector): void {
  const { counters, latencies } = metrics.getAllMetrics();
  const bySeries = new Map<string, number>();
  for (const [name, value] of Object.entries(counters)) {
    if (!name.startsWith("request_total{")) continue;
    const series = name.replace(/^request_total|,status_code="\d+"/g, "");
    bySeries.set(series, (bySeries.get(series) ?? 0) + value);
  }
  for (const [name, { count }] of Object.entries(latencies)) {
    if (!name.startsWith("request_latency_ms{")) continue;
    assert.equal(bySeries.get(name.replace("request_latency_ms", "")), count, name);
  }
}

function tallied(workers: readonly Running[]): number[] {
  return Array.from({ length: TALLY_AGENTS + AGENTS }, (_, at) =>
    workers.reduce((sum, { tally }) => sum + Atomics.load(tally, at), 0),
  );
}

const allOf = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);

test("workers that end by themselves: every total is exact", async () => {
  const metrics = new MetricsCollector();
  const workers = Array.from({ length: WORKERS }, (_, i) =>
    start(metrics, { seed: i + 1, records: 10_000, closes: i % 2 === 0 }),
  );
  await Promise.all(workers.map(({ ended }) => ended));
  assert.deepEqual(totals(metrics), tallied(workers));
  assert.equal(allOf(tallied(workers)), WORKERS * 10_000);
  assertRequestsAreWhole(metrics);
  metrics.close();
});

test("of each call that a worker recorded it is known how it ended, while it is held", async () => {
  const metrics = new MetricsCollector();
  const worker = start(metrics, { records: 3_000 });
  await worker.ended;
  const { counters } = metrics.getAllMetrics();
  const counted = (status: number) =>
    Object.entries(counters)
      .filter(([name]) => name.startsWith("request_total") && name.includes(`"${status}"`))
      .reduce((sum, [, value]) => sum + value, 0);
  const held = Map.groupBy(metrics.getHeldLatencies(), ({ request }) => request?.statusCode);
  for (const status of [200, 500]) {
    assert.ok(counted(status) > 100);
    assert.equal(held.get(status)?.length, counted(status));
  }
  assert.deepEqual(
    new Set(held.get(undefined)?.map(({ name }) => name)),
    new Set(["step_latency_ms"]),
  );
  metrics.close();
});

for (let run = 1; run <= RUNS; run++) {
  test(`run ${run}: workers terminated midway lose no call that returned`, async (context) => {
    const metrics = new MetricsCollector();
    const workers = Array.from({ length: WORKERS }, (_, i) => {
      const isTerminated = i % 2 === 0;
      return start(metrics, {
        seed: run * 1_000 + i,
        records: isTerminated ? Number.POSITIVE_INFINITY : 5_000 + run * 100,
        closes: i % 4 === 1,
      });
    });
    context.after(() => Promise.all(workers.map(({ worker }) => worker.terminate())));
    await Promise.all(workers.map(({ began }) => began));
    for (const [i, { worker }] of workers.entries()) {
      // Scrapes go on meanwhile, and see no total sink.
      const before = allOf(totals(metrics));
      if (i % 2 === 0) await worker.terminate();
      assert.ok(allOf(totals(metrics)) >= before);
    }
    await Promise.all(workers.map(({ ended }) => ended));

    assertRequestsAreWhole(metrics);
    const actual = totals(metrics);
    const returned = tallied(workers);
    const inFlight = actual.map((count, at) => count - (returned[at] ?? 0));
    assert.ok(
      inFlight.every((count) => count >= 0),
      `lost: ${inFlight}`,
    );
    assert.ok(allOf(inFlight) <= WORKERS / 2, `counted without a call: ${inFlight}`);
    metrics.close();
  });
}

test("workers that come and go, one after the other, find a place and need no more memory", async () => {
  const metrics = new MetricsCollector();
  const handle = metrics.shareHandle();
  // So that few are left, and all workers together need more.
  const others = Array.from({ length: 250 }, () => MetricsCollector.attach(handle));
  let bytesAfterFirst = 0;
  let returned = 0;
  const workers = isLong ? 300 : 9;
  for (let i = 0; i < workers; i++) {
    const isTerminated = i % 3 === 0;
    const records = isTerminated ? Number.POSITIVE_INFINITY : 2_000;
    const one = start(metrics, { records, closes: i % 3 === 1 });
    await one.began;
    // After so many records the first has made all series that there are.
    const enough = i === 0 ? 100_000 : 2_000;
    while (isTerminated && allOf(tallied([one])) < enough) await setImmediate();
    if (isTerminated) await one.worker.terminate();
    await one.ended;
    returned += allOf(tallied([one]));
    if (i === 0) bytesAfterFirst = handle.buffer.byteLength;
  }
  assert.equal(handle.buffer.byteLength, bytesAfterFirst);
  const counted = allOf(totals(metrics));
  assert.ok(counted >= returned && counted <= returned + workers / 3, `${counted}, ${returned}`);
  for (const one of others) one.close();
  metrics.close();
});

test("256 threads find a place and memory, also in a small collector; the next is told why not", () => {
  const metrics = new MetricsCollector({ maxHistorySize: 0, maxSeries: 10 });
  const handle = metrics.shareHandle();
  const others = Array.from({ length: 255 }, () => MetricsCollector.attach(handle));
  assert.throws(
    () => MetricsCollector.attach(handle),
    (error) => error instanceof MonitorError && error.code === "METRICS_FULL",
  );
  for (const one of others) one.incrementCounter("x");
  assert.equal(metrics.getAllMetrics().counters.x, 255);
  others[7]?.close();
  MetricsCollector.attach(handle).incrementCounter("x");
  assert.equal(metrics.getAllMetrics().counters.x, 256);
  for (const one of others) one.close();
  metrics.close();
});

test("latencies that a worker wrote over before the collector came by are counted as skipped", async () => {
  const metrics = new MetricsCollector({ maxHistorySize: 10 });
  const recorder = MetricsCollector.attach(metrics.shareHandle());
  const records = WORKER_RING_SAMPLES * 3;
  // In one go: the collector, in the same thread, does not get to look in between.
  for (let i = 1; i <= records; i++) recorder.recordLatency("x", i);
  const summary = metrics.getMetricSummary("x");
  const skipped = metrics.getAllMetrics().counters.metrics_window_skipped_total ?? 0;
  // Totals have them all; the percentiles are those of the ones that are left.
  assert.equal(summary?.count, records);
  assert.equal(summary?.max, records);
  const inWindow = metrics.getMetricSummary("x", { windowSeconds: 3_600 });
  assert.equal((inWindow?.count ?? 0) + skipped, records);
  assert.ok(
    skipped >= records - WORKER_RING_SAMPLES && skipped < records - WORKER_RING_SAMPLES / 2,
  );
  recorder.close();
  metrics.close();
});

test("samples that are read while a worker writes over them are never taken for another's", async (context) => {
  const metrics = new MetricsCollector({ maxHistorySize: 100_000 });
  const workers = [1, 2].map(() => start(metrics, { spins: true }));
  const endAll = () => Promise.all(workers.map(({ worker }) => worker.terminate()));
  context.after(endAll);
  await Promise.all(workers.map(({ began }) => began));
  const looks = isLong ? 20_000 : 200;
  for (let i = 0; i < looks; i++) {
    for (const [name, ms] of [
      ["long", 1_000],
      ["short", 1],
    ] as const) {
      const window = metrics.getMetricSummary(name, { windowSeconds: 3_600 });
      const { min = ms, max = ms } = window ?? {};
      assert.ok(min > ms * 0.99 && max < ms * 1.01, `${name}: ${JSON.stringify(window)}`);
    }
    // Gives the workers time to come round.
    if (i % 10 === 0) await setImmediate();
  }
  await endAll();
  const { latencies, counters } = metrics.getAllMetrics();
  const recorded = ["long", "short"].map((name) => latencies[`${name}_latency_ms`]?.count ?? 0);
  const inWindows = ["long", "short"].map(
    (name) => metrics.getMetricSummary(name, { windowSeconds: 3_600 })?.count ?? 0,
  );
  const skipped = counters.metrics_window_skipped_total ?? 0;
  assert.equal(allOf(inWindows) + skipped, allOf(recorded));
  metrics.close();
});

test("limits that threads reach together hold for the whole", () => {
  const metrics = new MetricsCollector({ maxSeriesPerMetric: 10 });
  const handle = metrics.shareHandle();
  const threads = [metrics, ...[1, 2, 3].map(() => MetricsCollector.attach(handle))];
  threads.forEach((one, thread) => {
    for (let i = 0; i < 8; i++) {
      one.incrementCounter("x", { labels: { id: `${thread}-${i}` } });
      one.recordLatency("y", 5, { labels: { id: `${thread}-${i}` } });
    }
  });
  const { counters, latencies } = metrics.getAllMetrics();
  const xs = Object.entries(counters).filter(([name]) => name.startsWith("x{"));
  assert.equal(xs.length, 11);
  assert.equal(counters['x{overflow="true"}'], 22);
  assert.equal(latencies['y_latency_ms{overflow="true"}']?.count, 22);
  assert.equal(metrics.overflowed, 44);
  assert.equal(metrics.getMetricSummary("y")?.count, 32);
  for (const one of threads) one.close();
});

test("of a gauge that several threads set, the last setting wins", () => {
  const metrics = new MetricsCollector();
  const recorder = MetricsCollector.attach(metrics.shareHandle());
  const shown = () => metrics.getAllMetrics().gauges.g;
  metrics.setGauge("g", 1);
  recorder.setGauge("g", 2);
  assert.equal(shown(), 2);
  metrics.setGauge("g", 3);
  assert.equal(shown(), 3);
  recorder.close();
  metrics.setGauge("g", 4);
  assert.equal(shown(), 4);
  metrics.close();
});

for (const [what, handle] of [
  ["nothing", undefined],
  ["null", null],
  ["an object", {}],
  ["a number", 5],
  ["no buffer", { kind: "dspy-metrics", buffer: new ArrayBuffer(131_072) }],
  ["an empty buffer", { kind: "dspy-metrics", buffer: new SharedArrayBuffer(0) }],
  ["a buffer of odd length", { kind: "dspy-metrics", buffer: new SharedArrayBuffer(131_073) }],
  ["a buffer of something else", { kind: "dspy-metrics", buffer: new SharedArrayBuffer(131_072) }],
] as const) {
  test(`${what} is no handle, and attach() says so`, () => {
    assert.throws(
      () => MetricsCollector.attach(handle as never),
      (error) =>
        error instanceof MonitorError &&
        error.code === "METRICS_HANDLE_INVALID" &&
        /shareHandle\(\)/.test(error.hint),
    );
  });
}

test("what is no handle is refused in a worker too, as an error of that worker", async () => {
  const workerData = { metrics: {}, tally: new SharedArrayBuffer(64), records: 1, agents: 1 };
  const [error] = await once(new Worker(url, { workerData }), "error");
  assert.match(String(error), /no handle/);
});
