/**
 * The thread of one check: loads its module, runs it when told, and sends back what
 * was found as plain data. Speaks over a port of its own, so that the check may use
 * the thread's usual one for whatever it likes.
 */
import { type MessagePort, workerData } from "node:worker_threads";
import type { Check } from "./check.ts";
import { describe, type Finding, readResult, readThrown, unknownFinding } from "./read-result.ts";

export type CheckThreadData = {
  readonly name: string;
  /** A URL. */
  readonly module: string;
  readonly exportName: string;
  readonly port: MessagePort;
};

/** `abort` comes shortly before the thread is ended. */
export type ToCheckThread = { readonly kind: "run" | "abort" };

export type FromCheckThread = {
  readonly finding: Finding;
  /** Whether the thread can run the check another time. */
  readonly isUsable: boolean;
};

const { name, module, exportName, port } = workerData as CheckThreadData; // As worker-runner.ts sends it.

let abort: AbortController | null = null;

async function run(): Promise<FromCheckThread> {
  let exports: Record<string, unknown>;
  try {
    exports = await import(module);
  } catch (error) {
    const why = describe(error);
    return {
      finding: unknownFinding("not_loaded", `The module of the check can't be loaded: ${why}.`),
      isUsable: false,
    };
  }
  const check = exports[exportName];
  if (typeof check !== "function") {
    const names = Object.keys(exports).join(", ") || "nothing";
    return {
      finding: unknownFinding(
        "not_loaded",
        `The module of the check exports no function "${exportName}"; it exports ${names}.`,
      ),
      isUsable: true,
    };
  }
  abort = new AbortController();
  try {
    // What it returns is looked at below, so any function will do.
    const result = await (check as Check)({ signal: abort.signal, name });
    return { finding: readResult(result), isUsable: true };
  } catch (thrown) {
    return { finding: readThrown(thrown), isUsable: true };
  }
}

port.on("message", ({ kind }: ToCheckThread) => {
  if (kind === "abort") {
    abort?.abort(new DOMException("The time of the health check is up.", "TimeoutError"));
    return;
  }
  void run().then((answer) => port.postMessage(answer));
});
