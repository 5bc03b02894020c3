/** Grants, an object's own and those that it inherits. */
import { test } from "node:test";
import { changeGrants, getEffectiveGrants, getGrants } from "./grants.ts";
import { type ApiCase, checkApiCase } from "./test-answering-client.ts";

const schema = { type: "schema", fullName: "ml.agents" };
const path = "/api/2.1/unity-catalog/permissions/schema/ml.agents";
const changes = [{ principal: "app-1", add: ["SELECT"], remove: ["MODIFY"] }];

for (const [what, ...apiCase] of [
  [
    "read",
    (c) => getGrants(c, schema),
    { privilege_assignments: [{ principal: "app-1", privileges: ["SELECT", "USE_SCHEMA"] }] },
    `GET ${path}`,
    [{ principal: "app-1", privileges: ["SELECT", "USE_SCHEMA"] }],
  ],
  ["none", (c) => getGrants(c, schema), {}, `GET ${path}`, []],
  [
    "inherited",
    (c) => getEffectiveGrants(c, schema, { principal: "app 1" }),
    {
      privilege_assignments: [
        {
          principal: "app 1",
          privileges: [
            {
              privilege: "SELECT",
              inherited_from_name: "ml",
              inherited_from_type: "CATALOG",
            },
            { privilege: "MODIFY" },
          ],
        },
      ],
    },
    "GET /api/2.1/unity-catalog/effective-permissions/schema/ml.agents?principal=app+1",
    [
      {
        principal: "app 1",
        privileges: [
          { privilege: "SELECT", inheritedFrom: "ml" },
          { privilege: "MODIFY", inheritedFrom: null },
        ],
      },
    ],
  ],
  [
    "changed",
    (c) => changeGrants(c, schema, changes),
    {},
    `PATCH ${path} ${JSON.stringify({ changes })}`,
  ],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(`grants: ${what}`, () => checkApiCase(apiCase));
}
