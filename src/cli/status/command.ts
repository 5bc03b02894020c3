/** `dspy-databricks status`: what an endpoint serves, since when, and how it is. */
import { Command } from "commander";
import { withDeployer } from "../deploy/deployer.ts";
import { parseOutput } from "../parse-output.ts";
import { statusText } from "./status-text.ts";

const examples = `
Examples:
  $ dspy-databricks status support-agent
  $ dspy-databricks status support-agent --profile prod --output json

It asks Databricks, and not the agent: an endpoint that is scaled to zero stays so.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 refused or unreachable, 130 interrupted.`;

type RawOptions = {
  readonly profile?: string;
  readonly dataDir?: string;
  readonly output: string;
};

export function statusCommand(): Command {
  return new Command("status")
    .summary("what an endpoint serves, since when, and how it is")
    .description("Tell what an endpoint serves, what it served before, and how the agent is.")
    .argument("<endpoint>", "the name of the serving endpoint")
    .option("--profile <name>", "the workspace of this profile of ~/.databrickscfg")
    .option("--data-dir <directory>", "of the monitor that is asked (default: .dspy-databricks/…)")
    .option("--output <format>", "format of the result: text or json", "text")
    .addHelpText("after", examples)
    .action(async (endpoint: string, raw: RawOptions) => {
      const output = parseOutput(raw.output);
      await withDeployer(raw, async (deployer) => {
        const status = await deployer.getMonitoringStatus(endpoint);
        process.stdout.write(
          output === "json" ? `${JSON.stringify(status, null, 2)}\n` : statusText(status),
        );
      });
    });
}
