/**
 * Vector search indexes: what is known of them, which is read without querying them, and
 * queries. `detailed_state` is in no official type, but real workspaces were seen to send
 * it; whether an index serves is told by `ready`.
 *
 * Source: databricks-sdk-py 0.156.0, `VectorSearchIndexesAPI`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { integerOf, recordOf, recordsOf, textOf } from "./json-fields.ts";
import { readPages } from "./pages.ts";

export type VectorSearchIndex = {
  /** With catalog and schema, such as `ml.docs.index`. */
  readonly name: string;
  /** The vector search endpoint that serves it. */
  readonly endpointName: string | null;
  /** `DELTA_SYNC` or `DIRECT_ACCESS`. */
  readonly indexType: string | null;
  /** `null` when Databricks does not say. */
  readonly isReady: boolean | null;
  /** Such as `ONLINE_NO_PENDING_UPDATE`. */
  readonly detailedState: string | null;
  readonly indexedRows: number | null;
  /** Databricks' own words. */
  readonly message: string | null;
  /** The table that it follows. */
  readonly sourceTable: string | null;
};

export async function getVectorSearchIndex(
  client: DatabricksClient,
  name: string,
  limits: CallLimits = {},
): Promise<VectorSearchIndex> {
  const answer = await client.getJson(apiPath`/api/2.0/vector-search/indexes/${name}`, {
    ...limits,
    purpose: `read vector search index "${name}"`,
    permission: `Give the identity SELECT on index "${name}", and USE CATALOG and USE SCHEMA on what it is in.`,
  });
  const index = recordOf(answer.json);
  const foundName = textOf(index?.name);
  if (!index || !foundName) throw answer.unusable("is not a vector search index");

  const status = recordOf(index.status);
  return {
    name: foundName,
    endpointName: textOf(index.endpoint_name),
    indexType: textOf(index.index_type),
    isReady: typeof status?.ready === "boolean" ? status.ready : null,
    detailedState: textOf(status?.detailed_state),
    indexedRows: integerOf(status?.indexed_row_count),
    message: textOf(status?.message),
    sourceTable: textOf(recordOf(index.delta_sync_index_spec)?.source_table),
  };
}

/** The names of the indexes that an endpoint serves. */
export async function listVectorSearchIndexes(
  client: DatabricksClient,
  endpointName: string,
  limits: CallLimits = {},
): Promise<readonly string[]> {
  const entries = await readPages("vector_indexes", (page) =>
    client.getJson(apiPath`/api/2.0/vector-search/indexes`, {
      ...limits,
      query: { endpoint_name: endpointName, ...page },
      purpose: `list the indexes of vector search endpoint "${endpointName}"`,
      permission: `Give the identity CAN USE on vector search endpoint "${endpointName}".`,
    }),
  );
  return recordsOf(entries)
    .map(({ name }) => textOf(name))
    .filter((name) => name !== null);
}

/** Brings an index up to date with its table; resolves once that has begun. */
export async function syncVectorSearchIndex(
  client: DatabricksClient,
  name: string,
  limits: CallLimits = {},
): Promise<void> {
  await client.post(apiPath`/api/2.0/vector-search/indexes/${name}/sync`, {
    ...limits,
    purpose: `update vector search index "${name}"`,
    permission: `Make the identity the owner of index "${name}".`,
  });
}

/** What is looked for, in Databricks' own names; fields that are not named here are sent as they are. */
export type VectorSearchQuery = {
  /** Of the rows that are found. */
  readonly columns: readonly string[];
  /** For an index that embeds texts itself. */
  readonly query_text?: string;
  /** For one whose vectors are its owner's. */
  readonly query_vector?: readonly number[];
  /** 10 when it is left out. */
  readonly num_results?: number;
  /** JSON, such as `{"year >=": 2024}`. */
  readonly filters_json?: string;
  /** `ANN`, `HYBRID` or `FULL_TEXT`. */
  readonly query_type?: string;
  readonly score_threshold?: number;
  readonly [further: string]: unknown;
};

export type VectorSearchMatches = {
  /** Those that were asked for, and then `score`. */
  readonly columns: readonly string[];
  /** The best first; values are as Databricks sent them. */
  readonly rows: readonly (readonly unknown[])[];
};

/** The first page of what fits best. It only reads, but costs what a query costs. */
export async function queryVectorSearchIndex(
  client: DatabricksClient,
  name: string,
  query: VectorSearchQuery,
  limits: CallLimits = {},
): Promise<VectorSearchMatches> {
  const answer = await client.postJson(
    apiPath`/api/2.0/vector-search/indexes/${name}/query`,
    query,
    {
      ...limits,
      purpose: `query vector search index "${name}"`,
      permission: `Give the identity SELECT on index "${name}", and USE CATALOG and USE SCHEMA on what it is in.`,
      isIdempotent: true,
    },
  );
  const found = recordOf(answer.json);
  const manifest = recordOf(found?.manifest);
  if (!found || !manifest) throw answer.unusable("is not the answer to a query");
  const rows = recordOf(found.result)?.data_array;
  return {
    columns: recordsOf(manifest.columns).map((column) => textOf(column.name) ?? ""),
    rows: Array.isArray(rows) ? rows.filter((row) => Array.isArray(row)) : [],
  };
}
