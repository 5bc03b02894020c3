/** MLflow's runs, and how what is logged is divided into calls that MLflow takes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  batchesOf,
  createMlflowRun,
  getMlflowMetricHistory,
  getMlflowRun,
  type LogInput,
  logMlflowBatch,
  searchMlflowRuns,
  updateMlflowRun,
} from "./mlflow-runs.ts";
import { type ApiCase, checkApiCase, clientThatGets } from "./test-answering-client.ts";

const path = "/api/2.0/mlflow/runs";
const answer = {
  info: { run_id: "r", experiment_id: "7", run_name: "ada", status: "RUNNING", start_time: 5 },
  data: {
    metrics: [
      { key: "p95", value: 1.5, timestamp: 5, step: 0 },
      { key: "broken", value: "NaN" },
    ],
    params: [{ key: "lm", value: "gpt" }],
    tags: [{ key: "release", value: "r1" }],
  },
};
const run = {
  id: "r",
  experimentId: "7",
  name: "ada",
  status: "RUNNING",
  startedMs: 5,
  endedMs: null,
  metrics: new Map([["p95", 1.5]]),
  params: new Map([["lm", "gpt"]]),
  tags: new Map([["release", "r1"]]),
};

for (const [what, ...apiCase] of [
  [
    "started",
    (c) => createMlflowRun(c, { experiment_id: "7", run_name: "ada", start_time: 5 }),
    { run: answer },
    `POST ${path}/create {"experiment_id":"7","run_name":"ada","start_time":5}`,
    run,
  ],
  ["read", (c) => getMlflowRun(c, "r"), { run: answer }, `GET ${path}/get?run_id=r`, run],
  [
    "ended",
    (c) => updateMlflowRun(c, { run_id: "r", status: "FINISHED", end_time: 9 }),
    { run_info: {} },
    `POST ${path}/update {"run_id":"r","status":"FINISHED","end_time":9}`,
  ],
  [
    "found",
    (c) => searchMlflowRuns(c, { experiment_ids: ["7"], filter: "status = 'RUNNING'" }),
    { runs: [answer, {}] },
    `POST ${path}/search {"experiment_ids":["7"],"filter":"status = 'RUNNING'"}`,
    [run],
  ],
  [
    "read point by point",
    (c) => getMlflowMetricHistory(c, { runId: "r", key: "p95" }),
    {
      metrics: [
        { key: "p95", value: 1.5, timestamp: 5, step: 1 },
        { key: "p95", value: 2 },
      ],
    },
    "GET /api/2.0/mlflow/metrics/get-history?run_id=r&metric_key=p95",
    [
      { value: 1.5, timestampMs: 5, step: 1 },
      { value: 2, timestampMs: 0, step: 0 },
    ],
  ],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(`a run is ${what}`, () => checkApiCase(apiCase));
}

test("the further pages of a search are asked for in the body", async () => {
  let pages = 0;
  const { client, seen } = clientThatGets({
    get next_page_token() {
      return pages++ === 0 ? "t" : undefined;
    },
  });
  assert.deepEqual(await searchMlflowRuns(client, { experiment_ids: ["7"] }), []);
  assert.equal(seen[1], `POST ${path}/search {"experiment_ids":["7"],"page_token":"t"}`);
});

test("what is logged", async () => {
  const { client, seen } = clientThatGets({});
  await logMlflowBatch(client, "r", {
    metrics: [{ key: "p95", value: Number.NaN, timestamp: 5, step: 1 }],
    params: [{ key: "lm", value: "x".repeat(6001) }],
  });
  await logMlflowBatch(client, "r", {});
  assert.deepEqual(seen, [
    `POST ${path}/log-batch {"run_id":"r","params":[{"key":"lm","value":"${"x".repeat(6000)}"}],"metrics":[{"key":"p95","value":"NaN","timestamp":5,"step":1}]}`,
  ]);
});

/** Numbers of entries, as tags + params + metrics, of each call. */
function calls(tags: number, params: number, metrics: number, valueChars = 1): string[] {
  const keyValue = (_: unknown, index: number) => ({
    key: `k${index}`,
    value: "x".repeat(valueChars),
  });
  return batchesOf({
    tags: Array.from({ length: tags }, keyValue),
    params: Array.from({ length: params }, keyValue),
    metrics: Array.from({ length: metrics }, (_, index) => ({
      key: `m${index}`,
      value: index,
      timestamp: 1,
    })),
  }).map((batch) => `${batch.tags.length}+${batch.params.length}+${batch.metrics.length}`);
}

for (const [what, [tags, params, metrics], expected] of [
  ["nothing", [0, 0, 0], []],
  ["the most that one call takes", [100, 100, 800], ["100+100+800"]],
  ["one entry more", [100, 100, 801], ["100+100+800", "0+0+1"]],
  ["many metrics", [0, 0, 2500], ["0+0+1000", "0+0+1000", "0+0+500"]],
  ["many tags", [250, 0, 1], ["100+0+0", "100+0+0", "50+0+1"]],
  ["many parameters", [1, 101, 0], ["1+100+0", "0+1+0"]],
] as const) {
  test(`${what}: ${tags}+${params}+${metrics} are ${expected.length} calls`, () =>
    assert.deepEqual(calls(tags, params, metrics), expected));
}

test("large values are divided by their size", () => {
  assert.deepEqual(calls(0, 100, 0, 8000), ["0+100+0"]);
  assert.deepEqual(calls(100, 100, 0, 8000), ["100+16+0", "0+84+0"]);
});

test("every call is within the limits, and nothing is lost", () => {
  const keyValue = fc.record({ key: fc.string(), value: fc.string() });
  const metric = fc.record({ key: fc.string(), value: fc.double(), timestamp: fc.nat() });
  const inputs = fc.record({
    tags: fc.array(keyValue, { maxLength: 300, size: "max" }),
    params: fc.array(keyValue, { maxLength: 300, size: "max" }),
    metrics: fc.array(metric, { maxLength: 1500, size: "max" }),
  });
  fc.assert(
    fc.property(inputs, (input: LogInput) => {
      const batches = batchesOf(input);
      for (const kind of ["tags", "params", "metrics"] as const) {
        const keys = batches.flatMap((batch) => batch[kind].map((entry) => entry.key));
        assert.deepEqual(
          keys,
          input[kind]?.map(({ key }) => key),
        );
      }
      for (const { tags, params, metrics } of batches) {
        assert.ok(tags.length <= 100 && params.length <= 100);
        assert.ok(tags.length + params.length + metrics.length <= 1000);
        assert.ok(JSON.stringify({ tags, params, metrics }).length < 1_000_000);
      }
    }),
    { numRuns: 20 },
  );
});
