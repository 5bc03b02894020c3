/** Where a monitor keeps what. */
import { join } from "node:path";

/** The Delta tables of the history, each in a directory of its own. */
export function historyDirectory(dataDirectory: string): string {
  return join(dataDirectory, "history");
}
