/**
 * Brings back the version that was served before. Said twice it is done once: after a
 * rollback, another one without a version changes nothing, so that whoever was killed
 * over it can say it again.
 */
import { isNotThere } from "../databricks/databricks-error.ts";
import {
  getServingEndpoint,
  type ServedEntity,
  type ServingEndpoint,
  updateServingConfig,
} from "../databricks/serving-endpoints.ts";
import { MonitorError } from "../monitor-error.ts";
import { isConflict } from "./databricks-says.ts";
import {
  type DeploymentRecord,
  isSameModel,
  type ModelRef,
  readRecord,
  refOfEntity,
} from "./endpoint/deployment-record.ts";
import { configAsServed, mainEntity, rolledBackConfig } from "./endpoint/desired-config.ts";
import { isUpdating } from "./endpoint/update-state.ts";
import { waitReady } from "./endpoint/wait-ready.ts";
import { findRegisteredVersion } from "./model-version/find-version.ts";
import type { DeployContext } from "./progress.ts";

export type RollbackResult = {
  readonly endpointName: string;
  /** Versions of the model. */
  readonly from: string;
  readonly to: string;
  /** `unchanged`: it was rolled back already. */
  readonly status: "success" | "unchanged";
};

/**
 * @param to a version; the one before when it is left out.
 * @throws MonitorError `ENDPOINT_UNKNOWN`, `ROLLBACK_IMPOSSIBLE`,
 * `MODEL_VERSION_UNKNOWN`, `DEPLOYMENT_CONFLICT`.
 */
export async function rollback(
  context: DeployContext,
  endpointName: string,
  { to }: { readonly to?: string | undefined } = {},
): Promise<RollbackResult> {
  const { client } = context;
  const endpoint = await getKnownEndpoint(context, endpointName);
  const coming = mainEntity(endpoint.pendingEntities, endpoint.pendingRoutes);
  const comingFrom = coming && readRecord(coming)?.rolledBackFrom;
  if (
    isUpdating(endpoint) &&
    coming &&
    comingFrom &&
    (to === undefined || coming.entityVersion === to)
  ) {
    // A run before this one was killed while it waited.
    const { pendingEntities: servedEntities, pendingRoutes: routes } = endpoint;
    await waitReady(context, endpointName, configAsServed({ servedEntities, routes }));
    return {
      endpointName,
      from: comingFrom.version,
      to: coming.entityVersion ?? "",
      status: "success",
    };
  }
  if (isUpdating(endpoint)) {
    throw updating(endpoint, coming);
  }

  const { entity, served, record } = servedOf(endpoint);
  if (to === served.version || (to === undefined && record.rolledBackFrom)) {
    const from = record.rolledBackFrom?.version ?? served.version;
    return { endpointName, from, to: served.version, status: "unchanged" };
  }
  const target = targetOf(endpointName, served, record, to);
  await findRegisteredVersion(client, { name: target.name, version: Number(target.version) });
  const config = rolledBackConfig(entity, record, target);
  context.onProgress({
    step: "endpoint",
    state: "started",
    message: `${endpointName}: from version ${served.version} back to ${target.version}`,
  });
  try {
    await updateServingConfig(client, endpointName, config);
  } catch (error) {
    if (!isConflict(error)) throw error;
    const now = await getServingEndpoint(client, endpointName);
    // An answer that was lost: what is coming may be what was asked for.
    const next = mainEntity(now.pendingEntities, now.pendingRoutes);
    if (!next || !isSameModel(refOfEntity(next), target)) throw updating(now, next);
  }
  await waitReady(context, endpointName, config);
  return { endpointName, from: served.version, to: target.version, status: "success" };
}

/** @throws MonitorError `ENDPOINT_UNKNOWN`. */
export async function getKnownEndpoint(
  { client }: DeployContext,
  name: string,
): Promise<ServingEndpoint> {
  try {
    return await getServingEndpoint(client, name);
  } catch (error) {
    if (!isNotThere(error)) throw error;
    throw new MonitorError("ENDPOINT_UNKNOWN", `there is no endpoint "${name}" on ${client.host}`, {
      hint: "Check the name and the workspace; an endpoint that you may not see is not there for you.",
      cause: error,
    });
  }
}

type Served = {
  readonly entity: ServedEntity;
  readonly served: ModelRef;
  readonly record: DeploymentRecord;
};

function servedOf({ name, servedEntities, routes }: ServingEndpoint): Served {
  const entity = mainEntity(servedEntities, routes);
  const served = entity && refOfEntity(entity);
  const record = entity && readRecord(entity);
  if (entity && served && record) return { entity, served, record };
  throw new MonitorError(
    "ROLLBACK_IMPOSSIBLE",
    `it is not known what "${name}" served before: it was not deployed from here`,
    { hint: "Deploy the version that you want by its name: agent.model.name and version." },
  );
}

function targetOf(
  endpointName: string,
  served: ModelRef,
  { previous }: DeploymentRecord,
  to: string | undefined,
): ModelRef {
  const target =
    to === undefined
      ? previous[0]
      : (previous.find(({ version }) => version === to) ?? { name: served.name, version: to });
  if (target && /^\d{1,15}$/.test(target.version)) return target;
  if (to !== undefined) {
    throw new MonitorError("USAGE_INVALID", `"${to}" is not the number of a version`, {
      hint: `Give a number; before, "${endpointName}" served ${previous.map(({ version }) => version).join(", ") || "nothing"}.`,
    });
  }
  throw new MonitorError(
    "ROLLBACK_IMPOSSIBLE",
    `"${endpointName}" has served nothing before version ${served.version}`,
    { hint: "Name a version that is registered, such as rollback --to 3." },
  );
}

function updating({ name }: ServingEndpoint, coming: ServedEntity | null): MonitorError {
  const what = coming
    ? `version ${coming.entityVersion} of model "${coming.entityName}"`
    : "another configuration";
  return new MonitorError("DEPLOYMENT_CONFLICT", `"${name}" is being updated to ${what}`, {
    hint: "Wait until that is finished (dspy-databricks status tells), then roll back.",
  });
}
