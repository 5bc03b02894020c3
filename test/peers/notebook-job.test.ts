/**
 * The notebook that comes with a deployment runs as a job of the local workspace: with the
 * names of its tables as they are, catalog and schema among them, and as whoever runs it.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { monitoringNotebook } from "../../src/dashboards/notebook/notebook.ts";
import {
  createTableSql,
  defaultTablePlace,
  quotedTable,
} from "../../src/history/databricks-tables.ts";
import { tableNames } from "../../src/history/tables.ts";
import { type LocalWorkspace, startLocalWorkspace } from "../../src/local-workspace/workspace.ts";
import { defaultAlertThresholds } from "../../src/rules/alert-thresholds.ts";
import { until } from "./run-program.ts";

const python = new URL("../../.peers/spark/bin/python", import.meta.url).pathname;
/** Some fifty statements on a Spark of its own, on a machine that may be busy. */
const RUN_MAX_MS = 540_000;

let workspace: LocalWorkspace;
// Answers as they should be; the assertions find out whether they are.
// biome-ignore lint/suspicious/noExplicitAny: a test reads any field of any answer.
const call = async (method: string, path: string, body?: object): Promise<any> => {
  const response = await fetch(workspace.url + path, {
    method,
    headers: { authorization: `Bearer ${workspace.token}` },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return response.json();
};
async function sql(statement: string): Promise<void> {
  const { status } = await call("POST", "/api/2.0/sql/statements", {
    statement,
    warehouse_id: "10ca1de1ce5e0001",
    wait_timeout: "50s",
  });
  assert.equal(status.state, "SUCCEEDED", JSON.stringify(status));
}

before(async () => {
  workspace = await startLocalWorkspace({ otlpUrl: null, clock: systemClock, python });
  await sql("CREATE SCHEMA ml.monitoring");
  for (const name of tableNames) await sql(createTableSql(defaultTablePlace, name));
  await sql(`INSERT INTO ${quotedTable(defaultTablePlace, "requests")}
    (event_id, event_date, timestamp, endpoint_name, latency_ms, status_code)
    SELECT concat('e', id), current_date(), current_timestamp() - INTERVAL 1 MINUTE, 'support-rag', 101.0 + id, 200
    FROM range(50)`);
});
after(() => workspace?.close());

test("the notebook of a deployment runs as a job, over the tables of the workspace", {
  timeout: 600_000,
}, async () => {
  const notebook = monitoringNotebook({
    agentName: "support",
    endpointName: "support-rag",
    place: defaultTablePlace,
    thresholds: defaultAlertThresholds,
  });
  await call("POST", "/api/2.0/workspace/import", {
    path: "/Shared/monitoring",
    format: "JUPYTER",
    content: Buffer.from(JSON.stringify(notebook)).toString("base64"),
  });
  const { run_id } = await call("POST", "/api/2.2/jobs/runs/submit", {
    tasks: [{ task_key: "look", notebook_task: { notebook_path: "/Shared/monitoring" } }],
  });
  const run = await until(
    "the run has ended",
    async () => {
      const told = await call("GET", `/api/2.2/jobs/runs/get?run_id=${run_id}`);
      return told.status.state === "TERMINATED" ? told : null;
    },
    RUN_MAX_MS,
  );
  const output = await call("GET", `/api/2.2/jobs/runs/get-output?run_id=${run_id}`);
  assert.equal(run.state.result_state, "SUCCESS", output.error_trace);
  // The endpoint was asked, and the requests of the table counted.
  assert.match(output.logs, /^Ready +READY$/m);
  assert.match(output.logs, /^50 +125\.0 +148\.0 +150\.0/m);
  assert.match(output.logs, /^requests +50 rows, the newest 2/m);
  assert.doesNotMatch(output.logs, /can't be told|could not be asked/);
});
