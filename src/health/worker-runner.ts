/**
 * Runs a check from a module in a worker thread of its own, where it may block or
 * never end: a run that is over its time is ended with its thread, and the next
 * run gets a new one. The thread is kept between runs, and keeps no process alive.
 */
import { existsSync } from "node:fs";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { MonitorError } from "../monitor-error.ts";
import type { CheckThreadData, FromCheckThread, ToCheckThread } from "./check-thread.ts";
import { describe, type Finding, readThrown, unknownFinding } from "./read-result.ts";
import type { Runner } from "./runner.ts";

export type WorkerRunnerOptions = {
  readonly name: string;
  readonly module: URL;
  readonly exportName: string;
  /** Memory of the JavaScript heap, in MiB. */
  readonly memoryMb: number;
};

/** So long, in milliseconds, a check may tidy up once its signal has been aborted. */
const ENDING_MS = 100;
/** Share of the heap for short-lived values, in MiB. */
const YOUNG_HEAP_MB = 16;

type Thread = {
  readonly worker: Worker;
  readonly port: MessagePort;
  /** Where the finding of the current run goes; `null` between runs. */
  answer: ((finding: Finding) => void) | null;
};

/** @throws MonitorError `CONFIG_INVALID` where the file of the thread is not beside this one. */
export function createWorkerRunner(options: WorkerRunnerOptions): Runner {
  const file = threadFile(import.meta.url);
  let thread: Thread | null = null;

  function lose(lost: Thread, finding: Finding): void {
    if (thread === lost) thread = null;
    lost.answer?.(finding);
    lost.answer = null;
    lost.port.close();
  }

  function startThread(): Thread {
    const { port1: port, port2 } = new MessageChannel();
    const data: CheckThreadData = {
      name: options.name,
      module: options.module.href,
      exportName: options.exportName,
      port: port2,
    };
    const worker = new Worker(file, {
      name: `health check ${options.name}`,
      workerData: data,
      transferList: [port2],
      resourceLimits: {
        maxOldGenerationSizeMb: options.memoryMb,
        maxYoungGenerationSizeMb: YOUNG_HEAP_MB,
      },
    });
    const started: Thread = { worker, port, answer: null };
    port.on("message", ({ finding, isUsable }: FromCheckThread) => {
      started.answer?.(finding);
      started.answer = null;
      // A module that failed to load stays failed in its thread; a new one may load it.
      if (!isUsable) void end(started);
    });
    worker.on("error", (error) => lose(started, threadDied(error, options)));
    worker.on("exit", (code) =>
      lose(
        started,
        unknownFinding("ended", `The check ended its own worker thread, with exit code ${code}.`),
      ),
    );
    worker.unref();
    port.unref();
    return started;
  }

  function end(ended: Thread): Promise<unknown> {
    if (thread === ended) thread = null;
    return ended.worker.terminate();
  }

  return {
    isInProcess: false,
    start: (signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve(unknownFinding("ended", "The check was ended."));
        try {
          thread ??= startThread();
          thread.answer = resolve;
          thread.port.postMessage({ kind: "run" } satisfies ToCheckThread);
        } catch (error) {
          resolve(readThrown(error));
        }
      }),
    giveUp() {
      const late = thread;
      if (!late) return true;
      // From now on it belongs to nobody: the next run starts another.
      thread = null;
      late.answer = null;
      late.port.postMessage({ kind: "abort" } satisfies ToCheckThread);
      setTimeout(() => void end(late), ENDING_MS);
      return true;
    },
    async close() {
      if (thread) await end(thread);
    },
  };
}

/**
 * Where the code of the thread is. A bundler puts ours into a file of the service's and
 * leaves that of the thread behind; bundled as CommonJS, ours does not even know where it is.
 *
 * @param here `import.meta.url`.
 */
export function threadFile(here: string | undefined): URL {
  if (here) {
    const file = new URL(`./check-thread.${here.endsWith(".ts") ? "ts" : "js"}`, here);
    if (existsSync(file)) return file;
  }
  throw new MonitorError(
    "CONFIG_INVALID",
    "a health check with a module can't run: dspy-databricks-agents was bundled, and the code of its worker thread is not in the bundle",
    {
      hint: "Mark it as external in the bundler (esbuild: --external:dspy-databricks-agents), or give the check as a function.",
    },
  );
}

function threadDied(error: unknown, { memoryMb }: WorkerRunnerOptions): Finding {
  if (error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY") {
    return unknownFinding(
      "out_of_memory",
      `The check needed more than ${memoryMb} MiB, and its worker thread was ended. Raise memoryMb, or let it hold less.`,
    );
  }
  return unknownFinding("ended", `The check's worker thread ended with ${describe(error)}.`);
}
