/** `dspy-databricks alerts`: the thresholds of agent.yaml as alerts: what would change, put in place, tried. */
import { Command } from "commander";
import { ruleSql } from "../../dashboards/sql-alerts/sql-alerts.ts";
import { executeStatement, readStatementRows } from "../../databricks/statements.ts";
import type { DatabricksClient } from "../../databricks.ts";
import { chooseWarehouse } from "../../export/delta/delta-target.ts";
import type { GivenSettings } from "../../monitor-client/alert-settings.ts";
import { askRules, type RuleState } from "../../monitor-client/ask-monitor.ts";
import { dataDirectoryOf } from "../../monitor-client/data-directory.ts";
import { MonitorError } from "../../monitor-error.ts";
import { monitorWarnings } from "../../publish/notification-destination.ts";
import type { AgentAlerts } from "../../publish/publish-alerts.ts";
import { absoluteReference, readWebhook } from "../../publish/read-webhook.ts";
import { costText } from "../../publish/warehouse-cost-text.ts";
import { readAlertThresholds, thresholdRules } from "../../rules/alert-thresholds.ts";
import { type OutputFormat, parseOutput } from "../parse-output.ts";
import { speakAlike } from "../speak-alike.ts";
import { workspaceClient } from "../workspace-client.ts";
import {
  applyMonitor,
  applyPrometheus,
  applySql,
  planMonitor,
  planPrometheus,
  planSql,
  type TargetChange,
} from "./targets.ts";

const exitCodes =
  "\n\nExit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 refused or unreachable.";

type RawOptions = {
  readonly env?: string;
  readonly profile?: string;
  readonly dataDir?: string;
  readonly output: string;
};

type Given = {
  readonly settings: GivenSettings;
  readonly dataDirectory: string;
  /** `null` where agent.yaml names no tables: then there are no SQL alerts. */
  readonly sql: { readonly client: DatabricksClient; readonly agent: AgentAlerts } | null;
  /** `null` where no workspace is needed. */
  readonly client: DatabricksClient | null;
  readonly output: OutputFormat;
};

export function alertsCommand(): Command {
  return new Command("alerts")
    .summary("the alerts of agent.yaml: plan, apply, test")
    .description(
      "The thresholds that agent.yaml names, as rules of the monitor, as SQL alerts over the " +
        "Delta tables, and as alerting rules for Prometheus.",
    )
    .addCommand(
      command("plan", "what apply would change", "Say what apply would change. Reads only.", plan),
    )
    .addCommand(
      command(
        "apply",
        "set the rules of the monitor, the SQL alerts and the Prometheus rules",
        "Set the monitor's rules, create the SQL alerts that are missing and change those that " +
          "differ, and write the Prometheus rules into the data directory.",
        apply,
      ),
    )
    .addCommand(
      command(
        "test",
        "what the alerts say now",
        "Tell what the rules of the running monitor say, and ask now what each SQL alert asks.\n" +
          "Tells nobody else.",
        tryOut,
      ),
    );
}

function command(
  name: string,
  summary: string,
  description: string,
  action: (given: Given) => Promise<void>,
): Command {
  const examples = `
Examples:
  $ dspy-databricks alerts ${name} agent.yaml --env prod
  $ dspy-databricks alerts ${name} agent.yaml --env dev --profile staging --output json${exitCodes}`;
  const made = new Command(name)
    .summary(summary)
    .description(description)
    .argument("<agent.yaml>", "whose thresholds they are")
    .option("--env <name>", "the environment of the file, such as prod")
    .option("--profile <name>", "the workspace of this profile of ~/.databrickscfg")
    .option("--data-dir <directory>", "of the monitor (default: .dspy-databricks/…)")
    .option("--output <format>", "format of the result: text or json", "text")
    .addHelpText("after", examples)
    .action(async (file: string, raw: RawOptions) => action(await read(file, raw)));
  return speakAlike(made, `dspy-databricks alerts ${name}`);
}

async function read(file: string, raw: RawOptions): Promise<Given> {
  const output = parseOutput(raw.output);
  const { loadAgentConfig } = await import("../../deployment.ts");
  const config = await loadAgentConfig(file, { environment: raw.env });
  const { tables, alerts, warehouseId } = config.monitoring;
  if (!alerts) {
    throw new MonitorError("CONFIG_INVALID", `${file} names no monitoring.alerts`, {
      hint: "Write the thresholds there: alerts: { thresholds: { latency_p99_threshold_ms: 1000 } }.",
    });
  }
  const isSecret = alerts.webhook?.startsWith("{{") ?? false;
  const needsWorkspace = tables !== undefined || raw.dataDir === undefined || isSecret;
  const client = needsWorkspace ? workspaceClient(raw.profile) : null;
  const endpointName = config.deployment.servingEndpoint;
  const thresholds = readAlertThresholds(alerts.thresholds);
  const reference = alerts.webhook && absoluteReference(alerts.webhook, config.file);
  return {
    output,
    client,
    dataDirectory: raw.dataDir ?? dataDirectoryOf(client?.host ?? ""),
    settings: {
      endpointName,
      thresholds,
      webhook: reference === undefined ? null : { kind: "reference", reference },
    },
    sql:
      tables && client
        ? {
            client,
            agent: {
              endpointName,
              thresholds,
              place: tables,
              warehouseId: await chooseWarehouse(
                client,
                warehouseId ?? process.env.DATABRICKS_WAREHOUSE_ID,
              ),
            },
          }
        : null,
  };
}

async function plan({ settings, dataDirectory, sql, output }: Given): Promise<void> {
  const changes = [
    ...(await planMonitor(dataDirectory, settings)),
    ...(sql ? await planSql(sql.client, sql.agent) : []),
    ...(await planPrometheus(dataDirectory, settings)),
  ];
  await sayWhere({ settings, dataDirectory, sql });
  if (sql) {
    const cost = await costText(sql.client, sql.agent.warehouseId);
    process.stderr.write(`For the SQL alerts ${cost}.\n`);
  }
  print(output, changes, changes.map(lineOf));
}

async function apply(given: Given): Promise<void> {
  const { settings, dataDirectory, sql, client, output } = given;
  const { webhook, endpointName } = settings;
  // Read first: where it can't be, nothing is half done.
  const webhookUrl =
    webhook?.kind === "reference" ? await readWebhook(webhook.reference, client) : null;
  process.stderr.write(
    `Writing the alerts of ${endpointName} to ${dataDirectory}${sql ? ` and ${sql.client.host}` : ""}\n`,
  );
  const monitor = await applyMonitor(dataDirectory, settings);
  const published = sql ? await applySql(sql.client, sql.agent, webhookUrl) : null;
  const prometheus = await applyPrometheus(dataDirectory, settings);
  const changes = [...monitor, ...(published?.changes ?? []), ...prometheus];
  const warnings = [...monitorWarnings(webhookUrl), ...(published?.warnings ?? [])];
  for (const warning of warnings) process.stderr.write(`${warning}\n`);
  await sayWhere(given);
  print(output, { changes, channels: published?.channels ?? [], warnings }, changes.map(lineOf));
}

async function sayWhere({
  settings,
  dataDirectory,
  sql,
}: Pick<Given, "settings" | "dataDirectory" | "sql">): Promise<void> {
  const running = await askRules(dataDirectory, settings.endpointName);
  const lines = [
    running
      ? `The monitor at ${running.url} takes up within seconds what is set in ${dataDirectory}.`
      : `No monitor runs on ${dataDirectory}: what is set there waits for the next.`,
    ...(sql ? [] : ["No SQL alerts: agent.yaml names no monitoring.tables."]),
  ];
  process.stderr.write(`${lines.join("\n")}\n`);
}

type Tested = {
  readonly target: "monitor" | "sql";
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  /** `null` where there is nothing to judge. */
  readonly value: number | null;
  readonly threshold: number;
  readonly windowSeconds: number;
};

async function tryOut({ settings, dataDirectory, sql, output }: Given): Promise<void> {
  const running = await askRules(dataDirectory, settings.endpointName);
  if (!running) process.stderr.write(`No monitor runs on ${dataDirectory}.\n`);
  const told = [
    ...(running?.rules ?? []).map(monitorSays),
    ...(sql ? await askSql(sql.client, sql.agent) : []),
  ];
  print(
    output,
    told,
    told.map(
      ({ target, kind, value, threshold, windowSeconds, state }) =>
        `${target.padEnd(8)} ${state.padEnd(10)} ${kind.padEnd(18)} ${value ?? "nothing to judge"}, limit ${threshold} over ${windowSeconds} s`,
    ),
  );
}

function monitorSays(rule: RuleState): Tested {
  const { ruleId, kind, state, value, threshold, windowSeconds } = rule;
  return { target: "monitor", id: ruleId, kind, state, value, threshold, windowSeconds };
}

async function askSql(client: DatabricksClient, agent: AgentAlerts): Promise<Tested[]> {
  const { endpointName, thresholds, place, warehouseId } = agent;
  const told: Tested[] = [];
  for (const rule of thresholdRules(endpointName, thresholds)) {
    const statement = await executeStatement(
      client,
      { statement: ruleSql(rule, place), warehouse_id: warehouseId },
      { purpose: `ask what alert ${rule.id} asks`, isIdempotent: true },
    );
    let value: number | null = null;
    for await (const [first] of readStatementRows(client, statement)) {
      value = first === null || first === undefined ? null : Number(first);
    }
    const state = value !== null && value > rule.threshold ? "TRIGGERED" : "OK";
    const { id, kind, threshold, windowSeconds } = rule;
    told.push({ target: "sql", id, kind, value, threshold, windowSeconds, state });
  }
  return told;
}

const lineOf = ({ target, name, kind, detail }: TargetChange) =>
  `${kind.padEnd(7)} ${target.padEnd(11)} ${name}${detail === "" ? "" : `: ${detail}`}`;

function print(output: OutputFormat, value: unknown, lines: readonly string[]): void {
  process.stdout.write(
    output === "json" ? `${JSON.stringify(value, null, 2)}\n` : `${lines.join("\n")}\n`,
  );
}
