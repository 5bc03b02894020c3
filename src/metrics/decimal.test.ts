import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DECIMAL_CHARS, writeDecimal } from "./decimal.ts";

/** The text, or undefined when the number is left to `String`. */
function decimalOf(value: number): string | undefined {
  const bytes = new Uint8Array(DECIMAL_CHARS + 2).fill(35);
  if (!writeDecimal(bytes, DECIMAL_CHARS + 1, value)) return undefined;
  const text = String.fromCharCode(...bytes);
  assert.match(text, /^#[0-9]+\.[0-9]+#$/);
  return text.slice(1, -1);
}

const value = fc.oneof(
  fc.double({ min: 0, max: 1e16, noNaN: true }),
  fc.double({ min: 1, max: 20_000, noNaN: true }),
  // Sums of latencies.
  fc
    .array(fc.double({ min: 0, max: 1_000, noNaN: true }))
    .map((all) => all.reduce((a, b) => a + b, 0)),
);

test("what is written reads as the same double, and all digits are right", () => {
  fc.assert(
    fc.property(value, (value) => {
      const text = decimalOf(value);
      if (text === undefined) return;
      assert.equal(Number(text), value);
      assert.equal(text, value.toPrecision(17));
    }),
    { numRuns: 20_000 },
  );
});

test("most doubles are written; those that few digits say are left to String", () => {
  for (const few of [
    0,
    0.1,
    0.15,
    1,
    1.5,
    2.25,
    12_345.678,
    0.1 + 0.2 + 0.7,
    999.9999,
    1e15,
    2 ** 53,
    -1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ]) {
    assert.equal(decimalOf(few), undefined, `${few}`);
  }
  let written = 0;
  for (let i = 1; i <= 1_000; i++) if (decimalOf(1 + i * Math.PI)) written++;
  assert.ok(written > 850, `${written}`);
  assert.equal(decimalOf(Math.PI), "3.1415926535897931");
});
