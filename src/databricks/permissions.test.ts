/** Who may do what with an object, as the answers say it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { addPermissions, getPermissions, replacePermissions } from "./permissions.ts";
import { type ApiCase, checkApiCase, clientThatGets } from "./test-answering-client.ts";

const object = { type: "serving-endpoints", id: "0a1b" };
const path = "/api/2.0/permissions/serving-endpoints/0a1b";
const access = [{ group_name: "agents", permission_level: "CAN_QUERY" }];
const body = JSON.stringify({ access_control_list: access });
const answer = {
  object_id: "/serving-endpoints/0a1b",
  access_control_list: [
    {
      user_name: "ada@example.com",
      display_name: "Ada",
      all_permissions: [{ permission_level: "CAN_MANAGE", inherited: false }],
    },
    {
      group_name: "admins",
      all_permissions: [{ permission_level: "CAN_MANAGE", inherited: true }],
    },
    { service_principal_name: "app-1", all_permissions: [{ permission_level: "CAN_QUERY" }] },
    { robot_name: "x" },
  ],
};
const result = [
  {
    kind: "user",
    principal: "ada@example.com",
    levels: [{ level: "CAN_MANAGE", isInherited: false }],
  },
  { kind: "group", principal: "admins", levels: [{ level: "CAN_MANAGE", isInherited: true }] },
  {
    kind: "service_principal",
    principal: "app-1",
    levels: [{ level: "CAN_QUERY", isInherited: false }],
  },
];

for (const [what, ...apiCase] of [
  ["read", (c) => getPermissions(c, object), answer, `GET ${path}`, result],
  ["added", (c) => addPermissions(c, object, access), answer, `PATCH ${path} ${body}`, result],
  ["replaced", (c) => replacePermissions(c, object, access), answer, `PUT ${path} ${body}`, result],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(`permissions are ${what}`, () => checkApiCase(apiCase));
}

test("an object without permissions", async () => {
  assert.deepEqual(await getPermissions(clientThatGets({}).client, object), []);
  await assert.rejects(getPermissions(clientThatGets([]).client, object), /holds no permissions$/);
});
