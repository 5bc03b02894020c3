import assert from "node:assert/strict";
import { test } from "node:test";
import { quantileChange } from "./quantile-change.ts";
import { heavyTailed, lognormal, type Random, seeded, withCacheHits } from "./test-releases.ts";

const ascending = (values: readonly number[]) => Float64Array.from(values).sort();

/** One round of the Bayesian bootstrap as it is defined: a random weight for each sample. */
function drawnQuantile(samples: Float64Array, fraction: number, random: Random): number {
  const weights = samples.map(() => -Math.log(1 - random()));
  const limit = fraction * weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  return (
    samples.find((_, index) => {
      sum += weights[index] ?? 0;
      return sum >= limit;
    }) ?? Number.NaN
  );
}

const ROUNDS = 20_000;

for (const [name, draw] of Object.entries({
  lognormal: lognormal(0.4),
  "heavy-tailed": heavyTailed,
  "mostly cached": withCacheHits(0.9),
})) {
  test(`${name}: the closed form is what ${ROUNDS} drawn rounds tend to`, () => {
    const random = seeded(11);
    const before = ascending(Array.from({ length: 100 }, () => draw(random)));
    const after = ascending(Array.from({ length: 150 }, () => 1.1 * draw(random)));
    const alpha = 0.05;
    const { interval } = quantileChange(before, after, { fraction: 0.95, alpha });
    assert.ok(interval);

    let [below, atMost, above, atLeast] = [0, 0, 0, 0];
    for (let round = 0; round < ROUNDS; round++) {
      const ratio = drawnQuantile(after, 0.95, random) / drawnQuantile(before, 0.95, random);
      if (ratio < interval.low * (1 - 1e-9)) below++;
      if (ratio <= interval.low * (1 + 1e-9)) atMost++;
      if (ratio > interval.high * (1 + 1e-9)) above++;
      if (ratio >= interval.high * (1 - 1e-9)) atLeast++;
    }
    // A bound is a ratio of two samples: fewer rounds are beyond it, and more when it is counted too.
    const slack = 0.006;
    for (const [beyond, upTo] of [
      [below, atMost],
      [above, atLeast],
    ] as const) {
      assert.ok(beyond / ROUNDS <= alpha + slack, `${beyond} rounds are beyond`);
      assert.ok(upTo / ROUNDS >= alpha - slack, `only ${upTo} rounds are up to it`);
    }
  });
}

function check(before: readonly number[], after: readonly number[], expected: string) {
  const { interval, direction } = quantileChange(ascending(before), ascending(after), {
    fraction: 0.95,
    alpha: 0.0125,
  });
  const range = interval && `${interval.low.toFixed(2)} to ${interval.high.toFixed(2)}`;
  assert.equal(`${direction}, ${range}`, expected);
}
const all = (value: number, length = 100) => new Array<number>(length).fill(value);

test("the same value throughout has not changed", () =>
  check(all(7), all(7), "null, 1.00 to 1.00"));
test("twice the same value throughout is twice as much", () =>
  check(all(7), all(14), "up, 2.00 to 2.00"));
test("from nothing there is no ratio", () => check(all(0), all(14), "up, null"));
test("to nothing neither", () => check(all(14), all(0), "down, null"));
test("one sample says nothing", () => check([1], [100], "null, 100.00 to 100.00"));
test("three outliers of a hundred are not the p95", () =>
  check(all(7), [...all(7, 97), ...all(900, 3)], "null, 1.00 to 128.57"));
