/**
 * Where the monitor of a data directory answers, in a file there. That it is still the
 * same monitor is seen by when it was started.
 */

import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectory } from "../make-directory.ts";

export type MonitorAddress = { readonly url: string; readonly startedMs: number };

const FILE = "monitor.json";
/** A monitor listens on this machine only. */
const URL_PATTERN = /^http:\/\/127\.0\.0\.1:\d{1,5}$/;

/** Says where it answers. Returns what takes that back. */
export async function announceMonitor(
  dataDirectory: string,
  address: MonitorAddress,
): Promise<() => Promise<void>> {
  const path = join(dataDirectory, FILE);
  makeDirectory(dataDirectory);
  await writeFile(path, `${JSON.stringify(address)}\n`, { mode: 0o600 });
  return () => rm(path, { force: true });
}

/** `null` where none was started, or the last one ended. One that was killed is still named. */
export async function readMonitorAddress(dataDirectory: string): Promise<MonitorAddress | null> {
  try {
    const { url, startedMs }: Record<string, unknown> = JSON.parse(
      await readFile(join(dataDirectory, FILE), "utf8"),
    );
    const isAddress = typeof url === "string" && URL_PATTERN.test(url);
    return isAddress && typeof startedMs === "number" ? { url, startedMs } : null;
  } catch {
    return null;
  }
}
