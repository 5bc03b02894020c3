/** The process's use of the machine is told once a minute was measured, and never before. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createTestClock } from "../test-clock.ts";
import { measureProcessUse } from "./process-use.ts";

/** 20 s after the start of a minute. */
const START_MS = 1_800_000_020_000;

test("the first figures come at the end of the running minute", async () => {
  const clock = createTestClock(START_MS);
  const use = measureProcessUse(clock);
  await clock.advance(39_999);
  assert.equal(use.last(), null);
  await clock.advance(1);
  const { cpuPercent, memoryPercent } = use.last() ?? assert.fail();
  assert.ok(cpuPercent >= 0);
  assert.ok(memoryPercent > 0 && memoryPercent < 100);
  use.close();
});

test("then they come every minute, until the close", async () => {
  const clock = createTestClock(START_MS);
  const use = measureProcessUse(clock);
  await clock.advance(40_000);
  const first = use.last();
  await clock.advance(60_000);
  const second = use.last();
  assert.notEqual(second, first);
  use.close();
  await clock.advance(600_000);
  assert.equal(use.last(), second);
});
