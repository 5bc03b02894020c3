/** AI/BI dashboards, from the draft to what is published. */
import { test } from "node:test";
import {
  createDashboard,
  getDashboard,
  getPublishedDashboard,
  listDashboards,
  publishDashboard,
  trashDashboard,
  updateDashboard,
} from "./dashboards.ts";
import { type ApiCase, checkApiCase } from "./test-answering-client.ts";

const path = "/api/2.0/lakeview/dashboards";
const input = {
  display_name: "Agents",
  serialized_dashboard: '{"pages":[]}',
  parent_path: "/Shared",
};
const answer = {
  dashboard_id: "0a",
  display_name: "Agents",
  path: "/Shared/Agents.lvdash.json",
  etag: "7",
  lifecycle_state: "ACTIVE",
  serialized_dashboard: '{"pages":[]}\n',
};
const dashboard = {
  id: "0a",
  displayName: "Agents",
  path: "/Shared/Agents.lvdash.json",
  etag: "7",
  lifecycleState: "ACTIVE",
  warehouseId: null,
  serializedDashboard: '{"pages":[]}\n',
};
const published = { display_name: "Agents", embed_credentials: false, warehouse_id: "w" };
const shown = { displayName: "Agents", warehouseId: "w", embedsCredentials: false };

for (const [what, ...apiCase] of [
  [
    "made",
    (c) => createDashboard(c, input),
    answer,
    `POST ${path} ${JSON.stringify(input)}`,
    dashboard,
  ],
  ["read", (c) => getDashboard(c, "0a"), answer, `GET ${path}/0a`, dashboard],
  ["listed", (c) => listDashboards(c), { dashboards: [answer, {}] }, `GET ${path}`, [dashboard]],
  [
    "changed",
    (c) => updateDashboard(c, "0a", { display_name: "All agents", etag: "7" }),
    answer,
    `PATCH ${path}/0a {"display_name":"All agents","etag":"7"}`,
    dashboard,
  ],
  ["put into the trash", (c) => trashDashboard(c, "0a"), {}, `DELETE ${path}/0a`],
  [
    "published",
    (c) => publishDashboard(c, "0a", { embed_credentials: false, warehouse_id: "w" }),
    published,
    `POST ${path}/0a/published {"embed_credentials":false,"warehouse_id":"w"}`,
    shown,
  ],
  [
    "looked at as published",
    (c) => getPublishedDashboard(c, "0a"),
    published,
    `GET ${path}/0a/published`,
    shown,
  ],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(`a dashboard is ${what}`, () => checkApiCase(apiCase));
}
