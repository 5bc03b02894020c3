/** Whom the credentials belong to. */
import { test } from "node:test";
import { getCurrentUser } from "./current-user.ts";
import { checkApiCase } from "./test-answering-client.ts";

test("the identity, with its groups", () =>
  checkApiCase([
    (client) => getCurrentUser(client),
    {
      schemas: ["urn:ietf:params:scim:schemas:core:2.0:User"],
      id: "1",
      userName: "ada@example.com",
      displayName: "Ada",
      active: true,
      groups: [{ display: "agents", value: "2", $ref: "Groups/2" }, { value: "3" }],
    },
    "GET /api/2.0/preview/scim/v2/Me",
    {
      id: "1",
      userName: "ada@example.com",
      displayName: "Ada",
      isActive: true,
      groups: ["agents"],
    },
  ]));
