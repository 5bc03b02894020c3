/** The parts of monitoring that come with a deployment, in the order in which they build on each other. */
import { alertsStep } from "./alerts-step.ts";
import { grafanaStep } from "./grafana-step.ts";
import { grantsStep } from "./grants-step.ts";
import { healthStep } from "./health-step.ts";
import type { MonitoringStep } from "./monitoring-step.ts";
import { notebookStep } from "./notebook-step.ts";
import { readWebhook } from "./read-webhook.ts";
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
    grafanaStep(dataDirectory),
    alertsStep(readWebhook),
  ];
}
