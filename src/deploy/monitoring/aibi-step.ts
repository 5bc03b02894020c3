/** Puts the agent's AI/BI dashboard over its Delta tables into the workspace, and publishes it. */
import { aibiDashboard } from "../../dashboards/aibi/aibi.ts";
import { chooseWarehouse } from "../../export/delta/delta-target.ts";
import { planAibi, publishAibi, type WantedDashboard } from "../../publish/publish-aibi.ts";
import { readAlertThresholds } from "../../rules/alert-thresholds.ts";
import type { MonitoringInput, MonitoringStep } from "./monitoring-step.ts";

export const aibiStep: MonitoringStep = {
  name: "AI/BI dashboard",

  async plan(input) {
    const wanted = await wantedOf(input);
    if (!wanted) return null;
    const { kind, name } = await planAibi(input.context.client, wanted);
    return { outcome: kind === "keep" ? "unchanged" : "planned", detail: `"${name}"` };
  },

  async run(input) {
    const wanted = await wantedOf(input);
    if (!wanted) return { outcome: "skipped", detail: "agent.yaml names no tables" };
    const { kind, name, id } = await publishAibi(input.context.client, wanted);
    const result = { dashboardId: id };
    return { outcome: kind === "keep" ? "unchanged" : "done", detail: `"${name}"`, result };
  },
};

/** Without tables it would show nothing. */
async function wantedOf({
  config,
  context,
  endpointName,
}: MonitoringInput): Promise<WantedDashboard | null> {
  const { tables: place, alerts, warehouseId } = config.monitoring;
  if (!place) return null;
  const thresholds = readAlertThresholds(alerts?.thresholds ?? {});
  return {
    endpointName,
    dashboard: aibiDashboard({ agentName: config.name, endpointName, place, thresholds }),
    warehouseId: await chooseWarehouse(
      context.client,
      warehouseId ?? process.env.DATABRICKS_WAREHOUSE_ID,
    ),
  };
}
