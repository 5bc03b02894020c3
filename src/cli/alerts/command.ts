/** `dspy-databricks alerts`: the thresholds of agent.yaml as SQL alerts: what would change, put in place, tried. */
import { readFile } from "node:fs/promises";
import { Command } from "commander";
import type { AgentConfig } from "../../config/agent-config.ts";
import { readAlertThresholds, thresholdRules } from "../../dashboards/alert-thresholds.ts";
import { ruleSql } from "../../dashboards/sql-alerts/sql-alerts.ts";
import { executeStatement, readStatementRows } from "../../databricks/statements.ts";
import type { DatabricksClient } from "../../databricks.ts";
import { chooseWarehouse } from "../../export/delta/delta-target.ts";
import { MonitorError } from "../../monitor-error.ts";
import { readSecret } from "../../notify/read-secret.ts";
import { type AgentAlerts, planAlerts, publishAlerts } from "../../publish/publish-alerts.ts";
import { type OutputFormat, parseOutput } from "../parse-output.ts";
import { speakAlike } from "../speak-alike.ts";
import { workspaceClient } from "../workspace-client.ts";

const exitCodes =
  "\n\nExit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 refused or unreachable.";

type RawOptions = { readonly env?: string; readonly profile?: string; readonly output: string };

type Given = {
  readonly config: AgentConfig;
  readonly agent: AgentAlerts;
  readonly client: DatabricksClient;
  readonly output: OutputFormat;
};

export function alertsCommand(): Command {
  return new Command("alerts")
    .summary("the alerts of agent.yaml in Databricks: plan, apply, test")
    .description("The thresholds that agent.yaml names, as SQL alerts over the Delta tables.")
    .addCommand(
      command("plan", "what apply would change", "Say what apply would change. Reads only.", plan),
    )
    .addCommand(
      command(
        "apply",
        "create and change the SQL alerts",
        "Create the SQL alerts that are missing and change those that differ.",
        apply,
      ),
    )
    .addCommand(
      command(
        "test",
        "ask now what the alerts ask",
        "Run the query of each alert now, and tell what it says. Tells nobody else.",
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
    .option("--output <format>", "format of the result: text or json", "text")
    .addHelpText("after", examples)
    .action(async (file: string, raw: RawOptions) => {
      const output = parseOutput(raw.output);
      const { loadAgentConfig } = await import("../../deployment.ts");
      const config = await loadAgentConfig(file, { environment: raw.env });
      const { tables, alerts, warehouseId } = config.monitoring;
      if (!tables || !alerts) {
        throw new MonitorError(
          "CONFIG_INVALID",
          `${file} names no ${tables ? "monitoring.alerts" : "monitoring.tables"}`,
          { hint: "SQL alerts need both: the thresholds, and the tables that are asked." },
        );
      }
      const client = workspaceClient(raw.profile);
      const agent = {
        endpointName: config.deployment.servingEndpoint,
        place: tables,
        thresholds: readAlertThresholds(alerts.thresholds),
        warehouseId: await chooseWarehouse(
          client,
          warehouseId ?? process.env.DATABRICKS_WAREHOUSE_ID,
        ),
      };
      await action({ config, agent, client, output });
    });
  return speakAlike(made, `dspy-databricks alerts ${name}`);
}

async function plan({ agent, client, output }: Given): Promise<void> {
  const changes = (await planAlerts(client, agent)).map(({ name, kind, id }) => ({
    name,
    kind,
    id,
  }));
  print(output, changes, changes.map(lineOf));
}

async function apply({ config, agent, client, output }: Given): Promise<void> {
  const reference = config.monitoring.alerts?.webhook;
  const webhookUrl =
    reference === undefined
      ? null
      : await readSecret(reference, {
          env: process.env,
          readFile: (path) => readFile(path, "utf8"),
        });
  process.stderr.write(`Writing the alerts of ${agent.endpointName} on ${client.host}\n`);
  const published = await publishAlerts(client, agent, webhookUrl);
  for (const warning of published.warnings) process.stderr.write(`${warning}\n`);
  print(output, published, published.alerts.map(lineOf));
}

async function tryOut({ agent, client, output }: Given): Promise<void> {
  const { endpointName, thresholds, place, warehouseId } = agent;
  const told = [];
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
    const state = value === null ? "OK" : value > rule.threshold ? "TRIGGERED" : "OK";
    const { id, kind, threshold, windowSeconds } = rule;
    told.push({ id, kind, value, threshold, windowSeconds, state });
  }
  print(
    output,
    told,
    told.map(
      ({ kind, value, threshold, windowSeconds, state }) =>
        `${state.padEnd(10)} ${kind.padEnd(14)} ${value ?? "nothing to judge"}, limit ${threshold} over ${windowSeconds} s`,
    ),
  );
}

const lineOf = ({ name, kind }: { readonly name: string; readonly kind: string }) =>
  `${kind.padEnd(7)} ${name}`;

function print(output: OutputFormat, value: unknown, lines: readonly string[]): void {
  process.stdout.write(
    output === "json" ? `${JSON.stringify(value, null, 2)}\n` : `${lines.join("\n")}\n`,
  );
}
