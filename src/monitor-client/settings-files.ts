/**
 * Files of settings, one for each agent, in a folder of a monitor's data directory: written
 * whole or not at all, and seen to change by whoever follows them.
 */
import { open, readdir, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { MonitorError } from "../monitor-error.ts";

const ONLY_THIS_USER = 0o600;

/** A name of an endpoint is one of a file, too, as far as Databricks takes it; others are written in percents. */
export function fileNameOf(endpointName: string): string {
  return encodeURIComponent(endpointName).replaceAll(".", "%2E");
}

/** Whoever reads sees the old file or the new one, never a part. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const unfinished = `${path}.${process.pid}.part`;
  const file = await open(unfinished, "w", ONLY_THIS_USER);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
}

/** In order; none where there is no folder. */
export async function namesIn(
  folder: string,
  extensions: readonly string[],
): Promise<readonly string[]> {
  try {
    const names = await readdir(folder);
    return names.filter((name) => extensions.some((one) => name.endsWith(one))).sort();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw new MonitorError(
      "DATA_DIR_UNREADABLE",
      `cannot read ${folder}, where what is set for agents is kept: ${error instanceof Error ? error.message : "unknown"}`,
      { hint: "Make it readable for this user, or choose another with --data-dir.", cause: error },
    );
  }
}

/** Changes whenever any of the files does. */
export async function fingerprintOf(
  folder: string,
  extensions: readonly string[],
): Promise<string> {
  const names = await namesIn(folder, extensions);
  const seen = await Promise.all(
    names.map(async (name) => {
      const about = await stat(join(folder, name)).catch(() => null);
      return about && `${name} ${about.ino} ${about.size} ${about.mtimeMs}`;
    }),
  );
  return seen.join("\n");
}
