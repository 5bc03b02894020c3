/** What queries become for DuckDB: a golden file, renewed with UPDATE=1 and read by `git diff`. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openDatabase } from "./load-duckdb.ts";
import { translate } from "./translate.ts";

const golden = new URL("golden/translations.txt", import.meta.url);

const queries = [
  "SELECT COUNT(*) AS slow FROM ml.monitoring.m WHERE metric_name = 'x' AND timestamp > current_timestamp() - INTERVAL 5 MINUTES HAVING slow > 10",
  "SELECT `a b`, labels['k'], items[0], s.f FROM main.s.t AS t",
  "SELECT main.s.t.x FROM main.s.t",
  "WITH t AS (SELECT 1 AS x) SELECT x FROM t JOIN s.u USING (x)",
  "SELECT payload:a.b::INT, CAST(x AS INT), CAST(x AS STRING), try_cast(x AS INT) FROM t",
  "SELECT x::TIMESTAMP, try_cast(try_cast(x AS DATE) AS STRING) FROM t",
  "SELECT a || b, concat(a, b), a / b, a % b, a DIV b, a <=> b FROM t",
  "SELECT x LIKE 'a\\\\_b', x LIKE 'a_b', x RLIKE '^a' FROM t",
  "SELECT count(*), collect_list(x), percentile(x, 0.95), percentile_approx(x, 0.95), max_by(x, y) FROM t GROUP BY ALL",
  "SELECT date_format(ts, 'yyyy-MM-dd HH:mm'), date_trunc('MINUTE', ts), datediff(MINUTE, a, b), dateadd(DAY, 1, a) FROM t",
  "SELECT window(ts, '5 minutes').start, count(*) FROM t GROUP BY window(ts, '5 minutes')",
  "SELECT transform(a, x -> x + 1), filter(a, x -> x > 1), aggregate(a, 0, (s, x) -> s + x) FROM t",
  "SELECT t.id, e.item FROM t LATERAL VIEW explode(t.items) e AS item",
  "SELECT a.x FROM a LEFT ANTI JOIN b ON a.x = b.x",
  "SELECT sum(x) OVER (PARTITION BY k ORDER BY ts), lag(x) OVER (ORDER BY ts) FROM t QUALIFY row_number() OVER (ORDER BY ts DESC) = 1",
  "SELECT from_json(x, 'a INT, b ARRAY<STRING>').a, get_json_object(x, '$.a') FROM t",
  "SELECT id FROM range(5)",
  "SELECT current_user(), current_catalog(), 9007199254740993, 1.50, 1e3, 1.0D",
];

test("queries are translated as recorded", async () => {
  const directory = mkdtempSync(join(tmpdir(), "translate-"));
  const database = await openDatabase(directory);
  const connection = await database.connect();
  const lines: string[] = [];
  for (const sql of queries) {
    const translated = await translate(connection, database.translator, sql, {
      nowMs: Date.UTC(2026, 0, 15, 12),
      session: { user: "ada@example.com", catalog: "main", schema: "default" },
      relation: (path) => path.join("/"),
    });
    lines.push(sql, `  → ${translated}`, "");
  }
  connection.closeSync();
  database.close();
  rmSync(directory, { recursive: true });
  const text = lines.join("\n");
  if (process.env.UPDATE === "1") writeFileSync(golden, text);
  assert.equal(text, readFileSync(golden, "utf8"));
});
