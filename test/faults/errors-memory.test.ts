/** What the tracker keeps stays within the bound that `docs/errors.md` states, whatever it is given. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ErrorTracker } from "../../src/errors/error-tracker.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

const MIB = 1_048_576;
/** With the default limits. */
const BOUND_BYTES = 64 * MIB;

function usedBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** A word for every number, without digits, which would make them one cause. */
const word = (value: number): string =>
  value < 26
    ? String.fromCharCode(97 + value)
    : word(Math.floor(value / 26) - 1) + String.fromCharCode(97 + (value % 26));

/** Two bytes for each character, and longer than anything that is kept. */
const LONG = "中".repeat(8_100);

function worst(tracker: ErrorTracker, index: number): void {
  const name = `${word(index)} ${LONG.slice(0, 300)}`;
  const error = new Error(`failed ${name}${LONG}`, { cause: new Error(LONG, { cause: LONG }) });
  error.stack = `Error: ${LONG}`;
  tracker.trackError(`type.${name}`, `no tool ${name}${LONG}`, {
    agentName: `agent ${name}`,
    modelVersion: `version ${name}`,
    context: { [name]: LONG, list: [LONG, LONG, LONG], deep: { deep: { deep: [LONG, LONG] } } },
    error,
  });
}

function longContext(tracker: ErrorTracker, index: number): void {
  const context = { prompt: TEXT, answer: TEXT, step: word(index) };
  tracker.trackError("tool.search", `no tool ${word(index)}`, { context });
}
const TEXT = "a long text of a person ".repeat(50);

function manyNames(tracker: ErrorTracker, index: number): void {
  const context: Record<string, number> = {};
  for (let key = 0; key < 50; key++) context[`${word(index)}_${word(key)}`] = key;
  tracker.trackError(`type.${word(index)}`, `no tool ${word(index)}`, { context });
}

/** Twenty versions of each cause. */
function manyVersions(tracker: ErrorTracker, index: number): void {
  const version = word(index % 20);
  const error = new Error("x");
  error.stack = LONG;
  tracker.trackError("a", `no tool ${word(Math.floor(index / 20))}`, {
    modelVersion: version + LONG.slice(0, 300),
    error,
  });
}

for (const [what, times, track] of [
  ["100 000 causes with long contexts", 100_000, longContext],
  ["1 500 causes, long in everything", 1_500, worst],
  ["4 000 causes with names of their own in the context", 4_000, manyNames],
  ["1 000 causes in twenty versions each, with long stacks", 20_000, manyVersions],
] as const) {
  test(`${what}: within the bound`, () => {
    const before = usedBytes();
    const tracker = new ErrorTracker();
    for (let index = 0; index < times; index++) track(tracker, index);
    const grownBytes = usedBytes() - before;
    assert.ok(grownBytes < BOUND_BYTES, `${(grownBytes / MIB).toFixed(1)} MiB`);
    const { errors, groups, untracked } = tracker.getCounters();
    assert.deepEqual({ errors, groups, untracked }, { errors: times, groups: 1_000, untracked: 0 });
  });
}

test("ordinary errors use a small part of it, and all that were asked for are kept", () => {
  const before = usedBytes();
  const tracker = new ErrorTracker();
  for (let index = 0; index < 20_000; index++) {
    tracker.trackAgentError(
      "qa",
      "tool",
      `no answer from tool ${word(index % 50)} in ${index} ms`,
      {
        context: { attempt: index % 3, endpoint: "prod-qa", trace_id: `${index}` },
        error: new Error(`connect ECONNREFUSED 10.0.0.1:${index}`),
      },
    );
  }
  assert.equal(tracker.getCounters().keptErrors, 10_000);
  const grownBytes = usedBytes() - before;
  assert.ok(grownBytes < 8 * MIB, `${(grownBytes / MIB).toFixed(1)} MiB`);
});

test("large errors make room sooner, oldest first, and their counts say so", () => {
  const tracker = new ErrorTracker({ maxHistoryBytes: 100_000 });
  for (let index = 0; index < 100; index++) {
    tracker.trackError("a", `x ${index}`, { context: { prompt: "long ".repeat(10_000) } });
  }
  const { errors, keptErrors } = tracker.getCounters();
  assert.equal(errors, 100);
  assert.ok(keptErrors > 10 && keptErrors < 60, `${keptErrors}`);
  const recent = tracker.getRecentErrors();
  assert.equal(recent.length, keptErrors);
  assert.deepEqual([recent[0]?.message, recent.at(-1)?.sequence], ["x 99", 101 - keptErrors]);
  assert.equal(tracker.getErrorsAfter(0, 1)[0]?.sequence, 101 - keptErrors);
  const { totalErrors, exact, groups } = tracker.getErrorSummary();
  assert.deepEqual([totalErrors, exact, groups[0]?.count], [keptErrors, false, 100]);
});

test("an error that is larger than the bound is kept alone", () => {
  const tracker = new ErrorTracker({ maxHistoryBytes: 1 });
  for (const message of ["one", "two"]) tracker.trackError("a", message);
  assert.deepEqual(
    tracker.getRecentErrors().map(({ message }) => message),
    ["two"],
  );
});
