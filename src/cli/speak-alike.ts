/** Makes commander tell wrong usage in the form that every other error has. */
import type { Command } from "commander";

/** @param path how the command is called, such as `dspy-databricks monitor`. */
export function speakAlike(command: Command, path: string): Command {
  return command.exitOverride().configureOutput({
    outputError(said, write) {
      const [, what = said.trim(), nearest] =
        /^error: (.*?)\.?\n(?:\(Did you mean (.*)\?\))?/.exec(said) ?? [];
      const see = `See ${path} --help.`;
      write(
        `USAGE_INVALID: ${what}\n  Hint: ${nearest === undefined ? see : `Did you mean ${nearest}? ${see}`}\n`,
      );
    },
  });
}
