import assert from "node:assert/strict";
import { test } from "node:test";
import { lossWords } from "./loss-words.ts";

function check(
  orphanSpanRatio: number | null,
  incompleteRequests: number,
  expected: string | null,
) {
  const words = lossWords({ orphanSpanRatio, incompleteRequests });
  assert.equal(words?.replaceAll("\u00a0", " ") ?? null, expected);
}

const END = ": sampled, still on the way, or lost. The figures are of what came.";

test("whole traces ask for no words", () => {
  check(0, 0, null);
  check(null, 0, null);
});
test("spans without their parent", () =>
  check(0.021, 0, `2.1 % of the spans lack the span they belong to${END}`));
test("requests without their root", () =>
  check(
    0.5,
    12,
    `12 requests lack the beginning, and 50 % of the spans lack the span they belong to${END}`,
  ));
test("one request", () => check(null, 1, `1 request lacks the beginning${END}`));
