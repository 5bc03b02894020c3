/**
 * The history's own operations on files, and all that it expects of a disk: what was
 * synced stays, a file is created whole or not at all, and never over another.
 */
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";

export type Files = {
  /** Names in a directory; none when it is not there. */
  list(directory: string): readonly string[];
  /** With those above it, durably. Nothing happens when it is there. */
  makeDirectory(directory: string): void;
  read(path: string): Uint8Array;
  sizeBytes(path: string): number;
  /** CRC-32 of its bytes, however many there are. */
  checksum(path: string): number;
  /** Writes a file durably, whole or not at all. False when there is one of that name: it stays as it is. */
  create(path: string, bytes: Uint8Array): boolean;
  /** As `create`, but instead of what is there. */
  replace(path: string, bytes: Uint8Array): void;
  /** Makes a file that was written under another name durable, and gives it this one. */
  publish(from: string, to: string): void;
  /** The names in a directory are durable from now on, also those that a process gave that died amid it. */
  settle(directory: string): void;
  /** Nothing happens when it is not there. */
  remove(path: string): void;
  /**
   * Takes the lock of that name, and returns what gives it back. It ends with the process at the
   * latest, however that ends. `null` while somebody else has it.
   */
  lock(path: string): (() => void) | null;
};

/** The name under which a file is written before it gets its own. */
export const UNFINISHED = ".unfinished";

/**
 * What the system offers, as `node:fs` has it. Only what was synced survives a power cut: of a
 * file its bytes, of a directory the names in it.
 */
export type Disk = {
  list(directory: string): readonly string[];
  makeDirectory(directory: string): void;
  read(path: string): Uint8Array;
  sizeBytes(path: string): number;
  /** For writing it makes the file, or empties it. A directory is opened for reading. */
  open(path: string, mode: "r" | "w"): number;
  /** Goes on where it ended before. Returns how many bytes came; 0 at the end. */
  readInto(handle: number, bytes: Uint8Array): number;
  /** Returns how many bytes were taken. */
  write(handle: number, bytes: Uint8Array, from: number): number;
  sync(handle: number): void;
  close(handle: number): void;
  /** A second name for a file. It refuses to replace what is there. */
  link(from: string, to: string): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** As `Files` has it. */
  lock(path: string): (() => void) | null;
};

/** @param modes before the umask. */
function systemDisk({
  fileMode,
  directoryMode,
}: {
  readonly fileMode: number;
  readonly directoryMode: number;
}): Disk {
  return {
    list: (directory) => readdirSync(directory),
    makeDirectory: (directory) => mkdirSync(directory, directoryMode),
    read: (path) => readFileSync(path),
    sizeBytes: (path) => statSync(path).size,
    open: (path, mode) => openSync(path, mode, fileMode),
    readInto: (handle, bytes) => readSync(handle, bytes),
    write: (handle, bytes, from) => writeSync(handle, bytes, from),
    sync: fsyncSync,
    close: closeSync,
    link: linkSync,
    rename: renameSync,
    remove: unlinkSync,
    lock: lockBySqlite,
  };
}

/** Node has no lock of the operating system of its own; SQLite has. */
function lockBySqlite(path: string): (() => void) | null {
  // Loaded where it is needed: older Nodes warn of it.
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  const database = new DatabaseSync(path);
  try {
    database.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if ((error as { errcode?: unknown }).errcode === SQLITE_BUSY) return null;
    throw error;
  }
  return () => database.close();
}

/** What SQLite answers while somebody else has the lock. */
const SQLITE_BUSY = 5;

/** For this user only: what the monitor keeps is nobody else's business. */
export const diskFiles: Files = filesOn(systemDisk({ fileMode: 0o600, directoryMode: 0o700 }));

/** For whomever the umask lets read: directories that others take from. */
export const sharedFiles: Files = filesOn(systemDisk({ fileMode: 0o666, directoryMode: 0o777 }));

/** Bytes that are read at a time where a file may be large. */
const CHUNK_BYTES = 1 << 20;

export function filesOn(disk: Disk): Files {
  function sync(path: string): void {
    const handle = disk.open(path, "r");
    try {
      disk.sync(handle);
    } finally {
      disk.close(handle);
    }
  }

  /** Under a name that may be left from before, as a second name of what must not change. */
  function write(path: string, bytes: Uint8Array): void {
    unlessCode("ENOENT", () => disk.remove(path));
    const handle = disk.open(path, "w");
    try {
      for (let at = 0; at < bytes.length; ) at += disk.write(handle, bytes, at);
      disk.sync(handle);
    } finally {
      disk.close(handle);
    }
  }

  function makeDirectory(directory: string): void {
    const above = dirname(directory);
    const isThere = () => unlessCode("ENOENT", () => disk.sizeBytes(directory)) !== undefined;
    if (isThere()) return;
    if (above !== directory) makeDirectory(above);
    unlessCode("EEXIST", () => disk.makeDirectory(directory));
    sync(above);
  }

  return {
    lock: disk.lock,
    list: (directory) => unlessCode("ENOENT", () => disk.list(directory)) ?? [],
    makeDirectory,
    read: disk.read,
    sizeBytes: disk.sizeBytes,
    checksum(path) {
      const handle = disk.open(path, "r");
      try {
        const chunk = new Uint8Array(CHUNK_BYTES);
        let sum = 0;
        for (;;) {
          const length = disk.readInto(handle, chunk);
          if (length === 0) return sum;
          sum = crc32(chunk.subarray(0, length), sum);
        }
      } finally {
        disk.close(handle);
      }
    },
    create(path, bytes) {
      const unfinished = `${path}${UNFINISHED}`;
      write(unfinished, bytes);
      try {
        // Unlike a rename, a link refuses to replace what is there.
        const isMade = unlessCode("EEXIST", () => {
          disk.link(unfinished, path);
          return true;
        });
        if (!isMade) return false;
      } finally {
        disk.remove(unfinished);
      }
      sync(dirname(path));
      return true;
    },
    replace(path, bytes) {
      const unfinished = `${path}${UNFINISHED}`;
      write(unfinished, bytes);
      disk.rename(unfinished, path);
      sync(dirname(path));
    },
    publish(from, to) {
      sync(from);
      disk.rename(from, to);
      sync(dirname(to));
    },
    settle: (directory) => unlessCode("ENOENT", () => sync(directory)),
    remove: (path) => unlessCode("ENOENT", () => disk.remove(path)),
  };
}

/** `undefined` when it fails in the one way that is no failure here. */
function unlessCode<T>(code: string, operation: () => T): T | undefined {
  try {
    return operation();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === code) return undefined;
    throw error;
  }
}
