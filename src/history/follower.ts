/**
 * Follows the journal: folds its entries as the monitor does, makes rows of what they say,
 * and seals them. It knows from the tables themselves how far it came, so it may be started
 * anew at any time and be given the whole journal again.
 */

import type { Happened } from "../signals/happened.ts";
import type { PriceBook } from "../signals/price-book.ts";
import { entryOf } from "../state/journal-entry.ts";
import { MonitorState } from "../state/monitor-state.ts";
import type { PlacedEntry } from "../store/journal.ts";
import { PLACES_PER_JOURNAL } from "../store/journal-file.ts";
import { PendingSummaries } from "../summaries/pending-summaries.ts";
import type { SummaryStore } from "../summaries/summary-store.ts";
import { checkSome, refuseDamaged } from "./damaged-files.ts";
import { logDirectory } from "./delta-log.ts";
import { tryExportLock } from "./export-lock.ts";
import { exportedUpTo } from "./export-marks.ts";
import { GapFiller } from "./gap-filler.ts";
import { type MergeLimits, maintain, type Retention } from "./maintain.ts";
import { PendingRows } from "./pending-rows.ts";
import { type Repair, repairTables } from "./repair.ts";
import { eventsThere, REPEATED_FOR_MS, repeatsIn } from "./repeats.ts";
import { loggedEventId, rowsOf } from "./rows.ts";
import {
  type Progress,
  readSnapshots,
  removeUnfinished,
  type SealContext,
  sealedUpTo,
  sealRows,
  tableDirectory,
} from "./seal.ts";
import { noteSealed } from "./sealed-marks.ts";
import { KnownSeries } from "./series.ts";
import type { TableName } from "./tables.ts";

/** Rows that wait beyond which they are sealed early. */
export const SEAL_ROWS = 250_000;
/** How often the tables are tidied up. */
export const MAINTAIN_INTERVAL_MS = 10 * 60_000;

/** Of what the history may take on the disk. */
export const SUMMARIES_SHARE = 0.5;

export type WrittenSummaries = Pick<SummaryStore, "sealedUpTo" | "sizeBytes" | "seal" | "forget">;

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

type Told = Pick<Happened, "traces" | "logged"> & { readonly timeMs: number };

export class Follower {
  readonly #options: FollowerOptions;
  readonly #context: SealContext;
  readonly #state: MonitorState;
  #sealedBefore: Progress = new Map();
  /** The same now. */
  #sealed = new Map<TableName, number>();
  /** Tables that may have commits of which nothing is noted beside them. */
  readonly #unnoted = new Set<TableName>();
  /** What was found damaged, and was not told yet. */
  #repairs: readonly Repair[] = [];
  /** `null` before it began. */
  #gaps: GapFiller | null = null;
  /** Time up to which what is told may have been sealed before. */
  #repeatsUntilMs = 0;
  /** Of the files that are read again, the last one that was. */
  #checked: string | null = null;
  readonly #summedBefore: number;
  readonly #series = new KnownSeries();
  #pending = new PendingRows();
  #pendingSummaries = new PendingSummaries();
  /** What may have been told before, and is not looked for yet. */
  #unsummed: Told[] = [];
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
    const snapshots = await readSnapshots(this.#context);
    for (const table of snapshots.keys()) {
      this.#context.files.settle(logDirectory(tableDirectory(this.#context.directory, table)));
    }
    noteSealed(snapshots, this.#context);
    this.#sealedBefore = new Map(
      Array.from(snapshots, ([table, snapshot]) => [table, sealedUpTo(snapshot)]),
    );
    this.#sealed = new Map(this.#sealedBefore);
    const until = [...snapshots.values()].map((snapshot) => repeatsIn(snapshot).untilMs);
    this.#repeatsUntilMs = Math.max(this.#repeatsUntilMs, ...until);
    this.#expectRepeatsAfter(Math.max(...this.#sealedBefore.values()), journalFrom);
    this.#gaps = new GapFiller(snapshots, { waitingMax: SEAL_ROWS }, this.#context);
  }

  /** What was damaged when it began, and what was lost by it. */
  takeRepairs(): readonly Repair[] {
    const repairs = [...this.#repairs, ...(this.#gaps?.takeTold() ?? [])];
    this.#repairs = [];
    return repairs;
  }

  /**
   * Entries come in the order of the journal. Those that came before are left out.
   *
   * @param damaged entries beside them that can't be read.
   */
  async take(entries: readonly PlacedEntry[], { damaged = 0 } = {}): Promise<void> {
    const [first] = entries;
    if (first && this.#gaps === null) await this.#begin(first.seq);
    if (damaged > 0) this.#expectRepeats();
    for (const { seq, timeMs, body } of entries) {
      if (seq <= this.#takenUpTo) continue;
      this.#expectRepeatsAfter(this.#takenUpTo, seq);
      if (seq > this.#takenUpTo + 1) {
        this.#gaps?.missEntries({ from: this.#takenUpTo + 1, upTo: seq - 1 });
      }
      this.#takenUpTo = seq;
      for (const row of this.#rowsOf({ seq, timeMs, body }))
        this.#waitingFor(row.table, seq)?.add(row, seq);
      if (this.#gaps?.isOpen || this.#pending.rows >= SEAL_ROWS) await this.#sealFrom(SEAL_ROWS);
    }
  }

  /** Where a row belongs; `null` where it is sealed already. */
  #waitingFor(table: TableName, seq: number): PendingRows | null {
    if (seq > (this.#sealedBefore.get(table) ?? 0)) return this.#pending;
    return this.#gaps?.waitingFor(table, seq) ?? null;
  }

  /** Another journal begins where places are left out; what age took out of one leaves fewer. */
  #expectRepeatsAfter(before: number, place: number): void {
    if (before > 0 && place - before > PLACES_PER_JOURNAL / 2) this.#expectRepeats();
  }

  /** Entries are missing: what they said may be told again. */
  #expectRepeats(): void {
    this.#repeatsUntilMs = this.#options.nowMs() + REPEATED_FOR_MS;
  }

  get #isRepeated(): boolean {
    return this.#options.nowMs() < this.#repeatsUntilMs;
  }

  async #fillGaps(): Promise<void> {
    const timeMs = this.#options.nowMs();
    const filled = { takenUpTo: this.#takenUpTo, timeMs, isRepeated: this.#isRepeated };
    await this.#gaps?.fill(filled);
  }

  /**
   * Seals what waits. Returns the place in the journal up to which no entry is needed any more.
   *
   * @throws Error when it can't; the rows wait on.
   */
  async seal(): Promise<number> {
    if (this.#repairs.length === 0) await this.#gaps?.noteTold(this.#options.nowMs());
    await this.#sealFrom(0);
    await this.#noteSealed();
    await this.#maintain();
    const neededFrom = this.#state.openTraces.firstSeq ?? this.#takenUpTo + 1;
    return Math.min(this.#takenUpTo, neededFrom - 1);
  }

  /** Before the journal loses what was sealed. */
  async #noteSealed(): Promise<void> {
    if (this.#unnoted.size === 0) return;
    noteSealed(await readSnapshots(this.#context, this.#unnoted), this.#context);
    this.#unnoted.clear();
  }

  /**
   * Gaps of which all came, and what waits where that is so many rows. While rows are looked for
   * by their ids, a damaged file stops it: then that is set aside.
   */
  async #sealFrom(rows: number): Promise<void> {
    try {
      await this.#fillGaps();
      if (this.#pending.rows >= rows) await this.#sealPending();
    } catch (error) {
      if (this.#isRepeated) {
        for (const [table, { files }] of await readSnapshots(this.#context)) {
          await refuseDamaged(table, files.values(), this.#context);
        }
      }
      throw error;
    }
  }

  async #sealPending(): Promise<void> {
    const pending = this.#pending;
    const upTo = this.#takenUpTo;
    const timeMs = this.#options.nowMs();
    // Before the rows: what is among the rows of before was summed up.
    await this.#sumUpNews(pending);
    if (!this.#pendingSummaries.isEmpty) {
      this.#options.summaries?.seal(this.#pendingSummaries, { upTo, nowMs: timeMs });
      this.#pendingSummaries = new PendingSummaries();
    }
    if (pending.rows > 0) {
      const sealed = pending.tables();
      const repeatsUntilMs = this.#isRepeated ? this.#repeatsUntilMs : 0;
      const batch = { upTo, timeMs, tables: sealed, sealedBefore: this.#sealed, repeatsUntilMs };
      for (const { table } of sealed) this.#unnoted.add(table);
      for (const [table, place] of await sealRows(batch, this.#context)) {
        this.#sealed.set(table, place);
      }
      this.#pending = new PendingRows();
    }
  }

  /** Of what may have been told before, what was not: summaries that begin anew know nothing of before. */
  async #sumUpNews(pending: PendingRows): Promise<void> {
    if (this.#unsummed.length === 0) return;
    const { workspaceId } = this.#options;
    const home = tableDirectory(this.#context.directory, "requests");
    const known =
      this.#summedBefore > 0
        ? await eventsThere(pending.of("requests"), home, this.#context)
        : new Set<string>();
    for (const { traces, logged, timeMs } of this.#unsummed) {
      this.#sumUp({
        timeMs,
        traces: traces.filter(
          ({ requests }) => !requests.some(({ eventId }) => known.has(eventId)),
        ),
        logged: logged.filter((request) => !known.has(loggedEventId(request, workspaceId))),
      });
    }
    this.#unsummed = [];
  }

  #sumUp(told: Told): void {
    const { agents } = this.#state;
    // As the live figures, which know only so many agents apart.
    const nameOf = (name: string) => (agents.get(name) ? name : "other");
    this.#pendingSummaries.add(told, told.timeMs, nameOf);
  }

  async #maintain(): Promise<void> {
    const { retention, nowMs, upkeep = {} } = this.#options;
    const { intervalMs = MAINTAIN_INTERVAL_MS, ...limits } = upkeep;
    if (Math.abs(nowMs() - this.#maintainedMs) < intervalMs) return;
    this.#maintainedMs = nowMs();
    const { summaries } = this.#options;
    summaries?.forget(nowMs(), retention.maxBytes * SUMMARIES_SHARE);
    // While an export runs, the files that it reads the names of stay.
    const release = tryExportLock(this.#context);
    try {
      const exported = exportedUpTo(this.#context.directory, this.#context.files, nowMs());
      const mergeUpTo = release ? this.#takenUpTo : 0;
      const asked = {
        ...{ retention, nowMs: nowMs(), mergeUpTo, exportedUpTo: exported, ...limits },
        otherBytes: summaries?.sizeBytes ?? 0,
      };
      await maintain(asked, this.#context);
      const snapshots = await readSnapshots(this.#context);
      noteSealed(snapshots, this.#context);
      this.#checked = await checkSome(snapshots, this.#checked, this.#context);
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
      const { traces, logged } = happened;
      if (this.#isRepeated) this.#unsummed.push({ traces, logged, timeMs });
      else this.#sumUp({ traces, logged, timeMs });
    }
    return rowsOf(happened, {
      workspaceId: this.#options.workspaceId,
      series: this.#series,
      versionsOf: (endpoint) => this.#state.versionsOf(endpoint),
    });
  }
}
