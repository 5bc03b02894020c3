/** Schemas, as the answers tell them. */
import { test } from "node:test";
import { createSchema, deleteSchema, getSchema, listSchemas } from "./schemas.ts";
import { type ApiCase, checkApiCase } from "./test-answering-client.ts";

const path = "/api/2.1/unity-catalog/schemas";
const answer = { full_name: "ml.agents", name: "agents", comment: "Ours" };
const schema = { fullName: "ml.agents", comment: "Ours", owner: null };

for (const [what, ...apiCase] of [
  [
    "made",
    (c) => createSchema(c, { name: "agents", catalog_name: "ml", comment: "Ours" }),
    answer,
    `POST ${path} {"name":"agents","catalog_name":"ml","comment":"Ours"}`,
    schema,
  ],
  ["read", (c) => getSchema(c, "ml.agents"), answer, `GET ${path}/ml.agents`, schema],
  [
    "listed",
    (c) => listSchemas(c, "ml"),
    { schemas: [answer] },
    `GET ${path}?catalog_name=ml&max_results=0`,
    [schema],
  ],
  ["deleted", (c) => deleteSchema(c, "ml.agents"), {}, `DELETE ${path}/ml.agents`],
  [
    "deleted with all that is in it",
    (c) => deleteSchema(c, "ml.agents", { force: true }),
    {},
    `DELETE ${path}/ml.agents?force=true`,
  ],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(`a schema is ${what}`, () => checkApiCase(apiCase));
}
