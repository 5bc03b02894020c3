import assert from "node:assert/strict";
import { test } from "node:test";
import { answered, failed, type Live, nothingYet, turnedTo } from "./live.ts";

const PATH = "api/overview?range=5m";
const noAnswer = (live: Live<string>, nowMs: number) => failed(live, { kind: "no answer", nowMs });

test("the last figures stay while the monitor does not answer, since the first failure", () => {
  const live = noAnswer(noAnswer(answered(PATH, "figures", 1000), 3000), 5000);
  assert.equal(live.data, "figures");
  assert.equal(live.answeredMs, 1000);
  assert.deepEqual(live.failure, { kind: "no answer", sinceMs: 3000 });
});

test("the next answer ends the failure", () => {
  assert.equal(answered(PATH, "new", 7000).failure, null);
});

test("a failure before the first answer has no figures", () => {
  const live = noAnswer(nothingYet<string>(PATH), 1000);
  assert.equal(live.data, null);
  assert.deepEqual(live.failure, { kind: "no answer", sinceMs: 1000 });
});

test("an agent that is gone is told apart from a monitor that is", () => {
  const live = failed(noAnswer(nothingYet<string>(PATH), 1000), { kind: "not found", nowMs: 2000 });
  assert.deepEqual(live.failure, { kind: "not found", sinceMs: 2000 });
});

test("another range keeps the figures, another place does not", () => {
  const live = answered(PATH, "figures", 1000);
  assert.equal(turnedTo(live, "api/overview?range=1h").data, "figures");
  assert.equal(turnedTo(live, "api/agents/a?range=5m").data, null);
});
