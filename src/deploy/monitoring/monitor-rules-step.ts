/**
 * Sets the agent's thresholds as rules of the monitor, in the data directory that it runs
 * on: one that runs takes them up by itself, without one they wait for the next.
 */
import {
  compareAlertSettings,
  type GivenSettings,
  writeAlertSettings,
} from "../../monitor-client/alert-settings.ts";
import { absoluteReference } from "../../publish/read-webhook.ts";
import { readAlertThresholds } from "../../rules/alert-thresholds.ts";
import type { MonitoringInput, MonitoringStep } from "./monitoring-step.ts";

export function monitorRulesStep(dataDirectory: string): MonitoringStep {
  const detail = `p99, slow requests and error rate, in ${dataDirectory}`;
  return {
    name: "monitor rules",

    async plan(input) {
      const settings = settingsOf(input);
      if (!settings) return null;
      const change = await compareAlertSettings(dataDirectory, settings);
      return { outcome: change === "keep" ? "unchanged" : "planned", detail };
    },

    async run(input) {
      const settings = settingsOf(input);
      if (!settings) return { outcome: "skipped", detail: "agent.yaml names no alerts" };
      const change = await compareAlertSettings(dataDirectory, settings);
      if (change === "keep") return { outcome: "unchanged", detail };
      await writeAlertSettings(dataDirectory, settings);
      return { outcome: "done", detail };
    },
  };
}

function settingsOf({ config, endpointName }: MonitoringInput): GivenSettings | null {
  const { alerts } = config.monitoring;
  if (!alerts) return null;
  const { thresholds, webhook } = alerts;
  return {
    endpointName,
    thresholds: readAlertThresholds(thresholds),
    webhook:
      webhook === undefined
        ? null
        : { kind: "reference", reference: absoluteReference(webhook, config.file) },
  };
}
