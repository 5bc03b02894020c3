/** How an agent is, as lines for a person. */
import type { MonitoringStatus, ServedVersion } from "../../deployment.ts";

export function statusText(status: MonitoringStatus): string {
  const { endpointName, overallStatus, reasons, endpoint, health, metrics } = status;
  const { agent, agentVersion, environment, previousVersions, rolledBackFrom } = endpoint;
  const lines = [
    `${endpointName} is ${overallStatus}`,
    ...reasons.map((reason) => `  ${reason}`),
    ...row("Agent", agent && `${agent} ${agentVersion}${environment ? ` (${environment})` : ""}`),
    ...endpoint.serving.flatMap((one) => row("Serves", servedText(one))),
    ...endpoint.pending.flatMap((one) => row("Pending", servedText(one))),
    ...row("Since", endpoint.lastChanged),
    ...row("Before", previousVersions.length > 0 && `version ${previousVersions.join(", ")}`),
    ...row("Rolled back", rolledBackFrom && `from version ${rolledBackFrom}`),
    ...row(
      "Requests",
      metrics?.requests !== undefined &&
        metrics.requests !== null &&
        `${metrics.requests} in the last minute, ${metrics.serverErrors ?? "?"} failed`,
    ),
    ...health.components.map(({ name, status: each, message }) =>
      `  ${"Check".padEnd(11)} ${name} ${each}: ${message}`.trimEnd(),
    ),
    ...(status.alerts ?? []).map(
      ({ kind, state, value, threshold }) =>
        `  ${"Alert".padEnd(11)} ${kind} ${state}: ${value ?? "nothing to judge"}, limit ${threshold}`,
    ),
    ...row("URL", endpoint.endpointUrl),
  ];
  return `${lines.join("\n")}\n`;
}

function servedText({ modelName, modelVersion, trafficPercentage, state }: ServedVersion): string {
  const share =
    trafficPercentage === null || trafficPercentage === 100 ? "" : `, ${trafficPercentage} %`;
  return `${modelName ?? "?"} version ${modelVersion ?? "?"}${share}, ${state ?? "in no known state"}`;
}

function row(name: string, value: string | null | undefined | false): string[] {
  return value ? [`  ${name.padEnd(11)} ${value}`] : [];
}
