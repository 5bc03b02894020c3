/** Models of Unity Catalog and their aliases, as the answers tell them. */
import { test } from "node:test";
import {
  deleteModelAlias,
  deleteRegisteredModel,
  getRegisteredModel,
  listRegisteredModels,
  setModelAlias,
} from "./registered-models.ts";
import { type ApiCase, checkApiCase } from "./test-answering-client.ts";

const name = "ml.agents.support";
const models = "/api/2.1/unity-catalog/models";

for (const [what, ...apiCase] of [
  [
    "a model",
    (c) => getRegisteredModel(c, name),
    {
      full_name: name,
      owner: "ada@example.com",
      aliases: [{ alias_name: "champion", version_num: 3 }, { alias_name: "broken" }],
    },
    `GET ${models}/${name}?include_aliases=true`,
    { name, comment: null, owner: "ada@example.com", aliases: new Map([["champion", 3]]) },
  ],
  [
    "the models of a schema",
    (c) => listRegisteredModels(c, { catalogName: "ml", schemaName: "agents" }),
    { registered_models: [{ full_name: name, comment: "Answers" }] },
    `GET ${models}?catalog_name=ml&schema_name=agents`,
    [{ name, comment: "Answers", owner: null, aliases: new Map() }],
  ],
  ["a model goes", (c) => deleteRegisteredModel(c, name), {}, `DELETE ${models}/${name}`],
  [
    "an alias points to a version",
    (c) => setModelAlias(c, { modelName: name, alias: "champion", version: 3 }),
    {},
    `PUT ${models}/${name}/aliases/champion {"version_num":3}`,
  ],
  [
    "an alias goes",
    (c) => deleteModelAlias(c, { modelName: name, alias: "champion" }),
    {},
    `DELETE ${models}/${name}/aliases/champion`,
  ],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(what, () => checkApiCase(apiCase));
}
