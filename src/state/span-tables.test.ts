/**
 * Spans in a table that a source reads again and again, beside the same over OTLP:
 * whatever comes twice, late, in parts, after an outage or a restart, the totals are
 * those of reading everything once.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { clientThatAnswers } from "../databricks/test-answering-client.ts";
import { createTestClock, type TestClock } from "../databricks/test-clock.ts";
import { readSpans, type SpanRow } from "../ingest/span-table/read-spans.ts";
import { resourceKeys, spanKeys } from "../ingest/span-table/select-spans.ts";
import { SPAN_ROWS_MAX, startSpanTableSource } from "../sources/span-table-source.ts";
import { WIDE_LOOK_MS } from "../sources/table-source.ts";
import type { Warehouse } from "../sources/warehouse.ts";
import { MonitorState } from "./monitor-state.ts";

const START_MS = Date.UTC(2026, 0, 1);
const MINUTE_MS = 60_000;
/** Between two looks. */
const LOOK_MS = 5 * MINUTE_MS;
const PATH = ["main", "agents", "rag_otel_spans"] as const;

type Told = {
  /** When it began, after the start. */
  readonly atMs: number;
  readonly durationMs: number;
  readonly children: number;
  readonly failed: boolean;
  /** How long after its end the last of its rows, the root, is there. */
  readonly lateMs: number;
  /** How much earlier the rows of its children are there. */
  readonly earlierMs: number;
  readonly isTwice: boolean;
  readonly isOverOtlp: boolean;
};

type Stored = { readonly thereMs: number; readonly startMs: number; readonly row: SpanRow };

function rowOf(
  { durationMs, failed, atMs }: Told,
  { trace, span }: { readonly trace: number; readonly span: number },
): SpanRow {
  const isRoot = span === 0;
  const startMs = START_MS + atMs;
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0");
  const values: Readonly<Record<string, string>> = isRoot
    ? { "dspy.kind": "module", "dspy.program.class": "RagQA", "dspy.module.path": "self" }
    : {
        "dspy.kind": "lm",
        "gen_ai.request.model": "m",
        "gen_ai.usage.input_tokens": `${span + 1}`,
        "gen_ai.usage.output_tokens": "1",
      };
  return [
    "0",
    hex(trace + 1, 32),
    hex(trace * 16 + span + 1, 16),
    isRoot ? null : hex(trace * 16 + 1, 16),
    `${startMs}000000`,
    `${startMs + durationMs}000000`,
    isRoot ? "RagQA" : "LM",
    "1",
    "257",
    failed ? "ERROR" : "OK",
    failed ? "ValueError: no" : "",
    "rag",
    null,
    null,
    ...resourceKeys.map(() => null),
    ...spanKeys.map((key) => values[key] ?? null),
  ];
}

function rowsOf(traces: readonly Told[]): Stored[] {
  return traces.flatMap((told, trace) => {
    const endMs = START_MS + told.atMs + told.durationMs;
    const rows = Array.from({ length: told.children + 1 }, (_, span) => ({
      thereMs: endMs + told.lateMs - (span === 0 ? 0 : told.earlierMs),
      startMs: START_MS + told.atMs,
      row: rowOf(told, { trace, span }),
    }));
    const again = rows.map((row) => ({ ...row, thereMs: row.thereMs + 7 * MINUTE_MS }));
    return told.isTwice ? [...rows, ...again] : rows;
  });
}

/** A warehouse whose table holds what is there by the time of the clock. */
function warehouseOf(
  stored: readonly Stored[],
  clock: TestClock,
  isOut: () => boolean = () => false,
): Warehouse {
  const sorted = stored.toSorted((a, b) => a.startMs - b.startMs);
  return {
    async requireRunning() {
      if (isOut()) throw new Error("no answer");
    },
    async read(statement) {
      const [, fromMs = ""] = /`start_time_unix_nano` >= (\d+)000000\b/.exec(statement) ?? [];
      const [, rowsMax = ""] = /LIMIT (\d+)$/.exec(statement) ?? [];
      return sorted
        .filter(({ thereMs, startMs }) => thereMs <= clock.now() && startMs >= Number(fromMs))
        .slice(0, Number(rowsMax))
        .map(({ row }) => row);
    },
  };
}

function startSource(state: MonitorState, warehouse: Warehouse, clock: TestClock, fromMs: number) {
  const { client } = clientThatAnswers(() =>
    Response.json({
      full_name: PATH.join("."),
      columns: [
        ["trace_id", "string"],
        ["span_id", "string"],
        ["parent_span_id", "string"],
        ["name", "string"],
        ["start_time_unix_nano", "bigint"],
        ["end_time_unix_nano", "bigint"],
        ["attributes", "map<string,string>"],
      ].map(([name, type_text]) => ({ name, type_text })),
    }),
  );
  return startSpanTableSource({
    client,
    warehouse,
    tables: [PATH],
    clock,
    intervalMs: LOOK_MS,
    fromMs,
    async onSpans({ spans, dropped }) {
      state.apply({ kind: "spans", spans, dropped: Object.fromEntries(dropped) }, clock.now());
    },
    async onRead(upToMs) {
      state.apply({ kind: "read", source: "span-tables", upToMs }, clock.now());
    },
    onProblem: () => {},
  });
}

function closeDue(state: MonitorState, nowMs: number): void {
  state.apply({ kind: "close", traceIds: state.openTraces.due(nowMs) }, nowMs);
}

function totals(state: MonitorState) {
  state.apply({ kind: "close", traceIds: state.openTraces.all() }, START_MS + 86_400_000);
  return state.agents.all().map(({ endpoint, run, places, models }) => ({
    endpoint,
    calls: run.calls,
    failed: run.failed,
    tokens: run.tokens,
    latencyMs: run.latencyMs.percentiles(),
    modules: places.inOrder.map((place) => [place.path, place.run.calls]),
    models: [...models.values()].map(({ model, run }) => [model, run.calls, run.tokens]),
  }));
}

/** All rows at once, as if OTLP had brought them. */
function readOnce(traces: readonly Told[]) {
  const state = new MonitorState();
  const rows = traces.flatMap((told, trace) =>
    Array.from({ length: told.children + 1 }, (_, span) => rowOf(told, { trace, span })),
  );
  const { spans, dropped } = readSpans(rows, [{ path: PATH }]);
  assert.deepEqual(dropped, []);
  state.apply({ kind: "spans", spans, dropped: {} }, START_MS);
  return totals(state);
}

const told: fc.Arbitrary<Told> = fc.record({
  atMs: fc.integer({ min: 0, max: 40 * MINUTE_MS }),
  durationMs: fc.integer({ min: 0, max: 90_000 }),
  children: fc.integer({ min: 0, max: 3 }),
  failed: fc.boolean(),
  lateMs: fc.oneof(
    fc.integer({ min: 0, max: 20_000 }),
    fc.integer({ min: 0, max: 60 * MINUTE_MS }),
  ),
  earlierMs: fc.integer({ min: 0, max: 3 * MINUTE_MS }),
  isTwice: fc.boolean(),
  isOverOtlp: fc.boolean(),
});

test("whatever comes twice, late, in parts, after outages and restarts, the totals are those of reading once", async () => {
  const looks = 36;
  const some = fc.array(fc.integer({ min: 1, max: looks }), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(told, { minLength: 1, maxLength: 12 }),
      some,
      some,
      async (traces, outages, restarts) => {
        const clock = createTestClock({ startMs: START_MS });
        const state = new MonitorState();
        let look = 0;
        const isOut = () => outages.includes(look);
        const warehouse = warehouseOf(rowsOf(traces), clock, isOut);
        let source = startSource(state, warehouse, clock, START_MS - 60 * MINUTE_MS);
        for (; look < looks; look++) {
          for (const [trace, each] of traces.entries()) {
            const endMs = each.atMs + each.durationMs;
            if (!each.isOverOtlp || Math.floor(endMs / LOOK_MS) !== look) continue;
            const rows = Array.from({ length: each.children + 1 }, (_, span) =>
              rowOf(each, { trace, span }),
            );
            const { spans } = readSpans(rows, [{ path: PATH }]);
            state.apply({ kind: "spans", spans, dropped: {} }, clock.now());
          }
          if (restarts.includes(look)) {
            await source.close();
            const upToMs = state.readUpToMs.get("span-tables") ?? START_MS;
            source = startSource(state, warehouse, clock, upToMs - WIDE_LOOK_MS);
          }
          await clock.advance(LOOK_MS);
          closeDue(state, clock.now());
        }
        await source.close();
        assert.deepEqual(totals(state), readOnce(traces));
      },
    ),
    { numRuns: 30 },
  );
});

test("a backlog of several statements is read whole, no trace in parts", async () => {
  const traces = Array.from({ length: SPAN_ROWS_MAX }, (_, index): Told => {
    const atMs = index * 100;
    return {
      atMs,
      durationMs: 5_000,
      children: 2,
      failed: false,
      lateMs: 0,
      earlierMs: 0,
      isTwice: false,
      isOverOtlp: false,
    };
  });
  const clock = createTestClock({ startMs: START_MS + 120 * MINUTE_MS });
  const state = new MonitorState();
  const source = startSource(state, warehouseOf(rowsOf(traces), clock), clock, START_MS);
  for (let look = 0; look < 3; look++) {
    await clock.advance(LOOK_MS);
    closeDue(state, clock.now());
  }
  await source.close();
  const [agent] = totals(state);
  assert.deepEqual(
    [agent?.calls, agent?.tokens, [...state.dropped]],
    [traces.length, { input: 5 * traces.length, output: 2 * traces.length }, []],
  );
});
