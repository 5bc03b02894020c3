/** With the grants that the config names, a second principal may read what it should and nothing else. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { downloadFile, listDirectory, uploadFile } from "../src/databricks/files.ts";
import { executeStatement, readStatementRows } from "../src/databricks/statements.ts";
import { chooseWarehouse } from "../src/export/delta/delta-target.ts";
import { tableNames } from "../src/history/tables.ts";
import { type DeploySetting, openDeploySetting } from "./deploy-setting.ts";

const SCHEMA = "ml.monitoring";
const VOLUME = "/Volumes/ml/monitoring/agent_monitoring_files";
let setting: DeploySetting;
let warehouse_id: string;

before(async () => {
  setting = openDeploySetting({ principals: ["analysts", "nobody"] });
  warehouse_id = await chooseWarehouse(setting.client(), undefined);
  const result = await setting.deployer().deploy(setting.agent({ name: "read" }));
  assert.equal(result.status, "success");
  assert.deepEqual(result.warnings, []);
  // Others keep something in the same schema, and in the catalog.
  await ask("CREATE TABLE ml.monitoring.of_others (secret STRING)");
  await ask("CREATE SCHEMA ml.elsewhere");
  await ask("CREATE TABLE ml.elsewhere.of_others (secret STRING)");
  await uploadFile(setting.client(), `${VOLUME}/rows.parquet`, new Uint8Array([1, 2, 3]));
});
after(() => setting.close());

test("a reader reads each of the tables", async () => {
  for (const name of tableNames) {
    await ask(`SELECT * FROM ${SCHEMA}.agent_monitoring_${name}`, "analysts");
  }
});

for (const [what, sql] of [
  ["other tables of the schema", "SELECT * FROM ml.monitoring.of_others"],
  ["tables of other schemas", "SELECT * FROM ml.elsewhere.of_others"],
  ["writing", `INSERT INTO ${SCHEMA}.agent_monitoring_alerts (event_id) VALUES ('x')`],
  ["deleting", `DELETE FROM ${SCHEMA}.agent_monitoring_metrics`],
  ["dropping", `DROP TABLE ${SCHEMA}.agent_monitoring_metrics`],
  ["changing columns", `ALTER TABLE ${SCHEMA}.agent_monitoring_metrics ADD COLUMNS (x STRING)`],
  ["making tables", "CREATE TABLE ml.monitoring.mine (x STRING)"],
  ["passing it on", `GRANT SELECT ON TABLE ${SCHEMA}.agent_monitoring_metrics TO nobody`],
] as const) {
  test(`a reader has no right to: ${what}`, () =>
    assert.rejects(ask(sql, "analysts"), { code: "DATABRICKS_FORBIDDEN" }));
}

test("a reader does not see the files that rows come in", async () => {
  const client = setting.client({ as: "analysts" });
  await assert.rejects(listDirectory(client, VOLUME), { code: "DATABRICKS_FORBIDDEN" });
  await assert.rejects(downloadFile(client, `${VOLUME}/rows.parquet`), {
    code: "DATABRICKS_FORBIDDEN",
  });
});

test("whom the config does not name reads nothing", () =>
  assert.rejects(ask(`SELECT * FROM ${SCHEMA}.agent_monitoring_metrics`, "nobody"), {
    code: "DATABRICKS_FORBIDDEN",
  }));

test("a deployment that is done again changes no grants", async () => {
  setting.calls();
  const again = await setting.deployer().deploy(setting.agent({ name: "read" }));
  assert.equal(again.status, "unchanged");
  assert.deepEqual(
    setting.calls().filter((call) => /^PATCH .*permissions/.test(call)),
    [],
  );
});

async function ask(statement: string, as?: string): Promise<(string | null)[][]> {
  const client = setting.client(as === undefined ? {} : { as });
  const rows: (string | null)[][] = [];
  const done = await executeStatement(client, { statement, warehouse_id });
  for await (const row of readStatementRows(client, done)) rows.push([...row]);
  return rows;
}
