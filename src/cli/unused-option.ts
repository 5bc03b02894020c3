/**
 * An option that changes nothing is refused: whoever gives it expects that it does, and would
 * find out too late.
 */
import type { Command } from "commander";
import { MonitorError } from "../monitor-error.ts";

/**
 * @param flags such as `--way`, those that change nothing here.
 * @param beside what makes them useless, as it was given: `with --format json`.
 * @throws MonitorError `USAGE_INVALID` when one of them stands on the command line.
 */
export function refuseUnused(
  command: Command,
  flags: readonly string[],
  { beside, hint }: { readonly beside: string; readonly hint: string },
): void {
  const unused = command.options.find(
    (option) =>
      flags.includes(option.long ?? "") &&
      command.getOptionValueSource(option.attributeName()) === "cli",
  );
  if (unused === undefined) return;
  throw new MonitorError("USAGE_INVALID", `${unused.long} has no effect ${beside}`, { hint });
}
