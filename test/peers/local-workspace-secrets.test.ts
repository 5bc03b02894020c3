/** The official SDK keeps secrets in the local workspace. */
import { systemClock } from "../../src/clock.ts";
import { startLocalWorkspace } from "../../src/local-workspace/workspace.ts";
import { testDocumentedRoutes } from "./documented-routes.ts";
import { driveSdk, sdk } from "./drive-sdk.ts";

const workspace = await startLocalWorkspace({
  otlpUrl: null,
  clock: systemClock,
  principals: { ann: "token-of-ann" },
});
const scope = "support";
const read = sdk.enum("workspace.AclPermission.READ");

await driveSdk({
  url: workspace.url,
  tokens: { admin: workspace.token, ann: { id: "ann", secret: "token-of-ann" } },
  calls: [
    { what: "a scope is made", call: "secrets.create_scope", args: { scope } },
    {
      what: "once",
      call: "secrets.create_scope",
      args: { scope },
      refuses: { type: "ResourceAlreadyExists", says: /Scope support already exists/ },
    },
    {
      what: "a secret is put",
      call: "secrets.put_secret",
      args: { scope, key: "key", string_value: "über" },
    },
    {
      what: "and read, in base64",
      call: "secrets.get_secret",
      args: { scope, key: "key" },
      answers: { key: "key", value: Buffer.from("über").toString("base64") },
    },
    {
      what: "bytes are put over it",
      call: "secrets.put_secret",
      args: { scope, key: "key", bytes_value: "AAE=" },
    },
    {
      what: "a list has the keys alone",
      call: "secrets.list_secrets",
      args: { scope },
      answers: [{ key: "key" }],
    },
    {
      what: "another secret does not exist",
      call: "secrets.get_secret",
      args: { scope, key: "other" },
      refuses: { type: "ResourceDoesNotExist", says: /does not exist.*key: other/ },
    },
    {
      what: "a principal with client id and secret is not let in by itself",
      call: "secrets.get_secret",
      args: { scope, key: "key" },
      as: "ann",
      refuses: { type: "PermissionDenied", says: /ann does not have READ permission on scope/ },
    },
    {
      what: "is granted to read",
      call: "secrets.put_acl",
      args: { scope, principal: "ann", permission: read },
    },
    {
      what: "and reads",
      call: "secrets.get_secret",
      args: { scope, key: "key" },
      as: "ann",
      answers: { value: "AAE=" },
    },
    {
      what: "but does not write",
      call: "secrets.put_secret",
      args: { scope, key: "key", string_value: "mine" },
      as: "ann",
      refuses: { type: "PermissionDenied", says: /WRITE/ },
    },
    {
      what: "who may what is told",
      call: "secrets.list_acls",
      args: { scope },
      answers: [
        { principal: "local-workspace@example.com", permission: "MANAGE" },
        { principal: "ann", permission: "READ" },
      ],
    },
    {
      what: "also of one",
      call: "secrets.get_acl",
      args: { scope, principal: "ann" },
      answers: { principal: "ann", permission: "READ" },
    },
    { what: "it is taken back", call: "secrets.delete_acl", args: { scope, principal: "ann" } },
    {
      what: "a scope without a grant is not listed",
      call: "secrets.list_scopes",
      as: "ann",
      answers: [],
    },
    { what: "a secret is deleted", call: "secrets.delete_secret", args: { scope, key: "key" } },
    { what: "then the scope", call: "secrets.delete_scope", args: { scope } },
    { what: "and nothing is left", call: "secrets.list_scopes", answers: [] },
  ],
});
testDocumentedRoutes(import.meta.url, [workspace]);
await workspace.close();
