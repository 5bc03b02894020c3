/**
 * Every hint is written alike: whole sentences, since it stands behind others in warnings, logs
 * and answers. What it ends with may be there to copy: a command, an address.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";

const HINT =
  /\b(?:hint|HINT|DOCS)(?::|\s*=)\s*(?:\w+\s*\n?\s*\?\s*)?(["'`])((?:(?!\1)[^\\]|\\.)*)\1/g;
/** A command, a key or a file as it is written. */
const TO_COPY_FIRST = /^(?:docs\/|code |\$\{)/;
/** One that goes on in another piece ends with a blank. */
const TO_COPY_LAST = /(?:[A-Z]{2,}|\.com|:\d+|\}| )$/;

export function wrongHints(text: string): string[] {
  return Array.from(text.matchAll(HINT), ([, , hint = ""]) => hint).filter(
    (hint) =>
      hint !== "" &&
      !(
        (/^[A-Z"'`]/.test(hint) || TO_COPY_FIRST.test(hint)) &&
        (/[.?!]$/.test(hint) || TO_COPY_LAST.test(hint))
      ),
  );
}

const files = globSync("src/**/*.{ts,tsx}").filter(
  // The workspace answers in Databricks' words.
  (file) => !/\.test\.ts$|^src\/(?:web|local-workspace)\//.test(file),
);

test("hints are whole sentences", () => {
  const wrong = files.flatMap((file) =>
    wrongHints(readFileSync(file, "utf8")).map((hint) => `${file}: ${hint}`),
  );
  assert.deepEqual(wrong, []);
});

test("this sees the others", () =>
  assert.deepEqual(
    wrongHints(
      'hint: "name a file",\nhint: `Name it again`,\nhint: isSo\n ? "give it" : "",\nhint: "Name it."',
    ),
    ["name a file", "Name it again", "give it"],
  ));
