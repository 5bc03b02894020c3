/**
 * Reads the configuration that a caller gives an endpoint: what is served, and which
 * share of the traffic each gets.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/serving.py`; Databricks,
 * "Model Serving limits". The words of the refusals are assumed.
 */
import { z } from "zod";
import type { Principal } from "../access/principals.ts";
import type { WorkspaceContext } from "../core/context.ts";
import { Refusal } from "../databricks-error.ts";
import { findVersion, modelSecurable } from "../unity-catalog/model-registry.ts";
import type { Config, Entity, Route } from "./endpoint.ts";

const ENTITIES_MAX = 15;
const ENVIRONMENT_VARS_MAX = 50;
const WORKLOAD_SIZES = ["Small", "Medium", "Large"];

const served = z.looseObject({
  name: z
    .string()
    .regex(/^[\w-]{1,63}$/)
    .optional(),
  entity_name: z.string().optional(),
  entity_version: z.union([z.string(), z.number()]).transform(String).optional(),
  workload_size: z.string().optional(),
  workload_type: z.string().default("CPU"),
  scale_to_zero_enabled: z.boolean().default(false),
  min_provisioned_concurrency: z.number().int().optional(),
  max_provisioned_concurrency: z.number().int().optional(),
  environment_vars: z.record(z.string(), z.string()).optional(),
});

export const configBody = z.looseObject({
  served_entities: z.array(served).optional(),
  traffic_config: z
    .looseObject({
      routes: z
        .array(
          z.looseObject({
            served_entity_name: z.string().optional(),
            /** Its former name. */
            served_model_name: z.string().optional(),
            traffic_percentage: z.number().int(),
          }),
        )
        .optional(),
    })
    .optional(),
});

export type ReadConfigOptions = {
  readonly context: WorkspaceContext;
  readonly principal: Principal;
  readonly version: number;
};

/** @throws Refusal when it can't be served, or the principal may not use a model of it. */
export function readConfig(
  body: z.output<typeof configBody>,
  { context, principal, version }: ReadConfigOptions,
): Config {
  if (body.served_models !== undefined) {
    throw new Refusal(
      "NOT_IMPLEMENTED",
      "The local workspace has served_entities, and not the older served_models.",
    );
  }
  const given = body.served_entities ?? [];
  if (given.length === 0 || given.length > ENTITIES_MAX) {
    throw invalid(`An endpoint serves 1 to ${ENTITIES_MAX} entities, and not ${given.length}.`);
  }
  const entities = given.map((each) => readEntity(each, { context, principal }));
  const names = entities.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw invalid(`Served entity name '${twice}' is used twice.`);
  const routes = readRoutes(body.traffic_config?.routes, names);
  return { config_version: version, served_entities: entities, routes };
}

function readEntity(
  given: z.output<typeof served>,
  { context, principal }: Pick<ReadConfigOptions, "context" | "principal">,
): Entity {
  const { entity_name: model, entity_version: version } = given;
  if (given.external_model !== undefined) {
    throw new Refusal("NOT_IMPLEMENTED", "The local workspace serves no external models.");
  }
  if (model === undefined || version === undefined) {
    throw invalid("entity_name and entity_version are required for a registered model.");
  }
  const found = findVersion(context, model, version);
  context.grants.require(principal, "EXECUTE", modelSecurable(found.full_name));
  if (found.status !== "READY") {
    throw invalid(
      `Model version '${version}' of model '${found.full_name}' is ${found.status}, not READY.`,
    );
  }
  const { min_provisioned_concurrency: least, max_provisioned_concurrency: most } = given;
  if ((given.workload_size === undefined) === (most === undefined)) {
    throw invalid("Exactly one of workload_size and max_provisioned_concurrency must be given.");
  }
  if (given.workload_size !== undefined && !WORKLOAD_SIZES.includes(given.workload_size)) {
    throw invalid(`Workload size ${given.workload_size} is none of ${WORKLOAD_SIZES.join(", ")}.`);
  }
  const variables = given.environment_vars ?? {};
  if (Object.keys(variables).length > ENVIRONMENT_VARS_MAX) {
    throw invalid(`An entity has at most ${ENVIRONMENT_VARS_MAX} environment variables.`);
  }
  return {
    name: given.name ?? `${found.model_name}-${version}`,
    entity_name: found.full_name,
    entity_version: version,
    workload_size: given.workload_size,
    workload_type: given.workload_type,
    scale_to_zero_enabled: given.scale_to_zero_enabled,
    min_provisioned_concurrency: least,
    max_provisioned_concurrency: most,
    environment_vars: given.environment_vars,
    creator: principal.name,
    creation_timestamp: Math.floor(context.clock.now()),
  };
}

type GivenRoutes = NonNullable<z.output<typeof configBody>["traffic_config"]>["routes"];

function readRoutes(given: GivenRoutes, names: readonly string[]): readonly Route[] {
  const [first = ""] = names;
  if (!given || given.length === 0) {
    if (names.length > 1) throw invalid("traffic_config is required for more than one entity.");
    return [{ served_entity_name: first, traffic_percentage: 100 }];
  }
  const routes = given.map((route) => ({
    served_entity_name: route.served_entity_name ?? route.served_model_name ?? "",
    traffic_percentage: route.traffic_percentage,
  }));
  const unknown = routes.find(({ served_entity_name: name }) => !names.includes(name));
  if (unknown) throw invalid(`No served entity is named '${unknown.served_entity_name}'.`);
  const sum = routes.reduce((all, route) => all + route.traffic_percentage, 0);
  if (sum !== 100 || routes.some(({ traffic_percentage: share }) => share < 0)) {
    throw invalid(`The traffic percentages must add up to 100, and not to ${sum}.`);
  }
  return routes;
}

const invalid = (message: string) => new Refusal("INVALID_PARAMETER_VALUE", message);
