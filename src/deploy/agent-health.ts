/**
 * The health of a deployed agent: its endpoint, the version of the model that it
 * serves, and the index that it searches. What is checked stands in the endpoint
 * itself, so any machine that may see the endpoint can check it.
 */
import type { ServingEndpoint } from "../databricks/serving-endpoints.ts";
import { createEndpointCheck } from "../health/checks/endpoint-check.ts";
import { checkModelRegistryHealth } from "../health/checks/model-registry-check.ts";
import { checkVectorStoreHealth } from "../health/checks/vector-store-check.ts";
import {
  type ComponentHealth,
  HealthCheckManager,
  type HealthReport,
} from "../health/health-check-manager.ts";
import { mainEntity } from "./endpoint/desired-config.ts";
import type { DeployContext } from "./progress.ts";
import { getKnownEndpoint } from "./rollback.ts";

/** The tag of an endpoint that names the index its agent searches. */
export const VECTOR_INDEX_TAG = "dspy_vector_index";

export type AgentHealth = {
  readonly endpointName: string;
  readonly status: HealthReport["status"];
  /** ISO 8601. */
  readonly timestamp: string;
  readonly checks: readonly Pick<ComponentHealth, "name" | "status" | "message" | "latencyMs">[];
};

export async function checkAgentHealth(
  context: DeployContext,
  endpointName: string,
): Promise<AgentHealth> {
  const endpoint = await getKnownEndpoint(context, endpointName);
  const { status, timestamp, components } = await runChecks(context, endpoint);
  return {
    endpointName,
    status,
    timestamp,
    checks: components.map(({ name, status: each, message, latencyMs }) => ({
      name,
      status: each,
      message,
      latencyMs,
    })),
  };
}

/** Runs all of them once. */
export async function runChecks(
  { client, clock }: DeployContext,
  endpoint: ServingEndpoint,
): Promise<HealthReport> {
  const manager = new HealthCheckManager({ clock });
  const { name } = endpoint;
  manager.registerCheck("endpoint", createEndpointCheck({ client, endpointName: name }));
  const main = mainEntity(endpoint.servedEntities, endpoint.routes);
  if (main?.entityName && main.entityVersion && main.entityName.includes(".")) {
    const { entityName: modelName, entityVersion: version } = main;
    manager.registerCheck("model", ({ signal }) =>
      checkModelRegistryHealth({ client, modelName, version, signal }),
    );
  }
  const indexName = endpoint.tags.get(VECTOR_INDEX_TAG);
  if (indexName) {
    manager.registerCheck("vector_store", ({ signal }) =>
      checkVectorStoreHealth({ client, indexName, signal }),
    );
  }
  try {
    return await manager.runAllChecks();
  } finally {
    await manager.close();
  }
}
