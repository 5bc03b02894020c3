/** The Statement Execution API and its warehouse, without a socket and on a clock that the test moves. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { openTestWorkspace } from "../test-workspace.ts";
import { WAREHOUSE_ID } from "./warehouse.ts";

const workspace = openTestWorkspace({ principals: ["ann"] });
after(() => workspace.close());

const execute = (statement: string, more: Readonly<Record<string, unknown>> = {}, as?: string) =>
  workspace.ask(
    "POST /api/2.0/sql/statements",
    { statement, warehouse_id: WAREHOUSE_ID, ...more },
    as,
  );

test("the workspace's clock is the statement's", async () => {
  const { body } = await execute("SELECT unix_millis(current_timestamp())");
  assert.deepEqual(body.result.data_array, [[String(workspace.clock.now())]]);
});

test("a stopped warehouse starts, the statement waits, and it stops by itself", async () => {
  const state = async () =>
    (await workspace.ask(`GET /api/2.0/sql/warehouses/${WAREHOUSE_ID}`)).body.state;
  await workspace.ask(`POST /api/2.0/sql/warehouses/${WAREHOUSE_ID}/stop`, {});
  workspace.context.behaviour.warehouseStartMs = 4000;
  const { body } = await execute("SELECT 1", { wait_timeout: "0s" });
  assert.deepEqual([body.status.state, await state()], ["PENDING", "STARTING"]);
  const waiting = execute("SELECT 2");
  await workspace.clock.advance(4000);
  assert.deepEqual((await waiting).body.result.data_array, [["2"]]);
  assert.equal(await state(), "RUNNING");
  await workspace.clock.advance(11 * 60_000);
  assert.equal(await state(), "STOPPED");
  workspace.context.behaviour.warehouseStartMs = 0;
});

test("who waits no longer may cancel", async () => {
  workspace.context.behaviour.warehouseStartMs = 60_000;
  const waiting = execute("SELECT 1", { wait_timeout: "5s", on_wait_timeout: "CANCEL" });
  await workspace.clock.advance(5000);
  assert.equal((await waiting).body.status.state, "CANCELED");
  await workspace.clock.advance(60_000);
  workspace.context.behaviour.warehouseStartMs = 0;
});

test("a result is kept for an hour", async () => {
  const { body } = await execute("SELECT 1");
  const path = `GET /api/2.0/sql/statements/${body.statement_id}`;
  await workspace.clock.advance(59 * 60_000);
  assert.equal((await workspace.ask(path)).body.status.state, "SUCCEEDED");
  await workspace.clock.advance(2 * 60_000);
  assert.equal((await workspace.ask(path)).status, 404);
});

test("a link needs no token, refuses one, and lasts 15 minutes", async () => {
  const { body } = await execute("SELECT 'a' UNION ALL SELECT NULL", {
    disposition: "EXTERNAL_LINKS",
  });
  const [{ external_link: link, byte_count: bytes }] = body.result.external_links;
  const { pathname } = new URL(link);
  const get = (authorization: string) =>
    workspace.request(pathname, { headers: { authorization } });
  const answer = await get("");
  assert.deepEqual(await answer.clone().json(), [["a"], [null]]);
  assert.equal(bytes > 0, true);
  assert.equal((await get("Bearer dapi-test")).status, 400);
  await workspace.clock.advance(15 * 60_000);
  assert.equal((await get("")).status, 403);
});

test("results of many rows come in chunks", async () => {
  const { body } = await execute("SELECT repeat('x', 1000) FROM range(10000)");
  assert.equal(body.manifest.total_chunk_count, 3);
  let { result } = body;
  let rows = result.data_array.length;
  while (result.next_chunk_internal_link) {
    result = (await workspace.ask(`GET ${result.next_chunk_internal_link}`)).body;
    rows += result.data_array.length;
  }
  assert.equal(rows, 10_000);
});

const refused: readonly (readonly [more: Readonly<Record<string, unknown>>, says: RegExp])[] = [
  [{ wait_timeout: "60s" }, /wait_timeout must be 0s or between 5s and 50s/],
  [{ format: "ARROW_STREAM" }, /needs EXTERNAL_LINKS/],
  [{ format: "CSV", disposition: "EXTERNAL_LINKS" }, /no results in the format CSV/],
  [{ warehouse_id: "other" }, /SQL warehouse other does not exist/],
  [{ statement: "" }, /statement/],
];
for (const [more, says] of refused) {
  test(`is refused: ${JSON.stringify(more)}`, async () => {
    const { status, body } = await execute("SELECT 1", more);
    assert.ok(status >= 400);
    assert.match(body.message, says);
  });
}

test("tables survive a restart, and what is missing of rights is told", async () => {
  await execute("CREATE TABLE main.default.kept AS SELECT 7 AS x");
  const { body } = await execute("SELECT * FROM main.default.kept", {}, "ann");
  assert.match(
    body.status.error.message,
    /INSUFFICIENT_PERMISSIONS.*USE CATALOG on Catalog 'main'/,
  );
  assert.equal(body.status.sql_state, "42501");
  const table = await workspace.ask("GET /api/2.1/unity-catalog/tables/main.default.kept");
  assert.deepEqual(
    table.body.columns.map(({ name, type_text }: { name: string; type_text: string }) => [
      name,
      type_text,
    ]),
    [["x", "int"]],
  );
});
