/**
 * Whatever is done to a metrics request, it ends in points within their limits, which survive
 * the journal, or in a `MonitorError`: soon, and without leaving anything in memory. A long run:
 *
 *     FUZZ_RUNS=10000000 node src/ingest/otlp/decode-metrics-fuzz.test.ts
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { usedMemoryBytes } from "../../../test/used-memory.ts";
import { decodeMetricsJson } from "./decode-metrics-json.ts";
import {
  BUCKET_LIMIT,
  type DecodedMetrics,
  LABEL_LIMIT,
  METRIC_NAME_LIMIT_BYTES,
  POINT_LIMIT,
} from "./decode-metrics-point.ts";
import { decodeMetricsProtobuf } from "./decode-metrics-protobuf.ts";
import { toMetricPoints } from "./metric-samples.ts";
import {
  damagedBytes,
  damagedDocument,
  damagedMessage,
  damagedText,
  fuzz,
  type Random,
  RUNS,
} from "./test-fuzz.ts";
import { encodeMetricsRequest, type Json } from "./test-metrics-request.ts";

const TIME_MS = 1_795_465_667_140;
const TIMES = {
  startTimeUnixNano: "1795465657140000000",
  timeUnixNano: "1795465667140250000",
};
const label = (key: string, stringValue: string) => ({ key, value: { stringValue } });

/** One of every kind of metric. */
const metrics: readonly Json[] = [
  {
    name: "gauge",
    unit: "s",
    gauge: { dataPoints: [{ ...TIMES, asDouble: 0.5, attributes: [label("a", "b")] }] },
  },
  {
    name: "sum",
    sum: {
      aggregationTemporality: 2,
      isMonotonic: true,
      dataPoints: [
        { ...TIMES, asInt: "7", attributes: [label("k", "v"), label("l", "w")] },
        { ...TIMES, asInt: "8", flags: 0 },
      ],
    },
  },
  {
    name: "histogram",
    histogram: {
      aggregationTemporality: 2,
      dataPoints: [
        { ...TIMES, count: "3", sum: 2, bucketCounts: ["1", "1", "1"], explicitBounds: [1, 2] },
      ],
    },
  },
  {
    name: "exponential",
    exponentialHistogram: {
      aggregationTemporality: 1,
      dataPoints: [{ ...TIMES, count: "3", sum: 6, positive: { bucketCounts: ["1"] } }],
    },
  },
  {
    name: "summary",
    summary: {
      dataPoints: [{ ...TIMES, count: "3", sum: 6, quantileValues: [{ quantile: 0.5, value: 2 }] }],
    },
  },
];

/** Each alone, so that damage meets it, and all together. */
const REQUESTS = [...metrics.map((metric) => [metric]), metrics].map(
  (some): Json => ({
    resourceMetrics: [
      {
        resource: { attributes: [label("service.name", "svc")] },
        scopeMetrics: [{ metrics: some }],
      },
    ],
  }),
);
const BODIES = REQUESTS.map(encodeMetricsRequest);
const TEXTS = REQUESTS.map((request) => JSON.stringify(request));

test(`${RUNS} damaged bodies of metrics decode or are refused`, () => {
  fuzz({ inputOf: damagedInput, check: assertWithinLimits, usedMemoryBytes });
});

function damagedInput(random: Random): () => DecodedMetrics {
  switch (random(6)) {
    case 0: {
      const text = damagedText(random, TEXTS);
      return () => decodeMetricsJson(text);
    }
    case 1: {
      const text = damagedDocument(random, TEXTS);
      return () => decodeMetricsJson(text);
    }
    case 2:
    case 3: {
      const body = damagedMessage(random, BODIES);
      return () => decodeMetricsProtobuf(body);
    }
    default: {
      const body = damagedBytes(random, BODIES);
      return () => decodeMetricsProtobuf(body);
    }
  }
}

function assertWithinLimits(decoded: DecodedMetrics): void {
  assert.ok(decoded.points.length <= POINT_LIMIT);
  for (const { metric, labels, data } of decoded.points) {
    assert.ok(metric.name.length > 0 && metric.name.length <= METRIC_NAME_LIMIT_BYTES);
    assert.ok(Object.keys(labels).length <= LABEL_LIMIT);
    assert.ok(data.kind !== "histogram" || data.counts.length <= BUCKET_LIMIT);
  }
  const { points, dropped } = toMetricPoints(decoded, TIME_MS);
  for (const { values, startMs, timeMs } of points) {
    assert.ok(startMs >= 0 && startMs <= timeMs);
    for (const { kind, suffix, value } of values) {
      assert.ok(typeof value === "number" ? Number.isFinite(value) : kind === "gauge");
      assert.ok(suffix !== "_count" || (Number.isSafeInteger(value) && Number(value) >= 0));
    }
  }
  // Survives the journal.
  assert.deepEqual(JSON.parse(JSON.stringify(points)), points);
  for (const count of dropped.values()) assert.ok(Number.isInteger(count) && count > 0);
}
