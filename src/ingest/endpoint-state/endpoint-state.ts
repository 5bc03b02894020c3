/** Makes the state of a serving endpoint, as Databricks reports it, a result of a health check. Pure. */
import { type EndpointState, judgeEndpoint } from "../../signals/endpoint-health.ts";
import type { HealthResult } from "../../signals/health-result.ts";

export function healthOfEndpoint(
  endpoint: EndpointState,
  { timeMs }: { readonly timeMs: number },
): HealthResult {
  const [version, ...others] = new Set(
    endpoint.servedEntities.map(({ entityVersion }) => entityVersion),
  );
  return {
    component: endpointComponent(endpoint.name),
    endpoint: endpoint.name,
    ...judgeEndpoint(endpoint),
    latencyMs: null,
    ...(version && others.length === 0 && { modelVersion: version }),
    timeMs,
  };
}

export function endpointComponent(name: string): string {
  return `endpoint/${name}`;
}
