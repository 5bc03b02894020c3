/** Lines that would look the same, and how they are told apart. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { tellApart } from "./tell-apart.ts";

const check = (texts: readonly string[], expected: readonly string[]) =>
  assert.deepEqual(tellApart(texts), expected);

const start = "litellm.RateLimitError: OpenAIException - Rate limit reached for";

test("what differs from its beginning on stays whole", () =>
  check([`${start} gpt-4o`, "no such tool"], [`${start} gpt-4o`, "no such tool"]));
test("what differs at its end is told by its end", () =>
  check(
    [`${start} gpt-4o in org a`, `${start} gpt-5 in org a`],
    ["litellm.RateLimitError: … gpt-4o in org a", "litellm.RateLimitError: … gpt-5 in org a"],
  ));
test("one that goes on where another ends", () =>
  check(
    [start, `${start} requests`],
    ["litellm.RateLimitError: … for", "litellm.RateLimitError: … for requests"],
  ));
test("two that differ early and two that differ late", () =>
  check(
    ["a 1", "a 2", "b 1", "b 2"].map((end) => `${start} ${end}`),
    ["a 1", "a 2", "b 1", "b 2"].map((end) => `litellm.RateLimitError: … ${end}`),
  ));
test("the same text, of two agents, is told as it is", () => check([start, start], [start, start]));
test("nothing to tell", () => check(["", ""], ["", ""]));

test("two texts never become the same line", () => {
  const part = fc.constantFrom("the order database ", "does not answer ", "a", "b ", "é");
  const text = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(fc.uniqueArray(text, { maxLength: 12 }), (texts) => {
      assert.equal(new Set(tellApart(texts)).size, texts.length);
    }),
  );
});
