import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Distribution } from "./distribution.ts";

function nearestRank(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(fraction * sorted.length)) - 1] ?? Number.NaN;
}

function distribution(values: readonly number[]): Distribution {
  const result = new Distribution();
  for (const value of values) result.add(value);
  return result;
}

const latencies = (maxLength: number) =>
  fc.array(fc.double({ min: 0, max: 1e7, noNaN: true }), { minLength: 1, maxLength });

test("without samples there are no percentiles", () => {
  assert.equal(new Distribution().percentiles(), null);
  assert.equal(new Distribution().mean(), null);
});

test("few samples give nearest-rank percentiles, exactly", () => {
  fc.assert(
    fc.property(latencies(500), (values) => {
      assert.deepEqual(distribution(values).percentiles(), {
        p50: nearestRank(values, 0.5),
        p95: nearestRank(values, 0.95),
        p99: nearestRank(values, 0.99),
      });
    }),
    { numRuns: 50 },
  );
});

test("many samples stay within 0.8 %", () => {
  const values = Array.from(
    { length: 20_000 },
    (_, index) => 0.5 + ((index * 7919) % 20_000) * 0.37,
  );
  const told = distribution(values).percentiles();
  for (const [name, fraction] of [
    ["p50", 0.5],
    ["p95", 0.95],
    ["p99", 0.99],
  ] as const) {
    const exact = nearestRank(values, fraction);
    assert.ok(
      Math.abs((told?.[name] ?? 0) - exact) <= exact * 0.008,
      `${name} ${told?.[name]} ${exact}`,
    );
  }
});

test("merging parts is the same as adding all", () => {
  fc.assert(
    fc.property(latencies(900), latencies(900), (first, second) => {
      const merged = distribution(first);
      merged.merge(distribution(second));
      const whole = distribution([...first, ...second]);
      assert.deepEqual(merged.percentiles(), whole.percentiles());
      assert.equal(merged.count, whole.count);
    }),
    { numRuns: 50 },
  );
});

test("few samples are counted above a value exactly", () => {
  fc.assert(
    fc.property(latencies(500), fc.double({ min: 0, max: 1e7, noNaN: true }), (values, limit) => {
      const expected = values.filter((value) => value > limit).length;
      assert.equal(distribution(values).countAbove(limit), expected);
    }),
    { numRuns: 50 },
  );
});

test("of many samples none below is counted, and all that are 1.6 % above", () => {
  const values = Array.from({ length: 5_000 }, (_, index) => 0.5 + ((index * 7919) % 5_000) * 0.37);
  for (const limit of [0, 0.5, 17, 1000, 1849, 1850, 5_000]) {
    const counted = distribution(values).countAbove(limit);
    assert.ok(counted <= values.filter((value) => value > limit).length, `too many above ${limit}`);
    assert.ok(
      counted >= values.filter((value) => value > limit * 1.016).length,
      `too few above ${limit}`,
    );
  }
});
