/**
 * Very many spans out of the recorded bodies: each copy with new ids, later, longer or shorter,
 * and of one of a few agents. As a file of Parquet, and as what the monitor counts of them.
 */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadDuckDb, quoteText } from "../../src/history/duckdb.ts";
import { OpenTraces } from "../../src/ingest/otlp/open-traces.ts";
import type { AgentSpan } from "../../src/signals/span.ts";
import { PendingSummaries } from "../../src/summaries/pending-summaries.ts";
import type { RecordedBody } from "./recorded-spans.ts";

const AGENTS = 5;
/** All copies begin within this, however many there are. */
const SPREAD_NANO = 200n * 60_000_000_000n;

export type Copies = {
  readonly bodies: readonly RecordedBody[];
  readonly copies: number;
};

export function copiesFor(bodies: readonly RecordedBody[], spans: number): Copies {
  const each = bodies.reduce((sum, { rows }) => sum + rows.length, 0);
  return { bodies, copies: Math.ceil(spans / each) };
}

export function firstNano(rows: RecordedBody["rows"]): bigint {
  // As long as one another, so they are in order as texts, too.
  return BigInt(rows.map(({ start_nano }) => start_nano).sort()[0] ?? 0);
}

const agentOf = (copy: number) => `agent-${copy % AGENTS}`;
/** Tenths of the time that was recorded. */
const stretchOf = (copy: number) => 5 + (copy % 21);
const stepOf = (copies: number) => SPREAD_NANO / BigInt(copies);

/** As a table of spans in layout v1. */
export async function writeManySpans(path: string, { bodies, copies }: Copies): Promise<void> {
  const rows = bodies.flatMap(({ rows }) => {
    const base = String(firstNano(rows));
    return rows.map((row) => JSON.stringify({ ...row, base_nano: base }));
  });
  const recorded = join(dirname(path), "recorded.json");
  writeFileSync(recorded, rows.join("\n"));
  const duckDb = await loadDuckDb();
  const instance = await duckDb.DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const keyed = (json: string) =>
    `map_from_entries(list_transform(json_keys(${json}), k -> {'k': k, 'v': json_extract_string(${json}, '$."' || k || '"')}))`;
  const moved = (nano: string) =>
    `base_nano + copy * ${stepOf(copies)} + (${nano} - base_nano) * (5 + copy % 21) // 10`;
  const text =
    "trace_id, span_id, parent_span_id, name, kind, status_code, status_message, attributes";
  const types = [
    ...text.split(", ").map((name) => `${name}: 'VARCHAR'`),
    "flags: 'INTEGER', start_nano: 'BIGINT', end_nano: 'BIGINT', base_nano: 'BIGINT'",
    "events: 'STRUCT(name VARCHAR, attributes VARCHAR)[]'",
  ];
  try {
    await connection.run(`CREATE TABLE recorded AS SELECT *, ${keyed("attributes")} AS told,
      list_transform(events, e -> {'name': e.name, 'attributes': ${keyed("e.attributes")}}) AS told_events
      FROM read_json(${quoteText(recorded)}, format = 'newline_delimited', columns = {${types.join(", ")}})`);
    await connection.run(`COPY (
      SELECT printf('%08x', copy) || substr(trace_id, 9) AS trace_id, span_id, parent_span_id, flags, name, kind,
        ${moved("start_nano")} AS start_time_unix_nano, ${moved("end_nano")} AS end_time_unix_nano,
        {'message': status_message, 'code': status_code} AS status, told AS attributes,
        {'attributes': MAP {'service.name': 'agent-' || (copy % ${AGENTS})}} AS resource, told_events AS events
      FROM recorded CROSS JOIN (SELECT unnest(range(${copies})) AS copy)
    ) TO ${quoteText(path)} (FORMAT PARQUET)`);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** What the monitor counts of them, which takes them in copy by copy, as time goes by. */
export function summariesOfMany({ bodies, copies }: Copies): PendingSummaries {
  const recorded = bodies.flatMap(({ rows, spans }) => {
    const base = firstNano(rows);
    const nanos = new Map(rows.map((row) => [`${row.trace_id} ${row.span_id}`, row]));
    return spans.map((span) => {
      const row = nanos.get(`${span.traceId} ${span.spanId}`);
      if (!row) throw new Error(`no row of span ${span.spanId}`);
      return { span, base, start: BigInt(row.start_nano) - base, end: BigInt(row.end_nano) - base };
    });
  });
  const open = new OpenTraces();
  const pending = new PendingSummaries();
  let nowMs = 0;
  const count = (keys: readonly string[]) =>
    pending.add({ traces: open.close(keys), logged: [] }, nowMs, (name) => name);
  for (let copy = 0; copy < copies; copy++) {
    const prefix = copy.toString(16).padStart(8, "0");
    const stretch = BigInt(stretchOf(copy));
    const later = BigInt(copy) * stepOf(copies);
    const spans = recorded.map(({ span, base, start, end }): AgentSpan => {
      const endMs = Number(base + later + (end * stretch) / 10n) / 1e6;
      nowMs = Math.max(nowMs, endMs);
      return {
        ...span,
        traceId: `${prefix}${span.traceId.slice(8)}`,
        endpoint: agentOf(copy),
        startMs: Number(base + later + (start * stretch) / 10n) / 1e6,
        endMs,
      };
    });
    open.add(spans, nowMs);
    count(open.due(nowMs));
  }
  count(open.all());
  return pending;
}
