/**
 * A job as the workspace keeps it: its settings as they were given, of which those that
 * have an effect here are read.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/jobs.py`.
 */
import { z } from "zod";
import type { WorkspaceObject } from "../access/object-permissions.ts";
import type { Principal } from "../access/principals.ts";
import type { WorkspaceContext } from "../core/context.ts";
import { parseQuartz } from "../core/quartz.ts";
import { Refusal } from "../databricks-error.ts";

export type Job = {
  readonly job_id: number;
  readonly creator_user_name: string;
  readonly created_time: number;
  readonly settings: Readonly<Record<string, unknown>>;
};

const seconds = z.number().int().nonnegative().default(0);
const parameterMap = z.record(z.string(), z.string());

const task = z.looseObject({
  task_key: z.string().regex(/^[\w-]{1,100}$/),
  depends_on: z.array(z.looseObject({ task_key: z.string() })).default([]),
  run_if: z.string().default("ALL_SUCCESS"),
  notebook_task: z
    .looseObject({
      notebook_path: z.string(),
      base_parameters: parameterMap.default({}),
      source: z.string().default("WORKSPACE"),
    })
    .optional(),
  /** -1: until it succeeds. */
  max_retries: z.number().int().min(-1).default(0),
  min_retry_interval_millis: z.number().int().nonnegative().default(0),
  retry_on_timeout: z.boolean().default(false),
  /** 0: none. */
  timeout_seconds: seconds,
});
export type Task = z.output<typeof task>;

const runAs = z
  .looseObject({
    user_name: z.string().optional(),
    service_principal_name: z.string().optional(),
  })
  .optional();

/** What a job and a run that is submitted have in common. */
export const work = z.looseObject({
  tasks: z.array(task).max(100).default([]),
  timeout_seconds: seconds,
  run_as: runAs,
  queue: z.looseObject({ enabled: z.boolean() }).optional(),
});

export const jobSettings = work.extend({
  name: z.string().default("Untitled"),
  schedule: z
    .looseObject({
      quartz_cron_expression: z.string(),
      timezone_id: z.string(),
      pause_status: z.enum(["PAUSED", "UNPAUSED"]).default("UNPAUSED"),
    })
    .optional(),
  parameters: z.array(z.looseObject({ name: z.string(), default: z.string() })).default([]),
  max_concurrent_runs: z.number().int().min(0).max(1000).default(1),
});
export type JobSettings = z.output<typeof jobSettings>;

export const jobsOf = ({ state }: WorkspaceContext) => state.collection<Job>("jobs");

/** Also of a run that was submitted, which has a job's id without a job. */
export const jobObject = (id: number): WorkspaceObject => ({ type: "jobs", id: String(id) });

/** @throws Refusal when it is not there, or the caller may not do this with it. */
export function findJob(
  context: WorkspaceContext,
  principal: Principal,
  { id, level }: { readonly id: number; readonly level: JobLevel },
): Job {
  const job = jobsOf(context).get(String(id));
  if (!job) throw new Refusal("INVALID_PARAMETER_VALUE", `Job ${id} does not exist.`);
  context.permissions.require(principal, level, jobObject(id), `job ${id}`);
  return job;
}

export type JobLevel = "CAN_VIEW" | "CAN_MANAGE_RUN" | "CAN_MANAGE";

/** @throws Refusal for what could never run, and for who may not let it run so. */
export function checkWork(given: z.output<typeof work>, principal: Principal): void {
  const keys = given.tasks.map(({ task_key: key }) => key);
  const twice = keys.find((key, i) => keys.indexOf(key) !== i);
  if (twice !== undefined) throw invalid(`Task key '${twice}' is used twice.`);
  const needed = given.tasks.flatMap((each) => each.depends_on.map(({ task_key: key }) => key));
  const missing = needed.find((key) => !keys.includes(key));
  if (missing !== undefined) throw invalid(`A task depends on '${missing}', which is no task.`);
  if (inOrder(given.tasks).length < given.tasks.length) {
    throw invalid("The tasks depend on each other in a circle.");
  }
  const name = runAsName(given);
  if (name !== undefined && name !== principal.name && !principal.isAdmin) {
    throw new Refusal("PERMISSION_DENIED", `${principal.name} may not let a job run as ${name}.`);
  }
}

/** @throws Refusal for a schedule that can't be read. */
export function checkSchedule({ schedule }: JobSettings): void {
  if (!schedule) return;
  try {
    parseQuartz(schedule.quartz_cron_expression, schedule.timezone_id);
  } catch (error) {
    throw invalid(`Invalid schedule: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function runAsName({ run_as: as }: Pick<JobSettings, "run_as">): string | undefined {
  return as?.user_name ?? as?.service_principal_name;
}

/** Each after those that it needs; what stands in a circle is left out. */
export function inOrder<T extends Pick<Task, "task_key" | "depends_on">>(
  tasks: readonly T[],
): readonly T[] {
  const done: T[] = [];
  for (;;) {
    const isDone = (key: string) => done.some(({ task_key: each }) => each === key);
    const next = tasks.find(
      (each) => !done.includes(each) && each.depends_on.every(({ task_key: key }) => isDone(key)),
    );
    if (!next) return done;
    done.push(next);
  }
}

const invalid = (message: string) => new Refusal("INVALID_PARAMETER_VALUE", message);
