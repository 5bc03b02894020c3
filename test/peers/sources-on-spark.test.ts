/**
 * The SQL that sources send to a warehouse, run by Spark over tables as Databricks lays
 * them out: it is SQL of Databricks and not of the local workspace alone. Only the names
 * of catalog and schema are others, since Spark has no Unity Catalog.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { toAgentSpan } from "../../src/ingest/otlp/agent-span.ts";
import { findSpanColumns } from "../../src/ingest/span-table/columns.ts";
import { readSpans } from "../../src/ingest/span-table/read-spans.ts";
import { selectSpans } from "../../src/ingest/span-table/select-spans.ts";
import { readBilled, selectBilled } from "../../src/ingest/system-tables/billed.ts";
import { readCounted, selectCounted } from "../../src/ingest/system-tables/counted.ts";
import { endingAt, layouts, recorded } from "../../src/sources/test-span-tables.ts";
import { type Spark, startSpark } from "./start-spark.ts";

const NOW_MS = Date.UTC(2026, 0, 15, 12);
const HOUR_MS = 3_600_000;

/** Few, since Spark takes its time over each row that is written. */
const captures = ["callback-rag-0001", "mlflow-genai-err-429-0056", "mlflow-otlp-rag-0001"];

let spark: Spark;
before(async () => {
  spark = await startSpark();
  // The first table takes Spark far longer than the others.
  await spark.rows("CREATE TABLE default.first USING DELTA AS SELECT 1 AS one");
  await spark.rows("SELECT * FROM default.first");
});
after(() => spark?.stop());

describe("spans", () => {
  for (const layout of ["v1", "v2", "renamed"] as const) {
    test(`of a table of layout ${layout} are those that OTLP brings`, async () => {
      const name = `${layout}_otel_spans`;
      const { columns, row } = layouts[layout];
      const spans = captures.flatMap((capture) => endingAt(recorded(capture), NOW_MS));
      await spark.rows(`CREATE TABLE default.${name} (${columns}) USING DELTA`);
      await spark.rows(`INSERT INTO default.${name} ${spans.map(row).join("\nUNION ALL ")}`);
      const described = await spark.ask({ sql: `SELECT * FROM default.${name} LIMIT 0` });
      const found = findSpanColumns(
        (described.columns ?? []).map((column, at) => ({
          name: column,
          typeText: described.types?.[at] ?? null,
        })),
      );
      assert.ok("found" in found, JSON.stringify(found));
      const table = { path: ["spark_catalog", "default", name], columns: found.found } as const;
      const tables = layout === "renamed" ? [table, table] : [table];
      const statement = selectSpans(tables, { fromMs: NOW_MS - HOUR_MS, rowsMax: 5000 });
      const read = readSpans(await spark.rows(statement), tables);
      const byId = new Map(read.spans.map((span) => [`${span.traceId} ${span.spanId}`, span]));
      assert.equal(read.spans.length, tables.length * spans.length);
      assert.deepEqual(
        spans.map(({ traceId, spanId }) => byId.get(`${traceId} ${spanId}`)),
        spans.map(toAgentSpan),
      );
      assert.deepEqual(read.dropped, []);
      const none = selectSpans([table], { fromMs: NOW_MS + HOUR_MS, rowsMax: 5000 });
      assert.deepEqual(await spark.rows(none), []);
    });
  }
});

const names = new Map([["e-1", "support-rag"]]);
const onSpark = (statement: string) =>
  statement.replaceAll(/system\.(?:serving|billing)\./g, "spark_catalog.default.");

test("requests and tokens are counted by day and kind of caller", async () => {
  await spark.rows(`CREATE TABLE default.endpoint_usage USING DELTA AS SELECT * FROM VALUES
    ('s-1', 'ann@example.com', 200, TIMESTAMP '2026-01-15 01:00:00', 10L, 1L),
    ('s-2', 'ann@example.com', 500, TIMESTAMP '2026-01-15 02:00:00', CAST(NULL AS BIGINT), CAST(NULL AS BIGINT)),
    ('s-1', '5b0c1a2e-0000-4000-8000-000000000000', 200, TIMESTAMP '2026-01-14 23:59:59', 5L, 2L),
    ('s-1', NULL, 200, TIMESTAMP '2026-01-01 00:00:00', 7L, 7L),
    ('s-9', 'bob@example.com', 200, TIMESTAMP '2026-01-15 01:00:00', 1000L, 1000L)
    AS t (served_entity_id, requester, status_code, request_time, input_token_count, output_token_count)`);
  await spark.rows(`CREATE TABLE default.served_entities USING DELTA AS SELECT * FROM VALUES
    ('s-1', 'e-1', TIMESTAMP '2025-01-01 00:00:00'), ('s-1', 'e-1', TIMESTAMP '2025-02-01 00:00:00'),
    ('s-2', 'e-1', TIMESTAMP '2025-02-01 00:00:00'), ('s-9', 'e-9', TIMESTAMP '2025-02-01 00:00:00')
    AS t (served_entity_id, endpoint_id, change_time)`);
  const rows = await spark.rows(onSpark(selectCounted(["e-1"], NOW_MS - 24 * HOUR_MS)));
  const common = { endpoint: "support-rag" };
  assert.deepEqual(
    readCounted(rows, names).sort((a, b) => (a.day < b.day ? -1 : 1)),
    [
      {
        ...common,
        day: "2026-01-14",
        requester: "service_principal",
        requests: 1,
        failed: 0,
        inputTokens: 5,
        outputTokens: 2,
      },
      {
        ...common,
        day: "2026-01-15",
        requester: "user",
        requests: 2,
        failed: 1,
        inputTokens: 10,
        outputTokens: 1,
      },
    ],
  );
});

test("what is billed is summed up with its corrections, with and without prices", async () => {
  await spark.rows(`CREATE TABLE default.usage USING DELTA AS SELECT
      named_struct('endpoint_id', endpoint_id, 'endpoint_name', 'x') AS usage_metadata, sku_name, 'AWS' AS cloud, 'DBU' AS usage_unit,
      CAST(usage_quantity AS DECIMAL(38, 18)) AS usage_quantity, DATE '2026-01-14' AS usage_date, TIMESTAMP '2026-01-14 05:00:00' AS usage_end_time
    FROM VALUES ('e-1', 'SERVING', 10.5), ('e-1', 'SERVING', -10.5), ('e-1', 'SERVING', 8), ('e-1', 'OTHER', 2), ('e-9', 'SERVING', 1000)
    AS t (endpoint_id, sku_name, usage_quantity)`);
  await spark.rows(`CREATE TABLE default.list_prices USING DELTA AS SELECT TIMESTAMP '2021-01-01 00:00:00' AS price_start_time,
      CAST(NULL AS TIMESTAMP) AS price_end_time, 'SERVING' AS sku_name, 'AWS' AS cloud, currency_code, 'DBU' AS usage_unit,
      named_struct('default', price, 'effective_list', named_struct('default', price)) AS pricing
    FROM VALUES ('USD', CAST(0.07 AS DECIMAL(38, 18))), ('EUR', CAST(0.06 AS DECIMAL(38, 18))) AS t (currency_code, price)`);
  const read = async (hasPrices: boolean) => {
    const statement = selectBilled(["e-1"], { fromMs: NOW_MS - 24 * HOUR_MS, hasPrices });
    return readBilled(await spark.rows(onSpark(statement)), names)
      .map(({ sku, quantity, costs }) => [sku, quantity, costs])
      .sort();
  };
  const dollars = { currency: "USD", amount: 0.56 };
  const euros = { currency: "EUR", amount: 0.48 };
  assert.deepEqual(await read(true), [
    ["OTHER", 2, []],
    ["SERVING", 8, [euros, dollars]],
  ]);
  assert.deepEqual(await read(false), [
    ["OTHER", 2, []],
    ["SERVING", 8, []],
  ]);
});
