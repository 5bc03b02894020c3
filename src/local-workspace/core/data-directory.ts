/** Where the workspace keeps what it holds: a directory that lasts, or one that goes with it. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type DataDirectory = {
  readonly path: string;
  /** Removes it when it was only for this run. */
  close(): void;
};

/** @param path made when it is not there; `null`: a temporary one. */
export function openDataDirectory(path: string | null): DataDirectory {
  if (path !== null) {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return { path, close() {} };
  }
  const temporary = mkdtempSync(join(tmpdir(), "local-workspace-"));
  return {
    path: temporary,
    close: () => rmSync(temporary, { recursive: true, force: true }),
  };
}
