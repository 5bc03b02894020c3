import assert from "node:assert/strict";
import { test } from "node:test";
import { releaseLabel } from "./release-label.ts";

const labels: [string | null, string | null, string][] = [
  ["7c1f2d0a99", null, "7c1f2d0"],
  ["7c1f2d0a99", "3", "7c1f2d0 (version 3)"],
  [null, "3", "version 3"],
  [null, null, "unknown"],
];
for (const [release, modelVersion, expected] of labels) {
  test(`a release is called ${expected}`, () => {
    assert.equal(releaseLabel({ release, modelVersion }), expected);
  });
}
