import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MetricsCollector } from "./metrics-collector.ts";
import { createFamilies, escapeHelp, labelText, numberText } from "./prometheus-names.ts";
import { KIND_COUNTER, KIND_GAUGE, KIND_LATENCY } from "./rows.ts";

/** A collector, and the same text written without keeping anything. */
function open() {
  const clock = { now: () => 1_767_225_600_000, every: () => () => {}, after: () => () => {} };
  const metrics = new MetricsCollector({ clock, maxSeries: 2_000, maxSeriesPerMetric: 30 });
  return { metrics, check: () => assert.equal(metrics.exportPrometheusFormat(), plain(metrics)) };
}

const KINDS = { counter: KIND_COUNTER, gauge: KIND_GAUGE, latency: KIND_LATENCY } as const;

/** Line by line from the snapshot, which holds everything that the text shows. */
function plain(metrics: MetricsCollector): string {
  const familyOf = createFamilies("dspy");
  const lines: string[] = [];
  let last = "";
  for (const series of metrics.snapshot().series) {
    const { name, type, help } = familyOf(KINDS[series.kind], series.name);
    if (name !== last) lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`);
    last = name;
    const labels = labelText(series.labels);
    const sample = (suffix: string, value: number, le = "") => {
      const all = [labels, le].filter((text) => text !== "").join(",");
      lines.push(`${name}${suffix}${all === "" ? "" : `{${all}}`} ${numberText(value)}`);
    };
    if (series.kind !== "latency") {
      sample("", series.value);
      continue;
    }
    for (const { upToMs, count } of series.buckets) {
      sample("_bucket", count, `le="${numberText(upToMs / 1_000)}"`);
    }
    sample("_sum", series.sumMs / 1_000);
    sample("_count", series.count);
  }
  return [...lines, ""].join("\n");
}

const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.constantFrom("a", "b", "le", "__name__", '"', "\\", "\n", "é", "𝛑", "{", "}", ",", "="),
);
const labels = fc.dictionary(hostile, hostile, { maxKeys: 3, noNullPrototype: true });
const name = fc.oneof(hostile, fc.constantFrom("requests_total", "requests", "wait_ms", "9"));
const figure = fc.oneof(
  fc.nat({ max: 20 }),
  fc.double({ min: 0, noNaN: true }),
  fc.constantFrom(9, 10, 0.1, 2 ** 31, 2 ** 53, 2 ** 53 + 2, 1e21, 1e300),
);
const gauge = fc.oneof(figure, fc.double(), fc.constantFrom(-0, Number.NaN, -Infinity, Infinity));

const record = fc.oneof(
  fc.record({ kind: fc.constant("counter"), name, labels, value: figure }),
  fc.record({ kind: fc.constant("gauge"), name, labels, value: gauge }),
  fc.record({ kind: fc.constant("latency"), name, labels, value: figure }),
  fc.record({ kind: fc.constant("request"), name, labels, value: figure }),
);

test("what is kept between scrapes shows the same as what is written anew", () => {
  fc.assert(
    fc.property(fc.array(fc.array(record, { maxLength: 12 }), { maxLength: 6 }), (scrapes) => {
      const { metrics, check } = open();
      for (const records of scrapes) {
        for (const { kind, name, labels, value } of records) {
          if (kind === "counter") metrics.incrementCounter(name, { value, labels });
          if (kind === "gauge") metrics.setGauge(name, value, { labels });
          if (kind === "latency") metrics.recordLatency(name, value, { labels });
          if (kind === "request") {
            metrics.recordRequest(name, { latencyMs: value, statusCode: 200, labels });
          }
        }
        check();
      }
      metrics.close();
    }),
    { numRuns: 100 },
  );
});

test("a text that is too long to keep is still all there", () => {
  const clock = { now: () => 1_767_225_600_000, every: () => () => {}, after: () => () => {} };
  const metrics = new MetricsCollector({ clock });
  const text = "x".repeat(1_000);
  for (let i = 0; i < 1_150; i++) {
    metrics.recordLatency("wait_ms", i, { labels: { id: `${i}`, a: text, b: text, c: text } });
  }
  const kept = metrics.exportPrometheusFormat();
  assert.ok(kept.length > 64 * 1024 * 1024, `${kept.length}`);
  assert.ok(kept === plain(metrics));
  metrics.incrementCounter("late");
  assert.ok(metrics.exportPrometheusFormat().endsWith("dspy_late_total 1\n"));
  metrics.close();
});

test("a text that nobody asks for any more is let go, and comes back the same", () => {
  let nowMs = 1_767_225_600_000;
  const clock = { now: () => nowMs, every: () => () => {}, after: () => () => {} };
  const metrics = new MetricsCollector({ clock });
  metrics.incrementCounter("orders", { value: 7 });
  const before = metrics.exportPrometheusFormat();
  nowMs += 3_600_000;
  // The clock is looked at while something is recorded.
  for (let i = 0; i < 1_024; i++) metrics.recordLatency("wait_ms", 1);
  assert.ok(metrics.exportPrometheusFormat().startsWith(before.slice(0, -1)));
  metrics.incrementCounter("orders", { value: 3 });
  assert.match(metrics.exportPrometheusFormat(), /^dspy_orders_total 10$/m);
  metrics.close();
});
