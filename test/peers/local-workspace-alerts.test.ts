/** The official SDK makes alerts and destinations in the local workspace, and an alert tells a receiver. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
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

let arrived: (body: string) => void = () => {};
const firstMessage = new Promise<string>((resolve) => {
  arrived = resolve;
});
const receiver = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  response.end();
  arrived(body);
});
await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
const at = receiver.address();
const url = `http://127.0.0.1:${typeof at === "object" && at ? at.port : 0}/secret`;

/** The alert of product documents, with its own table. */
const QUERY = `SELECT COUNT(*) AS slow_requests
FROM ml.monitoring.agent_monitoring_metrics
WHERE metric_name = 'request_latency_ms' AND value > 1000
  AND timestamp > current_timestamp() - INTERVAL 5 MINUTES
HAVING slow_requests > 10`;

const alert = (more: Readonly<Record<string, unknown>> = {}) =>
  sdk.object("sql.AlertV2", {
    display_name: "slow requests",
    query_text: QUERY,
    warehouse_id: "10ca1de1ce5e0001",
    evaluation: {
      source: { name: "slow_requests" },
      comparison_operator: "GREATER_THAN",
      threshold: { value: { double_value: 10 } },
      empty_result_state: "OK",
      notification: { subscriptions: [{ destination_id: sdk.answer("0.id") }] },
    },
    schedule: { quartz_cron_schedule: "* * * * * ?", timezone_id: "UTC" },
    ...more,
  });
const execute = (statement: string) => ({
  call: "statement_execution.execute_statement",
  args: { statement, warehouse_id: "10ca1de1ce5e0001" },
  answers: { status: { state: "SUCCEEDED" } },
});

await driveSdk({
  url: workspace.url,
  tokens: { admin: workspace.token, ann: "token-of-ann" },
  calls: [
    {
      what: "a destination is made, and its address is not told",
      call: "notification_destinations.create",
      args: {
        display_name: "on call",
        config: sdk.object("settings.Config", {
          slack: { url },
        }),
      },
      answers: {
        display_name: "on call",
        destination_type: "SLACK",
        config: { slack: { url_set: true } },
      },
    },
    {
      what: "all are listed",
      call: "notification_destinations.list",
      as: "ann",
      answers: [{ display_name: "on call", destination_type: "SLACK" }],
    },
    {
      what: "only an admin may change one",
      call: "notification_destinations.update",
      args: { id: sdk.answer("0.id"), display_name: "mine" },
      as: "ann",
      refuses: { type: "PermissionDenied", says: /ann is no workspace admin/ },
    },
    {
      what: "a name is changed, and what is set stays",
      call: "notification_destinations.update",
      args: { id: sdk.answer("0.id"), display_name: "on call 2" },
      answers: { display_name: "on call 2", config: { slack: { url_set: true } } },
    },
    {
      what: "one is described",
      call: "notification_destinations.get",
      args: { id: sdk.answer("0.id") },
      answers: { display_name: "on call 2", destination_type: "SLACK" },
    },
    { what: "a schema is made", ...execute("CREATE SCHEMA ml.monitoring") },
    {
      what: "the table is made",
      ...execute(
        "CREATE TABLE ml.monitoring.agent_monitoring_metrics (timestamp TIMESTAMP, metric_name STRING, value DOUBLE)",
      ),
    },
    {
      what: "an alert is made",
      call: "alerts_v2.create_alert",
      args: { alert: alert() },
      answers: {
        display_name: "slow requests",
        lifecycle_state: "ACTIVE",
        owner_user_name: "local-workspace@example.com",
        evaluation: { comparison_operator: "GREATER_THAN" },
        schedule: { pause_status: "UNPAUSED" },
      },
    },
    {
      what: "one field is changed by its mask",
      call: "alerts_v2.update_alert",
      args: {
        id: sdk.answer("7.id"),
        alert: alert({ display_name: "slow", custom_summary: "{{ALERT_NAME}} {{ALERT_STATUS}}" }),
        update_mask: "custom_summary",
      },
      answers: { display_name: "slow requests", custom_summary: "{{ALERT_NAME}} {{ALERT_STATUS}}" },
    },
    {
      what: "alerts are listed",
      call: "alerts_v2.list_alerts",
      answers: [{ display_name: "slow requests" }],
    },
    {
      what: "another's alert is not hers",
      call: "alerts_v2.get_alert",
      args: { id: sdk.answer("7.id") },
      as: "ann",
      refuses: { type: "PermissionDenied", says: /CAN_READ/ },
    },
    {
      what: "slow requests come",
      ...execute(
        "INSERT INTO ml.monitoring.agent_monitoring_metrics SELECT current_timestamp(), 'request_latency_ms', 1500 FROM range(11)",
      ),
    },
  ],
});

test("the alert of the documents fires, and its subscriber is told", async () => {
  const message = JSON.parse(await firstMessage);
  assert.match(message.text, /^slow requests TRIGGERED\nslow_requests is 11 \(condition: > 10\)/);
});

await firstMessage;
const listed = await driveSdk({
  url: workspace.url,
  tokens: { admin: workspace.token },
  calls: [
    {
      what: "it is triggered",
      call: "alerts_v2.list_alerts",
      answers: [{ evaluation: { state: "TRIGGERED" } }],
    },
  ],
});
const [{ id }] = listed[0] as readonly [{ readonly id: string }];
await driveSdk({
  url: workspace.url,
  tokens: { admin: workspace.token },
  calls: [
    { what: "it is trashed", call: "alerts_v2.trash_alert", args: { id } },
    { what: "and no longer listed", call: "alerts_v2.list_alerts", answers: [] },
    { what: "the destination is found", call: "notification_destinations.list" },
    {
      what: "and deleted",
      call: "notification_destinations.delete",
      args: { id: sdk.answer("2.0.id") },
    },
    { what: "then there is none", call: "notification_destinations.list", answers: [] },
  ],
});
testDocumentedRoutes(import.meta.url, [workspace]);
await workspace.close();
receiver.close();
