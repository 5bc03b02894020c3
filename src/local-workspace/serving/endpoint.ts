/**
 * A serving endpoint as the workspace remembers it, and as Databricks describes it.
 * Pure but for the collection that holds them.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/serving.py`. That the
 * configuration which failed stays pending, with the reasons in its entities, is assumed.
 */
import type { WorkspaceObject } from "../access/object-permissions.ts";
import type { WorkspaceContext } from "../core/context.ts";
import { Refusal } from "../databricks-error.ts";

export type Entity = {
  readonly name: string;
  readonly entity_name: string;
  readonly entity_version: string;
  readonly workload_size?: string | undefined;
  readonly workload_type: string;
  readonly scale_to_zero_enabled: boolean;
  readonly min_provisioned_concurrency?: number | undefined;
  readonly max_provisioned_concurrency?: number | undefined;
  /** References to secrets stay as they are. */
  readonly environment_vars?: Readonly<Record<string, string>> | undefined;
  readonly creator: string;
  readonly creation_timestamp: number;
};

export type Route = { readonly served_entity_name: string; readonly traffic_percentage: number };

export type Config = {
  readonly config_version: number;
  readonly served_entities: readonly Entity[];
  readonly routes: readonly Route[];
};

export type PendingConfig = Config & {
  readonly start_time: number;
  /** Why it is not served, by entity; empty while it starts. */
  readonly failures: Readonly<Record<string, string>>;
};

export type Tag = { readonly key: string; readonly value?: string | undefined };

export type Endpoint = {
  readonly id: string;
  readonly name: string;
  readonly creator: string;
  readonly creation_timestamp: number;
  readonly last_updated_timestamp: number;
  readonly description?: string | undefined;
  readonly tags: readonly Tag[];
  readonly route_optimized: boolean;
  readonly budget_policy_id?: string | undefined;
  /** Kept as they were given; see docs/local-workspace.md for what has an effect. */
  readonly ai_gateway?: Readonly<Record<string, unknown>> | undefined;
  readonly telemetry_config?: Readonly<Record<string, unknown>> | undefined;
  readonly email_notifications?: Readonly<Record<string, unknown>> | undefined;
  /** Such as `agent/v1/responses`, as the model says. */
  readonly task?: string | undefined;
  /** What is served; `null` until something is. */
  readonly config: Config | null;
  readonly pending: PendingConfig | null;
  readonly next_config_version: number;
};

export const endpointsOf = ({ state }: WorkspaceContext) =>
  state.collection<Endpoint>("serving-endpoints");

/** @throws Refusal `RESOURCE_DOES_NOT_EXIST`. */
export function findEndpoint(context: WorkspaceContext, name: string): Endpoint {
  const endpoint = endpointsOf(context).get(name);
  if (endpoint) return endpoint;
  throw new Refusal("RESOURCE_DOES_NOT_EXIST", `Endpoint with name '${name}' does not exist.`);
}

/** Permissions are by id: an endpoint of the same name that is made later has none of the old ones. */
export const objectOf = ({ id }: Endpoint): WorkspaceObject => ({ type: "serving-endpoints", id });

/** What becomes of an entity that was ready once. */
export type EntityState = {
  readonly deployment: "DEPLOYMENT_READY" | "DEPLOYMENT_RECOVERING" | "DEPLOYMENT_FAILED";
  readonly message: string;
  /** Nothing runs until the next request. */
  readonly isCold?: true;
};

export type Described = {
  readonly url: string;
  readonly permissionLevel: string | null;
  /** Of an entity that is served. */
  readonly stateOf: (entity: Entity) => EntityState;
};

/** As `GET /api/2.0/serving-endpoints/{name}` answers. */
export function describeEndpoint(endpoint: Endpoint, described: Described) {
  const { config, pending } = endpoint;
  return {
    ...commonFields(endpoint, described),
    permission_level: described.permissionLevel,
    route_optimized: endpoint.route_optimized,
    endpoint_url: `${described.url}/serving-endpoints/${endpoint.name}/invocations`,
    email_notifications: endpoint.email_notifications,
    ...(config
      ? { config: describeConfig(config, (entity) => stateFields(described.stateOf(entity))) }
      : {}),
    ...(pending
      ? {
          pending_config: {
            ...describeConfig(pending, ({ name }) => pendingState(pending, name)),
            start_time: pending.start_time,
          },
        }
      : {}),
  };
}

/** As an entry of `GET /api/2.0/serving-endpoints`. */
export function summarizeEndpoint(endpoint: Endpoint, described: Described) {
  const entities = (endpoint.config ?? endpoint.pending)?.served_entities ?? [];
  return {
    ...commonFields(endpoint, described),
    config: {
      served_entities: entities.map(({ name, entity_name, entity_version }) => ({
        name,
        entity_name,
        entity_version,
      })),
    },
  };
}

function commonFields(endpoint: Endpoint, { stateOf }: Described) {
  const { config, pending } = endpoint;
  const isReady =
    config?.served_entities.every((entity) => stateOf(entity).deployment === "DEPLOYMENT_READY") ??
    false;
  return {
    id: endpoint.id,
    name: endpoint.name,
    creator: endpoint.creator,
    creation_timestamp: endpoint.creation_timestamp,
    last_updated_timestamp: endpoint.last_updated_timestamp,
    description: endpoint.description,
    budget_policy_id: endpoint.budget_policy_id,
    task: endpoint.task,
    tags: endpoint.tags,
    ai_gateway: endpoint.ai_gateway,
    telemetry_config: endpoint.telemetry_config,
    state: {
      ready: isReady ? "READY" : "NOT_READY",
      config_update: updateState(pending),
    },
  };
}

function updateState(pending: PendingConfig | null): string {
  if (!pending) return "NOT_UPDATING";
  return Object.keys(pending.failures).length > 0 ? "UPDATE_FAILED" : "IN_PROGRESS";
}

export const isUpdating = ({ pending }: Endpoint): boolean =>
  updateState(pending) === "IN_PROGRESS";

type StateFields = { readonly deployment: string; readonly deployment_state_message: string };

function describeConfig(config: Config, stateOf: (entity: Entity) => StateFields) {
  return {
    config_version: config.config_version,
    served_entities: config.served_entities.map((entity) => ({
      ...entity,
      state: stateOf(entity),
    })),
    traffic_config: {
      routes: config.routes.map((route) => ({
        ...route,
        // Its former name, which Databricks still tells.
        served_model_name: route.served_entity_name,
      })),
    },
  };
}

function stateFields({ deployment, message }: EntityState): StateFields {
  return { deployment, deployment_state_message: message };
}

function pendingState(pending: PendingConfig, entity: string): StateFields {
  const failure = pending.failures[entity];
  if (failure !== undefined) {
    return { deployment: "DEPLOYMENT_FAILED", deployment_state_message: failure };
  }
  return updateState(pending) === "UPDATE_FAILED"
    ? { deployment: "DEPLOYMENT_ABORTED", deployment_state_message: "Another entity failed." }
    : { deployment: "DEPLOYMENT_CREATING", deployment_state_message: "" };
}

/** What Databricks provisions for the sizes that have a name, at most. */
const CONCURRENCY_OF: Readonly<Record<string, number>> = { Small: 4, Medium: 16, Large: 64 };

export function provisionedConcurrency(config: Config | null): number {
  return (config?.served_entities ?? []).reduce(
    (sum, { workload_size: size = "", max_provisioned_concurrency: most }) =>
      sum + (most ?? CONCURRENCY_OF[size] ?? 0),
    0,
  );
}
