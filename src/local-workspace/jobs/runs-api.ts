/**
 * Runs of jobs over their API: started, submitted without a job, told of, and cancelled.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/jobs.py`. A run that does not
 * exist is a 400, as in Databricks; the words of other refusals are assumed.
 */
import type { Context } from "hono";
import { z } from "zod";
import type { WorkspaceContext, WorkspaceEnv, WorkspaceRoutes } from "../core/context.ts";
import { newNumberId } from "../core/ids.ts";
import { pageOf } from "../core/paging.ts";
import { readBody, readQuery } from "../core/request.ts";
import { Refusal } from "../databricks-error.ts";
import {
  checkWork,
  findJob,
  inOrder,
  type Job,
  type JobLevel,
  jobObject,
  jobSettings,
  jobsOf,
  runAsName,
  type Task,
  work,
} from "./job.ts";
import { runNotebookTask } from "./notebook-task.ts";
import { describeRun, describeTaskRun, ended, hasEnded, type Run, runsOf } from "./run.ts";
import { createRunTasks } from "./run-tasks.ts";

/** The versions of the API that clients use; they differ in what is not here. */
export const BASE = "/api/:version{2\\.[12]}/jobs";

export const listPaging = {
  limit: z.coerce.number().optional(),
  page_token: z.string().optional(),
};
export const listSizes = { defaultResults: 20, limit: 100 } as const;
export const paged = (query: { limit?: number | undefined; page_token?: string | undefined }) => ({
  maxResults: query.limit,
  pageToken: query.page_token,
});

const parameters = z.record(z.string(), z.string()).default({});
const token = z.string().max(64).optional();
const runNow = z.looseObject({
  job_id: z.coerce.number().int(),
  idempotency_token: token,
  job_parameters: parameters,
  notebook_params: parameters,
});
const submitted = work.extend({
  run_name: z.string().default("Untitled"),
  idempotency_token: token,
});
const ofRun = z.looseObject({ run_id: z.coerce.number().int() });
const flag = z.stringbool().default(false);

export type RunsApi = {
  runJob(job: Job, request: RunJobRequest): Run;
  /** All that have not ended. */
  cancelAll(jobId: number): void;
};

export type RunJobRequest = {
  readonly by: string;
  readonly trigger: Run["trigger"];
  readonly jobParameters?: Readonly<Record<string, string>>;
  readonly notebookParams?: Readonly<Record<string, string>>;
  readonly idempotencyToken?: string | undefined;
};

export function createRunsApi(routes: WorkspaceRoutes, context: WorkspaceContext): RunsApi {
  const { clock, permissions, state } = context;
  const runs = runsOf(context);
  const tasks = createRunTasks({
    context,
    runTask: (attempt) => runNotebookTask(context, attempt),
    mustWait: (run) => run.state.kind === "queued" && isFull(run.job_id, run),
  });
  const ofJob = (id: number) => runs.list().filter((each) => each.job_id === id);

  /** Whether as many runs of the job are under way as may be, beside `than`. */
  function isFull(id: number, than?: Run): boolean {
    const job = jobsOf(context).get(String(id));
    if (!job) return false;
    const { max_concurrent_runs: most } = jobSettings.parse(job.settings);
    const underWay = ofJob(id).filter(
      (each) => !hasEnded(each) && each.state.kind !== "queued" && each.run_id !== than?.run_id,
    );
    return underWay.length >= most;
  }

  /** @throws Refusal when it is not there, or the caller may not do this with it. */
  function findRun(c: Context<WorkspaceEnv>, id: number, level: JobLevel): Run {
    const run = runs.list().find((each) => each.run_id === id || hasTask(each, id));
    if (!run) throw new Refusal("INVALID_PARAMETER_VALUE", `Run ${id} does not exist.`);
    permissions.require(c.get("principal"), level, jobObject(run.job_id), `run ${id}`);
    return run;
  }

  function newRun(
    given: Pick<Run, "job_id" | "run_name" | "run_as" | "creator_user_name" | "run_type"> &
      Partial<Run>,
    its: readonly Task[],
  ): Run {
    const atMs = Math.floor(clock.now());
    return {
      run_id: newNumberId(),
      number_in_job: ofJob(given.job_id).length + 1,
      trigger: "ONE_TIME",
      start_time: atMs,
      end_time: 0,
      timeout_seconds: 0,
      job_parameters: {},
      notebook_params: {},
      state: { kind: "pending" },
      tasks: inOrder(its).map((task) => ({
        run_id: newNumberId(),
        task,
        attempt_number: 0,
        start_time: atMs,
        end_time: 0,
        state: { kind: "pending" },
        output: {},
      })),
      ...given,
    };
  }

  function runJob(job: Job, request: RunJobRequest): Run {
    const settings = jobSettings.parse(job.settings);
    const defaults = settings.parameters.map((each) => [each.name, each.default]);
    const run = newRun(
      {
        job_id: job.job_id,
        run_name: settings.name,
        run_as: runAsName(settings) ?? job.creator_user_name,
        creator_user_name: request.by,
        run_type: "JOB_RUN",
        trigger: request.trigger,
        timeout_seconds: settings.timeout_seconds,
        job_parameters: { ...Object.fromEntries(defaults), ...request.jobParameters },
        notebook_params: request.notebookParams ?? {},
        idempotency_token: request.idempotencyToken,
      },
      settings.tasks,
    );
    if (!isFull(job.job_id)) tasks.start(run);
    else if (settings.queue?.enabled) tasks.start({ ...run, state: { kind: "queued" } });
    else {
      const skipped = ended("skipped", "As many runs of this job as may be are under way.");
      const all = run.tasks.map((each) => ({ ...each, state: skipped, end_time: run.start_time }));
      tasks.start({ ...run, state: skipped, end_time: run.start_time, tasks: all });
    }
    return run;
  }

  routes.post(`${BASE}/run-now`, async (c) => {
    const body = await readBody(c, runNow);
    const { name } = c.get("principal");
    const job = findJob(context, c.get("principal"), {
      id: body.job_id,
      level: "CAN_MANAGE_RUN",
    });
    const before = repeated(ofJob(job.job_id), body.idempotency_token);
    const run =
      before ??
      runJob(job, {
        by: name,
        trigger: "ONE_TIME",
        jobParameters: body.job_parameters,
        notebookParams: body.notebook_params,
        idempotencyToken: body.idempotency_token,
      });
    return c.json({ run_id: run.run_id, number_in_job: run.number_in_job });
  });

  routes.post(`${BASE}/runs/submit`, async (c) => {
    const body = await readBody(c, submitted);
    const principal = c.get("principal");
    checkWork(body, principal);
    const own = runs
      .list()
      .filter(
        (each) => each.run_type === "SUBMIT_RUN" && each.creator_user_name === principal.name,
      );
    const before = repeated(own, body.idempotency_token);
    if (before) return c.json({ run_id: before.run_id });
    const run = newRun(
      {
        job_id: newNumberId(),
        run_name: body.run_name,
        run_as: runAsName(body) ?? principal.name,
        creator_user_name: principal.name,
        run_type: "SUBMIT_RUN",
        timeout_seconds: body.timeout_seconds,
        idempotency_token: body.idempotency_token,
      },
      body.tasks,
    );
    state.transaction(() => {
      permissions.own(jobObject(run.job_id), principal.name);
      tasks.start(run);
    });
    return c.json({ run_id: run.run_id });
  });

  routes.get(`${BASE}/runs/get`, (c) => {
    const { run_id: id } = readQuery(c, ofRun);
    const run = findRun(c, id, "CAN_VIEW");
    const task = run.tasks.find((each) => each.run_id === id);
    return c.json(
      task
        ? describeTaskRun(run, task, context.url())
        : describeRun(run, { url: context.url(), withTasks: true }),
    );
  });

  routes.get(`${BASE}/runs/get-output`, (c) => {
    const { run_id: id } = readQuery(c, ofRun);
    const run = findRun(c, id, "CAN_VIEW");
    const [first, second] = run.tasks;
    if (run.run_id === id && second) {
      throw new Refusal(
        "INVALID_PARAMETER_VALUE",
        "Retrieving the output of runs with multiple tasks is not supported: name the run of a task.",
      );
    }
    const task = run.tasks.find((each) => each.run_id === id) ?? first;
    if (!task) throw new Refusal("INVALID_PARAMETER_VALUE", `Run ${id} has no task.`);
    const { output } = task;
    return c.json({
      metadata: describeTaskRun(run, task, context.url()),
      ...(hasEnded(task)
        ? { notebook_output: { result: output.result, truncated: output.isTruncated } }
        : {}),
      error: output.error,
      error_trace: output.errorTrace,
      logs: output.logs,
      logs_truncated: false,
    });
  });

  routes.get(`${BASE}/runs/list`, (c) => {
    const query = readQuery(
      c,
      z.looseObject({
        job_id: z.coerce.number().optional(),
        active_only: flag,
        completed_only: flag,
        expand_tasks: flag,
        run_type: z.string().default("JOB_RUN"),
        ...listPaging,
      }),
    );
    const seen = runs
      .list()
      .reverse()
      .filter((each) => query.job_id === undefined || each.job_id === query.job_id)
      .filter((each) => each.run_type === query.run_type)
      .filter((each) => !(query.active_only && hasEnded(each)))
      .filter((each) => !(query.completed_only && !hasEnded(each)))
      .filter((each) => permissions.allows(c.get("principal"), "CAN_VIEW", jobObject(each.job_id)));
    const { items, nextPageToken } = pageOf(seen, { ...listSizes, ...paged(query) });
    const options = { url: context.url(), withTasks: query.expand_tasks };
    return c.json({
      runs: items.map((each) => describeRun(each, options)),
      has_more: nextPageToken !== undefined,
      next_page_token: nextPageToken,
    });
  });

  routes.post(`${BASE}/runs/cancel`, async (c) => {
    const { run_id: id } = await readBody(c, ofRun);
    tasks.cancel(findRun(c, id, "CAN_MANAGE_RUN").run_id);
    return c.json({});
  });

  return {
    runJob,
    cancelAll(jobId) {
      for (const run of ofJob(jobId)) if (!hasEnded(run)) tasks.cancel(run.run_id);
    },
  };
}

const hasTask = ({ tasks }: Run, id: number) => tasks.some(({ run_id: each }) => each === id);

function repeated(runs: readonly Run[], idempotencyToken: string | undefined): Run | undefined {
  return idempotencyToken
    ? runs.find((each) => each.idempotency_token === idempotencyToken)
    : undefined;
}
