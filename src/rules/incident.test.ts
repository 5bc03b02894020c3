/**
 * One bad quarter of an hour, second by second, through rules, alerts and
 * sentence together. `incident.golden.txt` has what people would have read;
 * `UPDATE=1` writes it anew, and `git diff` shows what changed.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { exampleRules } from "./built-in-rules.ts";
import { type AgentReading, type Breach, diagnose, explainAlert } from "./diagnose.ts";
import { type Health, isEndpointRule } from "./rule.ts";
import { formatSentence } from "./sentence.ts";
import { type AlertState, stepAlerts } from "./step-alerts.ts";
import type { Window } from "./window.ts";

const startMs = Date.UTC(2025, 5, 3, 14, 0);
const program = "RagQA";
const formatTime = (ms: number) => new Date(ms).toISOString().slice(11, 19);

/** From this second on, the agents behave like this. */
const script: readonly (readonly [number, Readonly<Record<string, string>>])[] = [
  [0, { "support-agent": "fine", "order-agent": "fine", triage: "cold" }],
  [30, { "support-agent": "slow" }],
  [33, { "support-agent": "fine" }],
  [60, { "support-agent": "slow" }],
  [90, { "order-agent": "failing" }],
  [120, { triage: "down" }],
  [135, { "support-agent": "blind" }],
  [150, { "support-agent": "fine" }],
  [180, { triage: "unreachable" }],
  [200, { triage: "cold" }],
  [240, { "order-agent": "fine" }],
];

function agentReading(
  endpoint: string,
  mood: string,
  nowMs: number,
): Omit<AgentReading, "breaches"> {
  const isIdle = mood === "cold" || mood === "down" || mood === "unreachable";
  const isSlow = mood === "slow";
  const isFailing = mood === "failing";
  const requests = isIdle ? 0 : 12;
  const window = (rewriteLmMs: number, p99Ms: number): Window => ({
    requests: 12,
    failed: 0,
    p50Ms: rewriteLmMs,
    p95Ms: p99Ms,
    p99Ms,
    meanMs: rewriteLmMs + 200,
    modules: [
      {
        program,
        path: "self.rewrite",
        calls: 12,
        selfMs: 12 * (rewriteLmMs + 50),
        lmMs: 12 * rewriteLmMs,
      },
      { program, path: "self.answer", calls: 12, selfMs: 12 * 150, lmMs: 12 * 100 },
    ],
    errors: [],
  });
  const health: Record<string, Health> = {
    cold: { status: "healthy", state: "cold", message: "Scaled to zero." },
    down: { status: "unhealthy", state: "failed", message: "The endpoint is NOT_READY" },
    unreachable: {
      status: "unknown",
      state: "unreachable",
      message: "The workspace did not answer.",
    },
  };
  return {
    endpoint,
    health: health[mood] ?? {
      status: "healthy",
      state: "ready",
      message: "The endpoint is ready.",
    },
    now: {
      ...window(isSlow ? 2900 : 400, mood === "blind" ? Number.NaN : isSlow ? 4200 : 620),
      requests,
      failed: isFailing ? 9 : 0,
      errors: isFailing
        ? [
            {
              program,
              path: "self.generate.predict",
              type: "LMRateLimitError",
              errorClass: "lm_provider",
              count: 7,
            },
            { program, path: "self.lookup", type: "ToolError", errorClass: "tool", count: 2 },
          ]
        : [],
    },
    before: isIdle ? null : window(400, 620),
    lastRequestMs: isIdle ? startMs - 40 * 60_000 : nowMs,
    freshness: { kind: "fresh" },
    release: null,
  };
}

test("one bad quarter of an hour", () => {
  const lines: string[] = [];
  let moods: Record<string, string> = {};
  let alerts: ReadonlyMap<string, AlertState> = new Map();
  let shown = "";

  for (let second = 0; second < 1500; second += 1) {
    const nowMs = startMs + second * 1000;
    const options = { formatTime, nowMs };
    moods = { ...moods, ...script.find(([at]) => at === second)?.[1] };
    const agents = new Map(
      Object.entries(moods).map(([name, mood]) => [name, agentReading(name, mood, nowMs)]),
    );

    const readings = [...agents.values()].map(({ endpoint, health, now }) => ({
      endpoint,
      health,
      requests: now.requests,
      failed: now.failed,
      p99Ms: now.requests === 0 ? null : now.p99Ms,
      slower: null,
    }));
    const step = stepAlerts(
      alerts,
      exampleRules.filter(isEndpointRule),
      () => readings,
      nowMs,
      (rule, reading, value, to) => {
        const agent = agents.get(reading.endpoint ?? "");
        assert.ok(agent && isEndpointRule(rule));
        return explainAlert(agent, { rule, value, step: to }, options);
      },
    );
    alerts = step.alerts;
    for (const change of step.changes) {
      lines.push(`${formatTime(nowMs)}   ${change.from} > ${change.to}  ${change.reason}`);
    }

    const sentence = diagnose(
      [...agents.values()].map((agent) => ({
        ...agent,
        breaches: breachesOf(alerts, agent.endpoint),
      })),
      options,
    );
    // What only counts seconds is not a new sentence.
    const text = formatSentence(sentence);
    const key = text.replaceAll(/for \d+ s;/g, "");
    if (key !== shown) lines.push(`${formatTime(nowMs)} ${sentence.status.toUpperCase()}  ${text}`);
    shown = key;
  }

  const path = new URL("./incident.golden.txt", import.meta.url);
  const actual = `${lines.join("\n")}\n`;
  if (process.env.UPDATE) writeFileSync(path, actual);
  assert.equal(actual, readFileSync(path, "utf8"));
});

function breachesOf(alerts: ReadonlyMap<string, AlertState>, endpoint: string): Breach[] {
  return exampleRules.filter(isEndpointRule).flatMap((rule) => {
    const alert = alerts.get(`${rule.id}|${endpoint}`);
    if (alert?.kind !== "pending" && alert?.kind !== "firing") return [];
    return [{ rule, value: alert.value, sinceMs: alert.sinceMs, state: alert.kind }];
  });
}
