/** Jobs without a Python: what is refused, what is told of runs that can't be, and that no more run than may. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openTestWorkspace, type TestWorkspace } from "../test-workspace.ts";

const task = (path: string) => ({ task_key: "t", notebook_task: { notebook_path: path } });

async function withWorkspace(use: (workspace: TestWorkspace) => Promise<void>) {
  const workspace = openTestWorkspace({ principals: ["ann"] });
  try {
    await use(workspace);
  } finally {
    await workspace.close();
  }
}

const submit = "POST /api/2.2/jobs/runs/submit";
const refused = [
  ["a task key twice", { tasks: [task("/a"), task("/b")] }, /'t' is used twice/],
  [
    "a task that is missing",
    { tasks: [{ ...task("/a"), depends_on: [{ task_key: "x" }] }] },
    /depends on 'x', which is no task/,
  ],
  [
    "a circle",
    { tasks: [{ ...task("/a"), depends_on: [{ task_key: "t" }] }] },
    /depend on each other in a circle/,
  ],
  [
    "somebody else's name",
    { tasks: [], run_as: { user_name: "local-workspace@example.com" } },
    /ann may not let a job run as local-workspace/,
  ],
] as const;
for (const [what, body, says] of refused) {
  test(`refused: ${what}`, () =>
    withWorkspace(async ({ ask }) => {
      const { status, body: told } = await ask(submit, body, "ann");
      assert.match(`${status} ${told.message}`, says);
    }));
}

test("a schedule that can't be read is refused", () =>
  withWorkspace(async ({ ask }) => {
    const schedule = { quartz_cron_expression: "* * * * *", timezone_id: "UTC" };
    const { status, body } = await ask("POST /api/2.2/jobs/create", { schedule });
    assert.match(`${status} ${body.message}`, /^400 .*6 or 7 fields/);
  }));

const unable = [
  ["no notebook", task("/Shared/none"), /"\/Shared\/none": it does not exist/],
  ["a notebook of somebody else", task("/Users/local-workspace@example.com/n"), /CAN_READ/],
  ["no Python", task("/Shared/n"), /a Python that has pyspark and delta-spark.* --python PATH/],
  ["no notebook task", { task_key: "t", sql_task: {} }, /runs notebooks only, and task t has none/],
] as const;
for (const [what, its, says] of unable) {
  test(`a run fails at once and says why: ${what}`, () =>
    withWorkspace(async ({ ask }) => {
      for (const path of ["/Shared/n", "/Users/local-workspace@example.com/n"]) {
        await ask("POST /api/2.0/workspace/import", { path, language: "PYTHON" });
      }
      const { body } = await ask(submit, { tasks: [its] }, "ann");
      const run = await ask(`GET /api/2.2/jobs/runs/get?run_id=${body.run_id}`, undefined, "ann");
      assert.equal(run.body.status.state, "TERMINATED");
      assert.match(run.body.state.state_message, says);
      const [{ run_id: id }] = run.body.tasks;
      const output = await ask(`GET /api/2.2/jobs/runs/get-output?run_id=${id}`, undefined, "ann");
      assert.match(output.body.error, says);
    }));
}

test("others don't see a run that was submitted", () =>
  withWorkspace(async ({ ask }) => {
    const { body } = await ask(submit, { tasks: [] });
    const { status } = await ask(
      `GET /api/2.2/jobs/runs/get?run_id=${body.run_id}`,
      undefined,
      "ann",
    );
    assert.equal(status, 403);
  }));
