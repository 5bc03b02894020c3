import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorClass } from "../signals/error-class.ts";
import { errorRatePercent, failedOfAgent, refusedRatePercent } from "./failed-of-agent.ts";
import { callFigures, Tally } from "./tally.ts";

function tallyOf(...ended: readonly (ErrorClass | null)[]): Tally {
  const tally = new Tally();
  for (const errorClass of ended) tally.add(callFigures({ latencyMs: 100, errorClass }));
  return tally;
}

const rows: readonly [
  what: string,
  ended: (ErrorClass | null)[],
  failed: number,
  refused: number,
][] = [
  ["nothing failed", [null, null], 0, 0],
  ["a module failed", ["tool", null], 50, 0],
  ["a model behind the agent answered 429", ["lm_provider", null], 50, 0],
  ["the endpoint was asked too often", ["throttled", null], 0, 50],
  ["the caller asked for something wrong", ["client", null], 0, 50],
  ["of all kinds", ["throttled", "client", "server", null], 25, 50],
];
for (const [what, ended, failedPercent, refusedPercent] of rows) {
  test(`${what}: ${failedPercent} % failed, ${refusedPercent} % were refused`, () => {
    const tally = tallyOf(...ended);
    assert.equal(errorRatePercent(tally), failedPercent);
    assert.equal(refusedRatePercent(tally), refusedPercent);
    assert.equal(failedOfAgent(tally), (failedPercent / 100) * ended.length);
  });
}

test("without a request no rate is known", () => {
  assert.equal(errorRatePercent(tallyOf()), null);
  assert.equal(refusedRatePercent(tallyOf()), null);
});
