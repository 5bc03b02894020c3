/**
 * The public face of the Databricks client: what a service imports as
 * `dspy-databricks-agents/databricks`. The client carries the credentials; each call of
 * an API is a function that takes it.
 */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { systemClock } from "./clock.ts";
import { type DatabricksClient as Client, createDatabricksClient } from "./databricks/client.ts";
import { resolveCredentials } from "./databricks/credentials.ts";
import { MonitorError } from "./monitor-error.ts";

export type DatabricksClient = Client;

export const DatabricksClient = {
  /**
   * The workspace and credentials that the standard variables name (`DATABRICKS_HOST`,
   * `DATABRICKS_TOKEN`, …), or the given profile. Nothing is asked of it yet.
   *
   * @throws MonitorError `CREDENTIALS_MISSING` when there are none, `CONFIG_INVALID`
   * when a value cannot be used.
   */
  fromEnvironment({ profile }: { readonly profile?: string } = {}): DatabricksClient {
    const credentials = resolveCredentials({
      env: process.env,
      profile,
      readFile: (path) => readFileSync(path, "utf8"),
      homeDirectory: homedir(),
    });
    if (!credentials) {
      throw new MonitorError(
        "CREDENTIALS_MISSING",
        "cannot tell which Databricks workspace is meant: DATABRICKS_HOST is not set",
        { hint: "Set DATABRICKS_HOST and DATABRICKS_TOKEN, or name a profile." },
      );
    }
    return createDatabricksClient({
      credentials,
      fetch,
      clock: systemClock,
      random: Math.random,
    });
  },
} as const;

export {
  type Alert,
  type AlertInput,
  createAlert,
  getAlert,
  listAlerts,
  trashAlert,
  updateAlert,
} from "./databricks/alerts.ts";
export { type ApiPath, apiPath } from "./databricks/api-path.ts";
export {
  type App,
  type AppDeployment,
  deployApp,
  getApp,
  getAppDeployment,
  listAppDeployments,
  listApps,
} from "./databricks/apps.ts";
export { type Catalog, getCatalog, listCatalogs } from "./databricks/catalogs.ts";
export type {
  BytesOptions,
  CallLimits,
  CallOptions,
  ChangeOptions,
  DeleteOptions,
  EventsOptions,
  TextOptions,
} from "./databricks/client.ts";
export { type CurrentUser, getCurrentUser } from "./databricks/current-user.ts";
export {
  createDashboard,
  type Dashboard,
  getDashboard,
  getPublishedDashboard,
  listDashboards,
  type PublishedDashboard,
  publishDashboard,
  trashDashboard,
  updateDashboard,
} from "./databricks/dashboards.ts";
export {
  DatabricksError,
  type FailedCall,
  isAlreadyThere,
  isNotThere,
} from "./databricks/databricks-error.ts";
export {
  createDirectory,
  type DirectoryEntry,
  deleteDirectory,
  deleteFile,
  directoryExists,
  downloadFile,
  type FileHead,
  headFile,
  listDirectory,
  uploadFile,
} from "./databricks/files.ts";
export {
  changeGrants,
  type EffectiveGrant,
  type Grant,
  type GrantChange,
  getEffectiveGrants,
  getGrants,
  type Securable,
} from "./databricks/grants.ts";
export {
  cancelJobRun,
  getJobRun,
  getJobRunOutput,
  type JobRun,
  listJobRuns,
  type RunOutput,
  runJobNow,
  type TaskRun,
} from "./databricks/job-runs.ts";
export {
  createJob,
  deleteJob,
  getJob,
  type Job,
  type JobSettings,
  type JobTask,
  listJobs,
  resetJob,
} from "./databricks/jobs.ts";
export {
  createMlflowExperiment,
  deleteMlflowExperiment,
  type Experiment,
  getMlflowExperiment,
  getMlflowExperimentByName,
} from "./databricks/mlflow-experiments.ts";
export {
  createModelVersion,
  createRegisteredModel,
  finalizeModelVersion,
  findModelFileRoute,
  getRegistryVersion,
  type ModelFileRoute,
  type RegistryVersion,
  uploadModelFile,
} from "./databricks/mlflow-model-registry.ts";
export {
  createMlflowRun,
  getMlflowMetricHistory,
  getMlflowRun,
  type KeyValue,
  type LogInput,
  logMlflowBatch,
  type MetricInput,
  type MetricPoint,
  type MlflowRun,
  searchMlflowRuns,
  updateMlflowRun,
} from "./databricks/mlflow-runs.ts";
export {
  deleteModelVersion,
  getModelVersion,
  getModelVersionByAlias,
  listModelVersions,
  type ModelVersion,
} from "./databricks/model-versions.ts";
export {
  createNotificationDestination,
  type DestinationConfig,
  type DestinationInput,
  deleteNotificationDestination,
  getNotificationDestination,
  listNotificationDestinations,
  type NotificationDestination,
  updateNotificationDestination,
} from "./databricks/notification-destinations.ts";
export {
  type AccessControl,
  type AccessControlInput,
  addPermissions,
  getPermissions,
  type PermissionsObject,
  replacePermissions,
} from "./databricks/permissions.ts";
export type { JsonAnswer } from "./databricks/read-answer.ts";
export {
  deleteModelAlias,
  deleteRegisteredModel,
  getRegisteredModel,
  listRegisteredModels,
  type RegisteredModel,
  setModelAlias,
} from "./databricks/registered-models.ts";
export {
  createSchema,
  deleteSchema,
  getSchema,
  listSchemas,
  type Schema,
} from "./databricks/schemas.ts";
export {
  createSecretScope,
  deleteSecret,
  deleteSecretAcl,
  deleteSecretScope,
  listSecretAcls,
  listSecretScopes,
  listSecrets,
  putSecret,
  putSecretAcl,
  readSecretValue,
  type SecretAcl,
  type SecretKey,
} from "./databricks/secrets.ts";
export type { ServerSentEvent } from "./databricks/server-sent-events.ts";
export {
  type AiGatewayInput,
  createServingEndpoint,
  deleteServingEndpoint,
  type EmailNotificationsInput,
  exportServingEndpointMetrics,
  getBuildLogs,
  getServingEndpoint,
  getServingLogs,
  type InferenceTable,
  listServingEndpoints,
  putAiGateway,
  type Route,
  type ServedEntity,
  type ServedEntityInput,
  type ServingConfigInput,
  type ServingEndpoint,
  type ServingEndpointInput,
  type ServingEndpointList,
  type Tag,
  type TelemetryInput,
  updateServingConfig,
  updateServingNotifications,
  updateServingTags,
  updateServingTelemetry,
} from "./databricks/serving-endpoints.ts";
export {
  type Invocation,
  type InvocationAnswer,
  type InvocationEvent,
  type InvocationOptions,
  queryServingEndpoint,
  streamServingEndpoint,
} from "./databricks/serving-invocations.ts";
export {
  type Chunk,
  type Column,
  cancelStatement,
  type ExecuteOptions,
  executeStatement,
  getStatement,
  type Row,
  readStatementRows,
  type Statement,
  type StatementInput,
  type StatementOptions,
  submitStatement,
} from "./databricks/statements.ts";
export {
  getTable,
  listTables,
  type Table,
  type TableColumn,
  tableExists,
} from "./databricks/tables.ts";
export type { HttpStream } from "./databricks/transport.ts";
export {
  type ByteSource,
  type ByteStream,
  fileSource,
  streamSource,
} from "./databricks/upload.ts";
export {
  getVectorSearchEndpoint,
  listVectorSearchEndpoints,
  type VectorSearchEndpoint,
} from "./databricks/vector-search-endpoints.ts";
export {
  getVectorSearchIndex,
  listVectorSearchIndexes,
  queryVectorSearchIndex,
  syncVectorSearchIndex,
  type VectorSearchIndex,
  type VectorSearchMatches,
  type VectorSearchQuery,
} from "./databricks/vector-search-indexes.ts";
export {
  createVolume,
  deleteVolume,
  getVolume,
  listVolumes,
  type Volume,
} from "./databricks/volumes.ts";
export {
  getWarehouse,
  listWarehouses,
  startWarehouse,
  type Warehouse,
} from "./databricks/warehouses.ts";
export {
  deleteWorkspaceObject,
  exportWorkspaceObject,
  getWorkspaceObject,
  importWorkspaceObject,
  listWorkspaceObjects,
  makeWorkspaceDirectories,
  type WorkspaceObject,
} from "./databricks/workspace-objects.ts";
export { MonitorError } from "./monitor-error.ts";
