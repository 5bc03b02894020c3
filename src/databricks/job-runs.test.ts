/** Runs of jobs, told in the old form and in the new one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cancelJobRun, getJobRun, getJobRunOutput, listJobRuns, runJobNow } from "./job-runs.ts";
import {
  type ApiCase,
  checkApiCase,
  clientThatAnswers,
  clientThatGets,
} from "./test-answering-client.ts";

const path = "/api/2.2/jobs/runs";
const answer = {
  run_id: 11,
  job_id: 7,
  start_time: 5,
  end_time: 0,
  run_page_url: "https://dbc/run/11",
  status: { state: "RUNNING" },
  state: { life_cycle_state: "RUNNING", state_message: "In run" },
  tasks: [
    {
      task_key: "run",
      run_id: 12,
      status: {
        state: "TERMINATED",
        termination_details: { code: "RUN_EXECUTION_ERROR", message: "boom" },
      },
    },
    { task_key: "after", run_id: 13, state: { life_cycle_state: "BLOCKED" } },
  ],
};
const run = {
  id: "11",
  jobId: "7",
  state: "RUNNING",
  result: null,
  message: "In run",
  startedMs: 5,
  endedMs: null,
  url: "https://dbc/run/11",
  tasks: [
    {
      taskKey: "run",
      id: "12",
      state: "TERMINATED",
      result: "RUN_EXECUTION_ERROR",
      message: "boom",
    },
    { taskKey: "after", id: "13", state: "BLOCKED", result: null, message: null },
  ],
};

for (const [what, ...apiCase] of [
  [
    "started",
    (c) => runJobNow(c, { jobId: "7", job_parameters: { day: "1" }, idempotency_token: "t" }),
    { run_id: 11 },
    'POST /api/2.2/jobs/run-now {"job_id":7,"job_parameters":{"day":"1"},"idempotency_token":"t"}',
    "11",
  ],
  ["read", (c) => getJobRun(c, "11"), answer, `GET ${path}/get?run_id=11`, run],
  [
    "listed",
    (c) => listJobRuns(c, { jobId: "7", activeOnly: true }),
    { runs: [answer] },
    `GET ${path}/list?job_id=7&limit=25&active_only=true`,
    [run],
  ],
  ["cancelled", (c) => cancelJobRun(c, "11"), {}, `POST ${path}/cancel {"run_id":11}`],
  [
    "asked for what it brought",
    (c) => getJobRunOutput(c, "12"),
    { notebook_output: { result: "[1]", truncated: true }, error: "boom", metadata: {} },
    `GET ${path}/get-output?run_id=12`,
    { result: "[1]", isTruncated: true, error: "boom", errorTrace: null, logs: null },
  ],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(`a run is ${what}`, () => checkApiCase(apiCase));
}

test("a run that is not there", async () => {
  const { client } = clientThatGets({ error_code: "INVALID_PARAMETER_VALUE" }, { status: 400 });
  assert.equal(await getJobRun(client, "11"), null);
});

for (const [token, calls] of [
  ["t", 2],
  [undefined, 1],
] as const) {
  test(`a start whose answer was lost is made ${calls} times with token ${token}`, async () => {
    const { client, clock, seen } = clientThatAnswers((_request, count) =>
      Response.json({ run_id: 11 }, { status: count === 1 ? 503 : 200 }),
    );
    const started = runJobNow(client, {
      jobId: "7",
      ...(token !== undefined && { idempotency_token: token }),
    }).catch(() => {});
    await clock.advance(1000);
    await started;
    assert.equal(seen.length, calls);
  });
}
