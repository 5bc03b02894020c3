/** What an endpoint serves, since when, and how that came to be. Reads only. */
import type { ServedEntity, ServingEndpoint } from "../databricks/serving-endpoints.ts";
import { readRecord } from "./endpoint/deployment-record.ts";
import { mainEntity } from "./endpoint/desired-config.ts";
import type { DeployContext } from "./progress.ts";
import { getKnownEndpoint } from "./rollback.ts";

export type DeploymentStatus = {
  readonly endpointName: string;
  readonly endpointUrl: string;
  /** `READY` or `NOT_READY`, as Databricks says it; `null` when it does not. */
  readonly ready: string | null;
  /** `NOT_UPDATING`, `IN_PROGRESS`, `UPDATE_FAILED` or `UPDATE_CANCELED`. */
  readonly configUpdate: string | null;
  /** The main one first. */
  readonly serving: readonly ServedVersion[];
  /** What it is being updated to; empty when it is not. */
  readonly pending: readonly ServedVersion[];
  /** ISO 8601; `null` when Databricks does not say. */
  readonly lastChanged: string | null;
  /** Of those that were deployed from here; `null` for others. */
  readonly agent: string | null;
  readonly agentVersion: string | null;
  readonly environment: string | null;
  /** Versions that were served before, the latest first. */
  readonly previousVersions: readonly string[];
  readonly rolledBackFrom: string | null;
};

export type ServedVersion = {
  readonly modelName: string | null;
  readonly modelVersion: string | null;
  readonly trafficPercentage: number | null;
  /** Such as `DEPLOYMENT_READY`. */
  readonly state: string | null;
  /** Databricks' own words. */
  readonly message: string | null;
};

export async function deploymentStatus(
  context: DeployContext,
  endpointName: string,
): Promise<DeploymentStatus> {
  const endpoint = await getKnownEndpoint(context, endpointName);
  const { servedEntities, routes, pendingEntities, pendingRoutes, updatedMs } = endpoint;
  const main = mainEntity(servedEntities, routes);
  const record = main && readRecord(main);
  return {
    endpointName,
    endpointUrl: `${context.client.host}/serving-endpoints/${encodeURIComponent(endpointName)}/invocations`,
    ready: endpoint.ready,
    configUpdate: endpoint.configUpdate,
    serving: servedEntities
      .map((entity) => describe(entity, routes))
      .sort((a, b) => (b.trafficPercentage ?? 0) - (a.trafficPercentage ?? 0)),
    pending: pendingEntities.map((entity) => describe(entity, pendingRoutes)),
    lastChanged: updatedMs === null ? null : new Date(updatedMs).toISOString(),
    agent: record?.agent ?? null,
    agentVersion: record?.agentVersion ?? null,
    environment: record?.environment ?? null,
    previousVersions: record?.previous.map(({ version }) => version) ?? [],
    rolledBackFrom: record?.rolledBackFrom?.version ?? null,
  };
}

function describe(entity: ServedEntity, routes: ServingEndpoint["routes"]): ServedVersion {
  const route = routes.find(({ servedEntityName }) => servedEntityName === entity.name);
  return {
    modelName: entity.entityName,
    modelVersion: entity.entityVersion,
    trafficPercentage: route?.trafficPercentage ?? null,
    state: entity.deployment,
    message: entity.message,
  };
}
