/**
 * Serving endpoints as Databricks lists and describes them. The local
 * workspace has one for each recorded agent, and all are ready.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/serving.py`.
 */
import { createHash } from "node:crypto";

export type ServedModel = {
  readonly endpointName: string;
  readonly createdMs: number;
};

/** Every endpoint has one entity, at its first version. */
const ENTITY_VERSION = "1";
const CREATOR = "local-workspace@example.com";
const WORKLOAD_SIZE = "Small";

/** What Databricks provisions for `workload_size` Small. */
export const PROVISIONED_CONCURRENCY = 4;

export const servedEntityName = (endpointName: string) =>
  `${endpointName.replaceAll("-", "_")}-${ENTITY_VERSION}`;

/** As `GET /api/2.0/serving-endpoints/{name}` answers. */
export function describeEndpoint({ endpointName, createdMs }: ServedModel) {
  const summary = summarizeEndpoint({ endpointName, createdMs });
  const servedName = servedEntityName(endpointName);
  const routes = [
    { served_entity_name: servedName, served_model_name: servedName, traffic_percentage: 100 },
  ];
  const entities = summary.config.served_entities.map((entity) => ({
    ...entity,
    workload_size: WORKLOAD_SIZE,
    workload_type: "CPU",
    scale_to_zero_enabled: false,
  }));
  return {
    ...summary,
    config: {
      served_entities: entities,
      traffic_config: { routes },
      config_version: 1,
    },
    permission_level: "CAN_QUERY",
    route_optimized: false,
  };
}

/** As an entry of `GET /api/2.0/serving-endpoints`. */
export function summarizeEndpoint({ endpointName, createdMs }: ServedModel) {
  const entity = {
    name: servedEntityName(endpointName),
    entity_name: `main.agents.${endpointName.replaceAll("-", "_")}`,
    entity_version: ENTITY_VERSION,
    creator: CREATOR,
    creation_timestamp: createdMs,
    state: { deployment: "DEPLOYMENT_READY", deployment_state_message: "" },
  };
  return {
    id: createHash("sha256").update(endpointName).digest("hex").slice(0, 32),
    name: endpointName,
    creator: CREATOR,
    creation_timestamp: createdMs,
    last_updated_timestamp: createdMs,
    task: "agent/v1/chat",
    state: { ready: "READY", config_update: "NOT_UPDATING" },
    config: { served_entities: [entity] },
    tags: [],
  };
}
