/**
 * Directories where files are as quick as memory, if there is such a place. None of them outlives
 * its process: what one leaves that was killed is removed by the next.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { memoryRoot } from "../memory-root.ts";

const made = new Set<string>();

export function makeMemoryDirectory(): string {
  if (made.size === 0) removeOrphans();
  const directory = mkdtempSync(join(memoryRoot, `sim-${process.pid}-`));
  made.add(directory);
  return directory;
}

export function removeMemoryDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  made.delete(directory);
}

function removeOrphans(): void {
  for (const name of readdirSync(memoryRoot)) {
    const processId = Number(/^sim-(\d+)-/.exec(name)?.[1]);
    if (processId > 0 && !isRunning(processId)) removeMemoryDirectory(join(memoryRoot, name));
  }
}

function isRunning(processId: number): boolean {
  try {
    return process.kill(processId, 0);
  } catch (error) {
    // It runs, and is somebody else's.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

process.on("exit", () => {
  for (const directory of made) removeMemoryDirectory(directory);
});
for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
}
