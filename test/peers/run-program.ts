/** Runs the programs that prove the product. A program that is missing is a failure that says how to get it. */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";

export type Finished = { readonly code: number; readonly output: string };

/** @param input goes to its standard input. */
export function runProgram(
  command: string,
  args: readonly string[],
  options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...options.env } });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.once("error", (cause) => reject(missing(command, cause)));
    child.once("close", (code) => resolve({ code: code ?? -1, output }));
    child.stdin.end(options.input ?? "");
  });
}

/** Starts a server; `stop` ends it and waits until it is gone. */
export function startProgram(
  command: string,
  args: readonly string[],
): { readonly output: () => string; stop(): Promise<void> } {
  const child: ChildProcess = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout?.on("data", (chunk) => (output += chunk));
  child.stderr?.on("data", (chunk) => (output += chunk));
  child.once("error", (cause) => (output += missing(command, cause).message));
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return {
    output: () => output,
    async stop() {
      child.kill();
      await gone;
    },
  };
}

function missing(command: string, cause: Error): Error {
  return new Error(`${command} does not run. On Debian: apt-get install prometheus python3-venv`, {
    cause,
  });
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

/** Asks again and again until there is an answer. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | null>,
  deadlineMs = 20_000,
): Promise<T> {
  const giveUpMs = Date.now() + deadlineMs;
  let last: unknown;
  while (Date.now() < giveUpMs) {
    try {
      const answer = await ask();
      if (answer !== null) return answer;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${what} did not happen within ${deadlineMs / 1000} s`, { cause: last });
}
