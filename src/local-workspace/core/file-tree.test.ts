/** Files under paths that callers choose stay where they belong. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openFileTree } from "./file-tree.ts";

const root = mkdtempSync(join(tmpdir(), "file-tree-"));
after(() => rmSync(root, { recursive: true, force: true }));
const tree = openFileTree(root);
const bytes = (text: string) => new TextEncoder().encode(text);
const read = (path: string) => readFileSync(tree.locate(path), "utf8");

test("a file is written whole, and again only when that is meant", async () => {
  await tree.write("a/b/one.txt", bytes("first"), { overwrite: false });
  await assert.rejects(tree.write("a/b/one.txt", bytes("second"), { overwrite: false }), {
    errorCode: "ALREADY_EXISTS",
  });
  assert.equal(read("a/b/one.txt"), "first");
  await tree.write("a/b/one.txt", bytes("second"), { overwrite: true });
  assert.equal(read("a/b/one.txt"), "second");
});

test("an upload that breaks off leaves nothing", async () => {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(bytes("half"));
      controller.error(new Error("the caller went away"));
    },
  });
  await assert.rejects(tree.write("a/half.txt", body, { overwrite: true }), /went away/);
  assert.equal(await tree.describe("a/half.txt"), null);
  assert.deepEqual(readdirSync(join(root, ".parts")), []);
});

test("of two that write the same new file at once, one is refused", async () => {
  const results = await Promise.allSettled(
    ["x", "y"].map((text) => tree.write("raced.txt", bytes(text), { overwrite: false })),
  );
  assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
});

test("a directory lists what is in it", async () => {
  await tree.write("list/b.txt", bytes("12"), { overwrite: false });
  await tree.makeDirectory("list/a");
  const found = await tree.list("list");
  assert.deepEqual(
    found?.map(({ name, isDirectory, sizeBytes }) => [name, isDirectory, sizeBytes]),
    [
      ["a", true, 0],
      ["b.txt", false, 2],
    ],
  );
  assert.equal(await tree.list("list/b.txt"), null);
  assert.equal(await tree.list("nothing"), null);
});

for (const path of ["..", "a/../../b", "", "/", "a/./b", ".parts/x", "a\0b", "x".repeat(256)]) {
  test(`no path of a file: ${JSON.stringify(path).slice(0, 30)}`, () => {
    assert.throws(() => tree.locate(path), { errorCode: "INVALID_PARAMETER_VALUE" });
  });
}
