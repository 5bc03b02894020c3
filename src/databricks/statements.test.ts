/** A statement from sending to its last row: slow ones, failing ones, and those that are given up. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DatabricksError } from "./databricks-error.ts";
import { executeStatement, type Row, readStatementRows, submitStatement } from "./statements.ts";
import { type AnsweringClient, clientThatAnswers } from "./test-answering-client.ts";
import { createTestClock } from "./test-clock.ts";

const input = { statement: "SELECT 1", warehouse_id: "w" };
const path = "/api/2.0/sql/statements";
const submitted = `POST ${path} {"disposition":"INLINE","format":"JSON_ARRAY","on_wait_timeout":"CONTINUE","wait_timeout":"30s","statement":"SELECT 1","warehouse_id":"w"}`;

const inState = (state: string, more = {}) => ({ statement_id: "s-1", status: { state }, ...more });
const succeeded = inState("SUCCEEDED", {
  manifest: {
    schema: { columns: [{ name: "n", type_name: "LONG", type_text: "BIGINT", position: 0 }] },
    total_row_count: 2,
  },
  result: { chunk_index: 0, data_array: [["1"], [null]] },
});
const failed = (error: object, more = {}) => ({
  statement_id: "s-1",
  status: { state: "FAILED", error, ...more },
});

/** A workspace that gives these answers, one after the other, and the last one again and again. */
function workspace(...answers: readonly object[]): AnsweringClient {
  const clock = createTestClock({ skipsUpToMs: 10_000 });
  return clientThatAnswers(
    (_request, count) => Response.json(answers[Math.min(count, answers.length) - 1]),
    { clock },
  );
}

async function rowsOf({ client }: AnsweringClient): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of readStatementRows(client, await submitStatement(client, input)))
    rows.push(row);
  return rows;
}

test("a statement that ends at once", async () => {
  const { client, seen } = workspace(succeeded);
  assert.deepEqual(await executeStatement(client, input), {
    id: "s-1",
    warehouseId: "w",
    state: "SUCCEEDED",
    columns: [{ name: "n", typeName: "LONG", typeText: "BIGINT" }],
    rowCount: "2",
    isTruncated: false,
    firstChunk: { index: 0, rows: [["1"], [null]], link: null, nextIndex: null },
  });
  assert.deepEqual(seen, [submitted]);
});

test("a slow one is asked for, less and less often, until it has ended", async () => {
  const { client, clock, seen } = workspace(
    inState("PENDING"),
    ...new Array(5).fill(inState("RUNNING")),
    succeeded,
  );
  const statement = await executeStatement(client, input);
  assert.equal(statement.state, "SUCCEEDED");
  assert.deepEqual(clock.skippedMs, [1000, 2000, 4000, 8000, 10_000, 10_000]);
  assert.deepEqual(seen.slice(1), new Array(6).fill(`GET ${path}/s-1`));
});

async function failure(promise: Promise<unknown>): Promise<DatabricksError> {
  const error: unknown = await promise.then(
    () => assert.fail("should have failed"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof DatabricksError, String(error));
  return error;
}

test("one that fails does so in a good answer, with the SQL's own code", async () => {
  const error = await failure(
    executeStatement(
      workspace(
        failed(
          { error_code: "BAD_REQUEST", message: "[TABLE_OR_VIEW_NOT_FOUND] ml.a.b\n dapi-canary" },
          { sql_state: "42P01" },
        ),
      ).client,
      input,
      { purpose: "read table ml.a.b" },
    ),
  );
  assert.equal(
    error.message,
    `cannot read table ml.a.b: POST ${path} on https://dbc.cloud.databricks.com answered 200, but statement s-1 is FAILED: BAD_REQUEST: [TABLE_OR_VIEW_NOT_FOUND] ml.a.b [REDACTED]`,
  );
  assert.deepEqual(
    [error.code, error.call.errorCode, error.call.details],
    ["DATABRICKS_FAILED", "BAD_REQUEST", [{ sql_state: "42P01" }]],
  );
});

for (const [what, error, more] of [
  ["its SQL state", { error_code: "BAD_REQUEST", message: "no" }, { sql_state: "42501" }],
  ["its text", { error_code: "BAD_REQUEST", message: "[INSUFFICIENT_PERMISSIONS] no USE" }, {}],
] as const) {
  test(`a privilege that is missing is told by ${what}`, async () => {
    const { client } = workspace(failed(error, more));
    assert.equal((await failure(executeStatement(client, input))).code, "DATABRICKS_FORBIDDEN");
  });
}

for (const state of ["FAILED", "CANCELED", "CLOSED", "SOMETHING_NEW"]) {
  test(`one that ends as ${state} while it is waited for is not cancelled`, async () => {
    const { client, seen } = workspace(inState("RUNNING"), inState(state));
    assert.match((await failure(executeStatement(client, input))).message, new RegExp(state));
    assert.deepEqual(seen.slice(1), [`GET ${path}/s-1`]);
  });
}

test("one that is given a time is ended by Databricks itself, whoever waits", async () => {
  const { client, seen } = workspace(inState("CANCELED"));
  const error = await failure(executeStatement(client, input, { limitS: 50 }));
  assert.match(seen[0] ?? "", /"on_wait_timeout":"CANCEL","wait_timeout":"50s"/);
  assert.match(error.message, /but statement s-1 is CANCELED/);
  assert.match(error.hint, /^It was given 50 s\./);
});

test("one that does not end in time is cancelled", async () => {
  const { client, clock, seen } = workspace(inState("RUNNING"));
  const error = await failure(executeStatement(client, input, { deadlineMs: 20_000 }));
  assert.match(
    error.message,
    /statement s-1 on .* was still RUNNING after 20 s, and was cancelled$/,
  );
  assert.deepEqual(clock.skippedMs, [1000, 2000, 4000, 8000, 5000]);
  assert.equal(seen.at(-1), `POST ${path}/s-1/cancel {}`);
});

test("one that nobody waits for any more is cancelled", async () => {
  const controller = new AbortController();
  const { client, seen } = clientThatAnswers(
    (_request, count) => {
      if (count === 2) controller.abort(new Error("stopped"));
      return Response.json(inState("RUNNING"));
    },
    { clock: createTestClock({ skipsUpToMs: 10_000 }) },
  );
  const options = { signal: controller.signal };
  await assert.rejects(executeStatement(client, input, options), /^Error: stopped$/);
  assert.equal(seen.at(-1), `POST ${path}/s-1/cancel {}`);
});

test("one that can't be asked about any more is cancelled", async () => {
  const { client, seen } = clientThatAnswers(
    (request) =>
      request.startsWith("GET")
        ? Response.json({ error_code: "PERMISSION_DENIED" }, { status: 403 })
        : Response.json(inState("RUNNING")),
    { clock: createTestClock({ skipsUpToMs: 10_000 }) },
  );
  assert.equal((await failure(executeStatement(client, input))).code, "DATABRICKS_FORBIDDEN");
  assert.equal(seen.at(-1), `POST ${path}/s-1/cancel {}`);
});

test("a statement whose call was lost is sent again only when that is harmless", async () => {
  const lost = (count: number) =>
    count === 1 ? Response.json({}, { status: 503 }) : Response.json(succeeded);
  for (const [isIdempotent, calls] of [
    [false, 1],
    [true, 2],
  ] as const) {
    const { client, seen } = clientThatAnswers((_request, count) => lost(count), {
      clock: createTestClock({ skipsUpToMs: 20_000 }),
    });
    await executeStatement(client, input, { isIdempotent }).catch(() => {});
    assert.equal(seen.length, calls);
  }
});

test("rows come part after part", async () => {
  const first = inState("SUCCEEDED", {
    result: { chunk_index: 0, data_array: [["1"]], next_chunk_index: 1 },
  });
  const setting = workspace(
    first,
    { chunk_index: 1, data_array: [["2"], ["3"]], next_chunk_index: 2 },
    { chunk_index: 2, data_array: [["4"]] },
  );
  assert.deepEqual(await rowsOf(setting), [["1"], ["2"], ["3"], ["4"]]);
  assert.deepEqual(setting.seen.slice(1), [
    `GET ${path}/s-1/result/chunks/1`,
    `GET ${path}/s-1/result/chunks/2`,
  ]);
});

test("parts that lead back to themselves end", async () => {
  const result = { chunk_index: 0, data_array: [["1"]], next_chunk_index: 0 };
  assert.deepEqual(await rowsOf(workspace(inState("SUCCEEDED", { result }))), [["1"]]);
});

test("a statement without rows has none", async () => {
  assert.deepEqual(await rowsOf(workspace(inState("SUCCEEDED", { result: {} }))), []);
  assert.deepEqual(await rowsOf(workspace(inState("SUCCEEDED"))), []);
});

const linked = (index: number, next: object = {}) => ({
  external_links: [
    {
      chunk_index: index,
      external_link: `https://storage.example/${index}?sig=canary`,
      http_headers: { "x-key": "k" },
      ...next,
    },
  ],
});

test("rows elsewhere are fetched there; a link that has run out is asked for anew", async () => {
  let refused = 0;
  const setting = clientThatAnswers((request) => {
    if (request === submitted) {
      return Response.json(inState("SUCCEEDED", { result: linked(0, { next_chunk_index: 1 }) }));
    }
    if (request.includes("storage.example/0")) {
      return refused++ === 0 ? new Response("", { status: 403 }) : Response.json([["1"], [null]]);
    }
    if (request.includes("storage.example/1")) return Response.json([["2"]]);
    return Response.json(
      linked(Number(request.slice(-1)), request.endsWith("0") ? { next_chunk_index: 1 } : {}),
    );
  });
  assert.deepEqual(await rowsOf(setting), [["1"], [null], ["2"]]);
  assert.deepEqual(setting.seen.slice(1), [
    "GET https://storage.example/0?sig=canary",
    `GET ${path}/s-1/result/chunks/0`,
    "GET https://storage.example/0?sig=canary",
    `GET ${path}/s-1/result/chunks/1`,
    "GET https://storage.example/1?sig=canary",
  ]);
});

test("what is kept elsewhere, and is no JSON, is not quoted", async () => {
  const setting = clientThatAnswers((request) =>
    request === submitted
      ? Response.json(inState("SUCCEEDED", { result: linked(0) }))
      : new Response("canary"),
  );
  const error = await failure(rowsOf(setting));
  assert.equal(
    error.message,
    "cannot read part 0 of a SQL result: GET /0 on https://storage.example answered 200, but it is not JSON",
  );
});
