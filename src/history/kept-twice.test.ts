/** A value that is kept in two files, of which one may be anything. */
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { memoryRoot } from "../../test/memory-root.ts";
import { diskFiles, type Files } from "./files.ts";
import { keepTwice, keptNames, readKept } from "./kept-twice.ts";

const name = "value";
const made: string[] = [];
after(() => {
  for (const directory of made) rmSync(directory, { recursive: true });
});

const damages: Readonly<Record<string, (path: string) => void>> = {
  gone: (path) => rmSync(path),
  empty: (path) => writeFileSync(path, ""),
  cut: (path) => writeFileSync(path, readFileSync(path).subarray(0, 20)),
  "changed by a digit": (path) =>
    writeFileSync(path, readFileSync(path, "utf8").replace('"told": 2', '"told": 3')),
  "no object": (path) => writeFileSync(path, "null"),
  "the one of before": (path) => copyFileSync(`${path}.before`, path),
};

for (const file of keptNames(name)) {
  for (const [what, damage] of Object.entries(damages)) {
    test(`what was kept last is read, though ${file} is ${what}`, () => {
      const { directory, at } = kept();
      damage(join(directory, file));
      assert.deepEqual(readKept(at), { kind: "kept", value: { told: 2 } });
      keepTwice(at, { told: 4 });
      assert.deepEqual(readKept(at), { kind: "kept", value: { told: 4 } }, "and goes on");
    });
  }
}

test("of which neither can be read, it is damaged; of which none is there, there is none", () => {
  const { directory, at } = kept();
  for (const file of keptNames(name)) writeFileSync(join(directory, file), "{");
  assert.deepEqual(readKept(at), { kind: "damaged" });
  for (const file of keptNames(name)) rmSync(join(directory, file));
  assert.deepEqual(readKept(at), { kind: "none" });
});

test("a disk that fails at one of them does not hide the other, and at both is told", () => {
  const { at } = kept();
  const failing = (pattern: RegExp): Files => ({
    ...diskFiles,
    read(path) {
      if (pattern.test(path)) throw new Error("EIO: i/o error");
      return diskFiles.read(path);
    },
  });
  const read = (pattern: RegExp) => readKept({ ...at, files: failing(pattern) });
  assert.deepEqual(read(/again/), { kind: "kept", value: { told: 2 } });
  assert.deepEqual(read(/value\.json/), { kind: "kept", value: { told: 2 } });
  assert.throws(() => read(/./), /EIO/);
});

test("a file of an earlier version, which kept it once, is read", () => {
  const { directory, at } = kept();
  for (const file of keptNames(name)) rmSync(join(directory, file));
  writeFileSync(join(directory, "value.json"), '{ "version": 2 }');
  assert.deepEqual(readKept(at), { kind: "kept", value: { version: 2 } });
});

/** Kept two times, the files of the first beside those of the second. */
function kept() {
  const directory = mkdtempSync(join(memoryRoot, "kept-"));
  made.push(directory);
  const at = { directory, name, files: diskFiles };
  keepTwice(at, { told: 1 });
  for (const file of keptNames(name)) {
    copyFileSync(join(directory, file), join(directory, `${file}.before`));
  }
  keepTwice(at, { told: 2 });
  return { directory, at };
}
