import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatAgo,
  formatClockSeconds,
  formatCost,
  formatCount,
  formatDuration,
  formatMeasure,
  formatMoment,
  formatPercent,
  formatPlural,
  formatRate,
} from "./format.ts";

/** Cases are written with plain spaces; the page joins number and unit by a no-break space. */
function check<Value>(
  what: string,
  format: (value: Value) => string | null,
  cases: [value: Value, text: string | null][],
): void {
  test(what, () => {
    for (const [value, text] of cases) {
      assert.equal(format(value)?.replaceAll("\u00a0", " ") ?? null, text);
    }
  });
}

check("durations", formatDuration, [
  [0, "0 ms"],
  [0.2, "<1 ms"],
  [62.4, "62 ms"],
  [999, "999 ms"],
  [999.6, "1.0 s"],
  [4230, "4.2 s"],
  [9960, "10 s"],
  [42_400, "42 s"],
  [99_600, "1.7 min"],
  [42 * 60_000, "42 min"],
  [3 * 3_600_000, "3.0 h"],
]);

check("counts", formatCount, [
  [0, "0"],
  [7, "7"],
  [0.42, "0.4"],
  [940, "940"],
  [999.7, "1.0 k"],
  [1284, "1.3 k"],
  [12_840, "13 k"],
  [999_600, "1.0 M"],
  [2_000_000, "2.0 M"],
  [3.2e9, "3.2 G"],
]);

check("rates take the unit that is easy to say", formatRate, [
  [0, "0/min"],
  [0.0001, "<1/h"],
  [12 / 3600, "12/h"],
  [0.05, "3/min"],
  [0.4, "24/min"],
  [21.7, "1.3 k/min"],
  [140, "140/s"],
]);

check("percentages", formatPercent, [
  [0, "0 %"],
  [0.04, "<0.1 %"],
  [2.34, "2.3 %"],
  [71.2, "71 %"],
  [99.97, "100 %"],
]);

check("cost", formatCost, [
  [0, "$0"],
  [0.00002, "<$0.0001"],
  [0.0042, "$0.0042"],
  [0.0421, "$0.042"],
  [0.312, "$0.31"],
  [4.2, "$4.20"],
  [42.1, "$42"],
  [1284, "$1.3 k"],
]);

check<[number, string]>("what a rule compares", ([value, unit]) => formatMeasure(value, unit), [
  [[4200, "ms"], "4.2 s"],
  [[12.5, "percent"], "13 %"],
  [[1, "state"], null],
  [[3, "requests"], "3 requests"],
]);

const NOON = new Date(2026, 5, 28, 12, 0, 0).getTime();

check("ages", (ageMs: number) => formatAgo(NOON - ageMs, NOON), [
  [-500, "now"],
  [1500, "now"],
  [12_000, "12 s ago"],
  [4 * 60_000, "4 min ago"],
  [2.5 * 3_600_000, "2 h ago"],
  [3 * 86_400_000, "3 d ago"],
]);

check("moments name the day when it is another", (timeMs: number) => formatMoment(timeMs, NOON), [
  [NOON - 60_000, "11:59"],
  [NOON - 86_400_000, "27 Jun 12:00"],
]);

check("clock with seconds", formatClockSeconds, [[NOON + 9000, "12:00:09"]]);

check("plurals", (count: number) => formatPlural(count, "request"), [
  [1, "1 request"],
  [0, "0 requests"],
  [1300, "1.3 k requests"],
]);
