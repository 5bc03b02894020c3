/**
 * docs/api.md, word for word: its programs run as they stand there against the local
 * workspace and a monitor that runs, its agent.yaml is deployed, its SQL is asked, and
 * what it says of results and tables is so. What a program uses without declaring it
 * stands in front of it.
 */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { systemClock } from "../src/clock.ts";
import { DatabricksDeployerWithMonitoring, loadAgentConfig } from "../src/deployment.ts";
import { History } from "../src/history/history.ts";
import { openHistory } from "../src/history/query.ts";
import { tables } from "../src/history/tables.ts";
import { type SlackReceiver, startSlackReceiver } from "../src/local-workspace/slack-receiver.ts";
import { type LocalWorkspace, startLocalWorkspace } from "../src/local-workspace/workspace.ts";
import { dataDirectoryOf } from "../src/monitor-client/data-directory.ts";
import { followAlertSettings } from "../src/monitor-client/follow-alert-settings.ts";
import { announceMonitor } from "../src/monitor-client/monitor-address.ts";
import { defaultRules } from "../src/rules/built-in-rules.ts";
import { builtInPriceBook } from "../src/signals/prices.ts";
import { createSecret } from "./deploy-setting.ts";
import { type Ended, examplesOf, installSources, run, typeErrorsIn } from "./docs-typescript.ts";
import { type StartedMonitor, sendCapture, startMonitor } from "./start-monitor.ts";

const PAGE = "docs/api.md";
const page = readFileSync(new URL(`../${PAGE}`, import.meta.url), "utf8");
const blockOf = (language: string) =>
  new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "m").exec(page)?.[1] ?? "";
const [deployment, components] = examplesOf(page).map(({ code }) => code);

/** What the page says is the program's own. */
const setting = `import { DatabricksClient } from "dspy-databricks-agents/databricks";
const client = DatabricksClient.fromEnvironment();
const error = new Error("connect ECONNREFUSED 127.0.0.1:443");
const sendAlert = (errors: readonly unknown[]) => console.log("alert", errors.length);
`;
/** Without a Python, the local workspace answers what was recorded, and "Hello!" was not. */
const question = "    smoke_request: Where is my order A-1001?\n";
/** A program goes on, and a connection that pushes keeps it from ending. */
const whatCameOfIt = `
console.log(JSON.stringify({ status, threshold, text, mlflowMetrics, handle, grafana }));
process.exit();
`;

const directory = mkdtempSync(join(tmpdir(), "api-page-"));
let dataDirectory: string;
let workspace: LocalWorkspace;
let slack: SlackReceiver;
let monitor: StartedMonitor;
let history: History;
const closing: (() => Promise<void>)[] = [];

before(async () => {
  workspace = await startLocalWorkspace({ otlpUrl: null, clock: systemClock, examples: false });
  slack = await startSlackReceiver();
  await createSecret(workspace, { scope: "support", key: "key" });
  // Without a Python, the local workspace runs no other code than that of its examples.
  cpSync(new URL("../examples/order-agent/", import.meta.url), directory, { recursive: true });
  installSources(directory);
  writeFileSync(join(directory, "deployment.ts"), deployment ?? "");
  writeFileSync(join(directory, "components.ts"), `${setting}${components}${whatCameOfIt}`);

  dataDirectory = join(directory, dataDirectoryOf(workspace.url));
  await startMonitorThere();
  // Something to roll back to.
  const yaml = blockOf("yaml").replace("  monitoring:\n", `${question}  monitoring:\n`);
  writeFileSync(join(directory, "agent.yaml"), yaml.replace("dspy>=3.4", "dspy>=3.3"));
  await deployer().deploy(await config(), { enableMonitoring: false });
  writeFileSync(join(directory, "agent.yaml"), yaml);
});
after(async () => {
  for (const close of closing.reverse()) await close();
  await workspace.close();
  await slack.close();
  rmSync(directory, { recursive: true, force: true });
});

const deployer = () =>
  new DatabricksDeployerWithMonitoring({
    host: workspace.url,
    token: workspace.token,
    dataDir: dataDirectory,
  });
const config = () => loadAgentConfig(join(directory, "agent.yaml"), { environment: "prod" });

/** As `dspy-databricks monitor` runs in the same folder. */
async function startMonitorThere(): Promise<void> {
  const settings = await followAlertSettings({
    dataDirectory,
    clock: systemClock,
    readWebhook: async () => slack.url,
    channelTo: () => ({ kind: "slack", preview: () => "", send: async () => ({ kind: "sent" }) }),
    onNotice: assert.fail,
  });
  monitor = await startMonitor({
    keep: true,
    dataDirectory,
    rules: defaultRules,
    startHistory: (journal) => {
      history = new History({
        directory: join(dataDirectory, "history"),
        entriesAfter: (seq) => journal.entriesAfter(seq),
        clock: systemClock,
        workspaceId: "local",
        priceBook: builtInPriceBook,
        onNotice: assert.fail,
      });
      return history;
    },
  });
  settings.follow((own) => monitor.monitor.setOwnAlerts(own));
  const { startedMs } = monitor.monitor;
  closing.push(
    () => monitor.close(),
    await announceMonitor(dataDirectory, { url: monitor.url, startedMs }),
    () => settings.close(),
  );
  await sendCapture(monitor.url, "callback-rag-0001.otlp.pb");
  await history.seal();
}

function runThere(file: string): Promise<Ended> {
  return run(directory, [file], {
    DATABRICKS_HOST: workspace.url,
    DATABRICKS_TOKEN: workspace.token,
    SLACK_WEBHOOK_URL: slack.url,
  });
}

test("the programs have the right types", async () => {
  assert.equal(await typeErrorsIn(directory), "");
});

test("deployment with monitoring runs as it is written", async () => {
  const { code, stdout, stderr } = await runThere("deployment.ts");
  assert.deepEqual([code, stdout, stderr], [0, "", ""]);
  const { serving } = await deployer().getDeploymentStatus("support-agent");
  assert.equal(serving[0]?.modelVersion, "1", "it was rolled back");
});

test("the components run as they are written", async () => {
  const { code, stdout, stderr } = await runThere("components.ts");
  assert.equal(code, 0, stderr);
  const { status, threshold, text, mlflowMetrics, grafana } = JSON.parse(stdout);
  assert.equal(status.summary.healthy, 1);
  assert.equal(threshold, 225);
  assert.match(text, /^dspy_requests_total\{endpoint="qa"\} 1$/m);
  assert.equal(mlflowMetrics["inference_time_latency_ms/p95"], 250);
  assert.equal(grafana.dashboard.title, "DSPy Agent Monitoring");
});

test("each call resolves to what the page says", async () => {
  const { endpointName } = await deployer().getDeploymentStatus("support-agent");
  const calls: Readonly<Record<string, () => Promise<object>>> = {
    deploy: async () => deployer().deploy(await config(), { dryRun: true }),
    configureAlerts: () => deployer().configureAlerts(endpointName),
    getMonitoringStatus: () => deployer().getMonitoringStatus(endpointName),
    runHealthCheck: () => deployer().runHealthCheck(endpointName),
    exportMonitoringData: () =>
      deployer().exportMonitoringData(endpointName, { exportFormat: "delta" }),
    rollback: () => deployer().rollback(endpointName),
  };
  const rows = rowsAfter("| call | resolves to |");
  assert.deepEqual(
    rows.map(([name]) => name),
    Object.keys(calls),
  );
  for (const [name = "", told = ""] of rows) {
    const names = new Set(namesIn(told.replaceAll(/\(.*?\)/g, "")));
    const result = await calls[name]?.();
    const untold = Object.keys(result ?? {}).filter((key) => !names.has(key));
    assert.deepEqual(untold, [], `${name} resolves to more`);
    // A plan has no monitoring, and names no version before.
    const absent = [...names].filter((key) => !Object.hasOwn(result ?? {}, key));
    assert.deepEqual(absent, name === "deploy" ? ["monitoring"] : [], `${name} lacks`);
  }
});

test("the alerts of the call reach the monitor that runs", { timeout: 20_000 }, async () => {
  const configured = await deployer().configureAlerts("support-agent", {
    alertThresholds: { latencyP99ThresholdMs: 1234 },
  });
  // It looks every 2 s; the test's own time limit ends it otherwise.
  for (;;) {
    const { alerts } = await deployer().getMonitoringStatus("support-agent");
    if (alerts?.[0]?.threshold === 1234) {
      assert.deepEqual(
        alerts.slice(0, 3).map(({ id }) => id),
        configured.rules.map(({ id }) => id),
      );
      return;
    }
    await new Promise<void>((resolve) => systemClock.after(50, resolve));
  }
});

test("the tables have the columns that the page names", () => {
  const everywhere = namesIn(/All have (.*)\n(.*):\n/.exec(page)?.[0] ?? "");
  const told = rowsAfter("| table | further columns |").map(([name = "", columns = ""]) => [
    name.slice(1),
    [...everywhere, ...namesIn(columns)],
  ]);
  const are = Object.values(tables).map(({ name, columns }) => [
    name,
    columns.map((column) => column.name),
  ]);
  assert.deepEqual(told, are);
});

test("agent.yaml is the same on its own page", () => {
  const own = readFileSync(new URL("../docs/agent-yaml.md", import.meta.url), "utf8");
  assert.ok(own.includes(blockOf("yaml")));
});

test("its SQL is asked of the history as it is written", async () => {
  const sql = blockOf("sql");
  // A trace closes 2 s after its last span.
  while (monitor.monitor.state.tracesClosed === 0) await nextTurn();
  await history.seal();
  const opened = await openHistory(join(dataDirectory, "history"));
  try {
    assert.deepEqual((await opened.query(sql, { rowsMax: 10 })).rows, []);
    const every = sql.replace("> 1000", "> 0").replace("5 MINUTES", "50 YEARS");
    const { rows } = await opened.query(every.replace("> 10\n", "> 0\n"), { rowsMax: 10 });
    assert.equal(rows.length, 1);
  } finally {
    opened.close();
  }
});

function rowsAfter(head: string): string[][] {
  const [, table = ""] = page.split(`${head}\n|---|---|\n`);
  const lines = table.split("\n");
  const end = lines.findIndex((line) => !line.startsWith("|"));
  return lines.slice(0, end).map((line) => {
    const [name = "", told = ""] = line.slice(1, -1).split(" | ");
    return [namesIn(name)[0] ?? "", told];
  });
}

function namesIn(text: string): string[] {
  return Array.from(text.matchAll(/`(\w+)`/g), ([, name = ""]) => name);
}
