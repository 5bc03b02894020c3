/** Runs `live-program.py` against a monitor of its own: what the monitor saw, and what was seen from outside. */
import assert from "node:assert/strict";
import type { Agent } from "../../src/live/agents.ts";
import { startMonitor } from "../start-monitor.ts";
import { runProgram } from "./run-program.ts";

const script = new URL("live-program.py", import.meta.url).pathname;
const python = new URL("../../python/", import.meta.url).pathname;

/** One request as the caller, the model and a counting callback saw it. */
export type Outside = {
  readonly name: string;
  /** The exception that the caller got. */
  readonly error: string | null;
  /** Calls begun. */
  readonly modelCalls: number;
  /** What reached the model: retries too. */
  readonly answered: number;
  /** Of answers whose usage was delivered. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
};

export type LiveRun = {
  readonly agent: Agent;
  readonly orphanSpans: number;
  readonly outside: readonly Outside[];
  /** Calls begun, such as `module Predict` or `tool look_up`. */
  readonly calls: Readonly<Record<string, number>>;
};

/** @param environment that `set-up.ts` made. */
export async function runLive(convention: string, environment: string): Promise<LiveRun> {
  const bin = new URL(`../../.peers/${environment}/bin/`, import.meta.url).pathname;
  const { monitor, url, close } = await startMonitor();
  const { code, output } = await runProgram(`${bin}python`, [script, convention, url], {
    env: { PYTHONPATH: `${python}src:${python}tests` },
  });
  await close();
  assert.equal(code, 0, output);
  const [agent, ...others] = monitor.state.agents.all();
  assert.ok(agent, output);
  assert.deepEqual(others, []);
  assert.deepEqual([...monitor.state.dropped.keys()], []);
  assert.equal(agent.endpoint, "qa");
  const linesOf = (word: string) => [...output.matchAll(RegExp(`^${word} (.*)$`, "gm"))];
  return {
    agent,
    orphanSpans: agent.loss.run.orphanSpans,
    outside: linesOf("LEDGER").map(([, line = ""]): Outside => JSON.parse(line)),
    calls: JSON.parse(linesOf("CALLS")[0]?.[1] ?? "{}"),
  };
}

export function sum(
  outside: readonly Outside[],
  what: "modelCalls" | "answered" | "inputTokens" | "outputTokens" | "cachedTokens",
): number {
  return outside.reduce((total, request) => total + request[what], 0);
}

/** Model calls that DSPy's cache answered: begun, and never seen by a model that was there. */
export function cacheHitsOf(outside: readonly Outside[]): number {
  const reachable = outside.filter(({ name }) => name !== "away" && name !== "retried");
  return sum(reachable, "modelCalls") - sum(reachable, "answered");
}

/** How often each class of error was told: `!` failed the request, `~` was survived. */
export function errorsOf({ groups }: Agent): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { first, run } of groups.values()) {
    for (const [mark, count] of [
      ["!", run.count - run.handled],
      ["~", run.handled],
    ] as const) {
      const key = `${mark} ${first.errorClass}`;
      if (count > 0) counts[key] = (counts[key] ?? 0) + count;
    }
  }
  return counts;
}

/** The class of the failure of each request that fails. */
const classOfCase: Readonly<Record<string, string>> = {
  "429": "lm_provider",
  "401": "lm_provider",
  "500": "lm_provider",
  context: "lm_context",
  "not-json": "lm_provider",
  away: "lm_provider",
  timeout: "timeout",
  unparsable: "adapter_parse",
  "stream-dropped": "lm_provider",
};

/** The requests that failed, by class, as their callers saw it. */
export function failuresOf(outside: readonly Outside[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { name, error } of outside) {
    if (error === null) continue;
    const key = `! ${classOfCase[name] ?? `${error} of ${name}`}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}
