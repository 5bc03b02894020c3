/**
 * Asks the monitor of the data directory to load the history into the agent's tables, as
 * often as `monitoring.export` says, and where SQL alerts look at them every minute. One
 * that runs takes it up by itself, without one it waits for the next.
 */
import {
  type ExportSettings,
  readExportSettings,
  writeExportSettings,
} from "../../monitor-client/export-settings.ts";
import type { MonitoringInput, MonitoringStep } from "./monitoring-step.ts";

/** What SQL alerts need. */
export const ALERTED_EXPORT = { every: "1 minute", timezone: "UTC" } as const;

export function exportStep(dataDirectory: string): MonitoringStep {
  return {
    name: "export",

    async plan(input) {
      const settings = settingsOf(input);
      if (!settings) return null;
      const isThere = await isAsked(dataDirectory, settings);
      return { outcome: isThere ? "unchanged" : "planned", detail: detailOf(settings) };
    },

    async run(input) {
      const settings = settingsOf(input);
      if (!settings) {
        return { outcome: "skipped", detail: "agent.yaml names no export, or no tables" };
      }
      const detail = detailOf(settings);
      if (await isAsked(dataDirectory, settings)) return { outcome: "unchanged", detail };
      await writeExportSettings(dataDirectory, settings);
      return { outcome: "done", detail };
    },
  };
}

export async function isAsked(dataDirectory: string, settings: ExportSettings): Promise<boolean> {
  const there = await readExportSettings(dataDirectory, settings.endpointName);
  return JSON.stringify(there) === JSON.stringify(settings);
}

function settingsOf({ config, context, endpointName }: MonitoringInput): ExportSettings | null {
  const { tables, alerts, warehouseId } = config.monitoring;
  const times = config.monitoring.export ?? (alerts ? ALERTED_EXPORT : null);
  if (!tables || !times) return null;
  const { catalog, schema, prefix } = tables;
  return {
    endpointName,
    host: context.client.host,
    tables: { catalog, schema, prefix },
    every: times.every,
    timezone: times.timezone,
    warehouseId: warehouseId ?? null,
  };
}

function detailOf({ tables, every, timezone }: ExportSettings): string {
  const { catalog, schema, prefix } = tables;
  const zone = timezone === "UTC" ? "" : ` in ${timezone}`;
  return `to ${catalog}.${schema}.${prefix}, every ${every.replace(/^1 /, "")}${zone}, by the monitor`;
}
