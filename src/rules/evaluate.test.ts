/** One reading against one rule, as a table. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultRules, exampleRules } from "./built-in-rules.ts";
import { evaluate, isConclusive } from "./evaluate.ts";
import type { Health, Reading, Rule, RuleKind } from "./rule.ts";

function rule(kind: RuleKind, threshold: number, minRequests = 10): Rule {
  return {
    id: kind,
    kind,
    endpoint: null,
    threshold,
    windowSeconds: 300,
    minRequests,
    holdSeconds: 0,
    keepFiringSeconds: 0,
  };
}

function reading(part: Partial<Reading>): Reading {
  return {
    endpoint: "qa",
    requests: 100,
    failed: 0,
    p99Ms: 200,
    slower: null,
    health: null,
    ...part,
  };
}

const health = (status: Health["status"], state = "ready"): Health => ({
  status,
  state,
  message: "",
});

const slow = rule("latency_p99", 1000);
const many = { ...rule("slow_requests", 10, 1), slowerThanMs: 1000 };
const failing = rule("error_rate", 5, 20);
const down = rule("endpoint_not_ready", 0);
const unreadable = rule("workspace_unreadable", 0);

const rows: [string, Rule, Partial<Reading>, string][] = [
  ["p99 above the limit", slow, { p99Ms: 1001 }, "breached 1001 ms above_limit"],
  ["p99 at the limit", slow, { p99Ms: 1000 }, "- 1000 ms within_limit"],
  [
    "p99 with one request too few",
    slow,
    { requests: 9, p99Ms: 9000 },
    "- 9000 ms too_few_requests",
  ],
  [
    "p99 with just enough requests",
    slow,
    { requests: 10, p99Ms: 9000 },
    "breached 9000 ms above_limit",
  ],
  ["no p99", slow, { p99Ms: null }, "- null ms no_data"],
  ["p99 NaN", slow, { p99Ms: Number.NaN }, "- null ms not_a_number inconclusive"],
  [
    "p99 infinite",
    slow,
    { p99Ms: Number.POSITIVE_INFINITY },
    "- null ms not_a_number inconclusive",
  ],
  ["p99 negative", slow, { p99Ms: -1 }, "- null ms not_a_number inconclusive"],
  ["requests NaN", slow, { requests: Number.NaN }, "- null ms not_a_number inconclusive"],
  [
    "a limit that is no number",
    rule("latency_p99", Number.NaN),
    {},
    "- null ms not_a_number inconclusive",
  ],
  ["11 slow requests", many, { slower: 11 }, "breached 11 requests above_limit"],
  ["10 slow requests are not more than 10", many, { slower: 10 }, "- 10 requests within_limit"],
  ["none to be slow", many, { requests: 0, slower: 0 }, "- null requests no_data"],
  ["slow requests NaN", many, { slower: Number.NaN }, "- null requests not_a_number inconclusive"],
  ["6 of 100 fail", failing, { failed: 6 }, "breached 6 percent above_limit"],
  ["5 of 100 fail", failing, { failed: 5 }, "- 5 percent within_limit"],
  ["all of too few fail", failing, { requests: 19, failed: 19 }, "- 100 percent too_few_requests"],
  ["no requests", failing, { requests: 0 }, "- null percent no_data"],
  ["failures NaN", failing, { failed: Number.NaN }, "- null percent not_a_number inconclusive"],
  ["not ready", down, { health: health("unhealthy", "failed") }, "breached null state not_ready"],
  [
    "not ready, and never called",
    down,
    { requests: 0, health: health("unhealthy") },
    "breached null state not_ready",
  ],
  ["ready", down, { health: health("healthy") }, "- null state ready"],
  ["cold is not down", down, { health: health("healthy", "cold") }, "- null state ready"],
  [
    "updating while it serves",
    down,
    { health: health("degraded", "updating") },
    "- null state ready",
  ],
  [
    "a check that finds nothing out",
    down,
    { health: health("unknown") },
    "- null state health_unknown inconclusive",
  ],
  [
    "the workspace refuses its token",
    unreadable,
    { endpoint: null, health: health("unhealthy", "denied") },
    "breached null state not_ready",
  ],
  [
    "the workspace answers",
    unreadable,
    { endpoint: null, health: health("healthy") },
    "- null state ready",
  ],
  ["no check", down, { health: null }, "- null state no_data"],
];

for (const [name, given, part, expected] of rows) {
  test(name, () => {
    const evaluation = evaluate(given, reading(part));
    const { breached, value, unit, reason } = evaluation;
    const words = [breached ? "breached" : "-", String(value), unit, reason];
    if (!isConclusive(evaluation)) words.push("inconclusive");
    assert.equal(words.join(" "), expected);
  });
}

test("the built-in rules have the documented limits", () => {
  const text = [...defaultRules, ...exampleRules].map(
    (r) =>
      `${r.id} > ${r.threshold} over ${r.windowSeconds} s, min ${r.minRequests}, hold ${r.holdSeconds} s`,
  );
  assert.deepEqual(text, [
    "latency_p99 > 5000 over 300 s, min 10, hold 30 s",
    "error_rate > 5 over 300 s, min 20, hold 30 s",
    "endpoint_not_ready > 0 over 60 s, min 0, hold 30 s",
    "workspace_unreadable > 0 over 60 s, min 0, hold 30 s",
    "export_lagging > 0 over 60 s, min 0, hold 30 s",
    "latency_p99 > 1000 over 10 s, min 3, hold 4 s",
    "error_rate > 40 over 15 s, min 4, hold 4 s",
    "endpoint_not_ready > 0 over 15 s, min 0, hold 5 s",
    "workspace_unreadable > 0 over 15 s, min 0, hold 5 s",
    "export_lagging > 0 over 60 s, min 0, hold 30 s",
  ]);
});
