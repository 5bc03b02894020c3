/** A key has its place, whoever it looks like; what is nobody's key has none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { attributeKeys, placeOf } from "./attribute-keys.ts";

function check(keys: readonly string[], asked: string, expected: number) {
  const bytes = new TextEncoder().encode(`before${asked}behind`);
  const sizeBytes = bytes.length - "beforebehind".length;
  const place = placeOf(attributeKeys(keys), new DataView(bytes.buffer), 6, sizeBytes);
  assert.equal(place, expected, `${asked} among ${keys.join(", ")}`);
}

test("keys of one length with one last byte are told apart", () => {
  const keys = ["a.prompt.tokens", "b.prompt.tokens", "b.answer.tokens"];
  for (const [place, key] of keys.entries()) check(keys, key, place);
  check(keys, "c.prompt.tokens", -1);
});

test("a key that is longer by 32 bytes is another", () => {
  const long = `${"x".repeat(32)}key`;
  check(["key"], long, -1);
  check([long], "key", -1);
});

test("no key is empty, and where there are none, none is read", () => {
  check(["key"], "", -1);
  check([], "key", -1);
});

test("every key has its own place, among any others", () => {
  const key = fc.string({ minLength: 1, maxLength: 4, unit: fc.constantFrom("a", "b", "é") });
  fc.assert(
    fc.property(fc.uniqueArray(key, { maxLength: 30 }), key, (keys, other) => {
      for (const [place, one] of keys.entries()) check(keys, one, place);
      check(keys, other, keys.indexOf(other));
    }),
  );
});
