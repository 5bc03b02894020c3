/** From when on traces are read at a start: enough to miss none, and not everything that ever was. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readFromMs } from "./mlflow.ts";

const NOW_MS = Date.UTC(2026, 0, 2, 12);
const MINUTE_MS = 60_000;

for (const [about, minutesAgo, expectedMinutesAgo] of [
  ["at the first start the last hour", null, 60],
  ["after a restart what came since, and what came late before", 5, 20],
  ["after a long stop a day", 60 * 24 * 7, 60 * 24],
] as const) {
  test(about, () => {
    const lastSpansMs = minutesAgo === null ? null : NOW_MS - minutesAgo * MINUTE_MS;
    assert.equal(readFromMs(lastSpansMs, NOW_MS), NOW_MS - expectedMinutesAgo * MINUTE_MS);
  });
}
