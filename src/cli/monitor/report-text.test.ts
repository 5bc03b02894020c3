/** The last lines of the report for people; the whole of it stands in `test/cli/run-and-report.txt`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentReport, Figures, ModuleReport, Report } from "./report.ts";
import { MODULES_MAX, reportText } from "./report-text.ts";

const empty: Report = {
  page: "http://127.0.0.1:4318",
  telemetry: "live",
  agents: [],
  errorGroups: [],
  health: [],
  alerts: [],
  notifications: 0,
  dropped: {},
};

const nothingTold: Figures = {
  latencyMs: null,
  tokens: null,
  costUsd: null,
  costSource: null,
  unpricedCalls: 0,
  savedCostUsd: null,
  cacheHits: null,
};
const latencyMs = { p50: 410, p95: 1200, p99: 2500 };
const module = (path: string): ModuleReport => ({
  ...nothingTold,
  program: "RagQA",
  path,
  pathSource: "attribute",
  kind: "module",
  calls: 12,
  errors: 0,
});
const agent = (endpoint: string, modules: readonly ModuleReport[]): AgentReport => ({
  ...nothingTold,
  endpoint,
  requests: 12,
  requestsEstimated: null,
  failed: 1,
  errorRatePercent: 100 / 12,
  unpricedModels: [],
  modules,
});

test("the modules of every agent stand below the agents, in the order of the tree", () => {
  const modules = [
    module("self"),
    {
      ...module("self.rewrite"),
      calls: 24,
      errors: 1,
      latencyMs,
      tokens: { input: 900, output: 80 },
      costUsd: 0.0123,
    },
    { ...module("lookup_order"), kind: "tool" as const },
  ];
  const [, table] = reportText({
    ...empty,
    agents: [agent("qa", modules), agent("triage", [module("self")])],
  }).split("\n\n");
  assert.equal(
    table,
    [
      "MODULE        KIND    AGENT   CALLS  FAILED     P50    P95    P99  TOKENS IN  OUT     COST",
      "self          module  qa         12       0       –      –      –          –    –        –",
      "self.rewrite  module  qa         24       1  410 ms  1.2 s  2.5 s        900   80  $0.0123",
      "lookup_order  tool    qa         12       0       –      –      –          –    –        –",
      "self          module  triage     12       0       –      –      –          –    –        –",
    ].join("\n"),
  );
});

test("an agent of several programs has a `self` of each", () => {
  const modules = [module("self"), { ...module("self"), program: "Triage", calls: 3 }];
  const [, table = ""] = reportText({ ...empty, agents: [agent("qa", modules)] }).split("\n\n");
  assert.match(table, /^RagQA self {3}module/m);
  assert.match(table, /^Triage self {2}module/m);
});

test("of very many modules the first are shown, and how many there are more", () => {
  const modules = Array.from({ length: MODULES_MAX + 7 }, (_, n) => module(`self.step_${n}`));
  const text = reportText({ ...empty, agents: [agent("qa", modules)] });
  assert.equal(text.match(/self\.step_/g)?.length, MODULES_MAX);
  assert.match(text, /\nand 7 more modules, which --output json lists\n\n/);
});

test("errors of one kind in one place are told apart by their messages", () => {
  const start = "litellm.RateLimitError: OpenAIException - Rate limit reached for";
  const error = (message: string) => ({
    endpoint: "qa",
    errorClass: "lm_provider",
    type: "RateLimitError",
    path: "self.answer",
    message,
    count: 2,
    handled: 0,
  });
  const errorGroups = [error(`${start} gpt-4o`), error(`${start} ${"x".repeat(200)}`)];
  const lines = reportText({ ...empty, errorGroups }).split("\n");
  const cells = lines.filter((line) => line.startsWith("RateLimitError"));
  assert.deepEqual(
    cells.map((line) => line.split("  ").at(-1)),
    ["litellm.RateLimitError: … gpt-4o", `litellm.RateLimitError: … ${"x".repeat(53)}…`],
  );
});

for (const [notifications, said] of [
  [0, "No notification was sent."],
  [1, "1 notification sent."],
  [2, "2 notifications sent."],
] as const) {
  test(said, () => {
    const lastLine = reportText({ ...empty, notifications })
      .trimEnd()
      .split("\n")
      .at(-1);
    assert.equal(lastLine, `${said} Nothing was dropped.`);
  });
}
