/**
 * Sets the alerts of an agent after it was deployed: its thresholds as rules of the monitor
 * that runs on the data directory, now or later, and as SQL alerts where its Delta tables
 * are. The address of the webhook is kept in one file that only this user can read, unless
 * it is given as a reference; Databricks has it in its notification destination.
 */

import { join } from "node:path";
import { chooseWarehouse, missingTables } from "../export/delta/delta-target.ts";
import { defaultTablePlace, fullTableName, type TablePlace } from "../history/databricks-tables.ts";
import { type GivenWebhook, writeAlertSettings } from "../monitor-client/alert-settings.ts";
import { readExportSettings, writeExportSettings } from "../monitor-client/export-settings.ts";
import { MonitorError } from "../monitor-error.ts";
import { checkedWebhook } from "../notify/read-secret.ts";
import { checkOptions } from "../option.ts";
import { channelKindOf, monitorWarnings } from "../publish/notification-destination.ts";
import { type PublishedAlerts, publishAlerts } from "../publish/publish-alerts.ts";
import { absoluteReference } from "../publish/read-webhook.ts";
import {
  type AlertThresholds,
  readAlertThresholds,
  thresholdRules,
} from "../rules/alert-thresholds.ts";
import { exportProblem } from "./export-freshness.ts";
import type { ReadWebhook } from "./monitoring/alerts-step.ts";
import { ALERTED_EXPORT } from "./monitoring/export-step.ts";
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

export type ConfigureAlertsSetting = {
  /** Of the monitor that is to take the rules up. */
  readonly dataDirectory: string;
  readonly readWebhook: ReadWebhook;
};

export async function configureAlerts(
  context: DeployContext,
  endpointName: string,
  options: ConfigureAlertsOptions,
  { dataDirectory, readWebhook }: ConfigureAlertsSetting,
): Promise<ConfiguredAlerts> {
  checkOptions("configureAlerts", options);
  const { alertWebhookUrl, alertThresholds = {}, sqlAlerts = "auto" } = options;
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
  await writeAlertSettings(dataDirectory, {
    endpointName,
    thresholds,
    webhook: webhookUrl === null ? null : givenWebhook(alertWebhookUrl ?? "", webhookUrl),
  });
  const rules = thresholdRules(endpointName, thresholds).map(
    ({ id, kind, threshold, windowSeconds }) => ({ id, kind, threshold, windowSeconds }),
  );
  const sql =
    sqlAlerts === "never"
      ? { channels: [], sqlAlertIds: [], warnings: [] }
      : await setSqlAlerts(context, {
          ...options,
          endpointName,
          thresholds,
          webhookUrl,
          dataDirectory,
        });
  const channels =
    sql.channels.length > 0 || webhookUrl === null
      ? sql.channels
      : [{ kind: channelKindOf(webhookUrl), id: `monitor:${endpointName}` }];
  return {
    endpointName,
    rules,
    channels,
    sqlAlertIds: sql.sqlAlertIds,
    warnings: [...monitorWarnings(webhookUrl), ...sql.warnings],
  };
}

async function setSqlAlerts(
  { client, clock }: DeployContext,
  {
    endpointName,
    thresholds,
    webhookUrl,
    sqlAlerts = "auto",
    tables,
    warehouseId,
    dataDirectory,
  }: Pick<ConfigureAlertsOptions, "sqlAlerts" | "tables" | "warehouseId"> & {
    readonly endpointName: string;
    readonly thresholds: AlertThresholds;
    readonly webhookUrl: string | null;
    readonly dataDirectory: string;
  },
): Promise<Pick<ConfiguredAlerts, "channels" | "sqlAlertIds" | "warnings">> {
  const place = { ...defaultTablePlace, ...tables };
  const missing = await missingTables({ client, place }, ["metrics", "requests"]);
  if (sqlAlerts === "auto" && missing.length > 0) {
    const name = fullTableName(place, missing[0] ?? "metrics");
    const warning = `No SQL alert was made, since there is no table ${name}: deploy with monitoring.tables in agent.yaml.`;
    return { channels: [], sqlAlertIds: [], warnings: [warning] };
  }
  const agent = {
    endpointName,
    thresholds,
    place,
    warehouseId: await chooseWarehouse(client, warehouseId ?? process.env.DATABRICKS_WAREHOUSE_ID),
  };
  const { alerts, channels, warnings } = await publishAlerts(client, agent, webhookUrl);
  const asked = await readExportSettings(dataDirectory, endpointName);
  // One that is asked for already, however seldom, is somebody's decision: it is told, not changed.
  if (asked === null || !isSamePlace(asked.tables, place)) {
    await writeExportSettings(dataDirectory, {
      endpointName,
      host: client.host,
      tables: { catalog: place.catalog, schema: place.schema, prefix: place.prefix },
      ...ALERTED_EXPORT,
      warehouseId: warehouseId ?? null,
    });
  }
  const target = `${place.catalog}.${place.schema}.${place.prefix}`;
  const problem = await exportProblem({ dataDirectory, target, clock });
  return {
    channels,
    sqlAlertIds: alerts.map(({ id }) => id),
    warnings: problem === null ? warnings : [...warnings, problem],
  };
}

function givenWebhook(given: string, url: string): GivenWebhook {
  return isAddress(given)
    ? { kind: "address", address: url }
    : { kind: "reference", reference: absoluteReference(given, join(process.cwd(), "here")) };
}

function isSamePlace(one: TablePlace, other: TablePlace): boolean {
  return (
    one.catalog === other.catalog && one.schema === other.schema && one.prefix === other.prefix
  );
}

const isAddress = (text: string) => /^https?:/i.test(text.trim());
