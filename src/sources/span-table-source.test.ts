/**
 * Spans in tables of the local workspace, whose SQL reads real tables: whatever the layout
 * of the table, they are those that OTLP would have brought, and no prompt is asked for.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { createDatabricksClient } from "../databricks/client.ts";
import { Secret } from "../databricks/secret.ts";
import { agentAttributes } from "../ingest/otlp/agent-attributes.ts";
import { toAgentSpan } from "../ingest/otlp/agent-span.ts";
import { decodeTracesProtobuf } from "../ingest/otlp/decode-protobuf.ts";
import type { AttributeValue, OtlpSpan } from "../ingest/otlp/otlp-span.ts";
import { quoteString } from "../local-workspace/sql/tokens.ts";
import { WAREHOUSE_ID } from "../local-workspace/sql/warehouse.ts";
import { openTestWorkspace } from "../local-workspace/test-workspace.ts";
import type { AgentSpan } from "../signals/span.ts";
import { startSpanTableSource } from "./span-table-source.ts";
import { createWarehouse } from "./warehouse.ts";

const HOST = "https://dbc.cloud.databricks.com";
const MINUTE_MS = 60_000;
const PROMPT = "what the customer asked";

const workspace = openTestWorkspace({ principals: ["reader"] });
after(() => workspace.close());
const { clock } = workspace;

async function sql(statement: string): Promise<void> {
  const { body } = await workspace.ask("POST /api/2.0/sql/statements", {
    statement,
    warehouse_id: WAREHOUSE_ID,
  });
  assert.equal(body.status.state, "SUCCEEDED", JSON.stringify(body.status));
}

// ─── Recorded spans as rows ─────────────────────────────────────────────────

/** One of each convention, and failures. */
const captures = [
  "callback-rag-0001",
  "callback-err-429-retry-ok-0043",
  "callback-stream-cached-0037",
  "openinference-litellm-rag-0001",
  "mlflow-genai-err-429-0056",
  "mlflow-genai-pipeline-0033",
  "mlflow-otlp-rag-0001",
];

function recorded(name: string): OtlpSpan[] {
  const url = new URL(`../../fixtures/telemetry/captures/${name}.otlp.pb`, import.meta.url);
  const copy = (span: OtlpSpan): OtlpSpan => ({
    ...span,
    attributes: [...span.attributes],
    resource: [...span.resource],
  });
  return [...decodeTracesProtobuf(readFileSync(url), { keys: agentAttributes, read: copy }).spans];
}

/** As if it had ended some minutes ago. */
function atMinutesAgo(spans: readonly OtlpSpan[], minutes: number): OtlpSpan[] {
  const endMs = Math.max(...spans.map((span) => span.endMs));
  const laterMs = clock.now() - minutes * MINUTE_MS - Math.ceil(endMs);
  return spans.map((span) => ({
    ...span,
    startMs: span.startMs + laterMs,
    endMs: span.endMs + laterMs,
  }));
}

const nano = (ms: number) =>
  `${BigInt(Math.floor(ms)) * 1_000_000n + BigInt(Math.round((ms % 1) * 1e6))}`;

const keys = [...agentAttributes.places.keys()];

function entries(values: readonly (AttributeValue | undefined)[]): [string, AttributeValue][] {
  return values.flatMap((value, place): [string, AttributeValue][] => {
    const key = keys[place];
    return value === undefined || key === undefined ? [] : [[key, value]];
  });
}

const textOf = (value: AttributeValue) =>
  typeof value === "string" ? value : JSON.stringify(value);
const map = (pairs: readonly (readonly [string, AttributeValue])[]) =>
  `map(${pairs.flatMap(([key, value]) => [quoteString(key), quoteString(textOf(value))]).join(", ")})`;
const variant = (pairs: readonly (readonly [string, AttributeValue])[]) =>
  `parse_json(${quoteString(JSON.stringify(Object.fromEntries(pairs)))})`;

type Written = {
  readonly attributes: [string, AttributeValue][];
  readonly resource: [string, AttributeValue][];
  readonly events: { name: string; attributes: [string, AttributeValue][] }[];
};

function written({ attributes, resource, exceptions }: OtlpSpan): Written {
  return {
    attributes: [...entries(attributes), ["input.value", PROMPT], ["mlflow.spanInputs", PROMPT]],
    resource: entries(resource),
    events: [
      { name: "log", attributes: [["message", PROMPT]] },
      ...exceptions.map(({ type, message }) => ({
        name: "exception",
        attributes: [
          ["exception.type", type],
          ["exception.message", message],
          ["exception.stacktrace", PROMPT],
        ] satisfies [string, string][],
      })),
    ],
  };
}

type Layout = { readonly columns: string; readonly row: (span: OtlpSpan) => string };

const id = (value: string | null) => (value === null ? "NULL" : quoteString(value));
const flags = ({ parentIsRemote }: OtlpSpan) => (parentIsRemote ? 0x300 : 0x101);
const events = (all: Written["events"], attributes: typeof map) =>
  `array(${all.map((event) => `named_struct('time_unix_nano', 0L, 'name', ${quoteString(event.name)}, 'attributes', ${attributes(event.attributes)})`).join(", ")})`;

const layouts: Readonly<Record<"v1" | "v2" | "renamed", Layout>> = {
  v1: {
    columns: `trace_id STRING, span_id STRING, trace_state STRING, parent_span_id STRING, flags INT, name STRING, kind STRING,
      start_time_unix_nano BIGINT, end_time_unix_nano BIGINT, attributes MAP<STRING, STRING>,
      events ARRAY<STRUCT<time_unix_nano: BIGINT, name: STRING, attributes: MAP<STRING, STRING>>>,
      status STRUCT<message: STRING, code: STRING>, resource STRUCT<attributes: MAP<STRING, STRING>, dropped_attributes_count: INT>`,
    row(span) {
      const { attributes, resource, events: all } = written(span);
      return `SELECT ${id(span.traceId)}, ${id(span.spanId)}, '', ${id(span.parentSpanId)}, ${flags(span)}, ${quoteString(span.name)},
        '${["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT"][span.kind]}', ${nano(span.startMs)}, ${nano(span.endMs)}, ${map(attributes)}, ${events(all, map)},
        named_struct('message', ${quoteString(span.statusMessage)}, 'code', '${["UNSET", "OK", "ERROR"][span.statusCode]}'),
        named_struct('attributes', ${map(resource)}, 'dropped_attributes_count', 0)`;
    },
  },
  v2: {
    columns: `record_id STRING, time TIMESTAMP, date DATE, service_name STRING, trace_id STRING, span_id STRING, trace_state STRING,
      parent_span_id STRING, flags INT, name STRING, kind STRING, start_time_unix_nano BIGINT, end_time_unix_nano BIGINT,
      attributes VARIANT, events ARRAY<STRUCT<time_unix_nano: BIGINT, name: STRING, attributes: VARIANT>>,
      status STRUCT<message: STRING, code: STRING>, resource STRUCT<attributes: VARIANT, dropped_attributes_count: INT>`,
    row(span) {
      const { attributes, resource, events: all } = written(span);
      const service = resource.find(([key]) => key === "service.name")?.[1] ?? null;
      const startMs = Math.floor(span.startMs);
      return `SELECT 'r', timestamp_millis(${startMs}), CAST(timestamp_millis(${startMs}) AS DATE), ${id(service === null ? null : textOf(service))}, ${id(span.traceId)}, ${id(span.spanId)}, '',
        ${id(span.parentSpanId ?? "")}, ${flags(span)}, ${quoteString(span.name)}, 'SPAN_KIND_${["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT"][span.kind]}',
        ${nano(span.startMs)}, ${nano(span.endMs)}, ${variant(attributes)}, ${events(all, variant)},
        named_struct('message', ${quoteString(span.statusMessage)}, 'code', 'STATUS_CODE_${["UNSET", "OK", "ERROR"][span.statusCode]}'),
        named_struct('attributes', ${variant(resource)}, 'dropped_attributes_count', 0)`;
    },
  },
  renamed: {
    columns: `TraceId STRING, SpanId STRING, parent_id STRING, flags BIGINT, span_name STRING, span_kind INT,
      start_time_ns BIGINT, end_time_ns BIGINT, span_attributes MAP<STRING, STRING>, resource_attributes MAP<STRING, STRING>,
      events ARRAY<STRUCT<name: STRING, attributes: MAP<STRING, STRING>, time_unix_nano: BIGINT>>, status_code INT, status_message STRING`,
    row(span) {
      const { attributes, resource, events: all } = written(span);
      const renamed = all.map(
        (event) =>
          `named_struct('name', ${quoteString(event.name)}, 'attributes', ${map(event.attributes)}, 'time_unix_nano', 0L)`,
      );
      return `SELECT ${id(span.traceId)}, ${id(span.spanId)}, ${id(span.parentSpanId)}, ${flags(span)}, ${quoteString(span.name)}, ${span.kind},
        ${nano(span.startMs)}, ${nano(span.endMs)}, ${map(attributes)}, ${map(resource)}, array(${renamed.join(", ")}), ${span.statusCode}, ${quoteString(span.statusMessage)}`;
    },
  },
};

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
  const statements: { readonly statement: string; readonly query_tags: unknown }[] = [];
  const calls: string[] = [];
  const client = createDatabricksClient({
    credentials: {
      host: HOST,
      signIn: { kind: "token", token: new Secret("dapi-canary") },
      source: "environment",
    },
    fetch: (url, { method = "GET", body }) => {
      const path = url.slice(HOST.length);
      calls.push(`${method} ${path}`);
      if (typeof body === "string") statements.push(JSON.parse(body));
      return workspace.request(path, {
        method,
        ...(typeof body === "string" ? { body } : {}),
        ...(as === undefined ? {} : { as }),
      });
    },
    clock,
    random: () => 0,
  });
  let pending = () => {};
  let ended = () => {};
  const nextEnd = () => new Promise<void>((resolve) => (ended = resolve));
  const first = nextEnd();
  const source = startSpanTableSource({
    client,
    warehouse: createWarehouse({ client, warehouseId: WAREHOUSE_ID, clock }),
    tables: tables.map((name) => ["main", "traces", name] as const),
    clock: {
      ...clock,
      after(_delayMs, run) {
        pending = run;
        ended();
        return () => {};
      },
    },
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
    first,
    source,
    spans,
    dropped,
    problems,
    statements,
    calls,
    async look(minutesLater = 1) {
      await clock.advance(minutesLater * MINUTE_MS);
      const end = nextEnd();
      pending();
      await end;
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
    for (const { statement, query_tags } of watched.statements) {
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
