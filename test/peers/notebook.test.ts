/**
 * The generated notebook runs from top to bottom on Spark with Delta: the tables are made
 * by our SQL, their rows are the history of a monitor that took recorded telemetry, and
 * no figure is empty. So do the queries of the AI/BI dashboard. The local workspace is
 * asked for the state of the endpoint.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { aibiDashboard } from "../../src/dashboards/aibi/aibi.ts";
import { monitoringNotebook } from "../../src/dashboards/notebook/notebook.ts";
import { ruleSql } from "../../src/dashboards/sql-alerts/sql-alerts.ts";
import { createTableSql, quotedTable } from "../../src/history/databricks-tables.ts";
import { History } from "../../src/history/history.ts";
import { tableNames } from "../../src/history/tables.ts";
import { type LocalWorkspace, startLocalWorkspace } from "../../src/local-workspace/workspace.ts";
import { defaultAlertThresholds, thresholdRules } from "../../src/rules/alert-thresholds.ts";
import { builtInPriceBook } from "../../src/signals/prices.ts";
import { sendCapture, startMonitor } from "../start-monitor.ts";
import { type NotebookCell, type Spark, startSpark } from "./start-spark.ts";

/** Open-source Spark has no other catalog with Delta in it. */
const place = { catalog: "spark_catalog", schema: "monitoring", prefix: "agent_monitoring" };
/** One that the workspace has. */
const ENDPOINT = "support-rag";
const captures = [
  "callback-rag-0001.otlp.pb",
  "callback-react-tool-error-0020.otlp.pb",
  "callback-err-429-0042.otlp.pb",
];
const thresholds = {
  ...defaultAlertThresholds,
  latencyP99ThresholdMs: 1,
  latencyThresholdCount: 1,
  errorRateThresholdPercent: 1,
  errorThresholdCount: 1,
  // A machine that is busy takes longer than five minutes for all this.
  latencyWindowSeconds: 86_400,
  errorWindowSeconds: 86_400,
};

/** Spark runs some forty statements before the first test. */
const SETTING_TIMEOUT = { timeout: 600_000 };

const directory = mkdtempSync(join(tmpdir(), "notebook-"));
let spark: Spark;
let workspace: LocalWorkspace;
let cells: readonly NotebookCell[];

before(async () => {
  workspace = await startLocalWorkspace({ clock: systemClock, otlpUrl: "http://127.0.0.1:9" });
  spark = await startSpark({
    env: { DATABRICKS_HOST: workspace.url, DATABRICKS_TOKEN: workspace.token },
  });
  await fillTables();
  const notebook = monitoringNotebook({
    agentName: "support",
    endpointName: ENDPOINT,
    place,
    thresholds,
  });
  const path = join(directory, "notebook.ipynb");
  writeFileSync(path, JSON.stringify(notebook));
  const answer = await spark.ask({ notebook: path });
  assert.equal(answer.error, undefined);
  cells = answer.cells ?? [];
}, SETTING_TIMEOUT);
after(async () => {
  await spark?.stop();
  await workspace?.close();
  rmSync(directory, { recursive: true });
});

test("every figure shows data", () => {
  const figures = cells.flatMap((cell) => cell.figures);
  assert.deepEqual(
    figures.map(({ title, points, bars }) => [title.replace(/:.*/, ""), points + bars > 0]),
    [
      ["Latency", true],
      ["Throughput", true],
      ["Token usage", true],
      ["Where the time goes", true],
      ["Error rate", true],
      ["Failures by cause", true],
      ["Error patterns", true],
      ["Requests that the endpoint counted", true],
      ["Load of the endpoint", true],
    ],
  );
});

test("nothing is missing, and nothing could not be told", () => {
  const printed = cells.map((cell) => cell.printed).join("\n");
  assert.doesNotMatch(printed, /can't be told|Nothing in this time|nothing in the last/);
  assert.match(printed, /Ready +READY/);
  assert.match(printed, /latency_p99 +above/);
  assert.match(printed, /slow_requests +above/);
  assert.match(printed, /requests +\d+ rows, the newest 2/);
});

test("each rule's query says the same to Spark", async () => {
  for (const rule of thresholdRules(ENDPOINT, thresholds)) {
    const [[value] = []] = await spark.rows(ruleSql(rule, place));
    assert.ok(Number(value) > rule.threshold, `${rule.id}: ${value}`);
  }
});

test("each query of the AI/BI dashboard runs on Spark and has something to show", async () => {
  const { datasets } = aibiDashboard({
    agentName: "support",
    endpointName: ENDPOINT,
    place,
    thresholds,
  });
  for (const { name, queryLines } of datasets) {
    const rows = await spark.rows(queryLines.join(""));
    // No second release was seen.
    assert.equal(rows.length > 0, name !== "deployments", name);
  }
});

test("a notebook elsewhere says why the workspace can't be asked, and goes on", async () => {
  const path = join(directory, "elsewhere.ipynb");
  const notebook = monitoringNotebook({
    agentName: "gone",
    endpointName: "no-such-endpoint",
    place,
    thresholds,
  });
  writeFileSync(path, JSON.stringify(notebook));
  const { error, cells: told = [] } = await spark.ask({ notebook: path });
  assert.equal(error, undefined);
  const printed = told.map((cell) => cell.printed).join("\n");
  assert.match(printed, /could not be asked from here \((NotFound|ResourceDoesNotExist)\)/);
  assert.match(printed, /Latency: nothing in the last 24 hours/);
  assert.deepEqual(
    told.flatMap(({ figures }) => figures),
    [],
  );
});

/** What was recorded happened long ago: here, within the last minutes, and to one agent. */
async function fillTables(): Promise<void> {
  const home = join(directory, "history");
  const monitor = await startMonitor({
    startHistory: (journal) =>
      new History({
        directory: home,
        entriesAfter: (seq) => journal.entriesAfter(seq),
        clock: systemClock,
        workspaceId: "local",
        priceBook: builtInPriceBook,
        onNotice: assert.fail,
      }),
  });
  for (const capture of captures) await sendCapture(monitor.url, capture);
  await monitor.close();

  await spark.rows("CREATE SCHEMA IF NOT EXISTS spark_catalog.monitoring");
  for (const name of tableNames) await spark.rows(createTableSql(place, name));
  for (const name of ["metrics", "requests", "module_calls", "errors"] as const) {
    await spark.rows(`INSERT INTO ${quotedTable(place, name)} BY NAME
      SELECT * EXCEPT (ago, event_id, timestamp, event_date, endpoint_name), concat(event_id, '/', ago) AS event_id,
        current_timestamp() - make_dt_interval(0, 0, 0, ago) AS timestamp, current_date() AS event_date,
        '${ENDPOINT}' AS endpoint_name
      FROM delta.\`${join(home, name)}\` CROSS JOIN (SELECT explode(array(30, 90, 7200)) AS ago)`);
  }
  await spark.rows(`INSERT INTO ${quotedTable(place, "metrics")} BY NAME
    SELECT concat('sample-', name, minute) AS event_id, current_date() AS event_date,
      current_timestamp() - make_dt_interval(0, 0, minute) AS timestamp, '${ENDPOINT}' AS endpoint_name,
      'endpoint_metrics' AS source, name AS metric_name, 'gauge' AS metric_type, 10.0D + minute AS value
    FROM (SELECT explode(array('request_count_total', 'request_5xx_count_total', 'cpu_usage_percentage', 'mem_usage_percentage')) AS name)
    LATERAL VIEW explode(sequence(1, 30)) AS minute`);
  await spark.rows(`INSERT INTO ${quotedTable(place, "health")} BY NAME
    SELECT 'h1' AS event_id, current_date() AS event_date, current_timestamp() AS timestamp, '${ENDPOINT}' AS endpoint_name,
      'endpoint ${ENDPOINT}' AS component, 'healthy' AS status, 'ready' AS state, 'It is ready' AS message`);
  await spark.rows(`INSERT INTO ${quotedTable(place, "alerts")} BY NAME
    SELECT 'a1' AS event_id, current_date() AS event_date, current_timestamp() AS timestamp, '${ENDPOINT}' AS endpoint_name,
      'latency_p99' AS rule_id, 'pending' AS from_state, 'firing' AS to_state, 'It is slow' AS reason, 2000.0D AS value, 1000.0D AS threshold`);
}
