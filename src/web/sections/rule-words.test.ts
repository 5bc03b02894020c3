/** Each kind of rule in words. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { limitWords } from "./rule-words.ts";

const rule = {
  threshold: 5,
  unit: "percent",
  windowSeconds: 300,
  minRequests: 20,
  slowerThanMs: null,
} as const;

/** A number and its unit are not parted. */
const spaced = (text: string) => text.replaceAll(/\s/g, " ");

test("what a rule asks for", () => {
  const told = [
    limitWords({ ...rule, kind: "error_rate" }),
    limitWords({ ...rule, kind: "latency_p99", threshold: 1000, unit: "ms", minRequests: 1 }),
    limitWords({
      ...rule,
      kind: "slow_requests",
      threshold: 10,
      unit: "requests",
      slowerThanMs: 1000,
      windowSeconds: 60,
    }),
    limitWords({ ...rule, kind: "endpoint_not_ready", unit: "state" }),
  ];
  assert.deepEqual(told.map(spaced), [
    "above 5.0 % of at least 20 requests within 5.0 min",
    "above 1.0 s within 5.0 min",
    "more than 10 requests above 1.0 s within 60 s",
    "not ready",
  ]);
});
