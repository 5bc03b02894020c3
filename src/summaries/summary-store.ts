/**
 * The summaries of the history: one SQLite file that the history's process writes. What
 * a round of sealing adds to minutes, hours and days is one transaction together with how
 * far the journal then counts, so that a row that comes late changes its hour once, whatever
 * stops it. What was written is never needed to write on: a file that can't be read any more
 * is set aside, and the journal's part is summed up anew.
 */

import { existsSync, renameSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { makeDirectory } from "../make-directory.ts";
import { MonitorError } from "../monitor-error.ts";
import type { PendingSummaries } from "./pending-summaries.ts";
import { startOf, type Tier, tierNames, tiers } from "./periods.ts";
import { Summary } from "./summary.ts";
import {
  decodeHead,
  decodeParts,
  encodeHead,
  encodeParts,
  type Names,
  SUMMARY_FORMAT,
} from "./summary-codec.ts";

export const SUMMARIES_FILE = "summaries.sqlite";

/** What becomes of summaries that were damaged. */
export const SUMMED_UP_ANEW =
  "Nothing needs to be done: what the journal still holds is summed up anew. Ranges over days and weeks begin there; the tables of the history are whole.";

const DAY_MS = tiers.day.lengthMs;
/** Names that no summary of so long used. */
const NAMES_KEPT_MS = tiers.day.keptMs + DAY_MS;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS progress (one INTEGER PRIMARY KEY CHECK (one = 1), sealed_up_to INTEGER NOT NULL, sealed_ms INTEGER NOT NULL, since_ms INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS names (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, used_ms INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS heads (tier INTEGER, agent INTEGER, start_ms INTEGER, calls INTEGER, failed INTEGER, body BLOB NOT NULL, UNIQUE (tier, agent, start_ms));
  CREATE TABLE IF NOT EXISTS parts (tier INTEGER, agent INTEGER, start_ms INTEGER, body BLOB NOT NULL, UNIQUE (tier, agent, start_ms));
  CREATE TABLE IF NOT EXISTS errors (tier INTEGER, agent INTEGER, start_ms INTEGER, cause INTEGER, count INTEGER, handled INTEGER, first_ms INTEGER, last_ms INTEGER, PRIMARY KEY (tier, agent, start_ms, cause)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS causes (id INTEGER PRIMARY KEY, agent INTEGER NOT NULL, name TEXT NOT NULL, last TEXT NOT NULL, used_ms INTEGER NOT NULL, UNIQUE (agent, name));
`;

/** As tiers stand in the file. */
export const tierIds: Readonly<Record<Tier, number>> = { minute: 0, hour: 1, day: 2 };

export type OpenedSummaries = {
  readonly store: SummaryStore;
  /** The file of before could not be read and was set aside under this name. */
  readonly quarantinedAs: string | null;
};

/**
 * Opens or makes the summaries of a history.
 *
 * @throws MonitorError `STORE_DAMAGED` when a newer version wrote them.
 */
export function openSummaries(directory: string, nowMs: number): OpenedSummaries {
  makeDirectory(directory, { mode: 0o700 });
  const path = join(directory, SUMMARIES_FILE);
  try {
    return { store: new SummaryStore(path), quarantinedAs: null };
  } catch (error) {
    if (error instanceof MonitorError || !isDamage(error)) throw error;
    const quarantinedAs = setAside(path, nowMs);
    return { store: new SummaryStore(path), quarantinedAs };
  }
}

/** Returns its new name. */
function setAside(path: string, nowMs: number): string {
  const aside = `${path}.damaged-${nowMs}`;
  for (const suffix of ["", "-wal", "-shm"]) {
    if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  }
  return basename(aside);
}

export class SummaryStore {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #names: StoredNames;
  /** Of the causes of one round, by agent and group. */
  readonly #causeIds = new Map<string, number>();

  constructor(path: string) {
    this.#path = path;
    this.#database = new DatabaseSync(path);
    try {
      this.#database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
      checkFormat(this.#database, path);
      this.#database.exec(SCHEMA);
      this.#database.exec(`PRAGMA user_version = ${SUMMARY_FORMAT}`);
      this.#statements = prepare(this.#database);
      this.#names = new StoredNames(this.#database);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** The place in the journal up to which it is summed up. */
  get sealedUpTo(): number {
    return Number(this.#statements.progress.get()?.sealed_up_to ?? 0);
  }

  /** What it takes on the disk. */
  get sizeBytes(): number {
    const bytesOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    return bytesOf(this.#path) + bytesOf(`${this.#path}-wal`);
  }

  /**
   * Adds what waited, once: done again with the same place in the journal nothing happens.
   *
   * @throws Error when it can't be written; nothing was. MonitorError `STORE_DAMAGED` when the
   * file is damaged: it was set aside, and the next one that is opened begins anew.
   */
  seal(
    pending: PendingSummaries,
    { upTo, nowMs }: { readonly upTo: number; readonly nowMs: number },
  ): void {
    if (upTo <= this.sealedUpTo) return;
    this.#inTransaction(nowMs, () => {
      let firstMs = nowMs;
      for (const [agent, minutes] of pending.agents) {
        const agentId = this.#names.idOf(agent);
        this.#noteCauses(agentId, minutes, nowMs);
        for (const tier of tierNames) {
          const keptFromMs = nowMs - tiers[tier].keptMs;
          for (const [startMs, summary] of summedBy(tier, minutes)) {
            firstMs = Math.min(firstMs, startMs);
            if (startMs < keptFromMs) continue;
            this.#add({ tier: tierIds[tier], agentId, startMs }, summary);
          }
        }
      }
      this.#statements.setProgress.run(upTo, nowMs, firstMs);
    });
    this.#causeIds.clear();
  }

  /** Forgets what is too old for its tier; of each tier the older half, and again, while there is too much. */
  forget(nowMs: number, maxBytes = Number.POSITIVE_INFINITY): void {
    for (let share = 1; share >= KEPT_SHARE_MIN; share /= 2) {
      this.#forgetBeyond(share, nowMs);
      if (this.#usedBytes() <= maxBytes) return;
    }
  }

  /** Without what was freed: the file keeps it for what comes. */
  #usedBytes(): number {
    const { used, size } = this.#statements.pages.get() ?? {};
    return Number(used) * Number(size);
  }

  /** @param share of the time that a tier is kept. */
  #forgetBeyond(share: number, nowMs: number): void {
    this.#inTransaction(nowMs, () => {
      const agents = this.#statements.agents.all().map(({ agent }) => Number(agent));
      for (const tier of tierNames) {
        const beforeMs = startOf(tier, nowMs - share * tiers[tier].keptMs);
        for (const agent of agents) {
          for (const forget of this.#statements.forget) forget.run(tierIds[tier], agent, beforeMs);
        }
      }
      this.#statements.forgetCauses.run(nowMs - NAMES_KEPT_MS);
      this.#names.forget(nowMs - NAMES_KEPT_MS);
    });
  }

  close(): void {
    this.#database.close();
  }

  #add({ tier, agentId, startMs }: Place, added: Summary): void {
    const { head, parts, setHead, setParts, addErrors } = this.#statements;
    for (const { group, count, handled, firstMs, lastMs } of added.groups.values()) {
      const cause = this.#causeIds.get(`${agentId} ${group}`) ?? 0;
      addErrors.run(tier, agentId, startMs, cause, count, handled, firstMs, lastMs);
    }
    const knownHead = head.get(tier, agentId, startMs)?.body;
    const knownParts = parts.get(tier, agentId, startMs)?.body;
    let summary = added;
    if (knownHead instanceof Uint8Array) {
      summary = new Summary();
      decodeHead(knownHead, summary, this.#names);
      if (knownParts instanceof Uint8Array) decodeParts(knownParts, summary, this.#names);
      summary.merge(added);
    }
    const { calls, failed } = summary.requests;
    setHead.run(tier, agentId, startMs, calls, failed, encodeHead(summary, this.#names));
    if (summary.places.length + summary.models.size === 0) return;
    setParts.run(tier, agentId, startMs, encodeParts(summary, this.#names));
  }

  /** Of the failures with one cause the last stands for all: messages differ. */
  #noteCauses(agentId: number, minutes: ReadonlyMap<number, Summary>, nowMs: number): void {
    for (const { groups } of minutes.values()) {
      for (const { group, last } of groups.values()) {
        const id = this.#statements.setCause.get(agentId, group, JSON.stringify(last), nowMs)?.id;
        this.#causeIds.set(`${agentId} ${group}`, Number(id));
      }
    }
  }

  #setAside(nowMs: number, cause: unknown): MonitorError {
    this.#database.close();
    const aside = setAside(this.#path, nowMs);
    return new MonitorError(
      "STORE_DAMAGED",
      `cannot write ${this.#path}: it is damaged, and was set aside as ${aside}`,
      { hint: SUMMED_UP_ANEW, cause },
    );
  }

  #inTransaction(nowMs: number, act: () => void): void {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      this.#names.begin(nowMs);
      act();
      this.#database.exec("COMMIT");
    } catch (error) {
      this.#names.undo();
      try {
        this.#database.exec("ROLLBACK");
      } catch {
        // A full disk ended it already.
      }
      throw isDamage(error) ? this.#setAside(nowMs, error) : error;
    }
  }
}

/** Of the time that tiers are kept: less is never kept. */
const KEPT_SHARE_MIN = 1 / 32;

type Place = { readonly tier: number; readonly agentId: number; readonly startMs: number };

/** Minutes put together to those of a tier. */
function summedBy(tier: Tier, minutes: ReadonlyMap<number, Summary>): ReadonlyMap<number, Summary> {
  if (tier === "minute") return minutes;
  const summed = new Map<number, Summary>();
  for (const [minuteMs, summary] of minutes) {
    const startMs = startOf(tier, minuteMs);
    const sum = summed.get(startMs) ?? new Summary();
    sum.merge(summary);
    summed.set(startMs, sum);
  }
  return summed;
}

/** Texts by number, those of this process remembered. */
class StoredNames implements Names {
  readonly #find: StatementSync;
  readonly #read: StatementSync;
  readonly #add: StatementSync;
  readonly #use: StatementSync;
  readonly #forget: StatementSync;
  readonly #ids = new Map<string, number>();
  #nowMs = 0;
  /** Names that are noted as used today. */
  #used = new Set<number>();
  #usedDayMs = 0;

  constructor(database: DatabaseSync) {
    this.#find = database.prepare("SELECT id FROM names WHERE text = ?");
    this.#read = database.prepare("SELECT text FROM names WHERE id = ?");
    this.#add = database.prepare("INSERT INTO names (text, used_ms) VALUES (?, ?) RETURNING id");
    this.#use = database.prepare("UPDATE names SET used_ms = ? WHERE id = ?");
    this.#forget = database.prepare("DELETE FROM names WHERE used_ms < ?");
  }

  begin(nowMs: number): void {
    this.#nowMs = nowMs;
    const dayMs = startOf("day", nowMs);
    if (dayMs !== this.#usedDayMs) this.#used.clear();
    this.#usedDayMs = dayMs;
  }

  /** What was not committed is not remembered. */
  undo(): void {
    this.#ids.clear();
    this.#used.clear();
  }

  idOf(text: string): number {
    const known = this.#ids.get(text) ?? this.#find.get(text)?.id;
    if (known === undefined) {
      const id = Number(this.#add.get(text, this.#nowMs)?.id);
      this.#ids.set(text, id);
      this.#used.add(id);
      return id;
    }
    const id = Number(known);
    if (this.#ids.size > REMEMBERED_NAMES_MAX) this.#ids.clear();
    this.#ids.set(text, id);
    if (!this.#used.has(id)) {
      this.#used.add(id);
      this.#use.run(this.#nowMs, id);
    }
    return id;
  }

  textOf(id: number): string {
    const text = this.#read.get(id)?.text;
    if (typeof text !== "string") throw new Error(`no text is number ${id} of the summaries`);
    return text;
  }

  forget(beforeMs: number): void {
    this.#forget.run(beforeMs);
    this.#ids.clear();
  }
}

/** Texts whose numbers are remembered. */
const REMEMBERED_NAMES_MAX = 20_000;

function prepare(database: DatabaseSync) {
  const at = "tier = ? AND agent = ? AND start_ms = ?";
  return {
    pages: database.prepare(
      `SELECT page_count - freelist_count AS used, page_size AS size
         FROM pragma_page_count, pragma_freelist_count, pragma_page_size`,
    ),
    progress: database.prepare("SELECT sealed_up_to FROM progress"),
    setProgress: database.prepare(
      `INSERT INTO progress VALUES (1, ?, ?, ?) ON CONFLICT (one) DO UPDATE SET
         sealed_up_to = excluded.sealed_up_to, sealed_ms = excluded.sealed_ms, since_ms = min(since_ms, excluded.since_ms)`,
    ),
    head: database.prepare(`SELECT body FROM heads WHERE ${at}`),
    parts: database.prepare(`SELECT body FROM parts WHERE ${at}`),
    setHead: database.prepare(
      `INSERT INTO heads VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         calls = excluded.calls, failed = excluded.failed, body = excluded.body`,
    ),
    setParts: database.prepare(
      "INSERT INTO parts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body",
    ),
    setCause: database.prepare(
      `INSERT INTO causes (agent, name, last, used_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         last = excluded.last, used_ms = excluded.used_ms RETURNING id`,
    ),
    addErrors: database.prepare(
      `INSERT INTO errors VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         count = count + excluded.count, handled = handled + excluded.handled,
         first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms)`,
    ),
    agents: database.prepare("SELECT DISTINCT agent FROM heads"),
    forget: ["heads", "parts", "errors"].map((table) =>
      database.prepare(`DELETE FROM ${table} WHERE tier = ? AND agent = ? AND start_ms < ?`),
    ),
    forgetCauses: database.prepare("DELETE FROM causes WHERE used_ms < ?"),
  };
}

function checkFormat(database: DatabaseSync, path: string): void {
  const format = Number(database.prepare("PRAGMA user_version").get()?.user_version ?? 0);
  if (format <= SUMMARY_FORMAT) return;
  throw new MonitorError(
    "STORE_DAMAGED",
    `cannot write ${path}: a newer version of dspy-databricks wrote it (format ${format}, this one knows ${SUMMARY_FORMAT})`,
    { hint: "Update dspy-databricks, or move the file away: summaries begin anew then." },
  );
}

/** SQLITE_CORRUPT and SQLITE_NOTADB. */
function isDamage(error: unknown): boolean {
  const code = error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
  return code === 11 || code === 26;
}
