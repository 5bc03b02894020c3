/** What is read from Prometheus text and OpenMetrics, and that nothing makes it throw. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parsePrometheusText, SERIES_MAX } from "./parse-prometheus-text.ts";

/** A series reads `name{a=b} value @time`; what was dropped reads `-reason ×count`. */
function check(text: string, expected: readonly string[]) {
  const { series, dropped } = parsePrometheusText(text);
  const read = series.map(({ name, labels, value, timeMs }) => {
    const list = Object.entries(labels).map(([label, text]) => `${label}=${text}`);
    return `${name}{${list.join()}} ${value}${timeMs === null ? "" : ` @${timeMs}`}`;
  });
  const lost = Array.from(dropped, ([reason, count]) => `-${reason} ×${count}`);
  assert.deepEqual([...read, ...lost], expected);
}

test("a value without labels", () => check("up 1", ["up{} 1"]));
test("labels, spaces and a comma at the end", () =>
  check('up { a = "1" , b="2", } 3.5e2', ["up{a=1,b=2} 350"]));
test("empty labels", () => check("up{} 1", ["up{} 1"]));
test("escapes in labels", () => check(String.raw`up{a="q\"b\\n\n\d"} 1`, ['up{a=q"b\\n\n\\d} 1']));
test("braces, hashes and commas inside a label", () => check('up{a="}, #{"} 1', ["up{a=}, #{} 1"]));
test("a label named like a part of every object is only a label", () => {
  const { series } = parsePrometheusText('up{__proto__="x"} 1');
  assert.deepEqual(Object.entries(series[0]?.labels ?? {}), [["__proto__", "x"]]);
});
test("time in milliseconds, as in Prometheus", () =>
  check("up 1 1767225600000", ["up{} 1 @1767225600000"]));
test("time in seconds, as in OpenMetrics", () =>
  check("up 1 1767225600.5", ["up{} 1 @1767225600500"]));
test("an exemplar is ignored", () =>
  check('b{le="1"} 2 # {trace_id="x"} 0.4 1767225600.5', ["b{le=1} 2"]));
test("NaN and infinities are left out and counted", () =>
  check("a NaN\nb +Inf\nc -inf\nd 1e999\ne 1", ["e{} 1", "-not_finite ×4"]));
test("Windows line ends and a missing last line end", () =>
  check("a 1\r\n\r\nb 2", ["a{} 1", "b{} 2"]));
test("what follows # EOF is not read", () => check("a 1\n# EOF\nb 2", ["a{} 1"]));
test("types are known, comments and help are not mistaken for values", () => {
  const text = "# HELP a is 1\n# TYPE a gauge\n# a 1\n#\n# TYPE b\n";
  assert.deepEqual(parsePrometheusText(text).types, new Map([["a", "gauge"]]));
  check(text, []);
});
test("a web page is all malformed", () =>
  check("<!doctype html>\n<p>Sign in</p>", ["-malformed_line ×2"]));
for (const line of [
  "a",
  "a ",
  "a{ 1",
  "a{b} 1",
  'a{b="c} 1',
  'a{b="c"',
  'a{b="c"d="e"} 1',
  "a{,} 1",
  'a{b="c"}',
  "a 0x10",
  "a 1_000",
  "a 1 soon",
  "1a 1",
  "é 1",
  '{"a.b"} 1',
  "a-b 1",
]) {
  test(`${line} is malformed, and the next line is read`, () =>
    check(`${line}\nok 1`, ["ok{} 1", "-malformed_line ×1"]));
}
test("a line without end is left out", () =>
  check(`a{b="${"x".repeat(70_000)}"} 1\nok 1`, ["ok{} 1", "-line_too_long ×1"]));
test("more labels than any metric has are left out", () => {
  const labels = Array.from({ length: 65 }, (_, i) => `l${i}="x"`).join();
  check(`a{${labels}} 1\nok 1`, ["ok{} 1", "-too_many_labels ×1"]);
});
test("a cardinality bomb ends at the limit", () => {
  const text = Array.from({ length: SERIES_MAX + 5 }, (_, i) => `a{i="${i}"} 1`).join("\n");
  const { series, dropped } = parsePrometheusText(text);
  assert.equal(series.length, SERIES_MAX);
  assert.deepEqual(dropped, new Map([["too_many_series", 5]]));
});

const pieces = fc.constantFrom(
  "a",
  "{",
  "}",
  '"',
  "=",
  ",",
  "\\",
  "#",
  " ",
  "\n",
  "1",
  "e9",
  "NaN",
  "# TYPE",
  "le",
);
const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.array(pieces, { maxLength: 80 }).map((parts) => parts.join("")),
);

test("never throws, and every value is finite", () => {
  fc.assert(
    fc.property(hostile, (text) => {
      const { series } = parsePrometheusText(text);
      assert.ok(series.every(({ value, timeMs }) => Number.isFinite(value) && timeMs !== Infinity));
    }),
    { numRuns: 2000 },
  );
});

test("reads back what it was told, whatever is in the labels", () => {
  const escaped = (text: string) =>
    text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  const text = fc.string({ unit: "grapheme", maxLength: 40 }).filter((s) => !s.endsWith("\r"));
  // Written as text, -0 is 0.
  const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value || 0);
  fc.assert(
    fc.property(text, number, (label, value) => {
      const { series } = parsePrometheusText(`a{l="${escaped(label)}"} ${value}\n`);
      assert.deepEqual(series, [{ name: "a", labels: { l: label }, value, timeMs: null }]);
    }),
  );
});

test("a hostile text costs no more than its length", () => {
  const startMs = performance.now();
  for (const part of ["{", '{a="', "\\", " ", "1", 'a{b="c",', "#", "e"]) {
    parsePrometheusText(`a${part.repeat(Math.floor(60_000 / part.length))}\n`.repeat(16));
  }
  assert.ok(performance.now() - startMs < 2000);
});
