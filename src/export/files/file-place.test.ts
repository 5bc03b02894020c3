/** What is understood by the place of a file, as Databricks' own command line writes it. */
import assert from "node:assert/strict";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { clientThatGets } from "../../databricks/test-answering-client.ts";
import { MonitorError } from "../../monitor-error.ts";
import { type FilePlace, filePlace, putFile } from "./file-place.ts";

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
  ["/Volumes/ml/a/files", /Name a file in it/],
  ["/Volumes/ml/a/files/", /Name a file in it/],
  ["/Workspace/x", /in a folder of it/],
  ["reports/", /not a directory/],
  ["", /not a directory/],
] as const) {
  test(`${JSON.stringify(out)} is refused, and it says what to write`, () =>
    assert.throws(() => filePlace(out), { code: "CONFIG_INVALID", hint }));
}

const { client } = clientThatGets({});
const systemError = (code: string, path?: string) =>
  Object.assign(new Error(code), { code, ...(path === undefined ? {} : { path }) });

/** What is told when writing fails in this way. */
async function told(place: FilePlace, fail: (unfinished: string) => Error): Promise<string> {
  const put = putFile(place, {
    client,
    directory,
    async write(unfinished) {
      await writeFile(unfinished, "half");
      throw fail(unfinished);
    },
  });
  const error = await put.then(
    () => assert.fail("it was written"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof MonitorError, String(error));
  return `${error.code}: ${error.message} | ${error.hint}`;
}

test("what can't be written whole leaves the file of before", async () => {
  const path = join(directory, "kept");
  writeFileSync(path, "before");
  assert.equal(
    await told({ kind: "machine", path }, () => systemError("ENOSPC")),
    `FILE_UNWRITABLE: cannot export to ${path}: the disk that holds ${path} is full (ENOSPC) | Free space on it, or name a place on another disk.`,
  );
  assert.equal(readFileSync(path, "utf8"), "before");
  assert.deepEqual(readdirSync(directory), ["kept"]);
});

test("on the way to a volume it is the disk of this machine that is full", async () => {
  const path = "/Volumes/ml/a/files/x.ndjson";
  assert.match(
    await told({ kind: "volume", path }, (unfinished) => systemError("ENOSPC", unfinished)),
    new RegExp(`^FILE_UNWRITABLE: cannot export to ${path}: the disk that holds ${directory} is`),
  );
});

test("what could not be read for it is named, not the file that was written", async () => {
  const path = join(directory, "x.ndjson");
  assert.match(
    await told({ kind: "machine", path }, () => systemError("EACCES", "/data/history/rows")),
    /^FILE_UNWRITABLE: cannot export to .*x\.ndjson: this user has no permission for \/data\/history\/rows \(EACCES\)/,
  );
});

test("a place where nothing can be is told before anything is written", async () => {
  const into = async (path: string) => {
    const error = await putFile(
      { kind: "machine", path },
      { client, directory, write: (file) => writeFile(file, "new") },
    ).then(
      () => assert.fail("it was written"),
      (error: unknown) => error,
    );
    assert.ok(error instanceof MonitorError, String(error));
    return `${error.code}: ${error.message} | ${error.hint}`;
  };
  writeFileSync(join(directory, "file"), "");
  mkdirSync(join(directory, "folder", "below"), { recursive: true });
  const folder = join(directory, "folder");
  assert.equal(
    await into(folder),
    `CONFIG_INVALID: cannot export to ${folder}: ${folder} is a directory (EISDIR) | Name a file, such as one in it.`,
  );
  assert.match(await into(join(directory, "file", "x")), /: .*file is there, and is no directory/);
  assert.match(await into(join(directory, "file", "x", "y")), /: on the way to .*file\/x stands a/);
  if (process.platform === "linux") {
    assert.match(
      await into("/proc/nope/x.ndjson"),
      /^CONFIG_INVALID: cannot export to \/proc\/nope\/x\.ndjson: there is no directory \/proc\/nope \(ENOENT\)/,
    );
    assert.match(await into("/proc/x.ndjson"), /: nothing can be made in \/proc \(ENOENT\)/);
  }
});

test("a link is followed, and what is no file is written to, not replaced", async () => {
  const put = (path: string) =>
    putFile(
      { kind: "machine", path },
      { client, directory, write: (file) => writeFile(file, "new") },
    );
  const [target, link] = [join(directory, "target"), join(directory, "link")];
  writeFileSync(target, "before");
  symlinkSync(target, link);
  await put(link);
  assert.equal(readFileSync(target, "utf8"), "new");
  assert.ok(lstatSync(link).isSymbolicLink());
  symlinkSync("/dev/null", join(directory, "nowhere"));
  await put(join(directory, "nowhere"));
  assert.ok(lstatSync("/dev/null").isCharacterDevice());
});
