/**
 * Follows the journal: folds its entries as the monitor does, makes rows of what they say,
 * and seals them. It knows from the tables themselves how far it came, so it may be started
 * anew at any time and be given the whole journal again.
 */
import { entryOf } from "../journal-entry.ts";
import { MonitorState } from "../monitor-state.ts";
import type { PriceBook } from "../signals/price-book.ts";
import type { PlacedEntry } from "../store/journal.ts";
import { PendingSummaries } from "../summaries/pending-summaries.ts";
import type { SummaryStore } from "../summaries/summary-store.ts";
import { tryExportLock } from "./export-lock.ts";
import { exportedUpTo } from "./export-marks.ts";
import { type MergeLimits, maintain, type Retention } from "./maintain.ts";
import { PendingRows } from "./pending-rows.ts";
import { type Repair, repairTables } from "./repair.ts";
import { rowsOf } from "./rows.ts";
import {
  type Progress,
  readProgress,
  removeUnfinished,
  type SealContext,
  sealRows,
} from "./seal.ts";
import { KnownSeries } from "./series.ts";
import type { TableName } from "./tables.ts";

/** Rows that wait beyond which they are sealed early. */
export const SEAL_ROWS = 250_000;
/** How often the tables are tidied up. */
export const MAINTAIN_INTERVAL_MS = 10 * 60_000;

export type WrittenSummaries = Pick<SummaryStore, "sealedUpTo" | "seal" | "forget">;

export type FollowerOptions = {
  readonly workspaceId: string;
  readonly priceBook: PriceBook;
  readonly retention: Retention;
  /** Where rows are summed up by agent and time. Left out, they are not. */
  readonly summaries?: WrittenSummaries;
  readonly nowMs: () => number;
  readonly upkeep?: Upkeep | undefined;
};

export type Upkeep = MergeLimits & {
  /** `MAINTAIN_INTERVAL_MS` by default. */
  readonly intervalMs?: number | undefined;
};

export class Follower {
  readonly #options: FollowerOptions;
  readonly #context: SealContext;
  readonly #state: MonitorState;
  #sealedBefore: Progress = new Map();
  /** The same now. */
  #sealed = new Map<TableName, number>();
  /** What was found damaged, and not told yet. */
  #repairs: readonly Repair[] = [];
  /** Rows that come again, by table. */
  readonly #cameAgain = new Map<TableName, number>();
  #hasBegun = false;
  readonly #summedBefore: number;
  readonly #series = new KnownSeries();
  #pending = new PendingRows();
  #pendingSummaries = new PendingSummaries();
  #takenUpTo = 0;
  #maintainedMs = Number.NEGATIVE_INFINITY;

  /** Nothing is read or written before the first entry: it says what the journal still has. */
  constructor(options: FollowerOptions, context: SealContext) {
    this.#options = options;
    this.#context = context;
    this.#state = new MonitorState(options.priceBook);
    this.#summedBefore = options.summaries?.sealedUpTo ?? Number.POSITIVE_INFINITY;
  }

  /** Mends what is damaged, removes what a crash left behind, and begins anew. */
  async #begin(journalFrom: number): Promise<void> {
    const nowMs = this.#options.nowMs();
    this.#repairs = await repairTables({ journalFrom, nowMs }, this.#context);
    await removeUnfinished(this.#context);
    this.#sealedBefore = await readProgress(this.#context);
    this.#sealed = new Map(this.#sealedBefore);
    this.#hasBegun = true;
  }

  /** What was damaged when it began; each is told once. */
  takeRepairs(): readonly Repair[] {
    const repairs = this.#repairs;
    this.#repairs = [];
    return repairs.flatMap((repair) => {
      const { table, again } = repair;
      const missing = again ? again.rows - (this.#cameAgain.get(table) ?? 0) : 0;
      if (missing <= 0) return [repair];
      const what = `${repair.what} Of those from the journal, ${missing} did not come again: its older part is gone.`;
      return [{ ...repair, what, rowsLost: repair.rowsLost + missing }];
    });
  }

  /** Entries come in the order of the journal. Those that came before are left out. */
  async take(entries: readonly PlacedEntry[]): Promise<void> {
    const [first] = entries;
    if (first && !this.#hasBegun) await this.#begin(first.seq);
    for (const { seq, timeMs, body } of entries) {
      if (seq <= this.#takenUpTo) continue;
      this.#takenUpTo = seq;
      for (const row of this.#rowsOf({ seq, timeMs, body })) this.#pending.add(row, seq);
      const isEnd = this.#repairs.some(({ again }) => again?.ends.includes(seq));
      if (isEnd) await this.#sealPending();
      else if (this.#pending.rows >= SEAL_ROWS) await this.seal();
    }
  }

  /**
   * Seals what waits. Returns the place in the journal up to which no entry is needed any more.
   *
   * @throws Error when it can't; the rows wait on.
   */
  async seal(): Promise<number> {
    await this.#sealPending();
    await this.#maintain();
    const neededFrom = this.#state.openTraces.firstSeq ?? this.#takenUpTo + 1;
    return Math.min(this.#takenUpTo, neededFrom - 1);
  }

  async #sealPending(): Promise<void> {
    const pending = this.#pending;
    const upTo = this.#takenUpTo;
    const timeMs = this.#options.nowMs();
    if (pending.rows > 0) {
      const sealed = pending.tables();
      const batch = { upTo, timeMs, tables: sealed, sealedBefore: this.#sealed };
      await sealRows(batch, this.#context);
      for (const { table } of sealed) this.#sealed.set(table, upTo);
      this.#pending = new PendingRows();
    }
    if (!this.#pendingSummaries.isEmpty) {
      this.#options.summaries?.seal(this.#pendingSummaries, { upTo, nowMs: timeMs });
      this.#pendingSummaries = new PendingSummaries();
    }
  }

  async #maintain(): Promise<void> {
    const { retention, nowMs, upkeep = {} } = this.#options;
    const { intervalMs = MAINTAIN_INTERVAL_MS, ...limits } = upkeep;
    if (Math.abs(nowMs() - this.#maintainedMs) < intervalMs) return;
    this.#maintainedMs = nowMs();
    this.#options.summaries?.forget(nowMs());
    // While an export runs, the files that it reads the names of stay.
    const release = tryExportLock(this.#context);
    try {
      const exported = exportedUpTo(this.#context.directory, this.#context.files, nowMs());
      const mergeUpTo = release ? this.#takenUpTo : 0;
      const asked = { retention, nowMs: nowMs(), mergeUpTo, exportedUpTo: exported, ...limits };
      await maintain(asked, this.#context);
    } finally {
      release?.();
    }
  }

  #rowsOf({ seq, timeMs, body }: PlacedEntry) {
    let happened: ReturnType<MonitorState["apply"]>;
    try {
      happened = this.#state.apply(entryOf(body), timeMs, seq);
    } catch {
      // The monitor could not read it either, and counted it.
      return [];
    }
    if (seq > this.#summedBefore) {
      const { agents } = this.#state;
      // As the live figures, which know only so many agents apart.
      this.#pendingSummaries.add(happened, timeMs, (name) => (agents.get(name) ? name : "other"));
    }
    const rows = rowsOf(happened, {
      workspaceId: this.#options.workspaceId,
      series: this.#series,
      versionsOf: (endpoint) => this.#state.versionsOf(endpoint),
    }).filter(({ table }) => seq > (this.#sealedBefore.get(table) ?? 0));
    for (const { table, again } of this.#repairs) {
      if (!again || seq > again.upTo) continue;
      const came = rows.filter((row) => row.table === table).length;
      this.#cameAgain.set(table, (this.#cameAgain.get(table) ?? 0) + came);
    }
    return rows;
  }
}
