/** What agents, modules and models are said to have cost, and what caches did. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assembleTrace } from "../ingest/otlp/assemble-trace.ts";
import { type Branch, spansOf } from "../ingest/otlp/test-spans.ts";
import { costSourceOf } from "../signals/cost.ts";
import { priceBookOf } from "../signals/price-book.ts";
import { Agents } from "./agents.ts";
import { placeOf } from "./test-places.ts";

const nowMs = 1_800_000_000_000;
const book = priceBookOf([
  { names: ["large"], prices: [{ since: "2026-01-01", inputUsd: 1, outputUsd: 1, source: "-" }] },
]);

/** An agent after these requests, each ending at `nowMs` after as many milliseconds. */
function agentAfter(...requests: readonly (readonly [latencyMs: number, tree: Branch])[]) {
  const agents = new Agents();
  requests.forEach(([latencyMs, tree], index) => {
    const spans = spansOf(tree, index * 1_000 + 1).map((span) => ({
      ...span,
      startMs: nowMs - latencyMs,
      endMs: nowMs,
    }));
    agents.add(assembleTrace(spans, book), nowMs);
  });
  const agent = agents.get("support-rag");
  assert.ok(agent);
  return agent;
}

const lm = { kind: "lm", model: "large", tokens: { input: 600_000, output: 400_000 } } as const;
const unlisted = { ...lm, model: "unlisted" } as const;
const miss = { ...lm, costUsd: 1, cacheHit: false } as const;
const hit = { ...lm, tokens: { input: 0, output: 0 }, costUsd: 0, cacheHit: true } as const;

const request = (...calls: Branch[]): Branch => ({
  path: "self",
  inside: [{ path: "self.predict", inside: calls }],
});

test("an agent, its module and its model cost the same, wherever the cost comes from", () => {
  const agent = agentAfter([10, request(lm, miss)], [10, request(lm)]);
  const module = placeOf(agent, "self.predict");
  const model = agent.models.get("large");
  for (const { run } of [agent, module, model].filter((counted) => counted !== undefined)) {
    assert.deepEqual(run.cost, { toldUsd: 1, pricedUsd: 2, savedUsd: null, unpricedCalls: 0 });
    assert.deepEqual([run.costUsd, costSourceOf(run.cost)], [3, "both"]);
  }
});

test("a module that called no model cost nothing, though others are priced", () => {
  const agent = agentAfter([10, request(lm)]);
  assert.equal(placeOf(agent, "self")?.run.costUsd, 0);
});

test("an unpriced model is named, and its agent's cost is that of the others", () => {
  const agent = agentAfter([10, request(lm, unlisted, unlisted)]);
  assert.deepEqual([agent.run.costUsd, agent.run.cost.unpricedCalls], [1, 2]);
  assert.deepEqual(
    [...agent.models.values()].map(({ model, run }) => [
      model,
      run.costUsd,
      run.cost.unpricedCalls,
    ]),
    [
      ["large", 1, 0],
      ["unlisted", null, 2],
    ],
  );
});

test("windows and the whole run agree", () => {
  const agent = agentAfter([10, request(lm, unlisted)], [10, request(hit)], [10, request(miss)]);
  const window = agent.slices.over(nowMs - 60_000, nowMs + 1_000, nowMs);
  assert.deepEqual(window.cost, agent.run.cost);
  assert.deepEqual(window.tokens, agent.run.tokens);
});

test("requests that DSPy's cache answered have latencies of their own", () => {
  const agent = agentAfter(
    [2, request(hit)],
    [4, request(hit, hit)],
    [900, request(miss)],
    // One call of two is no answer of the cache.
    [500, request(hit, miss)],
  );
  const { hitLatencyMs, missLatencyMs, latencyMs } = agent.slices.over(0, nowMs + 1_000, nowMs);
  assert.deepEqual([hitLatencyMs?.count, hitLatencyMs?.percentiles()?.p95], [2, 4]);
  assert.deepEqual([missLatencyMs?.count, missLatencyMs?.percentiles()?.p50], [2, 500]);
  assert.equal(latencyMs.count, 4);
});

test("where telemetry does not tell the cache, there is no latency by it", () => {
  const { run } = agentAfter([10, request(lm)], [10, { path: "self" }]);
  assert.deepEqual([run.hitLatencyMs, run.missLatencyMs], [null, null]);
});

test("what hits saved stands apart, and is unknown where nothing tells it", () => {
  const saving = { ...hit, savedCostUsd: 0.25 };
  const told = agentAfter([10, request(saving)], [10, request(saving)], [10, request(miss)]);
  assert.deepEqual([told.run.costUsd, told.run.cost.savedUsd], [1, 0.5]);
  assert.equal(agentAfter([10, request(hit)]).run.cost.savedUsd, null);
});

test("tokens that the provider's cache served are part of the input", () => {
  const cached = { ...miss, tokens: { input: 100, output: 10, cacheRead: 64, cacheWrite: 8 } };
  const silent = { ...miss, tokens: { input: 50, output: 5 } };
  const { run } = agentAfter([10, request(cached, silent)], [10, request(cached)]);
  assert.deepEqual(run.tokens, { input: 250, output: 25, cacheRead: 128, cacheWrite: 16 });
});
