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
  isGivenBack: fc.boolean(),
});

for (const isRoomy of [false, true]) {
  test(`reads as if every line were written anew, ${isRoomy ? "but for blanks" : "byte by byte"}`, () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
        const slab = new TextSlab({ isRoomy });
        const lines: Line[] = [];
        const lent: { readonly bytes: Uint8Array; readonly asTheyWere: string }[] = [];
        for (const { inserted, at, set, isGivenBack } of steps) {
          const place = Math.min(at, lines.length);
          slab.insert(
            place,
            inserted.map(({ text }) => text),
          );
          lines.splice(place, 0, ...inserted.map((line) => ({ ...line })));
          slab.setRun(
            place,
            Float64Array.from(inserted, ({ value }) => value),
          );
          for (const [index, value] of set) {
            const line = lines[index];
            if (!line) continue;
            slab.set(index, value);
            line.value = value;
          }
          assert.equal(slab.lines, lines.length);
          const { bytes, readers } = slab.lend();
          if (isGivenBack) readers.count--;
          const text = Buffer.from(bytes).toString();
          if (!isGivenBack) lent.push({ bytes, asTheyWere: text });
          assert.equal(text, slab.toString());
          const expected = lines.map(({ text, value }) => `${text}${numberText(value)}\n`).join("");
          // Half of a character becomes what UTF-8 has for it.
          if (isRoomy) assertReadsAs(text, lines);
          else assert.equal(text, expected.toWellFormed());
        }
        // Whoever keeps bytes has what was lent, whatever came after.
        for (const { bytes, asTheyWere } of lent) {
          assert.equal(Buffer.from(bytes).toString(), asTheyWere);
        }
      }),
      { numRuns: 300 },
    );
  });
}

/** Blanks may stand before a number, and it may be written in more digits than are needed. */
function assertReadsAs(actual: string, lines: readonly Line[]): void {
  let rest = actual;
  for (const { text, value } of lines) {
    const before = text.toWellFormed();
    assert.ok(
      rest.startsWith(before),
      `${JSON.stringify(rest)} begins with ${JSON.stringify(text)}`,
    );
    const [whole = "", number = ""] = /^ *(\S+)\n/.exec(rest.slice(before.length)) ?? [];
    assert.equal(Number(number.replace("Inf", "Infinity")), value === 0 ? 0 : value, number);
    rest = rest.slice(before.length + whole.length);
  }
  assert.equal(rest, "");
}

test("a number that gets a digit more moves nothing where there is room, and blanks stand before it", () => {
  const slab = new TextSlab({ isRoomy: true });
  slab.insert(0, ["a ", "b "]);
  const shown = [9, 10, 99_999, 7, 1.5, Math.PI * 7, 0].map((value) => {
    slab.set(0, value);
    slab.set(1, 1);
    return slab.toString();
  });
  assert.deepEqual(shown, [
    "a     9\nb     1\n",
    "a    10\nb     1\n",
    "a 99999\nb     1\n",
    "a     7\nb     1\n",
    "a   1.5\nb     1\n",
    "a       21.991148575128552\nb     1\n",
    "a                        0\nb     1\n",
  ]);
});

test("says how much memory it holds", () => {
  const slab = new TextSlab({ isRoomy: false });
  slab.insert(0, Array(1_000).fill("x".repeat(100)));
  assert.ok(slab.sizeBytes > 1_000 * 101 && slab.sizeBytes < 1_000 * 200, `${slab.sizeBytes}`);
});
