/**
 * Makes a directory with those above it. Node's own way of it, `recursive`, tries without end
 * where a file system makes no directories and says that there is nothing, as /proc does.
 */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Nothing happens when it is there.
 *
 * @param options.mode of each that is made, before the umask.
 * @throws Error of the system, whose `path` is the one that could not be made.
 */
export function makeDirectory(path: string, options: { readonly mode?: number } = {}): void {
  if (isDirectory(path)) return;
  const above = dirname(path);
  if (above !== path && !existsSync(above)) makeDirectory(above, options);
  try {
    mkdirSync(path, options.mode);
  } catch (error) {
    // Somebody else was faster.
    if (!isDirectory(path)) throw error;
  }
}

/** Where nothing can be seen, as below a file, none is. */
function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch {
    return false;
  }
}
