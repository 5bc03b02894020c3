/** Thresholds of one agent, and the rules that the monitor makes of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultAlertThresholds, monitorRules, readAlertThresholds } from "./alert-thresholds.ts";
import { defaultRules } from "./built-in-rules.ts";

const told = (thresholds: Parameters<typeof readAlertThresholds>[0]) =>
  monitorRules("qa", readAlertThresholds(thresholds)).map(
    ({ id, threshold, slowerThanMs, windowSeconds, minRequests, holdSeconds, keepFiringSeconds }) =>
      `${id} > ${threshold}${slowerThanMs === undefined ? "" : ` above ${slowerThanMs} ms`} over ${windowSeconds} s, min ${minRequests}, hold ${holdSeconds} s, keep ${keepFiringSeconds} s`,
  );

test("three rules, each with its own limit and window", () => {
  assert.deepEqual(told({ latencyP99ThresholdMs: 1000, errorWindowSeconds: 600 }), [
    "latency_p99:qa > 1000 over 300 s, min 1, hold 30 s, keep 120 s",
    "slow_requests:qa > 10 above 1000 ms over 300 s, min 1, hold 30 s, keep 120 s",
    "error_rate:qa > 5 over 600 s, min 20, hold 30 s, keep 120 s",
  ]);
});

test("a short window is told soon", () => {
  assert.match(told({ errorWindowSeconds: 15 })[2] ?? "", /over 15 s, min 20, hold 2 s, keep 6 s$/);
});

test("what is left out is as the built-in rules have it", () => {
  const own = monitorRules("qa", defaultAlertThresholds);
  for (const kind of ["latency_p99", "error_rate"] as const) {
    const limit = (rules: typeof own) => {
      const rule = rules.find((candidate) => candidate.kind === kind);
      return [rule?.threshold, rule?.windowSeconds, rule?.holdSeconds, rule?.keepFiringSeconds];
    };
    assert.deepEqual(limit(own), limit(defaultRules), kind);
  }
});
