import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReleaseFilter } from "../api.ts";
import { releaseOptions } from "./release-options.ts";

const every: ReleaseFilter = { release: null, modelVersion: null };

/** A release is written `name version`. */
function check(releases: string[], expected: string[], chosen = every): void {
  const rows = releases.map((text) => {
    const [name = "", modelVersion] = text.split(" v");
    return { name, modelVersion: modelVersion ?? null };
  });
  assert.deepEqual(
    releaseOptions(rows, chosen).map(({ label }) => label),
    expected,
  );
}

test("one release, or none, is no choice", () => {
  check([], []);
  check(["7c1f2d0"], []);
});

test("each release, and all of them", () =>
  check(["b", "a"], ["all releases", "release b", "release a"]));

test("where the telemetry tells versions only, these are the releases", () =>
  check(["version 3 v3", "version 2 v2"], ["all releases", "version 3", "version 2"]));

test("a version that was served in several releases is a choice too", () =>
  check(
    ["c (version 3) v3", "b (version 3) v3", "a (version 2) v2"],
    [
      "all releases",
      "release c (version 3)",
      "release b (version 3)",
      "release a (version 2)",
      "all of version 3",
    ],
  ));

test("a release of long ago stays chosen, so that it can be left", () => {
  check(["b"], ["all releases", "release b", "release a"], { ...every, release: "a" });
  check([], ["all releases", "all of version 1"], { ...every, modelVersion: "1" });
});
