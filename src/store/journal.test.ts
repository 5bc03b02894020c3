import assert from "node:assert/strict";
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, test } from "node:test";
import { crc32 } from "node:zlib";
import { MonitorError } from "../monitor-error.ts";
import {
  type EntryBody,
  type Journal,
  openJournal,
  PENDING_LENGTH_MAX,
  RETENTION_MS,
} from "./journal.ts";
import { openJournalFile } from "./journal-file.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "journal-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const entry = (body: EntryBody, timeMs = 1) => ({ timeMs, body });

async function bodies(journal: Journal): Promise<EntryBody[]> {
  const found: EntryBody[] = [];
  await journal.replay(({ body }) => found.push(body));
  return found;
}

test("what was appended comes back in order after closing", async () => {
  const { journal } = await openJournal(directory);
  const appended = Array.from({ length: 1234 }, (_, index) =>
    JSON.stringify({ index, text: "ä‹✓" }),
  );
  await Promise.all(appended.map((body) => journal.append(entry(body))));
  await journal.close();

  const again = await openJournal(directory);
  assert.deepEqual(await bodies(again.journal), appended);
  assert.equal(again.quarantinedAs, null);
  await again.journal.close();
});

test("text and bytes come back as what they were", async () => {
  const { journal } = await openJournal(directory);
  const appended = ["", "text", new Uint8Array([0, 255, 13, 10]), new Uint8Array(0)];
  for (const body of appended) await journal.append(entry(body));
  await journal.close();

  const again = await openJournal(directory);
  assert.deepEqual(await bodies(again.journal), appended);
  await again.journal.close();
});

test("a journal of version 1 is read, and goes on", async () => {
  const database = new DatabaseSync(join(directory, "journal.db"));
  database.exec(`
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    CREATE TABLE entries (
      seq INTEGER PRIMARY KEY AUTOINCREMENT,
      time_ms REAL NOT NULL,
      checksum INTEGER NOT NULL,
      body TEXT NOT NULL
    ) STRICT;
    PRAGMA user_version = 1;
  `);
  const insert = database.prepare("INSERT INTO entries (time_ms, checksum, body) VALUES (?, ?, ?)");
  for (const body of ["one", "two"]) insert.run(1, crc32(body), body);
  database.close();

  const { journal } = await openJournal(directory);
  await journal.append(entry(new Uint8Array([3])));
  assert.deepEqual(await bodies(journal), ["one", "two", new Uint8Array([3])]);
  await journal.close();
});

test("SQLite is told to wait for the disk with every commit", (t) => {
  let opened: DatabaseSync | null = null;
  const { exec } = DatabaseSync.prototype;
  t.mock.method(DatabaseSync.prototype, "exec", function (this: DatabaseSync, sql: string) {
    opened = this;
    return exec.call(this, sql);
  });
  const settings = { directory, name: "journal", retentionMs: RETENTION_MS, sizeMaxBytes: 1 };
  const { file } = openJournalFile(settings);
  const read = (name: string) =>
    Object.values((opened as DatabaseSync | null)?.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  const found = ["synchronous", "journal_mode", "locking_mode"].map(read);
  file?.handle({ kind: "close" });
  const FULL = 2;
  assert.deepEqual(found, [FULL, "wal", "exclusive"]);
});

test("appends resolve in the order they were made", async () => {
  const { journal } = await openJournal(directory);
  const order: number[] = [];
  await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      journal.append(entry(`${index}`)).then(() => order.push(index)),
    ),
  );
  assert.deepEqual(
    order,
    Array.from({ length: 50 }, (_, index) => index),
  );
  await journal.close();
});

test("a second monitor on the same directory is told who holds it", async () => {
  const { journal } = await openJournal(directory);
  await assert.rejects(openJournal(directory), (error: unknown) => {
    assert.ok(error instanceof MonitorError);
    assert.equal(error.code, "DATA_DIR_LOCKED");
    assert.match(error.message, new RegExp(`process ${process.pid}`));
    return true;
  });
  await journal.close();
});

test("a data directory that can't be made says so", async () => {
  const file = join(directory, "file");
  writeFileSync(file, "");
  await assert.rejects(openJournal(join(file, "below")), { code: "DATA_DIR_UNWRITABLE" });
});

const isLinux = process.platform === "linux";
test("a data directory in a file system that makes none says so", { skip: !isLinux }, () =>
  assert.rejects(openJournal("/proc/nope/below"), { code: "DATA_DIR_UNWRITABLE" }),
);

test("a damaged row is left out and counted", async () => {
  const { journal } = await openJournal(directory);
  for (const body of ["one", "two", "three"]) await journal.append(entry(body));
  await journal.close();
  const database = new DatabaseSync(join(directory, "journal.db"));
  database.exec("UPDATE entries SET body = 'tw0' WHERE body = 'two'");
  database.close();

  const again = await openJournal(directory);
  const found: EntryBody[] = [];
  const { entries, damaged } = await again.journal.replay(({ body }) => found.push(body));
  assert.deepEqual(
    { found, entries, damaged },
    { found: ["one", "three"], entries: 2, damaged: 1 },
  );
  assert.equal((await again.journal.entriesAfter(0)).damaged, 1, "whoever follows it is told");
  await again.journal.close();
});

test("a file that is no journal is set aside, and a new one begins", async () => {
  writeFileSync(join(directory, "journal.db"), "this is not a database, by any means".repeat(40));
  const { journal, quarantinedAs } = await openJournal(directory);
  assert.ok(quarantinedAs !== null && readdirSync(directory).includes(quarantinedAs));
  assert.deepEqual(await bodies(journal), []);
  await journal.close();
});

test("pruning removes what is older than the retention", async () => {
  const { journal } = await openJournal(directory);
  const nowMs = 10 * RETENTION_MS;
  await journal.append(entry("old", nowMs - RETENTION_MS - 1));
  await journal.append(entry("young", nowMs - RETENTION_MS + 1));
  journal.prune(nowMs);
  assert.deepEqual(await bodies(journal), ["young"]);
  await journal.close();
});

test("pruning by size removes the oldest entries, and no more than needed", async () => {
  const { journal } = await openJournal(directory, { sizeMaxBytes: 1_000_000 });
  const appended = Array.from({ length: 300 }, (_, index) => `${index} ${"x".repeat(10_000)}`);
  await Promise.all(appended.map((body) => journal.append(entry(body))));
  journal.prune(1);
  const kept = await bodies(journal);
  assert.deepEqual(kept, appended.slice(-kept.length));
  assert.ok(kept.length >= 60 && kept.length <= 100, `${kept.length} kept`);
  await journal.close();
});

test("a page that was overwritten costs what stood on it and after it, and the rest is kept", async () => {
  const { journal } = await openJournal(directory);
  for (let index = 0; index < 400; index++)
    await journal.append(entry(`${index} ${"x".repeat(2_000)}`));
  await journal.close();
  const path = join(directory, "journal.db");
  const file = readFileSync(path);
  file.fill(0xff, Math.floor(file.length / 2), Math.floor(file.length / 2) + 4_096 * 8);
  writeFileSync(path, file);

  const again = await openJournal(directory);
  const found: EntryBody[] = [];
  const { quarantinedAs } = await again.journal.replay(({ body }) => found.push(body));
  assert.ok(quarantinedAs !== null && readdirSync(directory).includes(quarantinedAs));
  assert.ok(found.length > 100 && found.length < 400, `${found.length} found`);
  await again.journal.append(entry("afterwards"));
  await again.journal.close();

  const third = await openJournal(directory);
  assert.deepEqual(await bodies(third.journal), [...found, "afterwards"]);
  await third.journal.close();
});

test("a journal of a newer version is left as it is", async () => {
  const { journal } = await openJournal(directory);
  await journal.close();
  const database = new DatabaseSync(join(directory, "journal.db"));
  database.exec("PRAGMA user_version = 99");
  database.close();
  await assert.rejects(openJournal(directory), { code: "STORE_DAMAGED" });
});

test("a journal that is full takes nothing until it is shortened, without a restart", async () => {
  const { journal } = await openJournal(directory, { fullBytes: 256 * 1024 });
  const body = "x".repeat(100 * 1024);
  for (let size = 0; size < 3; size++) await journal.append(entry(body));
  await assert.rejects(journal.append(entry(body)), {
    code: "STORE_FULL",
    message: /it holds \d+ MiB that the history could not take yet/,
  });
  assert.equal(journal.isFull, true);
  await journal.appendUpkeep(entry("what has to be carried over"));
  journal.prune(2 * RETENTION_MS);
  // Answered after it.
  await journal.entriesAfter(0);
  assert.equal(journal.isFull, false);
  await journal.append(entry(body));
  await journal.close();
});

test("no place is given twice, although the journal was set aside", async () => {
  const places: number[] = [];
  for (let time = 0; time < 3; time++) {
    const { journal } = await openJournal(directory);
    for (const body of ["a", "b"]) places.push(await journal.append(entry(body)));
    await journal.close();
    writeFileSync(join(directory, "journal.db"), "no database");
  }
  assert.deepEqual(
    places,
    [...new Set(places)].sort((a, b) => a - b),
  );
});

test("no place is given twice, although the process died after the journal was set aside", async () => {
  const { journal } = await openJournal(directory);
  await journal.append(entry("a"));
  await journal.close();
  renameSync(join(directory, "journal.db"), join(directory, "journal.db.corrupt.1800000000000"));
  const { journal: next } = await openJournal(directory);
  assert.equal(await next.append(entry("b")), 1_800_000_000_001);
  await next.close();
});

test("what came first leaves first, although the clock was set back in between", async () => {
  const { journal } = await openJournal(directory);
  const nowMs = 100 * RETENTION_MS;
  for (const [body, timeMs] of [
    ["old", 1],
    ["spans", nowMs],
    ["their closing, by a clock that is a month behind", nowMs - 30 * RETENTION_MS],
  ] as const) {
    await journal.append(entry(body, timeMs));
  }
  journal.prune(nowMs);
  const { entries } = await journal.entriesAfter(0);
  assert.deepEqual(
    entries.map(({ body }) => body),
    ["spans", "their closing, by a clock that is a month behind"],
  );
  await journal.close();
});

for (const [what, change] of Object.entries({
  "an older one was put back": (older: string) =>
    copyFileSync(older, join(directory, "journal.db")),
  "it is gone": () => rmSync(join(directory, "journal.db")),
})) {
  test(`no place that was read is given again, although ${what}`, async () => {
    const { journal } = await openJournal(directory);
    await journal.append(entry("a"));
    await journal.close();
    const older = join(directory, "older.db");
    copyFileSync(join(directory, "journal.db"), older);
    const { journal: next } = await openJournal(directory);
    const read = await next.append(entry("b"));
    await next.close();

    change(older);
    const opened = await openJournal(directory, { readUpTo: read });
    assert.equal(opened.isOlder, true);
    assert.ok((await opened.journal.append(entry("c"))) > read);
    await opened.journal.close();
    const again = await openJournal(directory, { readUpTo: read });
    assert.equal(again.isOlder, false, "told once");
    await again.journal.close();
  });
}

test("an entry that can never be written is refused for good", async () => {
  const { journal } = await openJournal(directory);
  const body = "x".repeat(PENDING_LENGTH_MAX + 1);
  await assert.rejects(journal.append(entry(body)), { code: "TELEMETRY_TOO_LARGE" });
  await journal.close();
});

test("an entry is told its place, and is removed by it", async () => {
  const { journal } = await openJournal(directory);
  const places = await Promise.all(["a", "b", "c", "d"].map((body) => journal.append(entry(body))));
  journal.remove({ from: places[1] ?? 0, to: places[2] ?? 0 });
  const { entries } = await journal.entriesAfter(0);
  assert.deepEqual(
    entries.map(({ seq, body }) => [seq, body]),
    [
      [places[0], "a"],
      [places[3], "d"],
    ],
  );
  journal.remove({ from: 0, to: Number.MAX_SAFE_INTEGER });
  const next = await journal.append(entry("e"));
  assert.ok(next > (places[3] ?? 0), "no place is given twice");
  await journal.close();
});

test("journals of several names stand beside each other", async () => {
  const { journal: one } = await openJournal(directory);
  const { journal: other } = await openJournal(directory, { name: "other" });
  await Promise.all([one.append(entry("one")), other.append(entry("other"))]);
  assert.deepEqual([await bodies(one), await bodies(other)], [["one"], ["other"]]);
  await assert.rejects(openJournal(directory, { name: "other" }), { code: "DATA_DIR_LOCKED" });
  await one.close();
  await other.close();
});
