/**
 * The tables that the history wrote, read by programs that know nothing of it: Spark with
 * Delta, delta-rs, and DuckDB's own extension for Delta. Equal rows from all of them, before
 * and after files are merged, with a checkpoint in the log; and Spark reads only the files
 * that a query needs.
 */
import assert from "node:assert/strict";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { CHECKPOINT_COMMITS } from "../../src/history/delta-log.ts";
import { connect, loadDuckDb, quoteText } from "../../src/history/duckdb.ts";
import { diskFiles } from "../../src/history/files.ts";
import { defaultRetention, maintain } from "../../src/history/maintain.ts";
import { type SealContext, tableDirectory } from "../../src/history/seal.ts";
import { nowMs, sealMinutes } from "../../src/history/test-minutes.ts";
import { type Spark, startSpark } from "./start-spark.ts";

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

test("Spark knows the comments and how far the writer came", async () => {
  const described = await spark.rows(`DESCRIBE TABLE delta.\`${table}\``);
  const byName = new Map(described.map(([name, type, comment]) => [name, { type, comment }]));
  assert.equal(byName.get("labels")?.type, "map<string,string>");
  assert.match(byName.get("value")?.comment ?? "", /unit/);
  const history = await spark.rows(`DESCRIBE HISTORY delta.\`${table}\``);
  assert.ok(history.some((row) => row[4] === "OPTIMIZE"));
});
