import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChangeRow } from "../api.ts";
import { changeKind, changeText, foldChanges } from "./change-words.ts";

const change = (told: Partial<ChangeRow>): ChangeRow => ({
  timeMs: 0,
  kind: "error_group",
  endpoint: "support-rag",
  to: "new",
  text: "",
  ...told,
});

function check(text: string, isAgentNamed: boolean, expected: string): void {
  assert.equal(changeText(change({ text }), { isAgentNamed }), expected);
}

test("an agent that a link names is not named again", () =>
  check("support-rag is slow: p99 is 2.3 s", true, "is slow: p99 is 2.3 s"));
test("nor when its name is set as code", () =>
  check("`support-rag` is no longer slow", true, "is no longer slow"));
test("without a link the name stays", () =>
  check("support-rag is slow: p99 is 2.3 s", false, "support-rag is slow: p99 is 2.3 s"));
test("a longer name that begins alike stays whole", () =>
  check("support-rag-2 is slow", true, "support-rag-2 is slow"));
test("that it is a new error stands in its own column", () =>
  check("New error: TimeoutError in self.a", true, "TimeoutError in self.a"));

test("the kind is a word or two", () => {
  assert.deepEqual(
    [
      change({ kind: "alert", to: "firing" }),
      change({}),
      change({ kind: "notification", to: "sent" }),
      change({ kind: "health", to: "unhealthy" }),
      change({ kind: "deployment", to: "v7" }),
    ].map(changeKind),
    ["firing", "new error", "message sent", "unhealthy", "deployed"],
  );
});

test("the same several times in a row is one line, and keeps the newest time", () => {
  const told = foldChanges([
    change({ text: "a", timeMs: 4 }),
    change({ text: "a", timeMs: 3 }),
    change({ text: "b", timeMs: 2 }),
    change({ text: "a", timeMs: 1 }),
  ]);
  assert.deepEqual(
    told.map(({ text, times, timeMs }) => `${timeMs} ${text} ${times}×`),
    ["4 a 2×", "2 b 1×", "1 a 1×"],
  );
});

test("what the monitor learned late stands where it happened", () =>
  assert.deepEqual(
    foldChanges([change({ text: "a", timeMs: 1 }), change({ text: "b", timeMs: 2 })]).map(
      ({ text }) => text,
    ),
    ["b", "a"],
  ));

test("the same of another agent is another line", () =>
  assert.equal(foldChanges([change({}), change({ endpoint: "triage" })]).length, 2));
