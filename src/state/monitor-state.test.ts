/** What the monitor knows after these entries, over days without waiting. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assembleTrace } from "../ingest/otlp/assemble-trace.ts";
import { type Branch, failure, spansOf } from "../ingest/otlp/test-spans.ts";
import { AGENTS_MAX } from "../live/agents.ts";
import { ALL_GROUPS_MAX, GROUPS_MAX } from "../live/error-groups.ts";
import { ALL_MODELS_MAX, MODELS_MAX } from "../live/models.ts";
import { ALL_PLACES_MAX, PLACES_MAX } from "../live/places.ts";
import type { HealthResult } from "../signals/health-result.ts";
import { MonitorState } from "./monitor-state.ts";

const startMs = 1_800_000_000_000;
const HOUR_MS = 3_600_000;

function health(endpoint: string, timeMs: number, state = "ready"): HealthResult {
  const status = state === "ready" ? "healthy" : state === "gone" ? "unknown" : "unhealthy";
  return {
    component: `endpoint/${endpoint}`,
    endpoint,
    status,
    state,
    message: "",
    latencyMs: null,
    timeMs,
  };
}

/** A monitor, and the hours of its life. */
function begin() {
  const state = new MonitorState();
  let nowMs = startMs;
  let traces = 0;
  return {
    state,
    endpoints: () => state.agents.all().map(({ endpoint }) => endpoint),
    /** One look at a workspace. */
    see(endpoints: readonly string[], word = "ready") {
      const seen = endpoints.map((endpoint) => health(endpoint, nowMs, word));
      state.apply({ kind: "observed", samples: [], health: seen, dropped: {} }, nowMs);
    },
    /** One request of an agent, with an error of this type. */
    request(endpoint: string, type: string | null = null, inside: readonly Branch[] = []) {
      const tree = { ...(type === null ? {} : failure(type)), inside };
      const spans = spansOf(tree, ++traces * 1_000).map((span) => ({
        ...span,
        endpoint,
        startMs: nowMs - 100,
        endMs: nowMs,
      }));
      state.agents.add(assembleTrace(spans), nowMs);
    },
    /** Hours pass; the journal is pruned at the end of them. */
    pass(hours: number) {
      nowMs += hours * HOUR_MS;
      state.apply(state.carried(), nowMs);
    },
  };
}

const named = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

test("every endpoint of a large workspace is an agent of its own, so that its alerts are told", () => {
  const { see, endpoints } = begin();
  see(named("e", 500));
  assert.equal(endpoints().length, 500);
  assert.ok(!endpoints().includes("other"));
});

test("endpoints that are watched take no room from agents that send telemetry, nor they from them", () => {
  const { see, request, endpoints } = begin();
  for (const name of named("sender", AGENTS_MAX + 5)) request(name);
  see(named("e", 500));
  request("e7");
  assert.equal(endpoints().length, AGENTS_MAX + 1 + 500);
});

test("an endpoint that is gone is shown for a day, then forgotten", () => {
  const { see, pass, endpoints, state } = begin();
  see(["a", "b"]);
  see(["b"], "gone");
  pass(23);
  assert.deepEqual(endpoints(), ["a", "b"]);
  pass(2);
  assert.deepEqual(endpoints(), ["a"]);
  assert.deepEqual([...state.components.keys()], ["endpoint/a"]);
  see(["b"]);
  assert.deepEqual(endpoints(), ["a", "b"]);
});

test("an endpoint without requests stays as long as the workspace has it", () => {
  const { see, pass, endpoints } = begin();
  see(["a"]);
  for (let day = 0; day < 30; day++) {
    pass(24);
    see(["a"]);
  }
  assert.deepEqual(endpoints(), ["a"]);
});

test("agents that come and go leave room for those that come after them", () => {
  const { request, pass, endpoints } = begin();
  for (let day = 0; day < 10; day++) {
    for (const name of named(`pull-request-${day}-`, 50)) request(name);
    pass(25);
  }
  request("mine");
  assert.deepEqual(endpoints(), ["mine"]);
});

test("errors of long ago leave room for the one of today", () => {
  const { request, pass, state } = begin();
  for (const name of named("Old", GROUPS_MAX)) request("qa", `${name}Error`);
  pass(20);
  request("qa");
  pass(5);
  request("qa", "NewError");
  const types = [...(state.agents.get("qa")?.groups.values() ?? [])].map(({ last }) => last.type);
  assert.deepEqual(types, ["NewError"]);
});

test("many agents with many modules, models and errors stay within bounds together", () => {
  const { request, pass, state } = begin();
  const kept = () => {
    const sizes = { places: 0, models: 0, groups: 0 };
    for (const { places, models, groups } of state.agents.all()) {
      sizes.places += places.size;
      sizes.models += models.size;
      sizes.groups += groups.size;
    }
    return sizes;
  };
  const agents = named("agent", 40);
  const modules = named("self.m", PLACES_MAX + 1).map((path): Branch => ({ path }));
  const models = named("model", MODELS_MAX + 1).map((model): Branch => ({ kind: "lm", model }));
  const flood = () => {
    for (const name of agents) {
      request(name, null, [...modules, ...models]);
      for (const type of named("Type", GROUPS_MAX + 1)) request(name, type);
    }
  };
  flood();
  // Beyond the bound each agent has one more: `other`.
  const atMost = agents.length;
  const { places, models: modelCount, groups } = kept();
  assert.ok(places > ALL_PLACES_MAX - 1 && places <= ALL_PLACES_MAX + atMost, `${places} places`);
  assert.ok(modelCount >= ALL_MODELS_MAX && modelCount <= ALL_MODELS_MAX + atMost);
  assert.ok(groups >= ALL_GROUPS_MAX && groups <= ALL_GROUPS_MAX + atMost, `${groups} groups`);

  pass(25);
  assert.deepEqual(kept(), { places: 0, models: 0, groups: 0 });
  for (const name of named("other-agent", 40)) request(name, null, modules.slice(0, 10));
  assert.equal(kept().places, 40 * 11);
});

test("a platform that is asked several times a minute tells one value of each", () => {
  const { state } = begin();
  const minuteMs = 60_000;
  const ask = (name: string, timeMs: number) => {
    const sample = { name, kind: "gauge", endpoint: "qa", labels: {}, value: 1, timeMs } as const;
    const entry = { kind: "observed", samples: [sample], health: [], dropped: {} } as const;
    return state.apply(entry, startMs).samples.length;
  };
  const told = [0, 0, minuteMs, minuteMs, 0].map((atMs) => ask("cpu", startMs + atMs));
  assert.deepEqual(told, [1, 0, 1, 0, 0]);
  assert.equal(ask("memory", startMs), 1);
});
