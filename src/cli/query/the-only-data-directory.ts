/** The data directory that is meant where none is named: the only one that has a history. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { MonitorError } from "../../monitor-error.ts";
import { historyDirectory } from "../monitor/data-directory.ts";

/** Where monitors keep what they know, unless told otherwise. */
export const HOME = ".dspy-databricks";

/** @throws MonitorError where there is none, or more than one to choose from. */
export function theOnlyDataDirectory(): string {
  const names = existsSync(HOME) ? readdirSync(HOME) : [];
  const [only, ...others] = names
    .map((name) => join(HOME, name))
    .filter((directory) => existsSync(historyDirectory(directory)));
  if (only === undefined) {
    throw new MonitorError("HISTORY_MISSING", `cannot find a history under ${HOME}`, {
      hint: "Start dspy-databricks monitor here, or name its directory with --data-dir.",
    });
  }
  if (others.length > 0) {
    throw new MonitorError(
      "USAGE_INVALID",
      `there are ${others.length + 1} histories: ${[only, ...others].join(", ")}`,
      { hint: `Choose one: --data-dir ${only}` },
    );
  }
  return only;
}
