/** What a disk says is told with what to do about it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MonitorError } from "../../monitor-error.ts";
import { inOtherWords } from "./disk-failure.ts";

const systemError = (code: string, text: string) =>
  Object.assign(new Error(`${code}: ${text}`), { code });

for (const [error, message, hint] of [
  [systemError("ENOSPC", "no space left on device, write"), /ENOSPC: no space left/, /Free space/],
  [systemError("EACCES", "permission denied, mkdir '/lake/x'"), /mkdir '\/lake\/x'/, /mounted/],
  [
    systemError("ENOTDIR", "not a directory, scandir '/a.txt/x'"),
    /a\.txt/,
    /name another directory/,
  ],
  [systemError("EIO", "i/o error, read"), /EIO/, /Look at that disk/],
  [new Error('IO Error: Could not write file "/t"'), /"\/t"/, /Look at that disk/],
] as const) {
  test(`${error.message} has a hint`, () => {
    const told = inOtherWords(error, "/data/history");
    assert.ok(told instanceof MonitorError);
    assert.equal(told.code, "HISTORY_FAILED");
    assert.match(told.message, /^cannot export the history in \/data\/history: /);
    assert.match(told.message, message);
    assert.match(told.hint, hint);
    assert.match(told.hint, /Nothing is lost/);
  });
}

test("a bug stays what it is, and so does what has a hint already", () => {
  const bug = new TypeError("undefined is not a function");
  const told = new MonitorError("TABLE_DROPPED", "it is gone", { hint: "Bring it back." });
  assert.equal(inOtherWords(bug, "/data"), bug);
  assert.equal(inOtherWords(told, "/data"), told);
});
