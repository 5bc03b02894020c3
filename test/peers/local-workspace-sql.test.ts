/** The official SDK runs SQL in the local workspace and reads the warehouse and the tables. */
import { systemClock } from "../../src/clock.ts";
import { startLocalWorkspace } from "../../src/local-workspace/workspace.ts";
import { testDocumentedRoutes } from "./documented-routes.ts";
import { driveSdk, sdk } from "./drive-sdk.ts";

const workspace = await startLocalWorkspace({
  otlpUrl: null,
  clock: systemClock,
  principals: { ann: "token-of-ann" },
});

const WAREHOUSE = "10ca1de1ce5e0001";
const execute = (statement: string, more: Readonly<Record<string, unknown>> = {}) => ({
  call: "statement_execution.execute_statement",
  args: { statement, warehouse_id: WAREHOUSE, ...more },
});
const succeeded = (rows?: readonly (readonly (string | null)[])[]) => ({
  status: { state: "SUCCEEDED" },
  ...(rows ? { result: { data_array: rows } } : {}),
});
const failed = (code: string) => ({ status: { state: "FAILED", error: { error_code: code } } });
const parameter = (name: string, value: string, type?: string) =>
  sdk.object("sql.StatementParameterListItem", { name, value, ...(type ? { type } : {}) });

await driveSdk({
  url: workspace.url,
  tokens: { admin: workspace.token, ann: "token-of-ann" },
  calls: [
    {
      what: "there is one warehouse",
      call: "warehouses.list",
      answers: [{ id: WAREHOUSE, name: "Serverless Starter Warehouse", state: "STOPPED" }],
    },
    {
      what: "it starts",
      call: "warehouses.start",
      args: { id: WAREHOUSE },
      wait: true,
      answers: { state: "RUNNING", enable_serverless_compute: true },
    },
    {
      what: "another is not found",
      call: "warehouses.get",
      args: { id: "other" },
      refuses: { type: "ResourceDoesNotExist", says: /other does not exist/ },
    },
    { what: "a schema is made", ...execute("CREATE SCHEMA ml.monitoring"), answers: succeeded() },
    {
      what: "a table is made",
      ...execute(
        "CREATE TABLE t (id BIGINT NOT NULL COMMENT 'key', labels MAP<STRING,STRING>, at TIMESTAMP, d DECIMAL(10,2)) CLUSTER BY (id)",
        { catalog: "ml", schema: "monitoring" },
      ),
      answers: succeeded(),
    },
    {
      what: "rows are inserted",
      ...execute(
        "INSERT INTO ml.monitoring.t VALUES (1, map('k', 'v'), TIMESTAMP'2026-01-15 12:00:00', 1.5), (9007199254740993, NULL, NULL, NULL)",
      ),
      answers: succeeded([["2", "2"]]),
    },
    {
      what: "values are text or null, types have Databricks' names",
      ...execute("SELECT * FROM ml.monitoring.t ORDER BY id"),
      answers: {
        ...succeeded([
          ["1", '{"k":"v"}', "2026-01-15T12:00:00.000Z", "1.50"],
          ["9007199254740993", null, null, null],
        ]),
        manifest: {
          format: "JSON_ARRAY",
          total_row_count: 2,
          truncated: false,
          schema: {
            column_count: 4,
            columns: [
              { name: "id", position: 0, type_name: "LONG", type_text: "BIGINT" },
              { name: "labels", type_name: "MAP", type_text: "MAP<STRING, STRING>" },
              { name: "at", type_name: "TIMESTAMP" },
              { name: "d", type_name: "DECIMAL", type_precision: 10, type_scale: 2 },
            ],
          },
        },
      },
    },
    {
      what: "parameters have names and types",
      ...execute("SELECT :a AS a, :b + 1 AS b, id FROM IDENTIFIER(:t) LIMIT 1", {
        parameters: [
          parameter("a", "it's"),
          parameter("b", "41", "INT"),
          parameter("t", "ml.monitoring.t"),
        ],
      }),
      answers: succeeded([["it's", "42", "1"]]),
    },
    {
      what: "what fails is answered with 200 and FAILED",
      ...execute("SELECT * FROM ml.monitoring.nothing"),
      answers: failed("BAD_REQUEST"),
    },
    {
      what: "what is not there is refused by name",
      ...execute("SELECT kurtosis(id) FROM ml.monitoring.t"),
      answers: failed("BAD_REQUEST"),
    },
    {
      what: "rows over the limit are left out",
      ...execute("SELECT id FROM range(10)", { row_limit: 2 }),
      answers: { ...succeeded([["0"], ["1"]]), manifest: { truncated: true } },
    },
    {
      what: "large results come by links",
      ...execute("SELECT id, repeat('x', 100) FROM range(100000)", {
        disposition: sdk.enum("sql.Disposition.EXTERNAL_LINKS"),
      }),
      answers: {
        ...succeeded(),
        manifest: { total_row_count: 100000, total_chunk_count: 3 },
        result: { external_links: [{ chunk_index: 0, row_offset: 0, next_chunk_index: 1 }] },
      },
    },
    {
      what: "the next chunk is asked for",
      call: "statement_execution.get_statement_result_chunk_n",
      args: { statement_id: sdk.answer("11.statement_id"), chunk_index: 2 },
      answers: { external_links: [{ chunk_index: 2 }] },
    },
    {
      what: "a large inline result is refused",
      ...execute("SELECT repeat('x', 1000) FROM range(30000)"),
      answers: failed("BAD_REQUEST"),
    },
    {
      what: "a statement that is not waited for runs on",
      ...execute("SELECT count(*) FROM range(100000000) a CROSS JOIN range(100000) b", {
        wait_timeout: "0s",
      }),
      answers: { status: {} },
    },
    {
      what: "it is canceled",
      call: "statement_execution.cancel_execution",
      args: { statement_id: sdk.answer("14.statement_id") },
    },
    {
      what: "and says so",
      call: "statement_execution.get_statement",
      args: { statement_id: sdk.answer("14.statement_id") },
      answers: { status: { state: "CANCELED" } },
    },
    {
      what: "the catalog describes the table",
      call: "tables.get",
      args: { full_name: "ml.monitoring.t" },
      answers: {
        full_name: "ml.monitoring.t",
        table_type: "MANAGED",
        data_source_format: "DELTA",
        columns: [
          { name: "id", type_name: "LONG", nullable: false, comment: "key" },
          { name: "labels", type_name: "MAP" },
          { name: "at", type_name: "TIMESTAMP" },
          { name: "d", type_name: "DECIMAL" },
        ],
      },
    },
    {
      what: "who may not read is told what is missing",
      ...execute("SELECT * FROM ml.monitoring.t"),
      as: "ann",
      answers: failed("BAD_REQUEST"),
    },
    {
      what: "rights are granted by SQL",
      ...execute("GRANT USE CATALOG, USE SCHEMA, SELECT ON CATALOG ml TO ann"),
      answers: succeeded(),
    },
    {
      what: "then it may",
      ...execute("SELECT count(*) FROM ml.monitoring.t"),
      as: "ann",
      answers: succeeded([["2"]]),
    },
    {
      what: "but not write",
      ...execute("DELETE FROM ml.monitoring.t"),
      as: "ann",
      answers: failed("BAD_REQUEST"),
    },
    {
      what: "another's statement is not found",
      call: "statement_execution.get_statement",
      args: { statement_id: sdk.answer("6.statement_id") },
      as: "ann",
      refuses: { type: "ResourceDoesNotExist", says: /does not exist/ },
    },
    {
      what: "the warehouse is stopped",
      call: "warehouses.stop",
      args: { id: "10ca1de1ce5e0001" },
      wait: true,
      answers: { state: "STOPPED" },
    },
  ],
});
testDocumentedRoutes(import.meta.url, [workspace]);
await workspace.close();
