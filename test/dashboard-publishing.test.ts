/**
 * What a service itself holds goes to the Delta tables of the local workspace, and its
 * notebook into it; the alerts of a deployed agent are set by a call.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemClock } from "../src/clock.ts";
import { listAlerts } from "../src/databricks/alerts.ts";
import type { DatabricksClient } from "../src/databricks/client.ts";
import { executeStatement, readStatementRows } from "../src/databricks/statements.ts";
import { exportWorkspaceObject } from "../src/databricks/workspace-objects.ts";
import { ErrorTracker } from "../src/errors/error-tracker.ts";
import { chooseWarehouse } from "../src/export/delta/delta-target.ts";
import { HealthCheckManager } from "../src/health/health-check-manager.ts";
import { type SlackReceiver, startSlackReceiver } from "../src/local-workspace/slack-receiver.ts";
import {
  MetricsCollector,
  type MetricsCollectorOptions,
} from "../src/metrics/metrics-collector.ts";
import { readAlertSettings } from "../src/monitor-client/alert-settings.ts";
import { announceMonitor } from "../src/monitor-client/monitor-address.ts";
import { DashboardIntegration } from "../src/publish/dashboard-integration.ts";
import { monitorRules } from "../src/rules/alert-thresholds.ts";
import { type DeploySetting, openDeploySetting } from "./deploy-setting.ts";
import { startMonitor } from "./start-monitor.ts";

let setting: DeploySetting;
let slack: SlackReceiver;
const dataDirectory = mkdtempSync(join(tmpdir(), "publishing-"));
before(async () => {
  setting = openDeploySetting({ clientSpeed: 10 });
  slack = await startSlackReceiver();
});
after(async () => {
  await setting.close();
  await slack.close();
  rmSync(dataDirectory, { recursive: true });
});

async function ask(sql: string): Promise<string[]> {
  const client = setting.client();
  const warehouse_id = await chooseWarehouse(client, undefined);
  const statement = await executeStatement(client, { statement: sql, warehouse_id });
  const texts: string[] = [];
  for await (const row of readStatementRows(client, statement)) texts.push(row.join(" "));
  return texts;
}

function service(client: DatabricksClient | undefined, options: MetricsCollectorOptions = {}) {
  const health = new HealthCheckManager();
  health.registerCheck("index", async () => ({ name: "index", status: "healthy", message: "" }));
  const metrics = new MetricsCollector(options);
  const errors = new ErrorTracker();
  const dashboard = new DashboardIntegration(health, metrics, errors, { client });
  return { metrics, errors, dashboard };
}

test("each latency and each error is in the tables once", async () => {
  const { metrics, errors, dashboard } = service(setting.client());
  for (const latencyMs of [150, 150, 150, 2_000]) {
    metrics.recordRequest("qa", { latencyMs, statusCode: 200, labels: { region: "it's \\ here" } });
  }
  errors.trackAgentError("qa", "timeout", "The answer took too long", { context: { step: 3 } });
  const first = await dashboard.exportToDeltaTable({ catalog: "ml", schema: "service" });
  assert.equal(first.tables["ml.service.agent_monitoring_errors"], 1);
  assert.equal(first.tables["ml.service.agent_monitoring_health"], 1);

  metrics.recordRequest("qa", { latencyMs: 300, statusCode: 200 });
  const second = await dashboard.exportToDeltaTable({ catalog: "ml", schema: "service" });
  assert.equal(second.tables["ml.service.agent_monitoring_errors"], undefined);
  assert.deepEqual(
    await ask(`SELECT endpoint_name, value, count(DISTINCT event_id), max(labels['region'])
      FROM ml.service.agent_monitoring_metrics WHERE metric_name = 'request_latency_ms'
      GROUP BY ALL ORDER BY value`),
    ["qa 150.0 3 it's \\ here", "qa 300.0 1 ", "qa 2000.0 1 it's \\ here"],
  );
  assert.deepEqual(
    await ask(
      "SELECT error_type, agent_name, context['step'] FROM ml.service.agent_monitoring_errors",
    ),
    ["agent.timeout qa 3"],
  );
  dashboard.close();
});

test("each call of an agent is a request, with how it ended, unless that is not wanted", async () => {
  const { metrics, dashboard } = service(setting.client());
  const labels = { region: "eu" };
  metrics.recordRequest("qa", { latencyMs: 150, statusCode: 200, modelVersion: "v2", labels });
  metrics.recordRequest("qa", { latencyMs: 20, statusCode: 429 });
  metrics.recordRequest("qa", { latencyMs: 30, statusCode: 503 });
  metrics.recordRequest("qa", { latencyMs: 5_000, labels: { outcome: "timeout" } });
  metrics.recordLatency("inference_time", 250);
  const place = { catalog: "ml", schema: "calls" };
  const { tables } = await dashboard.exportToDeltaTable(place);
  assert.equal(tables["ml.calls.agent_monitoring_requests"], 4);
  assert.deepEqual(
    await ask(`SELECT endpoint_name, model_version, source, status_code, latency_ms, error_class,
        labels['region'] FROM ml.calls.agent_monitoring_requests ORDER BY latency_ms`),
    [
      "qa  collector 429 20.0 throttled ",
      "qa  collector 503 30.0 server ",
      "qa v2 collector 200 150.0  eu",
      "qa  collector  5000.0 timeout ",
    ],
  );
  metrics.recordRequest("qa", { latencyMs: 150, statusCode: 200 });
  const second = await dashboard.exportToDeltaTable({ ...place, requests: false });
  assert.equal(second.tables["ml.calls.agent_monitoring_requests"], undefined);
  dashboard.close();
});

test("what is recorded in the moment of an export is in the next one, though the clock stands still", async () => {
  const atMs = Date.now();
  const { metrics, dashboard } = service(setting.client(), {
    clock: { ...systemClock, now: () => atMs },
  });
  const place = { catalog: "ml", schema: "moment" };
  for (let round = 0; round < 2; round++) {
    metrics.recordLatency("inference_time", 250);
    metrics.recordLatency("inference_time", 250);
    await dashboard.exportToDeltaTable(place);
  }
  assert.deepEqual(
    await ask(`SELECT count(*), count(DISTINCT event_id) FROM ml.moment.agent_monitoring_metrics
      WHERE metric_name = 'inference_time_latency_ms'`),
    ["4 4"],
  );
  dashboard.close();
});

test("what could not be loaded is loaded the next time, and once", async () => {
  const client = setting.client();
  let isDown = true;
  const broken: DatabricksClient = {
    ...client,
    postJson: (path, body, options) => {
      const isLoad = JSON.stringify(body).includes("COPY INTO");
      if (isDown && isLoad) return Promise.reject(new Error("the connection is gone"));
      return client.postJson(path, body, options);
    },
  };
  const { metrics, dashboard } = service(broken);
  metrics.recordLatency("inference_time", 250);
  await assert.rejects(dashboard.exportToDeltaTable({ schema: "later" }), /connection is gone/);
  isDown = false;
  await dashboard.exportToDeltaTable({ schema: "later" });
  await dashboard.exportToDeltaTable({ schema: "later" });
  assert.deepEqual(
    await ask(`SELECT count(*) FROM ml.later.agent_monitoring_metrics
      WHERE metric_name = 'inference_time_latency_ms'`),
    ["1"],
  );
  dashboard.close();
});

test("without a client it says what is missing", async () => {
  const { dashboard } = service(undefined);
  await assert.rejects(dashboard.exportToDeltaTable(), { code: "CONFIG_INVALID" });
  await assert.rejects(
    dashboard.createMonitoringNotebook({ agentName: "qa", endpointName: "prod-qa" }),
    { code: "CONFIG_INVALID", message: "cannot create a notebook: no client was given" },
  );
  dashboard.close();
});

test("the notebook of the contract is in the workspace", async () => {
  const { dashboard } = service(setting.client());
  const { path } = await dashboard.createMonitoringNotebook({
    agentName: "qa_agent",
    endpointName: "prod-qa-agent",
  });
  assert.equal(path, "/Shared/dspy-databricks/prod-qa-agent/monitoring");
  const bytes = await exportWorkspaceObject(setting.client(), { path, format: "JUPYTER" });
  assert.match(new TextDecoder().decode(bytes), /6\. Data export/);
  dashboard.close();
});

const alertThresholds = {
  latencyP99ThresholdMs: 1000,
  errorRateThresholdPercent: 5,
  latencyThresholdCount: 10,
  latencyWindowSeconds: 300,
  errorThresholdCount: 20,
  errorWindowSeconds: 300,
};

test("the alerts of the contract are set, and the address of the webhook is not told", async () => {
  const deployer = setting.deployer({ dataDirectory });
  await deployer.deploy(setting.agent({ name: "watched" }));
  const set = () =>
    deployer.configureAlerts("watched", { alertWebhookUrl: slack.url, alertThresholds });
  const result = await set();
  const { rules, channels, sqlAlertIds } = result;
  assert.deepEqual(
    rules.map(({ kind, threshold, windowSeconds }) => [kind, threshold, windowSeconds]),
    [
      ["latency_p99", 1000, 300],
      ["slow_requests", 10, 300],
      ["error_rate", 5, 300],
    ],
  );
  assert.deepEqual(
    channels.map(({ kind }) => kind),
    ["slack"],
  );
  assert.equal(sqlAlertIds.length, 3);
  assert.deepEqual(await set(), result);
  // What the monitor of this data directory is to judge by, and what a call says of it.
  assert.equal((await deployer.getMonitoringStatus("watched")).alerts, null);
  const monitor = await startMonitor();
  const own = await readAlertSettings(dataDirectory, "watched");
  assert.ok(own);
  monitor.monitor.setOwnAlerts({
    rules: monitorRules("watched", own.thresholds),
    channels: new Map(),
  });
  const { startedMs } = monitor.monitor;
  await announceMonitor(dataDirectory, { url: monitor.url, startedMs });
  const { alerts, overallStatus } = await deployer.getMonitoringStatus("watched");
  await monitor.close();
  assert.equal(overallStatus, "healthy");
  assert.deepEqual(
    alerts?.map(({ id, state, threshold }) => [id, state, threshold]),
    rules.map(({ id, threshold }) => [id, "inactive", threshold]),
  );
  const told = JSON.stringify([result, await listAlerts(setting.client())]);
  assert.ok(!told.includes(new URL(slack.url).pathname));
});

test("alerts that make no sense are refused, and nothing is shown of the webhook", async () => {
  const deployer = setting.deployer();
  const refused = (options: Parameters<typeof deployer.configureAlerts>[1], message: RegExp) =>
    assert.rejects(deployer.configureAlerts("watched", options), {
      code: "CONFIG_INVALID",
      message,
    });
  await refused(
    { alertThresholds: { latencyP99ThresholdMs: -1 } },
    /latencyP99ThresholdMs can't be/,
  );
  await refused({ alertThresholds: { errorThresholdCount: 1.5 } }, /errorThresholdCount can't be/);
  await refused(
    { alertWebhookUrl: "http://hooks.example/services/T0/B0/SECRET" },
    /^the webhook is not an https URL: alertWebhookUrl$/,
  );
  await assert.rejects(deployer.configureAlerts("nobody"), { code: "ENDPOINT_UNKNOWN" });
});
