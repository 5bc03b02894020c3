/** The recordings are whole, tell nothing of the machine they were made on, and fit the example rules. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Recording, readRecordings } from "./recordings.ts";

const agents = readRecordings();
const recordings = agents.flatMap((agent) => agent.recordings);
const timesOf = (agent: string, ...cases: readonly string[]) =>
  recordings.filter((recording) => recording.agent === agent && cases.includes(recording.case));

/** The example rule on p99 breaches at 1000 ms. */
const SLOW_MS = 1000;

test("three agents report in three conventions", () => {
  assert.deepEqual(
    agents.map(({ agent, convention, program }) => ({ agent, convention, program })),
    [
      { agent: "support-rag", convention: "dspy-otel-callback", program: "RagQA" },
      { agent: "order-agent", convention: "openinference-litellm", program: "ReAct" },
      { agent: "triage-pipeline", convention: "mlflow-autolog", program: "SupportPipeline" },
    ],
  );
});

for (const { agent } of agents) {
  test(`${agent} has ordinary, slow, cached and failing requests`, () => {
    assert.ok(timesOf(agent, "ordinary").length >= 12);
    assert.ok(timesOf(agent, "slow").length >= 6);
    assert.ok(timesOf(agent, "cached").length >= 4);
    const kinds = ["rate-limited", "server-error", "unparsable", "connection-refused", "timeout"];
    for (const kind of kinds) assert.ok(timesOf(agent, kind).length >= 1, kind);
  });

  test(`only the slow requests of ${agent} are slow`, () => {
    for (const { case: name, latencyMs } of recordings.filter((each) => each.agent === agent)) {
      assert.equal(latencyMs > SLOW_MS, name === "slow", `${name}: ${latencyMs} ms`);
    }
  });
}

test("a failure says what went wrong, as a served model does", () => {
  const failures = recordings.flatMap(({ outcome }) =>
    outcome.kind === "failed" ? [outcome.failure] : [],
  );
  assert.ok(failures.length >= 20);
  for (const { type, status, body } of failures) {
    assert.match(type, /Error$/);
    assert.equal(status, 400);
    assert.equal(body.error_code, "BAD_REQUEST");
    assert.match(body.message, /^Encountered an unexpected error while evaluating the model\./);
  }
});

test("each question of an agent is recorded once, and a cached one twice", () => {
  const keyOf = ({ agent, question }: Recording) => `${agent}: ${question}`;
  const firstTimes = recordings.filter((recording) => recording.case !== "cached").map(keyOf);
  assert.equal(new Set(firstTimes).size, firstTimes.length);
  for (const recording of recordings.filter((each) => each.case === "cached")) {
    assert.ok(firstTimes.includes(keyOf(recording)), recording.question);
  }
});

test("no body names a place on the machine it was recorded on", () => {
  for (const { case: name, otlp } of recordings) {
    const text = Buffer.from(otlp).toString("latin1");
    assert.doesNotMatch(text, /\/(root|home|work|tmp|Users)\b|pyenv/, name);
  }
});
