/**
 * Vector search: what Databricks tells of an index. There is one, over a
 * table of documents, and it is ready. It can't be queried.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/vectorsearch.py`; the
 * words of its message and of the refusal are assumed. `detailed_state` is left
 * out, as in the SDK's types.
 */
import type { WorkspaceApi } from "./core/context.ts";
import { databricksError } from "./databricks-error.ts";

const INDEX = "ml.docs.index";
const ENDPOINT = "docs-search";
const INDEXED_ROWS = 6;

export const vectorSearch: WorkspaceApi = {
  name: "Vector search",
  mount(routes) {
    routes.get("/api/2.0/vector-search/indexes/:name", (c) => {
      const name = c.req.param("name");
      if (name !== INDEX) {
        return databricksError(
          "RESOURCE_DOES_NOT_EXIST",
          `Vector search index '${name}' does not exist.`,
        );
      }
      const host = c.req.header("host") ?? "";
      return c.json({
        name: INDEX,
        endpoint_name: ENDPOINT,
        primary_key: "id",
        index_type: "DELTA_SYNC",
        creator: "local-workspace@example.com",
        delta_sync_index_spec: {
          source_table: "ml.docs.pages",
          pipeline_type: "TRIGGERED",
          pipeline_id: "0b2f3c1e-6f0a-4c55-9a57-2f4f6f1c7d10",
          embedding_source_columns: [
            { name: "text", embedding_model_endpoint_name: "databricks-gte-large-en" },
          ],
        },
        status: {
          ready: true,
          indexed_row_count: INDEXED_ROWS,
          index_url: `${host}/api/2.0/vector-search/indexes/${INDEX}`,
          message: "Index is ready.",
        },
      });
    });
  },
};
