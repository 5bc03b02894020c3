/**
 * A process of somebody else's program, in a group of its own, that can't outlive this
 * one: when this process is gone, whatever the way, a pipe closes, and a shell that waits
 * for that ends the whole group.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter, dirname } from "node:path";

export type BoundProcessOptions = {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly directory?: string;
};

/** From SIGTERM to SIGKILL. */
const STOP_GRACE_MS = 5_000;

/**
 * Its standard input, as 3, is the pipe: nothing is ever written to it. `read` ends with
 * the pipe; the program itself reads from nowhere. The shell passes on how it ended, also
 * where a signal to both interrupts its waiting.
 */
const GUARD = `
exec 3<&0 </dev/null
trap 'interrupted=1' TERM
"$@" 3<&- &
program=$!
{ trap '' TERM; read -r _ <&3; kill -TERM 0; sleep ${STOP_GRACE_MS / 1000}; kill -KILL 0; } >/dev/null 2>&1 &
watch=$!
exec 3<&-
while
  interrupted=
  wait "$program"
  code=$?
  [ -n "$interrupted" ]
do :; done
kill -KILL "$watch" 2>/dev/null
exit "$code"
`;

/** Of this process's environment: nothing that could hold a credential. */
const PASSED_ON = ["HOME", "LANG", "LC_ALL", "TMPDIR", "TZ"];

/** Starts `program`, of whose environment all but `environment` is known to be harmless. */
export function startBoundProcess(program: string, options: BoundProcessOptions): ChildProcess {
  const { args, environment, directory } = options;
  const child = spawn("/bin/sh", ["-c", GUARD, "sh", program, ...args], {
    env: {
      ...passedOn(),
      // Programs of one installation start each other by name.
      PATH: `${dirname(program)}${delimiter}${process.env.PATH ?? ""}`,
      PYTHONDONTWRITEBYTECODE: "1",
      PYTHONUNBUFFERED: "1",
      ...environment,
    },
    ...(directory === undefined ? {} : { cwd: directory }),
    stdio: "pipe",
    detached: true,
  });
  // Nothing is written to it; that it closes before this process does is no failure.
  child.stdin.on("error", () => {});
  return child;
}

/** Ends the whole group, and waits until its first process is gone. */
export async function stopBoundProcess(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) return;
  const group = child.pid;
  const isGone = child.exitCode !== null || child.signalCode !== null;
  const gone = isGone ? Promise.resolve() : new Promise<void>((r) => child.once("exit", () => r()));
  killGroup(group, "SIGTERM");
  const force = setTimeout(() => killGroup(group, "SIGKILL"), STOP_GRACE_MS);
  await gone;
  clearTimeout(force);
  // Whatever of it did not end with the first.
  killGroup(group, "SIGKILL");
}

export function killGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // It is gone already.
  }
}

/**
 * When a process was started, in ticks since the machine was: with its number, that names
 * it once and for all, since numbers are used again. `null` where it can't be told.
 */
export function startTimeOf(processId: number): string | null {
  try {
    const stat = readFileSync(`/proc/${processId}/stat`, "utf8");
    // The name of the program stands in brackets, and may hold anything.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

function passedOn(): Record<string, string> {
  const values = PASSED_ON.map((name) => [name, process.env[name]] as const);
  return Object.fromEntries(
    values.filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}
