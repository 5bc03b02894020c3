/**
 * Makes a backup of a data directory, also while a monitor runs on it: one tar file that holds
 * the journal, the history and what people set. What stands in it belongs together: no table
 * of the history knows more than the journal beside it, and of what no table knows yet the
 * journal has every entry.
 *
 * The order does it. The journal is read first, then the history, then what was journalled
 * meanwhile; files of the history never change once they are there, and a table's log is read
 * before its rows.
 */
import { createHash, randomUUID } from "node:crypto";
import type { Dirent } from "node:fs";
import { type FileHandle, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { crc32 } from "node:zlib";
import { fileFailure } from "../file-failure.ts";
import { MonitorError } from "../monitor-error.ts";
import { encodePart } from "../store/journal-part.ts";
import {
  type Copied,
  type Damage,
  damagedFiles,
  isLogLost,
  openTableCheck,
  type TableCheck,
} from "./damage.ts";
import { type JournalSource, openJournalSource } from "./journal-source.ts";
import { BACKUP_FORMAT, MANIFEST_NAME, type Manifest } from "./manifest.ts";
import { CHUNK_BYTES, createOwnFile } from "./own-file.ts";
import { tarEnd, tarHeader, tarPadding } from "./tar.ts";

export type BackupOptions = {
  readonly dataDirectory: string;
  readonly out: string;
  /** Whether the addresses of webhooks go with it. */
  readonly secrets: boolean;
  /** Of the product. */
  readonly version: string;
  readonly nowMs: number;
  readonly onProgress: (step: string) => void;
};

export type BackupResult = {
  readonly file: string;
  readonly sizeBytes: number;
  readonly journalEntries: number;
  readonly historyFiles: number;
  readonly settings: number;
  /** Agents whose webhook stays behind. */
  readonly webhooksLeftOut: number;
  readonly monitor: "running" | "stopped";
  /** What of it is damaged; none when all is whole. */
  readonly damaged: readonly Damage[];
};

/** So often a log is read anew that is being tidied up. */
const LOG_ATTEMPTS_MAX = 5;
/** Where the journal's parts stand in the backup. */
export const JOURNAL_PREFIX = "journal/";
const WEBHOOK = /\.webhook$/;
/** Folders of a data directory whose files people, or programs for them, have put there. */
export const settingsFolders = ["alerts", "export-settings", "prometheus", "dashboards"] as const;

/**
 * @throws MonitorError `DATA_DIR_LOCKED` when the directory is in use and its monitor does not
 * answer; `USAGE_INVALID` when there is nothing to back up, or a file of that name; `FILE_UNWRITABLE`
 * or `CONFIG_INVALID` when it can't be written there.
 */
export async function makeBackup(options: BackupOptions): Promise<BackupResult> {
  const { dataDirectory, out, onProgress } = options;
  await checkPlaces(dataDirectory, out);
  const source = await openJournalSource(dataDirectory);
  const unfinished = `${out}.${randomUUID()}.unfinished`;
  try {
    const onDisk = <T>(work: () => Promise<T>): Promise<T> =>
      work().catch((error: unknown) => {
        const tried = `cannot write the backup ${out}`;
        throw fileFailure(error, { tried, place: out, passing: unfinished });
      });
    const archive = await newArchive(unfinished, { modifiedMs: options.nowMs, onDisk });
    try {
      onProgress("the journal");
      const journal: CopiedJournal = { entries: 0, lastSeq: 0, parts: 0, damaged: 0 };
      await copyJournal(source, archive, journal);
      const history = join(dataDirectory, "history");
      const damaged: Damage[] = [];
      const historyFiles = await copyHistory(history, { archive, damaged, onProgress });
      onProgress("what was journalled meanwhile");
      await copyJournal(source, archive, journal);
      if (source.quarantinedAs !== null) {
        const problem = `it can't be read, and was set aside as ${source.quarantinedAs}`;
        damaged.push({ place: "journal.db", problem });
      }
      if (journal.damaged > 0) {
        damaged.push({ place: "journal.db", problem: `${journal.damaged} entries can't be read` });
      }
      const { kept, webhooksLeftOut } = await copySettings(options, archive);
      const manifest: Manifest = {
        format: BACKUP_FORMAT,
        version: options.version,
        createdMs: options.nowMs,
        directory: basename(resolve(dataDirectory)).replace(/[^\w.-]/g, "_"),
        journal: { entries: journal.entries, lastSeq: journal.lastSeq },
        webhooksLeftOut,
        files: archive.files,
      };
      const sizeBytes = await archive.finish(manifest);
      await onDisk(() => rename(unfinished, out));
      return {
        file: out,
        sizeBytes,
        journalEntries: journal.entries,
        historyFiles,
        settings: kept,
        webhooksLeftOut: webhooksLeftOut.length,
        monitor: source.isRunning ? "running" : "stopped",
        damaged,
      };
    } finally {
      await archive.close();
    }
  } finally {
    await source.close();
    // Where nothing could be made, there is nothing to remove.
    await rm(unfinished, { force: true }).catch(() => {});
  }
}

async function checkPlaces(dataDirectory: string, out: string): Promise<void> {
  if (await sizeOf(out)) {
    throw new MonitorError("USAGE_INVALID", `there is a file ${out} already`, {
      hint: "Name another one with --out, or delete that one first.",
    });
  }
  if ((await sizeOf(join(dataDirectory, "journal.db"))) === null) {
    throw new MonitorError("USAGE_INVALID", `${dataDirectory} is no data directory of a monitor`, {
      hint: "Name it with --data-dir; it holds a file journal.db.",
    });
  }
}

/** `null` where there is none. */
async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size;
  } catch {
    return null;
  }
}

// ─── What goes into it ────────────────────────────────────────────────────────

type CopiedJournal = { entries: number; lastSeq: number; parts: number; damaged: number };

/** Goes on where it ended before. */
async function copyJournal(
  source: JournalSource,
  archive: Archive,
  journal: CopiedJournal,
): Promise<void> {
  const before = journal.lastSeq;
  for (let isLast = false; !isLast; ) {
    const { entries, upTo, damaged = 0, last } = await source.entriesAfter(journal.lastSeq);
    isLast = last;
    journal.damaged += damaged;
    const [first] = entries;
    if (first && before > 0 && journal.lastSeq === before && first.seq > before + 1) {
      throw new MonitorError(
        "STORE_FULL",
        `the journal lost its entries ${before + 1} to ${first.seq - 1} while it was read`,
        { hint: "So much arrives that its limit is reached; make the backup at a quieter time." },
      );
    }
    journal.lastSeq = Math.max(journal.lastSeq, upTo);
    if (entries.length === 0) continue;
    journal.entries += entries.length;
    journal.parts++;
    const name = `${JOURNAL_PREFIX}${String(journal.parts).padStart(6, "0")}`;
    await archive.addBytes(name, encodePart(entries));
  }
}

/** Of its directories. What was set aside is of no use in another place. */
const notTables: ReadonlySet<string> = new Set(["temporary", "damaged"]);
/** Of a moment after that at which a log was read, these would tell it to be damaged. */
const SEALED_MARKS = /^sealed(\.again)?\.json$/;

/** Returns the number of files. */
async function copyHistory(
  history: string,
  {
    archive,
    damaged,
    onProgress,
  }: {
    readonly archive: Archive;
    /** What is found damaged is added to it. */
    readonly damaged: Damage[];
    readonly onProgress: BackupOptions["onProgress"];
  },
): Promise<number> {
  const entries = await entriesIn(history);
  if (entries.length === 0) return 0;
  const check = await openTableCheck(history);
  try {
    let files = 0;
    for (const entry of entries) files += await copyEntry(entry);
    return files;
  } finally {
    check?.close();
  }

  async function copyEntry(entry: Dirent): Promise<number> {
    const path = join(history, entry.name);
    const name = `history/${entry.name}`;
    if (entry.isDirectory() && !notTables.has(entry.name)) {
      onProgress(`the table ${entry.name}`);
      return copyTable(path, { name, archive, check, damaged });
    }
    if (entry.isFile() && /\.json$/.test(entry.name) && !SEALED_MARKS.test(entry.name)) {
      return (await archive.addFile(name, path)) ? 1 : 0;
    }
    if (entry.isFile() && entry.name.endsWith(".sqlite") && !/lock/.test(entry.name)) {
      onProgress("the summaries");
      if (await copyDatabase(path, { name, archive })) return 1;
      damaged.push({ place: name, problem: "SQLite can't read it, so it stays behind" });
    }
    return 0;
  }
}

/** The log as it is at one moment, then the files that it may name. */
async function copyTable(
  directory: string,
  {
    name,
    archive,
    check,
    damaged,
  }: {
    readonly name: string;
    readonly archive: Archive;
    readonly check: TableCheck | null;
    readonly damaged: Damage[];
  },
): Promise<number> {
  const log = await readLog(join(directory, "_delta_log"));
  for (const [file, bytes] of log) await archive.addBytes(`${name}/_delta_log/${file}`, bytes);
  const wanted = (await check?.filesOf(directory)) ?? new Map<string, Copied>();
  const copied = new Map<string, Copied>();
  for (const entry of await entriesIn(directory)) {
    if (!entry.isFile() || !entry.name.endsWith(".parquet")) continue;
    // One that is gone by now was of no row for an hour.
    const bytes = await archive.addFile(`${name}/${entry.name}`, join(directory, entry.name));
    if (bytes) copied.set(entry.name, bytes);
  }
  const place = `${name}/_delta_log`;
  if ("problem" in wanted) damaged.push({ place, problem: wanted.problem });
  else damaged.push(...damagedFiles(name, wanted, copied));
  if (log.size === 0 && isLogLost(copied)) damaged.push({ place, problem: "it is gone" });
  return log.size + copied.size;
}

/** Commits leave the log when a checkpoint has what they say: then it is read anew. */
async function readLog(directory: string): Promise<Map<string, Uint8Array>> {
  for (let attempt = 1; ; attempt++) {
    const names = (await entriesIn(directory))
      .map(({ name }) => name)
      .filter((name) => /^\d{20}\.(?:json|checkpoint\.parquet)$/.test(name))
      .sort();
    try {
      const log = new Map<string, Uint8Array>();
      for (const name of names) log.set(name, await readFile(join(directory, name)));
      return log;
    } catch (error) {
      if (!isMissing(error) || attempt === LOG_ATTEMPTS_MAX) throw error;
    }
  }
}

/** As it is at one moment, whoever writes it. Returns `false` where it is damaged. */
async function copyDatabase(
  path: string,
  { name, archive }: { readonly name: string; readonly archive: Archive },
): Promise<boolean> {
  // Loaded where it is needed: older Nodes warn of it.
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  const copy = `${archive.path}.sqlite`;
  try {
    const database = new DatabaseSync(path);
    try {
      database.exec("PRAGMA busy_timeout = 10000");
      database.prepare("VACUUM INTO ?").run(copy);
    } catch (error) {
      if (isDamage(error)) return false;
      throw error;
    } finally {
      database.close();
    }
    await archive.addFile(name, copy);
    return true;
  } finally {
    await rm(copy, { force: true });
  }
}

async function copySettings(
  { dataDirectory, secrets, onProgress }: BackupOptions,
  archive: Archive,
): Promise<{ readonly kept: number; readonly webhooksLeftOut: string[] }> {
  let kept = 0;
  const webhooksLeftOut: string[] = [];
  onProgress("what was set");
  for (const folder of settingsFolders) {
    for (const entry of await entriesIn(join(dataDirectory, folder))) {
      if (!entry.isFile() || /\.(?:part|unfinished)$/.test(entry.name)) continue;
      if (WEBHOOK.test(entry.name) && !secrets) {
        webhooksLeftOut.push(agentOf(entry.name));
        continue;
      }
      const name = `${folder}/${entry.name}`;
      if (await archive.addFile(name, join(dataDirectory, name))) kept++;
    }
  }
  return { kept, webhooksLeftOut };
}

/** As the files of settings are named. */
function agentOf(fileName: string): string {
  try {
    return decodeURIComponent(fileName.replace(WEBHOOK, ""));
  } catch {
    return fileName;
  }
}

async function entriesIn(directory: string) {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** What SQLite answers, in the last byte, of a file that is damaged or none of its own. */
const sqliteDamage: readonly number[] = [11, 26];

function isDamage(error: unknown): boolean {
  const code = error instanceof Error && "errcode" in error ? Number(error.errcode) : 0;
  return sqliteDamage.includes(code & 0xff);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

// ─── The file ─────────────────────────────────────────────────────────────────

type Archive = {
  readonly path: string;
  readonly files: Manifest["files"];
  addBytes(name: string, bytes: Uint8Array): Promise<void>;
  /** What was copied; `null` where it is not there. */
  addFile(name: string, path: string): Promise<Copied | null>;
  /** Makes it durable. Returns its size. */
  finish(manifest: Manifest): Promise<number>;
  close(): Promise<void>;
};

async function newArchive(
  path: string,
  {
    modifiedMs,
    onDisk,
  }: {
    readonly modifiedMs: number;
    /** Runs what writes, and puts what fails into words. */
    readonly onDisk: <T>(work: () => Promise<T>) => Promise<T>;
  },
): Promise<Archive> {
  const handle = await onDisk(() => createOwnFile(path));
  const files: Manifest["files"] = [];
  let sizeBytes = 0;
  const write = async (bytes: Uint8Array) => {
    await onDisk(() => handle.writeFile(bytes));
    sizeBytes += bytes.length;
  };
  const addBytes = async (name: string, bytes: Uint8Array) => {
    await write(tarHeader(name, bytes.length, modifiedMs));
    await write(bytes);
    await write(tarPadding(bytes.length));
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    files.push({ name, sizeBytes: bytes.length, sha256 });
  };
  return {
    path,
    files,
    addBytes,
    async addFile(name, from) {
      let source: FileHandle;
      try {
        source = await open(from, "r");
      } catch (error) {
        if (isMissing(error)) return null;
        throw unreadable(from, error);
      }
      try {
        const { size } = await source.stat();
        const hash = createHash("sha256");
        let checksum = 0;
        await write(tarHeader(name, size, modifiedMs));
        for (let at = 0; at < size; ) {
          const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, size - at));
          const { bytesRead } = await source
            .read(chunk, 0, chunk.length, at)
            .catch((error: unknown) => {
              throw unreadable(from, error);
            });
          if (bytesRead === 0) throw new Error(`${name} became shorter while it was read`);
          const bytes = chunk.subarray(0, bytesRead);
          hash.update(bytes);
          checksum = crc32(bytes, checksum);
          await write(bytes);
          at += bytesRead;
        }
        await write(tarPadding(size));
        files.push({ name, sizeBytes: size, sha256: hash.digest("hex") });
        return { sizeBytes: size, checksum };
      } finally {
        await source.close();
      }
    },
    async finish(manifest) {
      await addBytes(MANIFEST_NAME, Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`));
      await write(tarEnd);
      await onDisk(() => handle.sync());
      return sizeBytes;
    },
    close: () => handle.close(),
  };
}

function unreadable(path: string, cause: unknown): MonitorError {
  const code = cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
  return new MonitorError("DATA_DIR_UNREADABLE", `cannot read ${path} for the backup${code}`, {
    hint: "Let this user read it, and look at the disk that holds it.",
    cause,
  });
}
