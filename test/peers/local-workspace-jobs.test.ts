/** The official SDK keeps jobs in the local workspace; their runs say that nothing runs them. */
import { systemClock } from "../../src/clock.ts";
import { startLocalWorkspace } from "../../src/local-workspace/workspace.ts";
import { driveSdk, sdk } from "./drive-sdk.ts";

const workspace = await startLocalWorkspace({
  otlpUrl: null,
  clock: systemClock,
  principals: { ann: "token-of-ann" },
});
const job = { job_id: sdk.answer("0.job_id") };
const task = (path: string) =>
  sdk.object("jobs.Task", { task_key: "export", notebook_task: { notebook_path: path } });
const schedule = sdk.object("jobs.CronSchedule", {
  quartz_cron_expression: "0 0 * * * ?",
  timezone_id: "UTC",
  pause_status: "UNPAUSED",
});

await driveSdk({
  url: workspace.url,
  tokens: { admin: workspace.token, ann: "token-of-ann" },
  calls: [
    {
      what: "a job is made",
      call: "jobs.create",
      args: { name: "Export", tasks: [task("/Shared/missing")], schedule, tags: { by: "us" } },
    },
    {
      what: "and described",
      call: "jobs.get",
      args: job,
      answers: {
        creator_user_name: "local-workspace@example.com",
        settings: {
          name: "Export",
          tags: { by: "us" },
          schedule: { quartz_cron_expression: "0 0 * * * ?" },
          tasks: [{ task_key: "export", notebook_task: { notebook_path: "/Shared/missing" } }],
        },
      },
    },
    {
      what: "one that does not exist is a 400",
      call: "jobs.get",
      args: { job_id: 7 },
      // The SDK makes a 404 of it, as it does for a real workspace.
      refuses: { type: "ResourceDoesNotExist", says: /Job 7 does not exist/ },
    },
    {
      what: "others don't see it",
      call: "jobs.get",
      args: job,
      as: "ann",
      refuses: { type: "PermissionDenied", says: /CAN_VIEW/ },
    },
    {
      what: "it is found by its name",
      call: "jobs.list",
      args: { name: "EXPORT" },
      answers: [{ settings: { name: "Export" } }],
    },
    {
      what: "its name is changed and its schedule removed",
      call: "jobs.update",
      args: {
        ...job,
        new_settings: sdk.object("jobs.JobSettings", { name: "Export all" }),
        fields_to_remove: ["schedule"],
      },
    },
    {
      what: "the rest stays",
      call: "jobs.get",
      args: job,
      answers: { settings: { name: "Export all", tags: { by: "us" } } },
    },
    {
      what: "a run of a notebook that is missing fails",
      call: "jobs.run_now",
      args: { ...job, idempotency_token: "once" },
    },
    {
      what: "the same run again is no other one",
      call: "jobs.run_now",
      args: { ...job, idempotency_token: "once" },
    },
    { what: "there is one", call: "jobs.list_runs", args: job, answers: [{ number_in_job: 1 }] },
    {
      what: "it says why",
      call: "jobs.get_run",
      args: { run_id: sdk.answer("9.0.run_id") },
      answers: {
        state: {
          life_cycle_state: "INTERNAL_ERROR",
          result_state: "FAILED",
          state_message: 'Unable to access the notebook "/Shared/missing": it does not exist.',
        },
      },
    },
    {
      what: "a notebook",
      call: "workspace.import_",
      args: {
        path: "/Shared/missing",
        content: Buffer.from("print(1)").toString("base64"),
        language: sdk.enum("workspace.Language.PYTHON"),
      },
    },
    { what: "a second run", call: "jobs.run_now", args: job },
    {
      what: "says that nothing runs it here",
      call: "jobs.list_runs",
      args: job,
      answers: [
        {
          state: {
            state_message:
              "The local workspace runs no notebooks: run this job in a real workspace.",
          },
        },
        { number_in_job: 1 },
      ],
    },
    { what: "a job is deleted", call: "jobs.delete", args: job },
    {
      what: "and gone",
      call: "jobs.get",
      args: job,
      refuses: { type: "ResourceDoesNotExist", says: /does not exist/ },
    },
  ],
});
await workspace.close();
