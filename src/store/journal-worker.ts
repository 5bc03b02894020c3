/**
 * The journal's own thread: SQLite's calls are synchronous, and a commit waits
 * for the disk. It opens the file under an exclusive lock, commits groups, reads
 * back in parts and prunes.
 */
import { accessSync, constants, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { crc32 } from "node:zlib";

export type StoredEntry = {
  readonly timeMs: number;
  /** JSON. */
  readonly body: string;
};

export type ToWorker =
  | { readonly kind: "commit"; readonly entries: readonly StoredEntry[] }
  | { readonly kind: "read" | "read_more" | "close" }
  | { readonly kind: "prune"; readonly nowMs: number };

export type OpenFailure = {
  readonly reason: "locked" | "unwritable";
  /** Process id of the lock's holder. */
  readonly holder: string | null;
  readonly problem: string;
};

export type FromWorker =
  | { readonly kind: "opened"; readonly quarantinedAs: string | null }
  | ({ readonly kind: "open_failed" } & OpenFailure)
  | { readonly kind: "committed" }
  | { readonly kind: "commit_failed"; readonly problem: string }
  | {
      readonly kind: "entries";
      readonly entries: readonly StoredEntry[];
      readonly last: boolean;
      readonly damaged: number;
    };

/** Rows read back at a time. */
const READ_ROWS = 500;
/** Rows removed at a time while pruning by size. */
const PRUNE_ROWS = 1_000;

const settings = workerData as { directory: string; retentionMs: number; sizeMaxBytes: number };
const port = parentPort;
if (!port) throw new Error("journal-worker runs as a worker thread");
const send = (message: FromWorker) => port.postMessage(message);

function open(directory: string): { database: DatabaseSync; quarantinedAs: string | null } {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  accessSync(directory, constants.W_OK);
  const path = join(directory, "journal.db");
  try {
    return { database: openDatabase(path, directory), quarantinedAs: null };
  } catch (error) {
    if (!isDamage(error)) throw error;
    const quarantinedAs = `journal.db.corrupt.${Date.now()}`;
    renameSync(path, join(directory, quarantinedAs));
    return { database: openDatabase(path, directory), quarantinedAs };
  }
}

function openDatabase(path: string, directory: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    database.exec(`
      PRAGMA busy_timeout = 0;
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA auto_vacuum = INCREMENTAL;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      BEGIN IMMEDIATE;
      CREATE TABLE IF NOT EXISTS entries (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        time_ms REAL NOT NULL,
        checksum INTEGER NOT NULL,
        body TEXT NOT NULL
      ) STRICT;
      PRAGMA user_version = 1;
      COMMIT;
    `);
    writeFileSync(join(directory, "monitor.pid"), `${process.pid}\n`, { mode: 0o600 });
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function serve(database: DatabaseSync): void {
  const insert = database.prepare("INSERT INTO entries (time_ms, checksum, body) VALUES (?, ?, ?)");
  const select = database.prepare(
    "SELECT seq, time_ms, checksum, body FROM entries WHERE seq > ? ORDER BY seq LIMIT ?",
  );
  const reading = { seq: 0, damaged: 0 };
  port?.on("message", (message: ToWorker) => {
    switch (message.kind) {
      case "commit":
        return commit(database, insert, message.entries);
      case "read":
        reading.seq = 0;
        reading.damaged = 0;
        return readNext(select, reading);
      case "read_more":
        return readNext(select, reading);
      case "prune":
        return prune(database, message.nowMs);
      case "close":
        database.close();
        return port?.close();
    }
  });
}

function commit(
  database: DatabaseSync,
  insert: StatementSync,
  entries: readonly StoredEntry[],
): void {
  try {
    database.exec("BEGIN IMMEDIATE");
    for (const { timeMs, body } of entries) insert.run(timeMs, crc32(body), body);
    database.exec("COMMIT");
    send({ kind: "committed" });
  } catch (error) {
    try {
      database.exec("ROLLBACK");
    } catch {
      // SQLite has already rolled back by itself.
    }
    send({ kind: "commit_failed", problem: messageOf(error) });
  }
}

function readNext(select: StatementSync, reading: { seq: number; damaged: number }): void {
  const entries: StoredEntry[] = [];
  const rows = select.all(reading.seq, READ_ROWS);
  for (const row of rows) {
    reading.seq = Number(row.seq);
    const body = String(row.body);
    if (crc32(body) === Number(row.checksum)) entries.push({ timeMs: Number(row.time_ms), body });
    else reading.damaged++;
  }
  send({ kind: "entries", entries, last: rows.length < READ_ROWS, damaged: reading.damaged });
}

function prune(database: DatabaseSync, nowMs: number): void {
  try {
    database.prepare("DELETE FROM entries WHERE time_ms < ?").run(nowMs - settings.retentionMs);
    const oldest = database.prepare(
      "DELETE FROM entries WHERE seq IN (SELECT seq FROM entries ORDER BY seq LIMIT ?)",
    );
    while (usedBytes(database) > settings.sizeMaxBytes) {
      if (Number(oldest.run(PRUNE_ROWS).changes) === 0) break;
    }
    database.exec("PRAGMA incremental_vacuum");
  } catch {
    // A full disk can refuse even this; the next round tries again.
  }
}

function usedBytes(database: DatabaseSync): number {
  const value = (pragma: string) =>
    Number(Object.values(database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0] ?? 0);
  return (value("page_count") - value("freelist_count")) * value("page_size");
}

// SQLite's primary result codes.
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

function resultCode(error: unknown): number | null {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === "number" ? code & 0xff : null;
}

function isDamage(error: unknown): boolean {
  const code = resultCode(error);
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

function openFailureOf(error: unknown): OpenFailure {
  if (resultCode(error) === SQLITE_BUSY) {
    let holder: string | null = null;
    try {
      holder = readFileSync(join(settings.directory, "monitor.pid"), "utf8").trim() || null;
    } catch {
      // Held by a monitor that has not written it yet.
    }
    return { reason: "locked", holder, problem: "locked" };
  }
  return { reason: "unwritable", holder: null, problem: messageOf(error) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "unknown failure";
}

try {
  const { database, quarantinedAs } = open(settings.directory);
  serve(database);
  send({ kind: "opened", quarantinedAs });
} catch (error) {
  send({ kind: "open_failed", ...openFailureOf(error) });
  port.close();
}
