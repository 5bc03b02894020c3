import assert from "node:assert/strict";
import { test } from "node:test";
import { meanChange } from "./mean-change.ts";
import { heavyTailed, lognormal, seeded } from "./test-releases.ts";

const all = (value: number, length = 100) => new Array<number>(length).fill(value);

function check(before: readonly number[], after: readonly number[], expected: string) {
  const { interval, direction } = meanChange(Float64Array.from(before), Float64Array.from(after), {
    alpha: 0.0125,
  });
  const range = interval && `${interval.low.toFixed(2)} to ${interval.high.toFixed(2)}`;
  assert.equal(`${direction}, ${range}`, expected);
}

test("the same value throughout has not changed", () =>
  check(all(7), all(7), "null, 1.00 to 1.00"));
test("twice the same value throughout is twice as much", () =>
  check(all(7), all(14), "up, 2.00 to 2.00"));
test("half of it is half as much", () => check(all(14), all(7), "down, 0.50 to 0.50"));
test("from nothing there is no ratio", () => check(all(0), all(1), "up, null"));
test("to nothing neither", () => check(all(1), all(0), "down, null"));
test("nothing remains nothing", () => check(all(0), all(0), "null, null"));
test("one request that cost a thousand times as much says nothing of the others", () => {
  const { direction } = meanChange(
    Float64Array.from(all(1)),
    Float64Array.from([...all(1, 99), 1_000]),
    { alpha: 0.0125 },
  );
  assert.equal(direction, null);
});

test("the interval holds the true ratio about as often as it promises", () => {
  const random = seeded(5);
  const draw = lognormal(0.6);
  let held = 0;
  for (let run = 0; run < 1_000; run++) {
    const before = Float64Array.from({ length: 150 }, () => draw(random));
    const after = Float64Array.from({ length: 300 }, () => 1.3 * draw(random));
    const { interval } = meanChange(before, after, { alpha: 0.025 });
    if (interval && interval.low <= 1.3 && interval.high >= 1.3) held++;
  }
  assert.ok(held >= 930 && held <= 970, `${held} of 1 000`);
});

test("a hundred requests that happen to lack the dear ones do not make the release after them dear", () => {
  const random = seeded(6);
  let ups = 0;
  for (let run = 0; run < 1_000; run++) {
    const before = Float64Array.from({ length: 100 }, () => heavyTailed(random));
    const after = Float64Array.from({ length: 1_000 }, () => heavyTailed(random));
    if (meanChange(before, after, { alpha: 0.0125 }).direction === "up") ups++;
  }
  assert.ok(ups <= 12, `${ups} of 1 000`);
});
