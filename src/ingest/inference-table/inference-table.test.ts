/** The generations of inference tables as Databricks documents them, and what is asked and made of each. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { findColumns, type InferenceColumns } from "./columns.ts";
import { readRows } from "./read-rows.ts";
import { selectRows } from "./select-rows.ts";

function columnsOf(text: string) {
  return text.split(", ").map((column) => {
    const [name = "", typeText = null] = column.split(" ");
    return { name, typeText };
  });
}

const generations: readonly (readonly [name: string, columns: string, found: string])[] = [
  [
    "of auto capture",
    "databricks_request_id string, client_request_id string, date date, timestamp_ms bigint, status_code int, sampling_fraction double, execution_time_ms bigint, request string, response string, request_metadata map<string,string>",
    "databricks_request_id timestamp_ms execution_time_ms status_code date client_request_id - - -",
  ],
  [
    "of the AI Gateway",
    "databricks_request_id string, request_date date, client_request_id string, request_time timestamp, status_code int, sampling_fraction double, execution_duration_ms bigint, request string, response string, logging_error_codes array<string>, served_entity_id string, requester string",
    "databricks_request_id request_time execution_duration_ms status_code request_date client_request_id served_entity_id - -",
  ],
  [
    "of model services",
    "event_time timestamp, invocation_id string, api_type string, destination_name string, destination_model string, status_code int, requester string, latency_ms bigint, request string, response string, logging_error_codes array<string>",
    "invocation_id event_time latency_ms status_code - - destination_name - -",
  ],
  [
    "with token counts, in capitals",
    "DATABRICKS_REQUEST_ID STRING, REQUEST_TIME TIMESTAMP, EXECUTION_DURATION_MS BIGINT, STATUS_CODE INT, INPUT_TOKEN_COUNT BIGINT, OUTPUT_TOKEN_COUNT BIGINT",
    "DATABRICKS_REQUEST_ID REQUEST_TIME EXECUTION_DURATION_MS STATUS_CODE - - - INPUT_TOKEN_COUNT OUTPUT_TOKEN_COUNT",
  ],
  [
    "whose token counts are no numbers",
    "databricks_request_id string, request_time timestamp, latency_ms bigint, status_code int, input_tokens string, output_tokens string",
    "databricks_request_id request_time latency_ms status_code - - - - -",
  ],
];

function find(columns: string): InferenceColumns {
  const result = findColumns(columnsOf(columns));
  if ("missing" in result) throw new Error(result.missing.join());
  return result.found;
}

for (const [name, columns, expected] of generations) {
  test(`a table ${name}: its columns are found`, () => {
    const { requestId, time, durationMs, statusCode, date, ...rest } = find(columns);
    const { clientRequestId, servedEntity, inputTokens, outputTokens } = rest;
    const found = [requestId, time, durationMs, statusCode, date, clientRequestId, servedEntity];
    assert.equal(
      [...found, inputTokens, outputTokens].map((column) => column?.name ?? "-").join(" "),
      expected,
    );
  });

  test(`a table ${name}: neither prompts nor who asked are selected`, () => {
    const statement = selectRows(
      [{ endpoint: "qa", path: ["ml", "logs", "qa_payload"], columns: find(columns) }],
      { fromMs: Date.UTC(2026, 0, 2), rowsMax: 10 },
    );
    assert.doesNotMatch(statement, /`(request|response|requester|request_metadata)`|\* FROM `/);
  });
}

test("a table that lacks what counting needs says what it lacks", () => {
  assert.deepEqual(findColumns(columnsOf("databricks_request_id string, request_time string")), {
    missing: [
      "request_time or event_time or timestamp_ms",
      "execution_duration_ms or latency_ms or execution_time_ms",
      "status_code",
    ],
  });
});

test("one statement asks every table, each by its own columns, from its day on", () => {
  const table = (endpoint: string, name: string, columns: string) =>
    ({ endpoint, path: ["ml", "a`b", name], columns: find(columns) }) as const;
  const [auto, gateway] = generations;
  const statement = selectRows(
    [table("old", "old_payload", auto?.[1] ?? ""), table("new", "new_payload", gateway?.[1] ?? "")],
    { fromMs: Date.UTC(2026, 0, 2, 0, 30), rowsMax: 100 },
  );
  assert.equal(
    statement,
    `SELECT * FROM (
SELECT 0 AS place, CAST(\`databricks_request_id\` AS STRING) AS request_id, CAST(\`client_request_id\` AS STRING) AS client_request_id, CAST(\`timestamp_ms\` AS BIGINT) AS start_ms, CAST(\`execution_time_ms\` AS DOUBLE) AS duration_ms, CAST(\`status_code\` AS INT) AS status_code, CAST(NULL AS STRING) AS served_entity, CAST(NULL AS BIGINT) AS input_tokens, CAST(NULL AS BIGINT) AS output_tokens, CAST(\`sampling_fraction\` AS DOUBLE) AS share FROM \`ml\`.\`a\`\`b\`.\`old_payload\` WHERE \`date\` >= DATE '2026-01-01' AND \`timestamp_ms\` >= 1767313800000
UNION ALL
SELECT 1 AS place, CAST(\`databricks_request_id\` AS STRING) AS request_id, CAST(\`client_request_id\` AS STRING) AS client_request_id, unix_millis(CAST(\`request_time\` AS TIMESTAMP)) AS start_ms, CAST(\`execution_duration_ms\` AS DOUBLE) AS duration_ms, CAST(\`status_code\` AS INT) AS status_code, CAST(\`served_entity_id\` AS STRING) AS served_entity, CAST(NULL AS BIGINT) AS input_tokens, CAST(NULL AS BIGINT) AS output_tokens, CAST(\`sampling_fraction\` AS DOUBLE) AS share FROM \`ml\`.\`a\`\`b\`.\`new_payload\` WHERE \`request_date\` >= DATE '2026-01-01' AND \`request_time\` >= timestamp_millis(1767313800000)
) ORDER BY start_ms LIMIT 100`,
  );
});

const trace = "0af7651916cd43dd8448eb211c80319c";
const row = (...cells: (string | null)[]) => ["0", "r", null, "1000", "250.0", "200", ...cells];

test("a row becomes a request that ended when its duration had passed", () => {
  const {
    requests,
    incomplete: left,
    lastStartMs,
  } = readRows([row("entity", "10", "20")], [{ endpoint: "qa" }]);
  assert.deepEqual(requests, [
    {
      requestId: "r",
      traceId: null,
      endpoint: "qa",
      timeMs: 1250,
      latencyMs: 250,
      statusCode: 200,
      errorClass: null,
      tokens: { input: 10, output: 20 },
      servedEntity: "entity",
    },
  ]);
  assert.deepEqual([left.length, lastStartMs], [0, 1000]);
});

test("of a sample it is known how large it is", () => {
  const shareOf = (share: string | null) =>
    readRows([row(null, null, null, share)], [{ endpoint: "qa" }]).requests[0]?.share;
  assert.deepEqual(["0.25", "1.0", "0", "7", null].map(shareOf), [
    0.25,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

const classes = [
  ["200", null],
  ["429", "throttled"],
  ["400", "client"],
  ["403", "client"],
  ["500", "server"],
  ["503", "server"],
] as const;
for (const [status, errorClass] of classes) {
  test(`status ${status} is of class ${errorClass}`, () => {
    const { requests } = readRows(
      [["0", "r", null, "1", "1", status, null, null, null]],
      [{ endpoint: "qa" }],
    );
    assert.equal(requests[0]?.errorClass, errorClass);
  });
}

const clientIds = [
  [trace, trace],
  [`tr-${trace}`, trace],
  [trace.toUpperCase(), trace],
  ["order 17", null],
  [`${trace}0`, null],
  [null, null],
] as const;
for (const [clientId, traceId] of clientIds) {
  test(`the caller's id ${clientId} names the trace ${traceId}`, () => {
    const { requests } = readRows(
      [["0", "r", clientId, "1", "1", "200", null, null, null]],
      [{ endpoint: "qa" }],
    );
    assert.equal(requests[0]?.traceId, traceId);
  });
}

test("half a token count is none", () => {
  const { requests } = readRows([row(null, "10", null)], [{ endpoint: "qa" }]);
  assert.equal(requests[0]?.tokens, null);
});

const incomplete: readonly (readonly (string | null)[])[] = [
  ["0", null, null, "1", "1", "200", null, null, null],
  ["0", "r", null, null, "1", "200", null, null, null],
  ["0", "r", null, "1", null, "200", null, null, null],
  ["0", "r", null, "1", "-1", "200", null, null, null],
  ["0", "r", null, "1", "1", null, null, null, null],
  ["7", "r", null, "1", "1", "200", null, null, null],
  ["0", "r".repeat(129), null, "1", "1", "200", null, null, null],
  [],
];
test("what can't be counted is told apart from what can, and has one name whenever it is read", () => {
  const read = () => readRows(incomplete, [{ endpoint: "qa" }]);
  assert.deepEqual(read().requests, []);
  assert.equal(new Set(read().incomplete).size, incomplete.length);
  assert.deepEqual(read().incomplete, read().incomplete);
});
