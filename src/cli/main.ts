/** The command `dspy-databricks`: parses, calls, prints, and owns the exit codes. */
import { Command, CommanderError, Help } from "commander";
import { MonitorError } from "../monitor-error.ts";
import { foreignLine } from "../signals/foreign-line.ts";
import { scrub } from "../signals/scrub.ts";
import { commands, commandsFor, nameOf } from "./commands.ts";
import { EXIT, exitCodeOf } from "./exit-code.ts";
import { speakAlike } from "./speak-alike.ts";
import { version } from "./version.ts";

/** Longest message of a call that failed: what was called, and what was answered. */
const DATABRICKS_MESSAGE_MAX_CHARS = 1_000;

const terms = new Map(commands.map((entry) => [nameOf(entry), entry.term]));

const program = speakAlike(new Command("dspy-databricks"), "dspy-databricks")
  .description(
    "Production monitoring, and deployment with monitoring, for DSPy agents on Databricks.",
  )
  .version(version)
  .configureHelp({
    subcommandTerm: (command) => terms.get(command.name()) ?? new Help().subcommandTerm(command),
  });
for (const command of await commandsFor(process.argv.slice(2))) program.addCommand(command);

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
