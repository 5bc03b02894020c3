/**
 * Runs of jobs with programs in the place of Python: one that fails, and one that goes on
 * until it is stopped. What a real Python makes of a notebook, test/peers tells.
 */
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openTestWorkspace, type TestWorkspace } from "../test-workspace.ts";

const directory = mkdtempSync(join(tmpdir(), "job-runs-"));
after(() => rmSync(directory, { recursive: true, force: true }));

function program(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o700);
  return path;
}
const failing = program("failing", 'echo "no such thing: $DATABRICKS_TOKEN" >&2; exit 3');
const waiting = program("waiting", "exec sleep 1000");

const JOBS = "/api/2.2/jobs";

async function open(python: string): Promise<TestWorkspace> {
  const workspace = openTestWorkspace({ python });
  const notebook = { path: "/Shared/n", language: "PYTHON" };
  await workspace.ask("POST /api/2.0/workspace/import", notebook);
  return workspace;
}

const tasks = [{ task_key: "t", notebook_task: { notebook_path: "/Shared/n" } }];

async function create({ ask }: TestWorkspace, settings: object): Promise<number> {
  const { status, body } = await ask(`POST ${JOBS}/create`, { name: "job", tasks, ...settings });
  assert.equal(status, 200, JSON.stringify(body));
  return body.job_id;
}

async function runNow({ ask }: TestWorkspace, jobId: number): Promise<number> {
  return (await ask(`POST ${JOBS}/run-now`, { job_id: jobId })).body.run_id;
}

async function stateOf({ ask }: TestWorkspace, runId: number): Promise<string> {
  const { state } = (await ask(`GET ${JOBS}/runs/get?run_id=${runId}`)).body;
  return [state.life_cycle_state, state.result_state].filter((each) => each).join(" ");
}

/** Processes take the time that they take, whatever the workspace's clock says. */
async function until(workspace: TestWorkspace, runId: number, wanted: string): Promise<void> {
  while ((await stateOf(workspace, runId)) !== wanted) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("what ends without a word is told by how it ended, and no token is in its output", async () => {
  const workspace = await open(failing);
  const runId = await runNow(workspace, await create(workspace, {}));
  await until(workspace, runId, "TERMINATED FAILED");
  const { body } = await workspace.ask(`GET ${JOBS}/runs/get-output?run_id=${runId}`);
  assert.equal(
    body.error,
    "The notebook's process ended with exit code 3. no such thing: [REDACTED]",
  );
  await workspace.close();
});

test("a Python that is not there is told", async () => {
  const workspace = await open(join(directory, "none"));
  const runId = await runNow(workspace, await create(workspace, {}));
  await until(workspace, runId, "TERMINATED FAILED");
  const { body } = await workspace.ask(`GET ${JOBS}/runs/get-output?run_id=${runId}`);
  assert.match(body.error, /exit code 127\. .*none.*not found/);
  await workspace.close();
});

test("of one job, no more runs than may be are under way: another is skipped", async () => {
  const workspace = await open(waiting);
  const jobId = await create(workspace, {});
  const first = await runNow(workspace, jobId);
  const second = await runNow(workspace, jobId);
  assert.equal(await stateOf(workspace, second), "SKIPPED MAXIMUM_CONCURRENT_RUNS_REACHED");
  await until(workspace, first, "RUNNING");
  await workspace.close();
});

test("or waits, where the job has a queue", async () => {
  const workspace = await open(waiting);
  const jobId = await create(workspace, { queue: { enabled: true } });
  const [first, second, third] = [
    await runNow(workspace, jobId),
    await runNow(workspace, jobId),
    await runNow(workspace, jobId),
  ];
  assert.equal(await stateOf(workspace, second), "QUEUED");
  const cancel = (run_id: number) => workspace.ask(`POST ${JOBS}/runs/cancel`, { run_id });
  await cancel(third);
  assert.equal(await stateOf(workspace, third), "TERMINATED CANCELED");
  await cancel(first);
  await until(workspace, first, "TERMINATED CANCELED");
  await until(workspace, second, "RUNNING");
  const active = await workspace.ask(
    `GET ${JOBS}/runs/list?job_id=${jobId}&active_only=true&expand_tasks=true`,
  );
  assert.deepEqual(
    active.body.runs.map((run: { run_id: number; tasks: unknown[] }) => [
      run.run_id,
      run.tasks.length,
    ]),
    [[second, 1]],
  );
  await workspace.ask(`POST ${JOBS}/delete`, { job_id: jobId });
  await workspace.close();
});

test("a schedule starts runs when they are due, until it is paused", async () => {
  const workspace = await open(failing);
  const schedule = { quartz_cron_expression: "0 * * * * ?", timezone_id: "UTC" };
  const jobId = await create(workspace, { schedule });
  const runs = async () =>
    (await workspace.ask(`GET ${JOBS}/runs/list?job_id=${jobId}`)).body.runs as {
      run_id: number;
      trigger: string;
    }[];
  assert.deepEqual(await runs(), []);
  await workspace.clock.advance(60_000);
  const [run, ...others] = await runs();
  assert.deepEqual([run?.trigger, others.length], ["PERIODIC", 0]);
  await until(workspace, run?.run_id ?? 0, "TERMINATED FAILED");
  await workspace.clock.advance(60_000);
  assert.equal((await runs()).length, 2);
  await workspace.ask(`POST ${JOBS}/update`, {
    job_id: jobId,
    new_settings: { schedule: { ...schedule, pause_status: "PAUSED" } },
  });
  await workspace.clock.advance(600_000);
  assert.equal((await runs()).length, 2);
  await workspace.close();
});

test("a schedule goes on after a restart of the workspace", async () => {
  const dataDirectory = join(directory, "kept");
  const before = openTestWorkspace({ python: failing, dataDirectory });
  const schedule = { quartz_cron_expression: "0 * * * * ?", timezone_id: "UTC" };
  const jobId = await create(before, { schedule });
  await before.close();
  const again = openTestWorkspace({ python: failing, dataDirectory });
  await again.clock.advance(60_000);
  const { body } = await again.ask(`GET ${JOBS}/runs/list?job_id=${jobId}`);
  assert.equal(body.runs.length, 1);
  await again.close();
});
