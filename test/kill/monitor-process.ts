/** A monitor in a process of its own, to be killed. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { quickStart } from "../quick-start.ts";

/** Time that a start, a moment or an end may take, in milliseconds. */
const DEADLINE_MS = 30_000;

export type MonitorProcess = {
  /** Resolves with the address once the monitor says it; rejects when the process ends before. */
  readonly ready: Promise<string>;
  /** Resolves with the signal or exit code once it has ended, by itself or by a kill point. */
  untilEnded(): Promise<string>;
  kill(): Promise<string>;
};

const bin = fileURLToPath(new URL("../../bin/dspy-databricks.js", import.meta.url));
const preload = new URL("./kill-point.ts", import.meta.url).href;

export function startMonitorProcess({
  dataDirectory,
  killPoint,
  command = [bin, "monitor", "--no-workspace", "--port", "0", "--data-dir", dataDirectory],
  env = {},
}: {
  readonly dataDirectory: string;
  /** As `kill-point.ts` reads it. */
  readonly killPoint?: string;
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}): MonitorProcess {
  const child = spawn(
    process.execPath,
    [...(killPoint === undefined ? [] : ["--import", preload]), ...command],
    {
      stdio: ["ignore", "ignore", "pipe"],
      env: {
        PATH: process.env.PATH,
        ...quickStart,
        ...env,
        ...(killPoint && { KILL_POINT: killPoint }),
      },
    },
  );
  running.add(child);
  let said = "";
  // Whoever kills during the start does not wait for it.
  const ready = Promise.withResolvers<string>();
  ready.promise.catch(() => {});
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    const [, url] = /Page\s+(http\S+)\n/.exec(said) ?? [];
    if (url !== undefined) ready.resolve(url);
  });
  const ended = new Promise<string>((resolve) => {
    child.once("close", (code, signal) => {
      running.delete(child);
      ready.reject(
        new Error(`the monitor ended (${signal ?? code}) before it was ready:\n${said}`),
      );
      resolve(signal ?? String(code));
    });
  });
  return {
    ready: within(ready.promise, () => `the monitor did not start:\n${said}`),
    untilEnded: () => within(ended, () => `the monitor did not end:\n${said}`),
    kill() {
      child.kill("SIGKILL");
      return ended;
    },
  };
}

const running = new Set<ChildProcess>();

/** A test that fails must not leave a monitor behind. */
export function killMonitorsLeft(): void {
  for (const child of running) child.kill("SIGKILL");
}

function within<T>(promise: Promise<T>, message: () => string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(message())), DEADLINE_MS);
  const raced = Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
  raced.catch(() => {});
  return raced;
}
