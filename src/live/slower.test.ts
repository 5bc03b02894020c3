/** Slow requests of a stretch of time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { agentSlicing, newTally } from "./counted.ts";
import { Sliced } from "./sliced.ts";
import { countSlower } from "./slower.ts";
import { callFigures } from "./tally.ts";

const nowMs = 1_800_000_000_000;

function counted(latenciesMs: readonly number[], agoMs: (index: number) => number) {
  const slices = new Sliced(newTally, agentSlicing);
  for (const [index, latencyMs] of latenciesMs.entries()) {
    slices.add(nowMs - agoMs(index), nowMs, (tally) => tally.add(callFigures({ latencyMs })));
  }
  return (limitMs: number, seconds: number) =>
    countSlower(slices, limitMs, { fromMs: nowMs - seconds * 1000, toMs: nowMs, nowMs });
}

test("up to 32 requests a second are counted exactly, however close to the limit", () => {
  const latenciesMs = Array.from({ length: 3_200 }, (_, index) =>
    index % 2 === 0 ? 1000 : 1000.1,
  );
  const slower = counted(latenciesMs, (index) => 1 + Math.floor(index / 32) * 1000);
  assert.equal(slower(1000, 300), 1_600);
  assert.equal(slower(1000, 10), 160);
});

test("of more in a second, what is just above the limit may be missing, what is at it never counts", () => {
  const latenciesMs = [...Array(100).fill(1000), ...Array(100).fill(1001), ...Array(50).fill(1020)];
  const slower = counted(latenciesMs, () => 1)(1000, 10);
  assert.ok(slower >= 50 && slower <= 150, String(slower));
});
