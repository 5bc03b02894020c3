/** A question that was answered a short while ago is answered from the cache. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readRecordings } from "../recordings.ts";
import { serveAgent } from "./served-agent.ts";

const [supportRag = assert.fail()] = readRecordings();
const [first = "", second = "", third = "", fourth = ""] = supportRag.recordings
  .filter((recording) => recording.case === "cached")
  .map(({ question }) => question);
const [limited = ""] = supportRag.recordings
  .filter((recording) => recording.case === "rate-limited")
  .map(({ question }) => question);

/** Asks one after the other, and expects these cases. */
function check(questions: readonly string[], expected: readonly (string | null)[]) {
  const agent = serveAgent(supportRag);
  const cases = questions.map((question) => {
    const recording = agent.find(question);
    if (recording) agent.remember(recording);
    return recording?.case ?? null;
  });
  assert.deepEqual(cases, expected);
}

test("the first time, a question is answered by the model", () => check([first], ["ordinary"]));
test("the second time, it is answered from the cache", () =>
  check([first, second, first, first], ["ordinary", "ordinary", "cached", "cached"]));
test("after three others it is forgotten", () =>
  check([first, second, third, fourth, first], new Array(5).fill("ordinary")));
test("a failure is not cached, and takes no other answer's place", () =>
  check(
    [first, second, third, limited, limited, first],
    ["ordinary", "ordinary", "ordinary", "rate-limited", "rate-limited", "cached"],
  ));
test("a question without a recording has no answer", () => check(["Who is there?"], [null]));

test("until it is answered, a question is not in the cache", () => {
  const agent = serveAgent(supportRag);
  agent.find(first);
  assert.equal(agent.find(first)?.case, "ordinary");
});
