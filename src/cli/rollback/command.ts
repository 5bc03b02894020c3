/** `dspy-databricks rollback`: brings back the version that an endpoint served before. */
import { Command } from "commander";
import { withDeployer } from "../deploy/deployer.ts";
import { parseOutput } from "../parse-output.ts";

const examples = `
Examples:
  $ dspy-databricks rollback support-agent             the version before
  $ dspy-databricks rollback support-agent --to 5      a version that was served, or is registered

After a rollback, another one without --to changes nothing.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 refused or unreachable, 130 interrupted.`;

type RawOptions = {
  readonly to?: string;
  readonly profile?: string;
  readonly output: string;
};

export function rollbackCommand(): Command {
  return new Command("rollback")
    .summary("bring back the version that an endpoint served before")
    .description("Serve the version before the current one, with all else as it is served now.")
    .argument("<endpoint>", "the name of the serving endpoint")
    .option("--to <version>", "a version of the model, in place of the one before")
    .option("--profile <name>", "the workspace of this profile of ~/.databrickscfg")
    .option("--output <format>", "format of the result: text or json", "text")
    .addHelpText("after", examples)
    .action(async (endpoint: string, raw: RawOptions) => {
      const output = parseOutput(raw.output);
      await withDeployer(raw, async (deployer) => {
        process.stderr.write(`Rolling back ${endpoint} on ${deployer.host}\n`);
        const result = await deployer.rollback(endpoint, { to: raw.to });
        const { from, to, status } = result;
        const text =
          status === "unchanged"
            ? `${endpoint} serves version ${to} already${from === to ? "" : `, rolled back from ${from}`}`
            : `${endpoint} serves version ${to} again, in place of ${from}`;
        process.stdout.write(
          output === "json" ? `${JSON.stringify(result, null, 2)}\n` : `${text}\n`,
        );
      });
    });
}
