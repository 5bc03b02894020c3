/** Catalogs, as the answers tell them. */
import { test } from "node:test";
import { getCatalog, listCatalogs } from "./catalogs.ts";
import { type ApiCase, checkApiCase } from "./test-answering-client.ts";

const path = "/api/2.1/unity-catalog/catalogs";
const answer = { name: "ml", owner: "admins", catalog_type: "MANAGED_CATALOG" };
const catalog = {
  name: "ml",
  comment: null,
  owner: "admins",
  catalogType: "MANAGED_CATALOG",
  storageRoot: null,
};

for (const [what, ...apiCase] of [
  ["one", (c) => getCatalog(c, "ml"), answer, `GET ${path}/ml`, catalog],
  [
    "all",
    (c) => listCatalogs(c),
    { catalogs: [answer, {}] },
    `GET ${path}?max_results=0`,
    [catalog],
  ],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(`catalogs: ${what}`, () => checkApiCase(apiCase));
}
