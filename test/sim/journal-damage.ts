/** Damage of the journal, done to its file while no monitor has it open. */
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { EntryBody } from "../../src/store/journal.ts";
import type { Random } from "../kill/random.ts";

/** Of SQLite by default. */
const PAGE_BYTES = 4096;

/** One entry has other bytes; what it was, or `null` when there is none. */
export function damageEntry(dataDirectory: string, random: Random): EntryBody | null {
  const path = pathIn(dataDirectory);
  if (!existsSync(path)) return null;
  const database = new DatabaseSync(path);
  try {
    // The newest are those that are needed.
    const rows = database
      .prepare("SELECT seq, body FROM entries WHERE body != 'damaged' ORDER BY seq DESC LIMIT 40")
      .all();
    if (rows.length === 0) return null;
    const { seq, body } = random.pick(rows);
    database.prepare("UPDATE entries SET body = 'damaged' WHERE seq = ?").run(Number(seq));
    // As the journal writes it.
    return body as EntryBody;
  } catch {
    // It is damaged already.
    return null;
  } finally {
    database.close();
  }
}

/** The file is no database any more, or one of its pages has other bytes. */
export function damageFile(
  dataDirectory: string,
  what: "its beginning" | "a page",
  random: Random,
): void {
  const path = pathIn(dataDirectory);
  if (!existsSync(path)) return;
  const pages = Math.max(1, Math.floor(statSync(path).size / PAGE_BYTES));
  const at = what === "its beginning" ? 0 : random.between(0, pages - 1) * PAGE_BYTES;
  const handle = openSync(path, "r+");
  writeSync(handle, new Uint8Array(PAGE_BYTES).fill(0x5a), 0, PAGE_BYTES, at);
  closeSync(handle);
}

/** A journal as it was. */
export type OlderJournal = { readonly bytes: Uint8Array; readonly lastPlace: number };

/** `null` where there is none that can be read. */
export function copyJournal(dataDirectory: string): OlderJournal | null {
  const path = pathIn(dataDirectory);
  if (!existsSync(path)) return null;
  const database = new DatabaseSync(path);
  try {
    const row = database.prepare("SELECT seq FROM sqlite_sequence").get();
    return { bytes: readFileSync(path), lastPlace: Number(row?.seq ?? 0) };
  } catch {
    return null;
  } finally {
    database.close();
  }
}

/** @param older `null` where there is none from now on. */
export function replaceJournal(dataDirectory: string, older: OlderJournal | null): void {
  const path = pathIn(dataDirectory);
  for (const suffix of ["", "-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true });
  if (older) writeFileSync(path, older.bytes);
}

function pathIn(dataDirectory: string): string {
  return join(dataDirectory, "journal.db");
}
