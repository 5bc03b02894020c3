/** The official SDK uploads, reads, lists and deletes files of volumes in the local workspace. */
import { systemClock } from "../../src/clock.ts";
import { startLocalWorkspace } from "../../src/local-workspace/workspace.ts";
import { testDocumentedRoutes } from "./documented-routes.ts";
import { driveSdk, sdk } from "./drive-sdk.ts";

const workspace = await startLocalWorkspace({
  otlpUrl: null,
  clock: systemClock,
  principals: { ann: "token-of-ann" },
});
const inbox = "/Volumes/ml/default/inbox";
const odd = `${inbox}/day=1/a b%20ü#?.ndjson`;

await driveSdk({
  url: workspace.url,
  tokens: { admin: workspace.token, ann: "token-of-ann" },
  calls: [
    {
      what: "without its volume there is no place for a file",
      call: "files.upload",
      args: { file_path: `${inbox}/a.txt`, contents: sdk.file("x") },
      refuses: { type: "NotFound", code: "VOLUME_DOES_NOT_EXIST", says: /ml.default.inbox/ },
    },
    {
      what: "the volume is made",
      call: "volumes.create",
      args: {
        catalog_name: "ml",
        schema_name: "default",
        name: "inbox",
        volume_type: sdk.enum("catalog.VolumeType.MANAGED"),
      },
    },
    {
      what: "an empty volume is an empty directory",
      call: "files.list_directory_contents",
      args: { directory_path: inbox },
      answers: [],
    },
    {
      what: "a file with any name is stored",
      call: "files.upload",
      args: { file_path: odd, contents: sdk.file('{"n":1}\n') },
    },
    {
      what: "and read",
      call: "files.download",
      args: { file_path: odd },
      answers: { contents: '{"n":1}\n' },
    },
    {
      what: "its size is told",
      call: "files.get_metadata",
      args: { file_path: odd },
      answers: { "content-length": 8, "content-type": "application/octet-stream" },
    },
    {
      what: "it is not overwritten by itself",
      call: "files.upload",
      args: { file_path: odd, contents: sdk.file("2"), overwrite: false },
      refuses: { type: "AlreadyExists", code: "ALREADY_EXISTS", says: /already exists/ },
    },
    {
      what: "but when that is meant",
      call: "files.upload",
      args: { file_path: odd, contents: sdk.file("2"), overwrite: true },
    },
    {
      what: "a directory is made",
      call: "files.create_directory",
      args: { directory_path: `${inbox}/empty` },
    },
    {
      what: "and is there",
      call: "files.get_directory_metadata",
      args: { directory_path: `${inbox}/empty` },
    },
    {
      what: "the volume lists what is in it",
      call: "files.list_directory_contents",
      args: { directory_path: inbox },
      answers: [
        { name: "day=1", is_directory: true, path: `${inbox}/day=1` },
        { name: "empty", is_directory: true },
      ],
    },
    {
      what: "with sizes",
      call: "files.list_directory_contents",
      args: { directory_path: `${inbox}/day=1` },
      answers: [{ path: odd, is_directory: false, file_size: 1 }],
    },
    {
      what: "a directory that is not empty stays",
      call: "files.delete_directory",
      args: { directory_path: `${inbox}/day=1` },
      refuses: { type: "BadRequest", says: /not empty/ },
    },
    {
      what: "another principal does not read it",
      call: "files.download",
      args: { file_path: odd },
      as: "ann",
      refuses: { type: "PermissionDenied", says: /USE CATALOG on Catalog 'ml'/ },
    },
    {
      what: "a reader is let in",
      call: "grants.update",
      args: {
        securable_type: "catalog",
        full_name: "ml",
        changes: [
          sdk.object("catalog.PermissionsChange", {
            principal: "ann",
            add: ["USE_CATALOG", "USE_SCHEMA", "READ_VOLUME"],
          }),
        ],
      },
    },
    {
      what: "and reads",
      call: "files.download",
      args: { file_path: odd },
      as: "ann",
      answers: { contents: "2" },
    },
    {
      what: "but does not write",
      call: "files.upload",
      args: { file_path: `${inbox}/x`, contents: sdk.file("x") },
      as: "ann",
      refuses: { type: "PermissionDenied", says: /WRITE VOLUME on Volume 'ml.default.inbox'/ },
    },
    { what: "a file is deleted", call: "files.delete", args: { file_path: odd } },
    {
      what: "and is gone",
      call: "files.download",
      args: { file_path: odd },
      refuses: { type: "NotFound", says: /not found/ },
    },
    {
      what: "then its directory",
      call: "files.delete_directory",
      args: { directory_path: `${inbox}/day=1` },
    },
    {
      what: "a path out of the volume is refused",
      call: "files.download",
      args: { file_path: "/Workspace/x" },
      refuses: { type: "InvalidParameterValue", says: /neither in \/Volumes/ },
    },
  ],
});
testDocumentedRoutes(import.meta.url, [workspace]);
await workspace.close();
