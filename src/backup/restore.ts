/**
 * Restores a backup into a data directory. Everything is read, compared with its checksum and
 * written beside the place where it belongs; only what is whole takes that place.
 */

import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileFailure } from "../file-failure.ts";
import { makeDirectory } from "../make-directory.ts";
import { MonitorError } from "../monitor-error.ts";
import { openJournal } from "../store/journal.ts";
import { restoreJournal } from "../store/journal-file.ts";
import { decodePart } from "../store/journal-part.ts";
import { JOURNAL_PREFIX, settingsFolders } from "./backup.ts";
import {
  damagedBackup,
  MANIFEST_MAX_BYTES,
  MANIFEST_NAME,
  type Manifest,
  readManifest,
} from "./manifest.ts";
import { CHUNK_BYTES, createOwnFile, makeOwnDirectory } from "./own-file.ts";
import { readTarHeader, type TarEntry, tarPadding } from "./tar.ts";

export type RestoreOptions = {
  readonly file: string;
  /** `null`: one of the name that it had, under `home`. */
  readonly dataDirectory: string | null;
  readonly home: string;
  /** Whether what is there may be put aside. */
  readonly replace: boolean;
  readonly nowMs: number;
  readonly onProgress: (step: string) => void;
};

export type RestoreResult = {
  readonly dataDirectory: string;
  readonly createdMs: number;
  readonly journalEntries: number;
  readonly files: number;
  /** What was there before; `null` where nothing was. */
  readonly putAsideAs: string | null;
  /** Agents whose alerts tell a webhook that has to be set again. */
  readonly webhooksMissing: readonly string[];
};

/** Largest part of a journal that is read, in bytes: one entry may be large. */
const PART_MAX_BYTES = 128 * 1024 * 1024;

/**
 * @throws MonitorError `BACKUP_INVALID` when the backup is cut off, changed or of a newer format;
 * `USAGE_INVALID` when there is something already; `DATA_DIR_LOCKED` when a monitor uses it;
 * `FILE_UNWRITABLE` or `CONFIG_INVALID` when it can't be written there.
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestoreResult> {
  const { file, onProgress } = options;
  onProgress("checking the backup");
  const manifest = await checkBackup(file);
  const dataDirectory = options.dataDirectory ?? join(options.home, manifest.directory);
  await checkTarget(dataDirectory, options.replace);
  const unfinished = `${dataDirectory}.${randomUUID()}.unfinished`;
  try {
    const putAsideAs = await onDisk(dataDirectory, unfinished, async () => {
      makeDirectory(dirname(unfinished));
      makeOwnDirectory(unfinished);
      onProgress(`restoring ${manifest.files.length} files`);
      await extract(file, unfinished);
      const aside = await putAside(dataDirectory, options.nowMs);
      await rename(unfinished, dataDirectory);
      return aside;
    });
    return {
      dataDirectory,
      createdMs: manifest.createdMs,
      journalEntries: manifest.journal.entries,
      files: manifest.files.length,
      putAsideAs,
      webhooksMissing: manifest.webhooksLeftOut,
    };
  } finally {
    // Where nothing could be made, there is nothing to remove.
    await rm(unfinished, { recursive: true, force: true }).catch(() => {});
  }
}

/** @param unfinished where it is written before it is whole. */
async function onDisk<T>(
  dataDirectory: string,
  unfinished: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const tried = `cannot restore to ${dataDirectory}`;
    throw fileFailure(error, { tried, place: dataDirectory, passing: unfinished });
  }
}

// ─── Checks ───────────────────────────────────────────────────────────────────

/** Every byte against its checksum, before anything is written. */
async function checkBackup(file: string): Promise<Manifest> {
  const found: Manifest["files"] = [];
  let manifest: Manifest | null = null;
  await eachEntry(file, async ({ name, sizeBytes }, read) => {
    if (manifest) throw damagedBackup(file, "something follows its end");
    if (name === MANIFEST_NAME) {
      if (sizeBytes > MANIFEST_MAX_BYTES) throw damagedBackup(file, "it is no backup of a monitor");
      manifest = readManifest((await read(sizeBytes)).toString("utf8"), file);
      return;
    }
    if (!isPlace(name)) throw damagedBackup(file, "it is no backup of a monitor");
    const hash = createHash("sha256");
    for (let left = sizeBytes; left > 0; ) {
      const bytes = await read(Math.min(CHUNK_BYTES, left));
      hash.update(bytes);
      left -= bytes.length;
    }
    found.push({ name, sizeBytes, sha256: hash.digest("hex") });
  });
  if (!manifest) throw damagedBackup(file, "it is cut off");
  const { files }: Manifest = manifest;
  if (JSON.stringify(files) !== JSON.stringify(found)) {
    const changed = files.find((told, at) => JSON.stringify(told) !== JSON.stringify(found[at]));
    throw damagedBackup(file, `${changed?.name ?? "something"} in it is not what was written`);
  }
  return manifest;
}

const SAFE_PART = /^[\w.%+=~-]{1,200}$/;

/** What a backup may put where: nothing above the directory, and nothing that we don't know. */
function isPlace(name: string): boolean {
  const parts = name.split("/");
  const [first = ""] = parts;
  const isSafe = parts.every((part) => SAFE_PART.test(part) && part !== "." && part !== "..");
  const isKnown =
    first === "history" ||
    `${first}/` === JOURNAL_PREFIX ||
    settingsFolders.some((folder) => folder === first);
  return isSafe && isKnown && parts.length >= 2 && parts.length <= 4;
}

async function checkTarget(dataDirectory: string, replace: boolean): Promise<void> {
  const names = await readdir(dataDirectory).catch((): string[] => []);
  if (names.length === 0) return;
  if (!replace) {
    throw new MonitorError("USAGE_INVALID", `${dataDirectory} is not empty`, {
      hint: "Name another directory with --data-dir, or give --replace to put what is there aside.",
    });
  }
  // A monitor that uses it would go on writing to what was put aside.
  if (names.includes("journal.db")) {
    const { journal } = await openJournal(dataDirectory);
    await journal.close();
  }
}

async function putAside(dataDirectory: string, nowMs: number): Promise<string | null> {
  const names = await readdir(dataDirectory).catch(() => null);
  if (names === null) return null;
  if (names.length === 0) {
    await rm(dataDirectory, { recursive: true });
    return null;
  }
  const aside = `${dataDirectory}.before-${nowMs}`;
  await rename(dataDirectory, aside);
  return aside;
}

// ─── Writing ──────────────────────────────────────────────────────────────────

async function extract(file: string, directory: string): Promise<void> {
  const journal = restoreJournal(directory);
  try {
    await eachEntry(file, async ({ name, sizeBytes }, read) => {
      if (name === MANIFEST_NAME) return;
      if (name.startsWith(JOURNAL_PREFIX)) {
        if (sizeBytes > PART_MAX_BYTES) throw damagedBackup(file, `${name} is too large`);
        journal.add(readPart(await read(sizeBytes), { file, name }));
        return;
      }
      await writeWhole(join(directory, name), sizeBytes, read);
    });
  } finally {
    journal.close();
  }
}

function readPart(
  bytes: Buffer,
  { file, name }: { readonly file: string; readonly name: string },
): ReturnType<typeof decodePart> {
  try {
    return decodePart(bytes);
  } catch {
    throw damagedBackup(file, `${name} can't be read`);
  }
}

async function writeWhole(
  path: string,
  sizeBytes: number,
  read: (sizeBytes: number) => Promise<Buffer>,
): Promise<void> {
  makeOwnDirectory(dirname(path));
  const handle = await createOwnFile(path);
  try {
    for (let left = sizeBytes; left > 0; ) {
      const bytes = await read(Math.min(CHUNK_BYTES, left));
      await handle.writeFile(bytes);
      left -= bytes.length;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

// ─── Reading ──────────────────────────────────────────────────────────────────

/** @throws MonitorError `BACKUP_INVALID` when it is no backup, or cut off. */
async function eachEntry(
  file: string,
  take: (entry: TarEntry, read: (sizeBytes: number) => Promise<Buffer>) => Promise<void>,
): Promise<void> {
  const handle = await openBackup(file);
  let at = 0;
  const read = async (sizeBytes: number) => {
    const buffer = Buffer.alloc(sizeBytes);
    let length = 0;
    while (length < sizeBytes) {
      const { bytesRead } = await handle
        .read(buffer, length, sizeBytes - length, at + length)
        .catch((error: unknown) => {
          throw damagedBackup(file, `it can't be read${codeIn(error)}`);
        });
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    at += length;
    return buffer.subarray(0, length);
  };
  try {
    for (;;) {
      const entry = await readTarHeader(read);
      if (!entry) return;
      const start = at;
      await take(entry, async (sizeBytes) => {
        const bytes = await read(sizeBytes);
        if (bytes.length < sizeBytes) throw new RangeError("The tar file is cut off.");
        return bytes;
      });
      at = start + entry.sizeBytes + tarPadding(entry.sizeBytes).length;
    }
  } catch (error) {
    if (error instanceof RangeError) throw damagedBackup(file, "it is cut off, or no backup");
    throw error;
  } finally {
    await handle.close();
  }
}

async function openBackup(file: string): Promise<FileHandle> {
  try {
    return await open(file, "r");
  } catch (cause) {
    const isThere = !(cause instanceof Error && "code" in cause && cause.code === "ENOENT");
    const what = isThere ? `cannot read ${file}${codeIn(cause)}` : `there is no file ${file}`;
    throw new MonitorError("USAGE_INVALID", what, {
      hint: "Name the file that dspy-databricks backup wrote.",
      cause,
    });
  }
}

function codeIn(error: unknown): string {
  return error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
}
