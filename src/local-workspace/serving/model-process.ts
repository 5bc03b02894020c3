/**
 * A model served by a real process, `mlflow models serve`, on a free port of loopback.
 * One that ends by itself is started again, a bounded number of times; all of it ends
 * with the workspace.
 */
import type { ChildProcess } from "node:child_process";
import { createServer } from "node:net";
import type { Clock } from "../clock.ts";
import { startBoundProcess, stopBoundProcess } from "../core/bound-process.ts";
import { type BoundedLog, createBoundedLog } from "../core/bounded-log.ts";
import { wait } from "../core/wait.ts";
import { databricksError } from "../databricks-error.ts";
import type { EntityState } from "./endpoint.ts";
import { type ServedEntity, StartError } from "./served-entity.ts";

export type ModelProcessOptions = {
  readonly python: string;
  readonly modelDirectory: string;
  /** Secrets are resolved in it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** What is written until it is ready. */
  readonly buildLog: BoundedLog;
  /** Told the process group of each process that is started, so that a crash leaves none behind. */
  readonly onStarted: (processGroup: number) => void;
};

/** Imports of MLflow and DSPy take most of it. */
const START_TIMEOUT_MS = 180_000;
const POLL_MS = 200;
/** Times that a process which ended by itself is started again. */
const RESTARTS_MAX = 5;
const RESTART_FIRST_MS = 500;

/** @throws StartError when it does not become ready. */
export async function startModelProcess(options: ModelProcessOptions): Promise<ServedEntity> {
  const { clock, signal, buildLog } = options;
  const log = createBoundedLog();
  let isClosed = false;
  let restarts = 0;
  let state: EntityState = { deployment: "DEPLOYMENT_READY", message: "" };
  let current = await startOnce(options, buildLog);
  keepAlive();

  function keepAlive(): void {
    const { child } = current;
    current.log = log;
    child.once("exit", (code, killedBy) => {
      if (isClosed || signal.aborted) return;
      const ending = killedBy === null ? `exit code ${code}` : `signal ${killedBy}`;
      log.add(`[local workspace] the process ended with ${ending}\n`);
      void restart(ending);
    });
  }

  async function restart(ending: string): Promise<void> {
    while (restarts < RESTARTS_MAX) {
      restarts += 1;
      state = {
        deployment: "DEPLOYMENT_RECOVERING",
        message: `The container ended with ${ending}; restart ${restarts} of ${RESTARTS_MAX}.`,
      };
      if (!(await wait(clock, RESTART_FIRST_MS * 2 ** (restarts - 1), signal)) || isClosed) return;
      try {
        current = await startOnce(options, log);
      } catch (error) {
        if (!(error instanceof StartError)) throw error;
        continue;
      }
      state = {
        deployment: "DEPLOYMENT_READY",
        message: `Restarted ${restarts} time(s); the last container ended with ${ending}.`,
      };
      return keepAlive();
    }
    state = {
      deployment: "DEPLOYMENT_FAILED",
      message: `The container ended with ${ending}, after ${RESTARTS_MAX} restarts.`,
    };
  }

  return {
    isRecorded: false,
    state: () => state,
    logs: log.text,
    async invoke({ body, contentType, requestId, signal: caller }) {
      if (state.deployment !== "DEPLOYMENT_READY") {
        return databricksError("TEMPORARILY_UNAVAILABLE", state.message, requestId);
      }
      try {
        const answer = await fetch(`http://127.0.0.1:${current.port}/invocations`, {
          method: "POST",
          headers: { "content-type": contentType },
          body: new Uint8Array(body),
          signal: caller,
        });
        return new Response(answer.body, {
          status: answer.status,
          headers: { "content-type": answer.headers.get("content-type") ?? "application/json" },
        });
      } catch {
        return databricksError(
          "TEMPORARILY_UNAVAILABLE",
          "The container did not answer; the service logs may say why.",
          requestId,
        );
      }
    },
    async close() {
      isClosed = true;
      await stopBoundProcess(current.child);
    },
  };
}

type Running = { readonly child: ChildProcess; readonly port: number; log: BoundedLog };

async function startOnce(options: ModelProcessOptions, firstLog: BoundedLog): Promise<Running> {
  const { python, modelDirectory, environment, clock, signal, onStarted } = options;
  const port = await freePort();
  const args = ["-m", "mlflow", "models", "serve", "-m", modelDirectory, "--env-manager", "local"];
  const child = startBoundProcess(python, {
    args: [...args, "--host", "127.0.0.1", "--port", String(port)],
    environment: { MLFLOW_DISABLE_TELEMETRY: "true", ...environment },
  });
  const running: Running = { child, port, log: firstLog };
  const take = (chunk: Buffer) => running.log.add(chunk.toString("utf8"));
  child.stdout?.on("data", take);
  child.stderr?.on("data", take);
  if (child.pid !== undefined) onStarted(child.pid);

  let ended: string | null = null;
  child.once("error", (error) => {
    ended = `${python} does not run: ${error.message}`;
  });
  child.once("exit", (code, killedBy) => {
    ended ??= `it ended with ${killedBy ?? `exit code ${code}`}`;
  });
  const startedMs = clock.now();
  for (;;) {
    if (ended !== null) {
      throw new StartError(`The container could not be started: ${ended}. ${lastLines(firstLog)}`);
    }
    if (await answers(port)) return running;
    if (clock.now() - startedMs > START_TIMEOUT_MS) {
      await stopBoundProcess(child);
      throw new StartError(`The container was not ready after ${START_TIMEOUT_MS / 1000} s.`);
    }
    if (!(await wait(clock, POLL_MS, signal))) {
      await stopBoundProcess(child);
      throw new StartError("The workspace is closing.");
    }
  }
}

/** The end of what it wrote: the reason is mostly there. */
const SHOWN_LINES = 3;

function lastLines(log: BoundedLog): string {
  return log.text().trim().split("\n").slice(-SHOWN_LINES).join(" | ");
}

async function answers(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/ping`);
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
