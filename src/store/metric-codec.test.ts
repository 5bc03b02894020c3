/** Metric points come back from the journal as they went in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { MetricPoint, MetricValue } from "../signals/metric-point.ts";
import { decodeMetrics, encodeMetrics, type MetricBatch } from "./metric-codec.ts";

/** Few different ones, so that texts recur, and strange ones. */
const text = fc.oneof(
  fc.constantFrom("", "cpu", "ä‹✓", "\ufeffmark", "__proto__"),
  fc.string({ unit: "grapheme", maxLength: 400 }),
);
const timeMs = fc.oneof(fc.constant(0), fc.constant(1_795_465_667_140.25), fc.nat());

const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(model, { noNullPrototype: true });

const point: fc.Arbitrary<MetricPoint> = record<MetricPoint>({
  endpoint: text,
  name: text,
  labels: fc.oneof(
    fc.constant({}),
    fc.array(fc.tuple(text, text), { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs)),
  ),
  mode: fc.constantFrom("gauge", "cumulative", "delta"),
  startMs: timeMs,
  timeMs,
  values: fc.array(
    record<MetricValue>({
      suffix: fc.constantFrom("", "_count", "_p50"),
      kind: fc.constantFrom("counter", "gauge", "latency"),
      value: fc.oneof(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.constantFrom("NaN" as const, "Infinity" as const, "-Infinity" as const),
      ),
    }),
    { maxLength: 6 },
  ),
});

const batch: fc.Arbitrary<MetricBatch> = record<MetricBatch>({
  points: fc.array(point, { maxLength: 30 }),
  repeated: fc.nat(),
  dropped: fc.constantFrom({}, { metric_time: 3, attribute: 1 }),
});

test("what is encoded is decoded again", () => {
  fc.assert(
    fc.property(batch, (told) => assert.deepEqual(decodeMetrics(encodeMetrics(told)), told)),
  );
});

test("what was cut off is refused, wherever it ends", () => {
  fc.assert(
    fc.property(batch, fc.double({ min: 0, max: 0.999, noNaN: true }), (told, part) => {
      const bytes = encodeMetrics(told);
      assert.throws(() => decodeMetrics(bytes.subarray(0, Math.floor(bytes.length * part))));
    }),
  );
});

test("many points with the labels of the one before take little room", () => {
  const points = Array.from(
    { length: 1_000 },
    (_, at): MetricPoint => ({
      endpoint: "qa",
      name: `metric_${at % 10}`,
      labels: { region: "eu-central", instance: `${Math.floor(at / 10)}` },
      mode: "gauge",
      startMs: 0,
      timeMs: 1_795_465_667_140,
      values: [{ suffix: "", kind: "gauge", value: at / 3 }],
    }),
  );
  const { length } = encodeMetrics({ points, repeated: 0, dropped: {} });
  assert.ok(length < 15 * points.length, `${length} bytes`);
});
