/**
 * Every recorded OTLP body, sent over HTTP as it was recorded to a fresh monitor,
 * gives what `captures.expected.ts` says of it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../src/clock.ts";
import type { Agent, ErrorGroup, Place } from "../src/live/agents.ts";
import type { Monitor } from "../src/monitor.ts";
import { type ExpectedTotals, expectedCaptures, sequences } from "./captures.expected.ts";
import { sendCapture, startMonitor } from "./start-monitor.ts";

for (const { file, ...expected } of expectedCaptures) {
  test(file, async () => assert.deepEqual(await seen([file]), expected));
}
for (const { files, ...expected } of sequences) {
  test(`in order: ${files.join(", ")}`, async () => assert.deepEqual(await seen(files), expected));
  test(`reversed: ${files.join(", ")}`, async () =>
    assert.deepEqual(await seen([...files].reverse()), expected));
  test(`twice: ${files.join(", ")}`, async () =>
    assert.deepEqual(await seen([...files, ...files]), expected));
}

/** Sends the bodies to a fresh monitor, stops it, and tells what it saw. */
async function seen(files: readonly string[]): Promise<ExpectedTotals> {
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
  return totals(monitor);
}

function totals({ state }: Monitor): ExpectedTotals {
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
  const places = agents.flatMap(({ placesInOrder }) => placesInOrder);
  return Object.fromEntries(
    places.filter((place) => place.kind === kind).map(({ path, run }) => [path, run.calls]),
  );
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
