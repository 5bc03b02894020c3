/**
 * What every workspace has to do for our client, written once, for the local workspace
 * and for a real one. A case makes only objects whose names begin with its own prefix,
 * and removes them again, also when it fails.
 */
import assert from "node:assert/strict";
import {
  changeGrants,
  createModelVersion,
  createRegisteredModel,
  createSchema,
  createSecretScope,
  createVolume,
  type DatabricksClient,
  DatabricksError,
  deleteDirectory,
  deleteFile,
  deleteModelAlias,
  deleteModelVersion,
  deleteRegisteredModel,
  deleteSchema,
  deleteSecret,
  deleteSecretScope,
  deleteVolume,
  deleteWorkspaceObject,
  downloadFile,
  executeStatement,
  exportWorkspaceObject,
  finalizeModelVersion,
  findModelFileRoute,
  getCatalog,
  getCurrentUser,
  getEffectiveGrants,
  getGrants,
  getModelVersionByAlias,
  getRegisteredModel,
  getSchema,
  getServingEndpoint,
  getVolume,
  getWarehouse,
  getWorkspaceObject,
  headFile,
  importWorkspaceObject,
  isAlreadyThere,
  isNotThere,
  listDirectory,
  listModelVersions,
  listSecretScopes,
  listSecrets,
  listServingEndpoints,
  listWarehouses,
  listWorkspaceObjects,
  makeWorkspaceDirectories,
  putSecret,
  type Row,
  readStatementRows,
  setModelAlias,
  tableExists,
  uploadFile,
  uploadModelFile,
} from "../src/databricks.ts";
import { objectCases } from "./client-contract-objects.ts";

export type ContractSetting = {
  readonly client: DatabricksClient;
  /** Where the identity may make schemas. */
  readonly catalog: string;
  readonly warehouseId: string;
  /** Letters, digits and `_`; nobody else's objects begin with it. */
  readonly prefix: string;
};

const bytes = (text: string) => new TextEncoder().encode(text);

export const contractCases: Readonly<Record<string, (setting: ContractSetting) => Promise<void>>> =
  {
    ...objectCases,

    "the credentials belong to somebody": async ({ client }) => {
      assert.notEqual((await getCurrentUser(client)).userName, "");
    },

    "what is not there is told so": async ({ client, catalog, prefix }) => {
      for (const ask of [
        () => getServingEndpoint(client, `${prefix}-none`),
        () => getSchema(client, `${catalog}.${prefix}_none`),
        () => getVolume(client, `${catalog}.default.${prefix}_none`),
        () => getRegisteredModel(client, `${catalog}.default.${prefix}_none`),
        () => getWorkspaceObject(client, `/Shared/${prefix}_none`),
      ]) {
        await assert.rejects(ask, isNotThere);
      }
      assert.equal(await headFile(client, `/Volumes/${catalog}/default/${prefix}_none/a`), null);
    },

    "endpoints and warehouses are listed as they are read": async ({ client, warehouseId }) => {
      const { endpoints, unreadable } = await listServingEndpoints(client);
      assert.equal(unreadable, 0);
      for (const { name, id } of endpoints.slice(0, 3)) {
        assert.equal((await getServingEndpoint(client, name)).id, id);
      }
      const listed = (await listWarehouses(client)).find(({ id }) => id === warehouseId);
      assert.equal(listed?.name, (await getWarehouse(client, warehouseId)).name);
    },

    "files of a volume": async (setting) => {
      const { client } = setting;
      await inSchema(setting, "files", async (schema) => {
        const [catalog_name = "", schema_name = ""] = schema.split(".");
        const volume = {
          catalog_name,
          schema_name,
          name: "files",
          volume_type: "MANAGED",
        } as const;
        await createVolume(client, volume);
        await assert.rejects(createVolume(client, volume), isAlreadyThere);
        const directory = `/Volumes/${schema.replace(".", "/")}/files/a b`;
        const path = `${directory}/ü (1).json`;
        await uploadFile(client, path, bytes('{"a":1}'), { overwrite: false });
        await assert.rejects(
          uploadFile(client, path, bytes("{}"), { overwrite: false }),
          isAlreadyThere,
        );
        assert.equal((await headFile(client, path))?.sizeBytes, 7);
        assert.deepEqual(
          (await listDirectory(client, directory)).map(({ name, sizeBytes }) => [name, sizeBytes]),
          [["ü (1).json", 7]],
        );
        assert.equal(await textOf(downloadFile(client, path)), '{"a":1}');
        assert.equal(await textOf(downloadFile(client, path, { range: "bytes=1-3" })), '"a"');
        await assert.rejects(deleteDirectory(client, directory), DatabricksError);
        await deleteFile(client, path);
        await deleteDirectory(client, directory);
        await deleteVolume(client, `${schema}.files`);
      });
    },

    "SQL, its failures and its rows": async (setting) => {
      const { client, warehouseId: warehouse_id } = setting;
      await inSchema(setting, "sql", async (schema) => {
        const run = (statement: string) =>
          executeStatement(client, { statement, warehouse_id, parameters: [] });
        const table = `${schema}.numbers`;
        await run(`CREATE TABLE ${table} (n BIGINT, what STRING)`);
        assert.equal(await tableExists(client, table), true);
        await run(`INSERT INTO ${table} VALUES (9007199254740993, 'large'), (NULL, NULL)`);
        const found = await executeStatement(client, {
          statement: `SELECT n, what FROM ${table} WHERE n = :n OR n IS NULL ORDER BY n NULLS LAST`,
          warehouse_id,
          parameters: [{ name: "n", value: "9007199254740993", type: "BIGINT" }],
        });
        assert.deepEqual(
          found.columns.map(({ name, typeName }) => [name, typeName]),
          [
            ["n", "LONG"],
            ["what", "STRING"],
          ],
        );
        const rows: Row[] = [];
        for await (const row of readStatementRows(client, found)) rows.push(row);
        assert.deepEqual(rows, [
          ["9007199254740993", "large"],
          [null, null],
        ]);
        await assert.rejects(run(`SELECT * FROM ${schema}.nothing`), (error) => {
          assert.ok(error instanceof DatabricksError);
          assert.equal(error.call.status, 200);
          assert.notEqual(error.call.errorCode, null);
          assert.match(error.message, /TABLE_OR_VIEW_NOT_FOUND/);
          return true;
        });
        await run(`DROP TABLE ${table}`);
        assert.equal(await tableExists(client, table), false);
      });
    },

    "a model version with its files, and an alias": async (setting) => {
      const { client } = setting;
      await inSchema(setting, "models", async (schema) => {
        const modelName = `${schema}.agent`;
        await createRegisteredModel(client, { name: modelName });
        await assert.rejects(createRegisteredModel(client, { name: modelName }), isAlreadyThere);
        const made = await createModelVersion(client, { modelName, source: "contract" });
        assert.deepEqual([made.version, made.status], [1, "PENDING_REGISTRATION"]);
        const route = await findModelFileRoute(client, made);
        await uploadModelFile(client, made, {
          path: "MLmodel",
          bytes: bytes("flavors: {}\n"),
          route,
        });
        const { status } = await finalizeModelVersion(client, made);
        assert.equal(status, "READY");
        await setModelAlias(client, { modelName, alias: "champion", version: 1 });
        const found = await getModelVersionByAlias(client, { modelName, alias: "champion" });
        assert.deepEqual([found.version, found.status], [1, "READY"]);
        assert.equal((await getRegisteredModel(client, modelName)).aliases.get("champion"), 1);
        assert.deepEqual(
          (await listModelVersions(client, modelName)).map(({ version }) => version),
          [1],
        );
        await deleteModelAlias(client, { modelName, alias: "champion" });
        await deleteModelVersion(client, made);
        await deleteRegisteredModel(client, modelName);
      });
    },

    "grants, one's own and inherited": async (setting) => {
      const { client, catalog } = setting;
      assert.equal((await getCatalog(client, catalog)).name, catalog);
      const { userName: principal } = await getCurrentUser(client);
      await inSchema(setting, "grants", async (fullName) => {
        const schema = { type: "schema", fullName };
        await changeGrants(client, schema, [{ principal, add: ["SELECT", "USE_SCHEMA"] }]);
        await changeGrants(client, schema, [{ principal, remove: ["USE_SCHEMA"] }]);
        const own = (await getGrants(client, schema)).find((g) => g.principal === principal);
        assert.deepEqual(own?.privileges, ["SELECT"]);
        const [effective] = await getEffectiveGrants(client, schema, { principal });
        const found = effective?.privileges.find(({ privilege }) => privilege === "SELECT");
        assert.equal(found?.inheritedFrom, null);
        await changeGrants(client, schema, [{ principal, remove: ["SELECT"] }]);
      });
    },

    "notebooks and folders": async ({ client, prefix }) => {
      const folder = `/Shared/${prefix}_ü`;
      const path = `${folder}/notebook`;
      const notebook = {
        path,
        content: "print('ü')",
        format: "SOURCE",
        language: "PYTHON",
      } as const;
      await makeWorkspaceDirectories(client, folder);
      await makeWorkspaceDirectories(client, folder);
      try {
        await importWorkspaceObject(client, notebook);
        await assert.rejects(importWorkspaceObject(client, notebook), isAlreadyThere);
        await importWorkspaceObject(client, { ...notebook, overwrite: true });
        const object = await getWorkspaceObject(client, path);
        assert.deepEqual([object.type, object.language], ["NOTEBOOK", "PYTHON"]);
        assert.deepEqual(
          (await listWorkspaceObjects(client, folder)).map((each) => each.path),
          [path],
        );
        const source = await exportWorkspaceObject(client, { path, format: "SOURCE" });
        assert.match(new TextDecoder().decode(source), /print\('ü'\)/);
      } finally {
        await deleteWorkspaceObject(client, folder, { recursive: true });
      }
      await assert.rejects(getWorkspaceObject(client, path), isNotThere);
    },

    secrets: async ({ client, prefix }) => {
      const scope = `${prefix}_scope`;
      await createSecretScope(client, { scope });
      try {
        await assert.rejects(createSecretScope(client, { scope }), isAlreadyThere);
        assert.ok((await listSecretScopes(client)).includes(scope));
        await putSecret(client, { scope, key: "k", value: "one" });
        await putSecret(client, { scope, key: "k", value: "two" });
        assert.deepEqual(
          (await listSecrets(client, scope)).map(({ key }) => key),
          ["k"],
        );
        await deleteSecret(client, { scope, key: "k" });
      } finally {
        await deleteSecretScope(client, scope);
      }
    },
  };

/** Makes a schema for a case, which has to empty it again. */
async function inSchema(
  { client, catalog, prefix }: ContractSetting,
  name: string,
  use: (schema: string) => Promise<void>,
): Promise<void> {
  const schema = `${prefix}_${name}`;
  await createSchema(client, { name: schema, catalog_name: catalog });
  await assert.rejects(
    createSchema(client, { name: schema, catalog_name: catalog }),
    isAlreadyThere,
  );
  const fullName = `${catalog}.${schema}`;
  await use(fullName).catch(async (error) => {
    await deleteSchema(client, fullName, { force: true }).catch(() => {});
    throw error;
  });
  await deleteSchema(client, fullName);
}

async function textOf(file: ReturnType<typeof downloadFile>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of (await file).chunks) text += decoder.decode(chunk, { stream: true });
  return text;
}
