/**
 * Where the thresholds of an agent become alerts: rules of the monitor, SQL alerts of
 * Databricks, alerting rules of Prometheus. Each says what would change, and changes it;
 * done again it changes nothing.
 */

import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { prometheusRules } from "../../dashboards/prometheus-rules/prometheus-rules.ts";
import type { DatabricksClient } from "../../databricks.ts";
import { LATENCY_BOUNDS_MS } from "../../live/tally.ts";
import { makeDirectory } from "../../make-directory.ts";
import {
  compareAlertSettings,
  type GivenSettings,
  readAlertSettings,
  writeAlertSettings,
} from "../../monitor-client/alert-settings.ts";
import { MonitorError } from "../../monitor-error.ts";
import { type AgentAlerts, planAlerts, publishAlerts } from "../../publish/publish-alerts.ts";
import { type ThresholdRule, thresholdRules } from "../../rules/alert-thresholds.ts";

export type AlertTarget = "monitor" | "sql" | "prometheus";

export type TargetChange = {
  readonly target: AlertTarget;
  readonly kind: "create" | "update" | "keep";
  readonly name: string;
  /** What is wanted, and what is there where that differs. */
  readonly detail: string;
  /** Of an SQL alert that is there. */
  readonly id: string | null;
};

export async function planMonitor(
  dataDirectory: string,
  settings: GivenSettings,
): Promise<readonly TargetChange[]> {
  const { endpointName, thresholds, webhook } = settings;
  const there = await readAlertSettings(dataDirectory, endpointName);
  const before = there ? thresholdRules(endpointName, there.thresholds) : [];
  const rules = thresholdRules(endpointName, thresholds).map((rule): TargetChange => {
    const was = before.find(({ id }) => id === rule.id);
    const kind = !was ? "create" : limitOf(was) === limitOf(rule) ? "keep" : "update";
    const detail =
      was && kind === "update" ? `${limitOf(rule)}, instead of ${limitOf(was)}` : limitOf(rule);
    return { target: "monitor", kind, name: rule.id, detail, id: null };
  });
  if (webhook === null && (there?.webhook ?? null) === null) return rules;
  const change = await compareAlertSettings(dataDirectory, {
    ...settings,
    thresholds: there?.thresholds ?? thresholds,
  });
  const detail = webhook?.kind === "reference" ? webhook.reference : "none";
  return [
    ...rules,
    { target: "monitor", kind: change, name: `webhook:${endpointName}`, detail, id: null },
  ];
}

export async function applyMonitor(
  dataDirectory: string,
  settings: GivenSettings,
): Promise<readonly TargetChange[]> {
  const changes = await planMonitor(dataDirectory, settings);
  if (changes.some(({ kind }) => kind !== "keep")) {
    await writeAlertSettings(dataDirectory, settings);
  }
  return changes;
}

export async function planSql(
  client: DatabricksClient,
  agent: AgentAlerts,
): Promise<readonly TargetChange[]> {
  return (await planAlerts(client, agent)).map(sqlChange);
}

export async function applySql(
  client: DatabricksClient,
  agent: AgentAlerts,
  webhookUrl: string | null,
) {
  const { alerts, ...rest } = await publishAlerts(client, agent, webhookUrl);
  return { changes: alerts.map(sqlChange), ...rest };
}

function sqlChange({ name, kind, id }: Pick<TargetChange, "name" | "kind" | "id">): TargetChange {
  return { target: "sql", kind, name, detail: "", id };
}

export async function planPrometheus(
  dataDirectory: string,
  agent: Pick<AgentAlerts, "endpointName" | "thresholds">,
): Promise<readonly TargetChange[]> {
  const path = rulesPath(dataDirectory, agent.endpointName);
  const there = await readFile(path, "utf8").catch(() => null);
  const kind = there === null ? "create" : there === rulesText(agent) ? "keep" : "update";
  return [{ target: "prometheus", kind, name: path, detail: "", id: null }];
}

export async function applyPrometheus(
  dataDirectory: string,
  agent: Pick<AgentAlerts, "endpointName" | "thresholds">,
): Promise<readonly TargetChange[]> {
  const changes = await planPrometheus(dataDirectory, agent);
  if (changes.every(({ kind }) => kind === "keep")) return changes;
  const path = rulesPath(dataDirectory, agent.endpointName);
  try {
    makeDirectory(dirname(path));
    await writeFile(path, rulesText(agent));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
    throw new MonitorError("DATA_DIR_UNWRITABLE", `${path} could not be written${code}`, {
      hint: "Name another data directory with --data-dir.",
      cause: error,
    });
  }
  return changes;
}

const rulesPath = (dataDirectory: string, endpointName: string) =>
  join(dataDirectory, "prometheus", `${encodeURIComponent(endpointName)}.rules.yaml`);

/** That of the monitor's own metrics. */
const PREFIX = "dspy_";

function rulesText({ endpointName, thresholds }: Pick<AgentAlerts, "endpointName" | "thresholds">) {
  const rules = thresholdRules(endpointName, thresholds);
  return prometheusRules(rules, { prefix: PREFIX, boundsMs: LATENCY_BOUNDS_MS });
}

/** `above 1000 ms over 300 s`. */
function limitOf(rule: ThresholdRule): string {
  const { kind, threshold, windowSeconds, minRequests, slowerThanMs } = rule;
  switch (kind) {
    case "latency_p99":
      return `above ${threshold} ms over ${windowSeconds} s`;
    case "slow_requests":
      return `more than ${threshold} requests above ${slowerThanMs} ms over ${windowSeconds} s`;
    case "error_rate":
      return `above ${threshold} % of at least ${minRequests} requests over ${windowSeconds} s`;
  }
}
