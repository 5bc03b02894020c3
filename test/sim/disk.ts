/**
 * A disk that keeps what POSIX promises, and no more: when the power fails, a file has the bytes
 * of its last sync, or torn ones of after it, and a directory the names of its last sync, with
 * any part of what was changed since. The files lie in a directory of this machine, so that
 * DuckDB can write and read them; here is kept what of them is safe.
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
  readSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import type { Disk } from "../../src/history/files.ts";
import { diskStrikes } from "./strikes.ts";
import type { Process, World } from "./world.ts";

export type SimDisk = {
  of(process: Process): Disk;
  /** What every operation that takes space is told; `null` when there is room. */
  fullCode: "ENOSPC" | null;
  /** Where it is not, nothing is there and nothing can be made. */
  isMounted: boolean;
  /** The nth operation from now fails, once. */
  failIn(operations: number): void;
  /** For what does not go through `of`. @throws as an operation that takes space. */
  take(what: string, process: Process): void;
  /** A file has these bytes from now on, for good; `null`: it is gone. */
  damage(path: string, bytes: Uint8Array | null): void;
  /** What a file held before it was replaced, the oldest first. */
  olderOf(path: string): readonly Uint8Array[];
  /** Somebody removes a directory with all that is in it, for good. False when it is not there. */
  removeDirectory(path: string): boolean;
  /** Every process that runs on it has to be dead. */
  cutPower(): void;
};

/** A file or a directory, whatever its names. */
type Node = {
  readonly isDirectory: boolean;
  /** Of a file: its bytes at the last sync. */
  synced: Uint8Array | null;
  /** Of a file without a name: what it held. */
  removed: Uint8Array | null;
};

type Directory = {
  /** The names that would survive. */
  readonly durable: Map<string, Node>;
  /** What was changed since the last sync, in order. */
  pending: ((names: Map<string, Node>) => void)[];
};

const systemTexts: Readonly<Record<string, string>> = {
  ENOSPC: "no space left on device",
  EIO: "i/o error",
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
};

/** Of one file, that are remembered: somebody may put one of them back. */
const OLDER_MAX = 200;

class SystemError extends Error {
  readonly code: string;

  constructor(code: string, what: string) {
    super(`${code}: ${systemTexts[code] ?? "unknown error"}, ${what}`);
    this.code = code;
  }
}

function failure(code: string, what: string, process: Process): SystemError {
  const strike = diskStrikes[code];
  if (strike) process.strike(strike);
  return new SystemError(code, what);
}

/** @param root exists, and is safe itself. */
export function createSimDisk(root: string, world: World): SimDisk {
  const { random } = world;
  const nodes = new Map<string, Node>();
  const directories = new Map<string, Directory>([[root, { durable: new Map(), pending: [] }]]);
  /** By path. */
  const replaced = new Map<string, Uint8Array[]>();
  /** They end with their process, as those of the system do. */
  const locks = new Set<string>();
  let failAt = Number.POSITIVE_INFINITY;
  let operations = 0;

  const disk: SimDisk = {
    fullCode: null,
    isMounted: true,
    failIn(count) {
      failAt = operations + count;
    },
    take(what, process) {
      if (!disk.isMounted) throw failure("EACCES", what, process);
      if (++operations === failAt) throw failure("EIO", what, process);
      if (disk.fullCode !== null) throw failure(disk.fullCode, what, process);
    },
    of: (process) => diskOf(process),
    olderOf: (path) => replaced.get(path) ?? [],
    damage(path, bytes) {
      if (bytes) writeFileSync(path, bytes);
      const node = nodeOf(path);
      if (bytes) {
        node.synced = bytes;
        directoryOf(path).durable.set(nameOf(path), node);
        return;
      }
      unlinkSync(path);
      nodes.delete(path);
      node.synced = new Uint8Array();
      change(path, (names) => names.delete(nameOf(path)));
      directoryOf(path).durable.delete(nameOf(path));
    },
    removeDirectory(path) {
      if (!existsSync(path)) return false;
      for (const below of [...nodes.keys()].filter((one) => one.startsWith(`${path}/`))) {
        nodes.delete(below);
        directories.delete(below);
      }
      rmSync(path, { recursive: true });
      nodes.delete(path);
      directories.delete(path);
      change(path, (names) => names.delete(nameOf(path)));
      directoryOf(path).durable.delete(nameOf(path));
      return true;
    },
    cutPower,
  };

  function directoryOf(path: string): Directory {
    const parent = dirname(path);
    let directory = directories.get(parent);
    if (!directory) {
      directory = { durable: new Map(), pending: [] };
      directories.set(parent, directory);
    }
    return directory;
  }

  function change(path: string, apply: (names: Map<string, Node>) => void): void {
    directoryOf(path).pending.push(apply);
  }

  function nameOf(path: string): string {
    return relative(dirname(path), path);
  }

  function addName(path: string, node: Node): void {
    nodes.set(path, node);
    change(path, (names) => names.set(nameOf(path), node));
  }

  /** One that DuckDB made is new here. */
  function nodeOf(path: string): Node {
    const known = nodes.get(path);
    if (known) return known;
    const node = {
      isDirectory: statSync(path).isDirectory(),
      synced: null,
      removed: null,
    };
    addName(path, node);
    return node;
  }

  function diskOf(process: Process): Disk {
    const handles = new Map<number, string>();
    const step = (what: string, path: string, takesSpace = true) => {
      const where = `${what} ${relative(root, path)}`;
      process.step(where);
      // The empty directory that it is mounted at belongs to somebody else.
      if (!disk.isMounted && !takesSpace && path !== root) throw failure("ENOENT", where, process);
      if (takesSpace) disk.take(where, process);
      else if (++operations === failAt) throw failure("EIO", where, process);
    };
    process.onDeath(() => {
      for (const handle of handles.keys()) closeSync(handle);
      handles.clear();
    });
    return {
      list(path) {
        step("list", path, false);
        if (!disk.isMounted) return [];
        return readdirSync(path).sort();
      },
      makeDirectory(path) {
        step("mkdir", path);
        mkdirSync(path);
        addName(path, { isDirectory: true, synced: null, removed: null });
        directories.set(path, { durable: new Map(), pending: [] });
      },
      read(path) {
        step("read", path, false);
        return readFileSync(path);
      },
      sizeBytes(path) {
        step("stat", path, false);
        return statSync(path).size;
      },
      open(path, mode) {
        step(`open ${mode}`, path, mode === "w");
        const isNew = mode === "w" && !existsSync(path);
        const handle = openSync(path, mode);
        handles.set(handle, path);
        if (isNew) addName(path, { isDirectory: false, synced: null, removed: null });
        return handle;
      },
      readInto(handle, bytes) {
        step("read", handles.get(handle) ?? "", false);
        return readSync(handle, bytes);
      },
      write(handle, bytes, from) {
        step("write", handles.get(handle) ?? "");
        // The system may take less than it is given.
        const length = random.next() < 0.1 ? Math.ceil((bytes.length - from) / 2) : undefined;
        return writeSync(handle, bytes, from, length);
      },
      sync(handle) {
        const path = handles.get(handle) ?? "";
        step("sync", path);
        fsyncSync(handle);
        const directory = directories.get(path);
        if (directory) {
          for (const apply of directory.pending) apply(directory.durable);
          directory.pending = [];
        } else if (path !== root) {
          nodeOf(path).synced = readFileSync(path);
        }
      },
      close(handle) {
        handles.delete(handle);
        closeSync(handle);
      },
      link(from, to) {
        step("link", to);
        linkSync(from, to);
        addName(to, nodeOf(from));
      },
      rename(from, to) {
        step("rename", to);
        const node = nodeOf(from);
        const before = nodes.get(to);
        if (before && before !== node) {
          before.removed = readFileSync(to);
          replaced.set(to, [...(replaced.get(to) ?? []), before.removed].slice(-OLDER_MAX));
        }
        renameSync(from, to);
        nodes.delete(from);
        nodes.set(to, node);
        change(to, (names) => {
          names.delete(nameOf(from));
          names.set(nameOf(to), node);
        });
      },
      remove(path) {
        step("remove", path, false);
        const bytes = existsSync(path) ? readFileSync(path) : null;
        unlinkSync(path);
        const node = nodes.get(path);
        if (!node) return;
        node.removed = bytes;
        nodes.delete(path);
        change(path, (names) => names.delete(nameOf(path)));
      },
      lock(path) {
        step("lock", path, false);
        if (locks.has(path)) return null;
        locks.add(path);
        let isHeld = true;
        const release = () => {
          // Once: after that it is somebody else's.
          if (isHeld) locks.delete(path);
          isHeld = false;
        };
        process.onDeath(release);
        return release;
      },
    };
  }

  function cutPower(): void {
    registerUnknown(root);
    const current = new Map<Node, Uint8Array>();
    for (const [path, node] of nodes) {
      if (!node.isDirectory) current.set(node, readFileSync(path));
    }
    const after = new Map<string, { readonly node: Node; readonly bytes: Uint8Array | null }>();
    const bytesOf = new Map<Node, Uint8Array>();
    const survive = (path: string) => {
      const directory = directories.get(path);
      if (!directory) return;
      const names = new Map(directory.durable);
      for (const apply of surviving(directory.pending)) apply(names);
      for (const [name, node] of names) {
        const child = join(path, name);
        if (node.isDirectory) {
          after.set(child, { node, bytes: null });
          survive(child);
          continue;
        }
        const now = current.get(node) ?? node.removed ?? new Uint8Array();
        const bytes = bytesOf.get(node) ?? survivingBytes(node, now);
        bytesOf.set(node, bytes);
        after.set(child, { node, bytes });
      }
    };
    survive(root);
    restore(after);
  }

  /** What DuckDB was writing. */
  function registerUnknown(directory: string): void {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) {
        if (nodes.has(path)) registerUnknown(path);
      } else {
        nodeOf(path);
      }
    }
  }

  /** In order up to a moment, or any of them: a directory is written block by block. */
  function surviving<T>(pending: readonly T[]): readonly T[] {
    if (random.next() < 0.5) return pending.slice(0, random.between(0, pending.length));
    return pending.filter(() => random.next() < 0.5);
  }

  function survivingBytes({ synced }: Node, now: Uint8Array): Uint8Array {
    if (synced && Buffer.compare(synced, now) === 0) return now;
    const chance = random.next();
    if (chance < 0.3) return synced ?? new Uint8Array();
    if (chance < 0.5) return now;
    const written = random.between(0, now.length);
    if (chance < 0.75) return now.slice(0, written);
    // Its length was written, and not all of its blocks.
    const torn = new Uint8Array(now.length);
    torn.set(now.subarray(0, written));
    return torn;
  }

  function restore(
    after: ReadonlyMap<string, { readonly node: Node; readonly bytes: Uint8Array | null }>,
  ): void {
    const gone = [...nodes.keys()].filter((path) => !after.has(path));
    for (const path of gone.sort().reverse()) rmSync(path, { recursive: true, force: true });
    nodes.clear();
    directories.clear();
    directories.set(root, { durable: new Map(), pending: [] });
    for (const [path, { bytes }] of after) {
      const node = { isDirectory: bytes === null, synced: bytes, removed: null };
      if (bytes === null) {
        if (!existsSync(path)) mkdirSync(path);
        directories.set(path, { durable: new Map(), pending: [] });
      } else {
        if (existsSync(path)) unlinkSync(path);
        writeFileSync(path, bytes);
      }
      nodes.set(path, node);
      directoryOf(path).durable.set(nameOf(path), node);
    }
  }

  return disk;
}
