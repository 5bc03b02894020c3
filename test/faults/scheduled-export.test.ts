/**
 * A monitor's exports in real processes against a local workspace: what a deployment asks
 * for is taken up; without a permission it is parked, says which, and goes on by itself
 * when it is given.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { type MonitorExports, startExports } from "../../src/cli/monitor/exports.ts";
import { type Clock, systemClock } from "../../src/clock.ts";
import { createDatabricksClient, type DatabricksClient } from "../../src/databricks/client.ts";
import { resolveCredentials } from "../../src/databricks/credentials.ts";
import { executeStatement, readStatementRows } from "../../src/databricks/statements.ts";
import { chooseWarehouse } from "../../src/export/delta/delta-target.ts";
import { exportHistory } from "../../src/export/delta/export-history.ts";
import type { ExportStatus } from "../../src/export/schedule/scheduled-export.ts";
import { connect, loadDuckDb } from "../../src/history/duckdb.ts";
import { diskFiles } from "../../src/history/files.ts";
import type { SealContext } from "../../src/history/seal.ts";
import { sealMinutes } from "../../src/history/test-minutes.ts";
import { startLocalWorkspace } from "../../src/local-workspace/workspace.ts";
import { writeExportSettings } from "../../src/monitor-client/export-settings.ts";
import type { HealthResult } from "../../src/signals/health-result.ts";

const directory = mkdtempSync(join(tmpdir(), "scheduled-export-"));
const history = join(directory, "history");
const TOKEN = "dapi-of-the-monitor";
const SCHEMA = "SCHEMA ml.monitoring";
const table = "ml.monitoring.agent_monitoring_metrics";
let workspace: Awaited<ReturnType<typeof startLocalWorkspace>>;
let admin: DatabricksClient;
let context: SealContext;
let exports: MonitorExports;
/** What the clock was moved by, so that nobody waits for five minutes. */
let aheadMs = 0;
const notices: string[] = [];
const health: HealthResult[] = [];
const clock: Clock = { ...systemClock, now: () => systemClock.now() + aheadMs };

before(async () => {
  workspace = await startLocalWorkspace({
    clock: systemClock,
    examples: false,
    principals: { monitor: TOKEN },
    otlpUrl: null,
  });
  admin = clientOf(workspace.token);
  const duckDb = await loadDuckDb();
  const temporaryDirectory = join(directory, "tmp");
  const connection = await connect(duckDb, { threads: 1, temporaryDirectory });
  const newId = () => crypto.randomUUID();
  context = { duckDb, connection, files: diskFiles, directory: history, newId };
  await sealMinutes(context, { from: 1, upTo: 3 });
  await writeExportSettings(directory, {
    endpointName: "qa",
    host: workspace.url,
    tables: { catalog: "ml", schema: "monitoring", prefix: "agent_monitoring" },
    every: "10 seconds",
    timezone: "UTC",
    warehouseId: null,
  });
});
after(async () => {
  await exports?.close();
  context.connection.closeSync();
  await workspace.close();
  rmSync(directory, { recursive: true });
});

test("it is taken up, parked without a permission, and goes on when it is given", async () => {
  // Tables that somebody else owns.
  const place = { catalog: "ml", schema: "monitoring", prefix: "agent_monitoring" };
  const warehouseId = await chooseWarehouse(admin, undefined);
  await exportHistory(history, { client: admin, place, warehouseId });
  await ask("GRANT USE CATALOG ON CATALOG ml TO monitor");
  await ask(`GRANT USE SCHEMA, SELECT, READ VOLUME, WRITE VOLUME ON ${SCHEMA} TO monitor`);
  await sealMinutes(context, { from: 4, upTo: 4 });

  process.env.DATABRICKS_HOST = workspace.url;
  process.env.DATABRICKS_TOKEN = TOKEN;
  exports = await startExports({
    monitor: {
      observe: (seen) => {
        health.push(...seen.health);
        return Promise.resolve();
      },
      components: () => [],
    },
    dataDirectory: directory,
    directory: history,
    wanted: null,
    host: workspace.url,
    profile: null,
    clock,
    random: () => 0,
    onNotice: (notice) => notices.push(notice),
  });
  const { reason } = await until(({ state }) => state === "parked");
  assert.match(reason ?? "", /MODIFY on Table 'ml.monitoring.agent_monitoring_metrics'/i);
  assert.match(
    notices.join("\n"),
    /Exporting to .*, every 10 seconds[\s\S]*MODIFY[\s\S]*Nothing is lost/,
  );
  assert.equal(await count(), 6);

  await ask(`GRANT MODIFY ON ${SCHEMA} TO monitor`);
  aheadMs += 5 * 60_000;
  await until(({ state }) => state === "ok");
  assert.match(notices.at(-1) ?? "", /works again/);
  assert.equal(await count(), 8);
});

async function until(isIt: (status: ExportStatus) => boolean): Promise<ExportStatus> {
  for (;;) {
    const [status] = exports.status();
    if (status && isIt(status)) return status;
    await pause(50);
  }
}

async function count(): Promise<number> {
  const [row] = await ask(`SELECT count(*) FROM ${table}`);
  return Number(row?.[0]);
}

function clientOf(token: string): DatabricksClient {
  const credentials = resolveCredentials({
    env: { DATABRICKS_HOST: workspace.url, DATABRICKS_TOKEN: token },
    readFile: () => "",
    homeDirectory: "",
  });
  assert.ok(credentials);
  return createDatabricksClient({ credentials, fetch, clock: systemClock, random: Math.random });
}

async function ask(statement: string): Promise<(string | null)[][]> {
  const warehouse_id = await chooseWarehouse(admin, undefined);
  const rows: (string | null)[][] = [];
  const done = await executeStatement(admin, { statement, warehouse_id });
  for await (const row of readStatementRows(admin, done)) rows.push([...row]);
  return rows;
}
