/** The engine through its one function: each statement's rows, or what it is refused with. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { openTestEngine, type TestEngine } from "./test-engine.ts";

let engine: TestEngine;
before(() => {
  engine = openTestEngine();
});
after(() => engine.close());
beforeEach(async () => {
  await engine.run("CREATE OR REPLACE TABLE t (id INT, v STRING)");
  await engine.run("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, NULL)");
});

const check = async (sql: string, ...expected: readonly string[]) =>
  assert.deepEqual(await engine.rows(sql), expected);
const checkRefused = async (sql: string, expected: RegExp) =>
  assert.match(await engine.refusal(sql), expected);
const checkT = (...expected: readonly string[]) =>
  check("SELECT * FROM t ORDER BY id", ...expected);

describe("tables", () => {
  test("hold what was inserted, in the columns that were named", async () => {
    assert.deepEqual(await engine.rows("INSERT INTO t (v) VALUES ('c')"), ["1 1"]);
    await engine.run("INSERT INTO t BY NAME SELECT 'd' AS v, 4 AS id");
    await engine.run("INSERT INTO main.default.t SELECT id + 10, v FROM t WHERE id = 1");
    await checkT("NULL c", "1 a", "2 b", "3 NULL", "4 d", "11 a");
  });

  test("are overwritten and emptied", async () => {
    await engine.run("INSERT OVERWRITE t SELECT 9, 'z'");
    await checkT("9 z");
    await engine.run("TRUNCATE TABLE t");
    await checkT();
  });

  test("take a column more, which older rows do not have", async () => {
    await engine.run("ALTER TABLE t ADD COLUMNS (n DOUBLE COMMENT 'number')");
    await engine.run("INSERT INTO t VALUES (4, 'd', 0.5)");
    await check("SELECT id, n FROM t WHERE id > 2 ORDER BY id", "3 NULL", "4 0.5");
    await check("DESCRIBE t", "id int NULL", "v string NULL", "n double number");
  });

  test("are refused a row that does not fit", async () => {
    await engine.run("CREATE OR REPLACE TABLE strict (id INT NOT NULL)");
    await checkRefused(
      "INSERT INTO strict VALUES (NULL)",
      /DELTA_NOT_NULL_CONSTRAINT_VIOLATED.*id/,
    );
    await checkRefused("INSERT INTO strict VALUES ('x')", /CAST_INVALID_INPUT/);
    await checkRefused("INSERT INTO strict VALUES (1, 2)", /INSERT_COLUMN_ARITY_MISMATCH.TOO_MANY/);
    await checkRefused("INSERT INTO strict (nope) VALUES (1)", /UNRESOLVED_COLUMN.*`nope`.*`id`/);
    await check("SELECT count(*) FROM strict", "0");
  });

  test("exist once", async () => {
    await checkRefused(
      "CREATE TABLE t (id INT)",
      /TABLE_OR_VIEW_ALREADY_EXISTS.*`main`.`default`.`t`/,
    );
    await engine.run("CREATE TABLE IF NOT EXISTS t (other INT)");
    await checkT("1 a", "2 b", "3 NULL");
    await engine.run("DROP TABLE t");
    await checkRefused("SELECT * FROM t", /TABLE_OR_VIEW_NOT_FOUND/);
    await engine.run("DROP TABLE IF EXISTS t");
    await engine.run("CREATE TABLE t AS SELECT 7 AS id, 'x' AS v");
    await checkT("7 x");
  });

  test("are replaced with their history kept", async () => {
    await engine.run("CREATE OR REPLACE TABLE h AS SELECT 1 AS x");
    await engine.run("CREATE OR REPLACE TABLE h CLUSTER BY (y) AS SELECT 'a' AS y");
    await check("SELECT * FROM h", "a");
    const history = await engine.rows("DESCRIBE HISTORY h");
    assert.equal(history.length, 2);
  });

  test("are partitioned by values of any kind", async () => {
    await engine.run("CREATE OR REPLACE TABLE p (d DATE, n STRING, v INT) PARTITIONED BY (d, n)");
    await engine.run(
      "INSERT INTO p VALUES (DATE'2026-01-01', 'a/b %=', 1), (NULL, 'x', 2), (DATE'2026-01-01', NULL, 3)",
    );
    await check(
      "SELECT * FROM p ORDER BY v",
      "2026-01-01 a/b %= 1",
      "NULL x 2",
      "2026-01-01 NULL 3",
    );
    await engine.run("UPDATE p SET n = 'moved' WHERE v = 1");
    await check("SELECT n, v FROM p WHERE d = DATE'2026-01-01' ORDER BY v", "moved 1", "NULL 3");
  });

  test("say what they are", async () => {
    await engine.run(
      "CREATE OR REPLACE TABLE d (id INT COMMENT 'key') CLUSTER BY (id) COMMENT 'all' TBLPROPERTIES ('a.b' = 'c')",
    );
    await check(
      "SHOW CREATE TABLE d",
      "CREATE TABLE main.default.d (\n  id INT COMMENT 'key')\nUSING delta\nCLUSTER BY (id)\nCOMMENT 'all'\nTBLPROPERTIES (\n  'a.b' = 'c')\n",
    );
    await engine.run("ALTER TABLE d SET TBLPROPERTIES ('a.b' = 'd', x = 1)");
    await engine.run("ALTER TABLE d UNSET TBLPROPERTIES ('a.b')");
    await check("SHOW TBLPROPERTIES d", "x 1");
    await engine.run("COMMENT ON COLUMN d.id IS 'new'");
    await engine.run("COMMENT ON TABLE d IS NULL");
    await engine.run("ALTER TABLE d CLUSTER BY NONE");
    await check("DESCRIBE d", "id int new");
  });
});

describe("rows", () => {
  test("are deleted where the condition holds, not where it is NULL", async () => {
    assert.deepEqual(await engine.rows("DELETE FROM t WHERE v <> 'a'"), ["1"]);
    await checkT("1 a", "3 NULL");
    assert.deepEqual(await engine.rows("DELETE FROM t AS x WHERE x.id IN (SELECT 3)"), ["1"]);
    assert.deepEqual(await engine.rows("DELETE FROM t"), ["1"]);
  });

  test("are updated by their old values", async () => {
    assert.deepEqual(
      await engine.rows("UPDATE t SET id = id + 10, v = concat(v, id) WHERE id < 3"),
      ["2"],
    );
    await checkT("3 NULL", "11 a1", "12 b2");
  });

  test("are merged: matched, not matched, not matched by source", async () => {
    const merge = `MERGE INTO t USING (SELECT 1 AS id, 'x' AS v UNION ALL SELECT 9, 'n') AS s ON t.id = s.id
      WHEN MATCHED AND t.v = 'nothing' THEN DELETE
      WHEN MATCHED THEN UPDATE SET *
      WHEN NOT MATCHED AND s.id > 100 THEN INSERT (id) VALUES (0)
      WHEN NOT MATCHED THEN INSERT *
      WHEN NOT MATCHED BY SOURCE AND t.v IS NULL THEN DELETE
      WHEN NOT MATCHED BY SOURCE THEN UPDATE SET v = 'old'`;
    assert.deepEqual(await engine.rows(merge), ["4 2 1 1"]);
    await checkT("1 x", "2 old", "9 n");
  });

  test("are not merged when two rows of the source change one", async () => {
    await checkRefused(
      "MERGE INTO t USING VALUES (1), (1) AS s(k) ON t.id = s.k WHEN MATCHED THEN DELETE",
      /DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE/,
    );
    await checkT("1 a", "2 b", "3 NULL");
  });

  test("stay in a table that only grows", async () => {
    await engine.run("ALTER TABLE t SET TBLPROPERTIES ('delta.appendOnly' = 'true')");
    await checkRefused("DELETE FROM t", /DELTA_CANNOT_MODIFY_APPEND_ONLY/);
    await engine.run("INSERT INTO t VALUES (4, 'd')");
  });

  test("of many writers at once are all there", async () => {
    const inserts = Array.from({ length: 8 }, (_, id) =>
      engine.run(`INSERT INTO t VALUES (${id + 10}, 'w')`),
    );
    const updates = [
      engine.run("UPDATE t SET v = 'u' WHERE id = 1"),
      engine.run("DELETE FROM t WHERE id = 2"),
    ];
    await Promise.all([...inserts, ...updates]);
    await check("SELECT count(*), count_if(v = 'w'), count_if(v = 'u') FROM t", "10 8 1");
  });
});

describe("queries", () => {
  const parameters = [
    { name: "id", value: "2", type: "INT" },
    { name: "table", value: "main.default.t" },
    { name: "text", value: "it's; DROP TABLE t --" },
    { name: "none" },
  ];
  const bound: readonly (readonly [sql: string, expected: readonly string[]])[] = [
    ["SELECT v FROM t WHERE id = :id", ["b"]],
    ["SELECT count(*) FROM IDENTIFIER(:table)", ["3"]],
    ["SELECT count(*) FROM IDENTIFIER('main.default.' || 't')", ["3"]],
    ["SELECT :text", ["it's; DROP TABLE t --"]],
    ["SELECT :none IS NULL", ["true"]],
    ["SELECT id FROM t ORDER BY id LIMIT :id", ["1", "2"]],
    ['SELECT j:a.b FROM VALUES (\'{"a":{"b":":id"}}\') AS x(j)', [":id"]],
  ];
  for (const [sql, expected] of bound) {
    test(`take parameters: ${sql}`, async () => {
      assert.deepEqual(await engine.rows(sql, { parameters }), expected);
    });
  }

  test("name a parameter that is not there", () =>
    checkRefused("SELECT :x", /UNBOUND_SQL_PARAMETER.* x\./));

  test("resolve names by catalog and schema of the session", async () => {
    await engine.run("CREATE SCHEMA IF NOT EXISTS main.other");
    await engine.run("CREATE OR REPLACE TABLE main.other.t AS SELECT 'there' AS w");
    const session = {
      principal: { name: "ada@example.com", isAdmin: false },
      catalog: "main",
      schema: "other",
    };
    assert.deepEqual(await engine.rows("SELECT t.w, current_schema() FROM t", { session }), [
      "there other",
    ]);
    await check("SELECT main.other.t.w FROM main.other.t", "there");
    await check("WITH t AS (SELECT 'mine' AS w) SELECT w FROM t", "mine");
  });

  test("read views, which read as their owner", async () => {
    await engine.run(
      "CREATE OR REPLACE VIEW v1 (k COMMENT 'key') AS SELECT id FROM t WHERE id > 1",
    );
    await engine.run("CREATE OR REPLACE VIEW v2 AS SELECT k * 10 AS k10 FROM v1");
    await check("SELECT v2.k10 FROM v2 ORDER BY 1 DESC", "30", "20");
    await checkRefused("INSERT INTO v1 VALUES (1)", /writing through views/);
    await checkRefused("DROP TABLE v1", /use DROP VIEW/);
    await engine.run("DROP VIEW v2");
  });

  test("have the workspace's time", () =>
    check(
      "SELECT current_timestamp(), now() = current_timestamp, current_date()",
      "2026-01-15T12:00:00.000Z true 2026-01-15",
    ));

  test("name their columns as they were written", async () => {
    const { columns } = await engine.run("SELECT count(*), max(id) AS m, v FROM t GROUP BY v");
    assert.deepEqual(
      columns.map(({ name }) => name),
      ["count(1)", "m", "v"],
    );
  });

  test("stop when their caller gives up", async () => {
    const controller = new AbortController();
    const running = engine.run(
      "SELECT count(*) FROM range(100000000) a CROSS JOIN range(100000) b",
      {
        signal: controller.signal,
      },
    );
    setImmediate(() => controller.abort());
    await assert.rejects(running, { name: "AbortError" });
  });

  test("stop when the workspace closes", async () => {
    const other = openTestEngine();
    const running = other.run("SELECT count(*) FROM range(100000000) a CROSS JOIN range(100000) b");
    const ended = assert.rejects(running, { name: "AbortError" });
    await other.close();
    await ended;
  });

  test("leave out rows over a limit, and say so", async () => {
    const result = await engine.run("SELECT id FROM range(10)", { limits: { rowLimit: 3 } });
    assert.deepEqual([result.rows.length, result.isTruncated], [3, true]);
  });
});

test("a VARIANT keeps what JSON says, and gives it out by its path", async () => {
  await engine.run(
    "CREATE TABLE spans (id INT, v VARIANT, e ARRAY<STRUCT<name: STRING, a: VARIANT>>) CLUSTER BY (id)",
  );
  await engine.run(
    `INSERT INTO spans SELECT 1, parse_json('{"a.b":1,"c":{"d":"x"},"t":true}'), array(named_struct('name', 'first', 'a', parse_json('{"k":1.5}')), named_struct('name', 'last', 'a', parse_json('{"k":"v"}')))`,
  );
  await engine.run("INSERT INTO spans SELECT 2, NULL, NULL");
  const get = (of: string, path: string) => `try_variant_get(${of}, '$${path}', 'STRING')`;
  await check(
    `SELECT id, ${get("v", '["a.b"]')}, ${get("v", ".c.d")}, ${get("v", '["c"]')}, ${get("v", ".t")}, ${get("v", ".x")} FROM spans ORDER BY id`,
    '1 1 x {"d":"x"} true NULL',
    "2 NULL NULL NULL NULL NULL",
  );
  await check(
    `SELECT id, ${get("try_element_at(filter(e, x -> x.name = 'last'), -1).a", ".k")} FROM spans ORDER BY id`,
    "1 v",
    "2 NULL",
  );
  await check("SELECT v FROM spans WHERE id = 1", '{"a.b":1,"c":{"d":"x"},"t":true}');
  await checkRefused("INSERT INTO spans (id, v) VALUES (3, 'no JSON')", /CAST_INVALID_INPUT/);
  await engine.run("ALTER TABLE spans ADD COLUMNS (w VARIANT)");
  await check("SELECT count(*) FROM spans WHERE w IS NULL", "2");
});

describe("COPY INTO", () => {
  const write = (path: string, text: string) => {
    const file = join(engine.dataDirectory, "volumes/main/default/in", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  };
  before(async () => {
    await engine.run("CREATE VOLUME main.default.in");
  });
  beforeEach(async () => {
    await engine.run("CREATE OR REPLACE TABLE c (id BIGINT, v STRING)");
  });
  const copy = (rest: string) => `COPY INTO c FROM '/Volumes/main/default/in/${rest}`;

  test("loads each path once, whatever is in it later", async () => {
    write("json/1.ndjson", '{"id": 10, "v": "2026-01-01"}\n{"id": 11}\n');
    const sql = copy("json' FILEFORMAT = JSON");
    assert.deepEqual(await engine.rows(sql), ["2 2 0"]);
    write("json/1.ndjson", '{"id": 12}\n');
    assert.deepEqual(await engine.rows(sql), ["0 0 0"]);
    write("json/2.ndjson", '{"id": 13}\n');
    write("json/_hidden.ndjson", '{"id": 14}\n');
    assert.deepEqual(await engine.rows(sql), ["1 1 0"]);
    await check(
      "SELECT * FROM c WHERE id >= 10 ORDER BY id",
      "10 2026-01-01",
      "11 NULL",
      "13 NULL",
    );
  });

  test("takes files by name or pattern, and again with force", async () => {
    write("csv/a.csv", "id,v\n21,x\n");
    write("csv/b.csv", "id,v\n22,y\n");
    const options = "FORMAT_OPTIONS ('header' = 'true', 'inferSchema' = 'true')";
    assert.deepEqual(
      await engine.rows(copy(`csv' FILEFORMAT = CSV FILES = ('a.csv') ${options}`)),
      ["1 1 0"],
    );
    await engine.run("CREATE OR REPLACE TABLE texts (id STRING, v STRING)");
    assert.match(
      await engine.refusal(
        `COPY INTO texts FROM '/Volumes/main/default/in/csv' FILEFORMAT = CSV ${options}`,
      ),
      /DELTA_FAILED_TO_MERGE_FIELDS.*'id'.*STRING.*INT/,
    );
    const select = `COPY INTO c FROM (SELECT CAST(id AS INT) AS id, v FROM '/Volumes/main/default/in/csv')
      FILEFORMAT = CSV PATTERN = '[a-z].csv' ${options}`;
    assert.deepEqual(await engine.rows(select), ["1 1 0"]);
    assert.deepEqual(await engine.rows(`${select} COPY_OPTIONS ('force' = 'true')`), ["2 2 0"]);
    await check("SELECT id FROM c WHERE id > 20 ORDER BY id", "21", "21", "22", "22");
  });

  test("adds columns where it may, and tells where rows came from", async () => {
    write("more/1.json", '{"id": 31, "extra": {"a": [1, 2]}}\n');
    const sql =
      "COPY INTO c FROM (SELECT CAST(id AS INT) AS id, extra, _metadata.file_path AS v FROM '/Volumes/main/default/in/more') FILEFORMAT = JSON";
    assert.match(await engine.refusal(sql), /DELTA_METADATA_MISMATCH.*`extra`.*mergeSchema/);
    await engine.run(`${sql} COPY_OPTIONS ('mergeSchema' = 'true')`);
    await check(
      "SELECT * FROM c WHERE id = 31",
      '31 /Volumes/main/default/in/more/1.json {"a":["1","2"]}',
    );
  });

  test("reads maps that are JSON text, and columns that are null in every row", async () => {
    write(
      "maps/1.ndjson",
      '{"id": 51, "labels": "{\\"a\\":\\"b\\"}", "v": null}\n{"id": 52, "labels": null, "v": null}\n',
    );
    await engine.run("CREATE OR REPLACE TABLE maps (id INT, v STRING, labels MAP<STRING, STRING>)");
    await engine.run(`COPY INTO maps FROM (SELECT CAST(id AS INT) AS id, v, from_json(labels, 'MAP<STRING,STRING>') AS labels
      FROM '/Volumes/main/default/in/maps') FILEFORMAT = JSON FILES = ('1.ndjson')`);
    await check("SELECT * FROM maps ORDER BY id", '51 NULL {"a":"b"}', "52 NULL NULL");
  });

  test("loads Parquet with its own types", async () => {
    await engine.run("CREATE OR REPLACE TABLE source (id BIGINT, v STRING, at TIMESTAMP)");
    await engine.run("INSERT INTO source VALUES (41, 'p', current_timestamp())");
    const directory = engine.catalog.tableDirectory("main.default.source");
    const [file = ""] = readdirSync(directory).filter((name) => name.endsWith(".parquet"));
    const target = join(engine.dataDirectory, "volumes/main/default/in/parquet");
    mkdirSync(target, { recursive: true });
    const { copyFileSync } = await import("node:fs");
    copyFileSync(join(directory, file), join(target, "x.parquet"));
    await engine.run(copy("parquet' FILEFORMAT = PARQUET COPY_OPTIONS ('mergeSchema' = 'true')"));
    await check("SELECT * FROM c WHERE id = 41", "41 p 2026-01-15T12:00:00.000Z");
  });

  test("asks for the right to read the volume", async () => {
    engine.catalog.deny("READ_VOLUME", "main.default.in");
    await checkRefused(copy("json' FILEFORMAT = JSON"), /READ_VOLUME on 'main.default.in'/);
  });
});

describe("privileges", () => {
  const denied: readonly (readonly [
    sql: string,
    privilege: "SELECT" | "MODIFY" | "CREATE_TABLE",
    on: string,
  ])[] = [
    ["SELECT * FROM locked", "SELECT", "main.default.locked"],
    ["SELECT 1 WHERE EXISTS (SELECT 1 FROM locked)", "SELECT", "main.default.locked"],
    ["CREATE TABLE copy AS SELECT * FROM locked", "SELECT", "main.default.locked"],
    ["DESCRIBE locked", "SELECT", "main.default.locked"],
    ["INSERT INTO closed VALUES (1)", "MODIFY", "main.default.closed"],
    ["DELETE FROM closed", "MODIFY", "main.default.closed"],
    ["UPDATE closed SET id = 1", "MODIFY", "main.default.closed"],
    [
      "MERGE INTO closed USING t ON false WHEN NOT MATCHED THEN INSERT *",
      "MODIFY",
      "main.default.closed",
    ],
    ["CREATE TABLE main.shut.x (id INT)", "CREATE_TABLE", "main.shut"],
  ];
  before(async () => {
    await engine.run("CREATE SCHEMA main.shut");
    await engine.run("CREATE TABLE locked (id INT)");
    await engine.run("CREATE TABLE closed (id INT)");
    engine.catalog.deny("SELECT", "main.default.locked");
    engine.catalog.deny("MODIFY", "main.default.closed");
    engine.catalog.deny("CREATE_TABLE", "main.shut");
  });
  for (const [sql, privilege, on] of denied) {
    test(`${privilege} is asked for by ${sql}`, () =>
      checkRefused(sql, new RegExp(`INSUFFICIENT_PERMISSIONS.*${privilege} on '${on}'`)));
  }

  test("are granted and revoked", async () => {
    await engine.run("GRANT SELECT, MODIFY ON TABLE t TO `bob@example.com`");
    await engine.run("REVOKE MODIFY ON TABLE t FROM `bob@example.com`");
    await check("SHOW GRANTS ON TABLE t", "bob@example.com SELECT TABLE main.default.t");
  });
});

describe("what it can't do is refused by name", () => {
  const refused: readonly (readonly [sql: string, says: RegExp])[] = [
    ["SELECT kurtosis(id) FROM t", /the function kurtosis\(\)/],
    ["SELECT my.own.fn(1)", /functions of users \(my\.own\.fn\)/],
    ["SELECT * FROM read_parquet('/etc/passwd')", /the function read_parquet\(\)/],
    ["SELECT * FROM '/etc/passwd'", /TABLE_OR_VIEW_NOT_FOUND/],
    ["SELECT * FROM t VERSION AS OF 1", /time travel/],
    ["SELECT * FROM t TABLESAMPLE (5 ROWS)", /TABLESAMPLE/],
    ["SELECT CAST('2026-01-01' AS TIMESTAMP_NTZ)", /TIMESTAMP_NTZ/],
    ["SELECT a[id] FROM (SELECT id, array(1) AS a FROM t)", /a subscript that is not a constant/],
    ["SELECT ?", /unnamed parameters/],
    ["CREATE TABLE x (id INT DEFAULT 1)", /DEFAULT values/],
    ["CREATE TABLE x (id BIGINT GENERATED ALWAYS AS IDENTITY)", /generated columns/],
    ["CREATE TABLE x (id INT, CONSTRAINT pk PRIMARY KEY (id))", /constraints on a table/],
    ["CREATE TABLE x (v GEOGRAPHY)", /the type GEOGRAPHY/],
    ["CREATE TABLE x (id INT) USING ICEBERG", /USING ICEBERG/],
    ["CREATE TABLE x (id INT) LOCATION 's3://b'", /external tables/],
    [
      "CREATE TABLE x (id INT) TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')",
      /enableChangeDataFeed/,
    ],
    ["ALTER TABLE t DROP COLUMN v", /ALTER TABLE … DROP COLUMN/],
    ["ALTER TABLE t RENAME TO u", /ALTER TABLE … RENAME TO/],
    ["COPY INTO t FROM 's3://bucket/x' FILEFORMAT = JSON", /anywhere but a volume/],
    ["COPY INTO t FROM '/Volumes/main/default/in' FILEFORMAT = AVRO", /COPY INTO from AVRO/],
    ["SELECT * FROM main.information_schema.tables", /information_schema/],
    ["CREATE FUNCTION f() RETURNS INT RETURN 1", /CREATE FUNCTION/],
    ["EXPLAIN SELECT 1", /the statement EXPLAIN/],
    ["SELEC 1", /PARSE_SYNTAX_ERROR.*'SELEC'/],
    ["SELECT 1; SELECT 2", /PARSE_SYNTAX_ERROR/],
    ["", /The statement is empty/],
  ];
  for (const [sql, says] of refused) test(sql, () => checkRefused(sql, says));
});
