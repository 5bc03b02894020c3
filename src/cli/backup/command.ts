/** `dspy-databricks backup`: what a monitor knows, in one file, also while it runs. */
import { Command } from "commander";
import { type BackupResult, makeBackup } from "../../backup/backup.ts";
import type { Damage } from "../../backup/damage.ts";
import { counted } from "../counted.ts";
import { EXIT } from "../exit-code.ts";
import { parseOutput } from "../parse-output.ts";
import { theOnlyDataDirectory } from "../query/the-only-data-directory.ts";
import { version } from "../version.ts";

const examples = `
Examples:
  $ dspy-databricks backup --out monitor.tar
  $ dspy-databricks backup --out monitor.tar --data-dir .dspy-databricks/my-workspace --output json
  $ dspy-databricks restore monitor.tar

It holds the journal, the history and what was set: docs/backup.md. Addresses of webhooks stay
behind, unless --with-secrets asks for them; what waits to be forwarded stays behind, too.

Exit codes: 0 done, 1 failed, or made of what is damaged, 2 wrong usage.`;

type RawOptions = {
  readonly out: string;
  readonly dataDir?: string;
  readonly withSecrets?: boolean;
  readonly output: string;
};

export function backupCommand(): Command {
  return new Command("backup")
    .summary("what a monitor knows, in one file")
    .description(
      "Write what a monitor knows into one file, with checksums. The monitor may be running:\n" +
        "what the file holds belongs together.",
    )
    .requiredOption("--out <file>", "the file, which must not be there yet")
    .option("--data-dir <directory>", "of the monitor (default: the one under .dspy-databricks/)")
    .option("--with-secrets", "with the addresses of webhooks: keep the file as you keep those")
    .option("--output <format>", "format of the result: text or json", "text")
    .addHelpText("after", examples)
    .action(async (raw: RawOptions) => {
      const output = parseOutput(raw.output);
      const dataDirectory = raw.dataDir ?? theOnlyDataDirectory();
      const result = await makeBackup({
        dataDirectory,
        out: raw.out,
        secrets: raw.withSecrets ?? false,
        version,
        nowMs: Date.now(),
        onProgress: (step) => process.stderr.write(`Backing up ${step} …\n`),
      });
      process.stdout.write(
        output === "json" ? `${JSON.stringify(result, null, 2)}\n` : backupText(result),
      );
      if (result.damaged.length > 0) {
        process.stderr.write(damageText(result.damaged, dataDirectory));
        process.exitCode = EXIT.failed;
      }
    });
}

function backupText(result: BackupResult): string {
  const { file, sizeBytes, journalEntries, historyFiles, settings, webhooksLeftOut } = result;
  const lines = [
    `${file}: ${(sizeBytes / 1024 / 1024).toFixed(1)} MiB`,
    `  ${counted(journalEntries, "entry", "entries")} of the journal, ${counted(historyFiles, "file")} of the history, ${settings} of settings`,
  ];
  if (webhooksLeftOut > 0) {
    const them = counted(webhooksLeftOut, "webhook stays", "webhooks stay");
    lines.push(
      `  ${them} behind; --with-secrets takes ${webhooksLeftOut === 1 ? "it" : "them"} along`,
    );
  }
  return `${lines.join("\n")}\n`;
}

/** More than these are counted. */
const DAMAGED_SHOWN_MAX = 20;

function damageText(damaged: readonly Damage[], dataDirectory: string): string {
  const lines = damaged
    .slice(0, DAMAGED_SHOWN_MAX)
    .map(({ place, problem }) => `\n    ${place}: ${problem}`);
  const more = damaged.length - lines.length;
  if (more > 0) lines.push(`\n    and ${more} more, with --output json`);
  return (
    `STORE_DAMAGED: the backup was made, of a data directory that is damaged:${lines.join("")}\n` +
    `  Hint: Let dspy-databricks monitor run on ${dataDirectory}: at its start, or within ten minutes, it mends what is damaged, seals rows again where its journal still has them, and says how many are lost. Then make another backup. A monitor on what is restored from this one does the same.\n`
  );
}
