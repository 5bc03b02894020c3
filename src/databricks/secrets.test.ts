/** Secrets and who may use them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import {
  createSecretScope,
  deleteSecret,
  deleteSecretAcl,
  deleteSecretScope,
  listSecretAcls,
  listSecretScopes,
  listSecrets,
  putSecret,
  putSecretAcl,
  readSecretValue,
} from "./secrets.ts";
import { type ApiCase, checkApiCase, clientThatGets } from "./test-answering-client.ts";

const path = "/api/2.0/secrets";
const acl = { scope: "agents", principal: "app-1", permission: "READ" } as const;

for (const [what, ...apiCase] of [
  [
    "a scope is made",
    (c) => createSecretScope(c, { scope: "agents" }),
    {},
    `POST ${path}/scopes/create {"scope":"agents"}`,
  ],
  [
    "scopes are listed",
    (c) => listSecretScopes(c),
    { scopes: [{ name: "agents", backend_type: "DATABRICKS" }] },
    `GET ${path}/scopes/list`,
    ["agents"],
  ],
  [
    "a scope goes",
    (c) => deleteSecretScope(c, "agents"),
    {},
    `POST ${path}/scopes/delete {"scope":"agents"}`,
  ],
  [
    "a secret goes in",
    (c) => putSecret(c, { scope: "agents", key: "k", value: "v" }),
    {},
    `POST ${path}/put {"scope":"agents","key":"k","string_value":"v"}`,
  ],
  [
    "secrets are listed",
    (c) => listSecrets(c, "agents"),
    { secrets: [{ key: "k", last_updated_timestamp: 5 }] },
    `GET ${path}/list?scope=agents`,
    [{ key: "k", updatedMs: 5 }],
  ],
  ["no secrets are listed", (c) => listSecrets(c, "a"), {}, `GET ${path}/list?scope=a`, []],
  [
    "a secret goes",
    (c) => deleteSecret(c, { scope: "agents", key: "k" }),
    {},
    `POST ${path}/delete {"scope":"agents","key":"k"}`,
  ],
  [
    "somebody may use it",
    (c) => putSecretAcl(c, acl),
    {},
    `POST ${path}/acls/put ${JSON.stringify(acl)}`,
  ],
  [
    "who may use it",
    (c) => listSecretAcls(c, "agents"),
    { items: [{ principal: "app-1", permission: "READ" }] },
    `GET ${path}/acls/list?scope=agents`,
    [{ principal: "app-1", permission: "READ" }],
  ],
  [
    "somebody may use it no more",
    (c) => deleteSecretAcl(c, { scope: "agents", principal: "app-1" }),
    {},
    `POST ${path}/acls/delete {"scope":"agents","principal":"app-1"}`,
  ],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(what, () => checkApiCase(apiCase));
}

test("an answer that repeats the value shows it to nobody", async () => {
  const { client } = clientThatGets({ message: "cannot store canary-value" }, { status: 400 });
  const secret = { scope: "agents", key: "k", value: "canary-value" };
  const error: unknown = await putSecret(client, secret).catch((e) => e);
  assert.match(String(error), /cannot store \[REDACTED\]$/);
  assert.doesNotMatch(inspect(error, { depth: 20 }), /canary/);
});

test("a value is read back as a secret", async () => {
  const { client } = clientThatGets({
    key: "webhook",
    value: Buffer.from("kept \u00e9").toString("base64"),
  });
  const secret = await readSecretValue(client, { scope: "agents", key: "webhook" });
  assert.equal(secret.reveal(), "kept \u00e9");
  assert.ok(!inspect(secret).includes("kept"));
});
