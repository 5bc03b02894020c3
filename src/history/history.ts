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
import type { WriterAnswer, WriterOrder } from "./history-writer.ts";

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
  /** Starts who writes; a process of its own by default. */
  readonly startWriter?: StartWriter;
  /** Told when writing begins to fail, and when it works again. */
  readonly onNotice: (notice: string) => void;
};

/** Starts who writes the history. `onEnd` is called when it has ended, whatever the reason. */
export type StartWriter = (onEnd: () => void) => Writer;

export type Writer = {
  /** Of the process; `null` where it has none of its own. */
  readonly processId: number | null;
  /** One order at a time. Rejects when the writer ends before it answers. */
  ask(order: WriterOrder): Promise<WriterAnswer>;
  /** Resolves once it has ended. */
  end(): Promise<void>;
};

export class History {
  readonly #options: HistoryOptions;
  #writer: Writer | null = null;
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
    return this.#writer?.processId ?? null;
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
      const writer = this.#writer ?? (await this.#start());
      for (let isLast = false; !isLast; ) {
        const following = await this.#options.entriesAfter(this.#followedUpTo);
        const { entries, upTo, damaged = 0, last } = following;
        if (entries.length + damaged > 0) await ask(writer, { kind: "take", entries, damaged });
        this.#followedUpTo = upTo;
        isLast = last;
      }
      const answer = await ask(writer, { kind: "seal" });
      if (answer.kind === "sealed") {
        this.#prunableUpTo = answer.prunableUpTo;
        for (const repair of answer.repairs) this.#options.onNotice(repair);
      }
      if (this.#problem !== null) this.#options.onNotice("The history is written again.");
      this.#problem = null;
    } catch (error) {
      const { message, hint } = error instanceof MonitorError ? error : historyError(String(error));
      // It is found and mended when whoever writes begins anew.
      if (error instanceof MonitorError && error.code === "STORE_DAMAGED") await this.#end();
      if (this.#problem === null) this.#options.onNotice(`${message}\n  Hint: ${hint}`);
      this.#problem = message;
    }
  }

  async #start(): Promise<Writer> {
    const { startWriter = startProcess, directory, workspaceId, priceBook } = this.#options;
    const writer = startWriter(() => {
      if (this.#writer === writer) this.#writer = null;
    });
    this.#writer = writer;
    this.#followedUpTo = 0;
    // What was sealed may have to be sealed again.
    this.#prunableUpTo = 0;
    try {
      await ask(writer, { kind: "open", directory, workspaceId, priceBook });
    } catch (error) {
      // The next round starts another: this one would take nothing.
      await writer.end();
      throw error;
    }
    return writer;
  }

  async #end(): Promise<void> {
    await this.#writer?.end();
  }
}

async function ask(writer: Writer, order: WriterOrder): Promise<WriterAnswer> {
  const answer = await writer.ask(order);
  if (answer.kind === "failed") throw toldFailure(answer);
  return answer;
}

function startProcess(onEnd: () => void): Writer {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const child = fork(new URL(`./history-process.${extension}`, import.meta.url), {
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  child.once("exit", onEnd);
  return {
    processId: child.pid ?? null,
    ask: (order) => askProcess(child, order),
    end: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once("exit", () => resolve());
        child.disconnect();
      }),
  };
}

function askProcess(child: ChildProcess, order: WriterOrder): Promise<WriterAnswer> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      child.off("message", onMessage);
      child.off("exit", onExit);
      act();
    };
    const onMessage = (answer: WriterAnswer) => settle(() => resolve(answer));
    const onExit = (code: number | null, signal: string | null) =>
      settle(() => reject(historyError(`its process ended (${signal ?? code})`)));
    child.on("message", onMessage);
    child.on("exit", onExit);
    child.send(order, (error) => {
      if (error) settle(() => reject(historyError(`its process ended (${error.message})`)));
    });
  });
}

function toldFailure({ code, problem, hint }: WriterAnswer & { kind: "failed" }): MonitorError {
  if (code === null) return historyError(problem);
  // What has a code is a MonitorError of the process.
  return new MonitorError(code as ErrorCode, problem, { hint: hint ?? "" });
}

function historyError(problem: string): MonitorError {
  return new MonitorError("HISTORY_FAILED", `cannot write the history: ${problem}`, {
    hint: "Nothing is lost: the journal keeps it, and a later round writes it. Free disk space, or restart the monitor.",
  });
}
