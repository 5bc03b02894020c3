/**
 * Every column of every table, and what fills it: `table-columns.golden.txt` shows for each
 * source whether all of its rows have a value, some or none, with an example. The rows are made of
 * everything recorded, and of what the parts that make signals make. A column that nothing
 * fills fails, unless it is said here why. `UPDATE=1` writes the file anew.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { createTestClock } from "../src/databricks/test-clock.ts";
import { ErrorTracker } from "../src/errors/error-tracker.ts";
import { collectedRows } from "../src/export/delta/collected-rows.ts";
import { HealthCheckManager } from "../src/health/health-check-manager.ts";
import { eventIdOfRow, type HistoryRow } from "../src/history/rows.ts";
import { type Column, notNull, type TableName, tableNames, tables } from "../src/history/tables.ts";
import { measuredService, nowMs, recordedRows, workspaceId } from "./recorded-rows.ts";

/** Why nothing can fill it. */
const nothingFills: Readonly<Record<string, string>> = {
  "deployments.actor": "neither telemetry nor the list of endpoints tells who deployed",
};

type Row = Readonly<Record<string, unknown>>;

const golden = new URL("table-columns.golden.txt", import.meta.url);

// ─── Rows of every source ───────────────────────────────────────────────────

const metrics = measuredService();
after(() => metrics.close());

function monitorRows(): [TableName, Row][] {
  return recordedRows(metrics).map((each) => {
    const { table } = each;
    const values = valuesOf(each);
    const columns = tables[table].columns.filter(({ name }) => name !== "event_date");
    const row = Object.fromEntries(columns.map(({ name }, at) => [name, values[at]] as const));
    assert.equal(columns.length, values.length);
    const timestamp = new Date(Number(row.timestamp)).toISOString();
    return [table, { ...row, timestamp, event_date: timestamp.slice(0, 10) }];
  });
}

function valuesOf(row: HistoryRow): readonly unknown[] {
  if (!("series" in row)) return row.values;
  const { workspaceId, endpoint, modelVersion, source, name, kind, labels } = row.series;
  const told = [workspaceId, endpoint, modelVersion, source, name, kind, row.value, labels];
  return [eventIdOfRow(row), row.timeMs, ...told];
}

async function serviceRows(): Promise<[TableName, Row][]> {
  const health = new HealthCheckManager({ clock: createTestClock({ startMs: nowMs }) });
  health.registerCheck("index", async () => ({ name: "index", status: "healthy", message: "up" }));
  const errors = new ErrorTracker({ clock: createTestClock({ startMs: nowMs }) });
  const more = { modelVersion: "v2", context: { step: 3 } };
  errors.trackAgentError("qa", "timeout", "The answer took too long", more);
  const collected = collectedRows({
    collectorId: "c0ffee",
    workspaceId,
    nowMs,
    latencies: metrics.getHeldLatencies(),
    values: metrics.snapshot().series.filter((one) => one.kind !== "latency"),
    errors: errors.getRecentErrors().map((error) => ({ ...error, eventId: "tracker:1" })),
    components: (await health.runAllChecks()).components,
    requests: true,
  });
  return [...collected].flatMap(([table, text]) =>
    text
      .trimEnd()
      .split("\n")
      .map((line): [TableName, Row] => {
        const row = Object.entries(JSON.parse(line)).map(([name, value]) => {
          const type = tables[table].columns.find((column) => column.name === name)?.type;
          return [name, type === "MAP<STRING,STRING>" ? JSON.parse(String(value)) : value];
        });
        return [table, Object.fromEntries(row)];
      }),
  );
}

// ─── What fills a column ────────────────────────────────────────────────────

type Filled = { readonly every: boolean; readonly example: unknown };

function filledBy(rows: readonly Row[], name: string): Filled | null {
  const values = rows.map((row) => row[name] ?? null).filter((value) => value !== null);
  return values.length === 0
    ? null
    : { every: values.length === rows.length, example: values.find((value) => value !== "") };
}

const isOfType: Readonly<Record<Column["type"], (value: unknown) => boolean>> = {
  STRING: (value) => typeof value === "string",
  DATE: (value) => /^\d{4}-\d\d-\d\d$/.test(String(value)),
  TIMESTAMP: (value) => !Number.isNaN(Date.parse(String(value))),
  INT: Number.isInteger,
  BIGINT: Number.isInteger,
  DOUBLE: Number.isFinite,
  "MAP<STRING,STRING>": (value) =>
    typeof value === "object" && Object.values(value ?? {}).every((one) => typeof one === "string"),
};

function linesOf(table: TableName, bySource: ReadonlyMap<string, readonly Row[]>): string[] {
  return tables[table].columns.map(({ name }) => {
    const told = [...bySource].flatMap(([source, rows]) => {
      const filled = filledBy(rows, name);
      return filled ? [{ source, ...filled }] : [];
    });
    const isFilled = told.length > 0;
    const why = nothingFills[`${table}.${name}`];
    assert.equal(isFilled, why === undefined, `${table}.${name}: ${why ?? "nothing fills it"}`);
    const sources = told.map(({ source, every }) => (every ? source : `${source} (some)`));
    const example = JSON.stringify(told[0]?.example ?? null);
    const text = example.length > 60 ? `${example.slice(0, 59)}…` : example;
    const by = isFilled ? `${sources.join(", ")}: ${text}` : `nothing: ${why}`;
    return `  ${name.padEnd(15)} ${by}`;
  });
}

test("each column of each table has something that fills it, of its type", async () => {
  const all = [...monitorRows(), ...(await serviceRows())];

  const lines: string[] = [];
  for (const table of tableNames) {
    const rows = all.flatMap(([of, row]) => (of === table ? [row] : []));
    const bySource = Map.groupBy(rows, ({ source }) => String(source));
    for (const row of rows) {
      for (const { name, type } of tables[table].columns) {
        const value = row[name] ?? null;
        if (value === null) assert.ok(!notNull.has(name), `${table}.${name}`);
        else assert.ok(isOfType[type](value), `${table}.${name} ${type}: ${value}`);
      }
    }
    assert.equal(new Set(rows.map(({ event_id }) => event_id)).size, rows.length, table);
    lines.push(table, ...linesOf(table, bySource), "");
  }
  const now = lines.join("\n");
  if (process.env.UPDATE === "1") writeFileSync(golden, now);
  assert.equal(now, readFileSync(golden, "utf8"), "UPDATE=1 writes it");
});
