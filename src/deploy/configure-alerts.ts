/**
 * Sets the alerts of an agent after it was deployed: its thresholds as SQL alerts, where
 * its Delta tables are. The address of the webhook is put into the notification
 * destination of the workspace, and kept nowhere else.
 */
import {
  type AlertThresholds,
  readAlertThresholds,
  thresholdRules,
} from "../dashboards/alert-thresholds.ts";
import { chooseWarehouse, missingTables } from "../export/delta/delta-target.ts";
import { defaultTablePlace, fullTableName, type TablePlace } from "../history/databricks-tables.ts";
import { MonitorError } from "../monitor-error.ts";
import { checkedWebhook } from "../notify/read-secret.ts";
import { checkOptions } from "../option.ts";
import { type PublishedAlerts, publishAlerts } from "../publish/publish-alerts.ts";
import type { ReadWebhook } from "./monitoring/alerts-step.ts";
import type { DeployContext } from "./progress.ts";
import { getKnownEndpoint } from "./rollback.ts";

export type ConfigureAlertsOptions = {
  /** The address itself, or where it is kept: `env:NAME`, `file:PATH` or `{{secrets/scope/key}}`. */
  readonly alertWebhookUrl?: string | undefined;
  /** What is left out is as the monitor judges agents of which nothing was said. */
  readonly alertThresholds?:
    | { readonly [Name in keyof AlertThresholds]?: number | undefined }
    | undefined;
  /** `auto`, the default: where the Delta tables are there. */
  readonly sqlAlerts?: "auto" | "always" | "never" | undefined;
  /** Where the Delta tables are; `ml.monitoring.agent_monitoring_…` by default. */
  readonly tables?: Partial<TablePlace> | undefined;
  readonly warehouseId?: string | undefined;
};

export type ConfiguredAlerts = {
  readonly endpointName: string;
  readonly rules: readonly {
    readonly id: string;
    readonly kind: string;
    readonly threshold: number;
    readonly windowSeconds: number;
  }[];
  readonly channels: PublishedAlerts["channels"];
  readonly sqlAlertIds: readonly string[];
  /** What keeps the alerts from doing what they should. */
  readonly warnings: readonly string[];
};

export async function configureAlerts(
  context: DeployContext,
  endpointName: string,
  options: ConfigureAlertsOptions,
  readWebhook: ReadWebhook,
): Promise<ConfiguredAlerts> {
  checkOptions("configureAlerts", options);
  const { alertWebhookUrl, alertThresholds = {}, sqlAlerts = "auto", warehouseId } = options;
  if (!["auto", "always", "never"].includes(sqlAlerts)) {
    throw new MonitorError("CONFIG_INVALID", "sqlAlerts is none of auto, always and never", {
      hint: "Leave it out, and there are SQL alerts where the Delta tables are.",
    });
  }
  const thresholds = readAlertThresholds(alertThresholds);
  const { client } = context;
  const webhookUrl =
    alertWebhookUrl === undefined
      ? null
      : isAddress(alertWebhookUrl)
        ? checkedWebhook(alertWebhookUrl, "alertWebhookUrl")
        : await readWebhook(alertWebhookUrl, client);
  await getKnownEndpoint(context, endpointName);
  const rules = thresholdRules(endpointName, thresholds).map(
    ({ id, kind, threshold, windowSeconds }) => ({ id, kind, threshold, windowSeconds }),
  );
  const place = { ...defaultTablePlace, ...options.tables };
  const missing =
    sqlAlerts === "never" ? [] : await missingTables({ client, place }, ["metrics", "requests"]);
  if (sqlAlerts === "never" || (sqlAlerts === "auto" && missing.length > 0)) {
    return {
      endpointName,
      rules,
      channels: [],
      sqlAlertIds: [],
      warnings:
        sqlAlerts === "never"
          ? []
          : [
              `No SQL alert was made, since there is no table ${fullTableName(place, missing[0] ?? "metrics")}: deploy with monitoring.tables in agent.yaml.`,
            ],
    };
  }
  const agent = {
    endpointName,
    thresholds,
    place,
    warehouseId: await chooseWarehouse(client, warehouseId ?? process.env.DATABRICKS_WAREHOUSE_ID),
  };
  const { alerts, channels, warnings } = await publishAlerts(client, agent, webhookUrl);
  return {
    endpointName,
    rules,
    channels,
    sqlAlertIds: alerts.map(({ id }) => id),
    warnings: [
      ...warnings,
      "The SQL alerts know what was exported: run dspy-databricks export every minute.",
    ],
  };
}

const isAddress = (text: string) => /^https?:/i.test(text.trim());
