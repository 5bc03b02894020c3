/**
 * The endpoints that serve vector search indexes.
 *
 * Source: databricks-sdk-py 0.156.0, `VectorSearchEndpointsAPI`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { integerOf, type JsonRecord, recordOf, recordsOf, textOf } from "./json-fields.ts";
import { readPages } from "./pages.ts";

export type VectorSearchEndpoint = {
  readonly name: string;
  readonly id: string | null;
  /** `ONLINE`, `PROVISIONING`, `OFFLINE`, `RED_STATE`, `YELLOW_STATE` and the like. */
  readonly state: string | null;
  /** Databricks' own words. */
  readonly message: string | null;
  readonly indexCount: number | null;
};

export async function getVectorSearchEndpoint(
  client: DatabricksClient,
  name: string,
  limits: CallLimits = {},
): Promise<VectorSearchEndpoint> {
  const answer = await client.getJson(apiPath`/api/2.0/vector-search/endpoints/${name}`, {
    ...limits,
    purpose: `read vector search endpoint "${name}"`,
    permission: `Give the identity CAN USE on vector search endpoint "${name}".`,
  });
  const record = recordOf(answer.json);
  const endpoint = record && readEndpoint(record);
  if (!endpoint) throw answer.unusable("is not a vector search endpoint");
  return endpoint;
}

export async function listVectorSearchEndpoints(
  client: DatabricksClient,
  limits: CallLimits = {},
): Promise<readonly VectorSearchEndpoint[]> {
  const entries = await readPages("endpoints", (page) =>
    client.getJson(apiPath`/api/2.0/vector-search/endpoints`, {
      ...limits,
      query: page,
      purpose: "list the vector search endpoints",
    }),
  );
  return recordsOf(entries)
    .map(readEndpoint)
    .filter((endpoint) => endpoint !== null);
}

function readEndpoint(endpoint: JsonRecord): VectorSearchEndpoint | null {
  const name = textOf(endpoint.name);
  if (name === null) return null;
  const status = recordOf(endpoint.endpoint_status);
  return {
    name,
    id: textOf(endpoint.id),
    state: textOf(status?.state),
    message: textOf(status?.message),
    indexCount: integerOf(endpoint.num_indexes),
  };
}
