/**
 * The tables that the history wrote, read by programs that know nothing of it: Spark with
 * Delta, delta-rs, and DuckDB's own extension for Delta. Equal rows from all of them, before
 * and after files are merged, with a checkpoint in the log; and Spark reads only the files
 * that a query needs. What is exported to a directory it reads alike, and the statements that
 * export to Databricks without files it runs.
 */
import assert from "node:assert/strict";
import { globSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { createDatabricksClient, type DatabricksClient } from "../../src/databricks/client.ts";
import { Secret } from "../../src/databricks/secret.ts";
import { collectedRows } from "../../src/export/delta/collected-rows.ts";
import { exportHistory } from "../../src/export/delta/export-history.ts";
import { copyIntoSql, quotedText } from "../../src/history/databricks-tables.ts";
import { CHECKPOINT_COMMITS } from "../../src/history/delta-log.ts";
import { connect, loadDuckDb, quoteText } from "../../src/history/duckdb.ts";
import { diskFiles } from "../../src/history/files.ts";
import { defaultRetention, maintain } from "../../src/history/maintain.ts";
import { PendingRows } from "../../src/history/pending-rows.ts";
import { repairTables } from "../../src/history/repair.ts";
import { rowsOf } from "../../src/history/rows.ts";
import { type SealContext, sealRows, tableDirectory } from "../../src/history/seal.ts";
import { type TableName, tableNames } from "../../src/history/tables.ts";
import { nowMs, sealMinutes } from "../../src/history/test-minutes.ts";
import { nothingHappened } from "../../src/signals/happened.ts";
import type { Sample } from "../../src/signals/sample.ts";
import { measuredService, recordedRows, workspaceId } from "../recorded-rows.ts";
import { type Spark, startSpark } from "./start-spark.ts";

/** Of those that were recorded; Spark takes seconds for each hundred here. */
const ROWS_PER_TABLE = 60;
const minutes = CHECKPOINT_COMMITS + 3;
const directory = mkdtempSync(join(tmpdir(), "history-"));
const table = tableDirectory(directory, "metrics");
let spark: Spark;
let context: SealContext;

before(async () => {
  const duckDb = await loadDuckDb();
  const instance = await duckDb.DuckDBInstance.create(":memory:", {
    threads: "1",
    allow_unsigned_extensions: "true",
  });
  const [extension] = globSync(".peers/duckdb-delta/lib/**/delta.duckdb_extension");
  assert.ok(extension, "npm run test:peers fetches the extension");
  const reader = await instance.connect();
  await reader.run(`LOAD ${quoteText(extension)}`);
  await reader.run("SET TimeZone = 'UTC'");
  byDuckDb = async (sql) => (await reader.runAndReadAll(sql)).getRowsJson();
  const connection = await connect(duckDb, {
    threads: 1,
    temporaryDirectory: join(directory, "temporary"),
  });
  context = { duckDb, connection, files: diskFiles, directory, newId: () => crypto.randomUUID() };
  spark = await startSpark();
});
after(async () => {
  await spark?.stop();
  rmSync(directory, { recursive: true });
});

let byDuckDb: (sql: string) => Promise<unknown[][]>;

for (const step of ["a file for each minute", "merged, with a checkpoint"] as const) {
  describe(step, () => {
    before(async () => {
      if (step === "a file for each minute") await sealMinutes(context, { from: 1, upTo: 12 });
      else {
        await sealMinutes(context, { from: 13, upTo: CHECKPOINT_COMMITS - 1 });
        await maintain({ retention: defaultRetention, nowMs, mergeUpTo: 64 }, context);
        await sealMinutes(context, { from: CHECKPOINT_COMMITS, upTo: minutes });
      }
    });

    test("Spark, delta-rs and DuckDB read the same rows", async () => {
      const counted = step === "a file for each minute" ? 12 : minutes;
      const sql = "event_id, metric_name, value, labels['seq'] AS seq, event_date";
      const rows = await spark.rows(`SELECT ${sql} FROM delta.\`${table}\` ORDER BY event_id`);
      assert.equal(rows.length, 2 * counted);
      const seen = await byDuckDb(`SELECT ${sql} FROM delta_scan('${table}') ORDER BY event_id`);
      const plain = (row: readonly unknown[]) => row.map(String);
      assert.deepEqual(
        seen.map((row) => [...plain(row.slice(0, 2)), Number(row[2]), ...plain(row.slice(3))]),
        rows.map((row) => [...plain(row.slice(0, 2)), Number(row[2]), ...plain(row.slice(3))]),
      );
      const { rows: byDeltaRs } = await spark.ask({ delta_rs: table });
      assert.deepEqual(
        byDeltaRs,
        await spark.rows(`SELECT * FROM delta.\`${table}\` ORDER BY event_id`),
      );
    });

    test("Spark reads only the files of the time that is asked for", async () => {
      const from = new Date(nowMs + 5 * 60_000).toISOString();
      const upTo = new Date(nowMs + 6 * 60_000).toISOString();
      const where = `timestamp >= TIMESTAMP'${from}' AND timestamp < TIMESTAMP'${upTo}'`;
      const sql = `SELECT value FROM delta.\`${table}\` WHERE ${where}`;
      const { rows, files, error } = await spark.ask({ sql, count_files: true });
      assert.equal(error, undefined);
      assert.deepEqual(rows, [["5.0"], ["5.0"]]);
      assert.equal(files, 1);
    });
  });
}

test("Spark, delta-rs and DuckDB read a table whose log was lost and made anew", async () => {
  const mended = { ...context, directory: join(directory, "mended") };
  const home = tableDirectory(mended.directory, "metrics");
  await sealMinutes(mended, { from: 1, upTo: 3 });
  rmSync(join(home, "_delta_log"), { recursive: true });
  await repairTables({ journalFrom: 1, nowMs }, mended);
  const counted = [["6"]];
  assert.deepEqual(await spark.rows(`SELECT count(*) FROM delta.\`${home}\``), counted);
  const seen = await byDuckDb(`SELECT count(*) FROM delta_scan('${home}')`);
  assert.deepEqual(
    seen.map((row) => row.map(String)),
    counted,
  );
  const { rows, error } = await spark.ask({ delta_rs: home });
  assert.deepEqual([error, rows.length], [undefined, 6]);
});

describe("a file of so many rows that DuckDB takes texts for numbers", () => {
  const many = join(directory, "many");
  const from = `delta.\`${tableDirectory(many, "metrics")}\``;
  const ROWS = 3_000;

  before(async () => {
    const pending = new PendingRows();
    const samples = Array.from({ length: ROWS }, (_, at): Sample => {
      const endpoint = `agent-${at % 7}`;
      const labels = at % 3 === 0 ? {} : { zone: `"zone" ${at % 5}`, "it's": "é" };
      return { name: "cpu", kind: "gauge", endpoint, labels, value: at, timeMs: nowMs + at };
    });
    const versionsOf = (endpoint: string) => ({
      called: null,
      served: endpoint === "agent-1" ? null : "3",
    });
    for (const row of rowsOf({ ...nothingHappened, samples }, { workspaceId, versionsOf })) {
      pending.add(row, 1);
    }
    await sealRows(
      { upTo: 1, timeMs: nowMs, tables: pending.tables() },
      { ...context, directory: many },
    );
  });

  for (const [what, sql] of [
    ["all of a column", "endpoint_name, model_version, source, count(*), count(DISTINCT event_id)"],
    ["labels", "labels['zone'], labels['it''s'], size(labels), count(*), sum(value)"],
  ] as const) {
    test(`Spark reads in it ${what} as DuckDB does`, async () => {
      const rest = "GROUP BY ALL ORDER BY ALL NULLS FIRST";
      const rows = await spark.rows(`SELECT ${sql} FROM ${from} ${rest}`);
      const inDuckDb = sql.replace("size(labels)", "cardinality(labels)");
      const seen = await byDuckDb(
        `SELECT ${inDuckDb} FROM delta_scan('${tableDirectory(many, "metrics")}') ${rest}`,
      );
      const plain = (row: readonly unknown[]) =>
        row.map((value) => (Number.isNaN(Number(value ?? "?")) ? value : Number(value)));
      assert.deepEqual(rows.map(plain), seen.map(plain));
      assert.equal(rows.length, what === "labels" ? 6 : 7);
    });
  }

  test("Spark and delta-rs find in it the rows of one text, and of none", async () => {
    const where = (condition: string) =>
      spark.rows(`SELECT count(*), min(value), max(value) FROM ${from} WHERE ${condition}`);
    const ofFour = samplesWhere((at) => at % 7 === 4);
    assert.deepEqual(await where("endpoint_name = 'agent-4'"), [ofFour]);
    assert.deepEqual(await where("endpoint_name = 'agent-40'"), [["0", null, null]]);
    assert.deepEqual(await where("model_version IS NULL"), [samplesWhere((at) => at % 7 === 1)]);
    const { rows } = await spark.ask({ delta_rs: tableDirectory(many, "metrics") });
    assert.equal(rows.length, ROWS);
  });

  /** As Spark tells it: how many, the least and the greatest. */
  function samplesWhere(isIts: (at: number) => boolean): string[] {
    const its = Array.from({ length: ROWS }, (_, at) => at).filter(isIts);
    return [`${its.length}`, `${its[0]}.0`, `${its.at(-1)}.0`];
  }
});

describe("what was exported, of all seven tables", () => {
  const exported = join(directory, "exported");
  const rowsIn = async (from: string) =>
    await spark.rows(`SELECT * FROM ${from} ORDER BY event_id`);
  const sealed = new Map<TableName, Awaited<ReturnType<typeof rowsIn>>>();

  before(async () => {
    const pending = new PendingRows();
    const metrics = measuredService();
    for (const rows of Map.groupBy(recordedRows(metrics), ({ table }) => table).values()) {
      const every = Math.ceil(rows.length / ROWS_PER_TABLE);
      for (const [at, row] of rows.entries()) if (at % every === 0) pending.add(row, 1);
    }
    metrics.close();
    const batch = { upTo: 1, timeMs: nowMs, tables: pending.tables() };
    await sealRows(batch, { ...context, directory: exported });
    for (const name of tableNames) {
      sealed.set(name, await rowsIn(`delta.\`${tableDirectory(exported, name)}\``));
    }
  });

  test("Spark reads in a directory that it mounts what the history holds", async () => {
    const lake = join(directory, "lake");
    await exportHistory(exported, { directory: lake, prefix: "agents" });
    for (const name of tableNames) {
      const rows = await rowsIn(`delta.\`${join(lake, `agents_${name}`)}\``);
      assert.ok(rows.length > 0, name);
      assert.deepEqual(rows, sealed.get(name), name);
    }
  });

  test("the statements of MERGE leave on Spark what the history holds, also when they run again", async () => {
    const place = { catalog: "ml", schema: "merged", prefix: "agents" };
    const target = { client: clientOfSpark(), place, warehouseId: "spark", way: "merge" } as const;
    const first = await exportHistory(exported, target);
    // Without its marks it does not know what is there.
    rmSync(join(exported, "exported.json"));
    const again = await exportHistory(exported, target);
    assert.equal(again.rows, 0);
    for (const name of tableNames) {
      const rows = await rowsIn(`merged.agents_${name}`);
      assert.equal(first.tables[`ml.merged.agents_${name}`], rows.length, name);
      assert.deepEqual(rows, sealed.get(name), name);
    }
  });

  test("Spark makes of a service's lines what the columns of the tables hold", async () => {
    const metrics = measuredService();
    const lines = collectedRows({
      collectorId: "c",
      workspaceId,
      nowMs,
      latencies: metrics.getHeldLatencies(),
      values: metrics.snapshot().series.filter((one) => one.kind !== "latency"),
      errors: [],
      components: [],
      requests: true,
    });
    metrics.close();
    for (const [name, text] of lines) {
      const file = join(directory, `${name}.ndjson`);
      writeFileSync(file, text);
      const place = { catalog: "ml", schema: "merged", prefix: "agents" };
      const copy = copyIntoSql(place, name, { directory: "/lines", files: [], format: "JSON" });
      const [, selected = ""] = /^FROM \((SELECT .* FROM) '/m.exec(copy) ?? [];
      await spark.rows(`INSERT INTO merged.agents_${name} ${selected} json.\`${file}\``);
    }
    const service = "WHERE source = 'collector' AND status_code IS NOT NULL ORDER BY status_code";
    assert.deepEqual(
      await spark.rows(
        `SELECT endpoint_name, model_version, status_code, latency_ms, error_class, labels['region'],
          event_date FROM merged.agents_requests ${service}`,
      ),
      [
        ["qa", "v2", "200", "150.0", null, "eu", "2026-11-26"],
        ["qa", "v2", "503", "150.0", "server", null, "2026-11-26"],
      ],
    );
  });
});

/** A workspace whose SQL is Spark's. Of catalogs Spark has one, so `ml` in front is left out. */
function clientOfSpark(): DatabricksClient {
  const made = new Set<string>();
  const run = async (asked: Asked): Promise<unknown> => {
    // Where Delta's parser comes first, Spark binds no parameter: its value stands in its place.
    const sql = (asked.parameters ?? []).reduce(
      (text, { name, value }) => text.replaceAll(`:${name}`, () => quotedText(value)),
      asked.statement.replaceAll("`ml`.", ""),
    );
    const [, created] = /^CREATE TABLE IF NOT EXISTS ([^ ]+)/.exec(asked.statement) ?? [];
    if (created) made.add(created.replaceAll("`", ""));
    const { rows, columns = [], error } = await spark.ask({ sql });
    if (error !== undefined) {
      return { statement_id: "1", status: { state: "FAILED", error: { message: error } } };
    }
    const schema = columns.map((name, position) => ({ name, position, type_text: "STRING" }));
    return {
      statement_id: "1",
      status: { state: "SUCCEEDED" },
      manifest: {
        format: "JSON_ARRAY",
        schema: { column_count: schema.length, columns: schema },
        total_chunk_count: 1,
        total_row_count: rows.length,
      },
      result: { chunk_index: 0, row_offset: 0, row_count: rows.length, data_array: rows },
    };
  };
  return createDatabricksClient({
    credentials: {
      host: "https://spark.example.com",
      signIn: { kind: "token", token: new Secret("dapi-canary") },
      source: "environment",
    },
    clock: systemClock,
    random: Math.random,
    async fetch(url, { method, body }) {
      const { pathname } = new URL(url);
      if (pathname === "/api/2.0/sql/statements" && typeof body === "string") {
        return Response.json(await run(JSON.parse(body)));
      }
      if (pathname === "/api/2.1/unity-catalog/tables") {
        const there = [...made].map((name) => ({ full_name: name, name: name.split(".")[2] }));
        return Response.json({ tables: there });
      }
      assert.equal(`${method} ${pathname}`, "GET /api/2.1/unity-catalog/schemas/ml.merged");
      await spark.rows("CREATE SCHEMA IF NOT EXISTS merged");
      return Response.json({ full_name: "ml.merged", name: "merged", catalog_name: "ml" });
    },
  });
}

type Asked = {
  readonly statement: string;
  readonly parameters?: readonly { readonly name: string; readonly value: string }[];
};

test("Spark knows the comments and how far the writer came", async () => {
  const described = await spark.rows(`DESCRIBE TABLE delta.\`${table}\``);
  const byName = new Map(described.map(([name, type, comment]) => [name, { type, comment }]));
  assert.equal(byName.get("labels")?.type, "map<string,string>");
  assert.match(byName.get("value")?.comment ?? "", /unit/);
  const history = await spark.rows(`DESCRIBE HISTORY delta.\`${table}\``);
  assert.ok(history.some((row) => row[4] === "OPTIMIZE"));
});
