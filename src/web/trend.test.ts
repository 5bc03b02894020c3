import assert from "node:assert/strict";
import { test } from "node:test";
import { pointsTrend, relativeTrend, type Trend } from "./trend.ts";

function check(trend: Trend, expected: string): void {
  const text = "text" in trend ? `${trend.kind} ${trend.text}` : trend.kind;
  assert.equal(text.replaceAll("\u00a0", " "), expected);
}

test("more and less, in percent", () => {
  check(relativeTrend(112, 100), "up 12 %");
  check(relativeTrend(60, 100), "down 40 %");
  check(relativeTrend(0, 100), "down 100 %");
});
test("twice and more is a factor", () => {
  check(relativeTrend(420, 100), "up 4.2×");
  check(relativeTrend(4200, 100), "up 42×");
});
test("a small move is no news", () => {
  check(relativeTrend(101, 100), "same");
  check(relativeTrend(0, 0), "same");
});
test("nothing before gives no trend", () => {
  check(relativeTrend(5, 0), "unknown");
  check(relativeTrend(5, null), "unknown");
  check(relativeTrend(null, 5), "unknown");
});
test("shares differ by points", () => {
  check(pointsTrend(5.2, 2), "up 3.2 points");
  check(pointsTrend(2, 40), "down 38 points");
  check(pointsTrend(2.05, 2), "same");
  check(pointsTrend(null, 2), "unknown");
});
