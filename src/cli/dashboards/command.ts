/** `dspy-databricks dashboards`: notebook, dashboards and alerting rules, as files or put in place. */
import { Command } from "commander";
import { aibiDashboard } from "../../dashboards/aibi/aibi.ts";
import { grafanaDashboard } from "../../dashboards/grafana/grafana.ts";
import { monitoringNotebook } from "../../dashboards/notebook/notebook.ts";
import { prometheusRules } from "../../dashboards/prometheus-rules/prometheus-rules.ts";
import { chooseWarehouse } from "../../export/delta/delta-target.ts";
import { defaultTablePlace } from "../../history/databricks-tables.ts";
import { LATENCY_BOUNDS_MS } from "../../live/tally.ts";
import { dashboardName, publishAibi } from "../../publish/publish-aibi.ts";
import { notebookPath, publishNotebook } from "../../publish/publish-notebook.ts";
import { readAlertThresholds, thresholdRules } from "../../rules/alert-thresholds.ts";
import { putText } from "../put-text.ts";
import { speakAlike } from "../speak-alike.ts";
import { workspaceClient } from "../workspace-client.ts";

/** Those of the deployer, where `agent.yaml` names none. */
const ERROR_RATE_PERCENT = { warning: 1, critical: 5 } as const;
/** That of the monitor's own metrics. */
const PREFIX = "dspy_";

const exitCodes =
  "\n\nExit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 refused or unreachable.";

const notebookExamples = `
Examples:
  $ dspy-databricks dashboards notebook agent.yaml --env prod --publish
  $ dspy-databricks dashboards notebook agent.yaml --out monitoring.ipynb${exitCodes}`;

const aibiExamples = `
Examples:
  $ dspy-databricks dashboards aibi agent.yaml --env prod --publish
  $ dspy-databricks dashboards aibi agent.yaml --out agent.lvdash.json${exitCodes}`;

const grafanaExamples = `
Examples:
  $ dspy-databricks dashboards grafana --out dashboard.json
  $ dspy-databricks dashboards grafana agent.yaml --env prod      with the agent's thresholds${exitCodes}`;

const rulesExamples = `
Examples:
  $ dspy-databricks dashboards prometheus-rules agent.yaml --env prod --out rules.yaml${exitCodes}`;

type RawOptions = {
  readonly env?: string;
  readonly out?: string;
  readonly publish?: boolean;
  readonly profile?: string;
};

export function dashboardsCommand(): Command {
  return new Command("dashboards")
    .summary("notebook, AI/BI and Grafana dashboard, Prometheus rules of an agent")
    .description(
      "Make the notebook of an agent, its AI/BI dashboard, its Grafana dashboard or its\n" +
        "Prometheus rules.",
    )
    .addCommand(speakAlike(notebookCommand(), "dspy-databricks dashboards notebook"))
    .addCommand(speakAlike(aibiCommand(), "dspy-databricks dashboards aibi"))
    .addCommand(speakAlike(grafanaCommand(), "dspy-databricks dashboards grafana"))
    .addCommand(speakAlike(rulesCommand(), "dspy-databricks dashboards prometheus-rules"));
}

function notebookCommand(): Command {
  return new Command("notebook")
    .summary("the Databricks notebook of an agent")
    .description("Make the notebook of an agent, from the Delta tables that agent.yaml names.")
    .argument("<agent.yaml>", "what is deployed, and where its tables are")
    .option("--env <name>", "the environment of the file, such as prod")
    .option("--out <file>", "write it there; to stdout without this and --publish")
    .option("--publish", "put it into the workspace, over the one that is there")
    .option("--profile <name>", "the workspace of this profile of ~/.databrickscfg")
    .addHelpText("after", notebookExamples)
    .action(async (file: string, raw: RawOptions) => {
      const config = await readConfig(file, raw.env);
      const { servingEndpoint: endpointName } = config.deployment;
      const notebook = monitoringNotebook({
        agentName: config.name,
        endpointName,
        place: config.monitoring.tables ?? defaultTablePlace,
        thresholds: readAlertThresholds(config.monitoring.alerts?.thresholds ?? {}),
      });
      await putText(`${JSON.stringify(notebook, null, 1)}\n`, raw);
      if (!raw.publish) return;
      const client = workspaceClient(raw.profile);
      const path = notebookPath(endpointName);
      process.stderr.write(`Writing ${path} on ${client.host}\n`);
      await publishNotebook(client, path, notebook);
      process.stdout.write(`${path}\n`);
    });
}

function aibiCommand(): Command {
  return new Command("aibi")
    .summary("the AI/BI dashboard of an agent")
    .description(
      "Make the AI/BI dashboard of an agent, over the Delta tables that agent.yaml names.",
    )
    .argument("<agent.yaml>", "what is deployed, and where its tables are")
    .option("--env <name>", "the environment of the file, such as prod")
    .option("--out <file>", "write it there; to stdout without this and --publish")
    .option("--publish", "put it into the workspace and publish it, over the one that is there")
    .option("--profile <name>", "the workspace of this profile of ~/.databrickscfg")
    .addHelpText("after", aibiExamples)
    .action(async (file: string, raw: RawOptions) => {
      const config = await readConfig(file, raw.env);
      const { servingEndpoint: endpointName } = config.deployment;
      const { tables, alerts, warehouseId } = config.monitoring;
      const dashboard = aibiDashboard({
        agentName: config.name,
        endpointName,
        place: tables ?? defaultTablePlace,
        thresholds: readAlertThresholds(alerts?.thresholds ?? {}),
      });
      await putText(`${JSON.stringify(dashboard, null, 2)}\n`, raw);
      if (!raw.publish) return;
      const client = workspaceClient(raw.profile);
      process.stderr.write(`Writing "${dashboardName(endpointName)}" on ${client.host}\n`);
      const { id } = await publishAibi(client, {
        endpointName,
        dashboard,
        warehouseId: await chooseWarehouse(
          client,
          warehouseId ?? process.env.DATABRICKS_WAREHOUSE_ID,
        ),
      });
      process.stdout.write(`${id}\n`);
    });
}

function grafanaCommand(): Command {
  return new Command("grafana")
    .summary("the Grafana dashboard of a monitor's metrics")
    .description("Make the Grafana dashboard of what a monitor serves at /metrics.")
    .argument("[agent.yaml]", "whose thresholds are drawn")
    .option("--env <name>", "the environment of the file, such as prod")
    .option("--out <file>", "write it there; to stdout without this")
    .addHelpText("after", grafanaExamples)
    .action(async (file: string | undefined, raw: RawOptions) => {
      const config = file === undefined ? null : await readConfig(file, raw.env);
      const thresholds = config?.monitoring.alerts?.thresholds ?? {};
      const critical = thresholds.errorRateThresholdPercent ?? ERROR_RATE_PERCENT.critical;
      const dashboard = grafanaDashboard({
        prefix: PREFIX,
        source: "monitor",
        errorRatePercent: {
          warning: Math.min(ERROR_RATE_PERCENT.warning, critical),
          critical,
        },
        latencyP99Ms: thresholds.latencyP99ThresholdMs,
      });
      await putText(`${JSON.stringify(dashboard, null, 2)}\n`, raw);
    });
}

function rulesCommand(): Command {
  return new Command("prometheus-rules")
    .summary("the thresholds of an agent as alerting rules")
    .description("Make alerting rules for Prometheus, over what a monitor serves at /metrics.")
    .argument("<agent.yaml>", "whose thresholds they are")
    .option("--env <name>", "the environment of the file, such as prod")
    .option("--out <file>", "write them there; to stdout without this")
    .addHelpText("after", rulesExamples)
    .action(async (file: string, raw: RawOptions) => {
      const { deployment, monitoring } = await readConfig(file, raw.env);
      const thresholds = readAlertThresholds(monitoring.alerts?.thresholds ?? {});
      const rules = thresholdRules(deployment.servingEndpoint, thresholds);
      await putText(prometheusRules(rules, { prefix: PREFIX, boundsMs: LATENCY_BOUNDS_MS }), raw);
    });
}

async function readConfig(file: string, environment: string | undefined) {
  // Loaded only here: what reads YAML and checks it would slow every other command down.
  const { loadAgentConfig } = await import("../../deployment.ts");
  return loadAgentConfig(file, { environment });
}
