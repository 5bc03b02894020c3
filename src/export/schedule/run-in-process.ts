/** Runs one export in a process of its own, and waits for its end. */
import { fork } from "node:child_process";
import { MonitorError } from "../../monitor-error.ts";
import { ExportFailedError } from "./export-failure.ts";
import type { ExportAnswer, ExportOrder } from "./export-order.ts";

export type Exported = { readonly rows: number; readonly warnings: readonly string[] };

/**
 * @param env of the process, with the credentials in it.
 * @param signal ends the process at once: the next run goes on where it was.
 * @throws ExportFailedError
 */
export function runInProcess(
  order: ExportOrder,
  { env, signal }: { readonly env: NodeJS.ProcessEnv; readonly signal: AbortSignal },
): Promise<Exported> {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const child = fork(new URL(`./export-process.${extension}`, import.meta.url), {
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    execArgv: ["--disable-warning=ExperimentalWarning"],
    env,
  });
  return new Promise((resolve, reject) => {
    let answer: ExportAnswer | null = null;
    const kill = () => void child.kill("SIGKILL");
    signal.addEventListener("abort", kill);
    child.on("message", (message: ExportAnswer) => {
      answer = message;
    });
    child.once("error", (error) => reject(endedError(error.message)));
    child.once("exit", (code, killedBy) => {
      signal.removeEventListener("abort", kill);
      if (answer?.kind === "exported") resolve(answer);
      else if (answer?.kind === "failed") reject(new ExportFailedError(answer.failure));
      else reject(endedError(String(killedBy ?? code)));
    });
    if (signal.aborted) kill();
    else child.send(order);
  });
}

function endedError(how: string): MonitorError {
  return new MonitorError("HISTORY_FAILED", `the process that exports ended (${how})`, {
    hint: "Nothing is lost: the next run goes on where it was. Look for a lack of memory.",
  });
}
