/** The parts of monitoring that come with a deployment, in the order in which they build on each other. */
import { readWebhook } from "../../publish/read-webhook.ts";
import { aibiStep } from "./aibi-step.ts";
import { alertsStep } from "./alerts-step.ts";
import { exportStep } from "./export-step.ts";
import { grafanaStep } from "./grafana-step.ts";
import { grantsStep } from "./grants-step.ts";
import { healthStep } from "./health-step.ts";
import { monitorRulesStep } from "./monitor-rules-step.ts";
import type { MonitoringStep } from "./monitoring-step.ts";
import { notebookStep } from "./notebook-step.ts";
import { schemaStep } from "./schema-step.ts";
import { tablesStep } from "./tables-step.ts";

export function defaultMonitoringSteps({
  dataDirectory,
}: {
  readonly dataDirectory: string;
}): readonly MonitoringStep[] {
  return [
    healthStep,
    schemaStep,
    tablesStep,
    grantsStep,
    notebookStep,
    aibiStep,
    grafanaStep(dataDirectory),
    monitorRulesStep(dataDirectory),
    exportStep(dataDirectory),
    alertsStep({ readWebhook, dataDirectory }),
  ];
}
