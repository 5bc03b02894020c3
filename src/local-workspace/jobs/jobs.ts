/**
 * Jobs over their API: kept, described, and run by hand or on their schedule.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/jobs.py`. A job that does not
 * exist is a 400, as in Databricks; the words of other refusals are assumed.
 */
import { z } from "zod";
import type { Principal } from "../access/principals.ts";
import type { WorkspaceApi } from "../core/context.ts";
import { newNumberId } from "../core/ids.ts";
import { pageOf } from "../core/paging.ts";
import { createQuartzTimers } from "../core/quartz-timers.ts";
import { readBody, readQuery, readValue } from "../core/request.ts";
import {
  checkSchedule,
  checkWork,
  findJob,
  type Job,
  jobObject,
  jobSettings,
  jobsOf,
} from "./job.ts";
import { BASE, createRunsApi, listPaging, listSizes, paged } from "./runs-api.ts";

const ofJob = z.looseObject({ job_id: z.coerce.number().int() });

/** Kept as they are, and read where they have an effect. */
const given = z.looseObject({});

export const jobs: WorkspaceApi = {
  name: "Jobs",
  mount(routes, context) {
    const { state, clock, permissions, python } = context;
    const all = jobsOf(context);
    const runs = createRunsApi(routes, context);
    const timers = createQuartzTimers(clock);

    /** Without a Python a schedule would bring nothing but failures. */
    function plan({ job_id: id, settings }: Job): void {
      const { schedule } = jobSettings.parse(settings);
      if (!schedule || schedule.pause_status === "PAUSED" || python === null) {
        timers.forget(String(id));
        return;
      }
      timers.plan(
        String(id),
        { expression: schedule.quartz_cron_expression, timeZone: schedule.timezone_id },
        () => {
          const job = all.get(String(id));
          if (job) runs.runJob(job, { by: job.creator_user_name, trigger: "PERIODIC" });
        },
      );
    }
    for (const job of all.list()) plan(job);

    /** @throws Refusal for settings that could never be followed. */
    function put(job: Job, principal: Principal): void {
      const settings = readValue(job.settings, jobSettings);
      checkWork(settings, principal);
      checkSchedule(settings);
      all.put(String(job.job_id), job);
      plan(job);
    }

    routes.post(`${BASE}/create`, async (c) => {
      const principal = c.get("principal");
      const job: Job = {
        job_id: newNumberId(),
        creator_user_name: principal.name,
        created_time: Math.floor(clock.now()),
        settings: { name: "Untitled", ...(await readBody(c, given)) },
      };
      state.transaction(() => {
        put(job, principal);
        permissions.own(jobObject(job.job_id), principal.name);
      });
      return c.json({ job_id: job.job_id });
    });

    routes.get(`${BASE}/get`, (c) => {
      const { job_id: id } = readQuery(c, ofJob);
      return c.json(describe(findJob(context, c.get("principal"), { id, level: "CAN_VIEW" })));
    });

    routes.get(`${BASE}/list`, (c) => {
      const query = readQuery(c, z.looseObject({ name: z.string().optional(), ...listPaging }));
      const name = query.name?.toLowerCase();
      const seen = all
        .list()
        .reverse()
        .filter((each) =>
          permissions.allows(c.get("principal"), "CAN_VIEW", jobObject(each.job_id)),
        )
        .filter((each) => !name || String(each.settings.name).toLowerCase() === name);
      const { items, nextPageToken } = pageOf(seen, { ...listSizes, ...paged(query) });
      return c.json({
        jobs: items.map(describe),
        has_more: nextPageToken !== undefined,
        next_page_token: nextPageToken,
      });
    });

    routes.post(`${BASE}/reset`, async (c) => {
      const body = await readBody(c, ofJob.extend({ new_settings: given }));
      const principal = c.get("principal");
      const job = findJob(context, principal, { id: body.job_id, level: "CAN_MANAGE" });
      put({ ...job, settings: { name: "Untitled", ...body.new_settings } }, principal);
      return c.json({});
    });

    routes.post(`${BASE}/update`, async (c) => {
      const body = await readBody(
        c,
        ofJob.extend({
          new_settings: given.default({}),
          fields_to_remove: z.array(z.string()).default([]),
        }),
      );
      const principal = c.get("principal");
      const job = findJob(context, principal, { id: body.job_id, level: "CAN_MANAGE" });
      const kept = Object.entries(job.settings).filter(
        ([name]) => !body.fields_to_remove.includes(name),
      );
      put({ ...job, settings: { ...Object.fromEntries(kept), ...body.new_settings } }, principal);
      return c.json({});
    });

    routes.post(`${BASE}/delete`, async (c) => {
      const { job_id: id } = await readBody(c, ofJob);
      const job = findJob(context, c.get("principal"), { id, level: "CAN_MANAGE" });
      timers.forget(String(job.job_id));
      runs.cancelAll(job.job_id);
      state.transaction(() => {
        all.delete(String(job.job_id));
        permissions.forget(jobObject(job.job_id));
      });
      return c.json({});
    });
  },
};

function describe(job: Job) {
  return { ...job, run_as_user_name: job.creator_user_name };
}
