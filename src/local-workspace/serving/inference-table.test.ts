/** What an endpoint was asked is in its inference table a while later: the real rows of a real Delta table. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ADMIN_NAME } from "../access/principals.ts";
import { openTestWorkspace, type TestWorkspace } from "../test-workspace.ts";

const directory = mkdtempSync(join(tmpdir(), "inference-table-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const QUESTION = "How do I return a laptop?";
const place = { enabled: true, catalog_name: "ml", schema_name: "logs", table_name_prefix: "qa" };

async function open(dataDirectory?: string): Promise<TestWorkspace> {
  const workspace = openTestWorkspace({
    principals: ["ann"],
    ...(dataDirectory === undefined ? {} : { dataDirectory }),
  });
  await workspace.ask("POST /api/2.1/unity-catalog/schemas", {
    catalog_name: "ml",
    name: "logs",
  });
  return workspace;
}

async function serve({ ask, clock }: TestWorkspace, gateway: object = {}): Promise<void> {
  const served_entities = [
    { entity_name: "main.agents.support_rag", entity_version: "1", workload_size: "Small" },
  ];
  const { status, body } = await ask("POST /api/2.0/serving-endpoints", {
    name: "qa",
    config: { served_entities },
    ai_gateway: { inference_table_config: place, ...gateway },
  });
  assert.equal(status, 200, JSON.stringify(body));
  await clock.advance(1_000);
}

async function invoke({ request, clock }: TestWorkspace, body: object | string): Promise<string> {
  const asked = request("/serving-endpoints/qa/invocations", {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  await clock.advance(2_000);
  return await (await asked).text();
}

const input = [{ role: "user", content: QUESTION }];

async function rows({ context }: TestWorkspace, columns: string) {
  const { rows: found } = await context.sql.execute({
    sql: `SELECT ${columns} FROM ml.logs.qa_payload ORDER BY request_time`,
    session: {
      principal: { name: ADMIN_NAME, isAdmin: true },
      catalog: "main",
      schema: "default",
    },
  });
  return found;
}

/** The write has begun by the clock; how long DuckDB takes, nobody knows: the close waits for it. */
async function written(dataDirectory: string, columns: string) {
  const again = await open(dataDirectory);
  const found = await rows(again, columns);
  await again.close();
  return found;
}

test("requests, answers and failures, in the columns that Databricks writes", async () => {
  const home = join(directory, "columns");
  const workspace = await open(home);
  await serve(workspace);
  const answer = await invoke(workspace, { input, client_request_id: "mine" });
  await invoke(workspace, { input: [{ role: "user", content: "Who is there?" }] });
  await workspace.close();
  const found = await written(
    home,
    "client_request_id, status_code, sampling_fraction, request, response = '' AS empty, logging_error_codes, requester, request_date = to_date(request_time) AS day, length(databricks_request_id), length(served_entity_id), execution_duration_ms > 0",
  );
  const [first, second] = found;
  assert.deepEqual(first, [
    "mine",
    "200",
    "1.0",
    JSON.stringify({ input, client_request_id: "mine" }),
    "false",
    null,
    "local-workspace@example.com",
    "true",
    "36",
    "32",
    "true",
  ]);
  assert.deepEqual(second?.slice(0, 2), [null, "400"]);
  assert.deepEqual(await written(home, "response").then(([row]) => row), [answer]);
});

test("what is too large is left out, and said to be", async () => {
  const home = join(directory, "large");
  const workspace = await open(home);
  await serve(workspace);
  await invoke(workspace, { input, padding: "x".repeat(1024 * 1024) });
  await workspace.close();
  assert.deepEqual(await written(home, "request, logging_error_codes, response LIKE '%resp_%'"), [
    [null, '["MAX_REQUEST_SIZE_EXCEEDED"]', "true"],
  ]);
});

test("what was streamed is there as it was sent", async () => {
  const home = join(directory, "streamed");
  const workspace = await open(home);
  await serve(workspace);
  const events = await invoke(workspace, { input, stream: true });
  await workspace.close();
  assert.deepEqual(await written(home, "response"), [[events]]);
});

test("one that is set later, and one that is taken away", async () => {
  const home = join(directory, "later");
  const workspace = await open(home);
  await serve(workspace, { inference_table_config: { ...place, enabled: false } });
  await invoke(workspace, { input });
  const set = (enabled: boolean) =>
    workspace.ask("PUT /api/2.0/serving-endpoints/qa/ai-gateway", {
      inference_table_config: { ...place, enabled },
    });
  await set(true);
  await invoke(workspace, { input, client_request_id: "logged" });
  await set(false);
  await invoke(workspace, { input });
  await workspace.close();
  assert.deepEqual(await written(home, "client_request_id"), [["logged"]]);
});

test("who may not make the table is refused", async () => {
  const workspace = await open();
  await serve(workspace, { inference_table_config: { enabled: false } });
  const endpoint = await workspace.ask("GET /api/2.0/serving-endpoints/qa");
  await workspace.ask(`PATCH /api/2.0/permissions/serving-endpoints/${endpoint.body.id}`, {
    access_control_list: [{ user_name: "ann", permission_level: "CAN_MANAGE" }],
  });
  const set = (config: object) =>
    workspace.ask(
      "PUT /api/2.0/serving-endpoints/qa/ai-gateway",
      { inference_table_config: config },
      "ann",
    );
  const { status, body } = await set(place);
  assert.match(`${status} ${body.message}`, /^403 User does not have USE CATALOG/);
  const missing = await set({ ...place, schema_name: "none" });
  assert.equal(missing.body.error_code, "SCHEMA_DOES_NOT_EXIST");
  const incomplete = await set({ enabled: true });
  assert.match(incomplete.body.message, /needs catalog_name and schema_name/);
  await workspace.close();
});
