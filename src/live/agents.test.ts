import assert from "node:assert/strict";
import { test } from "node:test";
import { usedMemoryBytes } from "../../test/used-memory.ts";
import { assembleTrace } from "../ingest/otlp/assemble-trace.ts";
import { type Branch, failure, spansOf } from "../ingest/otlp/test-spans.ts";
import { Agents } from "./agents.ts";
import { PLACES_MAX } from "./places.ts";
import { placeOf } from "./test-places.ts";

const nowMs = 1_800_000_000_000;

/** An agent after these requests, each ending at `nowMs`. */
function agentAfter(...trees: Branch[]) {
  const agents = new Agents();
  trees.forEach((tree, index) => {
    const spans = spansOf(tree, index * 1_000 + 1).map((span) => ({
      ...span,
      startMs: span.startMs - 2_000 + nowMs,
      endMs: span.endMs - 2_000 + nowMs,
    }));
    agents.add(assembleTrace(spans), nowMs);
  });
  const agent = agents.get("support-rag");
  assert.ok(agent);
  return agent;
}

const lm = {
  kind: "lm",
  model: "gpt",
  tokens: { input: 263, output: 57 },
  costUsd: 0.01,
  cacheHit: false,
} as const;
const told: Branch = {
  path: "self",
  inside: [{ path: "self.generate", inside: [{ path: "self.generate.predict", inside: [lm] }] }],
};

function modules(...trees: Branch[]) {
  return agentAfter(...trees).places.inOrder.map(
    ({ path, depth, run: { calls, tokens } }) =>
      `${"  ".repeat(depth)}${path} ×${calls} ${tokens ? `${tokens.input}/${tokens.output}` : "?"}`,
  );
}

test("tokens stand where the model was called, so that rows add up", () => {
  assert.deepEqual(modules(told, told), [
    "self ×2 0/0",
    "  self.generate ×2 0/0",
    "    self.generate.predict ×2 526/114",
  ]);
});

test("tokens that telemetry does not tell are unknown everywhere", () => {
  const silent = { ...lm, tokens: null, costUsd: null, cacheHit: null };
  assert.deepEqual(
    modules({ path: "self", inside: [{ path: "self.generate", inside: [silent] }] }),
    ["self ×1 ?", "  self.generate ×1 ?"],
  );
});

test("a place that is first seen later stands below its caller", () => {
  const first: Branch = {
    path: "self",
    inside: [{ path: "self.a", inside: [{ path: "self.a.b" }] }, { path: "self.d" }],
  };
  const second: Branch = {
    path: "self",
    inside: [{ path: "self.a", inside: [{ path: "self.a.c" }] }],
  };
  assert.deepEqual(
    modules(first, second).map((line) => line.split(" ×")[0]),
    ["self", "  self.a", "    self.a.b", "    self.a.c", "  self.d"],
  );
});

test("a place stands inside its caller, also where a name recurs", () => {
  const predict: Branch = { name: "Predict.forward" };
  const agentic: Branch = {
    name: "ReAct.forward",
    inside: [predict, { kind: "tool", name: "look_up" }],
  };
  assert.deepEqual(
    modules({ name: "Pipeline.forward", inside: [predict, agentic] }).map(
      (line) => line.split(" ×")[0],
    ),
    ["Pipeline.forward", "  Predict.forward", "  ReAct.forward", "    look_up"],
  );
});

test("a path of one program is another place than that of another", () => {
  const program = (name: string): Branch => ({
    name: `${name}.forward`,
    path: "self",
    program: name,
    inside: [{ path: "self.generate", program: name, inside: [lm] }],
  });
  const { places } = agentAfter(program("Rag"), program("Triage"), program("Rag"));
  assert.deepEqual(
    places.inOrder.map(({ program, path, run }) => `${program} ${path} ×${run.calls}`),
    ["Rag self ×2", "Rag self.generate ×2", "Triage self ×1", "Triage self.generate ×1"],
  );
});

test("self time of all places is the time of the requests", () => {
  const agent = agentAfter(told, told);
  const selfMs = agent.places.inOrder.reduce((sum, { run }) => sum + run.selfMs.sum, 0);
  assert.equal(selfMs, agent.run.latencyMs.sum);
});

test("beside calls whose cost nobody tells, a cache hit does not make the cost 0", () => {
  const hit = { ...lm, tokens: { input: 0, output: 0 }, costUsd: 0, cacheHit: true };
  const unpriced = { ...lm, costUsd: null };
  const inside = (...calls: Branch[]): Branch => ({ path: "self", inside: calls });
  const costs = (...trees: Branch[]) => {
    const { run, models, places } = agentAfter(...trees);
    const tallies = [run, models.get("gpt")?.run, places.inOrder[0]?.run];
    return tallies.map((tally) => tally?.costUsd);
  };
  assert.deepEqual(costs(inside(hit), inside(unpriced)), [null, null, null]);
  assert.deepEqual(costs(inside(unpriced), inside(hit)), [null, null, null]);
  assert.deepEqual(costs(inside(hit, unpriced)), [null, null, null]);
  assert.deepEqual(costs(inside(hit), inside(lm)), [0.01, 0.01, 0.01]);
  assert.deepEqual(costs(inside(hit)), [0, 0, 0]);
});

test("a cache hit is a hit and costs nothing", () => {
  const hit = { ...lm, tokens: { input: 0, output: 0 }, costUsd: 0, cacheHit: true };
  const { run } = agentAfter({ path: "self", inside: [hit] });
  assert.deepEqual([run.cacheHits, run.tokens, run.costUsd], [1, { input: 0, output: 0 }, 0]);
});

test("failures count by class, and in groups by cause", () => {
  const failing: Branch = {
    ...failure("LMServerError"),
    inside: [{ ...lm, ...failure("LMServerError") }],
  };
  const { run, groups } = agentAfter(failing, failing, told);
  assert.deepEqual([run.calls, run.failed, [...run.failedByClass]], [3, 2, [["lm_provider", 2]]]);
  assert.deepEqual(
    [...groups.values()].map(({ run }) => run.count),
    [2],
  );
});

test("the places of an agent are bounded", () => {
  const many = Array.from(
    { length: PLACES_MAX + 50 },
    (_, index): Branch => ({ path: `self.m${index}` }),
  );
  const agent = agentAfter(...many);
  assert.equal(agent.places.inOrder.length, PLACES_MAX + 1);
  assert.equal(placeOf(agent, "other")?.run.calls, 50);
});

test("a million distinct paths take the room of two hundred, and each call counts", () => {
  const [module] = spansOf({ startMs: nowMs - 10, endMs: nowMs });
  assert.ok(module);
  const agents = new Agents();
  const callsPerTrace = 10_000;
  let usedBytes = 0;
  for (let trace = 0; trace < 100; trace++) {
    if (trace === 10) usedBytes = usedMemoryBytes();
    const spans = Array.from({ length: callsPerTrace }, (_, index) => ({
      ...module,
      traceId: trace.toString(16).padStart(32, "a"),
      spanId: (index + 1).toString(16).padStart(16, "0"),
      parentSpanId: index === 0 ? null : "0000000000000001",
      path: `self.m${trace * callsPerTrace + index}`,
    }));
    agents.add(assembleTrace(spans), nowMs);
  }
  const agent = agents.get("support-rag");
  assert.equal(agent?.places.inOrder.length, PLACES_MAX + 1);
  assert.equal(placeOf(agent, "other")?.run.calls, 1_000_000 - PLACES_MAX);
  assert.equal(agent?.run.calls, 100);
  const grownBytes = usedMemoryBytes() - usedBytes;
  assert.ok(grownBytes < 16 * 1024 * 1024, `${grownBytes} bytes more in use`);
});

test("a trace of ten thousand requests is counted at once", () => {
  const [root] = spansOf({ startMs: nowMs - 10, endMs: nowMs });
  assert.ok(root);
  const roots = Array.from({ length: 10_000 }, (_, index) => {
    return { ...root, spanId: (index + 1).toString(16).padStart(16, "0") };
  });
  const trace = assembleTrace(roots);
  const started = performance.now();
  const agents = new Agents();
  agents.add(trace, nowMs);
  const tookMs = performance.now() - started;
  assert.equal(agents.get("support-rag")?.run.calls, 10_000);
  assert.ok(tookMs < 500, `${tookMs} ms`);
});

test("telemetry of yesterday counts in the run and in no window", () => {
  const agents = new Agents();
  agents.add(assembleTrace(spansOf(told)), nowMs);
  const agent = agents.get("support-rag");
  assert.equal(agent?.run.calls, 1);
  assert.equal(agent?.slices.over(0, nowMs, nowMs).calls, 0);
});

test("telemetry with a clock that is ahead is in no window", () => {
  const agents = new Agents();
  const ahead = spansOf({ startMs: nowMs + 3_600_000, endMs: nowMs + 3_600_100 });
  agents.add(assembleTrace(ahead), nowMs);
  const agent = agents.get("support-rag");
  assert.equal(agent?.run.calls, 1);
  assert.equal(agent?.slices.over(nowMs - 60_000, nowMs + 7_200_000, nowMs).calls, 0);
});

test("histograms count exactly, however many calls there are, and never fall", () => {
  const latenciesMs = Array.from({ length: 1_500 }, (_, index) => (index * 37) % 1_500);
  const agents = new Agents();
  let before = 0;
  latenciesMs.forEach((latencyMs, index) => {
    const spans = spansOf({ startMs: nowMs - latencyMs, endMs: nowMs }, index + 1);
    agents.add(assembleTrace(spans), nowMs);
    const now = agents.get("support-rag")?.run.upToBound[8] ?? 0;
    assert.ok(now >= before);
    before = now;
  });
  assert.equal(before, latenciesMs.filter((latencyMs) => latencyMs <= 1_000).length);
});
