/** The simulator, tried: each bug that is planted is found within some seeds, and for the right reason. */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { on, once } from "node:events";
import { readdirSync, watch } from "node:fs";
import { test } from "node:test";
import { memoryRoot } from "../memory-root.ts";
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
  assert.ok(Object.keys(plants).length >= 24);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`what a seed keeps in memory is gone when ${signal} ends it`, async () => {
    const child = fork(new URL("./seed-process.ts", import.meta.url), {
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    const isOurs = (name: string) => name.startsWith(`sim-${child.pid}-`);
    const watcher = watch(memoryRoot);
    const changes = on(watcher, "change");
    child.send({ seed: 1, hours: 9, faults: 0 });
    for await (const [, name] of changes) if (isOurs(String(name))) break;
    watcher.close();
    child.kill(signal);
    await once(child, "exit");
    assert.deepEqual(readdirSync(memoryRoot).filter(isOurs), []);
  });
}

test("a seed is the same twice", async () => {
  await inProcesses([7], async (seed, simulate) => {
    const options = { seed, hours: 1, faults: FAULTS };
    const [one, other] = [await simulate(options), await simulate(options)];
    assert.ok(one.lines.length > FAULTS);
    assert.deepEqual(other.lines, one.lines);
  });
});
