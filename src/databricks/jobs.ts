/**
 * Jobs: what is to run, and when. Names are not unique: tag a job, and remember its id.
 * Ids have more digits than a JavaScript number holds, so they are text here. What ran
 * stands in `job-runs.ts`.
 *
 * Source: databricks-sdk-py 0.156.0, `JobsAPI`.
 */
import { MonitorError } from "../monitor-error.ts";
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { DatabricksError } from "./databricks-error.ts";
import {
  idOf,
  integerOf,
  type JsonRecord,
  recordOf,
  recordsOf,
  textMapOf,
  textOf,
} from "./json-fields.ts";
import { readPages } from "./pages.ts";

/** A job in Databricks' own names. Fields that are not named here are sent as they are. */
export type JobSettings = {
  readonly name: string;
  readonly tasks: readonly JobTask[];
  readonly schedule?: {
    /** Not `quartz_cron_schedule`, as alerts have it. */
    readonly quartz_cron_expression: string;
    readonly timezone_id: string;
    /** `UNPAUSED` or `PAUSED`. */
    readonly pause_status?: string;
  };
  readonly environments?: readonly {
    readonly environment_key: string;
    readonly spec?: Readonly<Record<string, unknown>>;
  }[];
  readonly parameters?: readonly { readonly name: string; readonly default: string }[];
  readonly tags?: Readonly<Record<string, string>>;
  readonly max_concurrent_runs?: number;
  readonly timeout_seconds?: number;
  readonly run_as?: { readonly user_name: string } | { readonly service_principal_name: string };
  readonly email_notifications?: { readonly on_failure?: readonly string[] };
  readonly webhook_notifications?: { readonly on_failure?: readonly { readonly id: string }[] };
  readonly [further: string]: unknown;
};

export type JobTask = {
  readonly task_key: string;
  readonly depends_on?: readonly { readonly task_key: string }[];
  readonly notebook_task?: {
    readonly notebook_path: string;
    readonly base_parameters?: Readonly<Record<string, string>>;
    /** `WORKSPACE` or `GIT`. */
    readonly source?: string;
    /** For a notebook of SQL. */
    readonly warehouse_id?: string;
  };
  readonly environment_key?: string;
  readonly existing_cluster_id?: string;
  readonly max_retries?: number;
  readonly timeout_seconds?: number;
  readonly [further: string]: unknown;
};

export type Job = {
  readonly id: string;
  readonly name: string | null;
  readonly tags: ReadonlyMap<string, string>;
  readonly creator: string | null;
  /** Unix milliseconds. */
  readonly createdMs: number | null;
  /** As Databricks sent them, for comparing them with what is wanted. */
  readonly settings: JsonRecord;
};

/** Returns the id. Doing it twice makes two jobs. */
export async function createJob(
  client: DatabricksClient,
  settings: JobSettings,
  limits: CallLimits = {},
): Promise<string> {
  const answer = await client.postJson(apiPath`/api/2.2/jobs/create`, settings, {
    ...limits,
    purpose: `create job "${settings.name}"`,
  });
  const id = idOf(recordOf(answer.json)?.job_id);
  if (id === null) throw answer.unusable("names no job");
  return id;
}

/** Replaces all settings. Runs that are under way go on as they began. */
export async function resetJob(
  client: DatabricksClient,
  id: string,
  settings: JobSettings,
  limits: CallLimits = {},
): Promise<void> {
  await client.postJson(
    apiPath`/api/2.2/jobs/reset`,
    { job_id: bigIdOf(id), new_settings: settings },
    {
      ...limits,
      purpose: `change job ${id}`,
      permission: managePermission(id),
      isIdempotent: true,
    },
  );
}

/** `null` where there is none, which Databricks tells as a parameter that is not valid. */
export async function getJob(
  client: DatabricksClient,
  id: string,
  limits: CallLimits = {},
): Promise<Job | null> {
  const asked = bigIdOf(id);
  const answer = await client
    .getJson(apiPath`/api/2.2/jobs/get`, {
      ...limits,
      query: { job_id: String(asked) },
      purpose: `read job ${id}`,
      permission: `Give the identity CAN VIEW on job ${id}.`,
    })
    .catch(missingIsNull);
  if (!answer) return null;
  const record = recordOf(answer.json);
  const job = record && readJob(record);
  if (!job) throw answer.unusable("is not a job");
  return job;
}

/** Those of a name, which may be several, or all that the identity may see. */
export async function listJobs(
  client: DatabricksClient,
  { name, ...limits }: CallLimits & { readonly name?: string } = {},
): Promise<readonly Job[]> {
  const entries = await readPages("jobs", (page) =>
    client.getJson(apiPath`/api/2.2/jobs/list`, {
      ...limits,
      query: { ...(name !== undefined && { name }), ...page },
      purpose: name === undefined ? "list the jobs" : `look for job "${name}"`,
    }),
  );
  return recordsOf(entries)
    .map(readJob)
    .filter((job) => job !== null);
}

export async function deleteJob(
  client: DatabricksClient,
  id: string,
  limits: CallLimits = {},
): Promise<void> {
  await client.postJson(
    apiPath`/api/2.2/jobs/delete`,
    { job_id: bigIdOf(id) },
    { ...limits, purpose: `delete job ${id}`, permission: managePermission(id) },
  );
}

/** @throws MonitorError `USAGE_INVALID` for what is not the id of a job or a run. */
export function bigIdOf(id: string): bigint {
  if (/^\d{1,19}$/.test(id)) return BigInt(id);
  throw new MonitorError("USAGE_INVALID", `${JSON.stringify(id)} is not the id of a job or a run`, {
    hint: "Ids are numbers; the page of the job shows them.",
  });
}

/** For an id of a job or of a run: no other parameter is sent that could be the one that is not valid. */
export function missingIsNull(error: unknown): null {
  const call = error instanceof DatabricksError ? error.call : null;
  const isTold = call?.status === 400 && call.errorCode === "INVALID_PARAMETER_VALUE";
  if (isTold || (call?.status === 404 && call.errorCode === "RESOURCE_DOES_NOT_EXIST")) return null;
  throw error;
}

function managePermission(id: string): string {
  return `Give the identity CAN MANAGE on job ${id}.`;
}

function readJob(job: JsonRecord): Job | null {
  const id = idOf(job.job_id);
  if (id === null) return null;
  const settings = recordOf(job.settings) ?? {};
  return {
    id,
    name: textOf(settings.name),
    tags: textMapOf(settings.tags),
    creator: textOf(job.creator_user_name),
    createdMs: integerOf(job.created_time),
    settings,
  };
}
