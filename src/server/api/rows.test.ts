/** Errors of several agents as the overview lists them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Agents } from "../../live/agents.ts";
import type { ErrorEvent } from "../../signals/error-event.ts";
import { fingerprint } from "../../signals/fingerprint.ts";
import { liveFigures } from "./figures.ts";
import { rangeOf } from "./range.ts";
import { errorGroupRows } from "./rows.ts";

const nowMs = 1_800_000_000_000;

/** `<agent>: <message>`, each one failure. */
function rowsOf(failures: readonly string[]) {
  const agents = new Agents();
  for (const failure of failures) {
    const [, endpoint = "", message = ""] = /^(.*?): (.*)$/.exec(failure) ?? [];
    const told = {
      endpoint,
      message,
      type: "LMRateLimitError",
      errorClass: "lm_provider",
      path: "self.answer",
    } as const;
    const error: ErrorEvent = {
      ...told,
      group: fingerprint(told),
      eventId: "t:s",
      traceId: "t",
      timeMs: nowMs - 60_000,
      modelVersion: null,
      severity: "error",
      handled: false,
      program: "Agent",
    };
    const nothing = { requests: [], moduleCalls: [], spans: 0, orphanSpans: 0 };
    agents.add(
      { ...nothing, traceId: "t", endpoint, convention: "callback", errors: [error] },
      nowMs,
    );
  }
  const range = rangeOf("5m", nowMs);
  assert.ok(range);
  const figures = agents.all().map((agent) => liveFigures(agent, range));
  return errorGroupRows(figures, range.steps);
}

test("the same error of several agents is one row, with the agents that have it", () => {
  const rows = rowsOf([
    "a: no quota for order 17",
    "b: no quota for order 18",
    "b: no quota for order 9",
  ]);
  assert.deepEqual(
    rows.map(({ endpoint, alsoIn, agents, count, trend }) => ({
      endpoint,
      alsoIn,
      agents,
      count,
      seen: trend.reduce((total, failed) => total + failed, 0),
    })),
    [{ endpoint: "b", alsoIn: ["a"], agents: 2, count: 3, seen: 3 }],
  );
});

test("of very many agents some are named, and all are counted", () => {
  const failures = Array.from({ length: 120 }, (_, n) => `agent-${n}: no quota`);
  const [row, ...others] = rowsOf(failures);
  assert.deepEqual(others, []);
  assert.deepEqual([row?.agents, row?.count, row?.alsoIn.length], [120, 120, 5]);
});

test("errors that begin alike are told apart by where they differ", () => {
  const start = "litellm.RateLimitError: OpenAIException - Rate limit reached for";
  assert.deepEqual(
    rowsOf([`a: ${start} gpt-4o in this organisation`, `a: ${start} tokens per minute`])
      .map(({ line }) => line)
      .sort(),
    [
      "litellm.RateLimitError: … gpt-4o in this organisation",
      "litellm.RateLimitError: … tokens per minute",
    ],
  );
});
