/** What a monitor makes of recorded OTLP bodies, in the words of `captures.expected.ts`. */
import assert from "node:assert/strict";
import { systemClock } from "../src/clock.ts";
import type { Agent } from "../src/live/agents.ts";
import type { ErrorGroup } from "../src/live/error-groups.ts";
import type { Place } from "../src/live/places.ts";
import type { Monitor } from "../src/monitor/monitor.ts";
import type { ExpectedTotals } from "./captures.expected.ts";
import { sendCapture, startMonitor } from "./start-monitor.ts";

/** Sends the bodies to a fresh monitor and stops it. Its state can still be read. */
export async function monitorAfter(files: readonly string[]): Promise<Monitor> {
  // Without timers, so that no trace closes before the last body was sent.
  const { monitor, url, close } = await startMonitor({
    clock: { ...systemClock, every: () => () => {} },
  });
  for (const file of files) {
    const response = await sendCapture(url, file);
    assert.equal(response.status, 200, await response.text());
  }
  await close();
  const dropped = [...monitor.state.dropped.keys()];
  assert.deepEqual(
    dropped.filter((reason) => reason !== "duplicate_span"),
    [],
  );
  return monitor;
}

export function totals({ state }: Monitor): ExpectedTotals {
  const agents = state.agents.all();
  const requests = agents.flatMap(({ recent }) => recent.map(({ request }) => request));
  const [agent] = agents.filter(({ run }) => run.calls > 0);
  return {
    requests: requests.length,
    failed: requests.filter(({ errorClass }) => errorClass !== null).length,
    incomplete: requests.filter(({ incomplete }) => incomplete).length,
    endpoint: agent?.endpoint ?? "none",
    programs: countBy(requests.map(({ program }) => program)),
    moduleCalls: callsOf(agents, "module"),
    retrieverCalls: callsOf(agents, "retriever"),
    toolCalls: callsOf(agents, "tool"),
    lmCalls: agents
      .flatMap(({ models }) => [...models.values()])
      .reduce((n, { run }) => n + run.calls, 0),
    tokens: agent?.run.tokens ?? null,
    toldCostUsd: rounded(agent?.run.cost.toldUsd ?? null),
    cacheHits: agent?.run.cacheHits ?? null,
    errors: agents.flatMap(({ groups }) => [...groups.values()]).flatMap(errorsOf),
  };
}

function callsOf(agents: readonly Agent[], kind: Place["kind"]): Record<string, number> {
  const calls: Record<string, number> = {};
  for (const { places } of agents) {
    for (const place of places.inOrder) {
      if (place.kind === kind) calls[place.path] = (calls[place.path] ?? 0) + place.run.calls;
    }
  }
  return calls;
}

function errorsOf({ last, run }: ErrorGroup): ExpectedTotals["errors"] {
  const { type, errorClass, path } = last as { errorClass: "tool" } & typeof last;
  return Array.from({ length: run.count }, (_, index) => ({
    type,
    errorClass,
    handled: index < run.handled,
    path,
  }));
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function rounded(costUsd: number | null): number | null {
  return costUsd === null ? null : Math.round(costUsd * 1e9) / 1e9;
}
