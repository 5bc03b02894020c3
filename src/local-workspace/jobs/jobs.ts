/**
 * Jobs and their runs. A job is kept and described; its runs fail and say why, since
 * nothing here runs notebooks.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/jobs.py`. A job that does not
 * exist is a 400, as in Databricks; the words of other refusals are assumed.
 */
import type { Context } from "hono";
import { z } from "zod";
import type { WorkspaceApi, WorkspaceEnv } from "../core/context.ts";
import { newNumberId } from "../core/ids.ts";
import { pageOf } from "../core/paging.ts";
import { readBody, readQuery } from "../core/request.ts";
import { Refusal } from "../databricks-error.ts";
import { findObject, normalPath } from "../workspace-files/workspace-objects.ts";

/** The versions of the API that clients use; they differ in what is not here. */
const BASE = "/api/:version{2\\.[12]}/jobs";

type Settings = Readonly<Record<string, unknown>>;
type Job = {
  readonly job_id: number;
  readonly creator_user_name: string;
  readonly created_time: number;
  readonly settings: Settings;
};
type Task = {
  readonly task_key: string;
  readonly notebook_task?: { readonly notebook_path: string } | undefined;
};
type Run = {
  readonly run_id: number;
  readonly job_id: number;
  readonly number_in_job: number;
  readonly creator_user_name: string;
  readonly start_time: number;
  readonly end_time: number;
  readonly tasks: readonly Task[];
  readonly idempotency_token?: string | undefined;
  readonly message: string;
};

const task = z.looseObject({
  task_key: z.string(),
  notebook_task: z.looseObject({ notebook_path: z.string() }).optional(),
});
const settings = z.looseObject({
  name: z.string().default("Untitled"),
  tasks: z.array(task).default([]),
  schedule: z
    .looseObject({ quartz_cron_expression: z.string(), timezone_id: z.string() })
    .optional(),
});
const ofJob = z.looseObject({ job_id: z.coerce.number().int() });
const ofRun = z.looseObject({ run_id: z.coerce.number().int() });
const paging = { limit: z.coerce.number().optional(), page_token: z.string().optional() };
const LIST_SIZES = { defaultResults: 20, limit: 100 } as const;
const TOKEN_MAX_CHARS = 64;

export const jobs: WorkspaceApi = {
  name: "Jobs",
  mount(routes, context) {
    const { state, clock, permissions } = context;
    const all = state.collection<Job>("jobs");
    const runs = state.collection<Run>("job-runs");
    const objectOf = ({ job_id: id }: Job) => ({ type: "jobs", id: String(id) }) as const;

    /** @throws Refusal when it is not there, or the caller may not do this with it. */
    function find(
      c: Context<WorkspaceEnv>,
      id: number,
      level: "CAN_VIEW" | "CAN_MANAGE_RUN" | "CAN_MANAGE",
    ): Job {
      const job = all.get(String(id));
      if (!job) throw new Refusal("INVALID_PARAMETER_VALUE", `Job ${id} does not exist.`);
      permissions.require(c.get("principal"), level, objectOf(job), `job ${id}`);
      return job;
    }

    function findRun(c: Context<WorkspaceEnv>, id: number): Run {
      const run = runs.get(String(id));
      if (!run) throw new Refusal("INVALID_PARAMETER_VALUE", `Run ${id} does not exist.`);
      find(c, run.job_id, "CAN_VIEW");
      return run;
    }

    routes.post(`${BASE}/create`, async (c) => {
      const principal = c.get("principal");
      const job: Job = {
        job_id: newNumberId(),
        creator_user_name: principal.name,
        created_time: Math.floor(clock.now()),
        settings: await readBody(c, settings),
      };
      state.transaction(() => {
        all.put(String(job.job_id), job);
        permissions.own(objectOf(job), principal.name);
      });
      return c.json({ job_id: job.job_id });
    });

    routes.get(`${BASE}/get`, (c) =>
      c.json(describe(find(c, readQuery(c, ofJob).job_id, "CAN_VIEW"))),
    );

    routes.get(`${BASE}/list`, (c) => {
      const query = readQuery(c, z.looseObject({ name: z.string().optional(), ...paging }));
      const name = query.name?.toLowerCase();
      const seen = all
        .list()
        .reverse()
        .filter((each) => permissions.allows(c.get("principal"), "CAN_VIEW", objectOf(each)))
        .filter((each) => !name || String(each.settings.name).toLowerCase() === name);
      const { items, nextPageToken } = pageOf(seen, {
        ...LIST_SIZES,
        maxResults: query.limit,
        pageToken: query.page_token,
      });
      return c.json({
        jobs: items.map(describe),
        has_more: nextPageToken !== undefined,
        next_page_token: nextPageToken,
      });
    });

    routes.post(`${BASE}/reset`, async (c) => {
      const body = await readBody(c, ofJob.extend({ new_settings: settings }));
      const job = find(c, body.job_id, "CAN_MANAGE");
      all.put(String(job.job_id), { ...job, settings: body.new_settings });
      return c.json({});
    });

    routes.post(`${BASE}/update`, async (c) => {
      const body = await readBody(
        c,
        ofJob.extend({
          new_settings: z.looseObject({}).default({}),
          fields_to_remove: z.array(z.string()).default([]),
        }),
      );
      const job = find(c, body.job_id, "CAN_MANAGE");
      const kept = Object.entries(job.settings).filter(
        ([name]) => !body.fields_to_remove.includes(name),
      );
      const merged = { ...Object.fromEntries(kept), ...body.new_settings };
      all.put(String(job.job_id), { ...job, settings: merged });
      return c.json({});
    });

    routes.post(`${BASE}/delete`, async (c) => {
      const job = find(c, (await readBody(c, ofJob)).job_id, "CAN_MANAGE");
      state.transaction(() => {
        all.delete(String(job.job_id));
        permissions.forget(objectOf(job));
      });
      return c.json({});
    });

    routes.post(`${BASE}/run-now`, async (c) => {
      const body = await readBody(
        c,
        ofJob.extend({ idempotency_token: z.string().max(TOKEN_MAX_CHARS).optional() }),
      );
      const job = find(c, body.job_id, "CAN_MANAGE_RUN");
      const ofThisJob = runs.list().filter((each) => each.job_id === job.job_id);
      const { idempotency_token: token } = body;
      const before = token && ofThisJob.find((each) => each.idempotency_token === token);
      if (before) return c.json({ run_id: before.run_id, number_in_job: before.number_in_job });
      const atMs = Math.floor(clock.now());
      const { tasks } = settings.parse(job.settings);
      const run: Run = {
        run_id: newNumberId(),
        job_id: job.job_id,
        number_in_job: ofThisJob.length + 1,
        creator_user_name: c.get("principal").name,
        start_time: atMs,
        end_time: atMs,
        tasks,
        idempotency_token: token,
        message: whyItFails(tasks),
      };
      runs.put(String(run.run_id), run);
      return c.json({ run_id: run.run_id, number_in_job: run.number_in_job });
    });

    routes.get(`${BASE}/runs/get`, (c) =>
      c.json(describeRun(findRun(c, readQuery(c, ofRun).run_id))),
    );

    routes.get(`${BASE}/runs/get-output`, (c) => {
      const run = findRun(c, readQuery(c, ofRun).run_id);
      return c.json({ metadata: describeRun(run), error: run.message });
    });

    routes.get(`${BASE}/runs/list`, (c) => {
      const query = readQuery(
        c,
        z.looseObject({ job_id: z.coerce.number().optional(), ...paging }),
      );
      const seen = runs
        .list()
        .reverse()
        .filter((each) => query.job_id === undefined || each.job_id === query.job_id)
        .filter((each) => {
          const job = all.get(String(each.job_id));
          return job && permissions.allows(c.get("principal"), "CAN_VIEW", objectOf(job));
        });
      const { items, nextPageToken } = pageOf(seen, {
        ...LIST_SIZES,
        maxResults: query.limit,
        pageToken: query.page_token,
      });
      return c.json({
        runs: items.map(describeRun),
        has_more: nextPageToken !== undefined,
        next_page_token: nextPageToken,
      });
    });

    /** A notebook that is missing is told as such: it would fail in a real workspace, too. */
    function whyItFails(tasks: readonly Task[]): string {
      const missing = tasks
        .map((each) => each.notebook_task?.notebook_path)
        .find((path) => path !== undefined && !findObject(context, normalPath(path)));
      return missing === undefined
        ? "The local workspace runs no notebooks: run this job in a real workspace."
        : `Unable to access the notebook "${missing}": it does not exist.`;
    }
  },
};

function describe(job: Job) {
  return { ...job, run_as_user_name: job.creator_user_name };
}

function describeRun({ message, idempotency_token: _token, tasks, ...run }: Run) {
  const outcome = {
    state: {
      life_cycle_state: "INTERNAL_ERROR",
      result_state: "FAILED",
      state_message: message,
    },
    status: {
      state: "TERMINATED",
      termination_details: { code: "RUN_EXECUTION_ERROR", type: "CLIENT_ERROR", message },
    },
  };
  return {
    ...run,
    ...outcome,
    tasks: tasks.map((each) => ({ ...each, run_id: run.run_id, ...outcome })),
  };
}
