/**
 * What becomes of an OTLP metrics request. Each case is written once, as OTLP
 * JSON, encoded to protobuf, and must decode to the same from both. Then 20 000
 * damaged bodies: each ends in points within their limits or in a `MonitorError`;
 * `FUZZ_SEED=<number> FUZZ_RUNS=1` repeats one.
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
import { toMetricPoints } from "./metric-samples.ts";
import { encodeMetricsRequest, type Json } from "./test-metrics-request.ts";

const TIME_MS = 1_795_465_667_140;
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

// ─── Damaged bodies ───────────────────────────────────────────────────────────

const RUNS = Number(process.env.FUZZ_RUNS ?? 20_000);
const FIRST_SEED = Number(process.env.FUZZ_SEED ?? 1);
const INPUT_MAX_MS = 100;

const WHOLE = requestOf(
  [
    { name: "gauge", unit: "s", ...gaugeOf({ asDouble: 0.5, attributes: [label("a", "b")] }) },
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
      ...histogramOf({ count: "3", sum: 2, bucketCounts: ["1", "1", "1"], explicitBounds: [1, 2] }),
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
        dataPoints: [
          { ...TIMES, count: "3", sum: 6, quantileValues: [{ quantile: 0.5, value: 2 }] },
        ],
      },
    },
  ],
  [label("service.name", "svc")],
);
const WHOLE_BODY = encodeMetricsRequest(WHOLE);
const WHOLE_TEXT = JSON.stringify(WHOLE);

test(`${RUNS} damaged bodies decode or are refused`, () => {
  const outcomes = { decoded: 0, refused: 0 };
  for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
    const run = damagedInput(randomFrom(seed));
    let tookMs = Number.POSITIVE_INFINITY;
    // Measured again when slow: another process may have had the processor.
    for (let attempt = 0; attempt < 3 && tookMs > INPUT_MAX_MS; attempt++) {
      const start = performance.now();
      try {
        const decoded = run();
        tookMs = performance.now() - start;
        assertWithinLimits(decoded);
        if (attempt === 0) outcomes.decoded += 1;
      } catch (error) {
        tookMs = Math.min(tookMs, performance.now() - start);
        if (!(error instanceof MonitorError) || error.code !== "TELEMETRY_INVALID") {
          throw new Error(`input ${seed}: repeat with FUZZ_SEED=${seed} FUZZ_RUNS=1`, {
            cause: error,
          });
        }
        if (attempt === 0) outcomes.refused += 1;
      }
    }
    assert.ok(tookMs <= INPUT_MAX_MS, `input ${seed} took ${tookMs} ms`);
  }
  if (RUNS >= 1000) {
    assert.ok(
      outcomes.decoded > RUNS / 20 && outcomes.refused > RUNS / 20,
      JSON.stringify(outcomes),
    );
  }
});

function assertWithinLimits(decoded: DecodedMetrics): void {
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

type Random = (end: number) => number;

/** The generator mulberry32. */
function randomFrom(seed: number): Random {
  let state = seed | 0;
  return (end) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * end);
  };
}

function damagedInput(random: Random): () => DecodedMetrics {
  if (random(4) === 0) {
    const text = damagedText(random);
    return () => decodeMetricsJson(text);
  }
  const body = damagedBytes(random);
  return () => decodeMetricsProtobuf(body);
}

const NASTY_BYTES: readonly (readonly number[])[] = [
  [0x00],
  [0x7f],
  [0xff],
  [0x0b],
  [0x0a, 0x00],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
  [0, 0, 0, 0, 0, 0, 0xf8, 0x7f],
  [0, 0, 0, 0, 0, 0, 0xf0, 0xff],
];

function damagedBytes(random: Random): Uint8Array {
  let body = [...WHOLE_BODY];
  for (let left = 1 + random(4); left > 0 && body.length > 0; left--) {
    const at = random(body.length);
    const end = Math.min(body.length, at + 1 + random(random(8) === 0 ? 200 : 16));
    switch (random(8)) {
      case 0:
        body = body.slice(0, at);
        break;
      case 1:
        body.splice(at, end - at);
        break;
      case 2:
        body.splice(at, 0, ...body.slice(at, end));
        break;
      case 3: {
        const bytes = NASTY_BYTES[random(NASTY_BYTES.length)] ?? [];
        body.splice(at, random(2) === 0 ? 0 : bytes.length, ...bytes);
        break;
      }
      default:
        body[at] = (body[at] ?? 0) ^ (1 << random(8));
    }
  }
  return Uint8Array.from(body);
}

const NASTY_TEXTS = [
  '"',
  "\\",
  "{",
  "}",
  "[",
  "]",
  "null",
  "1e999",
  "-1",
  '"NaN"',
  "[[]]",
  "{}",
  "7",
];

function damagedText(random: Random): string {
  let text = WHOLE_TEXT;
  for (let left = 1 + random(3); left > 0; left--) {
    const insert = NASTY_TEXTS[random(NASTY_TEXTS.length)] ?? "";
    // Mostly whole values, so that the text stays JSON.
    const at = random(4) === 0 ? -1 : text.indexOf(":", random(text.length)) + 1;
    const value = /^(?:"[^"]*"|[\d.]+)/.exec(text.slice(at));
    if (at > 0 && value) text = text.slice(0, at) + insert + text.slice(at + value[0].length);
    else {
      const where = random(text.length);
      text = text.slice(0, where) + insert + text.slice(where + random(16));
    }
  }
  return text;
}
