/**
 * Everything about deployments that one workspace is asked for, behind the calls that
 * users know. It holds nothing between two calls: what was deployed, from what and when
 * stands in the workspace.
 */
import type { Clock } from "../clock.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import type { DatabricksClient } from "../databricks/client.ts";
import { readWebhook } from "../publish/read-webhook.ts";
import { type AgentHealth, checkAgentHealth } from "./agent-health.ts";
import {
  type ConfigureAlertsOptions,
  type ConfiguredAlerts,
  configureAlerts,
} from "./configure-alerts.ts";
import { deploy } from "./deploy.ts";
import type { DeploymentResult, DeployOptions } from "./deployment-result.ts";
import { type DeploymentStatus, deploymentStatus } from "./deployment-status.ts";
import {
  type ExportedData,
  type ExportOptions,
  exportMonitoringData,
} from "./export-monitoring-data.ts";
import { defaultMonitoringSteps } from "./monitoring/default-steps.ts";
import type { MonitoringStep } from "./monitoring/monitoring-step.ts";
import { type MonitoringStatus, monitoringStatus } from "./monitoring-status.ts";
import type { DeployContext, DeployProgress } from "./progress.ts";
import { type RollbackResult, rollback } from "./rollback.ts";

export type Deployer = {
  /** What is done already stays as it is, so that it may be called again after any failure. */
  deploy(config: AgentConfig, options?: DeployOptions): Promise<DeploymentResult>;
  /** Back to the version before, or to the one that is named. */
  rollback(
    endpointName: string,
    options?: { readonly to?: string | undefined },
  ): Promise<RollbackResult>;
  /** What is served, since when, and what was served before. */
  getDeploymentStatus(endpointName: string): Promise<DeploymentStatus>;
  /** One word for how the agent is, with its reasons. */
  getMonitoringStatus(endpointName: string): Promise<MonitoringStatus>;
  /**
   * Makes the thresholds rules of the monitor that runs on the data directory, now or
   * later, and SQL alerts where the Delta tables are; both tell the webhook.
   */
  configureAlerts(
    endpointName: string,
    options?: ConfigureAlertsOptions,
  ): Promise<ConfiguredAlerts>;
  /** The history of this agent's monitor, or its endpoint's figures, to elsewhere. */
  exportMonitoringData(endpointName: string, options: ExportOptions): Promise<ExportedData>;
  /** Checks the endpoint, the model and the index once, without asking the agent. */
  runHealthCheck(endpointName: string): Promise<AgentHealth>;
};

export type DeployerSetting = {
  readonly client: DatabricksClient;
  readonly clock: Clock;
  readonly dataDirectory: string;
  readonly onProgress?: ((progress: DeployProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly pollMs?: number | undefined;
  readonly readyTimeoutMs?: number | undefined;
  readonly monitoringSteps?: readonly MonitoringStep[] | undefined;
};

const POLL_MS = 5_000;
/** Databricks builds a container first, which takes 10 to 20 minutes, and longer for a GPU. */
const READY_TIMEOUT_MS = 60 * 60_000;

export function createDeployer(setting: DeployerSetting): Deployer {
  const { client, clock, dataDirectory, onProgress = () => {}, signal } = setting;
  const context: DeployContext = {
    client,
    clock,
    onProgress,
    signal,
    pollMs: setting.pollMs ?? POLL_MS,
    readyTimeoutMs: setting.readyTimeoutMs ?? READY_TIMEOUT_MS,
  };
  const steps = setting.monitoringSteps ?? defaultMonitoringSteps({ dataDirectory });
  return {
    deploy: (config, options = {}) => deploy(config, options, context, steps),
    rollback: (endpointName, options) => rollback(context, endpointName, options),
    getDeploymentStatus: (endpointName) => deploymentStatus(context, endpointName),
    getMonitoringStatus: (endpointName) => monitoringStatus(context, endpointName, dataDirectory),
    configureAlerts: (endpointName, options = {}) =>
      configureAlerts(context, endpointName, options, { dataDirectory, readWebhook }),
    exportMonitoringData: (endpointName, options) =>
      exportMonitoringData(context, endpointName, options, dataDirectory),
    runHealthCheck: (endpointName) => checkAgentHealth(context, endpointName),
  };
}
