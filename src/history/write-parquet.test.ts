/** What is handed to DuckDB as numbers comes out of the file as the texts and times that it stood for. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { nothingHappened } from "../signals/happened.ts";
import type { Sample } from "../signals/sample.ts";
import { connect, type DuckDBConnection, type DuckDb, loadDuckDb, quoteText } from "./duckdb.ts";
import { readStats } from "./parquet-file.ts";
import { PendingRows } from "./pending-rows.ts";
import { eventIdOfRow, type HistoryRow, rowsOf } from "./rows.ts";
import { tables } from "./tables.ts";
import { writeParquet } from "./write-parquet.ts";

const ROWS = 1_500;
const startMs = Date.UTC(2026, 10, 26, 23, 59, 58);

let directory = "";
let duckDb: DuckDb;
let connection: DuckDBConnection;
before(async () => {
  directory = mkdtempSync(join(tmpdir(), "parquet-"));
  duckDb = await loadDuckDb();
  connection = await connect(duckDb, { threads: 1, temporaryDirectory: join(directory, "tmp") });
});
after(() => {
  connection.closeSync();
  rmSync(directory, { recursive: true });
});

/** @param fractionMs of every third time. @param zones besides the one of each series. */
function samples(
  count: number,
  series: number,
  fractionMs = 0,
  zones: readonly string[] = [],
): HistoryRow[] {
  const told = Array.from(
    { length: count },
    (_, at): Sample => ({
      name: "cpu",
      kind: "gauge",
      endpoint: `agent-${at % series}`,
      labels: at % 2 === 0 ? { zone: zones[at % series] ?? `it's "${at % series}"` } : {},
      value: at / 3,
      timeMs: startMs + at * 7 + (at % 3 === 0 ? fractionMs : 0),
    }),
  );
  const versionsOf = () => ({ called: null, served: "3" });
  return rowsOf({ ...nothingHappened, samples: told }, { workspaceId: "local", versionsOf });
}

function valuesOf(row: HistoryRow) {
  if (!("series" in row)) return row.values;
  const { workspaceId, endpoint, modelVersion, source, name, kind, labels } = row.series;
  const told = [workspaceId, endpoint, modelVersion, source, name, kind, row.value, labels];
  return [eventIdOfRow(row), row.timeMs, ...told];
}

const request = (at: number, release = `v${at}`): HistoryRow => ({
  table: "metrics",
  values: [
    `${String(at).padStart(32, "a")}:bbbb/request_latency_ms`,
    startMs + at * 7 + 0.123,
    ...["local", "qa", release, "traces", "request_latency_ms", "latency", at, { program: "QA" }],
  ],
});

/** Half a character is U+FFFD. */
function wholeJson(value: unknown): string {
  return JSON.stringify(value, (_, part) =>
    typeof part === "string" ? part.toWellFormed() : part,
  );
}

for (const [what, rows] of [
  ["few rows", samples(20, 3)],
  ["many rows of few series", samples(ROWS, 7)],
  ["many rows of one series", samples(ROWS, 1)],
  ["many rows, some of whose times have fractions", samples(ROWS, 7, 0.25)],
  ["as many series as rows", samples(ROWS, ROWS)],
  [
    "many rows of texts that can't stand in a statement",
    [
      ...samples(ROWS, 7, 0, ["a\u0000b", "\ud800", "\udfff", "\\udfff"]),
      ...Array.from({ length: 900 }, (_, at) => request(at, "one\u0000text")),
    ],
  ],
  [
    "rows of series among others",
    [...samples(ROWS, 7), ...Array.from({ length: 900 }, (_, at) => request(at))],
  ],
  [
    "rows of series after very many others",
    [...Array.from({ length: ROWS }, (_, at) => request(at)), ...samples(900, 7)],
  ],
] as const) {
  test(what, async () => {
    const pending = new PendingRows();
    for (const row of rows) pending.add(row, 1);
    const [table] = pending.tables();
    assert.ok(table);
    const path = join(directory, `${what}.parquet`);
    const stats = await writeParquet(table, { path, tableId: "t" }, { duckDb, connection });
    const read = await connection.runAndReadAll(
      `SELECT event_id, epoch_us(timestamp), workspace_id, endpoint_name, model_version, source, metric_name, metric_type, value,
         to_json(labels), CAST(event_date AS VARCHAR) FROM read_parquet(${quoteText(path)})`,
    );
    assert.equal(stats.rows, rows.length);
    const relation = `read_parquet(${quoteText(path)})`;
    assert.deepEqual(stats, await readStats(tables.metrics.columns, relation, connection));
    // Rows of a file are in no order.
    const inOrder = (written: readonly unknown[][]) =>
      written.map((row) => JSON.stringify(row)).sort();
    const found = inOrder(read.getRowsJson());
    const expected = inOrder(
      rows.map((row) => {
        const [id, timeMs, ...others] = valuesOf(row);
        const labels = others.pop();
        const day = new Date(Number(timeMs)).toISOString().slice(0, 10);
        return [id, String(Math.round(Number(timeMs) * 1000)), ...others, wholeJson(labels), day];
      }),
    );
    const at = found.findIndex((row, index) => row !== expected[index]);
    assert.deepEqual([found.length, found[at]], [expected.length, expected[at]]);
  });
}

test("the id of a sample is that of its series and its time, whatever the order of labels", () => {
  const sample = { name: "cpu", kind: "gauge", endpoint: "qa", value: 1, timeMs: startMs } as const;
  const idOf = (labels: Readonly<Record<string, string>>, timeMs: number) =>
    rowsOf(
      { ...nothingHappened, samples: [{ ...sample, labels, timeMs }] },
      { workspaceId: "local" },
    ).map(eventIdOfRow)[0];
  assert.equal(idOf({ a: "1", b: "2" }, startMs), idOf({ b: "2", a: "1" }, startMs));
  assert.match(String(idOf({ a: "1" }, startMs)), /^[0-9a-f]{32}\/\d{13}$/);
  const different = [
    idOf({ a: "1" }, startMs),
    idOf({ a: "2" }, startMs),
    idOf({ a: "1" }, startMs + 1),
  ];
  assert.equal(new Set(different).size, 3);
});
