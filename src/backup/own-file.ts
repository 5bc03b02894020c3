/** Files that only this user may read: a backup holds what a data directory holds. */

import { type FileHandle, open } from "node:fs/promises";
import { makeDirectory } from "../make-directory.ts";

/** Read and written at a time, in bytes. */
export const CHUNK_BYTES = 1024 * 1024;

/** @throws Error `EEXIST` when something is there. */
export function createOwnFile(path: string): Promise<FileHandle> {
  return open(path, "wx", 0o600);
}

/** With those above it, where they are missing. */
export function makeOwnDirectory(path: string): void {
  makeDirectory(path, { mode: 0o700 });
}
