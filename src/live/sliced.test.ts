import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { COARSE_RETAINED_MS, FINE_RETAINED_MS, Sliced } from "./sliced.ts";

class Count {
  n = 0;
  merge({ n }: Count) {
    this.n += n;
  }
}

const start = 1_800_000_000_000;

function counted(timesMs: readonly number[], nowMs: number) {
  const sliced = new Sliced(() => new Count(), { fineSliceMs: 1_000, coarseSliceMs: 60_000 });
  for (const timeMs of timesMs) sliced.add(timeMs, nowMs, (slice) => slice.n++);
  return sliced;
}

test("counts what lies in the stretch, by whole slices", () => {
  const times = fc.array(fc.integer({ min: 0, max: 300_000 }), { maxLength: 200 });
  fc.assert(
    fc.property(times, fc.nat(299), fc.nat(299), (offsets, a, b) => {
      const [from, to] = [Math.min(a, b) * 1_000, Math.max(a, b) * 1_000];
      const nowMs = start + 300_000;
      const sliced = counted(
        offsets.map((offset) => start + offset),
        nowMs,
      );
      const expected = offsets.filter((offset) => offset >= from && offset < to).length;
      assert.equal(sliced.over(start + from, start + to, nowMs).n, expected);
    }),
  );
});

test("a stretch that reaches far back is read from the longer slices", () => {
  const nowMs = start + 5 * 3_600_000;
  const sliced = counted([start, start + 90_000, nowMs - 1], nowMs);
  assert.equal(sliced.over(start, nowMs, nowMs).n, 3);
});

test("steps without anything are gaps", () => {
  const sliced = counted([start, start + 2_500], start + 3_000);
  const steps = sliced.series(start, 1_000, 3, start + 3_000);
  assert.deepEqual(
    steps.map((step) => step?.n ?? null),
    [1, null, 1],
  );
});

test("what is too old is not kept", () => {
  const sliced = counted([start - COARSE_RETAINED_MS - 61_000], start);
  assert.equal(sliced.over(0, start, start).n, 0);
});

test("the short slices forget, the longer ones remember", () => {
  const sliced = counted([start], start);
  const laterMs = start + FINE_RETAINED_MS + 60_000;
  sliced.add(laterMs, laterMs, (slice) => slice.n++);
  assert.equal(sliced.over(start, start + 1_000, laterMs).n, 1);
});
