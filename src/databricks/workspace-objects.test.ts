/** Notebooks, files and folders of a workspace. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ApiCase, checkApiCase, clientThatGets } from "./test-answering-client.ts";
import {
  deleteWorkspaceObject,
  exportWorkspaceObject,
  getWorkspaceObject,
  importWorkspaceObject,
  listWorkspaceObjects,
  makeWorkspaceDirectories,
} from "./workspace-objects.ts";

const path = "/api/2.0/workspace";
const notebook = "/Shared/ü";
const answer = {
  path: notebook,
  object_type: "NOTEBOOK",
  object_id: 620987654321987,
  language: "PYTHON",
  modified_at: 5,
};
const object = {
  path: notebook,
  type: "NOTEBOOK",
  id: "620987654321987",
  language: "PYTHON",
  modifiedMs: 5,
};

for (const [what, ...apiCase] of [
  [
    "a notebook is imported",
    (c) =>
      importWorkspaceObject(c, {
        path: notebook,
        content: "print('ü')",
        format: "SOURCE",
        language: "PYTHON",
        overwrite: true,
      }),
    {},
    `POST ${path}/import {"path":"/Shared/ü","content":"${Buffer.from("print('ü')").toString("base64")}","format":"SOURCE","language":"PYTHON","overwrite":true}`,
  ],
  [
    "a notebook is exported",
    (c) =>
      exportWorkspaceObject(c, { path: notebook, format: "SOURCE" }).then((bytes) => `${bytes}`),
    { content: Buffer.from("print('ü')").toString("base64") },
    `GET ${path}/export?path=%2FShared%2F%C3%BC&format=SOURCE`,
    "print('ü')",
  ],
  [
    "an empty file is exported",
    (c) => exportWorkspaceObject(c, { path: "/a", format: "AUTO" }).then((bytes) => `${bytes}`),
    {},
    `GET ${path}/export?path=%2Fa&format=AUTO`,
    "",
  ],
  [
    "folders are made",
    (c) => makeWorkspaceDirectories(c, "/Shared/a/b"),
    {},
    `POST ${path}/mkdirs {"path":"/Shared/a/b"}`,
  ],
  [
    "a folder is listed",
    (c) => listWorkspaceObjects(c, "/Shared"),
    { objects: [answer, {}] },
    `GET ${path}/list?path=%2FShared`,
    [object],
  ],
  [
    "an object is found",
    (c) => getWorkspaceObject(c, notebook),
    answer,
    `GET ${path}/get-status?path=%2FShared%2F%C3%BC`,
    object,
  ],
  [
    "a folder goes",
    (c) => deleteWorkspaceObject(c, "/Shared/a", { recursive: true }),
    {},
    `POST ${path}/delete {"path":"/Shared/a","recursive":true}`,
  ],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(what, () => checkApiCase(apiCase));
}

test("what is too large is not sent", async () => {
  const { client, seen } = clientThatGets({});
  const content = new Uint8Array(10 * 1024 * 1024 + 1);
  await assert.rejects(importWorkspaceObject(client, { path: "/a", content, format: "RAW" }), {
    code: "USAGE_INVALID",
    message: "cannot import /a: it has 10485761 bytes, and Databricks takes 10485760 at most",
  });
  assert.deepEqual(seen, []);
});
