/**
 * The history: everything worth keeping for long, row by row, in Delta tables on this
 * machine. It follows the journal at a distance of at most a minute, in a process of its
 * own, which reads what was committed: taking telemetry in never waits for it.
 */
import { type ChildProcess, fork } from "node:child_process";
import type { Clock } from "../clock.ts";
import { type ErrorCode, MonitorError } from "../monitor-error.ts";
import type { PriceBook } from "../signals/price-book.ts";
import type { Following } from "../store/journal.ts";
import type { FromProcess, ToProcess } from "./history-process.ts";

/** How often rows are sealed. */
export const SEAL_INTERVAL_MS = 60_000;

export type HistoryOptions = {
  /** Holds a directory for each table. */
  readonly directory: string;
  /** What was committed to the journal after a place in it. */
  readonly entriesAfter: (seq: number) => Promise<Following>;
  readonly clock: Clock;
  readonly workspaceId: string;
  readonly priceBook: PriceBook;
  /** Told when writing begins to fail, and when it works again. */
  readonly onNotice: (notice: string) => void;
};

export class History {
  readonly #options: HistoryOptions;
  #child: ChildProcess | null = null;
  /** Place in the journal up to which the process was told everything. */
  #followedUpTo = 0;
  #prunableUpTo = 0;
  #working: Promise<void> | null = null;
  #problem: string | null = null;
  readonly #stopTimer: () => void;

  /** What the journal holds is written with the first sealing. */
  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#stopTimer = options.clock.every(SEAL_INTERVAL_MS, () => void this.seal());
  }

  /** No entry of the journal up to this one is needed any more. */
  get prunableUpTo(): number {
    return this.#prunableUpTo;
  }

  /** Of the process that writes; `null` while there is none. */
  get processId(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Why it can't be written now; `null` when it can. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Writes what was committed so far. Never rejects: the next round goes on where this one failed. */
  seal(): Promise<void> {
    this.#working ??= this.#seal().finally(() => {
      this.#working = null;
    });
    return this.#working;
  }

  /** Writes what was committed so far, and ends. */
  async close(): Promise<void> {
    this.#stopTimer();
    await this.#working;
    await this.seal();
    await this.#end();
  }

  async #seal(): Promise<void> {
    try {
      const child = this.#child ?? (await this.#start());
      for (let isLast = false; !isLast; ) {
        const { entries, upTo, last } = await this.#options.entriesAfter(this.#followedUpTo);
        if (entries.length > 0) await ask(child, { kind: "take", entries });
        this.#followedUpTo = upTo;
        isLast = last;
      }
      const answer = await ask(child, { kind: "seal" });
      if (answer.kind === "sealed") this.#prunableUpTo = answer.prunableUpTo;
      if (this.#problem !== null) this.#options.onNotice("The history is written again.");
      this.#problem = null;
    } catch (error) {
      const { message, hint } = error instanceof MonitorError ? error : historyError(String(error));
      if (this.#problem === null) this.#options.onNotice(`${message}\n  Hint: ${hint}`);
      this.#problem = message;
    }
  }

  async #start(): Promise<ChildProcess> {
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const child = fork(new URL(`./history-process.${extension}`, import.meta.url), {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    child.once("exit", () => {
      if (this.#child === child) this.#child = null;
    });
    this.#child = child;
    this.#followedUpTo = 0;
    const { directory, workspaceId, priceBook } = this.#options;
    await ask(child, { kind: "open", directory, workspaceId, priceBook });
    return child;
  }

  #end(): Promise<void> {
    const child = this.#child;
    if (!child) return Promise.resolve();
    return new Promise((resolve) => {
      child.once("exit", () => resolve());
      child.disconnect();
    });
  }
}

/** One question at a time. */
function ask(child: ChildProcess, message: ToProcess): Promise<FromProcess> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      child.off("message", onMessage);
      child.off("exit", onExit);
      act();
    };
    const onMessage = (answer: FromProcess) =>
      settle(() => (answer.kind === "failed" ? reject(toldFailure(answer)) : resolve(answer)));
    const onExit = (code: number | null, signal: string | null) =>
      settle(() => reject(historyError(`its process ended (${signal ?? code})`)));
    child.on("message", onMessage);
    child.on("exit", onExit);
    child.send(message, (error) => {
      if (error) settle(() => reject(historyError(`its process ended (${error.message})`)));
    });
  });
}

function toldFailure({ code, problem, hint }: FromProcess & { kind: "failed" }): MonitorError {
  if (code === null) return historyError(problem);
  // What has a code is a MonitorError of the process.
  return new MonitorError(code as ErrorCode, problem, { hint: hint ?? "" });
}

function historyError(problem: string): MonitorError {
  return new MonitorError("HISTORY_FAILED", `cannot write the history: ${problem}`, {
    hint: "Nothing is lost: the journal keeps it, and a later round writes it. Free disk space, or restart the monitor.",
  });
}
