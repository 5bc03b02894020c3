/** Files and directories of volumes: what is asked, and what the answers tell. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DatabricksError } from "./databricks-error.ts";
import {
  createDirectory,
  deleteDirectory,
  deleteFile,
  directoryExists,
  downloadFile,
  headFile,
  listDirectory,
  uploadFile,
} from "./files.ts";
import {
  type ApiCase,
  checkApiCase,
  clientThatAnswers,
  clientThatGets,
} from "./test-answering-client.ts";

const file = "/Volumes/ml/agents/files/a b/ü.json";
const sent = "/Volumes/ml/agents/files/a%20b/%C3%BC.json";
const directory = "/Volumes/ml/agents/files/a";

for (const [what, ...apiCase] of [
  [
    "a file goes up",
    (c) => uploadFile(c, file, new Uint8Array(3), { overwrite: false }),
    {},
    `PUT /api/2.0/fs/files${sent}?overwrite=false`,
  ],
  ["a file goes", (c) => deleteFile(c, file), {}, `DELETE /api/2.0/fs/files${sent}`],
  [
    "a directory is made",
    (c) => createDirectory(c, `${directory}/`),
    {},
    `PUT /api/2.0/fs/directories${directory}`,
  ],
  [
    "a directory goes",
    (c) => deleteDirectory(c, directory),
    {},
    `DELETE /api/2.0/fs/directories${directory}`,
  ],
  [
    "a directory is there",
    (c) => directoryExists(c, directory),
    {},
    `HEAD /api/2.0/fs/directories${directory}`,
    true,
  ],
  [
    "what is in a directory",
    (c) => listDirectory(c, directory),
    {
      contents: [
        { path: `${directory}/b`, name: "b", is_directory: true, file_size: 0 },
        { path: `${directory}/c`, name: "c", is_directory: false, file_size: 7, last_modified: 5 },
      ],
    },
    `GET /api/2.0/fs/directories${directory}`,
    [
      { path: `${directory}/b`, name: "b", isDirectory: true, sizeBytes: null, modifiedMs: null },
      { path: `${directory}/c`, name: "c", isDirectory: false, sizeBytes: 7, modifiedMs: 5 },
    ],
  ],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(what, () => checkApiCase(apiCase));
}

test("the head of a file", async () => {
  const headers = { "content-length": "7", "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT" };
  const { client } = clientThatAnswers(() => new Response(null, { headers }));
  assert.deepEqual(await headFile(client, file), {
    sizeBytes: 7,
    modifiedMs: Date.UTC(2026, 0, 1),
  });
});

test("a file or directory that is not there is no error, but one that is forbidden is", async () => {
  const { client } = clientThatGets({}, { status: 404 });
  assert.equal(await headFile(client, file), null);
  assert.equal(await directoryExists(client, directory), false);
  await assert.rejects(headFile(clientThatGets({}, { status: 403 }).client, file), (error) => {
    assert.ok(error instanceof DatabricksError);
    assert.match(error.hint, /^Give the identity READ VOLUME on volume ml\.agents\.files,/);
    return true;
  });
});

test("a part of a file", async () => {
  const { client, seen } = clientThatAnswers(() => new Response("abc", { status: 206 }));
  const { chunks } = await downloadFile(client, file, { range: "bytes=0-2" });
  const text: string[] = [];
  for await (const chunk of chunks) text.push(new TextDecoder().decode(chunk));
  assert.equal(text.join(""), "abc");
  assert.deepEqual(seen, [`GET /api/2.0/fs/files${sent}`]);
});

for (const path of ["/Volumes/ml/../x", "/Volumes//x", "", "/Volumes/ml/agents/./x"]) {
  test(`${JSON.stringify(path)} leads nowhere`, () =>
    assert.throws(
      () => deleteFile(clientThatGets({}).client, path),
      /is not a name that can exist/,
    ));
}
