/**
 * The monitoring that comes with a deployment, in the local workspace: its SQL alerts are
 * evaluated there and fire on exported rows, its notebook is there, and the address of
 * the webhook is in the notification destination and nowhere else.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemClock } from "../src/clock.ts";
import type { AibiDashboard } from "../src/dashboards/aibi/aibi.ts";
import { listAlerts } from "../src/databricks/alerts.ts";
import { getDashboard, getPublishedDashboard } from "../src/databricks/dashboards.ts";
import { downloadFile } from "../src/databricks/files.ts";
import { executeStatement, readStatementRows } from "../src/databricks/statements.ts";
import { exportWorkspaceObject } from "../src/databricks/workspace-objects.ts";
import type { DeploymentResult } from "../src/deploy/deployment-result.ts";
import { chooseWarehouse } from "../src/export/delta/delta-target.ts";
import { exportHistory } from "../src/export/delta/export-history.ts";
import { writeHistoryJson } from "../src/export/files/history-json.ts";
import { History } from "../src/history/history.ts";
import { openHistory } from "../src/history/query.ts";
import { type SlackReceiver, startSlackReceiver } from "../src/local-workspace/slack-receiver.ts";
import { builtInPriceBook } from "../src/signals/prices.ts";
import { type DeploySetting, openDeploySetting } from "./deploy-setting.ts";
import { sendCapture, startMonitor } from "./start-monitor.ts";

const AGENT = "alerted";
const place = { catalog: "ml", schema: "monitoring", prefix: "agent_monitoring" };
const directory = mkdtempSync(join(tmpdir(), "deployed-alerts-"));
let setting: DeploySetting;
let slack: SlackReceiver;
const told: string[] = [];

const config = () =>
  setting.agent({
    name: AGENT,
    // One that is cold tells no figures, and half an hour passes in two seconds here.
    deployment: ["scale_to_zero: false"],
    monitoring: [
      "alerts: { webhook: env:DEPLOYED_ALERTS_WEBHOOK, thresholds: { latency_p99_threshold_ms: 1, latency_threshold_count: 1, error_rate_threshold_percent: 1, error_threshold_count: 1 } }",
    ],
  });
const deploy = () =>
  setting
    .deployer({
      dataDirectory: join(directory, "deployer"),
      onProgress: (progress) => told.push(JSON.stringify(progress)),
    })
    .deploy(config());

let first: DeploymentResult;

before(async () => {
  setting = openDeploySetting({ clientSpeed: 10 });
  slack = await startSlackReceiver();
  process.env.DEPLOYED_ALERTS_WEBHOOK = slack.url;
  first = await deploy();
});
after(async () => {
  delete process.env.DEPLOYED_ALERTS_WEBHOOK;
  await setting.close();
  await slack.close();
  rmSync(directory, { recursive: true });
});

test("tables, notebook, dashboard and three alerts are there, and a second run changes nothing", async () => {
  assert.match(
    first.warnings.join(),
    /^monitoring: SQL alerts: .* nothing is exported now: no monitor runs/,
  );
  assert.equal(first.monitoring?.tables.length, 7);
  assert.equal(first.monitoring?.notebookPath, `/Shared/dspy-databricks/${AGENT}/monitoring`);
  assert.equal(first.monitoring?.alertIds.length, 3);
  const second = await deploy();
  assert.deepEqual(
    second.steps.filter(
      ({ name, outcome }) => name !== "validate" && ["done", "failed"].includes(outcome),
    ),
    [],
  );
  assert.equal(second.status, "unchanged");
  assert.deepEqual(second.monitoring, first.monitoring);
});

test("the alerts fire on exported rows, and tell the webhook", async () => {
  await exportRecorded();
  const wanted = ["error rate", "latency p99", "slow requests"].map((what) => `${AGENT}: ${what}`);
  const firing = async () =>
    (await listAlerts(setting.client()))
      .filter(({ state }) => state === "TRIGGERED")
      .map(({ displayName }) => displayName)
      .sort();
  await until(async () => (await firing()).length === 3 && slack.messages().length >= 3);
  assert.deepEqual(await firing(), wanted);
  const texts = JSON.stringify(slack.messages().map(({ body }) => body));
  for (const name of wanted) assert.ok(texts.includes(name), `${name} in ${texts}`);
});

test("the AI/BI dashboard is published, and each of its queries runs and has something to show", async () => {
  const client = setting.client();
  const id = first.monitoring?.dashboardId;
  assert.ok(id);
  assert.equal((await getPublishedDashboard(client, id)).embedsCredentials, false);
  const { serializedDashboard, path } = await getDashboard(client, id);
  assert.equal(path, `/Shared/dspy-databricks/${AGENT}/dspy-databricks ${AGENT}.lvdash.json`);
  const { datasets }: Pick<AibiDashboard, "datasets"> = JSON.parse(serializedDashboard ?? "");
  const warehouse_id = await chooseWarehouse(client, undefined);
  // A deployment is seen when a second release is; the endpoint's own metrics were not recorded.
  const empty = /^(alerts|deployments|endpoint_\w+)$/;
  for (const { name, queryLines } of datasets) {
    const statement = await executeStatement(client, {
      statement: queryLines.join(""),
      warehouse_id,
    });
    let rows = 0;
    for await (const row of readStatementRows(client, statement)) {
      rows += 1;
      if (name === "summary") assert.ok(Number(row[0]) > 0 && Number(row[1]) > 0, row.join(" "));
      if (name === "rules") assert.equal(row[1], "breached", row.join(" "));
    }
    assert.equal(rows > 0, !empty.test(name), name);
  }
});

test("what is known of an agent goes to each format", async () => {
  const dataDirectory = join(directory);
  const deployer = setting.deployer({ dataDirectory });
  const delta = await deployer.exportMonitoringData(AGENT, {
    exportFormat: "delta",
    schema: "once",
  });
  assert.equal(delta.target, "ml.once.agent_monitoring");
  assert.ok(delta.rows > 10);
  const again = await deployer.exportMonitoringData(AGENT, {
    exportFormat: "delta",
    schema: "once",
  });
  assert.equal(again.rows, 0);

  const json = await deployer.exportMonitoringData(AGENT, { exportFormat: "json" });
  assert.equal(json.rows, readFileSync(json.target, "utf8").split("\n").length - 1);
  const prometheus = await deployer.exportMonitoringData(AGENT, { exportFormat: "prometheus" });
  assert.match(readFileSync(prometheus.target, "utf8"), /^request_count_total/m);
  const mlflow = await deployer.exportMonitoringData(AGENT, { exportFormat: "mlflow" });
  assert.ok(mlflow.rows > 0);
  assert.match(mlflow.target, /^\/Shared\/dspy-databricks\/alerted\/figures, run \w+$/);
  const unused = { exportFormat: "json", catalog: "ml" } as const;
  await assert.rejects(deployer.exportMonitoringData(AGENT, unused), {
    code: "CONFIG_INVALID",
    message: "catalog has no effect on json",
  });
  await assert.rejects(deployer.exportMonitoringData("nobody", { exportFormat: "json" }), {
    code: "ENDPOINT_UNKNOWN",
  });
});

for (const [where, out] of [
  ["a volume", "dbfs:/Volumes/ml/once/agent_monitoring_files/files/agent.ndjson"],
  ["the workspace", "/Workspace/Shared/agent.ndjson"],
  ["this machine", join(directory, "elsewhere", "agent.ndjson")],
] as const) {
  test(`a file of JSON goes to ${where} as a whole, over the one before, and it is told`, async () => {
    const progress: string[] = [];
    const deployer = setting.deployer({
      dataDirectory: directory,
      onProgress: ({ step, message }) => progress.push(`${step}: ${message}`),
    });
    const exported = { exportFormat: "json", out } as const;
    const first = await deployer.exportMonitoringData(AGENT, exported);
    const { target, rows, tables = {} } = await deployer.exportMonitoringData(AGENT, exported);
    assert.deepEqual([target, rows], [out.replace("dbfs:", ""), first.rows]);
    assert.ok(progress.includes(`export: alerts: ${tables.alerts} rows`), progress.join("\n"));
    assert.equal((await textOf(target)).split("\n").length - 1, rows);
    assert.ok(!readdirSync(join(directory, "exports")).some((name) => name.includes("unfinished")));
  });
}

async function textOf(path: string): Promise<string> {
  const client = setting.client();
  if (path.startsWith("/Workspace/")) {
    const bytes = await exportWorkspaceObject(client, { path, format: "AUTO" });
    return new TextDecoder().decode(bytes);
  }
  if (!path.startsWith("/Volumes/")) return readFileSync(path, "utf8");
  const { chunks } = await downloadFile(client, path, { maxBytes: 100_000_000 });
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts).toString();
}

test("while no monitor runs, the status tells which exports stand still", async () => {
  const dataDirectory = join(directory, "deployer");
  const status = await setting.deployer({ dataDirectory }).getMonitoringStatus(AGENT);
  const [one] = status.exports ?? [];
  const { target, state, nextRun } = one ?? {};
  assert.deepEqual(
    { target, state, nextRun },
    { target: "ml.monitoring.agent_monitoring", state: "stopped", nextRun: null },
  );
  assert.match(one?.reason ?? "", /^no monitor runs on .*: start dspy-databricks monitor there$/);
  const nowhere = await setting
    .deployer({ dataDirectory: join(directory, "nothing-here") })
    .getMonitoringStatus(AGENT);
  assert.equal(nowhere.exports, null);
});

test("the rows of one agent are JSON, a row on each line", async () => {
  const home = join(directory, "history");
  const history = await openHistory(home);
  const { rows } = await history.query("SELECT DISTINCT endpoint_name FROM requests", {
    rowsMax: 1,
  });
  history.close();
  const endpointName = String(rows[0]?.[0]);
  const path = join(directory, "rows.ndjson");
  const written = await writeHistoryJson(home, { endpointName, path, onProgress: () => {} });
  const lines = readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(lines.length, written.rows);
  assert.ok(written.rows > 5);
  assert.ok(lines.every((line) => line.endpoint_name === endpointName));
});

test("the address of the webhook is in the notification destination and nowhere else", async () => {
  const [, secret = ""] = /\/services\/(.*)$/.exec(slack.url) ?? [];
  assert.ok(secret.length > 20);
  const client = setting.client();
  const path = first.monitoring?.notebookPath ?? "";
  const seen: readonly (readonly [string, string])[] = [
    ["results", JSON.stringify([first, await deploy()])],
    ["progress", told.join("\n")],
    ["alerts", JSON.stringify(await listAlerts(client))],
    [
      "notebook",
      new TextDecoder().decode(await exportWorkspaceObject(client, { path, format: "JUPYTER" })),
    ],
    ["files", filesIn(directory)],
    ["destinations", JSON.stringify(await destinations())],
  ];
  for (const [where, text] of seen) {
    assert.ok(text.length > 2, `nothing in ${where}`);
    assert.ok(!text.includes(secret), `it is in ${where}`);
  }
});

test("a webhook that can't be read is told, without what stands in its place", async () => {
  process.env.DEPLOYED_ALERTS_WEBHOOK = "no-address-but-a-secret";
  const { warnings } = await deploy();
  process.env.DEPLOYED_ALERTS_WEBHOOK = slack.url;
  assert.match(warnings.join("\n"), /SQL alerts failed: the webhook is not a URL/);
  assert.ok(!warnings.join("\n").includes("no-address"));
});

async function destinations(): Promise<unknown> {
  const { body } = await setting.workspace.ask("GET /api/2.0/notification-destinations");
  return body;
}

/** Recorded long ago: here they happen in a month, so that no window has passed meanwhile. */
async function exportRecorded(): Promise<void> {
  const home = join(directory, "history");
  const monitor = await startMonitor({
    startHistory: (journal) =>
      new History({
        directory: home,
        entriesAfter: (seq) => journal.entriesAfter(seq),
        clock: systemClock,
        workspaceId: "local",
        priceBook: builtInPriceBook,
        onNotice: assert.fail,
      }),
  });
  for (const capture of ["callback-err-429-0042.otlp.pb", "callback-rag-0001.otlp.pb"]) {
    await sendCapture(monitor.url, capture);
  }
  await monitor.close();
  const client = setting.client();
  const warehouseId = await chooseWarehouse(client, undefined);
  await exportHistory(home, { client, place, warehouseId });
  for (const table of ["metrics", "requests", "module_calls", "errors"]) {
    await executeStatement(client, {
      statement: `UPDATE ml.monitoring.agent_monitoring_${table}
        SET timestamp = current_timestamp() + INTERVAL 30 DAYS, endpoint_name = '${AGENT}'`,
      warehouse_id: warehouseId,
    });
  }
}

/** Resolves when it holds; the test's own time limit ends it otherwise. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise<void>((resolve) => systemClock.after(25, resolve));
}

function filesIn(folder: string): string {
  if (!existsSync(folder)) return "";
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"))
    .join("\n");
}
