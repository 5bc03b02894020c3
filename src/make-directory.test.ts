/** A directory is made with those above it, or it is told at once which of them could not be. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { makeDirectory } from "./make-directory.ts";

const home = mkdtempSync(join(tmpdir(), "make-directory-"));
after(() => rmSync(home, { recursive: true }));

test("makes those above it, each with the mode, and may be asked again", () => {
  makeDirectory(join(home, "a", "b", "c"), { mode: 0o700 });
  makeDirectory(join(home, "a", "b", "c"));
  for (const name of ["a", "a/b", "a/b/c"]) {
    assert.equal(statSync(join(home, name)).mode & 0o777, 0o700, name);
  }
});

test("below a file", () => {
  writeFileSync(join(home, "file"), "");
  assert.throws(() => makeDirectory(join(home, "file")), { code: "EEXIST" });
  assert.throws(() => makeDirectory(join(home, "file", "x")), { code: "ENOTDIR" });
  assert.throws(() => makeDirectory(join(home, "file", "x", "y")), { code: "ENOTDIR" });
});

test("below /proc, where Node's own way never ends", { skip: process.platform !== "linux" }, () =>
  assert.throws(() => makeDirectory("/proc/nope/below"), { code: "ENOENT", path: "/proc/nope" }),
);
