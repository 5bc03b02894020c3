import assert from "node:assert/strict";
import { test } from "node:test";
import { figuresNote } from "./figures-note.ts";

const DAY_S = 86_400;
const nowMs = new Date(2026, 10, 26, 14, 2, 41).getTime();
const minuteAgo = new Date(2026, 10, 26, 14, 1).getTime();

function check(
  rangeSeconds: number,
  from: "live" | "summaries",
  sinceMs: number,
  expected: string | null,
): void {
  const asOfMs = from === "live" ? nowMs : minuteAgo;
  assert.equal(
    figuresNote({ figures: { from, asOfMs, sinceMs }, rangeSeconds, asOfMs: nowMs }),
    expected,
  );
}

test("nothing is said of a range that is known live", () => check(3600, "live", nowMs, null));
test("without a history a week is a day", () =>
  check(7 * DAY_S, "live", 0, "Further back than the last 24 hours nothing is known."));
test("summaries are a minute old", () =>
  check(
    7 * DAY_S,
    "summaries",
    0,
    "Figures of this range are as of 14:01; the last step of each chart is still filling.",
  ));
test("where the history began within the range, it says when", () =>
  check(
    30 * DAY_S,
    "summaries",
    new Date(2026, 10, 20, 9, 30).getTime(),
    "Figures of this range are as of 14:01; the last step of each chart is still filling. They go back to 20 Nov 09:30.",
  ));
