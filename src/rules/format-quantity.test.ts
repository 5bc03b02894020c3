/** Numbers as people read them, as a table. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatBesideLimit,
  formatCostUsd,
  formatCount,
  formatDurationMs,
  formatDurationsMs,
  formatElapsedMs,
  formatPercent,
} from "./format-quantity.ts";

function check(format: (value: number) => string, cases: readonly (readonly [number, string])[]) {
  for (const [value, expected] of cases) {
    test(`${format.name} ${value} → ${expected}`, () => assert.equal(format(value), expected));
  }
}

check(formatDurationMs, [
  [0, "0 ms"],
  [0.42, "0.4 ms"],
  [4.25, "4.3 ms"],
  [9.96, "10 ms"],
  [42.4, "42 ms"],
  [950, "950 ms"],
  [999.4, "999 ms"],
  [999.5, "1.0 s"],
  [1000, "1.0 s"],
  [4240, "4.2 s"],
  [12_360, "12.4 s"],
  [99_949, "99.9 s"],
  [99_950, "1.7 min"],
  [126_000, "2.1 min"],
  [5_999_000, "1.7 h"],
  [3_590_000, "59.8 min"],
  [3_600_000, "1.0 h"],
  [9_000_000, "2.5 h"],
  [172_800_000, "2.0 d"],
  [Number.NaN, "–"],
  [Number.POSITIVE_INFINITY, "–"],
]);
check(formatElapsedMs, [
  [-5, "0 s"],
  [999, "0 s"],
  [3999, "3 s"],
  [59_999, "59 s"],
  [60_000, "1 min"],
  [3_599_999, "59 min"],
  [3_600_000, "1 h"],
  [100_000_000, "27 h"],
  [260_000_000, "3 d"],
  [Number.NaN, "–"],
]);
check(formatPercent, [
  [0, "0 %"],
  [0.04, "<0.1 %"],
  [0.34, "0.3 %"],
  [4.25, "4.3 %"],
  [5, "5 %"],
  [37.6, "38 %"],
  [99.04, "99 %"],
  [99.97, "99.9 %"],
  [100, "100 %"],
  [Number.NaN, "–"],
]);
check(formatCount, [
  [0, "0"],
  [7, "7"],
  [999, "999"],
  [1000, "1 k"],
  [1340, "1.3 k"],
  [42_120, "42.1 k"],
  [999_400, "999 k"],
  [999_600, "1 M"],
  [3_200_000, "3.2 M"],
  [Number.NaN, "–"],
]);
check(formatCostUsd, [
  [0, "$0"],
  [0.00002, "<$0.0001"],
  [0.0042, "$0.0042"],
  [0.00996, "$0.010"],
  [0.0421, "$0.042"],
  [0.312, "$0.31"],
  [4.2, "$4.20"],
  [42.1, "$42"],
  [1284, "$1.3 k"],
  [Number.NaN, "–"],
]);

test("two durations share the unit of the longer", () => {
  assert.deepEqual(formatDurationsMs(2900, 400), ["2.9 s", "0.4 s"]);
  assert.deepEqual(formatDurationsMs(400, 2900), ["0.4 s", "2.9 s"]);
});
test("a duration that would vanish keeps its own unit", () =>
  assert.deepEqual(formatDurationsMs(2900, 42), ["2.9 s", "42 ms"]));
test("zero is zero", () => assert.deepEqual(formatDurationsMs(2900, 0), ["2.9 s", "0.0 s"]));

const beside: [number, number, "ms" | "percent", string][] = [
  [4200, 1000, "ms", "4.2 s / 1.0 s"],
  [1020, 1000, "ms", "1.02 s / 1.00 s"],
  [1001, 1000, "ms", "null / 1.0 s"],
  [1000, 1000, "ms", "1.0 s / 1.0 s"],
  [400, 1000, "ms", "0.4 s / 1.0 s"],
  [38.4, 5, "percent", "38 % / 5 %"],
  [5.03, 5, "percent", "5.03 % / 5 %"],
  [5.001, 5, "percent", "null / 5 %"],
];
for (const [value, limit, unit, expected] of beside) {
  test(`${value} beside its limit of ${limit} ${unit}`, () => {
    const shown = formatBesideLimit(value, limit, unit);
    assert.equal(`${shown.value} / ${shown.limit}`, expected);
  });
}
