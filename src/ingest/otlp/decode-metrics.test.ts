/**
 * What becomes of an OTLP metrics request. Each case is written once, as OTLP
 * JSON, encoded to protobuf, and must decode to the same from both.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MonitorError } from "../../monitor-error.ts";
import { decodeMetricsJson } from "./decode-metrics-json.ts";
import {
  BUCKET_LIMIT,
  type DecodedMetrics,
  LABEL_KEY_LIMIT_BYTES,
  LABEL_LIMIT,
  LABEL_VALUE_LIMIT_BYTES,
  METRIC_NAME_LIMIT_BYTES,
  type OtlpMetricPoint,
  POINT_LIMIT,
} from "./decode-metrics-point.ts";
import { decodeMetricsProtobuf } from "./decode-metrics-protobuf.ts";
import { encodeMetricsRequest, type Json } from "./test-metrics-request.ts";

const TIMES = {
  startTimeUnixNano: "1795465657140000000",
  timeUnixNano: "1795465667140250000",
};
const label = (key: string, stringValue: string) => ({ key, value: { stringValue } });

function requestOf(metrics: readonly Json[], attributes: readonly Json[] = []): Json {
  return { resourceMetrics: [{ resource: { attributes }, scopeMetrics: [{ metrics }] }] };
}

function decode(request: Json): DecodedMetrics {
  const fromProtobuf = decodeMetricsProtobuf(encodeMetricsRequest(request));
  const fromJson = decodeMetricsJson(JSON.stringify(request));
  assert.deepStrictEqual(fromJson, fromProtobuf);
  return fromProtobuf;
}

function check(metric: Json, expected: Partial<OtlpMetricPoint>): void {
  const { points, dropped } = decode(requestOf([{ name: "m", ...metric }]));
  assert.deepEqual([...dropped], []);
  const [point, ...more] = points;
  assert.ok(point && more.length === 0, "one point");
  const plain = { ...point, labels: { ...point.labels } };
  assert.deepEqual({ ...plain, ...expected }, plain);
}

function checkDropped(metric: Json, reason: string): void {
  const gauge = { name: "stays", gauge: { dataPoints: [{ ...TIMES, asDouble: 1 }] } };
  const { points, dropped } = decode(requestOf([gauge, { name: "m", ...metric }, gauge]));
  assert.deepEqual([points.length, ...dropped], [2, [reason, 1]]);
}

const gaugeOf = (point: Json) => ({ gauge: { dataPoints: [{ ...TIMES, ...point }] } });
const histogramOf = (point: Json) => ({
  histogram: { aggregationTemporality: 2, dataPoints: [{ ...TIMES, ...point }] },
});

test("a gauge", () =>
  check(gaugeOf({ asDouble: -1.5, attributes: [label("a", "ä€😀")] }), {
    metric: { name: "m", temporality: 0, isMonotonic: false },
    startMs: 1_795_465_657_140,
    timeMs: 1_795_465_667_140.25,
    labels: { a: "ä€😀" },
    data: { kind: "gauge", value: -1.5 },
  }));
test("a whole number, negative and large", () => {
  check(gaugeOf({ asInt: "-7" }), { data: { kind: "gauge", value: -7 } });
  check(gaugeOf({ asInt: "9007199254740991" }), {
    data: { kind: "gauge", value: Number.MAX_SAFE_INTEGER },
  });
});
test("a gauge may be no number; JSON writes it as text", () => {
  check(gaugeOf({ asDouble: "NaN" }), { data: { kind: "gauge", value: Number.NaN } });
  check(gaugeOf({ asDouble: "-Infinity" }), { data: { kind: "gauge", value: -Infinity } });
});
test("a sum with its temporality", () =>
  check(
    {
      sum: { aggregationTemporality: 1, isMonotonic: true, dataPoints: [{ ...TIMES, asInt: "3" }] },
    },
    {
      metric: { name: "m", temporality: 1, isMonotonic: true },
      data: { kind: "sum", value: 3 },
    },
  ));
test("a histogram", () =>
  check(
    histogramOf({
      count: "4",
      sum: 3.5,
      bucketCounts: ["1", "3"],
      explicitBounds: [0.5],
      min: 0.1,
      max: 2,
      exemplars: [{ timeUnixNano: "1", asDouble: 2, traceId: "ab".repeat(16) }],
    }),
    { data: { kind: "histogram", count: 4, sum: 3.5, counts: [1, 3], bounds: [0.5] } },
  ));
test("a histogram without sum and buckets", () =>
  check(histogramOf({ count: 2 }), {
    data: { kind: "histogram", count: 2, sum: null, counts: [], bounds: [] },
  }));
test("an exponential histogram, of which count and sum are read", () =>
  check(
    {
      exponentialHistogram: {
        aggregationTemporality: 2,
        dataPoints: [
          {
            ...TIMES,
            attributes: [label("a", "b")],
            count: "3",
            sum: 6,
            scale: -2,
            zeroCount: "1",
            positive: { offset: -3, bucketCounts: ["1", "1"] },
          },
        ],
      },
    },
    { labels: { a: "b" }, data: { kind: "exponential_histogram", count: 3, sum: 6 } },
  ));
test("a summary", () =>
  check(
    {
      summary: {
        dataPoints: [
          {
            ...TIMES,
            count: "3",
            sum: 6,
            quantileValues: [
              { quantile: 0.5, value: 2 },
              { quantile: 1, value: 3 },
            ],
          },
        ],
      },
    },
    {
      data: {
        kind: "summary",
        count: 3,
        sum: 6,
        quantiles: [
          [0.5, 2],
          [1, 3],
        ],
      },
    },
  ));
test("labels are text, numbers and booleans", () =>
  check(
    gaugeOf({
      asInt: "1",
      attributes: [
        { key: "n", value: { intValue: "-5" } },
        { key: "d", value: { doubleValue: 0.5 } },
        { key: "b", value: { boolValue: true } },
        label("__proto__", "kept"),
      ],
    }),
    { labels: JSON.parse('{"n":"-5","d":"0.5","b":"true","__proto__":"kept"}') },
  ));
test("whose it is", () => {
  const attributes = [
    label("service.name", "svc"),
    label("dspy.endpoint", "qa"),
    label("service.instance.id", "1"),
    label("host.name", "secret"),
  ];
  const [point] = decode(requestOf([{ name: "m", ...gaugeOf({ asInt: "1" }) }], attributes)).points;
  assert.deepEqual(point?.resource, { endpoint: "qa", service: "svc", instance: "1" });
});
test("nothing in, nothing out", () => {
  for (const request of [{}, { resourceMetrics: [{}] }, requestOf([{ name: "m" }])]) {
    assert.deepEqual(decode(request), { points: [], dropped: new Map() });
  }
});
test("what stands behind its user is found, numbers one by one are read", () => {
  // Metric { data_points before temporality, name last }, and unpacked bucket counts.
  const [point] = decode(
    requestOf([{ ...histogramOf({ explicitBounds: [1, 2], bucketCounts: [1, 0, 1] }), name: "m" }]),
  ).points;
  assert.equal(point?.metric.name, "m");
  const packed = Buffer.from(Float64Array.of(1, 2).buffer);
  const body = encodeMetricsRequest(
    requestOf([{ name: "m", ...histogramOf({ explicitBounds: [1, 2] }) }]),
  );
  // The two bounds, 9 bytes each, become one packed field of as many bytes.
  const at = Buffer.from(body).indexOf(Buffer.from([0x39, ...packed.subarray(0, 8)]));
  const repacked = Uint8Array.from([
    ...body.subarray(0, at),
    0x3a,
    16,
    ...packed,
    ...body.subarray(at + 18),
  ]);
  assert.equal(repacked.length, body.length);
  assert.deepEqual(decodeMetricsProtobuf(repacked), decodeMetricsProtobuf(body));
});
test("JSON may name fields in snake_case and enums by name", () => {
  const { points } = decodeMetricsJson(
    JSON.stringify({
      resource_metrics: [
        {
          scope_metrics: [
            {
              metrics: [
                {
                  name: "m",
                  sum: {
                    aggregation_temporality: "AGGREGATION_TEMPORALITY_CUMULATIVE",
                    data_points: [{ time_unix_nano: 1e18, as_int: 5 }],
                  },
                },
              ],
            },
          ],
        },
      ],
    }),
  );
  assert.deepEqual(points[0]?.metric.temporality, 2);
  assert.deepEqual(points[0]?.data, { kind: "sum", value: 5 });
});

const tooLong = "x".repeat(LABEL_VALUE_LIMIT_BYTES + 1);
test("a point with a label that can't be kept is dropped, not its label", () => {
  for (const attribute of [
    label("a", tooLong),
    label("x".repeat(LABEL_KEY_LIMIT_BYTES + 1), "b"),
    { key: "a" },
  ]) {
    checkDropped(gaugeOf({ asInt: "1", attributes: [attribute] }), "metric_labels");
  }
  const many = Array.from({ length: LABEL_LIMIT + 1 }, (_, index) => label(`l${index}`, ""));
  checkDropped(gaugeOf({ asInt: "1", attributes: many }), "metric_labels");
});
test("the longest label values are kept", () =>
  check(gaugeOf({ asInt: "1", attributes: [label("a", tooLong.slice(1))] }), {
    labels: { a: tooLong.slice(1) },
  }));
test("a metric without a name, or with one too long, is dropped", () => {
  for (const name of ["", "x".repeat(METRIC_NAME_LIMIT_BYTES + 1)]) {
    checkDropped({ ...gaugeOf({ asInt: "1" }), name }, "metric_name");
  }
});
test("too many buckets or quantiles", () => {
  const zeros = Array.from({ length: BUCKET_LIMIT + 1 }, () => 0);
  checkDropped(histogramOf({ bucketCounts: zeros }), "metric_buckets");
  checkDropped(histogramOf({ explicitBounds: zeros }), "metric_buckets");
  const quantileValues = zeros.map(() => ({ quantile: 0.5, value: 1 }));
  const summary = { dataPoints: [{ ...TIMES, quantileValues }] };
  checkDropped({ summary }, "metric_buckets");
});
test("a value that its sender says it has not", () =>
  checkDropped(gaugeOf({ asInt: "1", flags: 1 }), "metric_no_value"));
test("more points than are taken at once", () => {
  const point = { timeUnixNano: "1", asInt: "1" };
  const dataPoints = Array.from({ length: POINT_LIMIT + 2 }, () => point);
  const { points, dropped } = decode(requestOf([{ name: "m", gauge: { dataPoints } }]));
  assert.deepEqual([points.length, ...dropped], [POINT_LIMIT, ["metric_limit", 2]]);
});

for (const [what, body] of [
  ["JSON", '{"resourceMetrics":[]}'],
  ["gzip", "\x1f\x8b\x08"],
  ["a length beyond the end", "\x0a\x7f"],
  ["a cut-off number", "\x0a\xff"],
  ["field 0", "\x02\x00"],
] as const) {
  test(`refuses ${what} as protobuf`, () =>
    assert.throws(() => decodeMetricsProtobuf(Buffer.from(body, "latin1")), isRefusal));
}
for (const text of [
  "",
  "null",
  "[]",
  "canary",
  '{"resourceMetrics":"canary"}',
  '{"resourceMetrics":["canary"]}',
  '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":7}]}]}]}',
  '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"asDouble":"canary"}]}}]}]}]}',
]) {
  test(`refuses as JSON: ${text}`, () => assert.throws(() => decodeMetricsJson(text), isRefusal));
}

function isRefusal(error: unknown): boolean {
  assert.ok(error instanceof MonitorError && error.code === "TELEMETRY_INVALID");
  assert.doesNotMatch(`${error.message} ${error.cause}`, /canary/);
  assert.match(error.hint, /ExportMetricsServiceRequest|content-/);
  return true;
}
