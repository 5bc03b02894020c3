/** How runs go: in which order, how often, and what they come to. What a task does is scripted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openTestWorkspace } from "../test-workspace.ts";
import { work } from "./job.ts";
import { type Ending, ended, type Run, runsOf } from "./run.ts";
import { createRunTasks, type RunTasks, type TaskAttempt } from "./run-tasks.ts";

/** What each attempt of a task comes to; `hangs` until it is stopped. */
type Script = Readonly<Record<string, readonly (Ending | "hangs")[]>>;

type Setting = {
  readonly script: Script;
  readonly tasks: readonly object[];
  readonly timeoutSeconds?: number;
  /** Seconds that pass, and what happens then. */
  readonly next?: readonly (number | ((runs: RunTasks) => void))[];
};

/** Told as `key` for a start and `key=ending` for an end, then the run's own ending. */
async function told({ script, tasks, timeoutSeconds = 0, next = [] }: Setting): Promise<string> {
  const workspace = openTestWorkspace();
  const { context, clock } = workspace;
  const events: string[] = [];
  const attempts = new Map<string, number>();
  async function runTask({ taskRun, signal }: TaskAttempt) {
    const key = taskRun.task.task_key;
    const attempt = attempts.get(key) ?? 0;
    attempts.set(key, attempt + 1);
    events.push(key);
    const ending = script[key]?.[attempt] ?? "success";
    if (ending !== "hangs") return { ending, output: {} };
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    return { ending: "failed", output: {} } as const;
  }
  const runs = createRunTasks({ context, runTask, mustWait: () => false });
  runs.start(newRun(tasks, timeoutSeconds));
  await clock.advance(0);
  for (const each of next) {
    if (typeof each === "function") each(runs);
    await clock.advance(typeof each === "number" ? each * 1000 : 0);
  }
  const run = runsOf(context).get("1");
  await workspace.close();
  const shown = (state: Run["state"] | undefined) =>
    state?.kind === "ended" ? state.ending : state?.kind;
  const outcomes = run?.tasks.map(({ task, state }) => `${task.task_key}=${shown(state)}`) ?? [];
  return `${events.join(" ")} | ${outcomes.join(" ")} | ${shown(run?.state)}`;
}

function newRun(tasks: readonly object[], timeoutSeconds: number): Run {
  const known = work.parse({ tasks }).tasks;
  return {
    run_id: 1,
    job_id: 2,
    number_in_job: 1,
    creator_user_name: "ann",
    run_as: "ann",
    run_name: "run",
    run_type: "SUBMIT_RUN",
    trigger: "ONE_TIME",
    start_time: 0,
    end_time: 0,
    timeout_seconds: timeoutSeconds,
    job_parameters: {},
    notebook_params: {},
    state: { kind: "pending" },
    tasks: known.map((task, at) => ({
      run_id: 10 + at,
      task,
      attempt_number: 0,
      start_time: 0,
      end_time: 0,
      state: { kind: "pending" },
      output: {},
    })),
  };
}

const a = { task_key: "a" };
const b = { task_key: "b", depends_on: [a] };
const c = { task_key: "c", depends_on: [b] };

const cases: readonly (readonly [string, Setting, string])[] = [
  ["a task succeeds", { tasks: [a], script: {} }, "a | a=success | success"],
  ["a task fails", { tasks: [a], script: { a: ["failed"] } }, "a | a=failed | failed"],
  [
    "a task runs after those that it needs",
    { tasks: [a, b, c], script: {} },
    "a b c | a=success b=success c=success | success",
  ],
  [
    "what needs a task that failed does not run",
    { tasks: [a, b, c], script: { a: ["failed"] } },
    "a | a=failed b=upstreamFailed c=upstreamFailed | failed",
  ],
  [
    "unless it runs whatever they came to",
    { tasks: [a, { ...b, run_if: "ALL_DONE" }], script: { a: ["failed"] } },
    "a b | a=failed b=success | failed",
  ],
  [
    "a task that fails is tried again",
    { tasks: [{ ...a, max_retries: 2 }], script: { a: ["failed"] } },
    "a a | a=success | success",
  ],
  [
    "no more often than it may be",
    { tasks: [{ ...a, max_retries: 1 }], script: { a: ["failed", "failed"] } },
    "a a | a=failed | failed",
  ],
  [
    "after the time that it asks for",
    {
      tasks: [{ ...a, max_retries: 1, min_retry_interval_millis: 5000 }],
      script: { a: ["failed"] },
      next: [4],
    },
    "a | a=failed | running",
  ],
  [
    "a task that takes too long is stopped",
    { tasks: [{ ...a, timeout_seconds: 5, max_retries: 1 }], script: { a: ["hangs"] }, next: [5] },
    "a | a=timedOut | timedOut",
  ],
  [
    "and tried again where it may be",
    {
      tasks: [{ ...a, timeout_seconds: 5, max_retries: 1, retry_on_timeout: true }],
      script: { a: ["hangs"] },
      next: [5],
    },
    "a a | a=success | success",
  ],
  [
    "a run that takes too long is stopped with all its tasks",
    { tasks: [a, b], script: { a: ["hangs"] }, timeoutSeconds: 5, next: [5] },
    "a | a=timedOut b=upstreamFailed | timedOut",
  ],
  [
    "a run is cancelled with all its tasks",
    { tasks: [a, b], script: { a: ["hangs"] }, next: [(runs) => runs.cancel(1)] },
    "a | a=canceled b=upstreamCanceled | canceled",
  ],
  [
    "two tasks run at once, the third is pending",
    {
      tasks: [a, { task_key: "b" }, { task_key: "c" }],
      script: { a: ["hangs"], b: ["hangs"] },
    },
    "a b | a=running b=running c=pending | running",
  ],
  [
    "and runs once there is room",
    {
      tasks: [{ ...a, timeout_seconds: 1 }, { task_key: "b" }, { task_key: "c" }],
      script: { a: ["hangs"], b: ["hangs"] },
      next: [1],
    },
    "a b c | a=timedOut b=running c=success | running",
  ],
];
for (const [what, setting, expected] of cases) {
  test(what, async () => assert.equal(await told(setting), expected));
}

test("what was under way when the workspace ended has ended with it", async () => {
  const workspace = openTestWorkspace();
  const { context } = workspace;
  const runs = runsOf(context);
  runs.put("1", { ...newRun([a, b], 0), state: { kind: "running" } });
  createRunTasks({ context, runTask: () => assert.fail(), mustWait: () => false });
  const lost = ended("lost", "The workspace ended while the run was under way.");
  assert.deepEqual(runs.get("1")?.state, lost);
  assert.deepEqual(
    runs.get("1")?.tasks.map(({ state }) => state),
    [lost, lost],
  );
  await workspace.close();
});
