/** The same latencies are counted in the same way, whoever records them and whenever they are looked at. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LATENCY_BOUNDS_MS } from "./log-buckets.ts";
import { MetricsCollector } from "./metrics-collector.ts";
import type { MetricsRecorder } from "./metrics-recorder.ts";
import { createTestClock } from "./test-clock.ts";

/** More than are counted in the fast way. */
const SERIES = 200;
const runs = Number(process.env.FUZZ_RUNS ?? 60);

const ulp = (ms: number) => ms * 2 ** -52;
/** At each bound, and as close to it as there are numbers. */
const AT_BOUNDS_MS = [
  0,
  Number.MIN_VALUE,
  ...LATENCY_BOUNDS_MS.flatMap((ms) => [ms - ulp(ms), ms, ms + ulp(ms)]),
  1e300,
];

function histogram(values: readonly number[]) {
  return [...LATENCY_BOUNDS_MS, Number.POSITIVE_INFINITY].map((upToMs) => ({
    upToMs,
    count: values.filter((ms) => ms <= upToMs).length,
  }));
}

/** Of each series, by its number. */
function shown(metrics: MetricsCollector) {
  return new Map(
    metrics
      .snapshot()
      .series.flatMap((one) => (one.kind === "latency" ? [[Number(one.labels.id), one]] : [])),
  );
}

for (const [who, id, recorderOf] of [
  ["the collector's own thread", 0, (metrics) => metrics],
  ["its own thread, in a series too many to be counted fast", SERIES - 1, (metrics) => metrics],
  ["another thread", 0, (metrics) => MetricsCollector.attach(metrics.shareHandle())],
] satisfies [string, number, (metrics: MetricsCollector) => MetricsRecorder][]) {
  test(`latencies at the bounds of the histogram count up to the bound: ${who}`, () => {
    const metrics = new MetricsCollector({ clock: createTestClock() });
    const recorder = recorderOf(metrics);
    for (let i = 0; i < SERIES; i++) recorder.recordLatency("x", 1, { labels: { id: String(i) } });
    const values = [1];
    for (const round of [1, 2]) {
      for (const ms of AT_BOUNDS_MS) {
        recorder.recordLatency("x", ms, { labels: { id: String(id) } });
        values.push(ms);
      }
      const { buckets, count, minMs, maxMs } = shown(metrics).get(id) ?? assert.fail("not there");
      assert.deepEqual(buckets, histogram(values), `round ${round}`);
      assert.deepEqual([count, minMs, maxMs], [values.length, 0, 1e300]);
    }
    recorder.close();
    metrics.close();
  });
}

test("what is read between records changes nothing in histograms and windows", () => {
  const step = fc.record({
    id: fc.nat(SERIES - 1),
    ms: fc.oneof(
      fc.constantFrom(...AT_BOUNDS_MS),
      fc.double({ min: 0, max: 400_000, noNaN: true }),
    ),
    waitMs: fc.constantFrom(0, 0, 1, 400, 1_000, 61_000),
    reads: fc.constantFrom("nothing", "nothing", "a summary", "a scrape"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
      const clock = createTestClock();
      // Without history, windows have nothing but counts.
      const metrics = new MetricsCollector({ clock, maxHistorySize: 0 });
      for (let id = 0; id < SERIES; id++) {
        metrics.recordLatency("x", 1, { labels: { id: String(id) } });
      }
      const startMs = clock.now() + 2_000;
      clock.advance(2_000);
      const recorded: { readonly id: number; readonly ms: number; readonly atMs: number }[] = [];
      for (const { id, ms, waitMs, reads } of steps) {
        clock.advance(waitMs);
        metrics.recordLatency("x", ms, { labels: { id: String(id) } });
        recorded.push({ id, ms, atMs: clock.now() });
        if (reads === "a summary") metrics.getMetricSummary("x");
        if (reads === "a scrape") metrics.exportPrometheusFormat();
      }
      const found = shown(metrics);
      for (const [id, records] of Map.groupBy(recorded, (one) => one.id)) {
        const values = records.map(({ ms }) => ms);
        assert.deepEqual(found.get(id)?.buckets, histogram([1, ...values]));
      }
      const windowSeconds = (clock.now() - startMs) / 1_000;
      if (windowSeconds > 0 && windowSeconds < 110) {
        const window = metrics.getMetricSummary("x", { windowSeconds });
        assert.equal(window?.count ?? 0, recorded.length);
      }
      metrics.close();
    }),
    { numRuns: runs },
  );
});
