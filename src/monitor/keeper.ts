/**
 * Keeps what changes what the monitor knows: first in the journal, then in the state, so that
 * nothing is known that a restart would not know again. Keeps the journal short, and goes on
 * when the disk is full.
 */
import { MonitorError } from "../monitor-error.ts";
import { scrub } from "../signals/scrub.ts";
import { bodyOf, type JournalEntry } from "../state/journal-entry.ts";
import type { MonitorState } from "../state/monitor-state.ts";
import type { Journal } from "../store/journal.ts";

/** How much may be written before the journal sheds what is too much, in characters or bytes. */
const PRUNE_AFTER_LENGTH = 32 * 1024 * 1024;

export type KeeperOptions = {
  readonly journal: Journal;
  readonly state: MonitorState;
  /** Up to where the journal may shed; left out, nobody else reads it. */
  readonly prunableUpTo: () => number | undefined;
  readonly now: () => number;
  readonly onNotice: (notice: string) => void;
};

export class Keeper {
  readonly #options: KeeperOptions;
  #writtenSincePrune = 0;
  #problem: string | null = null;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Why nothing can be written now; `null` when it can. */
  get problem(): string | null {
    return this.#problem;
  }

  /**
   * Resolves once the entry is in the journal, and applied.
   *
   * @throws MonitorError `STORE_FULL`: it can't be kept now, and nothing was applied.
   */
  async record(entry: JournalEntry): Promise<void> {
    const { journal, state, now } = this.#options;
    const timeMs = now();
    const body = bodyOf(entry);
    try {
      if (isTelemetry(entry)) await journal.append({ timeMs, body });
      else await journal.appendUpkeep({ timeMs, body });
      this.#problem = journal.isFull ? this.#problem : null;
    } catch (error) {
      this.#noteProblem(error);
      throw error;
    }
    state.apply(entry, timeMs);
    this.#writtenSincePrune += body.length;
    if (this.#writtenSincePrune > PRUNE_AFTER_LENGTH) void this.prune();
  }

  /** Before the oldest entries go, what is still true of them is written anew. */
  async prune(): Promise<void> {
    const { journal, state, now, prunableUpTo } = this.#options;
    this.#writtenSincePrune = 0;
    try {
      await this.record(state.carried());
      journal.prune(now(), prunableUpTo());
    } catch (error) {
      this.survive(error);
    }
  }

  /** Looks whether what could not be written can be now: nobody may be sending until it is ready again. */
  retry(): void {
    if (this.#options.journal.isFull || this.#problem !== null) void this.prune();
  }

  /** A full disk passes, and what failed is tried again; anything else is a bug that has to be seen. */
  survive(error: unknown): void {
    if (isStoreFull(error)) return;
    const what = error instanceof Error ? error.message : String(error);
    this.#options.onNotice(`The monitor failed at something; this is a bug of it: ${scrub(what)}`);
  }

  #noteProblem(error: unknown): void {
    if (!isStoreFull(error)) return;
    if (this.#problem === null) this.#options.onNotice(`${error.message}\n  Hint: ${error.hint}`);
    this.#problem = error.message;
  }
}

/** What comes from outside, and will be sent again. */
function isTelemetry({ kind }: JournalEntry): boolean {
  return kind === "spans" || kind === "metrics" || kind === "requests" || kind === "observed";
}

function isStoreFull(error: unknown): error is MonitorError {
  return error instanceof MonitorError && error.code === "STORE_FULL";
}
