import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { assembleTrace } from "../ingest/otlp/assemble-trace.ts";
import { failure, spansOf } from "../ingest/otlp/test-spans.ts";
import { Agents } from "./agents.ts";
import { windowOf } from "./window.ts";

const startMs = 1_800_000_000_000;
const DAY_MS = 86_400_000;

/** Requests that end so long after the start; each calls one module once. */
function agentWith(offsetsMs: readonly number[], nowMs: number) {
  const agents = new Agents();
  for (const [index, offsetMs] of offsetsMs.entries()) {
    const endMs = startMs + offsetMs;
    const spans = spansOf({ path: "self", startMs: endMs - 100, endMs }, index + 1);
    agents.add(assembleTrace(spans), nowMs);
  }
  const agent = agents.get("support-rag");
  assert.ok(agent);
  return agent;
}

test("a window holds as many module calls as requests, wherever it begins and ends", () => {
  const offsets = fc.array(fc.integer({ min: 0, max: DAY_MS }), { minLength: 1, maxLength: 60 });
  const moment = fc.integer({ min: 0, max: DAY_MS });
  fc.assert(
    fc.property(offsets, moment, moment, (offsetsMs, a, b) => {
      const nowMs = startMs + DAY_MS;
      const agent = agentWith(offsetsMs, nowMs);
      const wanted = { fromMs: startMs + Math.min(a, b), toMs: startMs + Math.max(a, b) };
      const { requests, modules } = windowOf(agent, wanted, nowMs);
      assert.equal(modules[0]?.calls ?? 0, requests);
    }),
  );
});

test("a window up to now holds what has just ended", () => {
  const nowMs = startMs + 7_300;
  const agent = agentWith([7_299], nowMs);
  assert.equal(windowOf(agent, { fromMs: nowMs - 10_000, toMs: nowMs }, nowMs).requests, 1);
});

test("a window of the past leaves out what came after it", () => {
  const nowMs = startMs + 60_000;
  const agent = agentWith([9_999, 10_001, 14_999], nowMs);
  assert.equal(windowOf(agent, { fromMs: startMs, toMs: startMs + 12_000 }, nowMs).requests, 1);
});

test("what its caller gave up is no failure that a sentence tells", () => {
  const nowMs = startMs + 60_000;
  const agents = new Agents();
  for (const [index, type] of ["CancelledError", "ValueError"].entries()) {
    const endMs = startMs + 1_000;
    const spans = spansOf({ ...failure(type), startMs, endMs }, index + 1);
    agents.add(assembleTrace(spans), nowMs);
  }
  const agent = agents.get("support-rag");
  assert.ok(agent);
  const { requests, failed, errors } = windowOf(agent, { fromMs: startMs, toMs: nowMs }, nowMs);
  assert.deepEqual([requests, failed], [2, 1]);
  assert.deepEqual(
    errors.map(({ type, count }) => [type, count]),
    [["ValueError", 1]],
  );
});
