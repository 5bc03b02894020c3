/** Puts a model on the disk, for MLflow to load or to look at. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ModelDirectory } from "./model-directory.ts";

export async function writeModelDirectory(
  { files }: ModelDirectory,
  directory: string,
): Promise<void> {
  for (const [path, content] of files) {
    const target = join(directory, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content);
  }
}
