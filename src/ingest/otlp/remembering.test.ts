import assert from "node:assert/strict";
import { test } from "node:test";
import { REMEMBERED_MAX, remembering } from "./remembering.ts";

test("what is remembered is worked out once, and nothing is remembered for good", () => {
  const asked: string[] = [];
  const length = remembering((text) => {
    asked.push(text);
    return text === "" ? null : text.length;
  });
  for (const text of ["Triage", "", "Triage", ""]) length(text);
  assert.deepEqual(asked, ["Triage", ""]);
  for (let n = 0; n < REMEMBERED_MAX; n++) length(`name ${n}`);
  assert.equal(length("Triage"), 6);
  assert.equal(asked.filter((text) => text === "Triage").length, 2, "a flood made room for itself");
});

test("long texts are not kept", () => {
  let asked = 0;
  const length = remembering((text) => {
    asked++;
    return text.length;
  });
  const long = "x".repeat(100_000);
  assert.equal(length(long), 100_000);
  length(long);
  assert.equal(asked, 2);
});
