/** What stands on the terminal when a source fails. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MonitorError } from "../../monitor-error.ts";
import { problemText } from "./problem-text.ts";

test("a token that the workspace repeats in its answer does not reach the terminal", () => {
  const said = "it answered 500: boom \u001b[31m for dapi0123456789abcdef0123456789abcdef";
  const error = new MonitorError("DATABRICKS_FAILED", said, { hint: "Try again later." });
  assert.equal(
    problemText("Endpoint state", error),
    "Endpoint state can't be read: it answered 500: boom [31m for [secret]\n  Hint: Try again later.",
  );
});

test("what is thrown and is no error of ours is not shown", () =>
  assert.equal(
    problemText("Endpoint state", new Error("dapi")),
    "Endpoint state can't be read: unknown",
  ));
