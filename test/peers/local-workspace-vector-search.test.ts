/** The official SDK keeps vector search endpoints and indexes in the local workspace. */
import { systemClock } from "../../src/clock.ts";
import { startLocalWorkspace } from "../../src/local-workspace/workspace.ts";
import { testDocumentedRoutes } from "./documented-routes.ts";
import { driveSdk, sdk } from "./drive-sdk.ts";

const workspace = await startLocalWorkspace({
  otlpUrl: null,
  clock: systemClock,
  principals: { ann: "token-of-ann" },
});
const standard = sdk.enum("vectorsearch.EndpointType.STANDARD");
const index = (name: string, endpoint: string) => ({
  name,
  endpoint_name: endpoint,
  primary_key: "id",
  index_type: sdk.enum("vectorsearch.VectorIndexType.DELTA_SYNC"),
  delta_sync_index_spec: sdk.object("vectorsearch.DeltaSyncVectorIndexSpecRequest", {
    source_table: "ml.default.pages",
    pipeline_type: "TRIGGERED",
  }),
});

await driveSdk({
  url: workspace.url,
  tokens: { admin: workspace.token, ann: "token-of-ann" },
  calls: [
    {
      what: "an endpoint is made, and online",
      call: "vector_search_endpoints.create_endpoint",
      args: { name: "search", endpoint_type: standard },
      wait: true,
      answers: { name: "search", endpoint_status: { state: "ONLINE" }, num_indexes: 0 },
    },
    {
      what: "once",
      call: "vector_search_endpoints.create_endpoint",
      args: { name: "search", endpoint_type: standard },
      refuses: { type: "ResourceAlreadyExists", says: /'search' already exists/ },
    },
    {
      what: "it is listed",
      call: "vector_search_endpoints.list_endpoints",
      answers: [{ name: "docs-search" }, { name: "search" }],
    },
    {
      what: "an index is made on it",
      call: "vector_search_indexes.create_index",
      args: index("ml.default.pages_index", "search"),
      answers: {
        name: "ml.default.pages_index",
        index_type: "DELTA_SYNC",
        status: { ready: true },
        delta_sync_index_spec: { source_table: "ml.default.pages" },
      },
    },
    {
      what: "not on one that does not exist",
      call: "vector_search_indexes.create_index",
      args: index("ml.default.other", "nothing"),
      refuses: { type: "ResourceDoesNotExist", says: /endpoint 'nothing' does not exist/ },
    },
    {
      what: "it is listed",
      call: "vector_search_indexes.list_indexes",
      args: { endpoint_name: "search" },
      answers: [{ name: "ml.default.pages_index" }],
    },
    {
      what: "the examples' is ready",
      call: "vector_search_indexes.get_index",
      args: { index_name: "ml.docs.index" },
      answers: { status: { ready: true, indexed_row_count: 6 } },
    },
    {
      what: "who may not read it doesn't see it",
      call: "vector_search_indexes.get_index",
      args: { index_name: "ml.docs.index" },
      as: "ann",
      refuses: { type: "PermissionDenied", says: /USE CATALOG on Catalog 'ml'/ },
    },
    {
      what: "an endpoint with indexes stays",
      call: "vector_search_endpoints.delete_endpoint",
      args: { endpoint_name: "search" },
      refuses: { type: "InvalidState", says: /has indexes/ },
    },
    {
      what: "an index is deleted",
      call: "vector_search_indexes.delete_index",
      args: { index_name: "ml.default.pages_index" },
    },
    {
      what: "then the endpoint",
      call: "vector_search_endpoints.delete_endpoint",
      args: { endpoint_name: "search" },
    },
    {
      what: "and is gone",
      call: "vector_search_endpoints.get_endpoint",
      args: { endpoint_name: "search" },
      refuses: { type: "ResourceDoesNotExist", says: /'search' does not exist/ },
    },
  ],
});
testDocumentedRoutes(import.meta.url, [workspace]);
await workspace.close();
