/** Whether an endpoint is on its way to another configuration, in Databricks' words. */
import type { ServingEndpoint } from "../../databricks/serving-endpoints.ts";

const GIVEN_UP = ["UPDATE_FAILED", "UPDATE_CANCELED"];

export function isUpdating(endpoint: ServingEndpoint): boolean {
  // The configuration that failed may still be shown as the one that waits.
  return (
    endpoint.configUpdate === "IN_PROGRESS" || (endpoint.hasPendingConfig && !isGivenUp(endpoint))
  );
}

export function isGivenUp({ configUpdate }: ServingEndpoint): boolean {
  return GIVEN_UP.includes(configUpdate ?? "");
}
