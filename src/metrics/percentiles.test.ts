/** Summaries against a plain sort of everything that was ever recorded. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Arena } from "./arena.ts";
import { Ledger } from "./ledger.ts";
import { MetricsCollector } from "./metrics-collector.ts";
import { Recorder } from "./recorder.ts";
import type { MetricSummary } from "./summary.ts";
import { createTestClock } from "./test-clock.ts";

type Sample = { readonly atMs: number; readonly ms: number; readonly tier: string };

/** Also shrinking a failure comes to an end. */
const runs = (numRuns: number) => ({ numRuns, interruptAfterTimeLimit: 20_000 });

/** What windows are rounded down to, by their length. */
const SLICES = [
  { windowSecondsMax: 120, sliceMs: 1_000 },
  { windowSecondsMax: 1_200, sliceMs: 10_000 },
  { windowSecondsMax: 7_200, sliceMs: 60_000 },
  { windowSecondsMax: 604_800, sliceMs: 900_000 },
] as const;

function figuresOf(samples: readonly Sample[]) {
  const sorted = samples.map(({ ms }) => ms).sort((a, b) => a - b);
  const count = sorted.length;
  const at = (percent: number) => sorted[Math.max(1, Math.ceil((percent * count) / 100)) - 1] ?? 0;
  const sum = sorted.reduce((all, ms) => all + ms, 0);
  return { count, sum, min: at(0), max: at(100), p50: at(50), p95: at(95), p99: at(99) };
}

/** What differs by more than the allowed share, or nothing. */
function difference(
  actual: MetricSummary | undefined,
  samples: readonly Sample[],
  allowed: number,
): string | undefined {
  const expected = figuresOf(samples);
  if (!actual) return expected.count === 0 ? undefined : `nothing, but ${expected.count} samples`;
  if (actual.count !== expected.count) return `count ${actual.count}, not ${expected.count}`;
  for (const figure of ["min", "max", "p50", "p95", "p99", "sum"] as const) {
    // Sums of the same numbers in another order.
    const share = figure === "sum" ? Math.max(allowed, 1e-12) : allowed;
    if (Math.abs(actual[figure] - expected[figure]) <= share * expected[figure]) continue;
    return `${figure} ${actual[figure]}, not ${expected[figure]}`;
  }
  return actual.avg === actual.sum / actual.count ? undefined : `avg ${actual.avg}`;
}

/** Within 1 % of the samples since the window's start, or since the slice that it lies in began. */
function assertWindow(
  summary: MetricSummary | undefined,
  samples: readonly Sample[],
  { nowMs, windowSeconds }: { readonly nowMs: number; readonly windowSeconds: number },
): void {
  const startMs = nowMs - windowSeconds * 1_000;
  const since = (fromMs: number) => samples.filter(({ atMs }) => atMs >= fromMs);
  if (summary?.exact !== false) {
    assert.equal(difference(summary, since(startMs), 0), undefined);
    return;
  }
  const fits: string[] = [];
  for (const { windowSecondsMax, sliceMs } of SLICES) {
    const found = difference(summary, since(Math.floor(startMs / sliceMs) * sliceMs), 0.01);
    if (found === undefined) return;
    fits.push(`in slices of ${sliceMs} ms: ${found}`);
    if (windowSeconds <= windowSecondsMax) break;
  }
  assert.fail(`${windowSeconds} s ${JSON.stringify(summary)}: ${fits.join("; ")}`);
}

type Step =
  | { readonly kind: "record"; readonly ms: number; readonly tier: string }
  | { readonly kind: "wait"; readonly byMs: number };

const latency = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.double({ min: -5, max: 12, noNaN: true }).map((exponent) => 10 ** exponent),
  fc.constantFrom(0, 1, 2.5, 1_000, 1e-6, 2 ** 43, 1e12),
);
const record = fc.record({
  kind: fc.constant("record" as const),
  ms: latency,
  tier: fc.constantFrom("free", "pro"),
});
const waits = [3_000, 400_000, 10_000_000].map((max) => fc.integer({ min: 0, max }));
const forward = fc.oneof(...waits);
const backAndForth = fc.oneof(...waits, fc.integer({ min: -40_000_000, max: 0 }));

/** Mostly records, and the clock moved in between. */
function timeline(wait: fc.Arbitrary<number>): fc.Arbitrary<Step[]> {
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 12, arbitrary: record },
    { weight: 3, arbitrary: wait.map((byMs) => ({ kind: "wait" as const, byMs })) },
  );
  return fc.array(step, { maxLength: 300, size: "max" });
}

const windowSeconds = fc.oneof(
  fc.constantFrom(1, 60, 300, 3_600, 86_400, 604_800),
  fc.integer({ min: 1, max: 604_800 }),
);

function checkTimeline(steps: readonly Step[], historySize: number, windows: readonly number[]) {
  const clock = createTestClock();
  const metrics = new MetricsCollector({ clock, maxHistorySize: historySize });
  const samples: Sample[] = [];
  // When the clock is found to be set back, time for the windows goes on from where it was.
  let steadyMs = clock.now();
  let seenMs = clock.now();
  const look = () => {
    steadyMs += Math.max(0, clock.now() - seenMs);
    seenMs = clock.now();
  };
  const checkAll = () => {
    look();
    const { latencies } = metrics.getAllMetrics();
    for (const tier of ["free", "pro"]) {
      const alone = metrics.getMetricSummary("x", { labels: { tier } });
      assert.deepEqual(latencies[`x_latency_ms{tier="${tier}"}`], alone);
    }
    for (const window of windows) {
      for (const tier of [undefined, "free", "pro"]) {
        const labels = tier === undefined ? {} : { tier };
        const wanted = samples.filter((sample) => tier === undefined || sample.tier === tier);
        const summary = metrics.getMetricSummary("x", { windowSeconds: window, labels });
        assertWindow(summary, wanted, { nowMs: steadyMs, windowSeconds: window });
        const lost = samples.at(-historySize - 1);
        const isAllHeld =
          samples.length <= historySize || (lost?.atMs ?? 0) < steadyMs - window * 1_000;
        if (isAllHeld && summary) assert.equal(summary.exact, true);

        const all = metrics.getMetricSummary("x", { labels });
        assert.equal(difference(all, wanted, all?.exact ? 0 : 0.01), undefined);
        const expected = figuresOf(wanted);
        // Of all time, all but the percentiles is exact.
        if (all) assert.deepEqual([all.min, all.max], [expected.min, expected.max]);
      }
    }
  };
  for (const [index, one] of steps.entries()) {
    if (one.kind === "record") {
      look();
      metrics.recordLatency("x", one.ms, { labels: { tier: one.tier } });
      samples.push({ atMs: steadyMs, ms: one.ms, tier: one.tier });
    } else {
      clock.advance(one.byMs);
    }
    if (index === steps.length >> 1) checkAll();
  }
  checkAll();
}

const history = fc.constantFrom(0, 1, 10, 100, 10_000);
const windows = fc.array(windowSeconds, { minLength: 1, maxLength: 4 });

test("summaries are nearest-rank percentiles: exact while all is held, within 1 % beyond", () => {
  fc.assert(fc.property(timeline(forward), history, windows, checkTimeline), runs(60));
});

test("a clock that jumps back and forth neither loses samples nor keeps old ones in a window", () => {
  fc.assert(fc.property(timeline(backAndForth), history, windows, checkTimeline), runs(60));
});

test("a day of traffic: every window within 1 %, whatever its length", () => {
  const steps: Step[] = [];
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  for (let i = 0; i < 24_000; i++) {
    const ms = Math.exp(2 + 4 * random());
    steps.push({ kind: "record", ms, tier: random() < 0.2 ? "pro" : "free" });
    if (i % 10 === 9) steps.push({ kind: "wait", byMs: 72_000 * random() });
  }
  checkTimeline(steps, 1_000, [1, 7, 60, 119, 300, 1_200, 3_600, 7_200, 20_000, 86_400, 604_800]);
});

// Threads.

const thread = fc.nat({ max: 3 });
/** Multiples of a quarter: their sums are the same in any order. */
const quarters = fc.integer({ min: 0, max: 4_000_000 }).map((n) => n / 4);
type Recording = { readonly thread: number; readonly name: string } & (
  | { readonly kind: "latency"; readonly ms: number }
  | { readonly kind: "request"; readonly ms: number; readonly status: number }
  | { readonly kind: "counter" | "gauge"; readonly value: number }
);
const recording: fc.Arbitrary<Recording> = fc.oneof(
  fc.record({
    kind: fc.constant("latency" as const),
    thread,
    name: fc.constantFrom("a", "b"),
    ms: quarters,
  }),
  fc.record({
    kind: fc.constant("request" as const),
    thread,
    name: fc.constantFrom("qa", "chat"),
    ms: quarters,
    status: fc.constantFrom(200, 429, 500),
  }),
  fc.record({
    kind: fc.constant("counter" as const),
    thread,
    name: fc.constantFrom("c", "d"),
    value: quarters,
  }),
  fc.record({
    kind: fc.constant("gauge" as const),
    thread,
    name: fc.constantFrom("g", "h"),
    value: fc.double(),
  }),
);

test("what several threads recorded is what one would have recorded", () => {
  const check = (recordings: readonly Recording[], maxHistorySize: number) => {
    const shared = new MetricsCollector({ maxHistorySize });
    const single = new MetricsCollector({ maxHistorySize });
    const handle = shared.shareHandle();
    const threads = [shared, ...[1, 2, 3].map(() => MetricsCollector.attach(handle))];
    for (const one of recordings) {
      for (const metrics of [single, threads[one.thread] ?? shared]) {
        if (one.kind === "latency") metrics.recordLatency(one.name, one.ms);
        if (one.kind === "counter") metrics.incrementCounter(one.name, { value: one.value });
        if (one.kind === "gauge") metrics.setGauge(one.name, one.value);
        if (one.kind !== "request") continue;
        metrics.recordRequest(one.name, { latencyMs: one.ms, statusCode: one.status });
      }
    }
    const bySeries = (metrics: MetricsCollector) =>
      metrics
        .snapshot()
        .series.toSorted((a, b) =>
          JSON.stringify([a.name, a.labels]) < JSON.stringify([b.name, b.labels]) ? -1 : 1,
        );
    assert.deepEqual(bySeries(shared), bySeries(single));
    for (const name of ["a", "b", "latency_ms"]) {
      const samples = recordings
        .filter(
          (one) =>
            (one.kind === "latency" && one.name === name) ||
            (one.kind === "request" && name === "latency_ms"),
        )
        .map((one) => ({ atMs: 0, ms: "ms" in one ? one.ms : 0, tier: "" }));
      const summary = shared.getMetricSummary(name);
      assert.equal(difference(summary, samples, summary?.exact ? 0 : 0.01), undefined);
      if (summary && recordings.length <= maxHistorySize) assert.equal(summary.exact, true);
    }
    for (const metrics of threads) metrics.close();
    single.close();
  };
  const recordings = fc.array(recording, { maxLength: 200, size: "max" });
  fc.assert(fc.property(recordings, fc.constantFrom(10, 1_000), check), runs(60));
});

test("windows over several threads are windows over all that they recorded", () => {
  const step = fc.record({ thread, ms: latency, waitMs: fc.oneof(fc.constant(0), ...waits) });
  const check = (
    steps: readonly { readonly thread: number; readonly ms: number; readonly waitMs: number }[],
    historySize: number,
    seconds: readonly number[],
  ) => {
    const clock = createTestClock();
    const arena = Arena.create({
      maxSeries: 100,
      maxSeriesPerMetric: 100,
      maxBytes: 2 ** 24,
      startMs: 0,
    });
    const ledger = new Ledger(arena, { ownShard: 0, historySize });
    const recorders = [1, 2, 3, 4].map((threadId) => {
      const shard = arena.claimShard(threadId) ?? assert.fail("no place");
      const own = shard === 0 ? { fresh: ledger.fresh } : {};
      return new Recorder(arena, shard, { clock, ringSamples: 4_096, onTick: () => {}, ...own });
    });
    const samples: Sample[] = [];
    for (const { thread, ms, waitMs } of steps) {
      clock.advance(waitMs);
      recorders[thread]?.observe("x_ms", ms, [], undefined, undefined);
      samples.push({ atMs: clock.now(), ms, tier: "" });
      ledger.drain();
    }
    for (const windowSeconds of seconds) {
      const startMs = clock.now() - windowSeconds * 1_000;
      const summary = ledger.summary(ledger.latencies("x_ms", {}), { startMs });
      assertWindow(summary, samples, { nowMs: clock.now(), windowSeconds });
    }
  };
  const steps = fc.array(step, { maxLength: 100, size: "max" });
  fc.assert(fc.property(steps, history, windows, check), runs(60));
});
