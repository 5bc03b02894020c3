/** Numbers keep their digits on the way in and out, and everything else is as `JSON` has it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseExactJson, writeExactJson } from "./exact-json.ts";

for (const [text, value] of [
  ["9007199254740991", 9007199254740991],
  ["9007199254740993", 9007199254740993n],
  ["-9223372036854775808", -9223372036854775808n],
  ["18446744073709551615", 18446744073709551615n],
  ['{"job_id":[620987654321987654]}', { job_id: [620987654321987654n] }],
  ['"620987654321987654"', "620987654321987654"],
  ["0.1234567890123456", 0.1234567890123456],
  ["1234567890123456789.5", 1234567890123456800],
  ["1e300", 1e300],
  [`1${"0".repeat(30)}`, 1e30],
] as const) {
  test(`${text} is read exactly`, () => assert.deepEqual(parseExactJson(text), value));
}

test("what is written and read again is the same, large numbers included", () => {
  const json = fc
    .jsonValue({ noUnicodeString: false })
    .filter((value) => !/-0\b/.test(writeExactJson(value)));
  fc.assert(
    fc.property(json, fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }), (value, id) => {
      const whole = { id, list: [-id, value] };
      // Through text once, where a fraction without a fraction becomes a whole number.
      const once = parseExactJson(writeExactJson(whole));
      assert.deepEqual(parseExactJson(writeExactJson(once)), once);
      assert.deepEqual((once as { id: unknown }).id, id);
    }),
  );
});
