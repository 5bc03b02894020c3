/** The official SDK keeps apps in the local workspace; their deployments say that nothing runs them. */
import { systemClock } from "../../src/clock.ts";
import { startLocalWorkspace } from "../../src/local-workspace/workspace.ts";
import { testDocumentedRoutes } from "./documented-routes.ts";
import { driveSdk, sdk } from "./drive-sdk.ts";

const workspace = await startLocalWorkspace({
  otlpUrl: null,
  clock: systemClock,
  principals: { ann: "token-of-ann" },
});
const name = "agent-bricks-qa";
const app = (fields: object) => sdk.object("apps.App", { name, ...fields });
const deployment = (path: string) => sdk.object("apps.AppDeployment", { source_code_path: path });
const resource = {
  name: "llm",
  serving_endpoint: { name: "support-rag", permission: "CAN_QUERY" },
};

await driveSdk({
  url: workspace.url,
  tokens: { admin: workspace.token, ann: "token-of-ann" },
  calls: [
    {
      what: "an app is made, and its compute is there",
      call: "apps.create",
      args: { app: app({ description: "answers", resources: [resource] }) },
      wait: true,
      answers: {
        name,
        description: "answers",
        resources: [resource],
        compute_status: { state: "ACTIVE" },
        app_status: { state: "UNAVAILABLE" },
      },
    },
    {
      what: "once",
      call: "apps.create",
      args: { app: app({}) },
      refuses: { type: "ResourceAlreadyExists", says: /already exists/ },
    },
    {
      what: "a name is in lower case",
      call: "apps.create",
      args: { app: app({ name: "Agent" }) },
      refuses: { type: "InvalidParameterValue", says: /'Agent' is not valid/ },
    },
    {
      what: "source must be there",
      call: "apps.deploy",
      args: { app_name: name, app_deployment: deployment("/Workspace/Shared/nothing") },
      refuses: { type: "ResourceDoesNotExist", says: /Path \(\/Shared\/nothing\) doesn't exist/ },
    },
    {
      what: "a deployment says that nothing runs it",
      call: "apps.deploy",
      args: { app_name: name, app_deployment: deployment("/Workspace/Shared") },
      wait: true,
      refuses: { type: "OperationFailed", says: /runs no apps/ },
    },
    {
      what: "and is kept",
      call: "apps.list_deployments",
      args: { app_name: name },
      answers: [{ source_code_path: "/Workspace/Shared", status: { state: "FAILED" } }],
    },
    {
      what: "others don't see it",
      call: "apps.get",
      args: { name },
      as: "ann",
      refuses: { type: "PermissionDenied", says: /CAN_USE/ },
    },
    {
      what: "it is stopped",
      call: "apps.stop",
      args: { name },
      wait: true,
      answers: { compute_status: { state: "STOPPED" } },
    },
    {
      what: "and started again",
      call: "apps.start",
      args: { name },
      wait: true,
      answers: { compute_status: { state: "ACTIVE" } },
    },
    {
      what: "its description is changed",
      call: "apps.update",
      args: { name, app: sdk.object("apps.App", { name, description: "answers" }) },
      answers: { description: "answers" },
    },
    { what: "it is listed", call: "apps.list", answers: [{ name }] },
    { what: "it is deleted", call: "apps.delete", args: { name } },
    {
      what: "and gone",
      call: "apps.get",
      args: { name },
      refuses: { type: "ResourceDoesNotExist", says: /does not exist/ },
    },
  ],
});
testDocumentedRoutes(import.meta.url, [workspace]);
await workspace.close();
