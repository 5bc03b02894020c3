/**
 * What an endpoint is to serve, from `agent.yaml` and what it serves now. Pure: the
 * same question for a first deployment, a changed one, a repeated one and a rollback.
 */
import type { AgentConfig } from "../../config/agent-config.ts";
import type {
  Route,
  ServedEntity,
  ServedEntityInput,
  ServingConfigInput,
  ServingEndpoint,
} from "../../databricks/serving-endpoints.ts";
import {
  type DeploymentRecord,
  isSameModel,
  type ModelRef,
  RECORD_VARIABLE,
  readRecord,
  refOfEntity,
  writeRecord,
} from "./deployment-record.ts";

/** The entity that most requests go to, of the configuration that serves or of the one that waits. */
export function mainEntity(
  entities: readonly ServedEntity[],
  routes: readonly Route[],
): ServedEntity | null {
  const shareOf = ({ name }: ServedEntity) =>
    routes.find(({ servedEntityName }) => servedEntityName === name)?.trafficPercentage ?? 0;
  return entities.toSorted((a, b) => shareOf(b) - shareOf(a))[0] ?? null;
}

/** @param current `null` where the endpoint is not there yet. */
export function desiredConfig(
  config: AgentConfig,
  model: ModelRef,
  current: ServingEndpoint | null,
): ServingConfigInput {
  const { deployment } = config;
  const entities = current?.servedEntities ?? [];
  const ofModel = entities.find((entity) => isSameModel(refOfEntity(entity), model));
  const before = mainEntity(
    entities.filter((entity) => entity !== ofModel),
    current?.routes ?? [],
  );
  const main = mainEntity(entities, current?.routes ?? []);
  const record: DeploymentRecord = {
    agent: config.name,
    agentVersion: config.version,
    environment: config.environment,
    previous: previousOf(model, ofModel ?? null, before ?? main),
    // Deploying a version that a rollback had brought back does not undo the rollback.
    rolledBackFrom: ofModel ? (readRecord(ofModel)?.rolledBackFrom ?? null) : null,
  };
  const wanted: ServedEntityInput = {
    name: servedEntityName(model),
    entity_name: model.name,
    entity_version: model.version,
    workload_size: deployment.computeSize,
    workload_type: deployment.computeType,
    scale_to_zero_enabled: deployment.scaleToZero,
    environment_vars: environmentOf(config, model, record),
  };
  const share = before ? deployment.trafficPercentage : 100;
  if (!before || share === 100) return configOf([[wanted, 100]]);
  return configOf([
    [wanted, share],
    [inputOf(before), 100 - share],
  ]);
}

/** What was served before the version that is to be served: it, and what was before it. */
function previousOf(
  model: ModelRef,
  ofModel: ServedEntity | null,
  before: ServedEntity | null,
): readonly ModelRef[] {
  // The version stays, so what was before it stays too.
  const kept = ofModel && readRecord(ofModel)?.previous;
  if (kept) return kept;
  const last = before && refOfEntity(before);
  if (!before || !last || isSameModel(last, model)) return [];
  const earlier = readRecord(before)?.previous ?? [];
  return [last, ...earlier.filter((ref) => !isSameModel(ref, model))];
}

/** Back to an earlier version, with all else as it is served now. */
export function rolledBackConfig(
  entity: ServedEntity,
  record: DeploymentRecord,
  to: ModelRef,
): ServingConfigInput {
  const at = record.previous.findIndex((ref) => isSameModel(ref, to));
  const back: DeploymentRecord = {
    ...record,
    previous: record.previous.slice(at + 1),
    rolledBackFrom: refOfEntity(entity),
  };
  const input = inputOf(entity);
  const wanted: ServedEntityInput = {
    ...input,
    name: servedEntityName(to),
    entity_name: to.name,
    entity_version: to.version,
    environment_vars: {
      ...input.environment_vars,
      DSPY_MODEL_VERSION: to.version,
      [RECORD_VARIABLE]: writeRecord(back),
    },
  };
  return configOf([[wanted, 100]]);
}

/**
 * The configuration that an endpoint serves, to be put in place again.
 *
 * @param from the version that was tried in between and did not do.
 */
export function configAsServed(
  { servedEntities, routes }: Pick<ServingEndpoint, "servedEntities" | "routes">,
  from: ModelRef | null = null,
): ServingConfigInput {
  const shareOf = (name: string) =>
    routes.find(({ servedEntityName: of }) => of === name)?.trafficPercentage ?? 100;
  return configOf(
    servedEntities.map((entity) => {
      const input = inputOf(entity);
      const record = readRecord(entity);
      const marked = from && record && writeRecord({ ...record, rolledBackFrom: from });
      const environment = {
        ...input.environment_vars,
        ...(marked && { [RECORD_VARIABLE]: marked }),
      };
      return [{ ...input, environment_vars: environment }, shareOf(entity.name)];
    }),
  );
}

/**
 * Whether it is what is wanted. What Databricks adds by itself makes no difference.
 *
 * @param options.untoldVariables whether an entity that tells no variables at all, as one
 * may be shown to who may only look at it, counts as the same. By default it does not,
 * so that no change is taken for done that was not seen.
 */
export function isSameConfig(
  wanted: ServingConfigInput,
  entities: readonly ServedEntity[],
  routes: readonly Route[],
  { untoldVariables = "different" }: { readonly untoldVariables?: "same" | "different" } = {},
): boolean {
  return (
    wanted.served_entities.length === entities.length &&
    wanted.served_entities.every((input) => {
      const entity = entities.find(({ name }) => name === input.name);
      if (!entity) return false;
      const share = wanted.traffic_config?.routes.find(
        ({ served_entity_name: name }) => name === input.name,
      )?.traffic_percentage;
      const served = routes.find(({ servedEntityName: name }) => name === input.name);
      return (
        entity.entityName === input.entity_name &&
        entity.entityVersion === input.entity_version &&
        // An answer that leaves a field out does not say that it differs.
        agrees(entity.workloadSize, input.workload_size) &&
        agrees(entity.workloadType, input.workload_type) &&
        agrees(entity.scaleToZero, input.scale_to_zero_enabled) &&
        ((untoldVariables === "same" && entity.environmentVars.size === 0) ||
          isSameEnvironment(entity.environmentVars, input.environment_vars ?? {})) &&
        (served?.trafficPercentage ?? 100) === share
      );
    })
  );
}

function agrees<T>(told: T | null, wanted: T | undefined): boolean {
  return told === null || wanted === undefined || told === wanted;
}

function isSameEnvironment(
  told: ReadonlyMap<string, string>,
  wanted: Readonly<Record<string, string>>,
): boolean {
  const entries = Object.entries(wanted);
  return entries.length === told.size && entries.every(([key, value]) => told.get(key) === value);
}

/** The agent's own variables win: whoever sets one of ours means it. */
function environmentOf(
  { deployment, monitoring }: AgentConfig,
  { version }: ModelRef,
  record: DeploymentRecord,
): Readonly<Record<string, string>> {
  const { telemetry } = monitoring;
  return {
    DSPY_ENDPOINT: deployment.servingEndpoint,
    DSPY_MODEL_VERSION: version,
    ...(telemetry
      ? { OTEL_EXPORTER_OTLP_ENDPOINT: telemetry.endpoint }
      : // Nobody listens inside the container, so nothing is sent there.
        { OTEL_TRACES_EXPORTER: "none" }),
    ...(telemetry?.headers !== undefined && { OTEL_EXPORTER_OTLP_HEADERS: telemetry.headers }),
    ...deployment.environmentVars,
    [RECORD_VARIABLE]: writeRecord(record),
  };
}

/** Databricks takes letters, digits, `-` and `_` in the name of a served entity. */
function servedEntityName({ name, version }: ModelRef): string {
  const [model = ""] = name.split(".").slice(-1);
  return `${model.replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, 50)}-${version}`;
}

function inputOf(entity: ServedEntity): ServedEntityInput {
  const { entityName, entityVersion, workloadSize, workloadType, scaleToZero } = entity;
  const { minProvisionedConcurrency: min, maxProvisionedConcurrency: max } = entity;
  return {
    name: entity.name,
    ...(entityName !== null && { entity_name: entityName }),
    ...(entityVersion !== null && { entity_version: entityVersion }),
    ...(workloadSize !== null && { workload_size: workloadSize }),
    ...(workloadType !== null && { workload_type: workloadType }),
    ...(scaleToZero !== null && { scale_to_zero_enabled: scaleToZero }),
    // Either a size or the bounds: both are refused.
    ...(workloadSize === null && min !== null && { min_provisioned_concurrency: min }),
    ...(workloadSize === null && max !== null && { max_provisioned_concurrency: max }),
    environment_vars: Object.fromEntries(entity.environmentVars),
  };
}

function configOf(
  shares: readonly (readonly [entity: ServedEntityInput, percentage: number])[],
): ServingConfigInput {
  return {
    served_entities: shares.map(([entity]) => entity),
    traffic_config: {
      routes: shares.map(([{ name = "" }, percentage]) => ({
        served_entity_name: name,
        traffic_percentage: percentage,
      })),
    },
  };
}
