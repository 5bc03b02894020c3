/** Files that only this user may read: a backup holds what a data directory holds. */
import { type FileHandle, mkdir, open } from "node:fs/promises";

/** Read and written at a time, in bytes. */
export const CHUNK_BYTES = 1024 * 1024;

/** @throws Error `EEXIST` when something is there. */
export function createOwnFile(path: string): Promise<FileHandle> {
  return open(path, "wx", 0o600);
}

/** With those above it, where they are missing. */
export async function makeOwnDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
}
