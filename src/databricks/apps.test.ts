/** Apps and their deployments, as the answers tell them. */
import { test } from "node:test";
import { deployApp, getApp, getAppDeployment, listAppDeployments, listApps } from "./apps.ts";
import { type ApiCase, checkApiCase } from "./test-answering-client.ts";

const path = "/api/2.0/apps";
const answeredDeployment = {
  deployment_id: "0a",
  source_code_path: "/Shared/agent",
  mode: "SNAPSHOT",
  create_time: "2026-01-01T00:00:00Z",
  status: { state: "SUCCEEDED", message: "App started" },
};
const deployment = {
  id: "0a",
  state: "SUCCEEDED",
  message: "App started",
  sourceCodePath: "/Shared/agent",
  mode: "SNAPSHOT",
  creator: null,
  createdMs: Date.UTC(2026, 0, 1),
};
const answer = {
  name: "agent",
  id: "1",
  url: "https://agent.example",
  compute_status: { state: "ACTIVE", message: "Ready", active_instances: 1 },
  app_status: { state: "CRASHED", message: "exit code 1" },
  active_deployment: answeredDeployment,
  service_principal_client_id: "app-1",
};
const app = {
  name: "agent",
  id: "1",
  description: null,
  url: "https://agent.example",
  computeState: "ACTIVE",
  activeInstances: 1,
  appState: "CRASHED",
  message: "exit code 1",
  activeDeployment: deployment,
  pendingDeployment: null,
  servicePrincipalClientId: "app-1",
  creator: null,
};

for (const [what, ...apiCase] of [
  ["read", (c) => getApp(c, "agent"), answer, `GET ${path}/agent`, app],
  ["listed", (c) => listApps(c), { apps: [answer, {}] }, `GET ${path}`, [app]],
  [
    "deployed",
    (c) => deployApp(c, "agent", { source_code_path: "/Shared/agent", mode: "SNAPSHOT" }),
    answeredDeployment,
    `POST ${path}/agent/deployments {"source_code_path":"/Shared/agent","mode":"SNAPSHOT"}`,
    deployment,
  ],
  [
    "asked about a deployment",
    (c) => getAppDeployment(c, { appName: "agent", deploymentId: "0a" }),
    answeredDeployment,
    `GET ${path}/agent/deployments/0a`,
    deployment,
  ],
  [
    "asked about all deployments",
    (c) => listAppDeployments(c, "agent"),
    { app_deployments: [answeredDeployment] },
    `GET ${path}/agent/deployments`,
    [deployment],
  ],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(`an app is ${what}`, () => checkApiCase(apiCase));
}
