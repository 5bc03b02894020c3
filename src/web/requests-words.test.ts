/** A sample is never shown as all there is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { requestsText, requestsTitle } from "./requests-words.ts";

test("a count is shown as it is", () => {
  const counted = { requests: 123, requestsEstimated: null };
  assert.deepEqual([requestsText(counted), requestsTitle(counted)], ["123", undefined]);
});

test("of a sample it is shown what it makes in all, and on hover what is known", () => {
  const counted = { requests: 12, requestsEstimated: 120 };
  assert.equal(requestsText(counted), "≈ 120");
  assert.match(requestsTitle(counted) ?? "", /a sample of the requests: 12 of them/);
});
