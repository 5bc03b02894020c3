/**
 * Finds out how a serving endpoint is, from what Databricks reports of its state. It
 * never calls the endpoint, so it neither wakes nor bills one that is scaled to zero:
 * that one is healthy, with the state `cold`.
 */
import type { DatabricksClient } from "../../databricks/client.ts";
import { getServingEndpoint } from "../../databricks/serving-endpoints.ts";
import { checkOptions } from "../../option.ts";
import { judgeEndpoint } from "../../signals/endpoint-health.ts";
import type { Check, ComponentResult } from "../check.ts";
import { askDatabricks } from "./ask-databricks.ts";

export type EndpointCheckOptions = {
  readonly client: DatabricksClient;
  readonly endpointName: string;
};

/** Asks now. Never rejects. */
export function checkEndpointHealth(
  options: EndpointCheckOptions & { readonly signal?: AbortSignal | undefined },
): Promise<ComponentResult> {
  const { client, endpointName, signal } = options;
  return askDatabricks(`endpoint/${endpointName}`, async () => {
    const endpoint = await getServingEndpoint(client, endpointName, { signal });
    const { status, state, message } = judgeEndpoint(endpoint);
    const served = endpoint.servedEntities.map(({ entityName, name, entityVersion }) =>
      `${entityName ?? name} ${entityVersion ?? ""}`.trim(),
    );
    const evidence = {
      ready: endpoint.ready,
      configUpdate: endpoint.configUpdate,
      served: served.join(", "),
    };
    return { status, state, message, evidence };
  });
}

/** A check to register with a `HealthCheckManager`. */
export function createEndpointCheck(options: EndpointCheckOptions): Check {
  checkOptions("an endpoint check", options);
  return ({ signal }) => checkEndpointHealth({ ...options, signal });
}
