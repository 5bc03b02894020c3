/** The official SDK keeps jobs in the local workspace, and runs them where there is a Python. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { startLocalWorkspace } from "../../src/local-workspace/workspace.ts";
import { testDocumentedRoutes } from "./documented-routes.ts";
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
      what: "says that it needs a Python",
      call: "jobs.list_runs",
      args: job,
      answers: [
        {
          state: {
            state_message:
              "The local workspace runs notebooks only with a Python that has pyspark and delta-spark: start it with --python PATH.",
          },
        },
        { number_in_job: 1 },
      ],
    },
    {
      what: "its settings are replaced",
      call: "jobs.reset",
      args: {
        ...job,
        new_settings: sdk.object("jobs.JobSettings", { name: "Other", tasks: [] }),
      },
    },
    {
      what: "all of them",
      call: "jobs.get",
      args: job,
      answers: { settings: { name: "Other" } },
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

const python = new URL("../../.peers/spark/bin/python", import.meta.url).pathname;
const running = await startLocalWorkspace({
  otlpUrl: null,
  clock: systemClock,
  python,
  principals: { ann: "token-of-ann" },
});
const notebook = (path: string, lines: readonly string[]) => ({
  what: `a notebook: ${path}`,
  call: "workspace.import_",
  args: {
    path,
    content: Buffer.from(["# Databricks notebook source", ...lines].join("\n")).toString("base64"),
    language: sdk.enum("workspace.Language.PYTHON"),
  },
});
const runOf = (path: string, parameters = {}, more = {}) =>
  sdk.object("jobs.SubmitTask", {
    task_key: path.replace(/.*\//, ""),
    notebook_task: { notebook_path: path, base_parameters: parameters },
    ...more,
  });
const ended = (result: string) => ({
  state: { life_cycle_state: "TERMINATED", result_state: result },
  status: { state: "TERMINATED" },
});

/** Spark starts in half a minute on a machine that is busy. */
const answers = await driveSdk({
  url: running.url,
  tokens: { admin: running.token, ann: "token-of-ann" },
  timeoutSeconds: 300,
  calls: [
    notebook("/Shared/echo", [
      'dbutils.widgets.text("word", "nothing")',
      "from databricks.sdk import WorkspaceClient",
      'print("asked as", WorkspaceClient().current_user.me().user_name)',
      "# COMMAND ----------",
      'dbutils.notebook.exit(dbutils.widgets.get("word"))',
    ]),
    notebook("/Shared/broken", ["before = 1", "# COMMAND ----------", 'raise ValueError("boom")']),
    notebook("/Shared/sleeps", ["import time", "time.sleep(3600)"]),
    notebook("/Shared/tables", [
      "# MAGIC %sql",
      "# MAGIC CREATE SCHEMA ml.lab;",
      "# MAGIC CREATE TABLE ml.lab.numbers (n BIGINT, what STRING)",
      "# COMMAND ----------",
      "spark.sql(\"INSERT INTO ml.lab.numbers VALUES (1, 'one'), (2, 'two')\")",
      'spark.sql("""MERGE INTO ml.lab.numbers AS t USING (SELECT 2 AS n, \'zwei\' AS what) AS s ON t.n = s.n',
      '  WHEN MATCHED THEN UPDATE SET *""")',
      "spark.sql(\"CREATE TABLE ml.lab.copy AS SELECT n * 10 AS n, map('what', what) AS labels FROM ml.lab.numbers\")",
      'spark.table("ml.lab.numbers").write.mode("append").saveAsTable("ml.lab.saved")',
      'spark.sql("USE ml.lab")',
      'assert spark.sql("SELECT * FROM saved JOIN lab.numbers ON saved.n = numbers.n").count() == 2',
      'assert not spark.catalog.tableExists("ml.lab.nothing")',
      "dbutils.notebook.exit(str(spark.table('numbers').count()))",
    ]),
    notebook("/Shared/forbidden", ['spark.table("ml.lab.numbers").show()']),
    {
      what: "a notebook runs, with its parameters",
      call: "jobs.submit",
      args: { run_name: "Echo", tasks: [runOf("/Shared/echo", { word: "hello" })] },
      as: "ann",
      wait: true,
      answers: { run_name: "Echo", run_type: "SUBMIT_RUN", ...ended("SUCCESS") },
    },
    {
      what: "what it ended with is told",
      call: "jobs.get_run_output",
      args: { run_id: sdk.answer("5.tasks.0.run_id") },
      as: "ann",
      answers: { notebook_output: { result: "hello" }, logs: "asked as ann\n" },
    },
    {
      what: "one that fails says so",
      call: "jobs.submit",
      args: { tasks: [runOf("/Shared/broken")] },
      wait: true,
      answers: ended("FAILED"),
    },
    {
      what: "and where",
      call: "jobs.get_run_output",
      args: { run_id: sdk.answer("7.run_id") },
      answers: {
        error: "ValueError: boom",
        error_trace:
          'Traceback (most recent call last):\n  File "/Shared/broken, cell 2", line 1, in <module>\nValueError: boom\n',
      },
    },
    {
      what: "one that takes too long is stopped",
      call: "jobs.submit",
      args: { tasks: [runOf("/Shared/sleeps")], timeout_seconds: 1 },
      wait: true,
      answers: ended("TIMEDOUT"),
    },
    {
      what: "one that is under way",
      call: "jobs.submit",
      args: { tasks: [runOf("/Shared/sleeps")], idempotency_token: "once" },
    },
    {
      what: "is the same when it is submitted again",
      call: "jobs.submit",
      args: { tasks: [runOf("/Shared/sleeps")], idempotency_token: "once" },
    },
    {
      what: "is cancelled",
      call: "jobs.cancel_run",
      args: { run_id: sdk.answer("10.run_id") },
      wait: true,
      answers: ended("CANCELED"),
    },
    {
      what: "tables are written by Spark, under their names",
      call: "jobs.submit",
      args: { tasks: [runOf("/Shared/tables")] },
      wait: true,
      answers: ended("SUCCESS"),
    },
    {
      what: "and its rows counted",
      call: "jobs.get_run_output",
      args: { run_id: sdk.answer("13.run_id") },
      answers: { notebook_output: { result: "2" } },
    },
    {
      what: "SQL reads them",
      call: "statement_execution.execute_statement",
      args: {
        warehouse_id: "10ca1de1ce5e0001",
        statement:
          "SELECT c.n, c.labels['what'], s.what FROM ml.lab.copy AS c JOIN ml.lab.saved AS s ON c.n = s.n * 10 ORDER BY c.n",
      },
      answers: {
        result: {
          data_array: [
            ["10", "one", "one"],
            ["20", "zwei", "zwei"],
          ],
        },
      },
    },
    {
      what: "what its owner may not read, a notebook may not either",
      call: "jobs.submit",
      args: { tasks: [runOf("/Shared/forbidden")] },
      as: "ann",
      wait: true,
      answers: ended("FAILED"),
    },
    {
      what: "and says what is missing",
      call: "jobs.get_run_output",
      args: { run_id: sdk.answer("16.run_id") },
      as: "ann",
      answers: {},
    },
    {
      what: "a job with two tasks and parameters of its own",
      call: "jobs.create",
      args: {
        name: "Two",
        parameters: [sdk.object("jobs.JobParameterDefinition", { name: "word", default: "one" })],
        tasks: [
          sdk.object("jobs.Task", {
            task_key: "first",
            notebook_task: { notebook_path: "/Shared/echo" },
          }),
          sdk.object("jobs.Task", {
            task_key: "second",
            depends_on: [{ task_key: "first" }],
            notebook_task: { notebook_path: "/Shared/echo", base_parameters: { word: "task's" } },
          }),
        ],
      },
    },
    {
      what: "runs one after the other",
      call: "jobs.run_now",
      args: { job_id: sdk.answer("18.job_id"), job_parameters: { word: "two" } },
      wait: true,
      answers: {
        run_type: "JOB_RUN",
        number_in_job: 1,
        ...ended("SUCCESS"),
        tasks: [
          { task_key: "first", ...ended("SUCCESS") },
          { task_key: "second", ...ended("SUCCESS") },
        ],
      },
    },
    {
      what: "with the parameters of the run",
      call: "jobs.get_run_output",
      args: { run_id: sdk.answer("19.tasks.1.run_id") },
      answers: { notebook_output: { result: "two" } },
    },
    {
      what: "its runs are listed",
      call: "jobs.list_runs",
      args: { job_id: sdk.answer("18.job_id"), completed_only: true },
      answers: [{ number_in_job: 1, job_parameters: [{ name: "word", value: "two" }] }],
    },
  ],
});
testDocumentedRoutes(import.meta.url, [workspace, running]);
await running.close();

test("the same token is the same run", () => {
  const [first, again] = answers.slice(10, 12) as { run_id: number }[];
  assert.equal(first?.run_id, again?.run_id);
});

test("the privilege that is missing is named", () => {
  const { error } = answers[17] as { error: string };
  assert.match(error, /^WorkspaceError: \[PERMISSION_DENIED\] .*USE CATALOG on Catalog 'ml'/);
});
