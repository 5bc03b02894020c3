/** Endpoints of vector search, as the answers tell them. */
import { test } from "node:test";
import { type ApiCase, checkApiCase } from "./test-answering-client.ts";
import { getVectorSearchEndpoint, listVectorSearchEndpoints } from "./vector-search-endpoints.ts";

const path = "/api/2.0/vector-search/endpoints";
const answer = {
  name: "docs",
  id: "v-1",
  endpoint_status: { state: "ONLINE" },
  num_indexes: 2,
};
const endpoint = { name: "docs", id: "v-1", state: "ONLINE", message: null, indexCount: 2 };

for (const [what, ...apiCase] of [
  ["one", (c) => getVectorSearchEndpoint(c, "docs"), answer, `GET ${path}/docs`, endpoint],
  ["all", (c) => listVectorSearchEndpoints(c), { endpoints: [answer] }, `GET ${path}`, [endpoint]],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(`vector search endpoints: ${what}`, () => checkApiCase(apiCase));
}
