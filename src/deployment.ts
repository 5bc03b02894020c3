/**
 * The public face of deployment with monitoring: what a program imports as
 * `dspy-databricks-agents/deployment`.
 */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { systemClock } from "./clock.ts";
import { type AgentConfig, readAgentConfig } from "./config/agent-config.ts";
import { createDatabricksClient } from "./databricks/client.ts";
import { resolveCredentials } from "./databricks/credentials.ts";
import { createMlflowClient } from "./databricks/mlflow-server.ts";
import { createDeployer, type Deployer } from "./deploy/deployer.ts";
import {
  type RegisteredModel,
  registerOnServer,
} from "./deploy/model-version/register-on-server.ts";
import type { DeployProgress } from "./deploy/progress.ts";
import { dataDirectoryOf } from "./monitor-client/data-directory.ts";
import { MonitorError } from "./monitor-error.ts";
import { checkOptions } from "./option.ts";

export type { AgentConfig } from "./config/agent-config.ts";
export type { AgentHealth } from "./deploy/agent-health.ts";
export type { ConfigureAlertsOptions, ConfiguredAlerts } from "./deploy/configure-alerts.ts";
export type {
  DeploymentResult,
  DeployOptions,
  MissingPermission,
} from "./deploy/deployment-result.ts";
export type { DeploymentStatus, ServedVersion } from "./deploy/deployment-status.ts";
export type { ExportedData, ExportFormat, ExportOptions } from "./deploy/export-monitoring-data.ts";
export type { RegisteredModel } from "./deploy/model-version/register-on-server.ts";
export type { MonitoringResult } from "./deploy/monitoring/monitoring-step.ts";
export type {
  EndpointFigures,
  ExportStatus,
  MonitoringStatus,
  RuleStatus,
} from "./deploy/monitoring-status.ts";
export type { DeployProgress, StepName, StepOutcome, StepResult } from "./deploy/progress.ts";
export type { RollbackResult } from "./deploy/rollback.ts";
export type { ErrorCode } from "./monitor-error.ts";
export { MonitorError } from "./monitor-error.ts";

export type DeployerOptions = {
  /** Of the workspace. With `token` in place of the environment and the profiles. */
  readonly host?: string | undefined;
  readonly token?: string | undefined;
  /** Of `~/.databrickscfg`. */
  readonly profile?: string | undefined;
  /**
   * Of the monitor: alerts are set there, and files such as the Grafana dashboard written;
   * `.dspy-databricks/<workspace>` by default, as `dspy-databricks monitor` has it.
   */
  readonly dataDir?: string | undefined;
  /** Told of every step, while it runs. */
  readonly onProgress?: ((progress: DeployProgress) => void) | undefined;
  /** Stops waiting. What was begun in the workspace goes on there. */
  readonly signal?: AbortSignal | undefined;
  /** Longest wait for an endpoint; an hour by default. */
  readonly readyTimeoutSeconds?: number | undefined;
};

/**
 * Reads `agent.yaml`.
 *
 * @param options.environment one of those under `environments:`, which is put over
 * the rest. Without one the rest counts as it is.
 * @throws MonitorError `CONFIG_INVALID`, with the file, the line and the column of
 * each mistake.
 */
export async function loadAgentConfig(
  path: string,
  { environment }: { readonly environment?: string | undefined } = {},
): Promise<AgentConfig> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
    throw new MonitorError("CONFIG_INVALID", `${path} could not be read${code}`, {
      hint: "Check the path of agent.yaml and that this user may read it.",
      cause: error,
    });
  }
  return readAgentConfig(text, { file: path, environment });
}

/**
 * Registers the agent's model on an MLflow server of one's own, under
 * `deployment.model_name`. The same content is not registered twice.
 *
 * @param options.url such as `http://127.0.0.1:5000`.
 * @param options.token sent as bearer token; without it nobody signs in.
 * @param options.experimentId whose logged model it becomes; `0` by default.
 * @throws MonitorError with the codes `CONFIG_INVALID` and `MLFLOW_…`.
 */
export async function registerInMlflow(
  config: AgentConfig,
  options: {
    readonly url: string;
    readonly token?: string | undefined;
    readonly experimentId?: string | undefined;
  },
): Promise<RegisteredModel> {
  checkOptions("registerInMlflow", options);
  const { url, token, experimentId } = options;
  const client = createMlflowClient({ url, token, fetch, clock: systemClock, random: Math.random });
  return await registerOnServer(client, config, { experimentId });
}

/** Deploys agents to one workspace, with monitoring, and tells how they are. */
export class DatabricksDeployerWithMonitoring implements Deployer {
  /** Of the workspace. */
  readonly host: string;
  readonly deploy: Deployer["deploy"];
  readonly rollback: Deployer["rollback"];
  readonly getDeploymentStatus: Deployer["getDeploymentStatus"];
  readonly getMonitoringStatus: Deployer["getMonitoringStatus"];
  readonly configureAlerts: Deployer["configureAlerts"];
  readonly exportMonitoringData: Deployer["exportMonitoringData"];
  readonly runHealthCheck: Deployer["runHealthCheck"];

  /**
   * Asks nothing of the workspace yet.
   *
   * @throws MonitorError `CREDENTIALS_MISSING` when no workspace is named,
   * `CONFIG_INVALID` when a value cannot be used.
   */
  constructor(options: DeployerOptions = {}) {
    checkOptions("a DatabricksDeployerWithMonitoring", options);
    const { onProgress, signal, readyTimeoutSeconds } = options;
    const credentials = credentialsOf(options);
    const client = createDatabricksClient({
      credentials,
      fetch,
      clock: systemClock,
      random: Math.random,
    });
    this.host = client.host;
    const deployer = createDeployer({
      client,
      clock: systemClock,
      dataDirectory: options.dataDir ?? dataDirectoryOf(client.host),
      onProgress,
      signal,
      readyTimeoutMs: readyTimeoutSeconds === undefined ? undefined : readyTimeoutSeconds * 1_000,
    });
    this.deploy = deployer.deploy;
    this.rollback = deployer.rollback;
    this.getDeploymentStatus = deployer.getDeploymentStatus;
    this.getMonitoringStatus = deployer.getMonitoringStatus;
    this.configureAlerts = deployer.configureAlerts;
    this.exportMonitoringData = deployer.exportMonitoringData;
    this.runHealthCheck = deployer.runHealthCheck;
  }
}

function credentialsOf({ host, token, profile }: DeployerOptions) {
  if ((host === undefined) !== (token === undefined)) {
    throw new MonitorError("CONFIG_INVALID", "host and token belong together, but one is missing", {
      hint: "Give both, or a profile, or set DATABRICKS_HOST and DATABRICKS_TOKEN.",
    });
  }
  const credentials = resolveCredentials({
    env:
      host === undefined || token === undefined
        ? process.env
        : { DATABRICKS_HOST: host, DATABRICKS_TOKEN: token },
    profile,
    readFile: (path) => readFileSync(path, "utf8"),
    homeDirectory: homedir(),
  });
  if (credentials) return credentials;
  throw new MonitorError(
    "CREDENTIALS_MISSING",
    "it is not said which Databricks workspace to deploy to: DATABRICKS_HOST is not set",
    {
      hint: "Set DATABRICKS_HOST and DATABRICKS_TOKEN, or name a profile of ~/.databrickscfg; dspy-databricks local serves a workspace on this machine.",
    },
  );
}
