/** The official SDK makes, changes, publishes and trashes dashboards of the local workspace. */
import { systemClock } from "../../src/clock.ts";
import { startLocalWorkspace } from "../../src/local-workspace/workspace.ts";
import { testDocumentedRoutes } from "./documented-routes.ts";
import { driveSdk, sdk } from "./drive-sdk.ts";

const workspace = await startLocalWorkspace({
  otlpUrl: null,
  clock: systemClock,
  principals: { ann: "token-of-ann" },
});
const home = "/Users/local-workspace@example.com";
const dashboard = (fields: object) => ({
  dashboard: sdk.object("dashboards.Dashboard", fields),
});
const id = { dashboard_id: sdk.answer("0.dashboard_id") };
const made = JSON.stringify({ datasets: [], pages: [{ name: "p1" }] });

await driveSdk({
  url: workspace.url,
  tokens: { admin: workspace.token, ann: "token-of-ann" },
  calls: [
    {
      what: "a dashboard is made in a folder, and its pages get a type",
      call: "lakeview.create",
      args: dashboard({
        display_name: "Agents",
        parent_path: `/Workspace${home}`,
        serialized_dashboard: made,
      }),
      answers: {
        display_name: "Agents",
        parent_path: home,
        path: `${home}/Agents.lvdash.json`,
        etag: "1",
        lifecycle_state: "ACTIVE",
        serialized_dashboard:
          '{"datasets":[],"pages":[{"pageType":"PAGE_TYPE_CANVAS","name":"p1"}]}\n',
      },
    },
    {
      what: "the same name there again is refused",
      call: "lakeview.create",
      args: dashboard({ display_name: "Agents", parent_path: home }),
      refuses: { type: "ResourceAlreadyExists", says: /'Agents.lvdash.json' already exists/ },
    },
    {
      what: "a folder must be there",
      call: "lakeview.create",
      args: dashboard({ display_name: "x", parent_path: "/nowhere" }),
      refuses: { type: "ResourceDoesNotExist", says: /parent folder \(\/nowhere\)/ },
    },
    {
      what: "it stands in the folder",
      call: "workspace.get_status",
      args: { path: `${home}/Agents.lvdash.json` },
      answers: { object_type: "DASHBOARD" },
    },
    {
      what: "it is changed",
      call: "lakeview.update",
      args: { ...id, ...dashboard({ display_name: "All agents", etag: "1" }) },
      answers: { display_name: "All agents", etag: "2" },
    },
    {
      what: "not over a change that was not seen",
      call: "lakeview.update",
      args: { ...id, ...dashboard({ display_name: "Mine", etag: "1" }) },
      refuses: { type: "Aborted", says: /its etag is 2/ },
    },
    {
      what: "others don't see it",
      call: "lakeview.get",
      args: id,
      as: "ann",
      refuses: { type: "PermissionDenied", says: /CAN_READ/ },
    },
    {
      what: "it is not published by itself",
      call: "lakeview.get_published",
      args: id,
      refuses: { type: "ResourceDoesNotExist", says: /not published/ },
    },
    {
      what: "it is published",
      call: "lakeview.publish",
      args: { ...id, embed_credentials: true, warehouse_id: "w" },
      answers: { display_name: "All agents", embed_credentials: true, warehouse_id: "w" },
    },
    {
      what: "and told so",
      call: "lakeview.get_published",
      args: id,
      answers: { warehouse_id: "w" },
    },
    { what: "and no longer", call: "lakeview.unpublish", args: id },
    { what: "it is listed", call: "lakeview.list", answers: [{ display_name: "All agents" }] },
    { what: "it is trashed", call: "lakeview.trash", args: id },
    { what: "not listed", call: "lakeview.list", answers: [] },
    { what: "but told", call: "lakeview.get", args: id, answers: { lifecycle_state: "TRASHED" } },
  ],
});
testDocumentedRoutes(import.meta.url, [workspace]);
await workspace.close();
