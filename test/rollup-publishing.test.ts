/** `dspy-databricks rollups --publish` against the local workspace: a notebook and one job, however often. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { systemClock } from "../src/clock.ts";
import { createDatabricksClient } from "../src/databricks/client.ts";
import { resolveCredentials } from "../src/databricks/credentials.ts";
import { createJob, listJobs } from "../src/databricks/jobs.ts";
import { exportWorkspaceObject } from "../src/databricks/workspace-objects.ts";
import { startLocalWorkspace } from "../src/local-workspace/workspace.ts";

let workspace: Awaited<ReturnType<typeof startLocalWorkspace>>;
before(async () => {
  workspace = await startLocalWorkspace({ otlpUrl: null, clock: systemClock, examples: false });
});
after(() => workspace.close());

async function rollups(...args: readonly string[]) {
  const env = {
    PATH: process.env.PATH,
    DATABRICKS_HOST: workspace.url,
    DATABRICKS_TOKEN: workspace.token,
  };
  const command = ["bin/dspy-databricks.js", "rollups", ...args];
  return promisify(execFile)(process.execPath, command, { env });
}

function workspaceClient() {
  const credentials = resolveCredentials({
    env: { DATABRICKS_HOST: workspace.url, DATABRICKS_TOKEN: workspace.token },
    readFile: () => "",
    homeDirectory: "",
  });
  assert.ok(credentials);
  return createDatabricksClient({
    ...{ credentials, fetch, clock: systemClock, random: Math.random },
  });
}

test("published twice it is one job, whose notebook has the statements of --days", async () => {
  const client = workspaceClient();
  const { stdout } = await rollups("--publish");
  assert.match(stdout, /^job \d+, every hour: ml\.monitoring\.agent_monitoring_rollup_requests/);
  const again = await rollups("--publish", "--days", "9");
  assert.equal(again.stdout, stdout);
  const jobs = await listJobs(client);
  assert.deepEqual(
    jobs.map(({ name, tags }) => [name, tags.get("dspy-databricks")]),
    [["dspy-databricks roll-ups ml.monitoring.agent_monitoring", "rollups"]],
  );
  const path = "/Shared/dspy-databricks/rollups/ml.monitoring.agent_monitoring";
  const notebook = new TextDecoder().decode(
    await exportWorkspaceObject(client, { path, format: "JUPYTER" }),
  );
  assert.match(notebook, /REPLACE WHERE period_date >= date_sub\(current_date\(\), 8\)/);
});

test("a job that somebody else gave the same name stays as it is", async () => {
  const client = workspaceClient();
  const name = "dspy-databricks roll-ups ml.monitoring.named";
  const theirs = await createJob(client, { name, tasks: [], tags: { team: "search" } });
  await rollups("--publish", "--prefix", "named");
  await rollups("--publish", "--prefix", "named");
  const jobs = await listJobs(client, { name });
  assert.equal(jobs.length, 2);
  const kept = jobs.find(({ id }) => id === theirs);
  assert.deepEqual([kept?.tags.get("team"), kept?.settings.tasks], ["search", []]);
});
