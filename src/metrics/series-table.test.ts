import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Labels, SeriesTable } from "./series-table.ts";

const keep = (text: string) => text;

/** Adds each, then finds each again – also with strings that are other objects. */
function check(keys: readonly (readonly [string, string | undefined, Labels | undefined])[]) {
  const table = new SeriesTable<number>(keys.length, 7);
  const expected = new Map<string, number>();
  keys.forEach(([first, second, labels], handle) => {
    const key = JSON.stringify([first, second ?? null, Object.entries(labels ?? {})]);
    const known = expected.get(key);
    assert.equal(table.find(first, second, labels), known);
    if (known !== undefined) return;
    table.add(first, second, labels, { handle, keep });
    expected.set(key, handle);
  });
  for (const [key, handle] of expected) {
    const [first, second, pairs] = JSON.parse(key);
    assert.equal(table.find(first, second ?? undefined, Object.fromEntries(pairs)), handle);
  }
}

const series = (count: number, labelsOf: (i: number) => Labels) =>
  Array.from({ length: count }, (_, i) => ["agent", "v1", labelsOf(i)] as const);

const pad = (i: number) => String(i).padStart(5, "0");

test("finds what was added, and nothing else", () => {
  const text = fc.oneof(fc.constantFrom("", "a", "b", "ab", "ba"), fc.string({ maxLength: 4 }));
  const labels = fc.option(fc.dictionary(text, text, { maxKeys: 3 }), { nil: undefined });
  const key = fc.tuple(text, fc.option(text, { nil: undefined }), labels);
  fc.assert(fc.property(fc.array(key, { maxLength: 200 }), check));
});

test("tells thousands of numbered names apart", () =>
  check(series(5_000, (i) => ({ pod: `agent-${i}`, zone: `z${i % 7}` }))));

test("tells values apart that differ where a quick look does not see it", () =>
  check(series(5_000, (i) => ({ id: `x${pad(i)}-the-same-for-all-of-them` }))));

test("the same labels in another order, or under another name, are another entry", () =>
  check([
    ["a", undefined, { x: "1", y: "2" }],
    ["a", undefined, { y: "2", x: "1" }],
    ["a", undefined, { x: "1", z: "2" }],
    ["a", "1", { y: "2" }],
    ["a", "", undefined],
    ["a", undefined, {}],
  ]));

test("names that hold a separator, or nothing, are not several names, or none", () =>
  check([
    ["a", undefined, { "x\u0000y": "1" }],
    ["next", undefined, undefined],
    ["a", undefined, { x: "1", y: "next" }],
    ["b", undefined, undefined],
    ["b", undefined, { "": "" }],
  ]));

test("names that were chosen to collide in a quick look cost no more than others", () => {
  const costOf = (labelsOf: (i: number) => Labels) => {
    const keys = series(4_000, labelsOf);
    const table = new SeriesTable<number>(keys.length);
    keys.forEach(([first, second, labels], handle) => {
      table.add(first, second, labels, { handle, keep });
    });
    let compared = 0;
    for (const [first, second, labels] of keys) {
      // Counts how often a value is looked at: once for the hash, once for each comparison.
      const counting = new Proxy(labels, {
        get: (target, name) => {
          compared++;
          return Reflect.get(target, name);
        },
      });
      table.find(first, second, counting);
    }
    return compared / keys.length;
  };
  assert.ok(costOf((i) => ({ id: `x${pad(i)}-the-same-for-all-of-them` })) < 4);
});
