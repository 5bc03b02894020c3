/** Tables, as the answers tell them. */
import { test } from "node:test";
import { getTable, listTables, tableExists } from "./tables.ts";
import { type ApiCase, checkApiCase } from "./test-answering-client.ts";

const path = "/api/2.1/unity-catalog/tables";
const name = "ml.agents.requests";
const answer = {
  full_name: name,
  table_id: "b169b504-4c54-49f2-bc3a-adf4b128f36d",
  table_type: "MANAGED",
  data_source_format: "DELTA",
  columns: [
    { name: "event_id", type_text: "string", type_name: "STRING", nullable: false, position: 0 },
    { name: "labels", type_text: "map<string,string>" },
  ],
  properties: { "delta.minReaderVersion": "1" },
};
const table = {
  fullName: name,
  id: "b169b504-4c54-49f2-bc3a-adf4b128f36d",
  tableType: "MANAGED",
  format: "DELTA",
  columns: [
    { name: "event_id", typeText: "string", isNullable: false },
    { name: "labels", typeText: "map<string,string>", isNullable: null },
  ],
  comment: null,
  owner: null,
  properties: new Map([["delta.minReaderVersion", "1"]]),
  storageLocation: null,
};

for (const [what, ...apiCase] of [
  ["read", (c) => getTable(c, name), answer, `GET ${path}/${name}`, table],
  [
    "there",
    (c) => tableExists(c, name),
    { table_exists: true },
    `GET ${path}/${name}/exists`,
    true,
  ],
  ["not there", (c) => tableExists(c, name), {}, `GET ${path}/${name}/exists`, false],
  [
    "listed",
    (c) => listTables(c, { catalogName: "ml", schemaName: "agents" }),
    { tables: [answer] },
    `GET ${path}?catalog_name=ml&schema_name=agents&max_results=0`,
    [table],
  ],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(`a table is ${what}`, () => checkApiCase(apiCase));
}
