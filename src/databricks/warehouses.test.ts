/** SQL warehouses, as the answers tell them. */
import { test } from "node:test";
import { type ApiCase, checkApiCase } from "./test-answering-client.ts";
import { getWarehouse, listWarehouses, startWarehouse } from "./warehouses.ts";

const path = "/api/2.0/sql/warehouses";
const answer = {
  id: "0a1b",
  name: "Small",
  state: "STOPPED",
  cluster_size: "2X-Small",
  auto_stop_mins: 10,
  enable_serverless_compute: true,
};
const warehouse = {
  id: "0a1b",
  name: "Small",
  state: "STOPPED",
  size: "2X-Small",
  isServerless: true,
  autoStopMinutes: 10,
};

for (const [what, ...apiCase] of [
  ["one", (c) => getWarehouse(c, "0a1b"), answer, `GET ${path}/0a1b`, warehouse],
  ["all", (c) => listWarehouses(c), { warehouses: [answer, {}] }, `GET ${path}`, [warehouse]],
  ["started", (c) => startWarehouse(c, "0a1b"), {}, `POST ${path}/0a1b/start {}`],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(`warehouses: ${what}`, () => checkApiCase(apiCase));
}
