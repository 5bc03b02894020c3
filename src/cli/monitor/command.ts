/** `dspy-databricks monitor`: starts the monitor, watches until it is stopped, and reports. */
import { Command } from "commander";
import { EXIT } from "../exit-code.ts";
import { refuseUnused } from "../unused-option.ts";
import { exportDefaults, isDirectory } from "./export-options.ts";
import { checkOptions, defaults, type RawOptions } from "./options.ts";
import { report } from "./report.ts";
import { reportText } from "./report-text.ts";
import { run } from "./run.ts";

const examples = `
Examples:
  $ dspy-databricks monitor                        the workspace of DATABRICKS_HOST, or the local one
  $ dspy-databricks monitor --profile prod         a workspace of ~/.databrickscfg, reading only
  $ dspy-databricks monitor --no-workspace         receive OTLP from agents anywhere on this machine
  $ dspy-databricks monitor --local --for 90s      the example agents, then a report
  $ dspy-databricks monitor --mlflow http://localhost:5000 --experiment support
  $ dspy-databricks monitor --mlflow databricks --experiment /Shared/support-agent
  $ dspy-databricks monitor --warehouse 1a2b3c4d5e6f7a8b
  $ dspy-databricks monitor --warehouse 1a2b3c4d5e6f7a8b --span-table main.agents.rag_otel_spans
  $ dspy-databricks monitor --forward https://otel.example:4318 \\
      --forward-headers env:OTEL_EXPORTER_OTLP_HEADERS
  $ dspy-databricks monitor --slack-webhook env:SLACK_WEBHOOK_URL
  $ dspy-databricks monitor --export ml.monitoring --export-every "1 minute"

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 refused or unreachable, 130 interrupted.`;

export function monitorCommand(): Command {
  return new Command("monitor")
    .summary("watch DSPy agents: telemetry in; alerts, a page and /metrics out")
    .description(
      "Watch DSPy agents: receive their telemetry, evaluate alerts, serve the page\n" +
        "and /metrics.\n\n" +
        "Without an option it watches the workspace that the credentials name, reading\n" +
        "only, and without credentials a workspace on this machine with three example\n" +
        "agents in it.",
    )
    .option("--local", "watch the workspace on this machine with the example agents")
    .option("--no-workspace", "watch no workspace: only receive telemetry")
    .option("--profile <name>", "watch the workspace of this profile of ~/.databrickscfg")
    .option(
      "--port <number>",
      "where to serve the page and receive OTLP; 0: any free port",
      defaults.port,
    )
    .option("--data-dir <directory>", "where to keep what was seen (default: .dspy-databricks/…)")
    .option("--mlflow <server>", "read traces of an MLflow server: its URL, or databricks")
    .option(
      "--experiment <name or id>",
      "whose traces to read; may be given several times",
      (name: string, before: readonly string[] = []) => [...before, name],
    )
    .option(
      "--warehouse <id>",
      "read tables of the workspace over this SQL warehouse: docs/sources.md",
    )
    .option(
      "--app <name>",
      "watch this app, or those like agent-*, instead of all; may be given several times",
      (name: string, before: readonly string[] = []) => [...before, name],
    )
    .option(
      "--span-table <table>",
      "read spans of a table of Unity Catalog over it; may be given several times",
      (name: string, before: readonly string[] = []) => [...before, name],
    )
    .option("--slack-webhook <reference>", "tell Slack: env:NAME or file:PATH that holds the URL")
    .option("--price-book <file>", "prices of models, in place of the built-in ones: docs/cost.md")
    .option("--forward <url>", "send what arrives on to this OTLP receiver: docs/forward.md")
    .option("--forward-headers <reference>", "with the headers that env:NAME or file:PATH holds")
    .option("--forward-signals <list>", "of traces, metrics only these")
    .option("--forward-content", "with prompts and answers, which stay here otherwise")
    .option("--no-history", "keep no Delta tables beyond the last 24 hours: docs/history.md")
    .option("--export <target>", "load the history into CATALOG.SCHEMA[.PREFIX], or a directory")
    .option(
      "--export-every <time>",
      "such as 1 minute, 2 hours, day at 02:00",
      exportDefaults.every,
    )
    .option("--export-timezone <zone>", "whose day that is", exportDefaults.timezone)
    .option("--export-warehouse <id>", "that loads it (default: DATABRICKS_WAREHOUSE_ID, else any)")
    .option("--export-way <way>", "volume or merge: docs/history.md", exportDefaults.way)
    .option("--for <duration>", "stop by itself after this long, such as 90s, and report")
    .option("--output <format>", "format of the final report: text or json", defaults.output)
    .addHelpText("after", examples)
    .action(async (raw: RawOptions, command: Command) => {
      checkTogether(command, raw);
      const options = checkOptions(raw);
      const { monitor, page, telemetry, interrupted } = await run(options);
      if (options.forMs !== null || options.output === "json") {
        const told = report(monitor, { page, telemetry });
        process.stdout.write(
          options.output === "json" ? `${JSON.stringify(told, null, 2)}\n` : reportText(told),
        );
      }
      process.exitCode = interrupted ? EXIT.interrupted : EXIT.done;
    });
}

function checkTogether(command: Command, { export: target }: RawOptions): void {
  if (target === undefined) {
    const flags = ["--export-every", "--export-timezone", "--export-warehouse", "--export-way"];
    refuseUnused(command, flags, {
      beside: "without --export",
      hint: "Say where to: --export CATALOG.SCHEMA, or a directory.",
    });
  } else if (isDirectory(target)) {
    refuseUnused(command, ["--export-warehouse", "--export-way"], {
      beside: `with --export ${target}`,
      hint: "It is of tables in Databricks: leave it out for a directory.",
    });
  }
}
