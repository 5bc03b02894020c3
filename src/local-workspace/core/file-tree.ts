/**
 * A directory of the workspace's files under paths that callers choose, such as
 * those of volumes and models. They are real files, so that whatever reads tables
 * or serves models finds them where their names say.
 */
import { randomUUID } from "node:crypto";
import { createWriteStream, mkdirSync } from "node:fs";
import { link, mkdir, open, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Refusal } from "../databricks-error.ts";

export type FileTree = {
  /**
   * Where the file or directory is, or would be.
   *
   * @throws Refusal when the path leads out of the tree, or names nothing.
   */
  locate(path: string): string;
  /**
   * The whole file, or nothing: a reader never sees half of it.
   *
   * @throws Refusal `ALREADY_EXISTS` unless `overwrite`; directories are made as needed.
   */
  write(path: string, body: FileBody, options: { readonly overwrite: boolean }): Promise<void>;
  /** `null` when there is nothing. */
  describe(path: string): Promise<FileEntry | null>;
  /** What stands in the directory, by name; `null` when there is none. */
  list(path: string): Promise<readonly FileEntry[] | null>;
  makeDirectory(path: string): Promise<void>;
  /** @returns whether there was a file. */
  removeFile(path: string): Promise<boolean>;
  /** @throws Error with code `ENOTEMPTY` when something is in it. */
  removeEmptyDirectory(path: string): Promise<void>;
  /** With everything below; nothing there is fine. */
  removeAll(path: string): Promise<void>;
};

export type FileBody = ReadableStream<Uint8Array> | Uint8Array;

export type FileEntry = {
  readonly name: string;
  readonly isDirectory: boolean;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
};

/** Uploads under way; what a crash left in it is removed at the next start. */
const PARTS_DIRECTORY = ".parts";

export function openFileTree(root: string): FileTree {
  const parts = join(root, PARTS_DIRECTORY);
  mkdirSync(parts, { recursive: true });

  const locate = (path: string) => join(root, ...segmentsOf(path));

  return {
    locate,
    async write(path, body, { overwrite }) {
      const target = locate(path);
      const part = join(parts, randomUUID());
      await mkdir(dirname(target), { recursive: true });
      try {
        const stream = body instanceof Uint8Array ? Readable.from([body]) : Readable.fromWeb(body);
        await pipeline(stream, createWriteStream(part, { flags: "wx" }));
        await persist(part);
        if (overwrite) await rename(part, target);
        else await link(part, target);
      } catch (error) {
        if (codeOf(error) === "EEXIST" || codeOf(error) === "EISDIR") {
          throw new Refusal("ALREADY_EXISTS", `The file being created already exists: ${path}.`);
        }
        throw error;
      } finally {
        await rm(part, { force: true });
      }
    },
    describe: (path) => describeEntry(locate(path)),
    async list(path) {
      const directory = locate(path);
      const entry = await describeEntry(directory);
      if (!entry?.isDirectory) return null;
      const names = (await readdir(directory)).filter((name) => name !== PARTS_DIRECTORY).sort();
      const entries = await Promise.all(names.map((name) => describeEntry(join(directory, name))));
      return entries.filter((each) => each !== null);
    },
    async makeDirectory(path) {
      await mkdir(locate(path), { recursive: true });
    },
    async removeFile(path) {
      const entry = await describeEntry(locate(path));
      if (!entry || entry.isDirectory) return false;
      await rm(locate(path), { force: true });
      return true;
    },
    removeEmptyDirectory: (path) => rmdir(locate(path)),
    removeAll: (path) => rm(locate(path), { recursive: true, force: true }),
  };
}

/** Longest name of a file or directory that common file systems take. */
const SEGMENT_MAX_BYTES = 255;

function segmentsOf(path: string): string[] {
  const segments = path.split("/").filter((segment) => segment !== "");
  const isBad = (segment: string) =>
    segment === "." ||
    segment === ".." ||
    segment === PARTS_DIRECTORY ||
    segment.includes("\0") ||
    Buffer.byteLength(segment) > SEGMENT_MAX_BYTES;
  if (segments.length === 0 || segments.some(isBad)) {
    throw new Refusal("INVALID_PARAMETER_VALUE", `'${path}' is not a valid path.`);
  }
  return segments;
}

async function describeEntry(path: string): Promise<FileEntry | null> {
  try {
    const found = await stat(path);
    return {
      name: path.slice(path.lastIndexOf("/") + 1),
      isDirectory: found.isDirectory(),
      sizeBytes: found.isDirectory() ? 0 : found.size,
      modifiedMs: Math.floor(found.mtimeMs),
    };
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return null;
    throw error;
  }
}

async function persist(path: string): Promise<void> {
  const handle = await open(path, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
