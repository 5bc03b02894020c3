/**
 * A run of a job: what it and its tasks came to, and how Databricks tells that. Pure but
 * for the collection that holds them.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/jobs.py`: `Run`, `RunState`,
 * `RunStatus`. Which of the older states goes with which of the newer ones is assumed.
 */
import type { WorkspaceContext } from "../core/context.ts";
import type { Task } from "./job.ts";

export type RunState =
  | { readonly kind: "queued" | "pending" | "running" }
  | { readonly kind: "ended"; readonly ending: Ending; readonly message: string };

export type Ending = keyof typeof endings;

/** As the older form tells it, and the newer one. */
const endings = {
  success: ["TERMINATED", "SUCCESS", "SUCCESS", "SUCCESS"],
  failed: ["TERMINATED", "FAILED", "RUN_EXECUTION_ERROR", "CLIENT_ERROR"],
  /** It could not be begun. */
  unable: ["INTERNAL_ERROR", "FAILED", "RUN_EXECUTION_ERROR", "CLIENT_ERROR"],
  notFound: ["INTERNAL_ERROR", "FAILED", "RESOURCE_NOT_FOUND", "CLIENT_ERROR"],
  timedOut: ["TERMINATED", "TIMEDOUT", "CANCELED", "CLIENT_ERROR"],
  canceled: ["TERMINATED", "CANCELED", "USER_CANCELED", "SUCCESS"],
  upstreamFailed: ["TERMINATED", "UPSTREAM_FAILED", "SKIPPED", "CLIENT_ERROR"],
  upstreamCanceled: ["TERMINATED", "UPSTREAM_CANCELED", "SKIPPED", "CLIENT_ERROR"],
  skipped: [
    "SKIPPED",
    "MAXIMUM_CONCURRENT_RUNS_REACHED",
    "MAX_CONCURRENT_RUNS_EXCEEDED",
    "CLIENT_ERROR",
  ],
  /** The workspace itself ended. */
  lost: ["INTERNAL_ERROR", "FAILED", "INTERNAL_ERROR", "INTERNAL_ERROR"],
} as const;

export type TaskOutput = {
  /** What the notebook ended with. */
  readonly result?: string | undefined;
  readonly isTruncated?: boolean;
  readonly error?: string | undefined;
  readonly errorTrace?: string | undefined;
  /** What it printed. */
  readonly logs?: string;
};

export type TaskRun = {
  readonly run_id: number;
  readonly task: Task;
  readonly attempt_number: number;
  readonly start_time: number;
  /** 0 until it has ended. */
  readonly end_time: number;
  readonly state: RunState;
  readonly output: TaskOutput;
};

export type Run = {
  readonly run_id: number;
  readonly job_id: number;
  readonly number_in_job: number;
  readonly creator_user_name: string;
  readonly run_as: string;
  readonly run_name: string;
  readonly run_type: "JOB_RUN" | "SUBMIT_RUN";
  readonly trigger: "ONE_TIME" | "PERIODIC";
  readonly start_time: number;
  /** 0 until it has ended. */
  readonly end_time: number;
  readonly timeout_seconds: number;
  readonly job_parameters: Readonly<Record<string, string>>;
  /** Over those that a task has. */
  readonly notebook_params: Readonly<Record<string, string>>;
  readonly idempotency_token?: string | undefined;
  readonly state: RunState;
  readonly tasks: readonly TaskRun[];
};

export const runsOf = ({ state }: WorkspaceContext) => state.collection<Run>("job-runs");

export const hasEnded = ({ state }: { readonly state: RunState }) => state.kind === "ended";

export function ended(ending: Ending, message = ""): RunState {
  return { kind: "ended", ending, message };
}

/** What a run came to, by its tasks. */
export function endingOf(tasks: readonly TaskRun[]): RunState {
  const states = tasks.map(({ state, task }) => ({ state, key: task.task_key }));
  const bad = states.find(({ state }) => state.kind === "ended" && state.ending !== "success");
  if (bad?.state.kind !== "ended") return ended("success");
  const { ending, message } = bad.state;
  // The message of a lone task stands for itself.
  return ended(
    ending,
    tasks.length === 1 ? message : `Task ${bad.key} failed with message: ${message}`,
  );
}

export type DescribeOptions = { readonly url: string; readonly withTasks: boolean };

export function describeRun(run: Run, { url, withTasks }: DescribeOptions) {
  const {
    state,
    tasks,
    run_as: runAs,
    job_parameters: parameters,
    idempotency_token: _,
    ...kept
  } = run;
  return {
    ...kept,
    run_page_url: `${url}/jobs/${run.job_id}/runs/${run.run_id}`,
    run_as_user_name: runAs,
    job_run_id: run.run_id,
    job_parameters: Object.entries(parameters).map(([name, value]) => ({ name, value })),
    run_duration: durationOf(run),
    ...describeState(state),
    ...(withTasks ? { tasks: tasks.map((task) => describeTask(task, url, run)) } : {}),
  };
}

/** As the answer to a question about one task of a run. */
export function describeTaskRun(run: Run, task: TaskRun, url: string) {
  return {
    ...describeRun(run, { url, withTasks: false }),
    ...describeTask(task, url, run),
    job_run_id: run.run_id,
  };
}

function describeTask({ task, state, output: _, ...kept }: TaskRun, url: string, run: Run) {
  return {
    ...task,
    ...kept,
    run_page_url: `${url}/jobs/${run.job_id}/runs/${kept.run_id}`,
    execution_duration: durationOf(kept),
    ...describeState(state),
  };
}

function durationOf({ start_time: start, end_time: end }: Pick<Run, "start_time" | "end_time">) {
  return end === 0 ? 0 : end - start;
}

function describeState(state: RunState) {
  if (state.kind !== "ended") {
    const name = state.kind.toUpperCase();
    return {
      state: { life_cycle_state: name, state_message: "", user_cancelled_or_timedout: false },
      status: { state: name },
    };
  }
  const { ending, message } = state;
  const [lifeCycle, result, code, type] = endings[ending];
  return {
    state: {
      life_cycle_state: lifeCycle,
      result_state: result,
      state_message: message,
      user_cancelled_or_timedout: ending === "canceled" || ending === "timedOut",
    },
    status: { state: "TERMINATED", termination_details: { code, type, message } },
  };
}
