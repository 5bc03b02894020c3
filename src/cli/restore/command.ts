/** `dspy-databricks restore`: a data directory out of a backup. */
import { Command } from "commander";
import { type RestoreResult, restoreBackup } from "../../backup/restore.ts";
import { counted } from "../counted.ts";
import { parseOutput } from "../parse-output.ts";
import { HOME } from "../query/the-only-data-directory.ts";

const examples = `
Examples:
  $ dspy-databricks restore monitor.tar                    to .dspy-databricks/ under the name it had
  $ dspy-databricks restore monitor.tar --data-dir other && dspy-databricks monitor --data-dir other
  $ dspy-databricks restore monitor.tar --replace --output json

The whole file is compared with its checksums before anything is written: docs/backup.md.

Exit codes: 0 done, 1 failed or damaged, 2 wrong usage.`;

type RawOptions = {
  readonly dataDir?: string;
  readonly replace?: boolean;
  readonly output: string;
};

export function restoreCommand(): Command {
  return new Command("restore")
    .summary("a data directory out of a backup")
    .description(
      "Make the data directory of a monitor out of a backup, whole or not at all.\n" +
        "No monitor may be running on it.",
    )
    .argument("<file>", "what dspy-databricks backup wrote")
    .option("--data-dir <directory>", `where to (default: the name that it had, under ${HOME}/)`)
    .option("--replace", "put what is there aside, under another name")
    .option("--output <format>", "format of the result: text or json", "text")
    .addHelpText("after", examples)
    .action(async (file: string, raw: RawOptions) => {
      const output = parseOutput(raw.output);
      const result = await restoreBackup({
        file,
        dataDirectory: raw.dataDir ?? null,
        home: HOME,
        replace: raw.replace ?? false,
        nowMs: Date.now(),
        onProgress: (step) => process.stderr.write(`${step[0]?.toUpperCase()}${step.slice(1)} …\n`),
      });
      process.stdout.write(
        output === "json" ? `${JSON.stringify(result, null, 2)}\n` : restoreText(result),
      );
    });
}

function restoreText(result: RestoreResult): string {
  const { dataDirectory, createdMs, journalEntries, putAsideAs, webhooksMissing } = result;
  const lines = [
    `${dataDirectory} is as it was at ${new Date(createdMs).toISOString()}: ${counted(journalEntries, "entry", "entries")} of the journal`,
  ];
  if (putAsideAs !== null) lines.push(`  What was there is now ${putAsideAs}`);
  if (webhooksMissing.length > 0) {
    lines.push(`  The backup holds no webhooks; set them again for: ${webhooksMissing.join(", ")}`);
  }
  lines.push(`  dspy-databricks monitor --data-dir ${dataDirectory}`);
  return `${lines.join("\n")}\n`;
}
