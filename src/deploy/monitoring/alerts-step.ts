/**
 * Makes the agent's thresholds SQL alerts over its Delta tables. The address of the
 * webhook goes from where it is kept into the notification destination, and nowhere else.
 */

import type { DatabricksClient } from "../../databricks/client.ts";
import { chooseWarehouse } from "../../export/delta/delta-target.ts";
import { type AgentAlerts, planAlerts, publishAlerts } from "../../publish/publish-alerts.ts";
import { absoluteReference } from "../../publish/read-webhook.ts";
import { costText } from "../../publish/warehouse-cost-text.ts";
import { readAlertThresholds } from "../../rules/alert-thresholds.ts";
import { exportProblem } from "../export-freshness.ts";
import type { MonitoringInput, MonitoringStep } from "./monitoring-step.ts";

/** From a reference to the address. */
export type ReadWebhook = (reference: string, client: DatabricksClient) => Promise<string>;

export function alertsStep({
  readWebhook,
  dataDirectory,
}: {
  readonly readWebhook: ReadWebhook;
  /** Of the monitor that exports what the alerts look at. */
  readonly dataDirectory: string;
}): MonitoringStep {
  return {
    name: "SQL alerts",

    async plan(input) {
      const agent = await agentOf(input);
      if (!agent) return null;
      const changes = await planAlerts(input.context.client, agent);
      const wanted = changes.filter(({ kind }) => kind !== "keep");
      return wanted.length === 0
        ? { outcome: "unchanged", detail: `${changes.length} alerts` }
        : {
            outcome: "planned",
            detail: `${wanted.map(({ name, kind }) => `${kind} "${name}"`).join(", ")}; ${await costText(input.context.client, agent.warehouseId)}`,
          };
    },

    async run(input) {
      const agent = await agentOf(input);
      if (!agent) return { outcome: "skipped", detail: "agent.yaml names no alerts or no tables" };
      const { client } = input.context;
      const reference = input.config.monitoring.alerts?.webhook;
      const webhookUrl =
        reference === undefined
          ? null
          : await readWebhook(absoluteReference(reference, input.config.file), client);
      const { alerts, warnings } = await publishAlerts(client, agent, webhookUrl);
      const { catalog, schema, prefix } = agent.place;
      const problem = await exportProblem({
        dataDirectory,
        target: `${catalog}.${schema}.${prefix}`,
        clock: input.context.clock,
      });
      const changed = alerts.filter(({ kind }) => kind !== "keep");
      return {
        outcome: changed.length === 0 ? "unchanged" : "done",
        detail: alerts.map(({ name }) => name).join(", "),
        warnings: problem === null ? warnings : [...warnings, problem],
        result: { alertIds: alerts.map(({ id }) => id) },
      };
    },
  };
}

async function agentOf({
  config,
  context,
  endpointName,
}: MonitoringInput): Promise<AgentAlerts | null> {
  const { tables: place, alerts, warehouseId } = config.monitoring;
  if (!place || !alerts) return null;
  return {
    endpointName,
    place,
    thresholds: readAlertThresholds(alerts.thresholds),
    warehouseId: await chooseWarehouse(
      context.client,
      warehouseId ?? process.env.DATABRICKS_WAREHOUSE_ID,
    ),
  };
}
