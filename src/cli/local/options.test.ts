/** What the options of `dspy-databricks local` mean, and what of them is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkOptions, DEFAULT_PORT } from "./options.ts";

const check = (token: readonly string[]) => {
  const { token: admin, principals } = checkOptions({ port: DEFAULT_PORT, token });
  return { admin, principals };
};

test("without a token there is an admin whose token is yet to be found", () =>
  assert.deepEqual(check([]), { admin: null, principals: {} }));
test("a token without a name is the admin's, others belong to names", () =>
  assert.deepEqual(check(["a1", "ann@example.com=b2", "deployer=c3=="]), {
    admin: "a1",
    principals: { "ann@example.com": "b2", deployer: "c3==" },
  }));

for (const [what, token, says] of [
  ["two admins", ["a1", "b2"], /more than one --token without a name/],
  ["a name twice", ["ann=a1", "ann=b2"], /more than one --token of ann/],
  ["a token twice", ["ann=a1", "bob=a1"], /the same token/],
  ["nothing", ["ann="], /empty, or holds a space/],
  ["a space", ["a 1"], /empty, or holds a space/],
] as const) {
  test(`refused: ${what}`, () =>
    assert.throws(() => check(token), {
      code: "USAGE_INVALID",
      message: says,
    }));
}
