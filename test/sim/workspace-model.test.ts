/**
 * The model of the workspace, kept honest: what an export does is done against it and against the
 * local workspace, and both tell the same, call by call.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { createDatabricksClient, type DatabricksClient } from "../../src/databricks/client.ts";
import { DatabricksError } from "../../src/databricks/databricks-error.ts";
import { deleteFile, headFile, listDirectory, uploadFile } from "../../src/databricks/files.ts";
import { createSchema, getSchema } from "../../src/databricks/schemas.ts";
import { Secret } from "../../src/databricks/secret.ts";
import { executeStatement, readStatementRows } from "../../src/databricks/statements.ts";
import { listTables } from "../../src/databricks/tables.ts";
import { createVolume, getVolume } from "../../src/databricks/volumes.ts";
import { chooseWarehouse } from "../../src/export/delta/delta-target.ts";
import {
  copyIntoSql,
  createTableSql,
  defaultTablePlace,
  mergeSql,
} from "../../src/history/databricks-tables.ts";
import { connect, type DuckDBConnection, loadDuckDb } from "../../src/history/duckdb.ts";
import { PendingRows } from "../../src/history/pending-rows.ts";
import { writeParquet } from "../../src/history/write-parquet.ts";
import { type DeploySetting, openDeploySetting } from "../deploy-setting.ts";
import { randomFrom } from "../kill/random.ts";
import { ORIGIN } from "./machine.ts";
import { createNetwork } from "./network.ts";
import { closeParquetReader } from "./parquet-rows.ts";
import { createWorkspaceModel } from "./workspace-model.ts";
import { Process } from "./world.ts";

const directory = mkdtempSync(join(tmpdir(), "model-"));
const place = { ...defaultTablePlace, schema: "contract" };
const schemaName = "ml.contract";
const volumeName = "agent_monitoring_files";
const table = `${schemaName}.agent_monitoring_metrics`;
const volume = `/Volumes/ml/contract/${volumeName}`;
let setting: DeploySetting;
let connection: DuckDBConnection;

before(async () => {
  setting = openDeploySetting();
  connection = await connect(await loadDuckDb(), { threads: 1, temporaryDirectory: directory });
});
after(async () => {
  connection.closeSync();
  await closeParquetReader();
  await setting.close();
  rmSync(directory, { recursive: true });
});

type Asked = { readonly client: DatabricksClient; readonly warehouseId: string };

/** In the order in which an export and its troubles could ask. */
const calls: readonly (readonly [string, (asked: Asked) => Promise<unknown>])[] = [
  ["a schema that is not there", ({ client }) => getSchema(client, schemaName)],
  ["a volume that is not there", ({ client }) => getVolume(client, `${schemaName}.${volumeName}`)],
  ["tables of a schema that is not there", tablesOf],
  [
    "making the schema",
    ({ client }) =>
      createSchema(client, { name: "contract", catalog_name: "ml" }).then(() => "made"),
  ],
  [
    "making it again",
    ({ client }) => createSchema(client, { name: "contract", catalog_name: "ml" }),
  ],
  ["uploading to no volume", (asked) => upload(asked, "a.parquet", 1)],
  ["making the volume", (asked) => makeVolume(asked).then(() => "made")],
  ["making it again", makeVolume],
  ["no tables", tablesOf],
  ["making the table", (asked) => run(asked, createTableSql(place, "metrics"))],
  ["making it again", (asked) => run(asked, createTableSql(place, "metrics"))],
  ["its columns", tablesOf],
  ["a directory that is not there", (asked) => list(asked)],
  ["a file that is not there", ({ client }) => headFile(client, `${volume}/h/a.parquet`)],
  ["uploading", (asked) => upload(asked, "a.parquet", 1)],
  ["uploading again", (asked) => upload(asked, "a.parquet", 1)],
  [
    "its size",
    async ({ client }) => Number((await headFile(client, `${volume}/h/a.parquet`))?.sizeBytes) > 0,
  ],
  ["what is there", list],
  ["loading it", (asked) => copy(asked, ["a.parquet"])],
  ["loading it again", (asked) => copy(asked, ["a.parquet"])],
  ["one more beside it", (asked) => upload(asked, "b.parquet", 2)],
  ["loading both loads the new one", (asked) => copy(asked, ["a.parquet", "b.parquet"])],
  ["loading one that is not there", (asked) => copy(asked, ["c.parquet"])],
  [
    "one that is no Parquet file",
    ({ client }) =>
      uploadFile(client, `${volume}/h/d.parquet`, new Uint8Array(9), { overwrite: false }),
  ],
  ["loading it", (asked) => copy(asked, ["d.parquet"])],
  ["deleting it", ({ client }) => deleteFile(client, `${volume}/h/d.parquet`)],
  [
    "adding a column that is there",
    (asked) =>
      run(
        asked,
        `ALTER TABLE \`ml\`.\`contract\`.\`agent_monitoring_metrics\` ADD COLUMNS (\`value\` DOUBLE)`,
      ),
  ],
  ["adding rows", (asked) => merge(asked, ["m1", "m2"])],
  ["adding them again, and another", (asked) => merge(asked, ["m1", "m2", "m3"])],
  ["adding none", (asked) => merge(asked, [])],
  ["adding one twice at once", (asked) => merge(asked, ["m4", "m4"])],
  ["dropping the table", (asked) => run(asked, `DROP TABLE ${table}`)],
  ["dropping it again", (asked) => run(asked, `DROP TABLE ${table}`)],
  ["no tables any more", tablesOf],
  ["adding rows to no table", (asked) => merge(asked, ["m1"])],
  ["loading into no table", (asked) => copy(asked, ["a.parquet"])],
  ["making it anew", (asked) => run(asked, createTableSql(place, "metrics"))],
  ["loading what was loaded into the one before", (asked) => copy(asked, ["a.parquet"])],
  ["dropping the volume", (asked) => run(asked, `DROP VOLUME ${schemaName}.${volumeName}`)],
  ["loading from no volume", (asked) => copy(asked, ["b.parquet"])],
  ["uploading to no volume", (asked) => upload(asked, "b.parquet", 2)],
  ["making the volume anew", (asked) => makeVolume(asked).then(() => "made")],
  ["its files are gone", list],
  ["uploading to it", (asked) => upload(asked, "b.parquet", 2)],
  [
    "dropping a schema with what is in it",
    (asked) => run(asked, `DROP SCHEMA ${schemaName} CASCADE`),
  ],
  ["there is no schema", tablesOf],
  ["making a table in no schema", (asked) => run(asked, createTableSql(place, "metrics"))],
  ["making a volume in no schema", makeVolume],
];

test("the model answers as the local workspace does", async () => {
  const local = setting.client();
  const warehouseId = await chooseWarehouse(local, undefined);
  const model = modelClient();
  const [expected, actual]: [unknown[], unknown[]] = [[], []];
  for (const [what, call] of calls) {
    expected.push([what, await outcomeOf(call, { client: local, warehouseId })]);
    actual.push([what, await outcomeOf(call, { client: model, warehouseId: "w" })]);
  }
  assert.deepEqual(actual, expected);
});

/** What whoever asks can tell apart: values, and of a failure its code and status. */
async function outcomeOf(call: (asked: Asked) => Promise<unknown>, asked: Asked): Promise<unknown> {
  try {
    return { value: (await call(asked)) ?? null };
  } catch (error) {
    if (!(error instanceof DatabricksError)) throw error;
    const { code, call: failed } = error;
    const isSql = failed.status === 200;
    return { code, status: failed.status, errorCode: isSql ? "SQL" : failed.errorCode };
  }
}

function modelClient(): DatabricksClient {
  const world = {
    random: { ...randomFrom(1), between: () => 0 },
    nowMs: () => Date.now(),
    after: (_: number, work: () => unknown) => {
      const timer = setImmediate(work);
      return () => clearImmediate(timer);
    },
    real: <T>(work: Promise<T>) => work,
    note: () => {},
    noteStep: () => {},
    sleep: () => {},
    lines: [],
    escaped: [],
    run: async () => {},
  };
  const model = createWorkspaceModel(world, { origin: ORIGIN, slowShare: 0 });
  const network = createNetwork(world, model);
  const process = new Process("contract", world, () => 0);
  return createDatabricksClient({
    credentials: {
      host: ORIGIN,
      source: "the model",
      signIn: { kind: "client-credentials", clientId: "c", clientSecret: new Secret("s") },
    },
    fetch: network.fetchFor(process),
    clock: systemClock,
    random: () => 0,
  });
}

async function tablesOf({ client }: Asked) {
  const tables = await listTables(client, { catalogName: "ml", schemaName: "contract" });
  return tables.map(({ fullName, columns }) => ({
    fullName,
    columns: columns.map(({ name, typeText }) => [name, typeText]),
  }));
}

function makeVolume({ client }: Asked) {
  return createVolume(client, {
    catalog_name: "ml",
    schema_name: "contract",
    name: volumeName,
    volume_type: "MANAGED",
  });
}

async function upload({ client }: Asked, name: string, rows: number): Promise<void> {
  const pending = new PendingRows();
  for (let at = 1; at <= rows; at++) {
    const common = [`${name} ${at}`, 1_800_000_000_000, "w", "qa", null, "test"];
    pending.add({ table: "metrics", values: [...common, "cpu", "gauge", at, { a: "b" }] }, at);
  }
  const [written] = pending.tables();
  assert.ok(written);
  const path = join(directory, name);
  await writeParquet(written, { path, tableId: "t" }, { duckDb: await loadDuckDb(), connection });
  await uploadFile(client, `${volume}/h/${name}`, readFileSync(path), { overwrite: false });
}

async function list({ client }: Asked) {
  const entries = await listDirectory(client, `${volume}/h`);
  return entries.map(({ name, isDirectory }) => ({ name, isDirectory }));
}

function copy(asked: Asked, files: readonly string[]) {
  return run(
    asked,
    copyIntoSql(place, "metrics", { directory: `${volume}/h`, files, format: "PARQUET" }),
  );
}

function merge(asked: Asked, eventIds: readonly string[]) {
  const rows = eventIds.map((eventId) => ({
    event_id: eventId,
    event_date: "2027-01-15",
    timestamp: "2027-01-15T08:00:00.000Z",
    metric_name: "cpu",
    value: 1,
    labels: { a: "b" },
  }));
  const dates = { from: "2027-01-15", to: "2027-01-15" };
  return run(asked, mergeSql(place, "metrics", dates), JSON.stringify(rows));
}

/** How many rows it says that it inserted. */
async function run(
  { client, warehouseId }: Asked,
  sql: string,
  rows?: string,
): Promise<string | null> {
  const statement = await executeStatement(client, {
    statement: sql,
    warehouse_id: warehouseId,
    ...(rows !== undefined && { parameters: [{ name: "rows", value: rows }] }),
  });
  const at = statement.columns.findIndex(({ name }) => name === "num_inserted_rows");
  for await (const row of readStatementRows(client, statement)) return row[at] ?? null;
  return null;
}
