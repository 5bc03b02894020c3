/**
 * Spans in tables of the local workspace, whose SQL reads real tables: whatever the layout
 * of the table, they are those that OTLP would have brought, and no prompt is asked for.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { lookingByHand, MINUTE_MS, openTableWorkspace } from "../../test/table-workspace.ts";
import { toAgentSpan } from "../ingest/otlp/agent-span.ts";
import type { OtlpSpan } from "../ingest/otlp/otlp-span.ts";
import { WAREHOUSE_ID } from "../local-workspace/sql/warehouse.ts";
import type { AgentSpan } from "../signals/span.ts";
import { startSpanTableSource } from "./span-table-source.ts";
import { captures, endingAt, layouts, PROMPT, recorded } from "./test-span-tables.ts";
import { createWarehouse } from "./warehouse.ts";

const { workspace, clock, sql, clientAs } = openTableWorkspace(["reader"]);
after(() => workspace.close());

/** As if it had ended some minutes ago. */
const atMinutesAgo = (spans: readonly OtlpSpan[], minutes: number) =>
  endingAt(spans, clock.now() - minutes * MINUTE_MS);

async function createSpanTable(layout: keyof typeof layouts, name: string): Promise<void> {
  await sql("CREATE SCHEMA IF NOT EXISTS main.traces");
  await sql(`CREATE OR REPLACE TABLE main.traces.${name} (${layouts[layout].columns})`);
}

async function insert(layout: keyof typeof layouts, name: string, spans: readonly OtlpSpan[]) {
  const rows = spans.map(layouts[layout].row);
  await sql(`INSERT INTO main.traces.${name} ${rows.join("\nUNION ALL ")}`);
}

// ─── The source ─────────────────────────────────────────────────────────────

function watch(tables: readonly string[], { as }: { readonly as?: string } = {}) {
  const spans: AgentSpan[] = [];
  const dropped = new Map<string, number>();
  const problems: string[] = [];
  const { client, calls, bodies } = clientAs(as);
  const byHand = lookingByHand(clock);
  const source = startSpanTableSource({
    client,
    warehouse: createWarehouse({ client, warehouseId: WAREHOUSE_ID, clock }),
    tables: tables.map((name) => ["main", "traces", name] as const),
    clock: byHand.clock,
    intervalMs: MINUTE_MS,
    fromMs: clock.now() - 60 * MINUTE_MS,
    async onSpans(batch) {
      spans.push(...batch.spans);
      for (const [reason, count] of batch.dropped) {
        dropped.set(reason, (dropped.get(reason) ?? 0) + count);
      }
    },
    onProblem: ({ error }) => problems.push(error instanceof Error ? error.message : "unknown"),
  });
  return {
    first: byHand.first,
    source,
    spans,
    dropped,
    problems,
    statements: () =>
      bodies.map((body): { statement: string; query_tags: unknown } => JSON.parse(body)),
    calls,
    async look(minutesLater = 1) {
      await clock.advance(minutesLater * MINUTE_MS);
      await byHand.look();
    },
    message: () => source.status().map(({ state, message }) => `${state}: ${message}`),
  };
}

const inOrder = (spans: readonly AgentSpan[]) =>
  spans.toSorted((a, b) => (`${a.traceId}${a.spanId}` < `${b.traceId}${b.spanId}` ? -1 : 1));

for (const layout of ["v1", "v2", "renamed"] as const) {
  test(`a table of layout ${layout} gives the spans that OTLP gives, and its prompts stay there`, async () => {
    const name = `${layout}_otel_spans`;
    await createSpanTable(layout, name);
    const spans = captures.flatMap((capture, index) => atMinutesAgo(recorded(capture), 3 + index));
    await insert(layout, name, spans);
    const watched = watch([name]);
    await watched.first;
    assert.deepEqual(watched.message(), ["ok: Reads 1 table."]);
    assert.deepEqual(inOrder(watched.spans), inOrder(spans.map(toAgentSpan)));

    await watched.look();
    await watched.look(30);
    assert.equal(watched.spans.length, spans.length, "what was read is not delivered again");
    assert.deepEqual([...watched.dropped], []);
    assert.ok(!JSON.stringify(watched.spans).includes(PROMPT));
    for (const { statement, query_tags } of watched.statements()) {
      assert.doesNotMatch(statement, /input\.value|spanInputs|stacktrace|SELECT \* FROM main/);
      assert.deepEqual(query_tags, [
        { key: "application", value: "dspy-databricks-agents" },
        { key: "purpose", value: "span-tables" },
      ]);
    }
    assert.deepEqual(
      watched.calls.filter((call) => /invocations|\/start/.test(call)),
      [],
    );
    await watched.source.close();
  });
}

test("a trace waits for its root, and goes without one after ten minutes", async () => {
  await createSpanTable("v2", "parts");
  const spans = atMinutesAgo(recorded("callback-rag-0001"), 0);
  const children = spans.filter(({ parentSpanId }) => parentSpanId !== null);
  const root = spans.filter(({ parentSpanId }) => parentSpanId === null);
  await insert("v2", "parts", children);
  const { first, spans: seen, look, source } = watch(["parts"]);
  await first;
  assert.equal(seen.length, 0);
  await look(5);
  assert.equal(seen.length, 0);
  await insert("v2", "parts", root);
  await look();
  assert.equal(seen.length, spans.length);

  const orphans = atMinutesAgo(recorded("callback-react-0011"), 0).filter(
    ({ parentSpanId }) => parentSpanId !== null,
  );
  await insert("v2", "parts", orphans);
  await look();
  await look(9);
  assert.equal(seen.length, spans.length);
  await look();
  assert.equal(seen.length, spans.length + orphans.length);
  await source.close();
});

test("rows that are no spans are counted once, and hold up nothing", async () => {
  await createSpanTable("v1", "odd");
  const spans = atMinutesAgo(recorded("callback-rag-0001"), 2);
  const [span] = spans;
  assert.ok(span);
  await insert("v1", "odd", [
    ...spans,
    { ...span, traceId: "none" },
    { ...span, spanId: "b".repeat(16), endMs: span.startMs - 1 },
  ]);
  const { first, spans: seen, look, dropped, source } = watch(["odd"]);
  await first;
  await look();
  assert.equal(seen.length, spans.length);
  assert.deepEqual([...dropped].sort(), [
    ["invalid_time", 1],
    ["invalid_trace_id", 1],
  ]);
  await source.close();
});

test("a table that may not be read, is not there or holds no spans is told, and the others are read", async () => {
  await sql("CREATE OR REPLACE TABLE main.traces.other (id INT)");
  await createSpanTable("v1", "open");
  const spans = atMinutesAgo(recorded("callback-rag-0001"), 2);
  await insert("v1", "open", spans);
  for (const [type, name, privilege] of [
    ["catalog", "main", "USE_CATALOG"],
    ["schema", "main.traces", "USE_SCHEMA"],
    ["table", "main.traces.open", "SELECT"],
    ["table", "main.traces.other", "SELECT"],
  ]) {
    await workspace.ask(`PATCH /api/2.1/unity-catalog/permissions/${type}/${name}`, {
      changes: [{ principal: "reader", add: [privilege] }],
    });
  }
  await workspace.ask(`PATCH /api/2.0/permissions/warehouses/${WAREHOUSE_ID}`, {
    access_control_list: [{ user_name: "reader", permission_level: "CAN_USE" }],
  });
  const names = ["open", "other", "v1_otel_spans", "nowhere"];
  const { first, spans: seen, look, problems, message, source } = watch(names, { as: "reader" });
  await first;
  await look();
  assert.equal(seen.length, spans.length);
  assert.deepEqual(
    problems.map((problem) => problem.replace(/[\s\S]*table "?([\w.]+)"?[\s\S]*/, "$1")).sort(),
    ["main.traces.nowhere", "main.traces.other", "main.traces.v1_otel_spans"],
  );
  assert.match(message()[0] ?? "", /^ok: Reads 1 table\. .*has no column trace_id/);
  await source.close();
});
