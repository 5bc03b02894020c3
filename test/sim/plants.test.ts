/** The simulator, tried: each bug that is planted is found within some seeds, and for the right reason. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { plants } from "./plants.ts";
import { inProcesses } from "./seed-pool.ts";

const SEEDS_MAX = 60;
const FAULTS = 40;

test("each planted bug is found", async (t) => {
  await inProcesses(Object.entries(plants), async ([plant, { breaks, foundWith }], simulate) => {
    const others = Array.from({ length: SEEDS_MAX }, (_, at) => at + 1);
    for (const seed of new Set([foundWith, ...others])) {
      const { broken } = await simulate({ seed, hours: 1, faults: FAULTS, plant });
      const found = broken.find((sentence) => breaks.test(sentence));
      if (found === undefined) continue;
      const moved = seed === foundWith ? "" : ` (plants.ts says ${foundWith}: write it there)`;
      t.diagnostic(`${plant}: with seed ${seed}${moved}, ${found}`);
      return;
    }
    assert.fail(`not found within ${SEEDS_MAX} seeds: ${plant}`);
  });
  assert.ok(Object.keys(plants).length >= 11);
});

test("a seed is the same twice", async () => {
  await inProcesses([7], async (seed, simulate) => {
    const options = { seed, hours: 1, faults: FAULTS };
    const [one, other] = [await simulate(options), await simulate(options)];
    assert.ok(one.lines.length > FAULTS);
    assert.deepEqual(other.lines, one.lines);
  });
});
