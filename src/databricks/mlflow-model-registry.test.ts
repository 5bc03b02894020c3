/** A model version is registered in the steps that MLflow's own client takes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isAlreadyThere } from "./databricks-error.ts";
import {
  createModelVersion,
  createRegisteredModel,
  finalizeModelVersion,
  findModelFileRoute,
  getRegistryVersion,
  uploadModelFile,
} from "./mlflow-model-registry.ts";
import {
  type ApiCase,
  checkApiCase,
  clientThatAnswers,
  clientThatGets,
} from "./test-answering-client.ts";

const modelName = "ml.agents.support";
const version = { modelName, version: 3 };
const registry = "/api/2.0/mlflow/unity-catalog";
const answer = {
  model_version: {
    name: modelName,
    version: "3",
    status: "PENDING_REGISTRATION",
    source: "agent.yaml",
    tags: [{ key: "content", value: "0a1b" }],
  },
};
const read = {
  modelName,
  version: 3,
  status: "PENDING_REGISTRATION",
  message: null,
  source: "agent.yaml",
  description: null,
  tags: new Map([["content", "0a1b"]]),
};
const bytes = new Uint8Array(3);

for (const [what, ...apiCase] of [
  [
    "a model is registered",
    (c) => createRegisteredModel(c, { name: modelName, description: "Answers" }),
    { registered_model: { name: modelName } },
    `POST ${registry}/registered-models/create {"name":"${modelName}","description":"Answers"}`,
  ],
  [
    "a version is made",
    (c) =>
      createModelVersion(c, {
        modelName,
        source: "agent.yaml",
        tags: [{ key: "content", value: "0a1b" }],
      }),
    answer,
    `POST ${registry}/model-versions/create {"name":"${modelName}","source":"agent.yaml","tags":[{"key":"content","value":"0a1b"}],"feature_deps":""}`,
    read,
  ],
  [
    "a version is finalized",
    (c) => finalizeModelVersion(c, version),
    answer,
    `POST ${registry}/model-versions/finalize {"name":"${modelName}","version":"3"}`,
    read,
  ],
  [
    "a version with its tags",
    (c) => getRegistryVersion(c, version),
    answer,
    `GET ${registry}/model-versions/get?name=${modelName}&version=3`,
    read,
  ],
  [
    "a file goes up through the workspace",
    (c) => uploadModelFile(c, version, { path: "artifacts/p.json", bytes, route: "files-api" }),
    {},
    "PUT /api/2.0/fs/files/Models/ml/agents/support/3/artifacts/p.json?overwrite=true",
  ],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(what, () => checkApiCase(apiCase));
}

test("a file goes to the address that the workspace signs", async () => {
  const { client, seen } = clientThatAnswers((_request, count) =>
    count === 1
      ? Response.json({
          url: "https://storage.example/a?sig=canary",
          headers: [{ name: "x-ms-blob-type", value: "BlockBlob" }],
        })
      : new Response(""),
  );
  await uploadModelFile(client, version, { path: "MLmodel", bytes, route: "signed-address" });
  assert.deepEqual(seen, [
    'POST /api/2.0/fs/create-upload-url {"path":"/Models/ml/agents/support/3/MLmodel"}',
    "PUT https://storage.example/a?sig=canary",
  ]);
});

test("an address that is none is not followed", () =>
  assert.rejects(
    uploadModelFile(clientThatGets({ url: "http://storage.example/a" }).client, version, {
      path: "MLmodel",
      bytes,
      route: "signed-address",
    }),
    /names no https address$/,
  ));

for (const [enabled, mode, expected] of [
  [true, null, "files-api"],
  [false, "DEFAULT_STORAGE", "signed-address"],
  [undefined, "DEFAULT_STORAGE", "signed-address"],
] as const) {
  test(`a workspace that says ${enabled} and ${mode} wants ${expected}`, async () => {
    const { client } = clientThatAnswers((request) =>
      Response.json(
        request.startsWith("GET")
          ? { is_databricks_sdk_models_artifact_repository_enabled: enabled }
          : { credentials: { storage_mode: mode } },
      ),
    );
    assert.equal(await findModelFileRoute(client, version), expected);
  });
}

test("a metastore in somebody's own storage is refused, with what to do instead", () =>
  assert.rejects(
    findModelFileRoute(
      clientThatGets({ credentials: { aws_temp_credentials: {} } }).client,
      version,
    ),
    { code: "USAGE_INVALID", hint: /^Register the version with MLflow's own client/ },
  ));

test("what is there already can be told from other failures", async () => {
  const create = (body: unknown, status: number) =>
    createRegisteredModel(clientThatGets(body, { status }).client, { name: modelName }).catch(
      isAlreadyThere,
    );
  assert.equal(await create({ error_code: "RESOURCE_ALREADY_EXISTS" }, 400), true);
  assert.equal(await create({ error_code: "ALREADY_EXISTS" }, 409), true);
  assert.equal(await create({ error_code: "PERMISSION_DENIED" }, 403), false);
});
