/** What a snapshot becomes as OTLP, read back by a decoder that knows nothing of the encoder. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { LatencySeries, MetricsSnapshot, SeriesSnapshot } from "../../metrics/snapshot.ts";
import { encodeMetrics, SERIES_PER_REQUEST_MAX } from "./encode-metrics.ts";
import { type ReadPoint, readMetrics } from "./test-otlp-metrics.ts";

const START_MS = 1_795_465_657_140;
const TIME_MS = 1_795_465_667_140.25;

function read(series: readonly SeriesSnapshot[], seriesPerRequest?: number): ReadPoint[] {
  const snapshot: MetricsSnapshot = { startMs: START_MS, timeMs: TIME_MS, series };
  const options = seriesPerRequest === undefined ? {} : { seriesPerRequest };
  return [...encodeMetrics(snapshot, options)].flatMap((body) => readMetrics(body).points);
}

function check(series: SeriesSnapshot, expected: Partial<ReadPoint>): void {
  const [point, ...more] = read([series]);
  assert.ok(point && more.length === 0, "one point");
  assert.deepEqual({ ...point, ...expected }, point);
}

const labels = { environment: "prod", region: 'us "west"\\\n€😀' };
const latency: LatencySeries = {
  kind: "latency",
  name: "request_latency_ms",
  labels,
  count: 4,
  sumMs: 3150,
  minMs: 50,
  maxMs: 2500,
  buckets: [
    { upToMs: 100, count: 1 },
    { upToMs: 1000, count: 3 },
    { upToMs: Number.POSITIVE_INFINITY, count: 4 },
  ],
};

test("a counter is a cumulative monotonic sum from its start on", () =>
  check(
    { kind: "counter", name: "requests_total", labels, value: 12 },
    {
      metric: "dspy_requests_total",
      shape: "sum",
      cumulative: true,
      monotonic: true,
      startNano: 1_795_465_657_140_000_000n,
      timeNano: 1_795_465_667_140_250_000n,
      labels,
      value: 12,
    },
  ));
test("a gauge has no start, and may be anything", () => {
  check(
    { kind: "gauge", name: "queue", labels: {}, value: -0.5 },
    { shape: "gauge", value: -0.5, startNano: 0n },
  );
  check({ kind: "gauge", name: "queue", labels: {}, value: Number.NaN }, { value: Number.NaN });
});
test("a latency is a histogram in seconds", () =>
  check(latency, {
    metric: "dspy_request_latency_seconds",
    unit: "s",
    shape: "histogram",
    cumulative: true,
    labels,
    histogram: {
      count: 4,
      sum: 3.15,
      min: 0.05,
      max: 2.5,
      bounds: [0.1, 1],
      counts: [1, 2, 1],
      exemplars: [],
    },
  }));
test("a latency without observations has neither min nor max", () => {
  const buckets = latency.buckets.map(({ upToMs }) => ({ upToMs, count: 0 }));
  const [point] = read([{ ...latency, count: 0, sumMs: 0, minMs: 0, maxMs: 0, buckets }]);
  const { min, max, counts } = point?.histogram ?? {};
  assert.deepEqual({ min, max, counts }, { min: null, max: null, counts: [0, 0, 0] });
});
test("an exemplar names its trace; one without a trace id of OTLP is left out", () => {
  const traceId = "0102030405060708090a0b0c0d0e0f10";
  const exemplar = { traceId, valueMs: 2500, timeMs: START_MS };
  const [point] = read([{ ...latency, exemplar }]);
  assert.deepEqual(point?.histogram?.exemplars, [
    { traceId, value: 2.5, timeNano: 1_795_465_657_140_000_000n },
  ]);
  const [without] = read([{ ...latency, exemplar: { ...exemplar, traceId: "tr-1" } }]);
  assert.deepEqual(without?.histogram?.exemplars, []);
});

test("names are those of /metrics, also where two would become one", () => {
  const series = [
    { kind: "counter", name: "tokens", labels: {}, value: 1 },
    { kind: "gauge", name: "héé x", labels: {}, value: 2 },
    { kind: "gauge", name: "h__ x", labels: {}, value: 3 },
  ] as const;
  const expected = ["dspy_tokens_total", "dspy_h___x", "dspy_h___x_2"];
  assert.deepEqual(
    read(series).map(({ metric }) => metric),
    expected,
  );
  assert.deepEqual(
    read(series, 1).map(({ metric }) => metric),
    expected,
    "in one request or in several",
  );
});

test("says whose metrics they are", () => {
  const series: SeriesSnapshot[] = [{ kind: "gauge", name: "up", labels: {}, value: 1 }];
  const resource = { "service.name": "qa", "deployment.environment.name": "prod" };
  const [body] = encodeMetrics({ startMs: 1, timeMs: 2, series }, { resource });
  assert.deepEqual(readMetrics(body ?? new Uint8Array(0)).resource, resource);
});
test("nothing to tell, nothing to send", () => assert.deepEqual(read([]), []));
test("many series go in several requests, each in bounds", () => {
  const series = Array.from({ length: 5_001 }, (_, index): SeriesSnapshot => {
    const label = { index: String(index) };
    return { ...latency, labels: label };
  });
  const bodies = [...encodeMetrics({ startMs: START_MS, timeMs: TIME_MS, series })];
  assert.equal(bodies.length, Math.ceil(5_001 / SERIES_PER_REQUEST_MAX));
  assert.ok(bodies.every((body) => body.length < 1024 * 1024));
  const points = bodies.flatMap((body) => readMetrics(body).points);
  assert.deepEqual(
    points.map((point) => point.labels.index),
    series.map((one) => one.labels.index),
  );
});

const label = fc.dictionary(
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }),
  fc.string({ unit: "grapheme", maxLength: 200 }),
  { maxKeys: 5, noNullPrototype: true },
);
const name = fc.stringMatching(/^[a-z][a-z_]{0,20}$/);
const number = fc.record({
  kind: fc.constantFrom("counter" as const, "gauge" as const),
  name,
  labels: label,
  value: fc.double(),
});
const latencies = fc
  .record({
    name,
    labels: label,
    counts: fc.array(fc.nat(2 ** 31), { minLength: 1, maxLength: 40 }),
  })
  .map(({ name, labels, counts }): LatencySeries => {
    let count = 0;
    const buckets = counts.map((more, index) => {
      count += more;
      const isLast = index === counts.length - 1;
      return { upToMs: isLast ? Number.POSITIVE_INFINITY : (index + 1) * 7, count };
    });
    const spread = { sumMs: count * 3, minMs: 1, maxMs: 100 };
    return { kind: "latency", name: `${name}_ms`, labels, count, ...spread, buckets };
  });

test("every series comes back with its labels and values", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(number, latencies), { maxLength: 20 }),
      fc.integer({ min: 1, max: 20 }),
      (series, seriesPerRequest) => {
        const points = read(series, seriesPerRequest);
        assert.equal(points.length, series.length);
        const left = [...points];
        for (const one of series) {
          const at = left.findIndex((point) => tells(point, one));
          assert.ok(at >= 0, JSON.stringify(one));
          left.splice(at, 1);
        }
      },
    ),
    { numRuns: 300 },
  );
});

function tells(point: ReadPoint, series: SeriesSnapshot): boolean {
  if (JSON.stringify(point.labels) !== JSON.stringify(series.labels)) return false;
  if (series.kind !== "latency") {
    return Object.is(point.value, series.value);
  }
  let cumulative = 0;
  const counts = point.histogram?.counts.map((count) => {
    cumulative += count;
    return cumulative;
  });
  return (
    point.histogram?.count === series.count &&
    point.histogram.sum === series.sumMs / 1000 &&
    JSON.stringify(counts) === JSON.stringify(series.buckets.map(({ count }) => count)) &&
    point.histogram.bounds.length === series.buckets.length - 1
  );
}
