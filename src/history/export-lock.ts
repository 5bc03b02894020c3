/**
 * One export of a history at a time, in whichever process: two would load the same files
 * at once, and would overwrite each other's marks. Whoever merges files holds it as well.
 */
import { hostname } from "node:os";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { MonitorError } from "../monitor-error.ts";
import type { Files } from "./files.ts";

const FILE = "export.lock";
const HOLDER_FILE = "export.lock.holder";
/** How often it is looked whether the other has ended, in milliseconds. */
const POLL_MS = 250;

type Locked = { readonly directory: string; readonly files: Files };

/** `null` while somebody else has it. */
export function tryExportLock({ directory, files }: Locked): (() => void) | null {
  files.makeDirectory(directory);
  return files.lock(join(directory, FILE));
}

/**
 * Waits for the other one to end.
 *
 * @throws MonitorError `EXPORT_RUNNING` when it takes longer than `waitMs`.
 */
export async function exportLock(
  at: Locked,
  {
    clock,
    waitMs,
    onWait,
  }: {
    readonly clock: Clock;
    readonly waitMs: number;
    readonly onWait: (message: string) => void;
  },
): Promise<() => void> {
  const holderPath = join(at.directory, HOLDER_FILE);
  for (let waitedMs = 0; ; waitedMs += POLL_MS) {
    const release = tryExportLock(at);
    if (release) {
      at.files.replace(holderPath, Buffer.from(`process ${process.pid} on ${hostname()}\n`));
      return release;
    }
    const holder = holderIn(at, holderPath);
    if (waitedMs >= waitMs) {
      throw new MonitorError(
        "EXPORT_RUNNING",
        `cannot export the history in ${at.directory}: ${holder} exports it already`,
        { hint: "Wait for it to end, and run it again. What it loads is not loaded again." },
      );
    }
    if (waitedMs === 0) onWait(`Waiting: ${holder} exports the same history.`);
    await new Promise<void>((resolve) => {
      clock.after(POLL_MS, resolve);
    });
  }
}

function holderIn({ files }: Locked, path: string): string {
  try {
    return new TextDecoder().decode(files.read(path)).trim();
  } catch {
    return "another process";
  }
}
