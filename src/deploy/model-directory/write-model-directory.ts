/** Puts a model on the disk, for MLflow to load or to look at. */

import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeDirectory } from "../../make-directory.ts";
import type { ModelDirectory } from "./model-directory.ts";

export async function writeModelDirectory(
  { files }: ModelDirectory,
  directory: string,
): Promise<void> {
  for (const [path, content] of files) {
    const target = join(directory, path);
    makeDirectory(dirname(target));
    await writeFile(target, content);
  }
}
