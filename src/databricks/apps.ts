/**
 * Databricks Apps, where Databricks now recommends new agents to run: which there are,
 * how they are, and what is deployed to them.
 *
 * Source: databricks-sdk-py 0.156.0, `AppsAPI`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { dateOf, integerOf, type JsonRecord, recordOf, recordsOf, textOf } from "./json-fields.ts";
import { readPages } from "./pages.ts";

export type App = {
  readonly name: string;
  readonly id: string | null;
  readonly description: string | null;
  readonly url: string | null;
  /** Of the machine: `ACTIVE`, `STARTING`, `STOPPED`, `ERROR` and the like. */
  readonly computeState: string | null;
  readonly activeInstances: number | null;
  /** Of the program: `RUNNING`, `DEPLOYING`, `CRASHED` or `UNAVAILABLE`. */
  readonly appState: string | null;
  /** Databricks' own words about the program, or else about the machine. */
  readonly message: string | null;
  readonly activeDeployment: AppDeployment | null;
  readonly pendingDeployment: AppDeployment | null;
  /** The application id of the app's own service principal: who is granted things. */
  readonly servicePrincipalClientId: string | null;
  readonly creator: string | null;
};

export type AppDeployment = {
  readonly id: string | null;
  /** `IN_PROGRESS`, `SUCCEEDED`, `FAILED` or `CANCELLED`. */
  readonly state: string | null;
  /** Databricks' own words. */
  readonly message: string | null;
  /** The folder of the workspace that it came from. */
  readonly sourceCodePath: string | null;
  /** `SNAPSHOT` or `AUTO_SYNC`. */
  readonly mode: string | null;
  readonly creator: string | null;
  /** Unix milliseconds. */
  readonly createdMs: number | null;
};

export async function getApp(
  client: DatabricksClient,
  name: string,
  limits: CallLimits = {},
): Promise<App> {
  const answer = await client.getJson(apiPath`/api/2.0/apps/${name}`, {
    ...limits,
    purpose: `read app "${name}"`,
    permission: usePermission(name),
  });
  const record = recordOf(answer.json);
  const app = record && readApp(record);
  if (!app) throw answer.unusable("is not an app");
  return app;
}

export async function listApps(
  client: DatabricksClient,
  limits: CallLimits = {},
): Promise<readonly App[]> {
  const entries = await readPages("apps", (page) =>
    client.getJson(apiPath`/api/2.0/apps`, { ...limits, query: page, purpose: "list the apps" }),
  );
  return recordsOf(entries)
    .map(readApp)
    .filter((app) => app !== null);
}

/** Resolves once it has begun. */
export async function deployApp(
  client: DatabricksClient,
  name: string,
  deployment: {
    /** A folder of the workspace. */
    readonly source_code_path: string;
    /** `SNAPSHOT` or `AUTO_SYNC`. */
    readonly mode?: string;
    readonly command?: readonly string[];
    readonly env_vars?: readonly {
      readonly name: string;
      readonly value?: string;
      readonly value_from?: string;
    }[];
  },
  limits: CallLimits = {},
): Promise<AppDeployment> {
  const answer = await client.postJson(apiPath`/api/2.0/apps/${name}/deployments`, deployment, {
    ...limits,
    purpose: `deploy app "${name}"`,
    permission: `Give the identity CAN MANAGE on app "${name}", and CAN READ on ${deployment.source_code_path}.`,
  });
  const record = recordOf(answer.json);
  if (!record) throw answer.unusable("is not a deployment");
  return readDeployment(record);
}

export async function getAppDeployment(
  client: DatabricksClient,
  { appName, deploymentId }: { readonly appName: string; readonly deploymentId: string },
  limits: CallLimits = {},
): Promise<AppDeployment> {
  const answer = await client.getJson(
    apiPath`/api/2.0/apps/${appName}/deployments/${deploymentId}`,
    {
      ...limits,
      purpose: `read deployment ${deploymentId} of app "${appName}"`,
      permission: usePermission(appName),
    },
  );
  const record = recordOf(answer.json);
  if (!record) throw answer.unusable("is not a deployment");
  return readDeployment(record);
}

/** The newest first. */
export async function listAppDeployments(
  client: DatabricksClient,
  name: string,
  limits: CallLimits = {},
): Promise<readonly AppDeployment[]> {
  const entries = await readPages("app_deployments", (page) =>
    client.getJson(apiPath`/api/2.0/apps/${name}/deployments`, {
      ...limits,
      query: page,
      purpose: `list the deployments of app "${name}"`,
      permission: usePermission(name),
    }),
  );
  return recordsOf(entries).map(readDeployment);
}

function usePermission(name: string): string {
  return `Give the identity CAN USE on app "${name}".`;
}

function readApp(app: JsonRecord): App | null {
  const name = textOf(app.name);
  if (name === null) return null;
  const compute = recordOf(app.compute_status);
  const status = recordOf(app.app_status);
  const active = recordOf(app.active_deployment);
  const pending = recordOf(app.pending_deployment);
  return {
    name,
    id: textOf(app.id),
    description: textOf(app.description),
    url: textOf(app.url),
    computeState: textOf(compute?.state),
    activeInstances: integerOf(compute?.active_instances),
    appState: textOf(status?.state),
    message: textOf(status?.message) ?? textOf(compute?.message),
    activeDeployment: active && readDeployment(active),
    pendingDeployment: pending && readDeployment(pending),
    servicePrincipalClientId: textOf(app.service_principal_client_id),
    creator: textOf(app.creator),
  };
}

function readDeployment(deployment: JsonRecord): AppDeployment {
  const status = recordOf(deployment.status);
  return {
    id: textOf(deployment.deployment_id),
    state: textOf(status?.state),
    message: textOf(status?.message),
    sourceCodePath: textOf(deployment.source_code_path),
    mode: textOf(deployment.mode),
    creator: textOf(deployment.creator),
    createdMs: dateOf(deployment.create_time),
  };
}
