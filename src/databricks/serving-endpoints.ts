/**
 * The Model Serving API: what is served, how it is changed, and what its builds and
 * its containers say. Fields that it does not know are ignored, and states stay open
 * strings: Databricks adds both. Asking an endpoint stands in `serving-invocations.ts`.
 *
 * Source: databricks-sdk-py 0.156.0, `ServingEndpointsAPI`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import {
  flagOf,
  integerOf,
  type JsonRecord,
  numberOf,
  recordOf,
  recordsOf,
  textMapOf,
  textOf,
} from "./json-fields.ts";
import { readPages } from "./pages.ts";
import type { JsonAnswer } from "./read-answer.ts";

export type ServingEndpoint = {
  readonly name: string;
  /** Not the name: permissions are granted by this id. */
  readonly id: string | null;
  /** `READY` or `NOT_READY`; `null` when Databricks does not say. */
  readonly ready: string | null;
  /** `NOT_UPDATING`, `IN_PROGRESS`, `UPDATE_FAILED` or `UPDATE_CANCELED`. */
  readonly configUpdate: string | null;
  readonly configVersion: number | null;
  readonly servedEntities: readonly ServedEntity[];
  readonly routes: readonly Route[];
  /** Whether another configuration waits to be served. */
  readonly hasPendingConfig: boolean;
  readonly pendingConfigVersion: number | null;
  /** Those of the configuration that waits: they say why an update fails. */
  readonly pendingEntities: readonly ServedEntity[];
  readonly pendingRoutes: readonly Route[];
  /** Such as `agent/v1/responses` or `llm/v1/chat`; `null` for other models. */
  readonly task: string | null;
  readonly description: string | null;
  readonly tags: ReadonlyMap<string, string>;
  /** As Databricks sent it; `null` where there is none. */
  readonly aiGateway: JsonRecord | null;
  /** Where requests are logged to; `null` where they are not. */
  readonly inferenceTable: InferenceTable | null;
  /** The same of endpoints that were made before the AI Gateway; `null` in a list. */
  readonly autoCaptureTable: InferenceTable | null;
  /** As Databricks sent it; `null` where there is none. */
  readonly telemetryConfig: JsonRecord | null;
  readonly creator: string | null;
  /** Unix milliseconds. */
  readonly createdMs: number | null;
  /** Unix milliseconds. */
  readonly updatedMs: number | null;
  /** What the identity may do, such as `CAN_MANAGE`; `null` in a list. */
  readonly permissionLevel: string | null;
  /** Where it is asked, if not at the workspace. */
  readonly url: string | null;
};

export type ServedEntity = {
  readonly name: string;
  /** The model, such as `ml.agents.support`. */
  readonly entityName: string | null;
  readonly entityVersion: string | null;
  readonly scaleToZero: boolean | null;
  /** Such as `Small`. */
  readonly workloadSize: string | null;
  /** Such as `CPU`. */
  readonly workloadType: string | null;
  readonly minProvisionedConcurrency: number | null;
  readonly maxProvisionedConcurrency: number | null;
  /** References to secrets such as `{{secrets/scope/key}}` stay as they are. */
  readonly environmentVars: ReadonlyMap<string, string>;
  /** Such as `DEPLOYMENT_READY`; `null` in a list, which leaves it out. */
  readonly deployment: string | null;
  /** Databricks' own words, such as `Scaled to zero`. */
  readonly message: string | null;
};

export type Route = {
  /** The name of a served entity. */
  readonly servedEntityName: string;
  readonly trafficPercentage: number;
};

export type InferenceTable = {
  readonly catalogName: string | null;
  readonly schemaName: string | null;
  readonly tableNamePrefix: string | null;
};

export type ServingEndpointList = {
  readonly endpoints: readonly ServingEndpoint[];
  /** Entries without a name that can be asked about. */
  readonly unreadable: number;
};

/** Databricks allows 63; more than that is shown, but no page or path should burst. */
const NAME_MAX_CHARS = 200;

/** All endpoints that the identity may see. Entities are without state here. */
export async function listServingEndpoints(
  client: DatabricksClient,
  limits: CallLimits = {},
): Promise<ServingEndpointList> {
  const entries = await readPages("endpoints", (page) =>
    client.getJson(apiPath`/api/2.0/serving-endpoints`, {
      ...limits,
      query: page,
      purpose: "list the serving endpoints",
      permission:
        "Give the identity access to the workspace and CAN VIEW on its serving endpoints.",
    }),
  );
  const endpoints = entries
    .map(readEndpoint)
    .filter((endpoint) => endpoint !== null)
    .filter(({ name }) => isUsableName(name));
  return { endpoints, unreadable: entries.length - endpoints.length };
}

/** Whether a path, a line of text and a page can hold it, so that one strange name spoils no other. */
function isUsableName(name: string): boolean {
  const isPlain = name.isWellFormed() && !/[\p{Cc}\p{Cf}]/u.test(name);
  return isPlain && name.length <= NAME_MAX_CHARS && name !== "." && name !== "..";
}

export async function getServingEndpoint(
  client: DatabricksClient,
  name: string,
  limits: CallLimits = {},
): Promise<ServingEndpoint> {
  const answer = await client.getJson(apiPath`/api/2.0/serving-endpoints/${name}`, {
    ...limits,
    purpose: `read serving endpoint "${name}"`,
    permission: viewPermission(name),
  });
  return readAnsweredEndpoint(answer);
}

/** What serves requests of an endpoint, in Databricks' own names. */
export type ServedEntityInput = {
  /** Named by routes. Left out, Databricks makes one of model and version. */
  readonly name?: string;
  /** A model of Unity Catalog, such as `ml.agents.support`. */
  readonly entity_name?: string;
  readonly entity_version?: string;
  /** `CPU`, `GPU_SMALL`, `GPU_MEDIUM`, `GPU_LARGE`, `MULTIGPU_MEDIUM` and newer ones. */
  readonly workload_type?: string;
  /** `Small`, `Medium` or `Large`: 4, 16 or 64 requests at once. */
  readonly workload_size?: string;
  /** Instead of `workload_size`. */
  readonly min_provisioned_concurrency?: number;
  readonly max_provisioned_concurrency?: number;
  readonly scale_to_zero_enabled?: boolean;
  /** Values may be references such as `{{secrets/scope/key}}`. */
  readonly environment_vars?: Readonly<Record<string, string>>;
  readonly instance_profile_arn?: string;
  readonly burst_scaling_enabled?: boolean;
};

export type ServingConfigInput = {
  /** At most 10. */
  readonly served_entities: readonly ServedEntityInput[];
  /** Left out, Databricks sends all requests to the only entity. */
  readonly traffic_config?: {
    readonly routes: readonly {
      readonly served_entity_name: string;
      readonly traffic_percentage: number;
    }[];
  };
};

/** For agents, Databricks supports the inference table only. */
export type AiGatewayInput = {
  readonly inference_table_config?: {
    readonly enabled: boolean;
    readonly catalog_name?: string;
    readonly schema_name?: string;
    readonly table_name_prefix?: string;
  };
  readonly usage_tracking_config?: { readonly enabled: boolean };
  readonly rate_limits?: readonly {
    readonly calls?: number;
    readonly tokens?: number;
    /** `user`, `endpoint`, `user_group` or `service_principal`. */
    readonly key?: string;
    readonly principal?: string;
    readonly renewal_period: "minute";
  }[];
  readonly guardrails?: {
    readonly input?: GuardrailsInput;
    readonly output?: GuardrailsInput;
  };
  readonly fallback_config?: { readonly enabled: boolean };
};

type GuardrailsInput = {
  readonly safety?: boolean;
  /** `NONE`, `BLOCK` or `MASK`. */
  readonly pii?: { readonly behavior: string };
  readonly invalid_keywords?: readonly string[];
  readonly valid_topics?: readonly string[];
};

/** Where the endpoint's own logs, traces and metrics go: tables of Unity Catalog. For custom models and agents only. */
export type TelemetryInput = {
  readonly table_names?: {
    readonly logs_table?: string;
    readonly traces_table?: string;
    readonly metrics_table?: string;
    readonly annotations_table?: string;
  };
  /** Instead of the names of tables. */
  readonly telemetry_profile_id?: string;
  readonly inference_table_config?: { readonly name?: string; readonly sampling_fraction?: number };
  /** `TELEMETRY_FEATURE_LOGS`, `…_TRACES`, `…_METRICS` or `…_INFERENCE_TABLE`; all of them when left out. */
  readonly enabled_telemetry_features?: readonly string[];
};

export type Tag = { readonly key: string; readonly value?: string };

/** Whom Databricks writes to. */
export type EmailNotificationsInput = {
  readonly on_update_success?: readonly string[];
  readonly on_update_failure?: readonly string[];
};

export type ServingEndpointInput = {
  /** 1 to 63 letters, digits, `-` and `_`. */
  readonly name: string;
  readonly config: ServingConfigInput;
  readonly ai_gateway?: AiGatewayInput;
  readonly telemetry_config?: TelemetryInput;
  readonly tags?: readonly Tag[];
  readonly description?: string;
  readonly route_optimized?: boolean;
  readonly budget_policy_id?: string;
  readonly email_notifications?: EmailNotificationsInput;
};

/** Resolves once it is made, which is minutes before it is ready. */
export async function createServingEndpoint(
  client: DatabricksClient,
  endpoint: ServingEndpointInput,
  limits: CallLimits = {},
): Promise<ServingEndpoint> {
  const answer = await client.postJson(apiPath`/api/2.0/serving-endpoints`, endpoint, {
    ...limits,
    purpose: `create serving endpoint "${endpoint.name}"`,
    permission:
      "Give the identity the right to create serving endpoints, and EXECUTE on the models that it is to serve.",
  });
  return readAnsweredEndpoint(answer);
}

/**
 * What is served from now on. The old configuration serves until the new one is
 * ready. While an update is in progress, Databricks refuses another one.
 */
export async function updateServingConfig(
  client: DatabricksClient,
  name: string,
  config: ServingConfigInput,
  limits: CallLimits = {},
): Promise<ServingEndpoint> {
  const answer = await client.putJson(apiPath`/api/2.0/serving-endpoints/${name}/config`, config, {
    ...limits,
    ...changing(name, "the configuration"),
  });
  return readAnsweredEndpoint(answer);
}

/** Replaces the AI Gateway as a whole. */
export async function putAiGateway(
  client: DatabricksClient,
  name: string,
  gateway: AiGatewayInput,
  limits: CallLimits = {},
): Promise<void> {
  await client.putJson(apiPath`/api/2.0/serving-endpoints/${name}/ai-gateway`, gateway, {
    ...limits,
    ...changing(name, "the AI Gateway"),
  });
}

export async function updateServingTelemetry(
  client: DatabricksClient,
  name: string,
  telemetry: TelemetryInput,
  limits: CallLimits = {},
): Promise<void> {
  await client.patchJson(
    apiPath`/api/2.0/serving-endpoints/${name}/telemetry-config`,
    { telemetry_config: telemetry },
    { ...limits, ...changing(name, "the telemetry"), isIdempotent: true },
  );
}

/** Adds tags, or changes the value of those that are there, and takes others away. */
export async function updateServingTags(
  client: DatabricksClient,
  name: string,
  { add = [], remove = [] }: { readonly add?: readonly Tag[]; readonly remove?: readonly string[] },
  limits: CallLimits = {},
): Promise<void> {
  await client.patchJson(
    apiPath`/api/2.0/serving-endpoints/${name}/tags`,
    {
      ...(add.length > 0 && { add_tags: add }),
      ...(remove.length > 0 && { delete_tags: remove }),
    },
    { ...limits, ...changing(name, "the tags"), isIdempotent: true },
  );
}

export async function updateServingNotifications(
  client: DatabricksClient,
  name: string,
  notifications: EmailNotificationsInput,
  limits: CallLimits = {},
): Promise<void> {
  await client.patchJson(
    apiPath`/api/2.0/serving-endpoints/${name}/notifications`,
    { email_notifications: notifications },
    { ...limits, ...changing(name, "the notifications"), isIdempotent: true },
  );
}

/** It stops serving at once, and can't be brought back. */
export function deleteServingEndpoint(
  client: DatabricksClient,
  name: string,
  limits: CallLimits = {},
): Promise<void> {
  return client.delete(apiPath`/api/2.0/serving-endpoints/${name}`, {
    ...limits,
    purpose: `delete serving endpoint "${name}"`,
    permission: managePermission(name),
  });
}

/** What building the container of a served entity said: why an update fails. */
export function getBuildLogs(
  client: DatabricksClient,
  entity: { readonly endpointName: string; readonly servedEntityName: string },
  limits: CallLimits = {},
): Promise<string> {
  return readLogs(client, entity, { ...limits, kind: "build-logs", what: "build logs" });
}

/** The last that a served entity wrote to its output. */
export function getServingLogs(
  client: DatabricksClient,
  entity: { readonly endpointName: string; readonly servedEntityName: string },
  limits: CallLimits = {},
): Promise<string> {
  return readLogs(client, entity, { ...limits, kind: "logs", what: "logs" });
}

async function readLogs(
  client: DatabricksClient,
  {
    endpointName,
    servedEntityName,
  }: { readonly endpointName: string; readonly servedEntityName: string },
  { kind, what, ...limits }: CallLimits & { readonly kind: string; readonly what: string },
): Promise<string> {
  const answer = await client.getJson(
    apiPath`/api/2.0/serving-endpoints/${endpointName}/served-models/${servedEntityName}/${kind}`,
    {
      ...limits,
      purpose: `read the ${what} of "${servedEntityName}" on serving endpoint "${endpointName}"`,
      permission: viewPermission(endpointName),
    },
  );
  const logs = recordOf(answer.json)?.logs ?? "";
  if (typeof logs !== "string") throw answer.unusable("holds no logs");
  return logs;
}

/** The endpoint's own metrics, in Prometheus or OpenMetrics text. */
export function exportServingEndpointMetrics(
  client: DatabricksClient,
  name: string,
  limits: CallLimits = {},
): Promise<string> {
  return client.getText(apiPath`/api/2.0/serving-endpoints/${name}/metrics`, {
    ...limits,
    purpose: `read the metrics of serving endpoint "${name}"`,
    permission: viewPermission(name),
  });
}

function viewPermission(name: string): string {
  return `Give the identity CAN VIEW on serving endpoint "${name}".`;
}

function managePermission(name: string): string {
  return `Give the identity CAN MANAGE on serving endpoint "${name}".`;
}

function changing(name: string, what: string) {
  return {
    purpose: `change ${what} of serving endpoint "${name}"`,
    permission: managePermission(name),
  };
}

function readAnsweredEndpoint(answer: JsonAnswer): ServingEndpoint {
  const endpoint = readEndpoint(answer.json);
  if (!endpoint) throw answer.unusable("is not a serving endpoint");
  return endpoint;
}

function readEndpoint(value: unknown): ServingEndpoint | null {
  const endpoint = recordOf(value);
  const name = textOf(endpoint?.name);
  if (!endpoint || !name) return null;

  const state = recordOf(endpoint.state);
  const config = recordOf(endpoint.config);
  const pending = recordOf(endpoint.pending_config);
  const gateway = recordOf(endpoint.ai_gateway);
  return {
    name,
    id: textOf(endpoint.id),
    ready: textOf(state?.ready),
    configUpdate: textOf(state?.config_update),
    configVersion: integerOf(config?.config_version),
    servedEntities: readEntities(config),
    routes: readRoutes(config),
    hasPendingConfig: pending !== null,
    pendingConfigVersion: integerOf(pending?.config_version),
    pendingEntities: readEntities(pending),
    pendingRoutes: readRoutes(pending),
    task: textOf(endpoint.task),
    description: textOf(endpoint.description),
    tags: new Map(
      recordsOf(endpoint.tags).map(({ key, value }) => [textOf(key) ?? "", textOf(value) ?? ""]),
    ),
    aiGateway: gateway,
    inferenceTable: readInferenceTable(recordOf(gateway?.inference_table_config)),
    autoCaptureTable: readInferenceTable(recordOf(config?.auto_capture_config)),
    telemetryConfig: recordOf(endpoint.telemetry_config),
    creator: textOf(endpoint.creator),
    createdMs: integerOf(endpoint.creation_timestamp),
    updatedMs: integerOf(endpoint.last_updated_timestamp),
    permissionLevel: textOf(endpoint.permission_level),
    url: textOf(endpoint.endpoint_url),
  };
}

function readInferenceTable(config: JsonRecord | null): InferenceTable | null {
  if (config?.enabled !== true) return null;
  return {
    catalogName: textOf(config.catalog_name),
    schemaName: textOf(config.schema_name),
    tableNamePrefix: textOf(config.table_name_prefix),
  };
}

/** `served_models` is the deprecated name of the same; it counts only where the new one is missing. */
function readEntities(config: JsonRecord | null): readonly ServedEntity[] {
  return recordsOf(config?.served_entities ?? config?.served_models).map(readEntity);
}

function readRoutes(config: JsonRecord | null): readonly Route[] {
  return recordsOf(recordOf(config?.traffic_config)?.routes).map((route) => ({
    servedEntityName: textOf(route.served_entity_name) ?? textOf(route.served_model_name) ?? "",
    trafficPercentage: numberOf(route.traffic_percentage) ?? 0,
  }));
}

function readEntity(entity: JsonRecord): ServedEntity {
  const state = recordOf(entity.state);
  const entityName =
    textOf(entity.entity_name) ??
    textOf(entity.model_name) ??
    textOf(recordOf(entity.external_model)?.name) ??
    textOf(recordOf(entity.foundation_model)?.name);
  const scaleToZero = entity.scale_to_zero_enabled;
  return {
    name: textOf(entity.name) ?? entityName ?? "unnamed",
    entityName,
    entityVersion: textOf(entity.entity_version) ?? textOf(entity.model_version),
    // Old answers say it as text.
    scaleToZero: scaleToZero === "true" || (scaleToZero === "false" ? false : flagOf(scaleToZero)),
    workloadSize: textOf(entity.workload_size),
    workloadType: textOf(entity.workload_type),
    minProvisionedConcurrency: integerOf(entity.min_provisioned_concurrency),
    maxProvisionedConcurrency: integerOf(entity.max_provisioned_concurrency),
    environmentVars: textMapOf(entity.environment_vars),
    deployment: textOf(state?.deployment),
    message: textOf(state?.deployment_state_message),
  };
}
