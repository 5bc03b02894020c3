import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { numberText } from "./prometheus-names.ts";
import { TextSlab } from "./text-slab.ts";

const number = fc.oneof(
  fc.nat({ max: 12 }),
  fc.nat(),
  fc.double(),
  fc.constantFrom(
    -0,
    9,
    10,
    999_999_999,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    2 ** 53 + 2,
    1e21,
  ),
  fc.constantFrom(-1, -10.5, 1e-7, 0.1, Number.NaN, Number.POSITIVE_INFINITY, -Infinity),
);
const constant = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom("", "a ", 'é="ü" ', "𝛑\n# "),
);

type Line = { readonly text: string; value: number };

/** What is done to a slab between two times that it is read. */
const step = fc.record({
  inserted: fc.array(fc.record({ text: constant, value: number }), { maxLength: 4 }),
  at: fc.nat({ max: 20 }),
  set: fc.array(fc.tuple(fc.nat({ max: 20 }), number), { maxLength: 12 }),
});

test("reads as if every line were written anew, whatever was inserted and set", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
      const slab = new TextSlab();
      const lines: Line[] = [];
      for (const { inserted, at, set } of steps) {
        const place = Math.min(at, lines.length);
        slab.insert(
          place,
          inserted.map(({ text }) => text),
        );
        lines.splice(place, 0, ...inserted.map((line) => ({ ...line })));
        inserted.forEach(({ value }, index) => {
          slab.set(place + index, value);
        });
        for (const [index, value] of set) {
          const line = lines[index];
          if (!line) continue;
          slab.set(index, value);
          line.value = value;
        }
        const expected = lines.map(({ text, value }) => `${text}${numberText(value)}\n`).join("");
        // Half of a character becomes what UTF-8 has for it.
        assert.equal(slab.toString(), expected.toWellFormed());
        assert.equal(slab.lines, lines.length);
      }
    }),
  );
});

test("says how much memory it holds", () => {
  const slab = new TextSlab();
  slab.insert(0, Array(1_000).fill("x".repeat(100)));
  assert.ok(slab.sizeBytes > 1_000 * 101 && slab.sizeBytes < 1_000 * 200, `${slab.sizeBytes}`);
});
