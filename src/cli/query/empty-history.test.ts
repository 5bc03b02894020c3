/** What a query says where nothing was sealed yet. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyHistoryText } from "./empty-history.ts";

const startedMs = Date.parse("2026-11-26T12:00:00Z");

for (const [what, started, afterS, expected] of [
  [
    "in the first minute",
    startedMs,
    10,
    "d yet: its monitor writes the first rows at 12:01:00 UTC",
  ],
  ["while very many rows are sealed", startedMs, 90, "d yet: its monitor writes the first rows at"],
  [
    "when it can't be written",
    startedMs,
    300,
    "d yet, though its monitor should have begun at 12:01:00 UTC",
  ],
  [
    "without a monitor",
    null,
    10,
    "d yet, and no monitor runs there: start dspy-databricks monitor.",
  ],
] as const) {
  test(what, () => {
    const text = emptyHistoryText(started, {
      nowMs: startedMs + afterS * 1_000,
      dataDirectory: "d",
    });
    assert.ok(text.includes(expected), text);
  });
}
