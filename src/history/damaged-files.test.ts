/** What was set aside is kept to be looked at, as far as there is room for it. */
import assert from "node:assert/strict";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setAside } from "./damaged-files.ts";
import { diskFiles } from "./files.ts";
import { fileName, tableDirectory } from "./seal.ts";

const MEBIBYTE = 1024 ** 2;

for (const [what, sizesMb, kept] of [
  ["a few small ones stay", [1, 2, 3], [0, 1, 2]],
  ["of many the newest rows stay", [100, 100, 100, 100], [2, 3]],
  ["one that is too large stays, alone", [10, 300], [1]],
] as const) {
  test(`files that are set aside: ${what}`, (t) => {
    const directory = mkdtempSync(join(tmpdir(), "damaged-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const home = tableDirectory(directory, "requests");
    mkdirSync(home, { recursive: true });
    const names = sizesMb.map((_, at) => fileName({ from: at + 1, upTo: at + 1 }));
    for (const [at, name] of names.entries()) {
      // Without blocks on the disk.
      const file = openSync(join(home, name), "w");
      ftruncateSync(file, (sizesMb[at] ?? 0) * MEBIBYTE);
      closeSync(file);
      setAside("requests", name, { files: diskFiles, directory });
    }
    assert.deepEqual(readdirSync(home), []);
    assert.deepEqual(
      readdirSync(join(directory, "damaged", "requests")).sort(),
      kept.map((at) => names[at]),
    );
  });
}
