import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricsCollector, type MetricsCollectorOptions } from "./metrics-collector.ts";
import type { MetricsRecorder } from "./metrics-recorder.ts";
import { createTestClock } from "./test-clock.ts";

/** All that was recorded, in the words of `getAllMetrics`; of latencies their count and sum. */
function recorded(metrics: MetricsCollector): Record<string, number | readonly number[]> {
  const { counters, gauges, latencies } = metrics.getAllMetrics();
  const isOwn = (name: string) => /^metrics_\w+_total/.test(name);
  return Object.fromEntries([
    ...Object.entries(counters).filter(([name, value]) => !isOwn(name) || value > 0),
    ...Object.entries(gauges),
    ...Object.entries(latencies).map(([name, { count, sum }]) => [name, [count, sum]]),
  ]);
}

function check(
  does: string,
  record: (metrics: MetricsCollector) => void,
  expected: Record<string, number | readonly number[]>,
  options: MetricsCollectorOptions = {},
): void {
  test(does, () => {
    const metrics = new MetricsCollector({ clock: createTestClock(), ...options });
    record(metrics);
    assert.deepEqual(recorded(metrics), expected);
    metrics.close();
  });
}

// What is recorded under which name.

check(
  "a request is a latency and one in the counter of its status",
  (metrics) => {
    const labels = { environment: "prod", region: "us-west" };
    metrics.recordRequest("qa", { latencyMs: 150, statusCode: 200, modelVersion: "v2", labels });
    metrics.recordRequest("qa", { latencyMs: 50, statusCode: 500, modelVersion: "v2", labels });
  },
  {
    'request_latency_ms{endpoint="qa",environment="prod",model_version="v2",region="us-west"}': [
      2, 200,
    ],
    'request_total{endpoint="qa",environment="prod",model_version="v2",region="us-west",status_code="200"}': 1,
    'request_total{endpoint="qa",environment="prod",model_version="v2",region="us-west",status_code="500"}': 1,
  },
);

check(
  "what a request does not know is no label",
  (metrics) => metrics.recordRequest("qa", { latencyMs: 1 }),
  { 'request_latency_ms{endpoint="qa"}': [1, 1], 'request_total{endpoint="qa"}': 1 },
);

check(
  "a status that HTTP does not have is `other`",
  (metrics) => {
    for (const statusCode of [99, 600, 200.5, -1]) {
      metrics.recordRequest("qa", { latencyMs: 1, statusCode });
    }
  },
  {
    'request_latency_ms{endpoint="qa"}': [4, 4],
    'request_total{endpoint="qa",status_code="other"}': 4,
  },
);

check(
  "a status of -1 as the very first of a bound handle counts like any other",
  (metrics) => metrics.request({ endpointName: "qa" }).record(5, -1),
  {
    'request_latency_ms{endpoint="qa"}': [1, 5],
    'request_total{endpoint="qa",status_code="other"}': 1,
  },
);

check(
  "a bound handle records into the same series as recordRequest",
  (metrics) => {
    const handle = metrics.request({
      endpointName: "qa",
      modelVersion: "v2",
      labels: { tier: "pro" },
    });
    handle.record(10, 200);
    handle.record(20, 200);
    handle.record(30);
    metrics.recordRequest("qa", {
      latencyMs: 40,
      statusCode: 200,
      modelVersion: "v2",
      labels: { tier: "pro" },
    });
  },
  {
    'request_latency_ms{endpoint="qa",model_version="v2",tier="pro"}': [4, 100],
    'request_total{endpoint="qa",model_version="v2",status_code="200",tier="pro"}': 3,
    'request_total{endpoint="qa",model_version="v2",tier="pro"}': 1,
  },
);

check(
  "the order of labels makes no other series",
  (metrics) => {
    metrics.incrementCounter("x_total", { labels: { a: "1", b: "2" } });
    metrics.incrementCounter("x_total", { labels: { b: "2", a: "1" } });
  },
  { 'x_total{a="1",b="2"}': 2 },
);

check(
  "a label of the caller that the collector has itself is kept as exported_…",
  (metrics) =>
    metrics.recordRequest("qa", {
      latencyMs: 1,
      statusCode: 200,
      labels: { endpoint: "mine", status_code: "mine" },
    }),
  {
    'request_latency_ms{endpoint="qa",exported_endpoint="mine",status_code="mine"}': [1, 1],
    'request_total{endpoint="qa",exported_endpoint="mine",exported_status_code="mine",status_code="200"}': 1,
  },
);

check(
  "recordLatency keeps <name>_latency_ms, and a name that ends in _ms as it is",
  (metrics) => {
    metrics.recordLatency("inference_time", 250);
    metrics.recordLatency("queue_ms", 7, { labels: { queue: "a" } });
  },
  { inference_time_latency_ms: [1, 250], 'queue_ms{queue="a"}': [1, 7] },
);

check(
  "a counter grows by 1, or by what is given",
  (metrics) => {
    metrics.incrementCounter("requests_total", { labels: { endpoint: "qa" } });
    metrics.incrementCounter("requests_total", { value: 2.5, labels: { endpoint: "qa" } });
    metrics.incrementCounter("requests_total", { value: 0, labels: { endpoint: "other" } });
  },
  { 'requests_total{endpoint="qa"}': 3.5, 'requests_total{endpoint="other"}': 0 },
);

check(
  "the last setting of a gauge wins, by label set",
  (metrics) => {
    metrics.setGauge("active_connections", 42);
    metrics.setGauge("active_connections", -3);
    metrics.setGauge("active_connections", 5, { labels: { pool: "a" } });
  },
  { active_connections: -3, 'active_connections{pool="a"}': 5 },
);

check(
  "tokens count by direction; a number that is not known is not recorded",
  (metrics) => {
    metrics.recordTokenUsage("qa", { inputTokens: 263, outputTokens: 57, model: "m1" });
    metrics.recordTokenUsage("qa", { inputTokens: 7, model: "m1" });
    metrics.recordTokenUsage("qa", { outputTokens: 0, labels: { team: "a" } });
    metrics.recordTokenUsage("qa", {});
  },
  {
    'token_total{direction="input",endpoint="qa",model="m1"}': 270,
    'token_total{direction="output",endpoint="qa",model="m1"}': 57,
    'token_total{direction="output",endpoint="qa",team="a"}': 0,
  },
);

check(
  "a workflow is a latency, an outcome and its steps",
  (metrics) => {
    metrics.recordWorkflowExecution("triage", { durationMs: 900, success: true, steps: 3 });
    metrics.recordWorkflowExecution("triage", { durationMs: 100, success: false });
  },
  {
    'workflow_latency_ms{workflow="triage"}': [2, 1000],
    'workflow_total{outcome="success",workflow="triage"}': 1,
    'workflow_total{outcome="failure",workflow="triage"}': 1,
    'workflow_step_total{workflow="triage"}': 3,
  },
);

check(
  "a look-up in a cache is a hit or a miss",
  (metrics) => {
    metrics.recordCacheOperation("answers", { hit: true });
    metrics.recordCacheOperation("answers", { hit: false, labels: { tier: "l2" } });
    metrics.recordCacheOperation("answers", { hit: true });
  },
  {
    'cache_operation_total{cache="answers",result="hit"}': 2,
    'cache_operation_total{cache="answers",result="miss",tier="l2"}': 1,
  },
);

check(
  "a counter and a gauge of one name are two metrics, and labels that look like names stay apart",
  (metrics) => {
    metrics.incrementCounter("x");
    metrics.setGauge("y", 1, { labels: { 'a="1",b': "2" } });
    metrics.setGauge("y", 2, { labels: { a: "1", b: "2" } });
    metrics.setGauge("y", 3, { labels: { __proto__: "z" } as never });
    metrics.setGauge("y", 4, { labels: JSON.parse('{"__proto__":"z","constructor":"c"}') });
  },
  {
    x: 1,
    'y{"a=\\"1\\",b"="2"}': 1,
    'y{a="1",b="2"}': 2,
    y: 3,
    'y{__proto__="z",constructor="c"}': 4,
  },
);

check(
  "text of a record cannot look like the text of another",
  (metrics) => {
    const s = "\u0002direction\u00015\u0001input\u0002model\u0001";
    metrics.recordTokenUsage("e", { inputTokens: 1, model: `x${s}y` });
    metrics.recordTokenUsage(`e${s}x`, { inputTokens: 10, model: "y" });
  },
  {
    'token_total{direction="input",endpoint="e",model="x\\u0002direction\\u00015\\u0001input\\u0002model\\u0001y"}': 1,
    'token_total{direction="input",endpoint="e\\u0002direction\\u00015\\u0001input\\u0002model\\u0001x",model="y"}': 10,
  },
);

// What is no measurement is rejected and counted, never thrown.

const notFinite = 'metrics_rejected_total{reason="not_finite"}';
const negative = 'metrics_rejected_total{reason="negative"}';
const unreadable = 'metrics_rejected_total{reason="unreadable"}';

const noNumbers: readonly unknown[] = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  undefined,
  null,
  "5",
  5n,
  true,
  {},
  [],
  [5],
  { valueOf: () => 5 },
  {
    [Symbol.toPrimitive]: () => {
      throw new Error("no primitive");
    },
  },
  Symbol("5"),
  () => 5,
  new Date(5),
];

for (const value of noNumbers) {
  const shown = typeof value === "object" ? JSON.stringify(value) : String(value);
  check(
    `${typeof value} ${shown} is no latency, no increment and no duration`,
    (metrics) => {
      metrics.recordLatency("x", value as number);
      if (value !== undefined) metrics.incrementCounter("x_total", { value: value as number });
      metrics.recordWorkflowExecution("w", { durationMs: value as number, success: true });
      metrics.recordRequest("qa", { latencyMs: value as number, statusCode: 200 });
      metrics.request({ endpointName: "qa" }).record(value as number, 200);
    },
    {
      // The request and the workflow were there all the same.
      'request_total{endpoint="qa",status_code="200"}': 2,
      'workflow_total{outcome="success",workflow="w"}': 1,
      [notFinite]: value === undefined ? 4 : 5,
    },
  );
}

check(
  "below zero is no latency and no increment",
  (metrics) => {
    metrics.recordLatency("x", -0.1);
    metrics.recordRequest("qa", { latencyMs: -1 });
    metrics.incrementCounter("x_total", { value: -Number.MIN_VALUE });
    metrics.recordTokenUsage("qa", { inputTokens: -1, outputTokens: 2 });
  },
  {
    'request_total{endpoint="qa"}': 1,
    'token_total{direction="output",endpoint="qa"}': 2,
    [negative]: 4,
  },
);

check(
  "a number of tokens that is null is not known, not zero",
  (metrics) =>
    metrics.recordTokenUsage("qa", {
      inputTokens: null as never,
      outputTokens: 2,
      model: null as never,
    }),
  { 'token_total{direction="output",endpoint="qa"}': 2 },
);

check(
  "a gauge may be NaN or infinite; what is no number at all is rejected",
  (metrics) => {
    metrics.setGauge("nan", Number.NaN);
    metrics.setGauge("infinite", Number.NEGATIVE_INFINITY);
    metrics.setGauge("text", "5" as never);
    metrics.setGauge("nothing", undefined as never);
  },
  { nan: Number.NaN, infinite: Number.NEGATIVE_INFINITY, [notFinite]: 2 },
);

const throws = {
  get latencyMs(): number {
    throw new Error("no latency");
  },
  get endpointName(): string {
    throw new Error("no name");
  },
  get value(): number {
    throw new Error("no value");
  },
  get inputTokens(): number {
    throw new Error("no tokens");
  },
  get durationMs(): number {
    throw new Error("no duration");
  },
  get hit(): boolean {
    throw new Error("no hit");
  },
  get labels(): never {
    throw new Error("no labels");
  },
};
const revoked = (() => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
})();

for (const [what, given] of [
  ["null", null],
  ["getters that throw", throws],
  ["a revoked proxy", revoked],
] as const) {
  check(
    `${what} instead of options is counted as unreadable`,
    (metrics) => {
      const options = given as never;
      metrics.recordRequest("qa", options);
      metrics.request(options).record(5, 200);
      metrics.recordLatency("x", 1, options);
      metrics.incrementCounter("x", options);
      metrics.setGauge("x", 1, options);
      metrics.recordTokenUsage("qa", options);
      metrics.recordWorkflowExecution("w", options);
      metrics.recordCacheOperation("c", options);
    },
    { [unreadable]: 8 },
  );
}

check(
  "labels that cannot be read take the record with them",
  (metrics) => {
    const labels = Object.defineProperty({ a: "1" }, "b", {
      enumerable: true,
      get: () => {
        throw new Error("no label");
      },
    });
    metrics.recordRequest("qa", { latencyMs: 1, labels });
    metrics.incrementCounter("x", { labels: revoked });
  },
  { [unreadable]: 2 },
);

check(
  "a trace id that cannot be read is left out, and the request counts",
  (metrics) => {
    const options = Object.defineProperty({}, "traceId", {
      get: () => {
        throw new Error("no trace");
      },
    });
    metrics.request({ endpointName: "qa" }).record(5, 200, options);
    metrics.request({ endpointName: "qa" }).record(5, 200, null as never);
  },
  {
    'request_latency_ms{endpoint="qa"}': [2, 10],
    'request_total{endpoint="qa",status_code="200"}': 2,
  },
);

check(
  "names and labels may be anything",
  (metrics) => {
    metrics.incrementCounter(Symbol("s") as never);
    metrics.incrementCounter(undefined as never);
    metrics.recordLatency(Symbol("s") as never, 1);
    metrics.recordLatency({ toString: () => Symbol("s") } as never, 1);
    metrics.recordRequest(null as never, { latencyMs: 1, modelVersion: null as never });
    metrics.recordRequest(7 as never, { latencyMs: 1, statusCode: null as never });
    metrics.incrementCounter("x", {
      labels: { a: undefined, b: null, c: 5, d: Symbol("d"), e: { f: 1 } } as never,
    });
    for (const labels of ["text", 5, null, []]) {
      metrics.incrementCounter("y", { labels: labels as never });
    }
  },
  {
    "Symbol(s)": 1,
    undefined: 1,
    "Symbol(s)_latency_ms": [1, 1],
    _latency_ms: [1, 1],
    'request_latency_ms{endpoint="null"}': [1, 1],
    'request_total{endpoint="null"}': 1,
    'request_latency_ms{endpoint="7"}': [1, 1],
    'request_total{endpoint="7"}': 1,
    'x{c="5",d="Symbol(d)",e="[object Object]"}': 1,
    y: 4,
  },
);

test("a label that answers differently each time never moves another's records", () => {
  const metrics = new MetricsCollector({ clock: createTestClock() });
  let reads = 0;
  const shifty = Object.defineProperty({}, "region", {
    enumerable: true,
    get: () => (++reads % 3 === 0 ? "a" : "b"),
  });
  for (let i = 0; i < 10; i++) metrics.incrementCounter("x", { labels: shifty });
  const countOf = (region: string) =>
    metrics.getAllMetrics().counters[`x{region="${region}"}`] ?? 0;
  const before: [number, number] = [countOf("a"), countOf("b")];
  assert.equal(before[0] + before[1], 10);
  for (let i = 0; i < 5; i++) metrics.incrementCounter("x", { labels: { region: "a" } });
  for (let i = 0; i < 7; i++) metrics.incrementCounter("x", { labels: { region: "b" } });
  assert.deepEqual([countOf("a"), countOf("b")], [before[0] + 5, before[1] + 7]);
});

test("names and labels are cut where they are too long, and a name is found as it was given", () => {
  const metrics = new MetricsCollector({ clock: createTestClock() });
  const long = "n".repeat(5_000);
  metrics.recordLatency(long, 5);
  metrics.recordLatency(`${long}_ms`, 6);
  metrics.recordRequest(long, { latencyMs: 1, labels: { [long]: long } });
  assert.equal(metrics.getMetricSummary(long)?.sum, 5);
  assert.equal(metrics.getMetricSummary(`${long}_ms`)?.sum, 6);
  assert.equal(metrics.getMetricSummary("latency_ms", { labels: { endpoint: long } })?.count, 1);
  for (const { name, labels } of metrics.snapshot().series) {
    assert.ok(name.length <= 200, name);
    const chars = Object.entries(labels).flat().join("").length;
    assert.ok(chars < 4_500, `${chars} characters of labels`);
  }
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`label${i}`, "v"]));
  metrics.incrementCounter("many", { labels: many });
  const series = metrics.snapshot().series.find(({ name }) => name === "many");
  assert.equal(Object.keys(series?.labels ?? {}).length, 32);
});

// How a summary is asked for.

const asked: readonly [
  string,
  { readonly windowSeconds?: number; readonly labels?: Record<string, unknown> },
  number | undefined,
][] = [
  // name, options, the sum of what it finds
  ["latency_ms", {}, 111],
  ["request_latency_ms", {}, 111],
  ["request", {}, 111],
  ["inference_time", {}, 1_000],
  ["inference_time_latency_ms", {}, 1_000],
  ["queue_ms", {}, 20_000],
  ["queue", {}, undefined], // kept as queue_ms, given as queue_ms
  ["inference", {}, undefined], // the whole name, never a part
  ["time", {}, undefined],
  ["inference_time_latency", {}, undefined],
  ["latency", {}, undefined],
  ["", {}, undefined],
  ["__proto__", {}, undefined],
  ["requests_total", {}, undefined], // a counter has no summary
  ["latency_ms", { labels: {} }, 111],
  ["latency_ms", { labels: { endpoint: "qa" } }, 11],
  ["latency_ms", { labels: { endpoint: "qa", tier: "pro" } }, 10],
  ["latency_ms", { labels: { tier: "pro" } }, 110],
  ["latency_ms", { labels: { endpoint: "q" } }, undefined],
  ["latency_ms", { labels: { status_code: "200" } }, undefined],
  ["latency_ms", { labels: { constructor: "Object" } }, undefined],
  ["latency_ms", { labels: JSON.parse('{"__proto__":"x"}') }, undefined],
  ["latency_ms", { labels: { endpoint: "qa", tier: undefined } }, 11], // as when recording
  ["queue_ms", { labels: { shard: 5 } }, 20_000],
  ["latency_ms", { windowSeconds: 60 }, 100],
  ["latency_ms", { windowSeconds: 60.001 }, 110],
  ["latency_ms", { windowSeconds: 3_600 }, 111],
  ["latency_ms", { windowSeconds: Number.POSITIVE_INFINITY }, 111],
  ["latency_ms", { windowSeconds: 60, labels: { endpoint: "qa" } }, undefined],
  ["inference_time", { windowSeconds: 1e-9 }, 1_000],
];

for (const [name, options, sum] of asked) {
  test(`getMetricSummary(${JSON.stringify(name)}, ${JSON.stringify(options)}) finds ${sum ?? "nothing"}`, () => {
    const clock = createTestClock();
    const metrics = new MetricsCollector({ clock });
    metrics.recordRequest("qa", { latencyMs: 1, statusCode: 200 });
    clock.advance(1);
    metrics.recordRequest("qa", { latencyMs: 10, statusCode: 200, labels: { tier: "pro" } });
    clock.advance(60_000.5);
    metrics.recordRequest("other", { latencyMs: 100, labels: { tier: "pro" } });
    metrics.recordLatency("inference_time", 1_000);
    metrics.recordLatency("queue_ms", 20_000, { labels: { shard: 5 as never } });
    metrics.incrementCounter("requests_total", { labels: { endpoint: "qa" } });
    assert.equal(metrics.getMetricSummary(name, options as never)?.sum, sum);
  });
}

test("a summary of few samples", () => {
  const metrics = new MetricsCollector({ clock: createTestClock() });
  assert.equal(metrics.getMetricSummary("latency_ms"), undefined);
  for (let i = 100; i >= 1; i--) metrics.recordRequest("qa", { latencyMs: i });
  assert.deepEqual(metrics.getMetricSummary("latency_ms"), {
    count: 100,
    sum: 5_050,
    min: 1,
    max: 100,
    avg: 50.5,
    p50: 50,
    p95: 95,
    p99: 99,
    exact: true,
  });
});

test("latency_ms is short for request_latency_ms when it is recorded, too", () => {
  const metrics = new MetricsCollector({ clock: createTestClock() });
  metrics.recordLatency("latency_ms", 5);
  metrics.recordRequest("qa", { latencyMs: 15, statusCode: 200 });
  for (const name of ["latency_ms", "request_latency_ms", "request"]) {
    assert.equal(metrics.getMetricSummary(name)?.sum, 20, name);
  }
  assert.deepEqual(Object.keys(metrics.getAllMetrics().latencies), [
    "request_latency_ms",
    'request_latency_ms{endpoint="qa"}',
  ]);
  metrics.close();
});

for (const windowSeconds of [0, -1, Number.NaN, "60", null]) {
  test(`a window of ${windowSeconds} seconds is a mistake of the caller`, () => {
    const metrics = new MetricsCollector({ clock: createTestClock() });
    assert.throws(
      () => metrics.getMetricSummary("latency_ms", { windowSeconds: windowSeconds as never }),
      { code: "CONFIG_INVALID", message: /^windowSeconds can't be / },
    );
  });
}

test("all metrics are by series: labels that are a part of another's do not take it in", () => {
  const metrics = new MetricsCollector({ clock: createTestClock() });
  metrics.recordLatency("x", 1);
  metrics.recordLatency("x", 10, { labels: { a: "1" } });
  metrics.recordLatency("x", 100, { labels: { a: "1", b: "2" } });
  assert.deepEqual(recorded(metrics), {
    x_latency_ms: [1, 1],
    'x_latency_ms{a="1"}': [1, 10],
    'x_latency_ms{a="1",b="2"}': [1, 100],
  });
});

// The history.

test("exact while all samples of the window are held, within 1 % beyond; oldest out first", () => {
  const clock = createTestClock();
  const metrics = new MetricsCollector({ clock, maxHistorySize: 100 });
  for (let i = 1; i <= 100; i++) {
    metrics.recordLatency("x", i);
    clock.advance(1_000);
  }
  assert.equal(metrics.getMetricSummary("x")?.exact, true);
  metrics.recordLatency("x", 1_000);
  const all = metrics.getMetricSummary("x");
  assert.equal(all?.exact, false);
  assert.equal(all?.count, 101);
  assert.equal(all?.sum, 6_050);
  assert.equal(all?.min, 1);
  assert.equal(all?.max, 1_000);
  assert.ok(Math.abs((all?.p50 ?? 0) - 51) <= 0.51);
  const recent = metrics.getMetricSummary("x", { windowSeconds: 99 });
  assert.equal(recent?.exact, true);
  assert.equal(recent?.count, 100);
  assert.equal(recent?.min, 2);
  const longer = metrics.getMetricSummary("x", { windowSeconds: 100 });
  assert.equal(longer?.exact, false);
  assert.equal(longer?.count, 101);
});

test("the history is of the whole collector: a busy metric pushes out the samples of a quiet one", () => {
  const metrics = new MetricsCollector({ clock: createTestClock(), maxHistorySize: 10 });
  metrics.recordLatency("quiet", 7);
  for (let i = 0; i < 10; i++) metrics.recordLatency("busy", i);
  assert.equal(metrics.getMetricSummary("busy")?.exact, true);
  const quiet = metrics.getMetricSummary("quiet");
  assert.equal(quiet?.exact, false);
  assert.deepEqual([quiet?.count, quiet?.sum, quiet?.min, quiet?.max], [1, 7, 7, 7]);
  // Between the smallest and the largest there was, so here exact all the same.
  assert.equal(quiet?.p50, 7);
});

test("without history, percentiles are within 1 % and totals exact", () => {
  const clock = createTestClock();
  const metrics = new MetricsCollector({ clock, maxHistorySize: 0 });
  for (let i = 1; i <= 1_000; i++) metrics.recordRequest("qa", { latencyMs: i, statusCode: 200 });
  const summary = metrics.getMetricSummary("latency_ms");
  assert.equal(summary?.exact, false);
  assert.equal(summary?.sum, 500_500);
  assert.ok(Math.abs((summary?.p99 ?? 0) / 990 - 1) < 0.01);
  assert.equal(
    metrics.getAllMetrics().counters['request_total{endpoint="qa",status_code="200"}'],
    1_000,
  );
});

for (const [option, value] of [
  ["maxHistorySize", -1],
  ["maxHistorySize", 1.5],
  ["maxHistorySize", 10_000_001],
  ["maxSeries", Number.NaN],
  ["maxSeriesPerMetric", "5"],
] as const) {
  test(`${option} ${value} is refused`, () => {
    assert.throws(() => new MetricsCollector({ [option]: value }), { code: "CONFIG_INVALID" });
  });
}

// Limits.

const overflowTotal = "metrics_overflow_total";

check(
  "above the limit of a metric, records go on in one overflow series and are counted",
  (metrics) => {
    for (let i = 0; i < 5; i++) metrics.incrementCounter("x", { labels: { id: `${i}` } });
    for (let i = 0; i < 5; i++) metrics.incrementCounter("x", { labels: { id: `${i}` } });
    metrics.incrementCounter("y");
  },
  {
    'x{id="0"}': 2,
    'x{id="1"}': 2,
    'x{id="2"}': 2,
    'x{overflow="true"}': 4,
    y: 1,
    [overflowTotal]: 4,
  },
  { maxSeriesPerMetric: 3 },
);

check(
  "above the limit of the whole, every metric has an overflow series",
  (metrics) => {
    for (let i = 0; i < 12; i++) metrics.incrementCounter("x", { labels: { id: `${i}` } });
    metrics.setGauge("y", 5);
    metrics.recordLatency("z", 5);
  },
  {
    ...Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`x{id="${i}"}`, 1])),
    'x{overflow="true"}': 2,
    'y{overflow="true"}': 5,
    'z_latency_ms{overflow="true"}': [1, 5],
    [overflowTotal]: 4,
  },
  { maxSeries: 10 },
);

check(
  "an overflowed request counts once, in latency and counter",
  (metrics) => {
    for (const endpoint of ["a", "b", "b", "c"]) {
      metrics.recordRequest(endpoint, { latencyMs: 1, statusCode: 200 });
    }
    const handle = metrics.request({ endpointName: "d" });
    handle.record(1, 200);
    handle.record(1, 200);
  },
  {
    'request_latency_ms{endpoint="a"}': [1, 1],
    'request_total{endpoint="a",status_code="200"}': 1,
    'request_latency_ms{overflow="true"}': [5, 5],
    'request_total{overflow="true"}': 5,
    [overflowTotal]: 5,
  },
  { maxSeriesPerMetric: 1 },
);

check(
  "with no series at all, everything still counts",
  (metrics) => {
    metrics.recordRequest("qa", { latencyMs: 3, statusCode: 200 });
    metrics.incrementCounter("x");
    metrics.setGauge("y", 1);
    metrics.recordLatency("z", Number.NaN);
  },
  {
    'request_latency_ms{overflow="true"}': [1, 3],
    'request_total{overflow="true"}': 1,
    'x{overflow="true"}': 1,
    'y{overflow="true"}': 1,
    [overflowTotal]: 3,
    [notFinite]: 1,
  },
  { maxSeries: 0 },
);

check(
  "a metric of the service that begins with metrics_ is within the limits like any other",
  (metrics) => {
    for (let i = 0; i < 5; i++) metrics.incrementCounter("metrics_x", { labels: { id: `${i}` } });
  },
  {
    'metrics_x{id="0"}': 1,
    'metrics_x{id="1"}': 1,
    'metrics_x{overflow="true"}': 3,
    [overflowTotal]: 3,
  },
  { maxSeriesPerMetric: 2 },
);

test("of different metrics there may be 1 000; what is above counts in `overflow`", () => {
  const metrics = new MetricsCollector({ clock: createTestClock() });
  for (let i = 0; i < 1_005; i++) {
    metrics.incrementCounter(`c${i}`);
    metrics.incrementCounter(`c${i}`);
  }
  metrics.setGauge("g", 7);
  metrics.recordLatency("l", 3);
  const all = recorded(metrics);
  assert.equal(all.c0, 2);
  assert.equal(all.c999, 2);
  assert.equal(all.c1000, undefined);
  assert.equal(all['overflow_total{overflow="true"}'], 10);
  assert.equal(all['overflow{overflow="true"}'], 7);
  assert.deepEqual(all['overflow_latency_ms{overflow="true"}'], [1, 3]);
  assert.equal(metrics.overflowed, 12);
});

// Closing, and many at once.

test("close() may be called twice, and what is recorded later does no harm and counts", () => {
  const metrics = new MetricsCollector();
  const handle = metrics.request({ endpointName: "qa" });
  handle.record(1, 200);
  metrics.close();
  metrics.close();
  handle.record(2, 200);
  metrics.recordRequest("new", { latencyMs: 3 });
  assert.equal(metrics.getMetricSummary("latency_ms")?.sum, 6);
  assert.match(metrics.exportPrometheusFormat(), /request_total\{endpoint="new"\} 1/);
});

test("an attached recorder that was closed records nothing, and harms nobody who has its place", () => {
  const metrics = new MetricsCollector();
  const first = MetricsCollector.attach(metrics.shareHandle());
  const record = (recorder: MetricsRecorder, ms: number) => {
    recorder.recordRequest("qa", { latencyMs: ms, statusCode: 200, traceId: "4bf92f35" });
    recorder.request({ endpointName: `new-${ms}` }).record(ms, 500, { traceId: "4bf92f35" });
    recorder.incrementCounter(`x${ms}`);
    recorder.setGauge(`y${ms}`, 1);
    recorder.recordLatency("x", Number.NaN);
  };
  record(first, 1);
  const before = recorded(metrics);
  first.close();
  record(first, 1);
  record(first, 2);
  assert.deepEqual(recorded(metrics), before);

  const second = MetricsCollector.attach(metrics.shareHandle());
  second.recordLatency("inference_time", 5);
  first.close();
  const third = MetricsCollector.attach(metrics.shareHandle());
  third.recordLatency("inference_time", 7);
  second.recordLatency("inference_time", 11);
  assert.equal(metrics.getMetricSummary("inference_time")?.sum, 23);
  second.close();
  third.close();
  metrics.close();
});

test("many collectors in a process neither meet nor leave listeners behind", (context) => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on("warning", onWarning);
  context.after(() => process.off("warning", onWarning));
  const listenersBefore = process.listenerCount("worker");
  const all = Array.from({ length: 50 }, () => new MetricsCollector());
  all.forEach((metrics, i) => {
    metrics.shareHandle();
    metrics.shareHandle();
    metrics.incrementCounter("x", { value: i });
  });
  all.forEach((metrics, i) => {
    assert.equal(metrics.getAllMetrics().counters.x, i);
  });
  assert.equal(process.listenerCount("worker"), listenersBefore + 1);
  for (const metrics of all) metrics.close();
  assert.equal(process.listenerCount("worker"), listenersBefore);
  assert.deepEqual(warnings, []);
});

test("nothing leads from a name to what JavaScript has under it", () => {
  const metrics = new MetricsCollector({ clock: createTestClock() });
  for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    metrics.incrementCounter(name, { labels: { [name]: name } });
    metrics.recordRequest(name, { latencyMs: 1, labels: { [name]: name } });
    metrics.setGauge(name, 1);
  }
  const { counters, gauges } = metrics.getAllMetrics();
  assert.equal(Object.hasOwn(gauges, "__proto__"), true);
  assert.equal(counters['__proto__{__proto__="__proto__"}'], 1);
  assert.equal(counters['constructor{constructor="constructor"}'], 1);
  assert.equal(
    metrics.getMetricSummary("latency_ms", { labels: { endpoint: "__proto__" } })?.count,
    1,
  );
});
