/** Writes the Grafana dashboard of the monitor's metrics, with this agent's thresholds in it. */

import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { AgentConfig } from "../../config/agent-config.ts";
import { grafanaDashboard } from "../../dashboards/grafana/grafana.ts";
import { makeDirectory } from "../../make-directory.ts";
import { MonitorError } from "../../monitor-error.ts";
import type { MonitoringStep } from "./monitoring-step.ts";

/** Those of `DashboardIntegration`, where `agent.yaml` names none. */
const ERROR_RATE_CRITICAL_PERCENT = 5;
const ERROR_RATE_WARNING_PERCENT = 1;
/** That of the monitor's own metrics. */
const PREFIX = "dspy_";

/** @param dataDirectory where files of deployments are kept on this machine. */
export function grafanaStep(dataDirectory: string): MonitoringStep {
  const pathOf = (endpointName: string) =>
    join(dataDirectory, "dashboards", `${endpointName}.grafana.json`);
  return {
    name: "Grafana dashboard",

    async plan({ config, context, endpointName }) {
      const path = pathOf(endpointName);
      const isThere = (await readOrNull(path)) === textOf(config, context.client.host);
      return { outcome: isThere ? "unchanged" : "planned", detail: path };
    },

    async run({ config, context, endpointName }) {
      const path = pathOf(endpointName);
      const text = textOf(config, context.client.host);
      const result = { grafanaPath: path };
      if ((await readOrNull(path)) === text) return { outcome: "unchanged", detail: path, result };
      try {
        makeDirectory(dirname(path));
        await writeFile(path, text);
      } catch (error) {
        const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
        throw new MonitorError("DATA_DIR_UNWRITABLE", `${path} could not be written${code}`, {
          hint: "Name another data directory with --data-dir.",
          cause: error,
        });
      }
      return { outcome: "done", detail: path, result };
    },
  };
}

function textOf({ monitoring }: AgentConfig, workspaceUrl: string): string {
  const {
    errorRateThresholdPercent: critical = ERROR_RATE_CRITICAL_PERCENT,
    latencyP99ThresholdMs,
  } = monitoring.alerts?.thresholds ?? {};
  const dashboard = grafanaDashboard({
    prefix: PREFIX,
    source: "monitor",
    errorRatePercent: { warning: Math.min(ERROR_RATE_WARNING_PERCENT, critical), critical },
    latencyP99Ms: latencyP99ThresholdMs,
    workspaceUrl,
  });
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

async function readOrNull(path: string): Promise<string | null> {
  return await readFile(path, "utf8").catch(() => null);
}
