/** What is counted apart by release, and together beyond a bound. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByRelease, otherReleases } from "./by-release.ts";

class Count {
  n = 0;
  merge({ n }: Count) {
    this.n += n;
  }
}

/** One call of each of these releases. */
function counted(releases: readonly string[], max?: number) {
  const byRelease = new ByRelease(() => new Count(), max);
  for (const release of releases) byRelease.of({ release, modelVersion: "1" }).n++;
  return byRelease;
}

const shown = (byRelease: ByRelease<Count>) =>
  [...byRelease.parts()].map(({ release, counted }) => `${release} ${counted.n}`);

test("each release has a count of its own, and they add up", () => {
  const byRelease = counted(["a", "b", "a"]);
  assert.deepEqual(shown(byRelease), ["a 2", "b 1"]);
  assert.equal(byRelease.sum().n, 3);
  assert.equal(byRelease.sum(({ release }) => release === "a").n, 2);
  assert.equal(byRelease.sum(({ release }) => release === "c").n, 0);
});

test("the same state in two versions of the model is two releases", () => {
  const byRelease = counted(["a"]);
  byRelease.of({ release: "a", modelVersion: "2" }).n++;
  assert.equal(byRelease.sum(({ modelVersion }) => modelVersion === "2").n, 1);
  assert.equal(byRelease.sum(({ release }) => release === "a").n, 2);
});

test("another release with every request takes the room of a few, and each call counts", () => {
  const releases = Array.from({ length: 1_000 }, (_, n) => `r${n}`);
  const byRelease = counted([...releases, "r0"], 3);
  assert.deepEqual(shown(byRelease), ["r0 2", "r1 1", "r2 1", `${otherReleases.release} 997`]);
});

test("a sum of slices holds what the slices hold, release by release", () => {
  const slice = fc.array(fc.constantFrom("a", "b", "c", "d", "e"), { maxLength: 20 });
  fc.assert(
    fc.property(fc.array(slice, { maxLength: 5 }), (slices) => {
      const sum = counted([]);
      for (const releases of slices) sum.merge(counted(releases));
      const all = counted(slices.flat());
      assert.deepEqual(shown(sum).sort(), shown(all).sort());
    }),
  );
});

test("summing up changes nothing of what is summed up", () => {
  const byRelease = counted(["a", "b"]);
  byRelease.sum();
  byRelease.sum();
  assert.deepEqual(shown(byRelease), ["a 1", "b 1"]);
});
