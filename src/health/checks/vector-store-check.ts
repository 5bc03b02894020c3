/**
 * Finds out whether a vector search index serves, from what Databricks reports of it;
 * it sends no query. `ready` decides. Where Databricks also says in detail that an
 * update failed, an index that serves is degraded: what it finds may be old.
 */
import type { DatabricksClient } from "../../databricks/client.ts";
import {
  getVectorSearchIndex,
  type VectorSearchIndex,
} from "../../databricks/vector-search-indexes.ts";
import { foreignLine } from "../../signals/foreign-line.ts";
import type { ComponentResult } from "../check.ts";
import { askDatabricks, type Verdict } from "./ask-databricks.ts";

export type VectorStoreCheckOptions = {
  readonly client: DatabricksClient;
  /** With catalog and schema, such as `ml.docs.index`. */
  readonly indexName: string;
  readonly signal?: AbortSignal | undefined;
};

/** Asks now. Never rejects. */
export function checkVectorStoreHealth(options: VectorStoreCheckOptions): Promise<ComponentResult> {
  const { client, indexName, signal } = options;
  return askDatabricks(`index/${indexName}`, async () => {
    const index = await getVectorSearchIndex(client, indexName, { signal });
    const { isReady, detailedState, indexedRows, endpointName } = index;
    return {
      ...judge(index),
      evidence: { ready: isReady, detailedState, indexedRows, endpoint: endpointName },
    };
  });
}

function judge({ isReady, detailedState, indexedRows, message }: VectorSearchIndex): Verdict {
  const said = message === null ? "" : `: "${foreignLine(message).replace(/\.$/, "")}"`;
  if (isReady === null) {
    return { status: "unknown", state: "unknown", message: "Databricks reports no state." };
  }
  if (!isReady) {
    return { status: "unhealthy", state: "not_ready", message: `Not ready to be searched${said}.` };
  }
  if (detailedState !== null && /FAILED/.test(detailedState)) {
    return {
      status: "degraded",
      state: "update_failed",
      message: `Can be searched, but its last update failed, so what it finds may be old${said}.`,
    };
  }
  const rows = indexedRows === null ? "" : ` and holds ${indexedRows} rows`;
  return { status: "healthy", state: "ready", message: `Can be searched${rows}.` };
}
