/** The functions that docs/local-sql.md lists are those that are there. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { knownFunctions } from "./functions.ts";

const [, section = ""] = /\n## Functions\n([\s\S]*?)\n## /.exec(
  readFileSync("docs/local-sql.md", "utf8"),
) ?? [""];
const listed = Array.from(section.matchAll(/`([a-z]\w*)(?:\(|`)/g), ([, name = ""]) => name);

test("every function that is listed is there, and the other way round", () => {
  const known = new Set(knownFunctions());
  assert.deepEqual(
    {
      missing: listed.filter((name) => !known.has(name)),
      unlisted: [...known].filter((name) => !listed.includes(name)).sort(),
    },
    { missing: [], unlisted: [] },
  );
});
