/**
 * The history's own operations on files, and all that it expects of a disk: what was
 * synced stays, a file is created whole or not at all, and never over another.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

export type Files = {
  /** Names in a directory; none when it is not there. */
  list(directory: string): readonly string[];
  makeDirectory(directory: string): void;
  read(path: string): Uint8Array;
  sizeBytes(path: string): number;
  /** Writes a file durably, whole or not at all. False when there is one of that name: it stays as it is. */
  create(path: string, bytes: Uint8Array): boolean;
  /** Makes a file that was written under another name durable, and gives it this one. */
  publish(from: string, to: string): void;
  /** Nothing happens when it is not there. */
  remove(path: string): void;
};

/** The name under which a file is written before it gets its own. */
export const UNFINISHED = ".unfinished";

export const diskFiles: Files = {
  list: (directory) => (existsSync(directory) ? readdirSync(directory) : []),
  makeDirectory: (directory) => mkdirSync(directory, { recursive: true, mode: 0o700 }),
  read: (path) => readFileSync(path),
  sizeBytes: (path) => statSync(path).size,
  create(path, bytes) {
    const unfinished = `${path}${UNFINISHED}`;
    const file = openSync(unfinished, "w", 0o600);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    try {
      // Unlike a rename, a link refuses to replace what is there.
      linkSync(unfinished, path);
    } catch (error) {
      if (codeOf(error) === "EEXIST") return false;
      throw error;
    } finally {
      unlinkSync(unfinished);
    }
    syncDirectory(dirname(path));
    return true;
  },
  publish(from, to) {
    const file = openSync(from, "r");
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(from, to);
    syncDirectory(dirname(to));
  },
  remove(path) {
    try {
      unlinkSync(path);
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
    }
  },
};

function syncDirectory(directory: string): void {
  const handle = openSync(directory, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
