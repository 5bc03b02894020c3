/** Where a monitor keeps what. */
import { join } from "node:path";
import { makeDirectory } from "../../make-directory.ts";

/** The Delta tables of the history, each in a directory of its own. */
export function historyDirectory(dataDirectory: string): string {
  return join(dataDirectory, "history");
}

/** Before its first rows are sealed it can be asked already, and is empty. */
export function makeHistoryDirectory(directory: string): void {
  try {
    makeDirectory(directory, { mode: 0o700 });
  } catch {
    // Who writes it tells that it can't be written.
  }
}
