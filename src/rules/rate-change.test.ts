import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fisherTail, type Rate, rateChange } from "./rate-change.ts";

const rate = (hits: number, total: number): Rate => ({ hits, total });

/** The examples of Newcombe, Statistics in Medicine 17 (1998), table II, method 10, 95 %. */
const published: readonly (readonly [Rate, Rate, number, number])[] = [
  [rate(48, 80), rate(56, 70), 0.0524, 0.3339],
  [rate(3, 10), rate(9, 10), 0.1705, 0.809],
  [rate(2, 7), rate(6, 7), 0.0582, 0.8062],
  [rate(0, 29), rate(5, 56), -0.0381, 0.1926],
  [rate(0, 10), rate(0, 20), -0.2775, 0.1611],
  [rate(0, 10), rate(10, 10), 0.6075, 1],
];
for (const [before, after, low, high] of published) {
  test(`from ${before.hits}/${before.total} to ${after.hits}/${after.total}: ${low} to ${high}`, () => {
    const { interval } = rateChange(before, after, { alpha: 0.025 });
    assert.ok(interval);
    assert.ok(Math.abs(interval.low - low) < 6e-5, `${interval.low}`);
    assert.ok(Math.abs(interval.high - high) < 6e-5, `${interval.high}`);
  });
}

test("the lady who tasted tea: three of four cups right is chance in 17 of 70 cases", () =>
  assert.ok(Math.abs(fisherTail(rate(1, 4), rate(3, 4)) - 17 / 70) < 1e-12));

/** Ways to choose so many, counted exactly. */
function ways(of: number, chosen: number): bigint {
  if (chosen < 0 || chosen > of) return 0n;
  let count = 1n;
  for (let index = 1; index <= chosen; index++)
    count = (count * BigInt(of - index + 1)) / BigInt(index);
  return count;
}

const anyRate = fc
  .integer({ min: 1, max: 60 })
  .chain((total) => fc.integer({ min: 0, max: total }).map((hits) => rate(hits, total)));

test("the exact test counts the same ways as dealing out every failure", () => {
  fc.assert(
    fc.property(anyRate, anyRate, (first, second) => {
      const hits = first.hits + second.hits;
      let tail = 0n;
      for (let count = second.hits; count <= hits; count++) {
        tail += ways(second.total, count) * ways(first.total, hits - count);
      }
      const all = ways(first.total + second.total, hits);
      const exact = Number((tail * 10n ** 15n) / all) / 1e15;
      assert.ok(Math.abs(fisherTail(first, second) - exact) < 1e-12);
    }),
  );
});

test("huge counts are tested in no time, and go over from the exact test without a step", () => {
  const tailAt = (total: number) =>
    fisherTail(rate(total / 2, total), rate(total / 2 + 1_000, total));
  const [exact, normal] = [tailAt(7_900_000), tailAt(8_100_000)];
  assert.ok(exact > normal === false && Math.abs(exact - normal) < 0.01, `${exact} ${normal}`);
  const [half, more] = [rate(2 ** 51, 2 ** 52), rate(2 ** 51 + 2 ** 30, 2 ** 52)];
  assert.ok(fisherTail(half, more) < 1e-9);
  assert.ok(Math.abs(fisherTail(half, half) - 0.5) < 1e-6);
});
