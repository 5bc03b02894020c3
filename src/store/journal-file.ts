/**
 * The journal's file: an SQLite database under an exclusive lock, whose calls are synchronous
 * because a commit waits for the disk. It commits groups, reads back in parts, sheds what is
 * old, and sets aside what is damaged. Knows no thread: `journal-worker.ts` runs it in one.
 */

import {
  accessSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { makeDirectory } from "../make-directory.ts";

/** Text or bytes: the journal does not look inside. */
export type EntryBody = string | Uint8Array<ArrayBuffer>;

export type StoredEntry = { readonly timeMs: number; readonly body: EntryBody };

/** An entry with its place in the journal: later ones have higher numbers, and none is given twice. */
export type PlacedEntry = StoredEntry & { readonly seq: number };

/** What follows a place in the journal. */
export type Following = {
  readonly entries: readonly PlacedEntry[];
  /** The place of the last row that was looked at, damaged ones included. */
  readonly upTo: number;
  /** How many of them were damaged, and left out; none by default. */
  readonly damaged?: number;
  /** Nothing follows these. */
  readonly last: boolean;
};

export type ToWorker =
  | { readonly kind: "commit"; readonly entries: readonly StoredEntry[] }
  | { readonly kind: "read" | "read_more" | "close" }
  | { readonly kind: "read_after"; readonly seq: number }
  | { readonly kind: "prune"; readonly nowMs: number; readonly upTo: number }
  | { readonly kind: "remove"; readonly from: number; readonly to: number };

export type OpenFailure = {
  readonly reason: "locked" | "unwritable" | "newer";
  /** Process id of the lock's holder. */
  readonly holder: string | null;
  readonly problem: string;
};

export type FromWorker =
  | {
      readonly kind: "opened";
      readonly quarantinedAs: string | null;
      /** It ends before what somebody has read of it: it is an older one, or it was gone. */
      readonly isOlder: boolean;
      readonly usedBytes: number;
    }
  | ({ readonly kind: "open_failed" } & OpenFailure)
  /** `lastSeq`: the place of the last entry; those before it have the numbers before it. */
  | { readonly kind: "committed"; readonly lastSeq: number; readonly usedBytes: number }
  | { readonly kind: "pruned"; readonly usedBytes: number }
  | { readonly kind: "commit_failed"; readonly problem: string }
  | ({ readonly kind: "following" } & Following)
  | {
      readonly kind: "entries";
      readonly entries: readonly PlacedEntry[];
      readonly last: boolean;
      readonly damaged: number;
      /** The file turned out to be damaged while it was read; what could be read was kept. */
      readonly quarantinedAs: string | null;
    };

/** What is read back at a time, in characters or bytes; at least one row. */
const READ_LENGTH = 8 * 1024 * 1024;
/** Pages given back to the disk with each removal, so that none takes long. */
const PAGES_FREED_MAX = 256;
/** The layout of the table and of the entries in it. Version 1 held text only, and 2 spans as bytes. */
const FORMAT_VERSION = 3;

const ENTRIES_TABLE = `
  CREATE TABLE IF NOT EXISTS entries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    time_ms REAL NOT NULL,
    checksum INTEGER NOT NULL,
    body ANY NOT NULL
  ) STRICT;`;

/** More than one journal ever gives: a new one begins at least as far beyond the one before. */
export const PLACES_PER_JOURNAL = 10_000_000_000;

class NewerFormatError extends Error {}

export type JournalSettings = {
  readonly directory: string;
  /** Of the file, which is called `<name>.db`. */
  readonly name: string;
  readonly retentionMs: number;
  readonly sizeMaxBytes: number;
  /** The last place that somebody is known to have read; 0, and none, by default. */
  readonly readUpTo?: number;
  /** The system's time by default. */
  readonly nowMs?: () => number;
};

/** Answers what it is told; what needs no answer gives `null`. */
export type JournalFile = { handle(message: ToWorker): FromWorker | null };

/** Opens or makes it: the file, and the first answer. */
export function openJournalFile(settings: JournalSettings): {
  readonly file: JournalFile | null;
  readonly opened: FromWorker;
} {
  try {
    const { database, quarantinedAs } = open(settings);
    const isOlder = quarantinedAs === null && lastPlace(database) < (settings.readUpTo ?? 0);
    if (isOlder) beginAfter(database, (settings.readUpTo ?? 0) + PLACES_PER_JOURNAL);
    return {
      file: new OpenJournalFile(database, settings),
      opened: { kind: "opened", quarantinedAs, isOlder, usedBytes: usedBytesOf(database) },
    };
  } catch (error) {
    return { file: null, opened: { kind: "open_failed", ...openFailureOf(error, settings) } };
  }
}

function open(settings: JournalSettings): {
  database: DatabaseSync;
  quarantinedAs: string | null;
} {
  makeDirectory(settings.directory, { mode: 0o700 });
  accessSync(settings.directory, constants.W_OK);
  try {
    return { database: openDatabase(settings), quarantinedAs: null };
  } catch (error) {
    if (!isDamage(error)) throw error;
    const quarantinedAs = setAside(settings);
    return { database: openDatabase(settings), quarantinedAs };
  }
}

/**
 * Renames the journal and what SQLite keeps beside it. Returns the new name, whose number is a
 * place beyond all that it can have given, and where the next journal begins: whoever follows
 * it would take lower ones for known.
 */
function setAside(settings: JournalSettings): string {
  const { directory, name, readUpTo = 0, nowMs = Date.now } = settings;
  const known = Math.max(lastSetAside(settings), readUpTo);
  const number = Math.max(nowMs(), known + PLACES_PER_JOURNAL);
  const aside = `${name}.db.corrupt.${number}`;
  for (const suffix of ["", "-wal", "-shm"]) {
    const from = join(directory, `${name}.db${suffix}`);
    if (existsSync(from)) renameSync(from, join(directory, `${aside}${suffix}`));
  }
  return aside;
}

/** For a directory that no monitor uses yet: entries of another journal, with their places there. */
export function restoreJournal(directory: string): {
  add(entries: Iterable<PlacedEntry>): void;
  close(): void;
} {
  const database = openDatabase({ directory, name: "journal" });
  return {
    add(entries) {
      database.exec("BEGIN IMMEDIATE");
      copyAll(database, entries);
      database.exec("COMMIT");
    },
    close() {
      // The other one went on: what it gave to others has the places that would come next.
      beginAfter(database, lastPlace(database) + PLACES_PER_JOURNAL);
      database.close();
    },
  };
}

/** That was given, also of an entry that is gone. */
function lastPlace(database: DatabaseSync): number {
  const row = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'entries'").get();
  return Number(row?.seq ?? 0);
}

function beginAfter(database: DatabaseSync, place: number): void {
  database.prepare("UPDATE sqlite_sequence SET seq = ? WHERE name = 'entries'").run(place);
}

type Place = Pick<JournalSettings, "directory" | "name">;

/** The number of the journal that was set aside last; 0 when none was. */
function lastSetAside({ directory, name }: Place): number {
  const aside = readdirSync(directory).filter((file) => file.startsWith(`${name}.db.corrupt.`));
  return Math.max(0, ...aside.map((file) => Number(/\.(\d+)$/.exec(file)?.[1] ?? 0)));
}

function openDatabase(settings: Place): DatabaseSync {
  const { directory, name } = settings;
  const database = new DatabaseSync(join(directory, `${name}.db`));
  try {
    database.exec(`
      PRAGMA busy_timeout = 0;
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA auto_vacuum = INCREMENTAL;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
    `);
    const version = Number(pragma(database, "user_version"));
    if (version > FORMAT_VERSION)
      throw new NewerFormatError(`format ${version}; this one knows up to ${FORMAT_VERSION}`);
    database.exec(`
      BEGIN IMMEDIATE;
      ${version === 1 ? "ALTER TABLE entries RENAME TO entries_1;" : ""}
      ${ENTRIES_TABLE}
      ${version === 1 ? "INSERT INTO entries SELECT * FROM entries_1; DROP TABLE entries_1;" : ""}
      PRAGMA user_version = ${FORMAT_VERSION};
      INSERT INTO sqlite_sequence (name, seq) SELECT 'entries', ${lastSetAside(settings)}
        WHERE NOT EXISTS (SELECT * FROM sqlite_sequence WHERE name = 'entries');
      COMMIT;
    `);
    // Who holds the journal holds the directory.
    if (name === "journal") {
      writeFileSync(join(directory, "monitor.pid"), `${process.pid}\n`, { mode: 0o600 });
    }
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** The open file and its statements; another one after damage was found. */
class OpenJournalFile implements JournalFile {
  #database: DatabaseSync;
  #statements: Statements;
  readonly #settings: JournalSettings;
  #readUntil = 0;
  #damaged = 0;

  constructor(database: DatabaseSync, settings: JournalSettings) {
    this.#database = database;
    this.#statements = prepare(database);
    this.#settings = settings;
  }

  handle(message: ToWorker): FromWorker | null {
    switch (message.kind) {
      case "commit":
        return this.#commit(message.entries);
      case "read":
        return this.#readFirst();
      case "read_more":
        return this.#readNext();
      case "read_after":
        return this.#readAfter(message.seq);
      case "prune":
        this.#prune(message.nowMs, message.upTo);
        return { kind: "pruned", usedBytes: usedBytesOf(this.#database) };
      case "remove":
        this.#remove(message.from, message.to);
        return { kind: "pruned", usedBytes: usedBytesOf(this.#database) };
      case "close":
        this.#database.close();
        return null;
    }
  }

  #commit(entries: readonly StoredEntry[]): FromWorker {
    const { begin, insert, commit } = this.#statements;
    try {
      begin.run();
      let lastSeq = 0;
      for (const { timeMs, body } of entries) {
        lastSeq = Number(insert.run(timeMs, crc32(body), body).lastInsertRowid);
      }
      commit.run();
      return { kind: "committed", lastSeq, usedBytes: usedBytesOf(this.#database) };
    } catch (error) {
      try {
        this.#database.exec("ROLLBACK");
      } catch {
        // SQLite has already rolled back by itself.
      }
      return { kind: "commit_failed", problem: messageOf(error) };
    }
  }

  /** Damage of the whole file is left for the next start to find and mend. */
  #readAfter(seq: number): FromWorker {
    const entries: PlacedEntry[] = [];
    let length = 0;
    let upTo = seq;
    let damaged = 0;
    for (const row of rowsAfter(this.#database, seq)) {
      if (length > READ_LENGTH) return { kind: "following", entries, upTo, damaged, last: false };
      upTo = row.seq;
      const entry = entryOf(row);
      if (entry) entries.push(entry);
      else damaged++;
      length += row.body.length;
    }
    return { kind: "following", entries, upTo, damaged, last: true };
  }

  #readFirst(): FromWorker {
    this.#readUntil = 0;
    this.#damaged = 0;
    return this.#readNext();
  }

  #readNext(): FromWorker {
    const entries: PlacedEntry[] = [];
    let length = 0;
    let last = true;
    let quarantinedAs: string | null = null;
    try {
      for (const row of rowsAfter(this.#database, this.#readUntil)) {
        if (length > READ_LENGTH) {
          last = false;
          break;
        }
        this.#readUntil = row.seq;
        const entry = entryOf(row);
        if (entry) entries.push(entry);
        else this.#damaged++;
        length += row.body.length;
      }
    } catch (error) {
      if (!isDamage(error)) throw error;
      quarantinedAs = this.#startAnew();
    }
    return { kind: "entries", entries, last, damaged: this.#damaged, quarantinedAs };
  }

  /** Sets the damaged file aside and copies what was read of it into a new one. */
  #startAnew(): string {
    closeQuietly(this.#database);
    const quarantinedAs = setAside(this.#settings);
    this.#database = openDatabase(this.#settings);
    this.#statements = prepare(this.#database);
    const old = new DatabaseSync(join(this.#settings.directory, quarantinedAs), { readOnly: true });
    try {
      for (const row of rowsAfter(old, 0)) {
        if (row.seq > this.#readUntil) break;
        const entry = entryOf(row);
        if (entry) copyAll(this.#database, [entry]);
      }
    } catch {
      // As far as it can be read.
    }
    closeQuietly(old);
    return quarantinedAs;
  }

  /**
   * The oldest go first, whatever their times: of what belongs together, where the clock was set
   * back between, the first half would stay, and would be told anew after a restart.
   *
   * @param upTo entries after it are still needed, however old and large they are.
   */
  #prune(nowMs: number, upTo: number): void {
    try {
      const young = this.#database
        .prepare("SELECT seq FROM entries WHERE time_ms >= ? ORDER BY seq LIMIT 1")
        .get(nowMs - this.#settings.retentionMs);
      const before = young === undefined ? Number.MAX_SAFE_INTEGER : Number(young.seq);
      this.#database.prepare("DELETE FROM entries WHERE seq < ? AND seq <= ?").run(before, upTo);
      this.#pruneBySize(upTo);
      this.#database.exec("PRAGMA incremental_vacuum");
    } catch {
      // A full disk can refuse even this; the next round tries again.
    }
  }

  #remove(from: number, to: number): void {
    try {
      this.#database.prepare("DELETE FROM entries WHERE seq BETWEEN ? AND ?").run(from, to);
      this.#database.exec(`PRAGMA incremental_vacuum(${PAGES_FREED_MAX})`);
    } catch {
      // A full disk can refuse even this: they are found once more after the next start.
    }
  }

  /** Removes the oldest entries, as many as there are bytes too many. */
  #pruneBySize(upTo: number): void {
    let excessBytes = usedBytesOf(this.#database) - this.#settings.sizeMaxBytes;
    if (excessBytes <= 0) return;
    let until = 0;
    const sizes = this.#database.prepare(
      "SELECT seq, octet_length(body) AS bytes FROM entries ORDER BY seq",
    );
    for (const { seq, bytes } of sizes.iterate()) {
      if (excessBytes <= 0) break;
      excessBytes -= Number(bytes);
      until = Number(seq);
    }
    this.#database.prepare("DELETE FROM entries WHERE seq <= ?").run(Math.min(until, upTo));
  }
}

/** As `ENTRIES_TABLE` has it. */
type Row = {
  readonly seq: number;
  readonly time_ms: number;
  readonly checksum: number;
  readonly body: EntryBody;
};

function rowsAfter(database: DatabaseSync, seq: number): Iterable<Row> {
  const statement = database.prepare(
    "SELECT seq, time_ms, checksum, body FROM entries WHERE seq > ? ORDER BY seq",
  );
  return statement.iterate(seq) as unknown as Iterable<Row>;
}

/** `null` when the checksum does not fit. */
function entryOf({ seq, time_ms: timeMs, checksum, body }: Row): PlacedEntry | null {
  return crc32(body) === checksum ? { seq, timeMs, body } : null;
}

/** What every commit does: parsed once. */
function prepare(database: DatabaseSync) {
  return {
    begin: database.prepare("BEGIN IMMEDIATE"),
    insert: database.prepare("INSERT INTO entries (time_ms, checksum, body) VALUES (?, ?, ?)"),
    commit: database.prepare("COMMIT"),
  };
}

type Statements = ReturnType<typeof prepare>;

/** Keeps the numbers that the entries have. */
function copyAll(database: DatabaseSync, entries: Iterable<PlacedEntry>): void {
  const insert = database.prepare(
    "INSERT INTO entries (seq, time_ms, checksum, body) VALUES (?, ?, ?, ?)",
  );
  for (const { seq, timeMs, body } of entries) insert.run(seq, timeMs, crc32(body), body);
}

function pragma(database: DatabaseSync, name: string): unknown {
  return Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}

/** What the entries take, without what was freed and not given back yet. */
function usedBytesOf(database: DatabaseSync): number {
  const pages = Number(pragma(database, "page_count"));
  const free = Number(pragma(database, "freelist_count"));
  return (pages - free) * Number(pragma(database, "page_size"));
}

function closeQuietly(database: DatabaseSync): void {
  try {
    database.close();
  } catch {
    // Damage can refuse even this.
  }
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

function openFailureOf(error: unknown, { directory }: JournalSettings): OpenFailure {
  if (error instanceof NewerFormatError) {
    return { reason: "newer", holder: null, problem: messageOf(error) };
  }
  if (resultCode(error) === SQLITE_BUSY) {
    let holder: string | null = null;
    try {
      holder = readFileSync(join(directory, "monitor.pid"), "utf8").trim() || null;
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
