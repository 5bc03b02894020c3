/** `dspy-databricks deploy`: puts an agent on Model Serving, with its monitoring. */
import { Command } from "commander";
import { EXIT } from "../exit-code.ts";
import { parseOutput } from "../parse-output.ts";
import { withDeployer } from "./deployer.ts";
import { resultText } from "./result-text.ts";

const examples = `
Examples:
  $ dspy-databricks deploy agent.yaml --env prod
  $ dspy-databricks deploy agent.yaml --env prod --dry-run     what would be done, and what is missing
  $ dspy-databricks deploy agent.yaml --no-monitoring          the endpoint only
  $ dspy-databricks deploy agent.yaml --profile staging --output json

Run it again after a failure: what is done stays done, and the rest is done then.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 refused or unreachable, 130 interrupted.`;

type RawOptions = {
  readonly env?: string;
  readonly dryRun?: boolean;
  /** `false` after `--no-monitoring`. */
  readonly monitoring: boolean;
  readonly profile?: string;
  readonly dataDir?: string;
  readonly output: string;
};

export function deployCommand(): Command {
  return new Command("deploy")
    .summary("put an agent on Model Serving, with health checks and monitoring")
    .description(
      "Register the agent's model in Unity Catalog, serve it, ask it one question, and\n" +
        "set up its monitoring. What is done already stays as it is.",
    )
    .argument("<agent.yaml>", "what is deployed, and how: docs/agent-yaml.md")
    .option("--env <name>", "the environment of the file, such as prod")
    .option("--dry-run", "only say what would be done, and which permissions are missing")
    .option("--no-monitoring", "leave the monitoring out")
    .option("--profile <name>", "the workspace of this profile of ~/.databrickscfg")
    .option("--data-dir <directory>", "where files go (default: .dspy-databricks/…)")
    .option("--output <format>", "format of the result: text or json", "text")
    .addHelpText("after", examples)
    .action(async (file: string, raw: RawOptions) => {
      const output = parseOutput(raw.output);
      // Loaded only here: what reads YAML and checks it would slow every other command down.
      const { loadAgentConfig } = await import("../../deployment.ts");
      const config = await loadAgentConfig(file, { environment: raw.env });
      await withDeployer(raw, async (deployer) => {
        const as = config.environment === null ? "" : ` as ${config.environment}`;
        const verb = raw.dryRun ? "Planning to deploy" : "Deploying";
        process.stderr.write(
          `${verb} ${config.name}${as} to ${config.deployment.servingEndpoint} on ${deployer.host}\n`,
        );
        const result = await deployer.deploy(config, {
          enableMonitoring: raw.monitoring,
          dryRun: raw.dryRun ?? false,
        });
        process.stdout.write(
          output === "json" ? `${JSON.stringify(result, null, 2)}\n` : resultText(result),
        );
        const isMissing = result.missingPermissions?.some(({ state }) => state === "missing");
        if (isMissing) process.exitCode = EXIT.refused;
      });
    });
}
