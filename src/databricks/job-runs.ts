/**
 * Runs of jobs: starting one, how it goes, and what it brought.
 *
 * Source: databricks-sdk-py 0.156.0, `JobsAPI`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { bigIdOf, missingIsNull } from "./jobs.ts";
import {
  flagOf,
  idOf,
  integerOf,
  type JsonRecord,
  recordOf,
  recordsOf,
  textOf,
} from "./json-fields.ts";

export type JobRun = {
  readonly id: string;
  readonly jobId: string | null;
  /** `BLOCKED`, `PENDING`, `QUEUED`, `RUNNING`, `TERMINATING`, `TERMINATED` or `WAITING`. */
  readonly state: string | null;
  /** Once it has ended: `SUCCESS`, or why not. */
  readonly result: string | null;
  /** Databricks' own words. */
  readonly message: string | null;
  /** Unix milliseconds. */
  readonly startedMs: number | null;
  /** Unix milliseconds; `null` until it has ended. */
  readonly endedMs: number | null;
  /** Its page in the workspace. */
  readonly url: string | null;
  /** Empty in a list. Their ids are those that have outputs. */
  readonly tasks: readonly TaskRun[];
};

export type TaskRun = Pick<JobRun, "id" | "state" | "result" | "message"> & {
  readonly taskKey: string;
};

export type RunOutput = {
  /** What the notebook ended with. */
  readonly result: string | null;
  /** Whether `result` is only its beginning. */
  readonly isTruncated: boolean;
  readonly error: string | null;
  readonly errorTrace: string | null;
  readonly logs: string | null;
};

/** Newest runs of one list. Source: Databricks' documentation of the Jobs API. */
const RUNS_MAX = 25;

/**
 * Returns the id of the run. With a token it can be repeated: the same token within
 * two months gives the same run.
 */
export async function runJobNow(
  client: DatabricksClient,
  {
    jobId,
    ...details
  }: {
    readonly jobId: string;
    readonly job_parameters?: Readonly<Record<string, string>>;
    /** At most 64 characters. */
    readonly idempotency_token?: string;
  },
  limits: CallLimits = {},
): Promise<string> {
  const answer = await client.postJson(
    apiPath`/api/2.2/jobs/run-now`,
    { job_id: bigIdOf(jobId), ...details },
    {
      ...limits,
      purpose: `run job ${jobId}`,
      permission: `Give the identity CAN MANAGE RUN on job ${jobId}.`,
      isIdempotent: details.idempotency_token !== undefined,
    },
  );
  const id = idOf(recordOf(answer.json)?.run_id);
  if (id === null) throw answer.unusable("names no run");
  return id;
}

/** `null` where there is none. */
export async function getJobRun(
  client: DatabricksClient,
  id: string,
  limits: CallLimits = {},
): Promise<JobRun | null> {
  const asked = bigIdOf(id);
  const answer = await client
    .getJson(apiPath`/api/2.2/jobs/runs/get`, {
      ...limits,
      query: { run_id: String(asked) },
      purpose: `read job run ${id}`,
      permission: "Give the identity CAN VIEW on the job.",
    })
    .catch(missingIsNull);
  if (!answer) return null;
  const record = recordOf(answer.json);
  const run = record && readRun(record);
  if (!run) throw answer.unusable("is not a job run");
  return run;
}

/** The newest, at most 25. */
export async function listJobRuns(
  client: DatabricksClient,
  {
    jobId,
    activeOnly,
    ...limits
  }: CallLimits & { readonly jobId: string; readonly activeOnly?: boolean },
): Promise<readonly JobRun[]> {
  const answer = await client.getJson(apiPath`/api/2.2/jobs/runs/list`, {
    ...limits,
    query: {
      job_id: String(bigIdOf(jobId)),
      limit: String(RUNS_MAX),
      ...(activeOnly !== undefined && { active_only: String(activeOnly) }),
    },
    purpose: `list the runs of job ${jobId}`,
    permission: `Give the identity CAN VIEW on job ${jobId}.`,
  });
  const list = recordOf(answer.json);
  if (!list) throw answer.unusable("holds no list of runs");
  return recordsOf(list.runs)
    .map(readRun)
    .filter((run) => run !== null);
}

/** Resolves once it is told to, which is before it has ended. */
export async function cancelJobRun(
  client: DatabricksClient,
  id: string,
  limits: CallLimits = {},
): Promise<void> {
  await client.postJson(
    apiPath`/api/2.2/jobs/runs/cancel`,
    { run_id: bigIdOf(id) },
    {
      ...limits,
      purpose: `cancel job run ${id}`,
      permission: "Give the identity CAN MANAGE RUN on the job.",
      isIdempotent: true,
    },
  );
}

/** @param taskRunId of a run with one task, or of one task of a run with several. */
export async function getJobRunOutput(
  client: DatabricksClient,
  taskRunId: string,
  limits: CallLimits = {},
): Promise<RunOutput> {
  const answer = await client.getJson(apiPath`/api/2.2/jobs/runs/get-output`, {
    ...limits,
    query: { run_id: String(bigIdOf(taskRunId)) },
    purpose: `read the output of job run ${taskRunId}`,
    permission: "Give the identity CAN VIEW on the job.",
  });
  const output = recordOf(answer.json);
  if (!output) throw answer.unusable("is not the output of a run");
  const notebook = recordOf(output.notebook_output);
  return {
    result: textOf(notebook?.result),
    isTruncated: flagOf(notebook?.truncated) ?? false,
    error: textOf(output.error),
    errorTrace: textOf(output.error_trace),
    logs: textOf(output.logs),
  };
}

function readRun(run: JsonRecord): JobRun | null {
  const id = idOf(run.run_id);
  if (id === null) return null;
  return {
    id,
    jobId: idOf(run.job_id),
    ...readState(run),
    startedMs: timeOf(run.start_time),
    endedMs: timeOf(run.end_time),
    url: textOf(run.run_page_url),
    tasks: recordsOf(run.tasks).map((task) => ({
      taskKey: textOf(task.task_key) ?? "",
      id: idOf(task.run_id) ?? "",
      ...readState(task),
    })),
  };
}

/** `state` is the older form of `status`, and counts where that is missing. */
function readState(run: JsonRecord): Pick<JobRun, "state" | "result" | "message"> {
  const status = recordOf(run.status);
  const ended = recordOf(status?.termination_details);
  const older = recordOf(run.state);
  return {
    state: textOf(status?.state) ?? textOf(older?.life_cycle_state),
    result: textOf(ended?.code) ?? textOf(older?.result_state),
    message: textOf(ended?.message) ?? textOf(older?.state_message),
  };
}

/** 0 is no time: it has not come yet. */
function timeOf(value: unknown): number | null {
  return integerOf(value) || null;
}
