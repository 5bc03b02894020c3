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
import { rowsOf } from "./rows.ts";
import { readProgress, removeUnfinished, type SealContext, sealRows } from "./seal.ts";
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
  readonly #sealedBefore: ReadonlyMap<TableName, number>;
  readonly #summedBefore: number;
  #pending = new PendingRows();
  #pendingSummaries = new PendingSummaries();
  #takenUpTo = 0;
  #maintainedMs = Number.NEGATIVE_INFINITY;

  private constructor(
    options: FollowerOptions,
    context: SealContext,
    sealedBefore: ReadonlyMap<TableName, number>,
  ) {
    this.#options = options;
    this.#context = context;
    this.#state = new MonitorState(options.priceBook);
    this.#sealedBefore = sealedBefore;
    this.#summedBefore = options.summaries?.sealedUpTo ?? Number.POSITIVE_INFINITY;
  }

  /** Removes what a crash left behind, and begins anew. */
  static async start(options: FollowerOptions, context: SealContext): Promise<Follower> {
    await removeUnfinished(context);
    return new Follower(options, context, await readProgress(context));
  }

  /** Entries come in the order of the journal. Those that came before are left out. */
  async take(entries: readonly PlacedEntry[]): Promise<void> {
    for (const { seq, timeMs, body } of entries) {
      if (seq <= this.#takenUpTo) continue;
      this.#takenUpTo = seq;
      for (const row of this.#rowsOf({ seq, timeMs, body })) this.#pending.add(row, seq);
      if (this.#pending.rows >= SEAL_ROWS) await this.seal();
    }
  }

  /**
   * Seals what waits. Returns the place in the journal up to which no entry is needed any more.
   *
   * @throws Error when it can't; the rows wait on.
   */
  async seal(): Promise<number> {
    const pending = this.#pending;
    const upTo = this.#takenUpTo;
    const timeMs = this.#options.nowMs();
    if (pending.rows > 0) {
      await sealRows({ upTo, timeMs, tables: pending.tables() }, this.#context);
      this.#pending = new PendingRows();
    }
    if (!this.#pendingSummaries.isEmpty) {
      this.#options.summaries?.seal(this.#pendingSummaries, { upTo, nowMs: timeMs });
      this.#pendingSummaries = new PendingSummaries();
    }
    await this.#maintain();
    const neededFrom = this.#state.openTraces.firstSeq ?? this.#takenUpTo + 1;
    return Math.min(this.#takenUpTo, neededFrom - 1);
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
      const mergeUpTo = release ? Math.min(this.#takenUpTo, exported) : 0;
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
    return rowsOf(happened, this.#options.workspaceId).filter(
      ({ table }) => seq > (this.#sealedBefore.get(table) ?? 0),
    );
  }
}
