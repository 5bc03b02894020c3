/** The command `dspy-databricks`: parses, calls, prints, and owns the exit codes. */
import { Command, CommanderError } from "commander";
import { MonitorError } from "../monitor-error.ts";
import { foreignLine } from "../signals/foreign-line.ts";
import { scrub } from "../signals/scrub.ts";
import { alertsCommand } from "./alerts/command.ts";
import { dashboardsCommand } from "./dashboards/command.ts";
import { deployCommand } from "./deploy/command.ts";
import { EXIT, exitCodeOf } from "./exit-code.ts";
import { exportCommand } from "./export/command.ts";
import { localCommand } from "./local/command.ts";
import { monitorCommand } from "./monitor/command.ts";
import { queryCommand } from "./query/command.ts";
import { rollbackCommand } from "./rollback/command.ts";
import { speakAlike } from "./speak-alike.ts";
import { statusCommand } from "./status/command.ts";
import { version } from "./version.ts";

/** Longest message of a call that failed: what was called, and what was answered. */
const DATABRICKS_MESSAGE_MAX_CHARS = 1_000;

const program = speakAlike(new Command("dspy-databricks"), "dspy-databricks")
  .description(
    "Production monitoring, and deployment with monitoring, for DSPy agents on Databricks.",
  )
  .version(version)
  .addCommand(speakAlike(monitorCommand(), "dspy-databricks monitor"))
  .addCommand(speakAlike(queryCommand(), "dspy-databricks query"))
  .addCommand(speakAlike(deployCommand(), "dspy-databricks deploy"))
  .addCommand(speakAlike(rollbackCommand(), "dspy-databricks rollback"))
  .addCommand(speakAlike(statusCommand(), "dspy-databricks status"))
  .addCommand(speakAlike(alertsCommand(), "dspy-databricks alerts"))
  .addCommand(speakAlike(dashboardsCommand(), "dspy-databricks dashboards"))
  .addCommand(speakAlike(exportCommand(), "dspy-databricks export"))
  .addCommand(speakAlike(localCommand(), "dspy-databricks local"));

// A reader that goes away (`| head -1`) or a full disk behind a redirection is no bug of ours.
process.stderr.on("error", () => {});
process.stdout.on("error", () => {
  process.exitCode = EXIT.failed;
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** What Databricks answered stands in it word for word, and may repeat anybody's token. */
function messageOf({ code, message }: MonitorError): string {
  return code.startsWith("DATABRICKS_")
    ? foreignLine(message, { maxChars: DATABRICKS_MESSAGE_MAX_CHARS })
    : message;
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof MonitorError) {
    process.stderr.write(`${error.code}: ${messageOf(error)}\n  Hint: ${error.hint}\n`);
    return exitCodeOf(error);
  }
  process.stderr.write(
    `This is a bug of dspy-databricks: ${scrub(String(error instanceof Error ? error.stack : error))}\n`,
  );
  return EXIT.failed;
}
