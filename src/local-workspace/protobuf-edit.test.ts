/** Protobuf is edited field by field, and nothing else of it changes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { editMessage, readFields } from "./protobuf-edit.ts";

/** Field 1 becomes `text`; messages are written in hex. */
function check(message: string, text: string, expected: string) {
  const edited = editMessage(Buffer.from(message, "hex"), { 1: () => Buffer.from(text) });
  assert.equal(Buffer.from(edited).toString("hex"), expected);
}

test("a field of the same size keeps its length as it was written", () => {
  check("0a83006162631001", "xyz", "0a830078797a1001");
});

test("a longer field gets a new length, and what follows stays", () => {
  check("0a01611001", "ab", "0a0261621001");
});

test("a length of more than 127 bytes takes two bytes", () => {
  check("0a0161", "x".repeat(200), `0ac801${"78".repeat(200)}`);
});

test("every occurrence of a repeated field is edited", () => {
  check("0a01610a016210050a0163", "z", "0a017a0a017a10050a017a");
});

test("a fixed field is edited in place", () => {
  check("09000000000000000015aabbccdd", "12345678", "09313233343536373815aabbccdd");
});

test("a message without the field stays as it is", () => check("1001", "x", "1001"));

test("a fixed field cannot change its size", () => {
  assert.throws(() => check("090000000000000000", "x", ""), /cannot change size/);
});

const damaged = {
  "a length beyond the end": "0a0561",
  "a tag without content": "0a",
  "a number that never ends": "10ffffffffffffffffffff01",
  "a number cut off": "10ff",
  "a fixed field cut off": "0900",
  "field number 0": "0200",
  "a group": "0b0c",
};
for (const [what, hex] of Object.entries(damaged)) {
  test(`${what} is refused`, () => {
    assert.throws(() => [...readFields(Buffer.from(hex, "hex"))], Error);
  });
}

test("any bytes are either read to the end or refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      let endAt = 0;
      try {
        for (const field of readFields(bytes)) {
          assert.equal(field.tagAt, endAt);
          endAt = field.valueAt + field.value.length;
        }
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        return;
      }
      assert.equal(endAt, bytes.length);
    }),
    { numRuns: 2_000 },
  );
});
