/**
 * What the local workspace's SQL answers is what Spark answers, and the Delta tables
 * that it wrote are read by Spark and by delta-rs: equal rows, and files left out by
 * their statistics.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { openTestEngine, type TestEngine } from "../../src/local-workspace/sql/test-engine.ts";
import { type Spark, startSpark } from "./start-spark.ts";

let spark: Spark;
let engine: TestEngine;

before(async () => {
  spark = await startSpark();
  engine = openTestEngine();
});
after(async () => {
  await spark?.stop();
  await engine?.close();
});

/** One query a line; `--` begins a comment. */
const queries = readFileSync(new URL("sql-on-spark.sql", import.meta.url), "utf8")
  .split("\n")
  .filter((line) => line.trim() !== "" && !line.startsWith("--"));

describe("a query gives what Spark gives", () => {
  for (const sql of queries) {
    test(sql, async () => {
      const expected = await spark.ask({ sql });
      const refusal = expected.error === undefined ? "" : await engine.refusal(sql);
      if (expected.error !== undefined) {
        const [, errorClass = "no error class"] = /\[([A-Z_]+)/.exec(expected.error) ?? [];
        assert.match(refusal, new RegExp(errorClass), `Spark refused it: ${expected.error}`);
        return;
      }
      const { rows, columns } = await engine.run(sql);
      assert.deepEqual(
        { rows, columns: columns.length },
        {
          rows: expected.rows,
          columns: expected.columns?.length,
        },
      );
    });
  }
});

/** Every statement that writes; what they leave is compared, read by three engines. */
const writes = [
  "CREATE SCHEMA main.monitoring",
  `CREATE TABLE main.monitoring.metrics (
     event_id STRING NOT NULL COMMENT 'what happened', event_date DATE, timestamp TIMESTAMP,
     metric_name STRING, value DOUBLE, labels MAP<STRING, STRING>, price DECIMAL(10, 2), count BIGINT,
     parts ARRAY<STRUCT<name: STRING, size: INT>>
   ) USING DELTA CLUSTER BY (event_date, metric_name) COMMENT 'made by SQL'
   TBLPROPERTIES ('delta.logRetentionDuration' = 'interval 30 days')`,
  `INSERT INTO main.monitoring.metrics
     SELECT concat('a', id), DATE'2026-01-14', TIMESTAMP'2026-01-14 12:00:00.123456' + INTERVAL 1 HOUR,
       'request_latency_ms', id * 100.5, map('k', string(id)), id, 9007199254740993 + id,
       array(named_struct('name', 'p', 'size', int(id))) FROM range(10)`,
  `INSERT INTO main.monitoring.metrics (event_id, value, event_date, timestamp, metric_name)
     SELECT concat('b', id), 5000 + id, current_date(), current_timestamp(), 'request_latency_ms' FROM range(12)`,
  "INSERT INTO main.monitoring.metrics (event_id) VALUES ('c''\\'quoted \u00e9')",
  "UPDATE main.monitoring.metrics SET value = value + 1, labels = map('updated', 'yes') WHERE event_id = 'a3'",
  "DELETE FROM main.monitoring.metrics WHERE event_id IN ('a4', 'a5')",
  `MERGE INTO main.monitoring.metrics AS t
     USING (SELECT 'a6' AS event_id, 1.5D AS value UNION ALL SELECT 'd1', 2.5D) AS s ON t.event_id = s.event_id
     WHEN MATCHED THEN UPDATE SET value = s.value
     WHEN NOT MATCHED THEN INSERT (event_id, value) VALUES (s.event_id, s.value)`,
  "ALTER TABLE main.monitoring.metrics ADD COLUMNS (cache STRING COMMENT 'hit or miss')",
  "INSERT INTO main.monitoring.metrics (event_id, cache) VALUES ('e1', 'hit')",
  `CREATE TABLE main.monitoring.by_day USING DELTA PARTITIONED BY (event_date)
     AS SELECT event_id, value, event_date FROM main.monitoring.metrics`,
];
const metrics = () => engine.catalog.tableDirectory("main.monitoring.metrics");
const byDay = () => engine.catalog.tableDirectory("main.monitoring.by_day");

describe("tables that SQL wrote", () => {
  before(async () => {
    for (const statement of writes) await engine.run(statement);
  });

  test("Spark and delta-rs read the same rows", async () => {
    const { rows } = await engine.run("SELECT * FROM main.monitoring.metrics ORDER BY event_id");
    assert.equal(rows.length, 23);
    assert.deepEqual(
      await spark.rows(`SELECT * FROM delta.\`${metrics()}\` ORDER BY event_id`),
      rows,
    );
    assert.deepEqual((await spark.ask({ delta_rs: metrics() })).rows, rows);
  });

  test("a partitioned table, too", async () => {
    const { rows } = await engine.run("SELECT * FROM main.monitoring.by_day ORDER BY event_id");
    assert.deepEqual(
      await spark.rows(`SELECT * FROM delta.\`${byDay()}\` ORDER BY event_id`),
      rows,
    );
    assert.deepEqual((await spark.ask({ delta_rs: byDay() })).rows, rows);
  });

  test("statistics and partitions leave files out", async () => {
    const where = "event_date = DATE'2026-01-15'";
    for (const table of [metrics(), byDay()]) {
      const all = await spark.ask({ delta_rs: table });
      const some = await spark.ask({
        delta_rs: table,
        filter: ["value", ">", 4999],
      });
      assert.equal(some.rows.length, 12);
      assert.ok(Number(some.files) < Number(all.files), `${some.files} of ${all.files} files`);
      const [skipped] = await spark.rows(
        `SELECT count(DISTINCT _metadata.file_path) FROM delta.\`${table}\` WHERE ${where}`,
      );
      assert.deepEqual(skipped, ["1"]);
    }
  });

  test("a time within a millisecond is found where statistics end", async () => {
    const sql = `SELECT count(*) FROM delta.\`${metrics()}\` WHERE timestamp = TIMESTAMP'2026-01-14 13:00:00.123456'`;
    assert.deepEqual(await spark.rows(sql), [["8"]]);
  });

  test("Spark knows clustering, comments, properties and history", async () => {
    const [detail] = await spark.rows(`DESCRIBE DETAIL delta.\`${metrics()}\``);
    assert.match(JSON.stringify(detail), /event_date.*metric_name/);
    assert.match(JSON.stringify(detail), /made by SQL/);
    assert.match(JSON.stringify(detail), /interval 30 days/);
    const history = await spark.rows(`DESCRIBE HISTORY delta.\`${metrics()}\``);
    assert.deepEqual(
      history.map((row) => row[4]),
      [
        "WRITE",
        "ADD COLUMNS",
        "MERGE",
        "DELETE",
        "UPDATE",
        "WRITE",
        "WRITE",
        "WRITE",
        "CREATE TABLE",
      ],
    );
  });

  test("rows that Spark adds are read by SQL, and SQL goes on writing", async () => {
    await spark.rows(
      `INSERT INTO delta.\`${byDay()}\` SELECT 'from spark', 7.5D, DATE'2026-01-16'`,
    );
    await engine.run(
      "INSERT INTO main.monitoring.by_day VALUES ('after spark', 8.5, DATE'2026-01-16')",
    );
    await spark.rows(`UPDATE delta.\`${byDay()}\` SET value = 9.5D WHERE event_id = 'after spark'`);
    const sql = "WHERE event_date = DATE'2026-01-16' ORDER BY event_id";
    const { rows } = await engine.run(`SELECT * FROM main.monitoring.by_day ${sql}`);
    assert.deepEqual(rows, [
      ["after spark", "9.5", "2026-01-16"],
      ["from spark", "7.5", "2026-01-16"],
    ]);
    assert.deepEqual(await spark.rows(`SELECT * FROM delta.\`${byDay()}\` ${sql}`), rows);
  });

  test("the alert of the documents fires, on Spark with only the leading `ml.` removed", async () => {
    await engine.run("CREATE CATALOG ml");
    await engine.run("CREATE SCHEMA ml.monitoring");
    const columns = `event_id STRING, event_date DATE, timestamp TIMESTAMP, workspace_id STRING, endpoint_name STRING,
      model_version STRING, source STRING, metric_name STRING, metric_type STRING, value DOUBLE, labels MAP<STRING,STRING>`;
    await engine.run(`CREATE TABLE ml.monitoring.agent_monitoring_metrics (${columns})`);
    await engine.run(`INSERT INTO ml.monitoring.agent_monitoring_metrics (event_id, timestamp, metric_name, value)
      SELECT string(id), current_timestamp() - INTERVAL 1 MINUTE, 'request_latency_ms', 1500 FROM range(11)`);
    assert.deepEqual(await engine.rows(ALERT), ["11"]);

    const table = engine.catalog.tableDirectory("ml.monitoring.agent_monitoring_metrics");
    await spark.rows("CREATE SCHEMA monitoring");
    // The engine's clock stands still; Spark's is the real one.
    await spark.rows(`CREATE TABLE monitoring.agent_monitoring_metrics USING delta AS
      SELECT event_id, current_timestamp() AS timestamp, metric_name, value FROM delta.\`${table}\``);
    assert.deepEqual(await spark.rows(ALERT.replace("ml.monitoring", "monitoring")), [["11"]]);
  });
});

/** The same statements on both; what each says of itself, and what is left, is compared. */
const changes = [
  "DELETE FROM rows WHERE v <> 'b'",
  "UPDATE rows SET id = id * 10, v = concat(v, '!') WHERE id > 1",
  "UPDATE rows AS r SET v = CASE WHEN r.v IS NULL THEN 'none' ELSE upper(r.v) END",
  `MERGE INTO rows AS t USING (SELECT 20 AS id, 'm' AS v UNION ALL SELECT 99, 'n') AS s ON t.id = s.id
     WHEN MATCHED AND s.v = 'm' THEN UPDATE SET v = concat(t.v, s.v)
     WHEN MATCHED THEN DELETE
     WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.v)
     WHEN NOT MATCHED BY SOURCE AND t.id = 40 THEN DELETE
     WHEN NOT MATCHED BY SOURCE THEN UPDATE SET v = 'old'`,
  `MERGE INTO rows USING (SELECT id + 1 AS id, v FROM rows) AS s ON rows.id = s.id
     WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *`,
  "MERGE INTO rows AS t USING VALUES (99), (99) AS s(k) ON t.id = s.k WHEN MATCHED THEN UPDATE SET v = 'twice'",
  "DELETE FROM rows WHERE id > 50",
  "DELETE FROM rows",
];

describe("changed rows are those that Spark leaves", () => {
  before(async () => {
    for (const sql of [
      "CREATE TABLE rows (id INT, v STRING) USING delta",
      "INSERT INTO rows VALUES (1, 'a'), (2, 'b'), (3, NULL), (4, 'b'), (NULL, 'b')",
    ]) {
      await spark.rows(sql);
      await engine.run(sql);
    }
  });
  for (const sql of changes) {
    test(sql, async () => {
      const { error, rows: counts } = await spark.ask({ sql });
      const refusal = error === undefined ? "" : await engine.refusal(sql);
      if (error === undefined) assert.deepEqual((await engine.run(sql)).rows, counts);
      else assert.match(refusal, /MULTIPLE_SOURCE_ROW_MATCHING/, error);
      const left = "SELECT * FROM rows ORDER BY id, v";
      assert.deepEqual((await engine.run(left)).rows, await spark.rows(left));
    });
  }
});

const ALERT = `SELECT COUNT(*) AS slow_requests
FROM ml.monitoring.agent_monitoring_metrics
WHERE metric_name = 'request_latency_ms' AND value > 1000
  AND timestamp > current_timestamp() - INTERVAL 5 MINUTES
HAVING slow_requests > 10`;
