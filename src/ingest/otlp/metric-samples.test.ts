/** What the monitor keeps of pushed metrics: which value counts, what is left out, where it ends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { MetricPoint } from "../../signals/metric-point.ts";
import type { Sample } from "../../signals/sample.ts";
import type { OtlpMetricPoint, OtlpPointData } from "./decode-metrics-point.ts";
import {
  METRIC_AHEAD_MAX_MS,
  METRIC_BEHIND_MAX_MS,
  PushedSeries,
  SERIES_MAX,
  SERIES_PER_ENDPOINT_MAX,
  SERIES_REPEAT_MS,
  SERIES_STALE_MS,
  toMetricPoints,
} from "./metric-samples.ts";

const NOW_MS = 1_795_465_667_140;

test("a zero has no sign, so that it comes back from the journal as it is", () => {
  const { points } = toMetricPoints(
    {
      points: [
        pointOf({ kind: "gauge", value: -0 }),
        pointOf({ kind: "summary", count: 0, sum: -0, quantiles: [[0.5, -0]] }),
      ],
      dropped: new Map(),
    },
    NOW_MS,
  );
  assert.equal(points.length, 2);
  assert.deepStrictEqual(JSON.parse(JSON.stringify(points)), points);
});

test("a quantile between the largest numbers there are is a number", () => {
  const bounds = [-1.7e308, 1.7e308];
  const data = { kind: "histogram", count: 2, sum: 0, bounds, counts: [0, 2, 0] } as const;
  const { points } = toMetricPoints({ points: [pointOf(data)], dropped: new Map() }, NOW_MS);
  for (const { value } of points[0]?.values ?? []) assert.ok(Number.isFinite(value), `${value}`);
});

function pointOf(data: OtlpPointData, other: Partial<OtlpMetricPoint> = {}): OtlpMetricPoint {
  return {
    metric: { name: "m", temporality: 2, isMonotonic: true },
    resource: { endpoint: "qa", service: "svc", instance: null },
    startMs: NOW_MS - 10_000,
    timeMs: NOW_MS,
    labels: {},
    data,
    ...other,
  };
}

/** `m_p50 gauge 3` for each value; `dropped …` where there is none. */
function told(data: OtlpPointData, other: Partial<OtlpMetricPoint> = {}): string[] {
  const { points, dropped } = toMetricPoints(
    { points: [pointOf(data, other)], dropped: new Map() },
    NOW_MS,
  );
  return [
    ...points.flatMap(({ name, values }) =>
      values.map(({ suffix, kind, value }) => `${name}${suffix} ${kind} ${value}`),
    ),
    ...[...dropped].map(([reason, count]) => `dropped ${reason} ${count}`),
  ];
}

const histogram = (change: object = {}) =>
  ({ kind: "histogram", count: 4, sum: 8, bounds: [1, 5], counts: [1, 2, 1], ...change }) as const;
const NAN = Number.NaN;

for (const [what, data, other, expected] of [
  ["a gauge", { kind: "gauge", value: -1 }, {}, ["m gauge -1"]],
  ["a gauge that is no number", { kind: "gauge", value: NAN }, {}, ["m gauge NaN"]],
  ["an infinite gauge", { kind: "gauge", value: -Infinity }, {}, ["m gauge -Infinity"]],
  ["a counter", { kind: "sum", value: 7 }, {}, ["m counter 7"]],
  ["a counter below zero", { kind: "sum", value: -7 }, {}, ["dropped metric_value 1"]],
  ["a counter that is no number", { kind: "sum", value: NAN }, {}, ["dropped metric_value 1"]],
  [
    "a sum that goes up and down",
    { kind: "sum", value: -7 },
    { metric: { name: "m", temporality: 2, isMonotonic: false } },
    ["m gauge -7"],
  ],
  [
    "a sum without temporality",
    { kind: "sum", value: 7 },
    { metric: { name: "m", temporality: 0, isMonotonic: true } },
    ["dropped metric_temporality 1"],
  ],
  [
    "a histogram",
    histogram(),
    {},
    ["m_count counter 4", "m_sum counter 8", "m_p50 gauge 3", "m_p95 gauge 5", "m_p99 gauge 5"],
  ],
  [
    "an empty histogram",
    histogram({ count: 0, sum: 0, counts: [0, 0, 0] }),
    {},
    ["m_count counter 0", "m_sum counter 0"],
  ],
  [
    "a histogram without buckets or sum",
    histogram({ sum: null, bounds: [], counts: [] }),
    {},
    ["m_count counter 4"],
  ],
  ["a histogram whose sum is no number", histogram({ sum: NAN }), {}, ["dropped metric_value 1"]],
  [
    "a histogram that counts less than its buckets",
    histogram({ count: 3 }),
    {},
    ["dropped metric_buckets 1"],
  ],
  [
    "a histogram without a last bucket",
    histogram({ counts: [1, 3] }),
    {},
    ["dropped metric_buckets 1"],
  ],
  [
    "a histogram with bounds in disorder",
    histogram({ bounds: [5, 1] }),
    {},
    ["dropped metric_buckets 1"],
  ],
  [
    "an exponential histogram",
    { kind: "exponential_histogram", count: 2, sum: 3 },
    {},
    ["m_count counter 2", "m_sum counter 3"],
  ],
  [
    "a summary",
    {
      kind: "summary",
      count: 2,
      sum: 3,
      quantiles: [
        [0.5, 1],
        [0.999, 2],
        [0.9, NAN],
      ],
    },
    { metric: { name: "m", temporality: 0, isMonotonic: false } },
    ["m_count counter 2", "m_sum counter 3", "m_p50 gauge 1", "m_p99.9 gauge 2"],
  ],
  ["a point without time", { kind: "gauge", value: 1 }, { timeMs: 0 }, ["dropped metric_time 1"]],
  [
    "a point of last week",
    { kind: "gauge", value: 1 },
    { timeMs: NOW_MS - METRIC_BEHIND_MAX_MS - 1 },
    ["dropped metric_time 1"],
  ],
  [
    "a point of tomorrow",
    { kind: "gauge", value: 1 },
    { timeMs: NOW_MS + METRIC_AHEAD_MAX_MS + 1 },
    ["dropped metric_time 1"],
  ],
  [
    "a point that ends before it begins",
    { kind: "gauge", value: 1 },
    { startMs: NOW_MS + 1 },
    ["dropped metric_time 1"],
  ],
] as readonly [string, OtlpPointData, Partial<OtlpMetricPoint>, string[]][]) {
  test(what, () => assert.deepEqual(told(data, other), expected));
}

test("endpoint first, then service; instances are series of their own; secrets are gone", () => {
  const secret = `dapi${"0".repeat(32)}`;
  const read = (other: Partial<OtlpMetricPoint>) =>
    toMetricPoints(
      { points: [pointOf({ kind: "gauge", value: 1 }, other)], dropped: new Map() },
      NOW_MS,
    ).points[0];
  assert.equal(read({})?.endpoint, "qa");
  const resource = { endpoint: null, service: "svc", instance: "i\n1" };
  const point = read({ resource, labels: { z: `key ${secret}`, a: "1" } });
  assert.equal(point?.endpoint, "svc");
  assert.deepEqual(point?.labels, { a: "1", "service.instance.id": "i 1", z: "key [secret]" });
  assert.equal(
    read({ resource: { endpoint: null, service: null, instance: null } })?.endpoint,
    "unknown",
  );
});

// ─── The newest of every series ─────────────────────────────────────────────

type Step = readonly [mode: MetricPoint["mode"], startS: number, endS: number, value: number];

function point([mode, startS, endS, value]: Step, other: Partial<MetricPoint> = {}): MetricPoint {
  return {
    endpoint: "qa",
    name: "m",
    labels: {},
    mode,
    startMs: startS * 1000,
    timeMs: endS * 1000,
    values: [{ suffix: "", kind: mode === "gauge" ? "gauge" : "counter", value }],
    ...other,
  };
}

/** Adds point after point and tells the value at the end, and what was left out. */
function fold(steps: readonly Step[]): [value: number | undefined, ...dropped: string[]] {
  const series = new PushedSeries();
  const dropped = steps.flatMap((step) => [...series.add([point(step)], 0).dropped.keys()]);
  return [series.samples("qa")[0]?.value, ...dropped];
}

for (const [what, steps, expected] of [
  [
    "the newest gauge counts",
    [
      ["gauge", 0, 1, 5],
      ["gauge", 0, 2, 3],
    ],
    [3],
  ],
  [
    "a late gauge does not",
    [
      ["gauge", 0, 2, 3],
      ["gauge", 0, 1, 5],
    ],
    [3, "late_metric"],
  ],
  [
    "totals replace each other",
    [
      ["cumulative", 0, 1, 5],
      ["cumulative", 0, 2, 8],
    ],
    [8],
  ],
  [
    "a total sent twice",
    [
      ["cumulative", 0, 1, 5],
      ["cumulative", 0, 1, 5],
    ],
    [5, "duplicate_metric"],
  ],
  [
    "totals that began anew",
    [
      ["cumulative", 0, 9, 50],
      ["cumulative", 10, 11, 2],
    ],
    [2],
  ],
  [
    "a late total from before that",
    [
      ["cumulative", 10, 11, 2],
      ["cumulative", 0, 9, 50],
    ],
    [2, "late_metric"],
  ],
  [
    "deltas add up",
    [
      ["delta", 0, 1, 5],
      ["delta", 1, 2, 3],
    ],
    [8],
  ],
  [
    "in any order",
    [
      ["delta", 1, 2, 3],
      ["delta", 0, 1, 5],
    ],
    [8],
  ],
  [
    "each once",
    [
      ["delta", 0, 1, 5],
      ["delta", 1, 2, 3],
      ["delta", 0, 1, 5],
    ],
    [8, "duplicate_metric"],
  ],
  [
    "from two processes at once",
    [
      ["delta", 0, 2, 1],
      ["delta", 1, 2, 2],
      ["delta", 0, 3, 4],
    ],
    [7],
  ],
  [
    "a gauge that is no number takes the last one away",
    [
      ["gauge", 0, 1, 5],
      ["gauge", 0, 2, NAN],
    ],
    [undefined],
  ],
] as readonly [string, Step[], [number | undefined, ...string[]]][]) {
  test(what, () => {
    const numbers = steps.map(([mode, start, end, value]): Step => [mode, start, end, value]);
    if (Number.isNaN(steps.at(-1)?.[3])) {
      const series = new PushedSeries();
      series.add([point(numbers[0] ?? ["gauge", 0, 0, 0])], 0);
      series.add(
        [point(["gauge", 0, 2, 0], { values: [{ suffix: "", kind: "gauge", value: "NaN" }] })],
        0,
      );
      assert.deepEqual([series.samples("qa")[0]?.value], expected);
    } else assert.deepEqual(fold(numbers), expected);
  });
}

test("a sender whose clock was set back is heard again after a while", () => {
  const series = new PushedSeries();
  series.add([point(["gauge", 0, 5_000, 1])], 0);
  assert.deepEqual(
    [...series.add([point(["gauge", 0, 100, 2])], 1_000).dropped.keys()],
    ["late_metric"],
  );
  assert.deepEqual([...series.add([point(["gauge", 0, 101, 3])], SERIES_STALE_MS + 1).dropped], []);
  assert.equal(series.samples()[0]?.value, 3);
});

test("a value that repeats is known, until it has been told for long", () => {
  const series = new PushedSeries();
  series.add([point(["cumulative", 0, 10, 5])], 0);
  assert.equal(series.isKnown(point(["cumulative", 0, 20, 5])), true);
  assert.equal(series.isKnown(point(["cumulative", 0, 20, 6])), false);
  assert.equal(series.isKnown(point(["cumulative", 1, 20, 5])), false);
  assert.equal(series.isKnown(point(["cumulative", 0, 10 + SERIES_REPEAT_MS / 1000, 5])), false);
  assert.equal(series.isKnown(point(["delta", 0, 20, 5])), false);
});

test("one service takes no place from the others; silent series make room", () => {
  const many = (endpoint: string, count: number) =>
    Array.from({ length: count }, (_, index) =>
      point(["gauge", 0, 1, index], { endpoint, labels: { index: String(index) } }),
    );
  const series = new PushedSeries();
  const { dropped } = series.add(many("loud", SERIES_PER_ENDPOINT_MAX + 7), 0);
  assert.deepEqual([...dropped], [["series_limit", 7]]);
  assert.equal(series.add(many("quiet", 3), 1).dropped.size, 0);
  for (let service = 0; series.size < SERIES_MAX; service++) {
    series.add(many(`service-${service}`, SERIES_PER_ENDPOINT_MAX), 2);
  }
  assert.deepEqual([...series.add(many("late", 1), 3).dropped], [["series_limit", 1]]);
  assert.equal(series.size, SERIES_MAX);
  assert.equal(
    series.add(many("late", 1), SERIES_STALE_MS + 1).dropped.size,
    0,
    "the loud one was silent",
  );
  assert.ok(series.size < SERIES_MAX);
});

test("series are told apart in whatever order they come, also after some were forgotten", () => {
  const told = fc.record({
    endpoint: fc.constantFrom("qa", "q"),
    name: fc.constantFrom("m", "am"),
    labels: fc.constantFrom({}, { a: "1" }, { a: "2" }, { b: "1" }, { a: "1", b: "1" }),
  });
  fc.assert(
    fc.property(fc.array(told, { minLength: 20, maxLength: 60 }), (names) => {
      const silentFrom = Math.ceil(names.length / 2);
      const series = new PushedSeries();
      const newest = new Map<string, number>();
      for (const [at, name] of names.entries()) {
        if (at === silentFrom) {
          // Of `q` nothing is told but what was told before.
          for (const [text, value] of [...newest]) {
            const known = JSON.parse(text);
            const later = known.endpoint === "q" ? 0 : 0.5;
            series.add([point(["gauge", 0, value + 1 + later, value], known)], AFTER_SILENCE_MS);
            if (known.endpoint === "q") newest.delete(text);
          }
          makeRoom(series);
        }
        const takenMs = at < silentFrom ? 0 : AFTER_SILENCE_MS;
        series.add([point(["gauge", 0, at + 1, at], name)], takenMs);
        newest.set(JSON.stringify(name), at);
      }
      const kept = series.samples().filter((sample) => sample.endpoint !== "loud");
      assert.deepEqual(
        new Map(
          kept.map(({ endpoint, name, labels, value }) => [
            JSON.stringify({ endpoint, name, labels }),
            value,
          ]),
        ),
        newest,
      );
    }),
    { numRuns: 30 },
  );
});

const AFTER_SILENCE_MS = SERIES_STALE_MS + 1;

/** Another endpoint has so many that those are forgotten of which nothing was heard. */
function makeRoom(series: PushedSeries): void {
  const loud = Array.from({ length: SERIES_PER_ENDPOINT_MAX }, (_, index) =>
    point(["gauge", 0, 1, index], { endpoint: "loud", labels: { index: `${index}` } }),
  );
  series.add(loud, 0);
  series.add([point(["gauge", 0, 1, 0], { endpoint: "loud" })], AFTER_SILENCE_MS);
}

test("sending everything again, in any order, changes nothing", () => {
  const step = fc.record({
    mode: fc.constantFrom("delta" as const),
    startS: fc.nat(9),
    lengthS: fc.integer({ min: 1, max: 3 }),
    value: fc.nat(100),
    labels: fc.constantFrom({}, { a: "1" }),
  });
  const values = (samples: readonly Sample[]) =>
    samples.map(({ labels, value }) => JSON.stringify([labels, value])).sort();
  fc.assert(
    fc.property(fc.array(step, { maxLength: 10 }), fc.nat(), (steps, turn) => {
      const points = steps.map(({ mode, startS, lengthS, value, labels }) =>
        point([mode, startS, startS + lengthS, value], { labels }),
      );
      // The first of two that differ counts, so each stretch of a series comes once here.
      const byStretch = new Map(
        points.map((one) => [JSON.stringify([one.startMs, one.timeMs, one.labels]), one]),
      );
      const distinct = [...byStretch.values()];
      const once = new PushedSeries();
      once.add(distinct, 0);
      const often = new PushedSeries();
      const at = distinct.length === 0 ? 0 : turn % distinct.length;
      often.add([...distinct.slice(at), ...distinct.slice(0, at), ...distinct.toReversed()], 0);
      assert.deepEqual(values(often.samples()), values(once.samples()));
      for (const labels of [{}, { a: "1" }]) {
        const mine = distinct.filter(
          (one) => JSON.stringify(one.labels) === JSON.stringify(labels),
        );
        const sum = mine.reduce((total, { values: [first] }) => total + Number(first?.value), 0);
        const [kept] = once
          .samples()
          .filter((one) => JSON.stringify(one.labels) === JSON.stringify(labels));
        if (mine.length > 0) assert.equal(kept?.value, sum);
      }
    }),
  );
});

test("what moves a series on is told with its value, deltas as their total", () => {
  const series = new PushedSeries();
  const told = (...step: Step) =>
    series.add([point(step)], 0).samples.map(({ value, timeMs }) => [value, timeMs / 1000]);
  assert.deepEqual(told("delta", 0, 10, 5), [[5, 10]]);
  assert.deepEqual(told("delta", 10, 20, 2), [[7, 20]]);
  assert.deepEqual(told("delta", 10, 20, 2), [], "sent twice");
  assert.deepEqual(told("delta", 5, 15, 1), [], "late: it adds to the total of second 20");
  assert.deepEqual(told("delta", 20, 30, 1), [[9, 30]]);
});

test("after a clock that was ahead for a while, silent series make room all the same", () => {
  const series = new PushedSeries();
  const atS = (timeS: number, index: number, step: number) =>
    series.add([point(["gauge", 0, step, 1], { labels: { index: `${index}` } })], timeS * 1_000);
  for (let index = 0; index <= SERIES_PER_ENDPOINT_MAX; index++) atS(1_000_000, index, 1);
  assert.equal(series.size, SERIES_PER_ENDPOINT_MAX);
  for (let index = 0; index < SERIES_PER_ENDPOINT_MAX; index++) atS(1, index, 2);
  assert.equal(atS(2 + SERIES_STALE_MS / 1_000, SERIES_PER_ENDPOINT_MAX, 3).dropped.size, 0);
  assert.equal(series.size, 1);
});
