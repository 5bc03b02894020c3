/**
 * System tables of the local workspace, which are real tables: what is counted and billed of
 * its endpoints, read again and again, and what is said where they may not be read.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { lookingByHand, openTableWorkspace } from "../../test/table-workspace.ts";
import { WAREHOUSE_ID } from "../local-workspace/sql/warehouse.ts";
import { MonitorState } from "../state/monitor-state.ts";
import { BILL_EVERY_MS, startSystemTableSource } from "./system-table-source.ts";
import { createWarehouse } from "./warehouse.ts";

const DAY_MS = 86_400_000;

const { workspace, clock, sql, clientAs } = openTableWorkspace(["reader", "stranger"]);
after(() => workspace.close());
const dayOf = (daysAgo: number) =>
  new Date(clock.now() - daysAgo * DAY_MS).toISOString().slice(0, 10);

/** It stops by itself when nobody asks it. */
const startWarehouse = () =>
  workspace.ask(`POST /api/2.0/sql/warehouses/${WAREHOUSE_ID}/start`, {});

async function idOf(endpoint: string): Promise<string> {
  return (await workspace.ask(`GET /api/2.0/serving-endpoints/${endpoint}`)).body.id;
}

before(async () => {
  for (const statement of [
    "CREATE CATALOG system",
    "CREATE SCHEMA system.serving",
    "CREATE SCHEMA system.billing",
    `CREATE TABLE system.serving.endpoint_usage (account_id STRING, workspace_id STRING, client_request_id STRING, databricks_request_id STRING,
      requester STRING, status_code INT, request_time TIMESTAMP, input_token_count BIGINT, output_token_count BIGINT,
      input_character_count BIGINT, output_character_count BIGINT, usage_context MAP<STRING, STRING>, request_streaming BOOLEAN, served_entity_id STRING)`,
    `CREATE TABLE system.serving.served_entities (served_entity_id STRING, account_id STRING, workspace_id STRING, created_by STRING, endpoint_name STRING,
      endpoint_id STRING, served_entity_name STRING, entity_type STRING, entity_name STRING, entity_version STRING, endpoint_config_version INT,
      change_time TIMESTAMP, endpoint_delete_time TIMESTAMP)`,
    `CREATE TABLE system.billing.usage (record_id STRING, account_id STRING, workspace_id STRING, sku_name STRING, cloud STRING, usage_start_time TIMESTAMP,
      usage_end_time TIMESTAMP, usage_date DATE, usage_unit STRING, usage_quantity DECIMAL(38, 18),
      usage_metadata STRUCT<endpoint_id: STRING, endpoint_name: STRING>, record_type STRING, billing_origin_product STRING)`,
    `CREATE TABLE system.billing.list_prices (account_id STRING, price_start_time TIMESTAMP, price_end_time TIMESTAMP, sku_name STRING, cloud STRING,
      currency_code STRING, usage_unit STRING, pricing STRUCT<\`default\`: DECIMAL(38, 18), promotional: STRUCT<\`default\`: DECIMAL(38, 18)>, effective_list: STRUCT<\`default\`: DECIMAL(38, 18)>>)`,
  ]) {
    await sql(statement);
  }
  const [rag, order] = [await idOf("support-rag"), await idOf("order-agent")];
  await sql(`INSERT INTO system.serving.served_entities (served_entity_id, endpoint_id, endpoint_name, change_time) VALUES
    ('rag-1', '${rag}', 'support-rag', TIMESTAMP '2020-01-01 00:00:00'), ('rag-1', '${rag}', 'support-rag', TIMESTAMP '2020-02-01 00:00:00'),
    ('rag-2', '${rag}', 'support-rag', TIMESTAMP '2020-02-01 00:00:00'), ('order-1', '${order}', 'order-agent', TIMESTAMP '2020-01-01 00:00:00'),
    ('foreign', 'of-another-workspace', 'support-rag', TIMESTAMP '2020-01-01 00:00:00')`);
  await countRequest("rag-1", "ann@example.com", 200, 0, 10);
  await countRequest("rag-2", "ann@example.com", 500, 0, 5);
  await countRequest("rag-2", "5b0c1a2e-0000-4000-8000-000000000000", 200, 3, 1);
  await countRequest("order-1", null, 429, 20, null);
  await countRequest("foreign", "bob@example.com", 200, 0, 1000);
  await sql(`INSERT INTO system.billing.list_prices (price_start_time, price_end_time, sku_name, cloud, currency_code, usage_unit, pricing) VALUES
    (TIMESTAMP '2020-01-01 00:00:00', TIMESTAMP '2021-01-01 00:00:00', 'SERVING', 'AWS', 'USD', 'DBU', ${price("99")}),
    (TIMESTAMP '2021-01-01 00:00:00', NULL, 'SERVING', 'AWS', 'USD', 'DBU', ${price("0.07")}),
    (TIMESTAMP '2021-01-01 00:00:00', NULL, 'SERVING', 'AWS', 'EUR', 'DBU', ${price("0.06")})`);
  await bill(rag, 1, "SERVING", "10", "ORIGINAL");
  await bill(rag, 1, "SERVING", "-10", "RETRACTION");
  await bill(rag, 1, "SERVING", "8", "RESTATEMENT");
  await bill(rag, 2, "UNPRICED", "2", "ORIGINAL");
  await bill("of-another-workspace", 1, "SERVING", "1000", "ORIGINAL");
});

const price = (amount: string) =>
  `named_struct('default', CAST(${amount} AS DECIMAL(38, 18)), 'promotional', NULL, 'effective_list', named_struct('default', CAST(${amount} AS DECIMAL(38, 18))))`;

function countRequest(
  entity: string,
  requester: string | null,
  status: number,
  daysAgo: number,
  tokens: number | null,
) {
  const who = requester === null ? "NULL" : `'${requester}'`;
  return sql(`INSERT INTO system.serving.endpoint_usage (databricks_request_id, requester, status_code, request_time, input_token_count, output_token_count, served_entity_id)
    VALUES ('r', ${who}, ${status}, TIMESTAMP '${dayOf(daysAgo)} 00:00:01', ${tokens}, ${tokens}, '${entity}')`);
}

function bill(endpointId: string, daysAgo: number, sku: string, quantity: string, type: string) {
  return sql(`INSERT INTO system.billing.usage (sku_name, cloud, usage_end_time, usage_date, usage_unit, usage_quantity, usage_metadata, record_type)
    SELECT '${sku}', 'AWS', TIMESTAMP '${dayOf(daysAgo)} 05:00:00', DATE '${dayOf(daysAgo)}', 'DBU', CAST(${quantity} AS DECIMAL(38, 18)),
    named_struct('endpoint_id', '${endpointId}', 'endpoint_name', 'x'), '${type}'`);
}

/** A source with two looks in parallel, whose results are awaited. */
async function watch({
  as,
  state = new MonitorState(),
}: {
  as?: string;
  state?: MonitorState;
} = {}) {
  await startWarehouse();
  const problems: string[] = [];
  const { client, bodies } = clientAs(as);
  const byHand = lookingByHand(clock, { loops: 2 });
  const entries: number[] = [];
  const source = startSystemTableSource({
    client,
    warehouse: createWarehouse({ client, warehouseId: WAREHOUSE_ID, clock }),
    clock: byHand.clock,
    async onDays(days) {
      const news = state.account.newsOf(days);
      entries.push(news.counted.length + news.billed.length);
      state.apply({ kind: "account", ...news }, clock.now());
    },
    onProblem: ({ error }) => problems.push(error instanceof Error ? error.message : "unknown"),
  });
  await byHand.first;
  return {
    source,
    state,
    problems,
    statements: () =>
      bodies.map((body): { statement: string; query_tags: unknown } => JSON.parse(body)),
    entries,
    message: () =>
      source.status().map(({ name, state, message }) => `${name}, ${state}: ${message}`),
    async look() {
      await clock.advance(BILL_EVERY_MS);
      await startWarehouse();
      await byHand.look();
    },
    sums: (endpoint: string, days: number) => state.account.sumsOf(endpoint, days, clock.now()),
  };
}

test("requests by kind of caller, tokens, DBU and cost of the endpoints of this workspace", async () => {
  const { source, sums, message, statements, look, entries } = await watch();
  const rag = {
    counted: [
      { requester: "user", requests: 2, failed: 1, inputTokens: 15, outputTokens: 15 },
      { requester: "service_principal", requests: 1, failed: 0, inputTokens: 1, outputTokens: 1 },
    ],
    billed: [{ unit: "DBU", quantity: 10 }],
    costs: [
      { currency: "EUR", amount: 0.48 },
      { currency: "USD", amount: 0.56 },
    ],
  };
  assert.deepEqual(sums("support-rag", 30), rag);
  assert.deepEqual(sums("support-rag", 2)?.counted, [rag.counted[0]]);
  assert.deepEqual(sums("order-agent", 30)?.counted, [
    { requester: "unknown", requests: 1, failed: 1, inputTokens: null, outputTokens: null },
  ]);
  assert.equal(sums("triage-pipeline", 30), null, "what is not measured is not zero");
  assert.deepEqual(message(), [
    "Databricks usage, ok: Reads of 3 endpoints.",
    "Databricks billing, ok: Reads of 3 endpoints. At list prices.",
  ]);

  await countRequest("rag-1", "ann@example.com", 200, 1, 7);
  await look();
  await look();
  assert.equal(sums("support-rag", 30)?.counted[0]?.requests, 3, "a late row counts, once");
  assert.deepEqual(
    entries.slice(2).filter((news) => news > 0),
    [1],
    "and nothing else is news",
  );
  await source.close();
  assert.equal(statements().length, 6, "one statement for all endpoints, each time");
  for (const { statement, query_tags } of statements()) {
    assert.doesNotMatch(statement, /client_request_id|usage_context|SELECT \*/);
    assert.match(JSON.stringify(query_tags), /dspy-databricks-agents/);
  }
});

test("a restart tells the same, and so does a journal that was cut", async () => {
  const { source, state, sums } = await watch();
  await source.close();
  const before = sums("support-rag", 30);
  const later = new MonitorState();
  later.apply(state.carried(), clock.now());
  assert.deepEqual(later.account.sumsOf("support-rag", 30, clock.now()), before);
  const again = await watch({ state: later });
  assert.deepEqual(again.sums("support-rag", 30), before);
  assert.deepEqual(again.entries, [0, 0]);
  await again.source.close();
});

test("what may not be read is told once with what to grant, costs nothing, and is no failure", async () => {
  const { source, message, look, problems, statements } = await watch({ as: "stranger" });
  await look();
  assert.match(
    message()[0] ?? "",
    /^Databricks usage, (?:waiting: Not read: |ok: There is no endpoint)/,
  );
  await source.close();
  assert.deepEqual(statements(), []);
  assert.ok(problems.length <= 2);
});

test("without the prices the quantity is read, and it is said what to grant", async () => {
  const { body } = await workspace.ask("GET /api/2.0/serving-endpoints");
  for (const [object, level] of [
    ...body.endpoints.map((each: { id: string }) => [`serving-endpoints/${each.id}`, "CAN_VIEW"]),
    [`warehouses/${WAREHOUSE_ID}`, "CAN_USE"],
  ]) {
    await workspace.ask(`PATCH /api/2.0/permissions/${object}`, {
      access_control_list: [{ user_name: "reader", permission_level: level }],
    });
  }
  const readsNothing = await watch({ as: "reader" });
  await readsNothing.look();
  assert.deepEqual(readsNothing.problems, [
    "system table system.serving.endpoint_usage is not there, or may not be read",
    "system table system.billing.usage is not there, or may not be read",
  ]);
  assert.deepEqual(
    readsNothing.message().map((line) => line.replace(/.*, (\w+): .*(GRANT .*)/, "$1 $2")),
    [
      "waiting GRANT USE SCHEMA ON SCHEMA system.serving and SELECT ON TABLE system.serving.endpoint_usage to the identity.",
      "waiting GRANT USE SCHEMA ON SCHEMA system.billing and SELECT ON TABLE system.billing.usage to the identity.",
    ],
  );
  assert.deepEqual(readsNothing.statements(), []);
  await readsNothing.source.close();

  for (const [type, name, privilege] of [
    ["catalog", "system", "USE_CATALOG"],
    ["schema", "system.billing", "USE_SCHEMA"],
    ["table", "system.billing.usage", "SELECT"],
  ]) {
    await workspace.ask(`PATCH /api/2.1/unity-catalog/permissions/${type}/${name}`, {
      changes: [{ principal: "reader", add: [privilege] }],
    });
  }
  const { source, sums, message } = await watch({ as: "reader" });
  const rag = sums("support-rag", 30);
  assert.deepEqual([rag?.billed, rag?.costs], [[{ unit: "DBU", quantity: 10 }], []]);
  assert.match(
    message()[1] ?? "",
    /^Databricks billing, ok: .* Without prices: .*SELECT ON TABLE system\.billing\.list_prices/,
  );
  await source.close();
});
