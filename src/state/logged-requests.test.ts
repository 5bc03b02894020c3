/**
 * Requests that endpoints logged, read again and again by a source, beside the telemetry
 * of the same: whatever comes twice, late, out of order or in parts, each counts once.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { rowsOf } from "../history/rows.ts";
import { tables } from "../history/tables.ts";
import { spansOf } from "../ingest/otlp/test-spans.ts";
import { estimatedRequests, RECENT_MAX } from "../live/requests.ts";
import { LOGGED_MAX } from "../live/source-of-record.ts";
import type { LoggedRequest } from "../signals/logged-request.ts";
import { bodyOf, entryOf, type JournalEntry } from "./journal-entry.ts";
import { MonitorState } from "./monitor-state.ts";

const START_MS = 1_800_000_000_000;
const NOW_MS = START_MS + 3_600_000;

const traceIdOf = (index: number) => index.toString(16).padStart(32, "a");

function logged(index: number, more: Partial<LoggedRequest> = {}): LoggedRequest {
  return {
    requestId: `request-${index}`,
    traceId: null,
    endpoint: "qa",
    timeMs: START_MS + index * 1_000,
    latencyMs: 100 + index,
    statusCode: 200,
    errorClass: null,
    tokens: { input: 3, output: 1 },
    servedEntity: null,
    ...more,
  };
}

/** A journal of these entries, as a restart reads it. */
function fold(entries: readonly JournalEntry[]) {
  const state = new MonitorState();
  const happened = entries.map((entry) => state.apply(entryOf(bodyOf(entry)), NOW_MS));
  return { state, happened, counted: happened.flatMap((each) => each.logged) };
}

const read = (requests: readonly LoggedRequest[]): JournalEntry => ({
  kind: "requests",
  requests,
  dropped: {},
});

/** What telemetry tells of the same request: its root ends when the endpoint has answered. */
function told({ endpoint, timeMs, latencyMs }: LoggedRequest, index: number): JournalEntry[] {
  const traceId = traceIdOf(index);
  const spans = spansOf({ endpoint, traceId, startMs: timeMs - latencyMs, endMs: timeMs });
  return [
    { kind: "spans", spans, dropped: {} },
    { kind: "close", traceIds: [`${traceId} ${endpoint}`] },
  ];
}

function totals(state: MonitorState) {
  return state.agents
    .all()
    .map(({ endpoint, run, slices }) => {
      const { calls, failed } = slices.over(START_MS - 1000, NOW_MS, NOW_MS);
      const { tokens, failedByClass, latencyMs } = run;
      return {
        endpoint,
        calls: run.calls,
        inWindow: calls,
        failed: run.failed,
        failedInWindow: failed,
        tokens,
        failedByClass: Object.fromEntries([...failedByClass].sort()),
        latencyMs: latencyMs.percentiles(),
      };
    })
    .sort((a, b) => (a.endpoint < b.endpoint ? -1 : 1));
}

const request = fc.record({
  endpoint: fc.constantFrom("qa", "support"),
  timeMs: fc.integer({ min: START_MS, max: NOW_MS }),
  latencyMs: fc.integer({ min: 0, max: 10_000 }),
  errorClass: fc.constantFrom(null, "throttled", "client", "server" as const),
});

test("read in parts, twice, late or out of order, the totals are those of reading once", () => {
  const requests = fc
    .array(request, { minLength: 1, maxLength: 30 })
    .map((all) => all.map((more, index) => logged(index, more)));
  const reads = requests.chain((all) =>
    fc.tuple(
      fc.constant(all),
      fc.array(fc.shuffledSubarray(all), { maxLength: 6 }),
      fc.shuffledSubarray(all, { minLength: all.length }),
    ),
  );
  fc.assert(
    fc.property(reads, ([all, parts, rest]) => {
      const once = fold([read(all)]);
      const often = fold([...parts, rest].map(read));
      assert.deepEqual(totals(often.state), totals(once.state));
      assert.equal(often.counted.length, all.length);
      assert.equal(often.state.lastLoggedMs, once.state.lastLoggedMs);
    }),
  );
});

test("seen by telemetry and in the log, in whatever order, a request counts once", () => {
  const order = fc.array(request, { minLength: 1, maxLength: 20 }).chain((all) => {
    const requests = all.map((more, index) => logged(index, more));
    const both = requests.flatMap((each, index) => [
      { each, index, by: "log" },
      { each, index, by: "telemetry" },
    ]);
    return fc.tuple(fc.constant(requests), fc.shuffledSubarray(both, { minLength: both.length }));
  });
  fc.assert(
    fc.property(order, ([requests, seen]) => {
      const { state, counted } = fold(
        seen.flatMap(({ each, index, by }) => (by === "log" ? [read([each])] : told(each, index))),
      );
      const calls = totals(state).reduce((sum, agent) => sum + agent.calls, 0);
      assert.equal(calls, requests.length);
      assert.ok(counted.length <= requests.length);
    }),
  );
});

test("a caller's trace id tells a request from the next, where the clock of the agent is ahead", () => {
  const request = logged(1, { traceId: traceIdOf(1) });
  const early = { ...request, timeMs: request.timeMs - 500 };
  for (const entries of [
    [...told(request, 1), read([early])],
    [read([early]), ...told(request, 1)],
  ]) {
    assert.equal(fold(entries).state.agents.get("qa")?.run.calls, 1);
  }
});

test("what went on inside a request that the log counted is told by its telemetry", () => {
  const { state } = fold([read([logged(1)]), ...told(logged(1), 1)]);
  const agent = state.agents.get("qa");
  assert.deepEqual([agent?.run.calls, agent?.places.inOrder[0]?.run.calls], [1, 1]);
});

test("telemetry that begins takes over from the log, and the history has each request once", () => {
  const { counted, state } = fold([
    read([logged(1), logged(2)]),
    ...told(logged(3), 3),
    read([logged(1), logged(2), logged(3), logged(4)]),
    ...told(logged(4), 4),
  ]);
  assert.deepEqual(
    counted.map(({ requestId }) => requestId),
    ["request-1", "request-2"],
  );
  assert.equal(state.agents.get("qa")?.run.calls, 4);
});

test("the history says of a logged request what its endpoint saw", () => {
  const more = { statusCode: 503, errorClass: "server", servedEntity: "entity" } as const;
  const { happened } = fold([read([logged(1, more)])]);
  const rows = happened.flatMap((each) => rowsOf(each, { workspaceId: "ws" }));
  const named = rows.map((row) => {
    assert.ok("values" in row);
    const { table, values } = row;
    const columns = tables[table].columns.filter(({ name }) => name !== "event_date");
    assert.equal(columns.length, values.length, table);
    const { event_id: _, ...told } = Object.fromEntries(
      columns.map(({ name }, at) => [name, values[at]] as const),
    );
    return told;
  });
  const common = {
    timestamp: START_MS + 1_000,
    workspace_id: "ws",
    endpoint_name: "qa",
    model_version: null,
    source: "inference_table",
    labels: { served_entity: "entity" },
  };
  assert.deepEqual(named, [
    {
      ...common,
      request_id: "request-1",
      trace_id: null,
      status_code: 503,
      latency_ms: 101,
      first_token_ms: null,
      input_tokens: 3,
      output_tokens: 1,
      cost_usd: null,
      cache: "unknown",
      error_class: "server",
      release: null,
    },
    { ...common, metric_name: "request_latency_ms", metric_type: "latency", value: 101 },
  ]);
});

test("which source counts is still known when the oldest entries have left the journal", () => {
  const { state } = fold([read([logged(1), logged(5)]), ...told(logged(6), 6)]);
  const { state: later } = fold([
    state.carried(),
    ...told(logged(4), 4),
    read([logged(4), logged(7)]),
    ...told(logged(7), 7),
  ]);
  assert.equal(later.agents.get("qa")?.run.calls, 2);
});

test("a request that ends tomorrow does not keep telemetry from counting", () => {
  const tomorrow = read([logged(1, { timeMs: NOW_MS + 86_400_000 })]);
  const { state } = fold([tomorrow, tomorrow, ...told(logged(2), 2)]);
  assert.deepEqual([...state.dropped], [["logged_ahead_of_clock", 1]]);
  assert.equal(state.agents.get("qa")?.run.calls, 1);
});

test("more requests than are remembered are not counted twice either", () => {
  const many = Array.from({ length: LOGGED_MAX + 1 }, (_, index) => logged(index / 1000));
  const { state } = fold([read(many), read(many)]);
  assert.equal(state.agents.get("qa")?.run.calls, many.length);
});

test("of a sample it is told how many there were, until telemetry tells all", () => {
  const sample = [read([logged(1, { share: 0.1 }), logged(2, { share: 0.1 })])];
  const estimated = (entries: readonly JournalEntry[]) => {
    const agent = fold(entries).state.agents.get("qa");
    return agent && [agent.run.calls, estimatedRequests(agent, agent.run.calls)];
  };
  assert.deepEqual(estimated(sample), [2, 20]);
  assert.deepEqual(estimated([...sample, ...told(logged(3), 3)]), [3, null]);
  assert.deepEqual(estimated([read([logged(1)])]), [1, null]);
});

test("the last requests of a log are kept one by one, and no more", () => {
  const many = Array.from({ length: RECENT_MAX + 5 }, (_, index) => logged(index / 1000));
  const agent = fold([read(many)]).state.agents.get("qa");
  assert.equal(agent?.recentLogged.length, RECENT_MAX);
  assert.equal(agent?.recentLogged.at(-1)?.requestId, many.at(-1)?.requestId);
});
