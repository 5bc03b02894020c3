import assert from "node:assert/strict";
import { test } from "node:test";
import { agentAbout } from "./agent-about.ts";
import { filterAgents } from "./agent-filter.ts";
import type { AgentRow } from "./api.ts";

const agent = (endpoint: string, word: string, conventions: string[]): AgentRow =>
  ({
    endpoint,
    word,
    status: "healthy",
    conventions,
    modelVersion: "7",
  }) as Partial<AgentRow> as AgentRow; // Only what is searched.

const AGENTS = [
  agent("support-rag", "slow", ["callback"]),
  agent("order-agent", "healthy", ["openinference"]),
  agent("triage", "healthy", ["none"]),
];

function check(filter: string, names: string[]): void {
  assert.deepEqual(
    filterAgents(AGENTS, filter).map((found) => found.endpoint),
    names,
  );
}

test("nothing asked lets all through", () => check("  ", ["support-rag", "order-agent", "triage"]));
test("a part of the name, in any case", () => check("RAG", ["support-rag"]));
test("the state", () => check("slow", ["support-rag"]));
test("all words must be met", () => check("healthy openinf", ["order-agent"]));
test("what is nowhere finds nobody", () => check("zzz", []));

test("why its figures may be out of date stands there too", () => {
  const late = { ...agent("a", "quiet", ["callback"]), freshness: "late" } as const;
  assert.deepEqual(agentAbout(late), ["v7", "callback", "the workspace is late"]);
  assert.deepEqual(agentAbout({ ...late, freshness: "no_traffic" }), ["v7", "callback"]);
});

test("an agent's version and telemetry stand beside its name", () => {
  assert.deepEqual(AGENTS.map(agentAbout), [
    ["v7", "callback"],
    ["v7", "openinference"],
    ["v7", "no telemetry"],
  ]);
});
