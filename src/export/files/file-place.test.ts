/** What is understood by the place of a file, as Databricks' own command line writes it. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { clientThatGets } from "../../databricks/test-answering-client.ts";
import { filePlace, putFile } from "./file-place.ts";

const directory = mkdtempSync(join(tmpdir(), "file-place-"));
after(() => rmSync(directory, { recursive: true }));

for (const [out, kind, path] of [
  ["dbfs:/Volumes/ml/a/files/x.ndjson", "volume", "/Volumes/ml/a/files/x.ndjson"],
  ["/Volumes/ml/a/files/deep/x.prom", "volume", "/Volumes/ml/a/files/deep/x.prom"],
  ["/Workspace/Shared/x.ndjson", "workspace", "/Workspace/Shared/x.ndjson"],
  ["x.ndjson", "machine", resolve("x.ndjson")],
  ["/Volumesque/x", "machine", "/Volumesque/x"],
] as const) {
  test(`${out}: ${kind}`, () => assert.deepEqual(filePlace(out), { kind, path }));
}

for (const [out, hint] of [
  ["dbfs:/tmp/x.ndjson", /root of DBFS/],
  ["dbfs:x.ndjson", /root of DBFS/],
  ["/Volumes/ml/a/files", /name a file in it/],
  ["/Volumes/ml/a/files/", /name a file in it/],
  ["/Workspace/x", /in a folder of it/],
  ["reports/", /not a directory/],
  ["", /not a directory/],
] as const) {
  test(`${JSON.stringify(out)} is refused, and it says what to write`, () =>
    assert.throws(() => filePlace(out), { code: "CONFIG_INVALID", hint }));
}

test("what can't be written whole leaves the file of before", async () => {
  const path = join(directory, "kept");
  writeFileSync(path, "before");
  const { client } = clientThatGets({});
  const put = putFile(
    { kind: "machine", path },
    {
      client,
      directory,
      async write(unfinished) {
        await writeFile(unfinished, "half");
        throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
      },
    },
  );
  await assert.rejects(put, { code: "USAGE_INVALID", message: `cannot write ${path} (ENOSPC)` });
  assert.equal(readFileSync(path, "utf8"), "before");
  assert.deepEqual(readdirSync(directory), ["kept"]);
});
