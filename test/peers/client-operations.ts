/**
 * Every call of our client, beside the same call of Databricks' own SDK for Python:
 * what both send has to be the same. Where it is not, the row names the difference
 * and says why.
 */
import * as alerts from "../../src/databricks/alerts.ts";
import * as apps from "../../src/databricks/apps.ts";
import * as catalogs from "../../src/databricks/catalogs.ts";
import type { DatabricksClient } from "../../src/databricks/client.ts";
import * as user from "../../src/databricks/current-user.ts";
import * as dashboards from "../../src/databricks/dashboards.ts";
import * as files from "../../src/databricks/files.ts";
import * as grants from "../../src/databricks/grants.ts";
import * as runs from "../../src/databricks/job-runs.ts";
import * as jobs from "../../src/databricks/jobs.ts";
import * as experiments from "../../src/databricks/mlflow-experiments.ts";
import * as mlflowRuns from "../../src/databricks/mlflow-runs.ts";
import * as versions from "../../src/databricks/model-versions.ts";
import * as destinations from "../../src/databricks/notification-destinations.ts";
import * as permissions from "../../src/databricks/permissions.ts";
import * as models from "../../src/databricks/registered-models.ts";
import * as schemas from "../../src/databricks/schemas.ts";
import * as secrets from "../../src/databricks/secrets.ts";
import * as serving from "../../src/databricks/serving-endpoints.ts";
import * as invocations from "../../src/databricks/serving-invocations.ts";
import * as statements from "../../src/databricks/statements.ts";
import * as tables from "../../src/databricks/tables.ts";
import * as searchEndpoints from "../../src/databricks/vector-search-endpoints.ts";
import * as indexes from "../../src/databricks/vector-search-indexes.ts";
import * as volumes from "../../src/databricks/volumes.ts";
import * as warehouses from "../../src/databricks/warehouses.ts";
import * as objects from "../../src/databricks/workspace-objects.ts";

export type Operation = {
  /** Of the SDK, such as `serving_endpoints.create`. */
  readonly call: string;
  readonly with: Readonly<Record<string, unknown>>;
  readonly ours: (client: DatabricksClient) => Promise<unknown>;
  /** What the recorder answers, where `{}` is not enough. */
  readonly answer?: unknown;
  /** Names such as `query.limit` or `body.format`, and why only one of both sends them. */
  readonly differs?: Readonly<Record<string, string>>;
};

const endpoint = { name: "support", state: {} };
const entity = {
  name: "support-3",
  entity_name: "ml.agents.support",
  entity_version: "3",
  workload_size: "Small",
  workload_type: "CPU",
  scale_to_zero_enabled: true,
  environment_vars: { LM_KEY: "{{secrets/agents/key}}" },
};
const config = {
  served_entities: [entity],
  traffic_config: { routes: [{ served_entity_name: "support-3", traffic_percentage: 100 }] },
};
const gateway = {
  inference_table_config: {
    enabled: true,
    catalog_name: "ml",
    schema_name: "logs",
    table_name_prefix: "support",
  },
  usage_tracking_config: { enabled: true },
  rate_limits: [{ calls: 100, key: "user", renewal_period: "minute" as const }],
  guardrails: { input: { safety: true, pii: { behavior: "BLOCK" } } },
  fallback_config: { enabled: true },
};
const telemetry = {
  table_names: { logs_table: "ml.logs.support_logs", traces_table: "ml.logs.support_traces" },
};
const notifications = { on_update_failure: ["ada@example.com"] };
const model = "ml.agents.support";
const volume = "ml.agents.files";
const file = "/Volumes/ml/agents/files/a b/ü (1).json";
const directory = "/Volumes/ml/agents/files/a b";
const bytes = new TextEncoder().encode("three");
const version = { modelName: model, version: 3 };
const where = { catalogName: "ml", schemaName: "agents" };
const inSchema = { catalog_name: "ml", schema_name: "agents" };
const servingObject = { type: "serving-endpoints", id: "0a1b" };
const sdkServingObject = { request_object_type: "serving-endpoints", request_object_id: "0a1b" };
const access = [{ group_name: "agents", permission_level: "CAN_QUERY" }];
const statement = {
  statement: "SELECT :day",
  warehouse_id: "w",
  catalog: "ml",
  schema: "agents",
  parameters: [{ name: "day", value: "1", type: "INT" }],
  query_tags: [{ key: "made-by", value: "dspy-databricks" }],
  row_limit: 10,
};
const alert = {
  display_name: "p95",
  query_text: "SELECT 1 AS p95",
  warehouse_id: "w",
  parent_path: "/Workspace/Shared",
  custom_summary: "slow",
  evaluation: {
    source: { name: "p95", display: "p95", aggregation: "MAX" },
    comparison_operator: "GREATER_THAN",
    threshold: { value: { double_value: 2000 } },
    empty_result_state: "OK",
    notification: {
      subscriptions: [{ destination_id: "d" }, { user_email: "ada@example.com" }],
      notify_on_ok: true,
      retrigger_seconds: 3600,
    },
  },
  schedule: {
    quartz_cron_schedule: "0 0/5 * * * ?",
    timezone_id: "UTC",
    pause_status: "UNPAUSED",
  },
};
const { parent_path: _parent, ...changedAlert } = alert;
const vectorQuery = {
  columns: ["id", "text"],
  query_text: "returns",
  num_results: 3,
  filters_json: '{"year >=": 2024}',
  query_type: "HYBRID",
  score_threshold: 0.5,
};
const destination = { display_name: "On call", config: { slack: { url: "https://hooks/x" } } };
const dashboard = {
  display_name: "Agents",
  parent_path: "/Shared",
  serialized_dashboard: '{"pages":[]}',
  warehouse_id: "w",
};
const jobId = "620987654321987654";
const bigJobId = 620987654321987654n;
const settings = {
  name: "Agents",
  tasks: [
    {
      task_key: "run",
      notebook_task: { notebook_path: "/Shared/a", base_parameters: { day: "1" } },
      max_retries: 1,
      timeout_seconds: 600,
    },
  ],
  schedule: {
    quartz_cron_expression: "0 0 5 * * ?",
    timezone_id: "UTC",
    pause_status: "UNPAUSED",
  },
  tags: { "made-by": "dspy-databricks" },
  max_concurrent_runs: 1,
};
const deployment = {
  source_code_path: "/Workspace/Shared/agent",
  mode: "SNAPSHOT",
  env_vars: [{ name: "LEVEL", value: "info" }],
};
const script = Buffer.from("print(1)").toString("base64");
const text = Buffer.from(bytes).toString("base64");

export const operations: Readonly<Record<string, Operation>> = {
  "a serving endpoint is made": {
    call: "serving_endpoints.create",
    with: {
      name: "support",
      config: { name: "support", ...config },
      ai_gateway: gateway,
      telemetry_config: telemetry,
      tags: [{ key: "team", value: "agents" }],
      description: "Answers",
      route_optimized: false,
      email_notifications: notifications,
    },
    ours: (client) =>
      serving.createServingEndpoint(client, {
        name: "support",
        config,
        ai_gateway: gateway,
        telemetry_config: telemetry,
        tags: [{ key: "team", value: "agents" }],
        description: "Answers",
        route_optimized: false,
        email_notifications: notifications,
      }),
    answer: endpoint,
    differs: { "body.config.name": "the SDK's class repeats the name, which stands beside it" },
  },
  "a serving endpoint is read": {
    call: "serving_endpoints.get",
    with: { name: "support" },
    ours: (client) => serving.getServingEndpoint(client, "support"),
    answer: endpoint,
  },
  "serving endpoints are listed": {
    call: "serving_endpoints.list",
    with: {},
    ours: (client) => serving.listServingEndpoints(client),
  },
  "another configuration is served": {
    call: "serving_endpoints.update_config",
    with: { name: "support", ...config },
    ours: (client) => serving.updateServingConfig(client, "support", config),
    answer: endpoint,
  },
  "the AI Gateway is replaced": {
    call: "serving_endpoints.put_ai_gateway",
    with: { name: "support", ...gateway },
    ours: (client) => serving.putAiGateway(client, "support", gateway),
  },
  "the telemetry of an endpoint is changed": {
    call: "serving_endpoints.patch_telemetry_config",
    with: { name: "support", telemetry_config: telemetry },
    ours: (client) => serving.updateServingTelemetry(client, "support", telemetry),
  },
  "the tags of an endpoint are changed": {
    call: "serving_endpoints.patch",
    with: { name: "support", add_tags: [{ key: "a", value: "b" }], delete_tags: ["c"] },
    ours: (client) =>
      serving.updateServingTags(client, "support", {
        add: [{ key: "a", value: "b" }],
        remove: ["c"],
      }),
  },
  "the notifications of an endpoint are changed": {
    call: "serving_endpoints.update_notifications",
    with: { name: "support", email_notifications: notifications },
    ours: (client) => serving.updateServingNotifications(client, "support", notifications),
  },
  "a serving endpoint is deleted": {
    call: "serving_endpoints.delete",
    with: { name: "support" },
    ours: (client) => serving.deleteServingEndpoint(client, "support"),
  },
  "build logs are read": {
    call: "serving_endpoints.build_logs",
    with: { name: "support", served_model_name: "support-3" },
    ours: (client) =>
      serving.getBuildLogs(client, { endpointName: "support", servedEntityName: "support-3" }),
    answer: { logs: "" },
  },
  "logs are read": {
    call: "serving_endpoints.logs",
    with: { name: "support", served_model_name: "support-3" },
    ours: (client) =>
      serving.getServingLogs(client, { endpointName: "support", servedEntityName: "support-3" }),
    answer: { logs: "" },
  },
  "metrics are read": {
    call: "serving_endpoints.export_metrics",
    with: { name: "support" },
    ours: (client) => serving.exportServingEndpointMetrics(client, "support"),
  },
  "an endpoint is asked": {
    call: "serving_endpoints.query",
    with: { name: "support", messages: [{ role: "user", content: "Hi" }], max_tokens: 5 },
    ours: (client) =>
      invocations.queryServingEndpoint(client, "support", {
        messages: [{ role: "user", content: "Hi" }],
        max_tokens: 5,
      }),
  },
  "an endpoint is asked for a stream": {
    call: "serving_endpoints.query",
    with: { name: "support", messages: [{ role: "user", content: "Hi" }], stream: true },
    async ours(client) {
      const invocation = { messages: [{ role: "user", content: "Hi" }] };
      for await (const _ of invocations.streamServingEndpoint(client, "support", invocation));
    },
  },
  "permissions are read": {
    call: "permissions.get",
    with: sdkServingObject,
    ours: (client) => permissions.getPermissions(client, servingObject),
  },
  "permissions are added": {
    call: "permissions.update",
    with: { ...sdkServingObject, access_control_list: access },
    ours: (client) => permissions.addPermissions(client, servingObject, access as never),
  },
  "permissions are replaced": {
    call: "permissions.set",
    with: { ...sdkServingObject, access_control_list: access },
    ours: (client) => permissions.replacePermissions(client, servingObject, access as never),
  },
  "permissions of an endpoint are changed": {
    call: "serving_endpoints.update_permissions",
    with: { serving_endpoint_id: "0a1b", access_control_list: access },
    ours: (client) => permissions.addPermissions(client, servingObject, access as never),
  },

  "a catalog is read": {
    call: "catalogs.get",
    with: { name: "ml" },
    ours: (client) => catalogs.getCatalog(client, "ml"),
    answer: { name: "ml" },
  },
  "catalogs are listed": {
    call: "catalogs.list",
    with: {},
    ours: (client) => catalogs.listCatalogs(client),
  },
  "a schema is made": {
    call: "schemas.create",
    with: { name: "agents", catalog_name: "ml", comment: "Ours" },
    ours: (client) =>
      schemas.createSchema(client, { name: "agents", catalog_name: "ml", comment: "Ours" }),
    answer: { full_name: "ml.agents" },
  },
  "a schema is read": {
    call: "schemas.get",
    with: { full_name: "ml.agents" },
    ours: (client) => schemas.getSchema(client, "ml.agents"),
    answer: { full_name: "ml.agents" },
  },
  "schemas are listed": {
    call: "schemas.list",
    with: { catalog_name: "ml" },
    ours: (client) => schemas.listSchemas(client, "ml"),
  },
  "a schema is deleted": {
    call: "schemas.delete",
    with: { full_name: "ml.agents" },
    ours: (client) => schemas.deleteSchema(client, "ml.agents"),
  },
  "a schema is deleted with all that is in it": {
    call: "schemas.delete",
    with: { full_name: "ml.agents", force: true },
    ours: (client) => schemas.deleteSchema(client, "ml.agents", { force: true }),
  },
  "a volume is made": {
    call: "volumes.create",
    with: { ...inSchema, name: "files", volume_type: "MANAGED" },
    ours: (client) =>
      volumes.createVolume(client, { ...inSchema, name: "files", volume_type: "MANAGED" }),
    answer: { full_name: volume },
  },
  "a volume is read": {
    call: "volumes.read",
    with: { name: volume },
    ours: (client) => volumes.getVolume(client, volume),
    answer: { full_name: volume },
  },
  "volumes are listed": {
    call: "volumes.list",
    with: inSchema,
    ours: (client) => volumes.listVolumes(client, where),
  },
  "a volume is deleted": {
    call: "volumes.delete",
    with: { name: volume },
    ours: (client) => volumes.deleteVolume(client, volume),
  },
  "a table is read": {
    call: "tables.get",
    with: { full_name: "ml.agents.requests" },
    ours: (client) => tables.getTable(client, "ml.agents.requests"),
    answer: { full_name: "ml.agents.requests" },
  },
  "a table is looked for": {
    call: "tables.exists",
    with: { full_name: "ml.agents.requests" },
    ours: (client) => tables.tableExists(client, "ml.agents.requests"),
  },
  "tables are listed": {
    call: "tables.list",
    with: inSchema,
    ours: (client) => tables.listTables(client, where),
  },
  "a model is read": {
    call: "registered_models.get",
    with: { full_name: model, include_aliases: true },
    ours: (client) => models.getRegisteredModel(client, model),
  },
  "models are listed": {
    call: "registered_models.list",
    with: inSchema,
    ours: (client) => models.listRegisteredModels(client, where),
  },
  "a model is deleted": {
    call: "registered_models.delete",
    with: { full_name: model },
    ours: (client) => models.deleteRegisteredModel(client, model),
  },
  "an alias is set": {
    call: "registered_models.set_alias",
    with: { full_name: model, alias: "champion", version_num: 3 },
    ours: (client) =>
      models.setModelAlias(client, { modelName: model, alias: "champion", version: 3 }),
  },
  "an alias is deleted": {
    call: "registered_models.delete_alias",
    with: { full_name: model, alias: "champion" },
    ours: (client) => models.deleteModelAlias(client, { modelName: model, alias: "champion" }),
  },
  "a version is read": {
    call: "model_versions.get",
    with: { full_name: model, version: 3 },
    ours: (client) => versions.getModelVersion(client, version),
    answer: { version: 3 },
  },
  "a version is read by its alias": {
    call: "model_versions.get_by_alias",
    with: { full_name: model, alias: "champion" },
    ours: (client) =>
      versions.getModelVersionByAlias(client, { modelName: model, alias: "champion" }),
    answer: { version: 3 },
  },
  "versions are listed": {
    call: "model_versions.list",
    with: { full_name: model },
    ours: (client) => versions.listModelVersions(client, model),
  },
  "a version is deleted": {
    call: "model_versions.delete",
    with: { full_name: model, version: 3 },
    ours: (client) => versions.deleteModelVersion(client, version),
  },
  "grants are read": {
    call: "grants.get",
    with: { securable_type: "schema", full_name: "ml.agents" },
    ours: (client) => grants.getGrants(client, { type: "schema", fullName: "ml.agents" }),
  },
  "effective grants are read": {
    call: "grants.get_effective",
    with: { securable_type: "schema", full_name: "ml.agents", principal: "app-1" },
    ours: (client) =>
      grants.getEffectiveGrants(
        client,
        { type: "schema", fullName: "ml.agents" },
        { principal: "app-1" },
      ),
  },
  "grants are changed": {
    call: "grants.update",
    with: {
      securable_type: "schema",
      full_name: "ml.agents",
      changes: [{ principal: "app-1", add: ["SELECT"], remove: ["MODIFY"] }],
    },
    ours: (client) =>
      grants.changeGrants(client, { type: "schema", fullName: "ml.agents" }, [
        { principal: "app-1", add: ["SELECT"], remove: ["MODIFY"] },
      ]),
  },

  "an experiment is made": {
    call: "experiments.create_experiment",
    with: { name: "/Shared/agents", tags: [{ key: "a", value: "b" }] },
    ours: (client) =>
      experiments.createMlflowExperiment(client, {
        name: "/Shared/agents",
        tags: [{ key: "a", value: "b" }],
      }),
    answer: { experiment_id: "7" },
  },
  "an experiment is read": {
    call: "experiments.get_experiment",
    with: { experiment_id: "7" },
    ours: (client) => experiments.getMlflowExperiment(client, "7"),
    answer: { experiment: { experiment_id: "7" } },
  },
  "an experiment is deleted": {
    call: "experiments.delete_experiment",
    with: { experiment_id: "7" },
    ours: (client) => experiments.deleteMlflowExperiment(client, "7"),
  },
  "an experiment is found by its name": {
    call: "experiments.get_by_name",
    with: { experiment_name: "/Shared/agents" },
    ours: (client) => experiments.getMlflowExperimentByName(client, "/Shared/agents"),
    answer: { experiment: { experiment_id: "7" } },
  },
  "a run is started": {
    call: "experiments.create_run",
    with: {
      experiment_id: "7",
      run_name: "ada",
      start_time: 1767225600000,
      tags: [{ key: "a", value: "b" }],
    },
    ours: (client) =>
      mlflowRuns.createMlflowRun(client, {
        experiment_id: "7",
        run_name: "ada",
        start_time: 1767225600000,
        tags: [{ key: "a", value: "b" }],
      }),
    answer: { run: { info: { run_id: "r" } } },
  },
  "a run is read": {
    call: "experiments.get_run",
    with: { run_id: "r" },
    ours: (client) => mlflowRuns.getMlflowRun(client, "r"),
    answer: { run: { info: { run_id: "r" } } },
  },
  "a run is ended": {
    call: "experiments.update_run",
    with: { run_id: "r", status: "FINISHED", end_time: 1767225600001 },
    ours: (client) =>
      mlflowRuns.updateMlflowRun(client, {
        run_id: "r",
        status: "FINISHED",
        end_time: 1767225600001,
      }),
  },
  "runs are searched": {
    call: "experiments.search_runs",
    with: {
      experiment_ids: ["7"],
      filter: "status = 'RUNNING'",
      order_by: ["start_time DESC"],
      max_results: 10,
    },
    ours: (client) =>
      mlflowRuns.searchMlflowRuns(client, {
        experiment_ids: ["7"],
        filter: "status = 'RUNNING'",
        order_by: ["start_time DESC"],
        max_results: 10,
      }),
  },
  "every value of a metric is read": {
    call: "experiments.get_history",
    with: { metric_key: "p95", run_id: "r" },
    ours: (client) => mlflowRuns.getMlflowMetricHistory(client, { runId: "r", key: "p95" }),
  },
  "a batch is logged": {
    call: "experiments.log_batch",
    with: {
      run_id: "r",
      metrics: [{ key: "p95", value: 1.5, timestamp: 5, step: 1 }],
      params: [{ key: "lm", value: "gpt" }],
      tags: [{ key: "release", value: "r1" }],
    },
    ours: (client) =>
      mlflowRuns.logMlflowBatch(client, "r", {
        metrics: [{ key: "p95", value: 1.5, timestamp: 5, step: 1 }],
        params: [{ key: "lm", value: "gpt" }],
        tags: [{ key: "release", value: "r1" }],
      }),
  },

  "a statement is sent": {
    call: "statement_execution.execute_statement",
    with: {
      ...statement,
      disposition: "INLINE",
      format: "JSON_ARRAY",
      on_wait_timeout: "CONTINUE",
      wait_timeout: "30s",
    },
    ours: (client) => statements.submitStatement(client, statement),
    answer: { statement_id: "s", status: { state: "SUCCEEDED" } },
  },
  "a statement is asked about": {
    call: "statement_execution.get_statement",
    with: { statement_id: "s" },
    ours: (client) => statements.getStatement(client, { id: "s", warehouseId: "w" }),
    answer: { statement_id: "s", status: { state: "SUCCEEDED" } },
  },
  "a part of a result is read": {
    call: "statement_execution.get_statement_result_chunk_n",
    with: { statement_id: "s", chunk_index: 1 },
    async ours(client) {
      const rows = statements.readStatementRows(client, {
        id: "s",
        warehouseId: "w",
        state: "SUCCEEDED",
        columns: [],
        rowCount: "1",
        isTruncated: false,
        firstChunk: { index: 0, rows: [], link: null, nextIndex: 1 },
      });
      for await (const _ of rows);
    },
  },
  "a statement is cancelled": {
    call: "statement_execution.cancel_execution",
    with: { statement_id: "s" },
    ours: (client) => statements.cancelStatement(client, "s"),
  },
  "a warehouse is read": {
    call: "warehouses.get",
    with: { id: "w" },
    ours: (client) => warehouses.getWarehouse(client, "w"),
    answer: { id: "w" },
  },
  "warehouses are listed": {
    call: "warehouses.list",
    with: {},
    ours: (client) => warehouses.listWarehouses(client),
  },
  "a warehouse is started": {
    call: "warehouses.start",
    with: { id: "w" },
    ours: (client) => warehouses.startWarehouse(client, "w"),
  },

  "an alert is made": {
    call: "alerts_v2.create_alert",
    with: { alert },
    ours: (client) => alerts.createAlert(client, alert),
    answer: { id: "a" },
  },
  "an alert is read": {
    call: "alerts_v2.get_alert",
    with: { id: "a" },
    ours: (client) => alerts.getAlert(client, "a"),
    answer: { id: "a" },
  },
  "alerts are listed": {
    call: "alerts_v2.list_alerts",
    with: {},
    ours: (client) => alerts.listAlerts(client),
  },
  "an alert is changed": {
    call: "alerts_v2.update_alert",
    with: { id: "a", alert: changedAlert, update_mask: Object.keys(changedAlert).join(",") },
    ours: (client) => alerts.updateAlert(client, "a", changedAlert),
    answer: { id: "a" },
  },
  "an alert is put into the trash": {
    call: "alerts_v2.trash_alert",
    with: { id: "a" },
    ours: (client) => alerts.trashAlert(client, "a"),
  },
  "a destination is made": {
    call: "notification_destinations.create",
    with: destination,
    ours: (client) => destinations.createNotificationDestination(client, destination),
    answer: { id: "d" },
  },
  "a destination is read": {
    call: "notification_destinations.get",
    with: { id: "d" },
    ours: (client) => destinations.getNotificationDestination(client, "d"),
    answer: { id: "d" },
  },
  "destinations are listed": {
    call: "notification_destinations.list",
    with: {},
    ours: (client) => destinations.listNotificationDestinations(client),
  },
  "a destination is changed": {
    call: "notification_destinations.update",
    with: { id: "d", ...destination },
    ours: (client) => destinations.updateNotificationDestination(client, "d", destination),
    answer: { id: "d" },
  },
  "a destination is deleted": {
    call: "notification_destinations.delete",
    with: { id: "d" },
    ours: (client) => destinations.deleteNotificationDestination(client, "d"),
  },

  "a dashboard is made": {
    call: "lakeview.create",
    with: { dashboard },
    ours: (client) => dashboards.createDashboard(client, dashboard),
    answer: { dashboard_id: "0a" },
  },
  "a dashboard is read": {
    call: "lakeview.get",
    with: { dashboard_id: "0a" },
    ours: (client) => dashboards.getDashboard(client, "0a"),
    answer: { dashboard_id: "0a" },
  },
  "dashboards are listed": {
    call: "lakeview.list",
    with: {},
    ours: (client) => dashboards.listDashboards(client),
  },
  "a dashboard is changed": {
    call: "lakeview.update",
    with: { dashboard_id: "0a", dashboard: { display_name: "All", etag: "7" } },
    ours: (client) => dashboards.updateDashboard(client, "0a", { display_name: "All", etag: "7" }),
    answer: { dashboard_id: "0a" },
  },
  "a dashboard is published": {
    call: "lakeview.publish",
    with: { dashboard_id: "0a", embed_credentials: false, warehouse_id: "w" },
    ours: (client) =>
      dashboards.publishDashboard(client, "0a", { embed_credentials: false, warehouse_id: "w" }),
  },
  "a published dashboard is read": {
    call: "lakeview.get_published",
    with: { dashboard_id: "0a" },
    ours: (client) => dashboards.getPublishedDashboard(client, "0a"),
  },
  "a dashboard is put into the trash": {
    call: "lakeview.trash",
    with: { dashboard_id: "0a" },
    ours: (client) => dashboards.trashDashboard(client, "0a"),
  },

  "a notebook is imported": {
    call: "workspace.import_",
    with: {
      path: "/Shared/a",
      content: script,
      format: "SOURCE",
      language: "PYTHON",
      overwrite: true,
    },
    ours: (client) =>
      objects.importWorkspaceObject(client, {
        path: "/Shared/a",
        content: "print(1)",
        format: "SOURCE",
        language: "PYTHON",
        overwrite: true,
      }),
  },
  "a notebook is exported": {
    call: "workspace.export",
    with: { path: "/Shared/a", format: "SOURCE" },
    ours: (client) =>
      objects.exportWorkspaceObject(client, { path: "/Shared/a", format: "SOURCE" }),
  },
  "folders are made": {
    call: "workspace.mkdirs",
    with: { path: "/Shared/ü" },
    ours: (client) => objects.makeWorkspaceDirectories(client, "/Shared/ü"),
  },
  "an object is looked for": {
    call: "workspace.get_status",
    with: { path: "/Shared/ü b" },
    ours: (client) => objects.getWorkspaceObject(client, "/Shared/ü b"),
    answer: { path: "/Shared/ü b" },
  },
  "a folder is listed": {
    call: "workspace.list",
    with: { path: "/Shared" },
    ours: (client) => objects.listWorkspaceObjects(client, "/Shared"),
  },
  "an object is deleted": {
    call: "workspace.delete",
    with: { path: "/Shared/a", recursive: true },
    ours: (client) => objects.deleteWorkspaceObject(client, "/Shared/a", { recursive: true }),
  },

  "a job is made": {
    call: "jobs.create",
    with: settings,
    ours: (client) => jobs.createJob(client, settings),
    answer: { job_id: 7 },
  },
  "a job is changed": {
    call: "jobs.reset",
    with: { job_id: bigJobId, new_settings: settings },
    ours: (client) => jobs.resetJob(client, jobId, settings),
  },
  "a job is read": {
    call: "jobs.get",
    with: { job_id: bigJobId },
    ours: (client) => jobs.getJob(client, jobId),
    answer: { job_id: 7 },
  },
  "jobs are looked for by name": {
    call: "jobs.list",
    with: { name: "Agents" },
    ours: (client) => jobs.listJobs(client, { name: "Agents" }),
  },
  "a job is deleted": {
    call: "jobs.delete",
    with: { job_id: bigJobId },
    ours: (client) => jobs.deleteJob(client, jobId),
  },
  "a job is run": {
    call: "jobs.run_now",
    with: { job_id: bigJobId, job_parameters: { day: "1" }, idempotency_token: "t" },
    ours: (client) =>
      runs.runJobNow(client, { jobId, job_parameters: { day: "1" }, idempotency_token: "t" }),
    answer: { run_id: 11 },
  },
  "a job run is read": {
    call: "jobs.get_run",
    with: { run_id: bigJobId },
    ours: (client) => runs.getJobRun(client, jobId),
    answer: { run_id: 11 },
  },
  "the runs of a job are listed": {
    call: "jobs.list_runs",
    with: { job_id: bigJobId, active_only: true, limit: 25 },
    ours: (client) => runs.listJobRuns(client, { jobId, activeOnly: true }),
  },
  "a job run is cancelled": {
    call: "jobs.cancel_run",
    with: { run_id: bigJobId },
    ours: (client) => runs.cancelJobRun(client, jobId),
  },
  "the output of a job run is read": {
    call: "jobs.get_run_output",
    with: { run_id: bigJobId },
    ours: (client) => runs.getJobRunOutput(client, jobId),
  },

  "a file goes up": {
    call: "files.upload",
    with: { file_path: file, contents: text, overwrite: true },
    ours: (client) => files.uploadFile(client, file, bytes, { overwrite: true }),
  },
  "a file comes down": {
    call: "files.download",
    with: { file_path: file },
    async ours(client) {
      const { chunks } = await files.downloadFile(client, file);
      for await (const _ of chunks);
    },
  },
  "a file is looked for": {
    call: "files.get_metadata",
    with: { file_path: file },
    ours: (client) => files.headFile(client, file),
  },
  "a file is deleted": {
    call: "files.delete",
    with: { file_path: file },
    ours: (client) => files.deleteFile(client, file),
  },
  "a directory is made": {
    call: "files.create_directory",
    with: { directory_path: directory },
    ours: (client) => files.createDirectory(client, directory),
  },
  "a directory is looked for": {
    call: "files.get_directory_metadata",
    with: { directory_path: directory },
    ours: (client) => files.directoryExists(client, directory),
  },
  "a directory is listed": {
    call: "files.list_directory_contents",
    with: { directory_path: directory },
    ours: (client) => files.listDirectory(client, directory),
  },
  "a directory is deleted": {
    call: "files.delete_directory",
    with: { directory_path: directory },
    ours: (client) => files.deleteDirectory(client, directory),
  },

  "a secret scope is made": {
    call: "secrets.create_scope",
    with: { scope: "agents", initial_manage_principal: "users" },
    ours: (client) =>
      secrets.createSecretScope(client, { scope: "agents", initial_manage_principal: "users" }),
  },
  "secret scopes are listed": {
    call: "secrets.list_scopes",
    with: {},
    ours: (client) => secrets.listSecretScopes(client),
  },
  "a secret scope is deleted": {
    call: "secrets.delete_scope",
    with: { scope: "agents" },
    ours: (client) => secrets.deleteSecretScope(client, "agents"),
  },
  "a secret is put": {
    call: "secrets.put_secret",
    with: { scope: "agents", key: "k", string_value: "v" },
    ours: (client) => secrets.putSecret(client, { scope: "agents", key: "k", value: "v" }),
  },
  "secrets are listed": {
    call: "secrets.list_secrets",
    with: { scope: "agents" },
    ours: (client) => secrets.listSecrets(client, "agents"),
  },
  "a secret is deleted": {
    call: "secrets.delete_secret",
    with: { scope: "agents", key: "k" },
    ours: (client) => secrets.deleteSecret(client, { scope: "agents", key: "k" }),
  },
  "a secret is read": {
    call: "secrets.get_secret",
    with: { scope: "agents", key: "k" },
    ours: (client) => secrets.readSecretValue(client, { scope: "agents", key: "k" }),
    answer: { key: "k", value: "dg==" },
  },
  "who may use secrets is said": {
    call: "secrets.put_acl",
    with: { scope: "agents", principal: "app-1", permission: "READ" },
    ours: (client) =>
      secrets.putSecretAcl(client, { scope: "agents", principal: "app-1", permission: "READ" }),
  },
  "who may use secrets is read": {
    call: "secrets.list_acls",
    with: { scope: "agents" },
    ours: (client) => secrets.listSecretAcls(client, "agents"),
  },
  "who may use secrets is taken back": {
    call: "secrets.delete_acl",
    with: { scope: "agents", principal: "app-1" },
    ours: (client) => secrets.deleteSecretAcl(client, { scope: "agents", principal: "app-1" }),
  },

  "a vector search endpoint is read": {
    call: "vector_search_endpoints.get_endpoint",
    with: { endpoint_name: "docs" },
    ours: (client) => searchEndpoints.getVectorSearchEndpoint(client, "docs"),
    answer: { name: "docs" },
  },
  "vector search endpoints are listed": {
    call: "vector_search_endpoints.list_endpoints",
    with: {},
    ours: (client) => searchEndpoints.listVectorSearchEndpoints(client),
  },
  "a vector search index is read": {
    call: "vector_search_indexes.get_index",
    with: { index_name: "ml.docs.a" },
    ours: (client) => indexes.getVectorSearchIndex(client, "ml.docs.a"),
    answer: { name: "ml.docs.a" },
  },
  "vector search indexes are listed": {
    call: "vector_search_indexes.list_indexes",
    with: { endpoint_name: "docs" },
    ours: (client) => indexes.listVectorSearchIndexes(client, "docs"),
  },
  "a vector search index is queried": {
    call: "vector_search_indexes.query_index",
    with: { index_name: "ml.docs.a", ...vectorQuery },
    ours: (client) => indexes.queryVectorSearchIndex(client, "ml.docs.a", vectorQuery),
    answer: { manifest: { columns: [] }, result: { data_array: [] } },
  },
  "a vector search index is brought up to date": {
    call: "vector_search_indexes.sync_index",
    with: { index_name: "ml.docs.a" },
    ours: (client) => indexes.syncVectorSearchIndex(client, "ml.docs.a"),
  },

  "an app is read": {
    call: "apps.get",
    with: { name: "agent" },
    ours: (client) => apps.getApp(client, "agent"),
    answer: { name: "agent" },
  },
  "apps are listed": {
    call: "apps.list",
    with: {},
    ours: (client) => apps.listApps(client),
  },
  "an app is deployed": {
    call: "apps.deploy",
    with: { app_name: "agent", app_deployment: deployment },
    ours: (client) => apps.deployApp(client, "agent", deployment),
  },
  "the deployment of an app is read": {
    call: "apps.get_deployment",
    with: { app_name: "agent", deployment_id: "0a" },
    ours: (client) => apps.getAppDeployment(client, { appName: "agent", deploymentId: "0a" }),
  },
  "the deployments of an app are listed": {
    call: "apps.list_deployments",
    with: { app_name: "agent" },
    ours: (client) => apps.listAppDeployments(client, "agent"),
  },
  "whom the credentials belong to": {
    call: "current_user.me",
    with: {},
    ours: (client) => user.getCurrentUser(client),
    answer: { userName: "ada@example.com" },
  },
};
