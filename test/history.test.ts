/**
 * The history of a running monitor: what was sent over OTLP can be asked for in SQL, is
 * there once over restarts, and survives the death of the process that writes it.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { makeHistoryDirectory } from "../src/cli/monitor/data-directory.ts";
import { systemClock } from "../src/clock.ts";
import { History } from "../src/history/history.ts";
import { openHistory } from "../src/history/query.ts";
import { builtInPriceBook } from "../src/signals/prices.ts";
import type { Journal } from "../src/store/journal.ts";
import { sendCapture, startMonitor } from "./start-monitor.ts";

const directory = mkdtempSync(join(tmpdir(), "history-"));
after(() => rmSync(directory, { recursive: true }));

test("what was sent can be asked for in SQL, and is there once over restarts", async () => {
  const home = join(directory, "restarts");
  const dataDirectory = mkdtempSync(join(directory, "data-"));
  for (let start = 1; start <= 3; start++) {
    const monitor = await startMonitor({
      startHistory: historyIn(home),
      dataDirectory,
      keep: true,
    });
    if (start < 3) await sendCapture(monitor.url, "callback-react-tool-error-0020.otlp.pb");
    if (start === 2) await sendCapture(monitor.url, "callback-err-429-0042.otlp.pb");
    await monitor.close();
  }
  assert.deepEqual(await ask(home, "SELECT count(*), count(DISTINCT event_id) FROM requests"), [
    [2, 2],
  ]);
  assert.deepEqual(await ask(home, "SELECT error_type, severity FROM errors ORDER BY ALL"), [
    ["ConnectionError", "warning"],
    ["LMRateLimitError", "error"],
  ]);
  const [[calls, distinct] = []] = await ask(
    home,
    "SELECT count(*), count(DISTINCT event_id) FROM module_calls",
  );
  assert.ok(Number(calls) > 10 && calls === distinct, `${calls} calls, ${distinct} ids`);
});

test("when the process that writes it dies, the next round begins anew, and nothing is lost", async () => {
  const home = join(directory, "killed");
  const notices: string[] = [];
  let history: History | undefined;
  const monitor = await startMonitor({
    startHistory: (journal) => {
      history = historyIn(home, (notice) => notices.push(notice))(journal);
      return history;
    },
  });
  await sendCapture(monitor.url, "callback-err-429-0042.otlp.pb");
  await history?.seal();
  process.kill(history?.processId ?? 0, "SIGKILL");
  await history?.seal();
  await sendCapture(monitor.url, "callback-react-tool-error-0020.otlp.pb");
  await monitor.close();
  assert.deepEqual(await ask(home, "SELECT count(*), count(DISTINCT event_id) FROM requests"), [
    [2, 2],
  ]);
  assert.match(notices.join("\n"), /^(cannot write the history: its process ended|$)/);
});

test("the alert of the contract runs as it is written", async () => {
  const home = join(directory, "alert");
  const monitor = await startMonitor({ startHistory: historyIn(home) });
  await sendCapture(monitor.url, "callback-rag-0001.otlp.pb");
  await monitor.close();
  const alert = `SELECT COUNT(*) AS slow_requests
FROM ml.monitoring.agent_monitoring_metrics
WHERE metric_name = 'request_latency_ms' AND value > 1000
  AND timestamp > current_timestamp() - INTERVAL 5 MINUTES
HAVING slow_requests > 10`;
  assert.deepEqual(await ask(home, alert), []);
  const everyRequest = alert.replace("1000", "0").replace("5 MINUTES", "50 YEARS");
  assert.deepEqual(await ask(home, everyRequest.replace("> 10", "> 0")), [[1]]);
});

test("a query reads the history, and nothing else", async () => {
  const home = join(directory, "alert");
  for (const sql of [
    "COPY requests TO '/tmp/requests.csv'",
    "SELECT * FROM read_text('/etc/hostname')",
    "INSTALL httpfs",
    "SET enable_external_access = true",
    "ATTACH '/tmp/other.db'",
    // DuckDB may write where it may read.
    `COPY (SELECT 1 AS x) TO '${join(home, "requests", "evil.parquet")}'`,
    `EXPLAIN ANALYZE COPY (SELECT 1 AS x) TO '${join(home, "requests", "evil.parquet")}'`,
    `EXPORT DATABASE '${join(home, "exported")}'`,
    "DROP TABLE metrics",
    "CREATE TABLE mine (x INT)",
    "SELECT 1; SELECT 2",
    " -- nothing",
    "SELEC 1",
  ]) {
    await assert.rejects(ask(home, sql), { code: "QUERY_INVALID" }, sql);
  }
  assert.ok(!readdirSync(join(home, "requests")).includes("evil.parquet"));
  assert.ok(!readdirSync(home).includes("exported"));
  for (const sql of [
    "FROM requests SELECT 1;",
    "WITH x AS (FROM requests) SELECT 1 FROM x",
    "(SELECT 1) UNION (SELECT 1)",
    "PIVOT (SELECT 1 AS a) ON a IN (1) USING count(*)",
    "SELECT 'DROP TABLE requests; --'",
    "VALUES (1)",
  ]) {
    assert.equal((await ask(home, sql)).length, 1, sql);
  }
  for (const sql of [
    "DESCRIBE requests",
    "SHOW TABLES",
    "SUMMARIZE requests",
    "EXPLAIN FROM errors",
  ])
    assert.notEqual((await ask(home, sql)).length, 0, sql);
  await assert.rejects(openHistory(join(directory, "nowhere")), { code: "HISTORY_MISSING" });
});

test("before the first rows are sealed every table is there, and empty", async () => {
  const home = join(directory, "first-minute");
  makeHistoryDirectory(home);
  const history = await openHistory(home);
  const count = () => history.query("SELECT count(*) FROM requests", { rowsMax: 1 });
  assert.deepEqual([(await count()).rows, history.isEmpty()], [[[0]], true]);
  const monitor = await startMonitor({ startHistory: historyIn(home) });
  await sendCapture(monitor.url, "callback-rag-0001.otlp.pb");
  await monitor.close();
  assert.deepEqual([(await count()).rows, history.isEmpty()], [[[1]], false]);
  history.close();
});

test("a file of rows that is gone is told as damage, and as no bug", async () => {
  const home = join(directory, "gone");
  const monitor = await startMonitor({ startHistory: historyIn(home) });
  await sendCapture(monitor.url, "callback-rag-0001.otlp.pb");
  await monitor.close();
  const [rows = ""] = readdirSync(join(home, "requests")).filter((name) =>
    name.endsWith(".parquet"),
  );
  rmSync(join(home, "requests", rows));
  await assert.rejects(ask(home, "SELECT count(*) FROM requests"), {
    code: "STORE_DAMAGED",
    message: /cannot read the history: .*rows-/,
    hint: /seals the rows of that file again/,
  });
});

test("a file of rows with other bytes in it is told as damage, and not as wrong SQL", async () => {
  const home = join(directory, "changed");
  const monitor = await startMonitor({ startHistory: historyIn(home) });
  await sendCapture(monitor.url, "callback-rag-0001.otlp.pb");
  await monitor.close();
  const [rows = ""] = readdirSync(join(home, "requests")).filter((name) =>
    name.endsWith(".parquet"),
  );
  const path = join(home, "requests", rows);
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.subarray(0, 300));
  await assert.rejects(ask(home, "FROM requests"), { code: "STORE_DAMAGED" });
  writeFileSync(path, bytes.fill("X", 200, 260));
  await assert.rejects(ask(home, "FROM requests"), { code: "STORE_DAMAGED" });
  await assert.rejects(ask(home, "SELECT nothing FROM errors"), { code: "QUERY_INVALID" });
});

function historyIn(home: string, onNotice: (notice: string) => void = assert.fail) {
  return (journal: Journal) =>
    new History({
      directory: home,
      entriesAfter: (seq) => journal.entriesAfter(seq),
      clock: systemClock,
      workspaceId: "local",
      priceBook: builtInPriceBook,
      onNotice,
    });
}

async function ask(home: string, sql: string): Promise<readonly (readonly unknown[])[]> {
  const history = await openHistory(home);
  try {
    return (await history.query(sql, { rowsMax: 100 })).rows;
  } finally {
    history.close();
  }
}
