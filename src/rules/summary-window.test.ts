import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultRules, exampleRules } from "./built-in-rules.ts";
import type { Rule } from "./rule.ts";
import { summaryWindowMs } from "./summary-window.ts";

const [latency] = exampleRules;

function check(rules: readonly Rule[], expectedMs: number): void {
  assert.equal(summaryWindowMs(rules, "support-rag"), expectedMs);
}

test("an agent that is healthy again is not said to have the p99 of its bad spell", () =>
  check(exampleRules, 10_000));
test("a rule that looks back long does not make the sentence slow", () =>
  check(defaultRules, 60_000));
test("without rules, the last minute", () => check([], 60_000));
test("a rule of another agent counts nothing", () => {
  assert.ok(latency);
  check([{ ...latency, endpoint: "triage" }], 60_000);
  check([{ ...latency, endpoint: "support-rag" }], 10_000);
});
test("a rule of its own counts, and not the one for all", () => {
  assert.ok(latency);
  const own = { ...latency, id: "own", endpoint: "support-rag", windowSeconds: 20 };
  check([latency, own], 20_000);
});
