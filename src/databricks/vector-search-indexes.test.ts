/** What is read from the answers about a vector search index, in the shapes seen so far. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkApiCase, clientThatAnswers, clientThatGets } from "./test-answering-client.ts";
import {
  getVectorSearchIndex,
  listVectorSearchIndexes,
  queryVectorSearchIndex,
  syncVectorSearchIndex,
  type VectorSearchIndex,
} from "./vector-search-indexes.ts";

const unsaid: VectorSearchIndex = {
  name: "ml.docs.index",
  endpointName: null,
  indexType: null,
  isReady: null,
  detailedState: null,
  indexedRows: null,
  message: null,
  sourceTable: null,
};

test("an index", async () => {
  const { client, seen } = clientThatGets({
    name: "ml.docs.index",
    endpoint_name: "docs",
    index_type: "DELTA_SYNC",
    primary_key: "id",
    delta_sync_index_spec: { source_table: "ml.docs.pages", pipeline_type: "TRIGGERED" },
    status: {
      ready: true,
      detailed_state: "ONLINE_NO_PENDING_UPDATE",
      indexed_row_count: 1200,
      message: "Index is online.",
    },
  });
  assert.deepEqual(await getVectorSearchIndex(client, "ml.docs.index"), {
    name: "ml.docs.index",
    endpointName: "docs",
    indexType: "DELTA_SYNC",
    isReady: true,
    detailedState: "ONLINE_NO_PENDING_UPDATE",
    indexedRows: 1200,
    message: "Index is online.",
    sourceTable: "ml.docs.pages",
  });
  assert.deepEqual(seen, ["GET /api/2.0/vector-search/indexes/ml.docs.index"]);
});

for (const [what, status, expected] of [
  ["no status", undefined, {}],
  ["a status of another type", "READY", {}],
  ["readiness as text", { ready: "true" }, {}],
  ["not ready", { ready: false }, { isReady: false }],
  ["a count as text", { ready: true, indexed_row_count: "12" }, { isReady: true, indexedRows: 12 }],
] as const) {
  test(`what is not said is null: ${what}`, async () => {
    const { client } = clientThatGets({ name: "ml.docs.index", status });
    assert.deepEqual(await getVectorSearchIndex(client, "ml.docs.index"), {
      ...unsaid,
      ...expected,
    });
  });
}

for (const answer of [null, [], {}, { name: 7 }]) {
  test(`not an index: ${JSON.stringify(answer)}`, async () => {
    const { client } = clientThatGets(answer);
    await assert.rejects(getVectorSearchIndex(client, "ml.docs.index"), {
      code: "DATABRICKS_FAILED",
      message: /cannot read vector search index "ml\.docs\.index".*is not a vector search index/,
    });
  });
}

test("the indexes of an endpoint", () =>
  checkApiCase([
    (client) => listVectorSearchIndexes(client, "docs"),
    { vector_indexes: [{ name: "ml.docs.a" }, {}] },
    "GET /api/2.0/vector-search/indexes?endpoint_name=docs",
    ["ml.docs.a"],
  ]));

test("an index is brought up to date", () =>
  checkApiCase([
    (client) => syncVectorSearchIndex(client, "ml.docs.a"),
    {},
    "POST /api/2.0/vector-search/indexes/ml.docs.a/sync {}",
  ]));

test("a query, with its rows by column", async () => {
  const { client, seen } = clientThatGets({
    manifest: { column_count: 2, columns: [{ name: "id" }, { name: "score" }] },
    result: {
      row_count: 2,
      data_array: [
        ["a", 0.9],
        [null, 0.5],
      ],
    },
    next_page_token: "more",
  });
  const query = { columns: ["id"], query_text: "returns", num_results: 2 };
  assert.deepEqual(await queryVectorSearchIndex(client, "ml.docs.index", query), {
    columns: ["id", "score"],
    rows: [
      ["a", 0.9],
      [null, 0.5],
    ],
  });
  assert.deepEqual(seen, [
    `POST /api/2.0/vector-search/indexes/ml.docs.index/query ${JSON.stringify(query)}`,
  ]);
});

test("a query that finds nothing, and an answer that is none", async () => {
  const nothing = clientThatGets({ manifest: { columns: [{ name: "id" }] }, result: {} });
  const query = { columns: ["id"], query_vector: [0.1, 0.2] };
  assert.deepEqual((await queryVectorSearchIndex(nothing.client, "ml.docs.index", query)).rows, []);
  const { client } = clientThatGets({ predictions: [] });
  await assert.rejects(queryVectorSearchIndex(client, "ml.docs.index", query), {
    code: "DATABRICKS_FAILED",
    message: /is not the answer to a query/,
  });
});

test("a query may be asked again, since it only reads", async () => {
  const { client, clock, seen } = clientThatAnswers((_, count) =>
    count === 1
      ? Response.json({ error_code: "TEMPORARILY_UNAVAILABLE" }, { status: 503 })
      : Response.json({ manifest: { columns: [] } }),
  );
  const asked = queryVectorSearchIndex(client, "ml.docs.index", { columns: [] });
  await clock.advance(60_000);
  await asked;
  assert.equal(seen.length, 2);
});
