/**
 * The source against the local workspace, whose SQL reads real tables: what it counts,
 * what it asks for, and what it does when it may not, or nothing answers.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { lookingByHand, MINUTE_MS, openTableWorkspace } from "../../test/table-workspace.ts";
import { clientThatAnswers } from "../databricks/test-answering-client.ts";
import { WAREHOUSE_ID } from "../local-workspace/sql/warehouse.ts";
import { MonitorState } from "../state/monitor-state.ts";
import {
  ROWS_MAX,
  STATEMENTS_PER_DAY_MAX,
  startInferenceTableSource,
} from "./inference-table-source.ts";
import { createWarehouse } from "./warehouse.ts";

const { workspace, clock, sql, clientAs } = openTableWorkspace(["reader", "stranger"]);
after(() => workspace.close());

/** Each generation names and types the same things in its own way. */
const generations = {
  auto: {
    columns:
      "databricks_request_id STRING, client_request_id STRING, date DATE, timestamp_ms BIGINT, status_code INT, sampling_fraction DOUBLE, execution_time_ms BIGINT, request STRING, response STRING",
    row: (id: string, startMs: number, status: number, durationMs: number) =>
      `('${id}', NULL, ${dateOf(startMs)}, ${startMs}, ${status}, 1.0, ${durationMs}, 'a prompt', 'an answer')`,
  },
  gateway: {
    columns:
      "databricks_request_id STRING, request_date DATE, client_request_id STRING, request_time TIMESTAMP, status_code INT, execution_duration_ms BIGINT, request STRING, response STRING, logging_error_codes ARRAY<STRING>, served_entity_id STRING, requester STRING",
    row: (id: string, startMs: number, status: number, durationMs: number) =>
      `('${id}', ${dateOf(startMs)}, NULL, timestamp_millis(${startMs}), ${status}, ${durationMs}, 'a prompt', 'an answer', NULL, 'entity', 'ann')`,
  },
  services: {
    columns:
      "event_time TIMESTAMP, invocation_id STRING, destination_name STRING, status_code INT, requester STRING, latency_ms BIGINT, request STRING, response STRING",
    row: (id: string, startMs: number, status: number, durationMs: number) =>
      `(timestamp_millis(${startMs}), '${id}', 'destination', ${status}, 'ann', ${durationMs}, 'a prompt', 'an answer')`,
  },
} as const;

type Generation = keyof typeof generations;

const dateOf = (timeMs: number) => `DATE '${new Date(timeMs).toISOString().slice(0, 10)}'`;

const createTable = (name: string, generation: Generation) =>
  sql(`CREATE OR REPLACE TABLE ${name} (${generations[generation].columns})`);

/** `[id, minutes ago, status, duration]` */
type Logged = readonly [id: string, minutesAgo: number, status: number, durationMs: number];

async function log(name: string, generation: Generation, rows: readonly Logged[]): Promise<void> {
  const { row } = generations[generation];
  const values = rows.map(([id, minutesAgo, status, durationMs]) =>
    row(id, clock.now() - minutesAgo * MINUTE_MS, status, durationMs),
  );
  await sql(`INSERT INTO ${name} VALUES ${values.join(", ")}`);
}

/** The endpoint logs there from now on. */
async function logTo(endpoint: string, prefix: string): Promise<void> {
  const { status } = await workspace.ask(`PUT /api/2.0/serving-endpoints/${endpoint}/ai-gateway`, {
    inference_table_config: {
      enabled: true,
      catalog_name: "main",
      schema_name: "logs",
      table_name_prefix: prefix,
    },
  });
  assert.equal(status, 200);
}

/** A source whose looks the test asks for, one by one. */
async function watch({
  as,
  warehouseId = WAREHOUSE_ID,
}: {
  as?: string;
  warehouseId?: string;
} = {}) {
  const state = new MonitorState();
  const problems: string[] = [];
  const { client, calls: seen, bodies } = clientAs(as);
  const byHand = lookingByHand(clock);
  const source = startInferenceTableSource({
    client,
    warehouse: createWarehouse({ client, warehouseId, clock }),
    clock: byHand.clock,
    intervalMs: 5 * MINUTE_MS,
    fromMs: clock.now() - 60 * MINUTE_MS,
    async onRequests({ requests, dropped }) {
      const entry = { kind: "requests", requests, dropped: Object.fromEntries(dropped) } as const;
      state.apply(entry, clock.now());
    },
    onProblem: ({ error }) => problems.push(error instanceof Error ? error.message : "unknown"),
  });
  await byHand.first;
  return {
    source,
    seen,
    bodies,
    problems,
    async look(minutesLater = 5) {
      await clock.advance(minutesLater * MINUTE_MS);
      await byHand.look();
    },
    statements: () => seen.filter((call) => call === "POST /api/2.0/sql/statements").length,
    message: () => source.status().map(({ state: is, message }) => `${is}: ${message}`),
    dropped: () => Object.fromEntries(state.dropped),
    totals: () =>
      Object.fromEntries(
        state.agents.all().map(({ endpoint, run }) => {
          const classes = Object.fromEntries([...run.failedByClass].sort());
          return [
            endpoint,
            { calls: run.calls, ...classes, p99: run.latencyMs.percentiles()?.p99 },
          ];
        }),
      ),
  };
}

const rows: readonly Logged[] = [
  ["a", 50, 200, 100],
  ["b", 20, 429, 5],
  ["c", 10, 500, 900],
  ["d", 1, 400, 20],
];

test("tables of every generation are read by one statement, with equal totals, and no agent is asked", async () => {
  await sql("CREATE SCHEMA IF NOT EXISTS main.logs");
  const endpoints = {
    "support-rag": "gateway",
    "order-agent": "auto",
    "triage-pipeline": "services",
  } as const;
  for (const [endpoint, generation] of Object.entries(endpoints)) {
    const prefix = endpoint.replace("-", "_");
    await createTable(`main.logs.${prefix}_payload`, generation);
    await log(`main.logs.${prefix}_payload`, generation, rows);
    await logTo(endpoint, prefix);
  }
  const { source, totals, look, statements, seen, bodies, message } = await watch();
  const expected = { calls: 4, client: 1, server: 1, throttled: 1, p99: 900 };
  const all = Object.fromEntries(Object.keys(endpoints).map((name) => [name, expected]));
  assert.deepEqual(totals(), all);
  assert.equal(statements(), 1);
  assert.deepEqual(message(), ["ok: Reads 3 tables."]);

  await log("main.logs.support_rag_payload", "gateway", [
    ["late", 40, 200, 7],
    ["a", 50, 200, 100],
  ]);
  await look();
  assert.deepEqual(totals()["support-rag"]?.calls, 4, "a look goes back by a quarter of an hour");
  for (let minutes = 0; minutes < 30; minutes += 5) await look();
  assert.deepEqual(totals()["support-rag"]?.calls, 5, "and now and then by more than an hour");
  assert.equal(statements(), 8);

  await source.close();
  assert.deepEqual(
    seen.filter((call) => /invocations/.test(call)),
    [],
  );
  for (const body of bodies) {
    assert.doesNotMatch(body, /`request`|`response`|requester/);
    assert.deepEqual(JSON.parse(body).query_tags[0], {
      key: "application",
      value: "dspy-databricks-agents",
    });
  }
});

test("who may read one table of two reads that one, and is told what to grant for the other", async () => {
  for (const [type, name, privilege] of [
    ["catalog", "main", "USE_CATALOG"],
    ["schema", "main.logs", "USE_SCHEMA"],
    ["table", "main.logs.support_rag_payload", "SELECT"],
  ]) {
    const { status } = await workspace.ask(
      `PATCH /api/2.1/unity-catalog/permissions/${type}/${name}`,
      { changes: [{ principal: "reader", add: [privilege] }] },
    );
    assert.equal(status, 200);
  }
  await allow("reader", "support-rag", "order-agent");
  const { source, totals, message, problems } = await watch({ as: "reader" });
  assert.deepEqual(Object.keys(totals()), ["support-rag"]);
  assert.match(
    message()[0] ?? "",
    /^ok: Reads 1 table\. .*Give the identity SELECT on table "main\.logs\.order_agent_payload"/,
  );
  assert.equal(problems.length, 1);
  await source.close();
});

/** Lets them see these endpoints and use the warehouse. */
async function allow(principal: string, ...endpoints: readonly string[]): Promise<void> {
  const { body } = await workspace.ask("GET /api/2.0/serving-endpoints");
  const ids = endpoints.map(
    (name) => body.endpoints.find((each: { name: string }) => each.name === name).id,
  );
  for (const [object, level] of [
    ...ids.map((id) => [`serving-endpoints/${id}`, "CAN_VIEW"]),
    [`warehouses/${WAREHOUSE_ID}`, "CAN_USE"],
  ]) {
    const { status } = await workspace.ask(`PATCH /api/2.0/permissions/${object}`, {
      access_control_list: [{ user_name: principal, permission_level: level }],
    });
    assert.equal(status, 200, `${object}`);
  }
}

test("who may read none is told what to grant", async () => {
  await allow("stranger", "order-agent");
  const { source, message, statements } = await watch({ as: "stranger" });
  assert.match(message()[0] ?? "", /^failing: .*Give the identity SELECT on table/);
  assert.equal(statements(), 0);
  await source.close();
});

test("a warehouse that is stopped is not started, and read again once it runs", async () => {
  const { source, look, message, statements, totals } = await watch();
  await workspace.ask(`POST /api/2.0/sql/warehouses/${WAREHOUSE_ID}/stop`, {});
  await look();
  assert.deepEqual(message(), [
    `failing: SQL warehouse ${WAREHOUSE_ID} is STOPPED, and is not started for this. Start it, or name one that runs: --warehouse ID.`,
  ]);
  const before = statements();
  await log("main.logs.support_rag_payload", "gateway", [["after", 1, 200, 7]]);
  const calls = totals()["support-rag"]?.calls ?? 0;
  await look(1);
  assert.deepEqual([statements() - before, totals()["support-rag"]?.calls], [1, calls + 1]);
  assert.deepEqual(message(), ["ok: Reads 3 tables."]);
  await source.close();
});

test("a row that can't be counted is counted as left out once, however often it is read", async () => {
  await sql(
    "INSERT INTO main.logs.support_rag_payload (databricks_request_id, request_date, request_time) VALUES ('half', current_date(), current_timestamp())",
  );
  const { source, look, dropped } = await watch();
  await look();
  assert.deepEqual(dropped(), { inference_row_incomplete: 1 });
  await source.close();
});

test("a warehouse that is not there is told", async () => {
  const { source, message } = await watch({ warehouseId: "0000" });
  assert.match(message()[0] ?? "", /^failing: .*0000/);
  await source.close();
});

test("a table that its warehouse can't read does not keep the others from being read", async () => {
  const { source, look, message, totals } = await watch();
  await createTable("main.logs.order_agent_payload", "gateway");
  await log("main.logs.support_rag_payload", "gateway", [["beside", 1, 200, 7]]);
  const calls = totals()["support-rag"]?.calls ?? 0;
  await look();
  assert.equal(totals()["support-rag"]?.calls, calls + 1);
  assert.match(message()[0] ?? "", /^ok: Reads 2 tables\. /);
  await log("main.logs.order_agent_payload", "gateway", [["anew", 1, 200, 7]]);
  const callsBefore = totals()["order-agent"]?.calls ?? 0;
  await workspace.ask(`POST /api/2.0/sql/warehouses/${WAREHOUSE_ID}/start`, {});
  await clock.advance(30 * MINUTE_MS);
  await workspace.ask(`POST /api/2.0/sql/warehouses/${WAREHOUSE_ID}/start`, {});
  await look(0);
  assert.equal(totals()["order-agent"]?.calls, callsBefore + 1, "its columns are looked up anew");
  assert.deepEqual(message(), ["ok: Reads 3 tables."]);
  await source.close();
});

test("an endpoint whose table is not there yet is no failure", async () => {
  await sql("DROP TABLE main.logs.triage_pipeline_payload");
  const { source, message } = await watch();
  assert.match(message()[0] ?? "", /^ok: Reads 2 tables\. 1 table of an endpoint is not there yet/);
  await source.close();
});

/** A workspace in memory with one table, whose rows come from `rowsFrom`. */
async function watchMany(rowsFrom: (fromMs: number) => readonly (readonly string[])[]) {
  const asked: number[] = [];
  const start = Date.UTC(2026, 0, 1);
  const answers: Readonly<Record<string, unknown>> = {
    "GET /api/2.0/serving-endpoints": {
      endpoints: [
        {
          name: "qa",
          ai_gateway: {
            inference_table_config: { enabled: true, catalog_name: "ml", schema_name: "logs" },
          },
        },
      ],
    },
    "GET /api/2.1/unity-catalog/tables/ml.logs.qa_payload": {
      full_name: "ml.logs.qa_payload",
      columns: [
        ["databricks_request_id", "string"],
        ["timestamp_ms", "bigint"],
        ["execution_time_ms", "bigint"],
        ["status_code", "int"],
      ].map(([name, type_text]) => ({ name, type_text })),
    },
    "GET /api/2.0/sql/warehouses/1a": { id: "1a", state: "RUNNING" },
  };
  const { client, clock: time } = clientThatAnswers((request) => {
    const answer = answers[request];
    if (answer) return Response.json(answer);
    const [, fromMs = ""] = /`timestamp_ms` >= (\d+)/.exec(request) ?? [];
    asked.push(Number(fromMs) - start);
    return Response.json({
      statement_id: "s",
      status: { state: "SUCCEEDED" },
      manifest: { schema: { columns: [] } },
      result: { data_array: rowsFrom(Number(fromMs)) },
    });
  });
  let delivered = 0;
  const source = startInferenceTableSource({
    client,
    warehouse: createWarehouse({ client, warehouseId: "1a", clock: time }),
    clock: time,
    intervalMs: MINUTE_MS,
    fromMs: start,
    async onRequests({ requests }) {
      delivered += requests.length;
    },
    onProblem: () => {},
  });
  await time.advance(0);
  return { asked, time, start, source, delivered: () => delivered };
}

test("a backlog is read on where the rows before it ended", async () => {
  const row = (startMs: number) => ["0", `r${startMs}`, "", `${startMs}`, "1", "200", "", "", ""];
  const { asked, source, delivered } = await watchMany((fromMs) =>
    Array.from({ length: fromMs % 2 === 0 ? ROWS_MAX : 3 }, (_, index) => row(fromMs + index)),
  );
  await source.close();
  assert.deepEqual(asked, [0, ROWS_MAX - 1]);
  assert.equal(delivered(), ROWS_MAX + 3);
});

test("no more statements than those of a day are run, and it goes on with the next", async () => {
  const { asked, time, source } = await watchMany(() => []);
  const message = () => source.status().map(({ state, message: text }) => `${state}: ${text}`);
  await time.advance((STATEMENTS_PER_DAY_MAX - 1) * MINUTE_MS);
  assert.equal(asked.length, STATEMENTS_PER_DAY_MAX);
  assert.deepEqual(message(), ["ok: Reads 1 table."]);
  await time.advance(60 * MINUTE_MS);
  assert.equal(asked.length, STATEMENTS_PER_DAY_MAX);
  assert.match(message()[0] ?? "", /^failing: the 600 statements .* midnight UTC/);
  await time.advance(13 * 60 * MINUTE_MS + MINUTE_MS);
  assert.ok(asked.length > STATEMENTS_PER_DAY_MAX);
  assert.deepEqual(message(), ["ok: Reads 1 table."]);
  await source.close();
});

test("what an endpoint was really asked is counted from the table that it writes", async () => {
  await logTo("support-rag", "asked");
  const ask = async (content: string) => {
    const asked = workspace.ask("POST /serving-endpoints/support-rag/invocations", {
      input: [{ role: "user", content }],
    });
    await clock.advance(3_000);
    return (await asked).status;
  };
  assert.equal(await ask("How do I return a laptop?"), 200);
  assert.equal(await ask("Who is there?"), 400);
  const table = "main.logs.asked_payload";
  const select = { statement: `SELECT * FROM ${table}`, warehouse_id: WAREHOUSE_ID };
  for (let found = 0; found < 2; ) {
    const { body } = await workspace.ask("POST /api/2.0/sql/statements", select);
    found = body.result?.row_count ?? 0;
  }
  const { source, totals } = await watch();
  assert.deepEqual({ ...totals()["support-rag"], p99: null }, { calls: 2, client: 1, p99: null });
  await source.close();
});
