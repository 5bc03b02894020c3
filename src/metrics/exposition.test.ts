/**
 * What is exported as text is read back, by a reader that shares nothing with the
 * writer, and has the same values, whatever names and labels look like.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MetricsCollector } from "./metrics-collector.ts";
import { createTestClock } from "./test-clock.ts";

type Sample = {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
  readonly exemplar?: {
    readonly labels: ReadonlyMap<string, string>;
    readonly value: number;
    readonly atSeconds: number;
  };
};
type Family = {
  readonly name: string;
  type: string;
  help: string;
  unit?: string;
  readonly samples: Sample[];
};

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** Reads one line character by character. */
class Cursor {
  readonly #text: string;
  #at = 0;
  constructor(text: string) {
    this.#text = text;
  }
  peek(): string {
    return this.#text.charAt(this.#at);
  }
  take(expected: string): void {
    assert.equal(this.#text.slice(this.#at, this.#at + expected.length), expected, this.#text);
    this.#at += expected.length;
  }
  until(stops: string): string {
    const start = this.#at;
    while (this.#at < this.#text.length && !stops.includes(this.peek())) this.#at++;
    return this.#text.slice(start, this.#at);
  }
  quoted(): string {
    this.take('"');
    let text = "";
    while (this.peek() !== '"') {
      assert.notEqual(this.peek(), "", `no end of a quoted text in ${this.#text}`);
      if (this.peek() !== "\\") {
        text += this.peek();
        this.#at++;
        continue;
      }
      const escaped = this.#text.charAt(this.#at + 1);
      const meant = { "\\": "\\", '"': '"', n: "\n" }[escaped];
      assert.ok(meant !== undefined, `\\${escaped} means nothing`);
      text += meant;
      this.#at += 2;
    }
    this.take('"');
    return text;
  }
  isAtEnd(): boolean {
    return this.#at === this.#text.length;
  }
}

function readLabels(cursor: Cursor): Map<string, string> {
  const labels = new Map<string, string>();
  cursor.take("{");
  while (cursor.peek() !== "}") {
    if (labels.size > 0) cursor.take(",");
    const name = cursor.until("=");
    assert.match(name, LABEL_NAME);
    assert.ok(!labels.has(name), `two labels ${name}`);
    cursor.take("=");
    labels.set(name, cursor.quoted());
  }
  cursor.take("}");
  return labels;
}

function readNumber(text: string): number {
  if (text === "+Inf") return Number.POSITIVE_INFINITY;
  if (text === "-Inf") return Number.NEGATIVE_INFINITY;
  if (text === "NaN") return Number.NaN;
  assert.match(text, /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/);
  return Number(text);
}

function readSample(line: string): Sample {
  const cursor = new Cursor(line);
  const name = cursor.until("{ ");
  assert.match(name, METRIC_NAME);
  const labels = cursor.peek() === "{" ? readLabels(cursor) : new Map<string, string>();
  cursor.take(" ");
  const value = readNumber(cursor.until(" "));
  if (cursor.isAtEnd()) return { name, labels, value };
  cursor.take(" # ");
  const exemplarLabels = readLabels(cursor);
  cursor.take(" ");
  const exemplarValue = readNumber(cursor.until(" "));
  cursor.take(" ");
  const atSeconds = readNumber(cursor.until(" "));
  assert.ok(cursor.isAtEnd(), line);
  return {
    name,
    labels,
    value,
    exemplar: { labels: exemplarLabels, value: exemplarValue, atSeconds },
  };
}

/** What a family's samples may be called, by its type. */
function suffixesOf(type: string, openMetrics: boolean): readonly string[] {
  if (type === "histogram") return ["_bucket", "_sum", "_count"];
  return type === "counter" && openMetrics ? ["_total"] : [""];
}

function parse(text: string, { openMetrics }: { readonly openMetrics: boolean }): Family[] {
  assert.ok(text.endsWith("\n"));
  const lines = text.slice(0, -1).split("\n");
  if (openMetrics) assert.equal(lines.pop(), "# EOF");
  const families: Family[] = [];
  const sampleNames = new Set<string>();
  for (const line of lines) {
    const [, keyword, name = "", rest = ""] = /^# (HELP|TYPE|UNIT) (\S+) (.*)$/s.exec(line) ?? [];
    let family = families.at(-1);
    if (keyword) {
      if (family?.name !== name) {
        assert.match(name, METRIC_NAME);
        assert.ok(!families.some((other) => other.name === name), `two families ${name}`);
        family = { name, type: "", help: "", samples: [] };
        families.push(family);
      }
      assert.equal(family.samples.length, 0, "what a family is stands before its samples");
      if (keyword === "TYPE") family.type = rest;
      if (keyword === "HELP") family.help = rest;
      if (keyword === "UNIT") family.unit = rest;
      if (keyword !== "TYPE") continue;
      for (const suffix of suffixesOf(rest, openMetrics)) {
        assert.ok(!sampleNames.has(name + suffix), `two families have samples ${name}${suffix}`);
        sampleNames.add(name + suffix);
      }
      continue;
    }
    assert.ok(family, line);
    const sample = readSample(line);
    const suffixes = suffixesOf(family.type, openMetrics);
    assert.ok(
      suffixes.some((suffix) => sample.name === family.name + suffix),
      line,
    );
    family.samples.push(sample);
  }
  for (const family of families) {
    const seen = new Set<string>();
    for (const { name, labels } of family.samples) {
      const key = JSON.stringify([name, ...[...labels].sort()]);
      assert.ok(!seen.has(key), `one series twice: ${key}`);
      seen.add(key);
    }
  }
  return families;
}

const hostileText = fc.oneof(
  fc.constantFrom(
    "",
    "le",
    "quantile",
    "__name__",
    "__proto__",
    "constructor",
    "toString",
    "status_code",
    "exported_le",
    "a b",
    "a.b",
    "a_b",
    "a-b",
    "9lives",
    '"',
    "\\",
    "\\n",
    "\n",
    "\r\n",
    "{}",
    'x="y"',
    "# EOF",
    "\u0000\u0001\u0002",
    "\ud800",
    "\udc00x",
    "é",
    "日本語",
    "🙂",
    "x_total",
    "x",
    "x_bucket",
    "x_sum",
    "x_count",
    "x_ms",
    "x_seconds",
    "x_latency_ms",
    "request",
    "request_total",
    "metrics_overflow_total",
    "overflow",
  ),
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.string({ maxLength: 6 }),
);
const labels = fc
  .array(fc.tuple(hostileText, hostileText), { maxLength: 5 })
  .map((pairs) => Object.fromEntries(pairs));
/** Multiples of a quarter, whose sums are the same in any order. */
const quarters = fc.integer({ min: 0, max: 4_000_000 }).map((n) => n / 4);
const recording = fc.oneof(
  fc.record({ kind: fc.constant("counter" as const), name: hostileText, labels, value: quarters }),
  fc.record({ kind: fc.constant("gauge" as const), name: hostileText, labels, value: fc.double() }),
  fc.record({ kind: fc.constant("latency" as const), name: hostileText, labels, value: quarters }),
  fc.record({ kind: fc.constant("request" as const), name: hostileText, labels, value: quarters }),
);

/** All values of a kind, so that they can be compared without knowing what became of the names. */
function sortedValues(values: readonly number[]): readonly number[] {
  // Of zero, a reader sees no sign.
  const unsigned = values.map((value) => value + 0);
  return unsigned.sort((a, b) => (Object.is(a, b) ? 0 : a < b || Number.isNaN(b) ? -1 : 1));
}

const namespaces = fc.constantFrom("dspy", "", "my-company.", "9", "x");

for (const openMetrics of [false, true]) {
  const format = openMetrics ? "OpenMetrics" : "text 0.0.4";
  test(`${format} reads back as what was recorded, whatever names and labels are`, () => {
    const check = (
      recordings: readonly {
        kind: string;
        name: string;
        labels: Record<string, string>;
        value: number;
      }[],
      namespace: string,
    ) => {
      const metrics = new MetricsCollector({
        clock: createTestClock(),
        namespace,
        maxHistorySize: 100,
      });
      for (const { kind, name, labels, value } of recordings) {
        if (kind === "counter") metrics.incrementCounter(name, { value, labels });
        if (kind === "gauge") metrics.setGauge(name, value, { labels });
        if (kind === "latency") metrics.recordLatency(name, value, { labels });
        if (kind === "request")
          metrics.recordRequest(name, { latencyMs: value, statusCode: 200, labels });
      }
      const families = parse(metrics.exportPrometheusFormat({ openMetrics }), { openMetrics });
      const { series } = metrics.snapshot();
      const valuesOf = (type: string, suffix: RegExp) =>
        sortedValues(
          families
            .filter((family) => family.type === type)
            .flatMap(({ samples }) => samples)
            .filter(({ name }) => suffix.test(name))
            .map(({ value }) => value),
        );
      for (const kind of ["counter", "gauge"] as const) {
        const expected = series.flatMap((one) => (one.kind === kind ? one.value : []));
        assert.deepEqual(valuesOf(kind, /(?:)/), sortedValues(expected));
      }
      const latencies = series.flatMap((one) => (one.kind === "latency" ? one : []));
      const countOf = (values: readonly number[]) => sortedValues(values);
      assert.deepEqual(
        valuesOf("histogram", /_count$/),
        countOf(latencies.map(({ count }) => count)),
      );
      assert.deepEqual(
        valuesOf("histogram", /_sum$/),
        countOf(latencies.map(({ sumMs }) => sumMs / 1_000)),
      );
      assert.deepEqual(
        valuesOf("histogram", /_bucket$/),
        countOf(latencies.flatMap(({ buckets }) => buckets.map(({ count }) => count))),
      );
      // Every label's value is there as it was kept: nothing of it leaks into the next one.
      const textOf = (labels: Iterable<string>) => [...labels].sort().join("\u0000");
      assert.deepEqual(
        families
          .flatMap(({ samples }) => samples)
          .filter(({ labels }) => !labels.has("le") || labels.get("le") === "+Inf")
          .filter(({ name }) => !/_(sum|count)$/.test(name) || !isHistogram(families, name))
          .map(({ labels }) =>
            textOf([...labels].filter(([name]) => name !== "le").map(([, value]) => value)),
          )
          .sort(),
        series.map(({ labels }) => textOf(Object.values(labels))).sort(),
      );
      for (const { help, type, name } of families) {
        assert.ok(help !== "" && type !== "", `${name} says what it is`);
      }
    };
    const recordings = fc.array(recording, { maxLength: 25 });
    fc.assert(fc.property(recordings, namespaces, check), {
      numRuns: 150,
      interruptAfterTimeLimit: 20_000,
    });
  });
}

function isHistogram(families: readonly Family[], sample: string): boolean {
  return families.some(({ name, type }) => type === "histogram" && sample.startsWith(name));
}

test("text 0.0.4 of one of each", () => {
  const metrics = new MetricsCollector({ clock: createTestClock() });
  metrics.recordRequest("qa", { latencyMs: 150, statusCode: 200, modelVersion: "v2" });
  metrics.setGauge("queue_depth", 3, { labels: { le: "x", "a.b": 'say "hi"\\\n' } });
  const families = parse(metrics.exportPrometheusFormat(), { openMetrics: false });
  const byName = new Map(families.map((family) => [family.name, family]));
  const latency = byName.get("dspy_request_latency_seconds");
  assert.equal(latency?.type, "histogram");
  const bucketAt = (le: string) =>
    latency?.samples.find(({ labels }) => labels.get("le") === le)?.value;
  assert.deepEqual(["0.1", "0.25", "+Inf"].map(bucketAt), [0, 1, 1]);
  const sum = latency?.samples.find(({ name }) => name.endsWith("_sum"));
  assert.deepEqual(
    [sum?.value, ...(sum?.labels ?? [])],
    [0.15, ["endpoint", "qa"], ["model_version", "v2"]],
  );
  const [counter] = byName.get("dspy_request_total")?.samples ?? [];
  assert.equal(counter?.labels.get("status_code"), "200");
  const [gauge] = byName.get("dspy_queue_depth")?.samples ?? [];
  assert.deepEqual(
    [...(gauge?.labels ?? [])],
    [
      ["a_b", 'say "hi"\\\n'],
      ["exported_le", "x"],
    ],
  );
});

test("OpenMetrics has units and exemplars: the trace of the latest observation, at its bucket and time", () => {
  const clock = createTestClock(1_767_225_600_000);
  const metrics = new MetricsCollector({ clock });
  metrics.recordRequest("qa", { latencyMs: 150, statusCode: 200, traceId: "a".repeat(32) });
  clock.advance(1_500);
  metrics.recordRequest("qa", { latencyMs: 700, statusCode: 200, traceId: "b".repeat(32) });
  // Neither of these is a trace.
  metrics.recordRequest("qa", { latencyMs: 900, statusCode: 200, traceId: "" });
  metrics.recordRequest("qa", { latencyMs: 900, statusCode: 200, traceId: "c".repeat(65) });
  const families = parse(metrics.exportPrometheusFormat({ openMetrics: true }), {
    openMetrics: true,
  });
  const latency = families.find(({ name }) => name === "dspy_request_latency_seconds");
  assert.equal(latency?.unit, "seconds");
  const withExemplar = latency?.samples.filter(({ exemplar }) => exemplar) ?? [];
  assert.equal(withExemplar.length, 1);
  assert.equal(withExemplar[0]?.labels.get("le"), "1.0");
  assert.deepEqual(withExemplar[0]?.exemplar, {
    labels: new Map([["trace_id", "b".repeat(32)]]),
    value: 0.7,
    atSeconds: 1_767_225_601.5,
  });
});

test("a wall clock that is set back does not move the time of an exemplar that is there", () => {
  const clock = createTestClock(1_767_225_600_000);
  const metrics = new MetricsCollector({ clock });
  metrics.recordLatency("x", 1, { traceId: "t" });
  clock.advance(-3_600_000);
  metrics.recordLatency("y", 1, { traceId: "u" });
  const exemplars = metrics
    .snapshot()
    .series.flatMap((one) => (one.kind === "latency" && one.exemplar ? [one.exemplar.timeMs] : []));
  assert.deepEqual(exemplars, [1_767_225_600_000, 1_767_222_000_000]);
});
