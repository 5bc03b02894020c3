/**
 * Summaries as the server asks for them: read in a thread of its own, the answers kept for a
 * moment, since several pages ask for the same every two seconds and new rows come once a
 * minute.
 */
import { Worker } from "node:worker_threads";
import { MonitorError } from "../monitor-error.ts";
import { unpacked } from "./pack-summaries.ts";
import type { AskedStretch, ReadSummaries } from "./read-summaries.ts";
import type { FromWorker, ToWorker } from "./summaries-worker.ts";

/** How long an answer is given again, in milliseconds. */
const KEPT_MS = 10_000;
/** Answers that are kept. */
const KEPT_MAX = 32;

type Waiting = {
  readonly resolve: (read: ReadSummaries) => void;
  readonly reject: (error: MonitorError) => void;
};

type Kept = { readonly askedMs: number; readonly read: Promise<ReadSummaries> };

export class Summaries {
  readonly #path: string;
  #worker: Worker | null = null;
  #lastId = 0;
  readonly #waiting = new Map<number, Waiting>();
  readonly #kept = new Map<string, Kept>();

  /** The thread is started when the first question comes. */
  constructor(path: string) {
    this.#path = path;
  }

  /**
   * @param agent `null` is all of them, without their modules and models.
   * @throws MonitorError `HISTORY_FAILED` when they can't be read.
   */
  read(agent: string | null, asked: AskedStretch): Promise<ReadSummaries> {
    const { nowMs, ...stretch } = asked;
    const key = JSON.stringify([agent, stretch]);
    const known = this.#kept.get(key);
    if (known && Math.abs(nowMs - known.askedMs) < KEPT_MS) return known.read;
    this.#kept.delete(key);
    const read = this.#ask(agent, asked);
    this.#kept.set(key, { askedMs: nowMs, read });
    read.catch(() => this.#kept.delete(key));
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT_MAX && oldest !== undefined) this.#kept.delete(oldest);
    return read;
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
    this.#fail("it was closed");
  }

  #ask(agent: string | null, asked: AskedStretch): Promise<ReadSummaries> {
    this.#worker ??= this.#start();
    const worker = this.#worker;
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ id, agent, asked } satisfies ToWorker);
    });
  }

  #start(): Worker {
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const worker = new Worker(new URL(`./summaries-worker.${extension}`, import.meta.url), {
      workerData: { path: this.#path },
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    worker.unref();
    worker.on("message", (message: FromWorker) => {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if ("problem" in message) waiting?.reject(readError(message.problem));
      else waiting?.resolve(unpacked(message.read));
    });
    worker.on("error", (error) => this.#fail(error.message));
    worker.on("exit", () => this.#fail("its thread ended"));
    return worker;
  }

  /** The next question starts a thread anew. */
  #fail(problem: string): void {
    this.#worker = null;
    for (const { reject } of this.#waiting.values()) reject(readError(problem));
    this.#waiting.clear();
  }
}

function readError(problem: string): MonitorError {
  return new MonitorError("HISTORY_FAILED", `cannot read the summaries: ${problem}`, {
    hint: "Ask again in a minute. The last 24 hours are known without them.",
  });
}
