/** What is read from Unity Catalog's answers about versions of models. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  deleteModelVersion,
  getModelVersion,
  getModelVersionByAlias,
  listModelVersions,
  type ModelVersion,
} from "./model-versions.ts";
import { clientThatGets } from "./test-answering-client.ts";

const modelName = "ml.agents.support";
const unsaid: ModelVersion = {
  modelName,
  version: null,
  status: null,
  comment: null,
  source: null,
  runId: null,
  createdBy: null,
  createdMs: null,
};

test("a version, asked by its number", async () => {
  const { client, seen } = clientThatGets({
    catalog_name: "ml",
    schema_name: "agents",
    model_name: "support",
    version: 7,
    status: "READY",
    created_by: "ada@example.com",
    created_at: 1767225600000,
    storage_location: "s3://bucket/x",
    something_new: { a: 1 },
  });
  assert.deepEqual(await getModelVersion(client, { modelName, version: 7 }), {
    ...unsaid,
    version: 7,
    status: "READY",
    createdBy: "ada@example.com",
    createdMs: 1767225600000,
  });
  assert.deepEqual(seen, ["GET /api/2.1/unity-catalog/models/ml.agents.support/versions/7"]);
});

test("a version, asked by an alias", async () => {
  const { client, seen } = clientThatGets({ version: "3", status: "PENDING_REGISTRATION" });
  assert.deepEqual(await getModelVersionByAlias(client, { modelName, alias: "champion" }), {
    ...unsaid,
    version: 3,
    status: "PENDING_REGISTRATION",
  });
  assert.deepEqual(seen, ["GET /api/2.1/unity-catalog/models/ml.agents.support/aliases/champion"]);
});

test("all versions of a model", async () => {
  const { client, seen } = clientThatGets({
    model_versions: [{ version: 2, comment: "better", run_id: "r", source: "agent.yaml" }, {}],
  });
  assert.deepEqual(await listModelVersions(client, modelName), [
    { ...unsaid, version: 2, comment: "better", runId: "r", source: "agent.yaml" },
    unsaid,
  ]);
  assert.deepEqual(seen, ["GET /api/2.1/unity-catalog/models/ml.agents.support/versions"]);
});

test("a version goes", async () => {
  const { client, seen } = clientThatGets({});
  await deleteModelVersion(client, { modelName, version: 2 });
  assert.deepEqual(seen, ["DELETE /api/2.1/unity-catalog/models/ml.agents.support/versions/2"]);
});

for (const [what, answer, expected] of [
  ["no status", { version: 1 }, { ...unsaid, version: 1 }],
  ["no version", { status: "READY" }, { ...unsaid, status: "READY" }],
  [
    "fields of other types",
    { version: 1, status: 3, created_at: "soon" },
    { ...unsaid, version: 1 },
  ],
] as const) {
  test(`what is not said is null: ${what}`, async () => {
    const { client } = clientThatGets(answer);
    assert.deepEqual(await getModelVersion(client, { modelName, version: 1 }), expected);
  });
}

for (const answer of [null, [], 7, {}, { version: {}, status: [] }]) {
  test(`not a version of a model: ${JSON.stringify(answer)}`, async () => {
    const { client } = clientThatGets(answer);
    await assert.rejects(getModelVersion(client, { modelName, version: 1 }), {
      code: "DATABRICKS_FAILED",
      message: /cannot read version 1 of model "ml\.agents\.support".*is not a version of a model/,
    });
  });
}

test("a refusal says what to grant", async () => {
  const { client } = clientThatGets(
    { error_code: "PERMISSION_DENIED", message: "No." },
    { status: 403 },
  );
  await assert.rejects(getModelVersion(client, { modelName, version: 1 }), {
    code: "DATABRICKS_FORBIDDEN",
    hint: /EXECUTE on model "ml\.agents\.support"/,
  });
});

test("a name can't reach another part of the API", async () => {
  const { client, seen } = clientThatGets({ version: 1 });
  await getModelVersionByAlias(client, { modelName: "a/../../x?y", alias: "b/c#d" });
  assert.deepEqual(seen, [
    "GET /api/2.1/unity-catalog/models/a%2F..%2F..%2Fx%3Fy/aliases/b%2Fc%23d",
  ]);
  await assert.rejects(getModelVersion(client, { modelName: "..", version: 1 }), {
    code: "USAGE_INVALID",
  });
});
