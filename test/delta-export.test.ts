/**
 * The history of a monitor goes to Delta tables of the local workspace: each row once,
 * however often it is done and wherever it was stopped, and what can't be done is told.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemClock } from "../src/clock.ts";
import { executeStatement, readStatementRows } from "../src/databricks/statements.ts";
import { chooseWarehouse, type DeltaTarget } from "../src/export/delta/delta-target.ts";
import { exportHistory } from "../src/export/delta/export-history.ts";
import { defaultTablePlace } from "../src/history/databricks-tables.ts";
import { diskFiles, type Files } from "../src/history/files.ts";
import { History } from "../src/history/history.ts";
import { builtInPriceBook } from "../src/signals/prices.ts";
import { type ClientOptions, type DeploySetting, openDeploySetting } from "./deploy-setting.ts";
import { sendCapture, startMonitor } from "./start-monitor.ts";

const directory = mkdtempSync(join(tmpdir(), "delta-export-"));
const home = join(directory, "history");
const dataDirectory = join(directory, "data");
let setting: DeploySetting;

before(() => {
  setting = openDeploySetting({ principals: ["nobody"] });
});
after(async () => {
  await setting.close();
  rmSync(directory, { recursive: true });
});

async function target(schema: string, options: ClientOptions = {}): Promise<DeltaTarget> {
  const client = setting.client(options);
  const warehouseId = await chooseWarehouse(setting.client(), undefined);
  return { client, warehouseId, place: { ...defaultTablePlace, schema } };
}

async function ask(sql: string): Promise<string[]> {
  const client = setting.client();
  const warehouse_id = await chooseWarehouse(client, undefined);
  const rows = readStatementRows(
    client,
    await executeStatement(client, { statement: sql, warehouse_id }),
  );
  const texts: string[] = [];
  for await (const row of rows) texts.push(row.join(" "));
  return texts;
}

/** A monitor takes it, and stops: so its traces are closed, and its rows sealed. */
async function take(capture: string): Promise<void> {
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
    dataDirectory,
    keep: true,
  });
  await sendCapture(monitor.url, capture);
  await monitor.close();
}

test("each row is there once, however often it is done", async () => {
  await take("callback-err-429-0042.otlp.pb");
  const first = await exportHistory(home, await target("monitoring"));
  assert.ok((first.tables["ml.monitoring.agent_monitoring_metrics"] ?? 0) > 0);
  assert.equal((await exportHistory(home, await target("monitoring"))).rows, 0);

  await take("callback-rag-0001.otlp.pb");
  const second = await exportHistory(home, await target("monitoring"));
  const counted = await ask(
    `SELECT count(*), count(DISTINCT event_id) FROM ml.monitoring.agent_monitoring_module_calls`,
  );
  const calls = "ml.monitoring.agent_monitoring_module_calls";
  const expected = (first.tables[calls] ?? 0) + (second.tables[calls] ?? 0);
  assert.deepEqual(counted, [`${expected} ${expected}`]);
});

test("the alert of the contract runs as it is written", async () => {
  const alert = `SELECT COUNT(*) AS slow_requests
FROM ml.monitoring.agent_monitoring_metrics
WHERE metric_name = 'request_latency_ms' AND value > 1000
  AND timestamp > current_timestamp() - INTERVAL 5 MINUTES
HAVING slow_requests > 10`;
  assert.deepEqual(await ask(alert), []);
  const everyRequest = alert.replace("> 1000", "> 0").replace("5 MINUTES", "50 YEARS");
  assert.equal((await ask(everyRequest.replace("> 10", "> 0"))).length, 1);
});

test("stopped after any call and run again, each row is there once", async () => {
  const rows = await ask("SELECT count(*) FROM ml.monitoring.agent_monitoring_metrics");
  for (let stopAfter = 1; ; stopAfter += 3) {
    const ended = await endOf(stopAfter);
    if (ended === "done") break;
  }
  assert.deepEqual(await ask("SELECT count(*) FROM ml.stopped.agent_monitoring_metrics"), rows);

  async function endOf(stopAfter: number): Promise<"done" | "stopped"> {
    let stop = () => {};
    const stopped = new Promise<"stopped">((resolve) => {
      stop = () => resolve("stopped");
    });
    const onCall = (count: number) => {
      if (count < stopAfter) return;
      stop();
      throw new Error("killed");
    };
    // What is dead here only waits for ever; its locks end as those of a process do.
    const held: (() => void)[] = [];
    const files: Files = {
      ...diskFiles,
      lock(path) {
        const release = diskFiles.lock(path);
        if (release) held.push(release);
        return release;
      },
    };
    const exported = exportHistory(home, await target("stopped", { onCall }), { files });
    const ended = await Promise.race([exported.then(() => "done" as const), stopped]);
    if (ended === "stopped") for (const release of held) release();
    return ended;
  }
});

test("without the right to, it is refused, and says what to grant", async () => {
  await assert.rejects(exportHistory(home, await target("monitoring", { as: "nobody" })), {
    code: "DATABRICKS_FORBIDDEN",
    hint: /USE|READ|privilege/,
  });
});

test("a history that is not there is told, and not made", async () => {
  const nowhere = join(directory, "nowhere");
  await assert.rejects(exportHistory(nowhere, await target("monitoring")), {
    code: "HISTORY_MISSING",
  });
  assert.ok(!existsSync(nowhere));
});

test("a table with another type is left alone, and told", async () => {
  await ask("CREATE SCHEMA ml.other");
  await ask(
    "CREATE TABLE ml.other.agent_monitoring_metrics (event_id STRING, event_date DATE, timestamp STRING)",
  );
  await assert.rejects(exportHistory(home, await target("other")), {
    code: "TABLE_CONFLICT",
    message:
      "cannot write to ml.other.agent_monitoring_metrics: its column timestamp is string, and the rows hold TIMESTAMP",
  });
  assert.deepEqual(await ask("SELECT * FROM ml.other.agent_monitoring_metrics"), []);
});
