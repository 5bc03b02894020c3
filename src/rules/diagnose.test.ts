/** What is known in, the sentence out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { exampleRules } from "./built-in-rules.ts";
import {
  type AgentReading,
  type Breach,
  diagnose,
  diagnoseAgent,
  explainAlert,
} from "./diagnose.ts";
import { explainWorkspaceAlert, type WorkspaceCheck } from "./diagnose-workspace.ts";
import { type EndpointRuleKind, type Health, isEndpointRule } from "./rule.ts";
import { formatSentence } from "./sentence.ts";
import type { Window } from "./window.ts";

const MINUTE_MS = 60_000;
/** 14:08 UTC. */
const nowMs = Date.UTC(2025, 5, 3, 14, 8);
const options = { nowMs, formatTime: (ms: number) => new Date(ms).toISOString().slice(11, 16) };

/** `path calls selfMs lmMs`, summed over the window; `program:path` where there are several. */
type ModuleText = string;
/** `count type path class`. */
type ErrorText = string;

function windowOf(part: {
  requests?: number;
  failed?: number;
  meanMs?: number | null;
  p99Ms?: number | null;
  modules?: readonly ModuleText[];
  errors?: readonly ErrorText[];
}): Window {
  const { requests = 100, failed = 0, meanMs = null, p99Ms = null } = part;
  return {
    requests,
    failed,
    p50Ms: meanMs,
    p95Ms: p99Ms,
    p99Ms,
    meanMs,
    modules: (part.modules ?? []).map((text) => {
      const [place = "", calls, selfMs, lmMs] = text.split(" ");
      const numbers = { calls: Number(calls), selfMs: Number(selfMs), lmMs: Number(lmMs) };
      return { ...placeOf(place), ...numbers };
    }),
    errors: (part.errors ?? []).map((text) => {
      const [count, type = "", place = "", errorClass = ""] = text.split(" ");
      return { count: Number(count), type, ...placeOf(place), errorClass };
    }),
  };
}

function placeOf(text: string) {
  const [path = "", program = "RagQA"] = text.split(":").reverse();
  return { program, path };
}

function breach(
  kind: EndpointRuleKind,
  value: number | null,
  state: Breach["state"] = "firing",
  sinceMs = nowMs - 6 * MINUTE_MS,
): Breach {
  const rule = exampleRules.filter(isEndpointRule).find((candidate) => candidate.kind === kind);
  assert.ok(rule);
  return { rule: kind === "error_rate" ? { ...rule, threshold: 5 } : rule, value, sinceMs, state };
}

const health = (status: Health["status"], state: string, message: string): Health => ({
  status,
  state,
  message,
});
const ready = health("healthy", "ready", "The endpoint is ready.");
const cold = health("healthy", "cold", "Scaled to zero.");
const failed = health(
  "unhealthy",
  "failed",
  "The endpoint is NOT_READY: the container could not start",
);

function agent(endpoint: string, part: Partial<AgentReading> = {}): AgentReading {
  const now = windowOf({ requests: 84, failed: 1, p99Ms: 420, meanMs: 300 });
  return {
    endpoint,
    health: ready,
    now,
    before: null,
    lastRequestMs: nowMs,
    freshness: { kind: "fresh" },
    release: null,
    breaches: [],
    ...part,
  };
}

/** One that nobody has called since the monitor watches it. */
function uncalled(endpoint: string, part: Partial<AgentReading> = {}): AgentReading {
  const now = windowOf({ requests: 0 });
  return agent(endpoint, {
    now,
    lastRequestMs: null,
    freshness: { kind: "no_traffic", sinceMs: null },
    ...part,
  });
}

const before = windowOf({
  meanMs: 600,
  p99Ms: 800,
  modules: ["self.rewrite 100 45000 40000", "self.answer 100 15000 10000"],
});

function slow(
  modules: readonly ModuleText[],
  part: Partial<AgentReading> & { meanMs?: number } = {},
) {
  const { meanMs = 4200, ...rest } = part;
  return agent("support-agent", {
    now: windowOf({ meanMs, p99Ms: 4200, modules }),
    before,
    breaches: [breach("latency_p99", 4200)],
    ...rest,
  });
}

function failing(errors: readonly ErrorText[], part: Partial<AgentReading> = {}) {
  return agent("order-agent", {
    now: windowOf({ requests: 32, failed: 12, errors }),
    breaches: [breach("error_rate", 37.5)],
    ...part,
  });
}

const SLOW = "critical | support-agent is slow: p99 is 4.2 s (limit 1.0 s) since 14:02.";
const FAILING = "critical | order-agent is failing: 38 % of requests fail (limit 5 %) since 14:02.";

const rows: readonly (readonly [string, readonly AgentReading[], string])[] = [
  // Slow
  [
    "a model became slow in one module",
    [slow(["self.rewrite 100 300000 290000", "self.answer 100 115000 12000"])],
    `${SLOW} 71 % of the added time is in \`self.rewrite\` (model calls wait 2.9 s instead of 0.4 s).`,
  ],
  [
    "the module's own work became slow",
    [slow(["self.rewrite 100 345000 40000", "self.answer 100 75000 10000"])],
    `${SLOW} 83 % of the added time is in \`self.rewrite\` (a call takes 3.5 s instead of 0.5 s).`,
  ],
  [
    "a module is called more often",
    [slow(["self.rewrite 700 315000 280000", "self.answer 100 15000 10000"], { meanMs: 3300 })],
    `${SLOW} All of the added time is in \`self.rewrite\` (it is called 7 times per request instead of once).`,
  ],
  [
    "a module is new",
    [
      slow([
        "self.rewrite 100 45000 40000",
        "self.answer 100 15000 10000",
        "self.check 100 360000 350000",
      ]),
    ],
    `${SLOW} All of the added time is in \`self.check\` (it was not called before).`,
  ],
  [
    "two programs have a module with the same path, and one of them became slow",
    [
      agent("support-agent", {
        now: windowOf({
          meanMs: 4200,
          p99Ms: 4200,
          modules: ["Rag:self.rewrite 100 300000 290000", "Triage:self.rewrite 100 45000 40000"],
        }),
        before: windowOf({
          meanMs: 600,
          modules: ["Rag:self.rewrite 100 15000 10000", "Triage:self.rewrite 100 45000 40000"],
        }),
        breaches: [breach("latency_p99", 4200)],
      }),
    ],
    `${SLOW} 79 % of the added time is in \`self.rewrite\` of Rag (model calls wait 2.9 s instead of 0.1 s).`,
  ],
  [
    "two modules share the blame",
    [
      slow([
        "self.rewrite 100 205000 200000",
        "self.answer 100 175000 160000",
        "self.check 100 40000 30000",
      ]),
    ],
    `${SLOW} The added time has no single cause: 44 % in \`self.rewrite\`, 44 % in \`self.answer\`, 11 % in \`self.check\`.`,
  ],
  [
    "most of the added time is outside of modules",
    [slow(["self.rewrite 100 165000 160000", "self.answer 100 15000 10000"])],
    `${SLOW} The added time has no single cause: 33 % in \`self.rewrite\`.`,
  ],
  [
    "no module became slower",
    [slow(["self.rewrite 100 45000 40000", "self.answer 100 15000 10000"])],
    `${SLOW} The added time is in none of its modules.`,
  ],
  [
    "on average nothing changed, only the slowest did",
    [slow(["self.rewrite 100 48000 40000", "self.answer 100 15000 10000"], { meanMs: 630 })],
    `${SLOW} On average requests are no slower than before (630 ms). 76 % of the time is in \`self.rewrite\` (model calls wait 400 ms).`,
  ],
  [
    "nothing to compare with",
    [slow(["self.rewrite 100 300000 290000", "self.answer 100 115000 12000"], { before: null })],
    `${SLOW} 71 % of the time is in \`self.rewrite\` (model calls wait 2.9 s).`,
  ],
  [
    "too little to compare with",
    [
      slow(["self.rewrite 100 300000 290000", "self.answer 100 115000 12000"], {
        before: { ...before, requests: 2 },
      }),
    ],
    `${SLOW} 71 % of the time is in \`self.rewrite\` (model calls wait 2.9 s).`,
  ],
  [
    "nothing to compare with, and no single place",
    [slow(["self.a 100 150000 0", "self.b 100 150000 0", "self.c 100 120000 0"], { before: null })],
    `${SLOW} No single place takes most of the time: 36 % in \`self.a\`, 36 % in \`self.b\`, 29 % in \`self.c\`.`,
  ],
  [
    "telemetry without modules",
    [slow([])],
    `${SLOW} Its telemetry names no modules, so where the time goes is not known.`,
  ],
  [
    "telemetry with broken numbers is left out",
    [slow(["self.rewrite 100 NaN 0", "self.answer 0 0 0"])],
    `${SLOW} Its telemetry names no modules, so where the time goes is not known.`,
  ],
  [
    "hardly above its limit",
    [slow([], { breaches: [breach("latency_p99", 1001)] })],
    "critical | support-agent is slow: p99 is just above its limit of 1.0 s since 14:02. Its telemetry names no modules, so where the time goes is not known.",
  ],
  [
    "slow, and no request since to measure",
    [slow([], { breaches: [breach("latency_p99", null)] })],
    "warning | support-agent is recovering: Too few requests to measure p99 (limit 1.0 s). It was slow since 14:02.",
  ],
  [
    "was slow, and is not any more",
    [slow([], { breaches: [breach("latency_p99", 400)] })],
    "warning | support-agent is recovering: p99 is 0.4 s (limit 1.0 s). It was slow since 14:02.",
  ],
  [
    "getting slow",
    [
      slow(["self.rewrite 100 300000 290000", "self.answer 100 115000 12000"], {
        breaches: [breach("latency_p99", 4200, "pending", nowMs - 3000)],
      }),
    ],
    "warning | support-agent is getting slow: p99 is 4.2 s (limit 1.0 s) for 3 s; alerts after 4 s. 71 % of the added time is in `self.rewrite` (model calls wait 2.9 s instead of 0.4 s).",
  ],
  // Failing
  [
    "one error in one place",
    [
      failing([
        "9 LMRateLimitError self.generate.predict lm_provider",
        "3 ToolError self.lookup tool",
      ]),
    ],
    `${FAILING} 9 of 12 failures are LMRateLimitError in \`self.generate.predict\` (lm_provider).`,
  ],
  [
    "only one error",
    [failing(["12 ToolError self.lookup tool"])],
    `${FAILING} All 12 failures are ToolError in \`self.lookup\` (tool).`,
  ],
  [
    "one error in several places",
    [
      failing([
        "4 LMRateLimitError self.a lm_provider",
        "4 LMRateLimitError self.b lm_provider",
        "4 ToolError self.lookup tool",
      ]),
    ],
    `${FAILING} 8 of 12 failures are LMRateLimitError in 2 places (lm_provider).`,
  ],
  [
    "many errors",
    [
      failing([
        "4 ToolError self.lookup tool",
        "4 AdapterParseError self.answer adapter_parse",
        "4 TimeoutError self.answer timeout",
      ]),
    ],
    `${FAILING} No single cause: of 12 failures 4 AdapterParseError in \`self.answer\`, 4 TimeoutError in \`self.answer\`, 4 ToolError in \`self.lookup\`.`,
  ],
  [
    "errors that explain only few of the failures",
    [failing(["2 ToolError self.lookup tool"])],
    `${FAILING} No single cause: of 12 failures 2 ToolError in \`self.lookup\`.`,
  ],
  [
    "failures without a cause in the telemetry",
    [failing([])],
    `${FAILING} Its telemetry does not say what they failed of.`,
  ],
  [
    "a single failure",
    [
      failing([], {
        now: windowOf({ requests: 4, failed: 1, errors: ["1 ToolError self.lookup tool"] }),
        breaches: [breach("error_rate", 25)],
      }),
    ],
    "critical | order-agent is failing: 25 % of requests fail (limit 5 %) since 14:02. The one failure is ToolError in `self.lookup` (tool).",
  ],
  [
    "starting to fail",
    [
      failing(["12 ToolError self.lookup tool"], {
        breaches: [breach("error_rate", 37.5, "pending", nowMs - 3000)],
      }),
    ],
    "warning | order-agent is starting to fail: 38 % of requests fail (limit 5 %) for 3 s; alerts after 4 s. All 12 failures are ToolError in `self.lookup` (tool).",
  ],
  // Down
  [
    "down",
    [agent("triage", { health: failed, breaches: [breach("endpoint_not_ready", null)] })],
    "critical | triage is down: The endpoint is NOT_READY: the container could not start. Not ready since 14:02.",
  ],
  [
    "not ready for a moment",
    [
      agent("triage", {
        health: failed,
        breaches: [breach("endpoint_not_ready", null, "pending", nowMs - 3000)],
      }),
    ],
    "warning | triage is not ready: The endpoint is NOT_READY: the container could not start. Not ready for 3 s; alerts after 5 s.",
  ],
  [
    "not ready, and no rule watches it",
    [agent("triage", { health: failed })],
    "warning | triage is not ready: The endpoint is NOT_READY: the container could not start.",
  ],
  [
    "was down, and the check finds nothing out any more",
    [
      agent("triage", {
        health: health("unknown", "unreachable", "The workspace did not answer."),
        breaches: [breach("endpoint_not_ready", null)],
      }),
    ],
    "critical | triage may still be down: The workspace did not answer. Not ready since 14:02.",
  ],
  [
    "was down, and is up again",
    [agent("triage", { breaches: [breach("endpoint_not_ready", null)] })],
    "warning | triage is recovering: The endpoint is ready. It was down since 14:02.",
  ],
  [
    "updating",
    [agent("triage", { health: health("degraded", "updating", "Version 8 is being deployed") })],
    "warning | triage is being updated: Version 8 is being deployed.",
  ],
  // Several at once
  [
    "failing and slow, one agent",
    [
      failing(["12 ToolError self.lookup tool"], {
        breaches: [breach("latency_p99", 4200), breach("error_rate", 37.5)],
      }),
    ],
    `${FAILING} All 12 failures are ToolError in \`self.lookup\` (tool). It is also slow: p99 is 4.2 s (limit 1.0 s) since 14:02.`,
  ],
  [
    "the worst of two agents first",
    [slow([]), failing(["12 ToolError self.lookup tool"]), agent("triage")],
    `${FAILING} All 12 failures are ToolError in \`self.lookup\` (tool). And 1 more: support-agent is slow.`,
  ],
  [
    "down before failing before slow before what may come",
    [
      agent("a", { breaches: [breach("latency_p99", 2000, "pending")] }),
      slow([]),
      failing([]),
      agent("triage", { health: failed, breaches: [breach("endpoint_not_ready", null)] }),
    ],
    "critical | triage is down: The endpoint is NOT_READY: the container could not start. Not ready since 14:02. And 3 more: order-agent is failing, support-agent is slow, a is getting slow.",
  ],
  [
    "very many at once",
    ["e", "d", "c", "b", "a"].map((name) =>
      agent(name, { health: failed, breaches: [breach("endpoint_not_ready", null)] }),
    ),
    "critical | a is down: The endpoint is NOT_READY: the container could not start. Not ready since 14:02. And 4 more: b is down, c is down, d is down, …",
  ],
  [
    "of two that are equally bad, the longer one first",
    [
      agent("a", { health: failed, breaches: [breach("endpoint_not_ready", null)] }),
      agent("b", {
        health: failed,
        breaches: [breach("endpoint_not_ready", null, "firing", nowMs - 8 * MINUTE_MS)],
      }),
    ],
    "critical | b is down: The endpoint is NOT_READY: the container could not start. Not ready since 14:00. And 1 more: a is down.",
  ],
  [
    "slow since a release came",
    [
      agent("qa", {
        breaches: [breach("latency_p99", 4_200)],
        now: windowOf({
          requests: 84,
          p99Ms: 4_200,
          meanMs: 4_000,
          modules: ["self.a 84 300000 0"],
        }),
        release: { name: "7c1f2d0", sinceMs: nowMs - 10 * MINUTE_MS },
      }),
    ],
    "critical | qa is slow: p99 is 4.2 s (limit 1.0 s) since 14:02. 89 % of the time is in `self.a` (a call takes 3.6 s). It began 4 min after release `7c1f2d0` came at 13:58.",
  ],
  [
    "slow long after a release came",
    [
      agent("qa", {
        breaches: [breach("latency_p99", 4_200)],
        now: windowOf({ requests: 84, p99Ms: 4_200 }),
        release: { name: "7c1f2d0", sinceMs: nowMs - 60 * MINUTE_MS },
      }),
    ],
    "critical | qa is slow: p99 is 4.2 s (limit 1.0 s) since 14:02. Its telemetry names no modules, so where the time goes is not known.",
  ],
  // Fine
  ["all fine", [agent("a"), agent("b"), agent("c")], "healthy | All 3 agents are healthy."],
  [
    "all fine, one is cold",
    [
      agent("a"),
      agent("b"),
      agent("triage", {
        health: cold,
        now: windowOf({ requests: 0 }),
        lastRequestMs: nowMs - 48 * MINUTE_MS,
      }),
    ],
    "healthy | All 3 agents are healthy. Quietest: `triage`, no request since 13:20 (scaled to zero).",
  ],
  [
    "all fine, one paused for a moment",
    [
      agent("a"),
      agent("b", { now: windowOf({ requests: 0 }), lastRequestMs: nowMs - 4 * MINUTE_MS }),
    ],
    "healthy | Both agents are healthy.",
  ],
  [
    "all fine, one was never called",
    [agent("a"), agent("b", { health: cold, now: windowOf({ requests: 0 }), lastRequestMs: null })],
    "healthy | 1 of 2 agents is healthy. Ready, without a request so far: `b`.",
  ],
  [
    "checks passed and nothing was called yet: nobody knows whether they answer well",
    [uncalled("a"), uncalled("b"), uncalled("triage", { health: cold })],
    "healthy | All 3 agents are ready. No request so far.",
  ],
  [
    "of agents that were never called, one is not known",
    [uncalled("a"), uncalled("b", { health: null })],
    "unknown | 1 of 2 agents is ready. Not known: `b`, without a request or a health check so far.",
  ],
  [
    "one is called, one is ready, one is not known",
    [agent("a"), uncalled("b"), uncalled("qa", { health: null })],
    "unknown | 1 of 3 agents is healthy. Not known: `qa`, without a request or a health check so far. Ready, without a request so far: `b`.",
  ],
  [
    "one agent",
    [agent("support-agent")],
    "healthy | support-agent is healthy. p99 is 420 ms; 1 of 84 requests failed.",
  ],
  [
    "one agent, no telemetry but its check",
    [agent("support-agent", { now: windowOf({ requests: 0 }), lastRequestMs: null })],
    "healthy | support-agent is ready. No request so far.",
  ],
  // Silent
  [
    "called, but its traces stopped",
    [
      agent("a"),
      agent("qa", {
        now: windowOf({ requests: 0 }),
        lastRequestMs: nowMs - 48 * MINUTE_MS,
        freshness: {
          kind: "telemetry_lost",
          sinceMs: nowMs - 48 * MINUTE_MS,
          requestsPerMinute: 42,
          countedMs: nowMs - 3 * MINUTE_MS,
        },
      }),
    ],
    "warning | qa is called, but its telemetry does not arrive: The workspace counted 42 requests in the minute from 14:05; the last trace is of 13:20.",
  ],
  [
    "called, and never sent a trace",
    [
      agent("qa", {
        now: windowOf({ requests: 0 }),
        lastRequestMs: null,
        freshness: {
          kind: "no_telemetry",
          requestsPerMinute: 1,
          countedMs: nowMs - 3 * MINUTE_MS,
        },
      }),
    ],
    "healthy | qa is ready. The workspace counted 1 request in the minute from 14:05; the agent sends no traces.",
  ],
  [
    "silent, and the workspace may not be read",
    [
      agent("qa", {
        now: windowOf({ requests: 0 }),
        lastRequestMs: nowMs - 48 * MINUTE_MS,
        freshness: { kind: "denied", sinceMs: nowMs - 30 * MINUTE_MS },
      }),
    ],
    "healthy | qa is healthy. No request since 13:20. Whether it is called is not known: the workspace may not be read since 13:38.",
  ],
  [
    "silent, and the workspace does not answer",
    [
      agent("qa", {
        now: windowOf({ requests: 0 }),
        lastRequestMs: nowMs - 48 * MINUTE_MS,
        freshness: { kind: "late", sinceMs: nowMs - 30 * MINUTE_MS },
      }),
    ],
    "healthy | qa is healthy. No request since 13:20. Whether it is called is not known: the workspace does not answer since 13:38.",
  ],
  // Not known
  [
    "no agents",
    [],
    "unknown | Nothing to watch yet. Agents appear here with their first request: point their OTEL_EXPORTER_OTLP_ENDPOINT at this monitor, or set DATABRICKS_HOST to watch the endpoints of a workspace.",
  ],
  [
    "one agent of which nothing is known",
    [
      agent("qa", {
        health: health("unknown", "unreachable", "The workspace did not answer"),
        now: windowOf({ requests: 0 }),
        lastRequestMs: null,
      }),
    ],
    "unknown | Nothing is known of qa yet. The workspace did not answer. No request so far.",
  ],
  [
    "some agents of which nothing is known",
    [
      agent("a"),
      agent("qa", { health: null, now: windowOf({ requests: 0 }), lastRequestMs: null }),
    ],
    "unknown | 1 of 2 agents is healthy. Not known: `qa`, without a request or a health check so far.",
  ],
  [
    "a check that finds nothing out while requests succeed",
    [
      agent("qa", {
        health: health("unknown", "unreachable", "The workspace did not answer."),
      }),
    ],
    "healthy | qa is healthy. p99 is 420 ms; 1 of 84 requests failed.",
  ],
  // From outside
  [
    "names and messages stay in their line",
    [
      agent("evil\n\u202e`agent\u0000", {
        health: health("unhealthy", "failed", `It\nbroke\u001b[31m ${"x".repeat(1000)}`),
        breaches: [breach("endpoint_not_ready", null)],
      }),
    ],
    `critical | evil 'agent is down: It broke [31m ${"x".repeat(285)}… Not ready since 14:02.`,
  ],
];

for (const [name, agents, expected] of rows) {
  test(name, () => {
    const sentence = diagnose(agents, options);
    assert.equal(`${sentence.status} | ${formatSentence(sentence)}`, expected);
  });
}

test("the order of the agents does not matter", () => {
  const agents = [slow([]), failing([]), agent("triage"), agent("b", { health: failed })];
  assert.deepEqual(diagnose(agents, options), diagnose(agents.toReversed(), options));
});

test("one agent's view says the same as the overview of one", () => {
  const given = failing(["12 ToolError self.lookup tool"]);
  assert.deepEqual(diagnoseAgent(given, options), diagnose([given], options));
});

const explained: readonly (readonly [string, AgentReading, Breach, string, string])[] = [
  [
    "an alert speaks of its own rule alone",
    failing([], { health: failed }),
    breach("latency_p99", 4200),
    "pending>firing",
    "order-agent is slow: p99 is 4.2 s (limit 1.0 s) since 14:02. Its telemetry names no modules, so where the time goes is not known.",
  ],
  [
    "slow no longer",
    agent("qa"),
    breach("latency_p99", 420),
    "firing>resolved",
    "qa is no longer slow: p99 is 0.4 s (limit 1.0 s). It was slow for 6 min, from 14:02.",
  ],
  [
    "failing no longer, because nobody calls",
    agent("qa"),
    breach("error_rate", null),
    "firing>resolved",
    "qa is no longer failing: Too few requests to measure the error rate (limit 5 %). It was failing for 6 min, from 14:02.",
  ],
  [
    "down no longer",
    agent("qa"),
    breach("endpoint_not_ready", null),
    "firing>resolved",
    "qa is no longer down: The endpoint is ready. It was down for 6 min, from 14:02.",
  ],
  [
    "it was only a moment",
    agent("qa"),
    breach("latency_p99", 420, "pending", nowMs - 2000),
    "pending>inactive",
    "qa is no longer slow: p99 is 0.4 s (limit 1.0 s). It was slow for 2 s, from 14:07.",
  ],
  [
    "nothing happened since it resolved",
    agent("qa"),
    breach("latency_p99", 420),
    "resolved>inactive",
    "qa stayed well.",
  ],
];
const kinds = ["inactive", "pending", "firing", "resolved"] as const;
for (const [name, given, { rule, value, sinceMs }, path, expected] of explained) {
  test(name, () => {
    const [from, to] = path.split(">").map((word) => kinds.find((kind) => kind === word));
    assert.ok(from && to);
    const step = { from, to, breachSinceMs: sinceMs };
    assert.equal(explainAlert(given, { rule, value, step }, options), expected);
  });
}

const unreadable = (state: "pending" | "firing" | null, agoMs = 6 * MINUTE_MS): WorkspaceCheck => {
  const sinceMs = nowMs - agoMs;
  return {
    ...health("unhealthy", "failed", "cannot list the serving endpoints: it answered 500"),
    sinceMs,
    breach: state && { state, sinceMs, holdMs: 30_000 },
  };
};
const unread = (endpoint: string) =>
  agent(endpoint, {
    health: health("unknown", "failed", "Not known since 14:02."),
    now: windowOf({ requests: 0 }),
    lastRequestMs: null,
  });
const workspaces: [string, AgentReading[], WorkspaceCheck, string][] = [
  [
    "a workspace that can't be read is not told as health",
    [agent("qa"), agent("triage")],
    unreadable("firing"),
    "critical The workspace can't be read: cannot list the serving endpoints: it answered 500. The state of its endpoints is not known since 14:02.",
  ],
  [
    "of a workspace that can't be read it is not said that nothing was ever known",
    [unread("qa"), unread("triage")],
    unreadable("firing"),
    "critical The workspace can't be read: cannot list the serving endpoints: it answered 500. The state of its endpoints is not known since 14:02.",
  ],
  [
    "one lost answer is a warning only",
    [agent("qa")],
    unreadable(null, 15_000),
    "warning The workspace can't be read: cannot list the serving endpoints: it answered 500. The state of its endpoints is not known since 14:07.",
  ],
  [
    "until the alert fires it is said when it will",
    [agent("qa")],
    unreadable("pending", 15_000),
    "warning The workspace can't be read: cannot list the serving endpoints: it answered 500. Not readable for 15 s; alerts after 30 s. The state of its endpoints is not known since 14:07.",
  ],
  [
    "while the alert has not ended, a workspace that answers again is being read again",
    [agent("qa")],
    { ...unreadable("firing"), ...ready },
    "warning The workspace is being read again: The endpoint is ready. It could not be read since 14:02.",
  ],
  [
    "an agent that fails is told first",
    [failing(["20 Timeout self.answer timeout"]), agent("qa")],
    unreadable("firing"),
    "critical order-agent is failing … And the workspace can't be read since 14:02.",
  ],
  [
    "an agent that starts to fail is told, too",
    [agent("qa", { breaches: [breach("error_rate", 8, "pending", nowMs - 2000)] })],
    unreadable("firing"),
    "critical The workspace can't be read … since 14:02. And qa is starting to fail.",
  ],
  [
    "a workspace that answers again is not mentioned",
    [agent("qa"), agent("triage")],
    { ...ready, sinceMs: nowMs, breach: null },
    "healthy Both agents are healthy.",
  ],
];
for (const [name, agents, workspace, expected] of workspaces) {
  test(name, () => {
    const sentence = diagnose(agents, options, workspace);
    const said = `${sentence.status} ${formatSentence(sentence)}`;
    const [start = "", end = ""] = expected.split(" … ");
    if (expected.includes(" … ")) assert.ok(said.startsWith(start) && said.endsWith(end), said);
    else assert.equal(said, expected);
  });
}

const workspaceAlerts: [string, WorkspaceCheck, string][] = [
  [
    "inactive>pending",
    unreadable("pending", 0),
    "The workspace can't be read: cannot list the serving endpoints: it answered 500. The state of its endpoints is not known since 14:08.",
  ],
  [
    "pending>firing",
    unreadable("firing", 60_000),
    "The workspace can't be read: cannot list the serving endpoints: it answered 500. The state of its endpoints is not known since 14:07.",
  ],
  [
    "firing>resolved",
    {
      ...unreadable("firing"),
      ...health("healthy", "ready", "Answered with 3 serving endpoints."),
    },
    "The workspace can be read again: Answered with 3 serving endpoints. It could not be read for 6 min, from 14:02.",
  ],
  ["resolved>inactive", { ...unreadable("firing"), ...ready }, "The workspace went on answering."],
];
for (const [path, check, expected] of workspaceAlerts) {
  test(`the alert of a workspace that can't be read, ${path}`, () => {
    const rule = exampleRules.find(({ kind }) => kind === "workspace_unreadable");
    const [from, to] = path.split(">").map((word) => kinds.find((kind) => kind === word));
    assert.ok(rule && from && to);
    const step = { from, to, breachSinceMs: check.sinceMs };
    assert.equal(explainWorkspaceAlert(check, { rule, step }, options), expected);
  });
}

test("agents that were called an hour ago are not said to be new", () => {
  const silent = (endpoint: string) =>
    agent(endpoint, {
      health: null,
      now: windowOf({ requests: 0 }),
      lastRequestMs: nowMs - 60 * MINUTE_MS,
    });
  assert.equal(
    formatSentence(diagnose([silent("qa"), silent("triage")], options)),
    "Nothing is known of 2 agents now. Not known: `qa`, `triage`, without a request or a health check of late.",
  );
});
