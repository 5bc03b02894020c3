/** A model goes onto an MLflow server in the calls that MLflow's own client makes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createLoggedModel,
  createServerModel,
  createServerVersion,
  finishLoggedModel,
  searchServerVersions,
  uploadLoggedModelFile,
} from "./mlflow-server-models.ts";
import { type ApiCase, checkApiCase, clientThatGets } from "./test-answering-client.ts";

const logged = { modelId: "m-1", artifactPath: ["0", "models", "m-1", "artifacts"] };
const uri = "mlflow-artifacts:/0/models/m-1/artifacts";
const found = { version: "2", tags: [{ key: "content", value: "0a1b" }] };
const read = { version: 2, tags: new Map([["content", "0a1b"]]) };

for (const [what, ...apiCase] of [
  [
    "a model is logged",
    (c) => createLoggedModel(c, { experiment_id: "0", name: "support" }),
    { model: { info: { model_id: "m-1", artifact_uri: uri } } },
    'POST /api/2.0/mlflow/logged-models {"experiment_id":"0","name":"support"}',
    logged,
  ],
  [
    "its files go up through the server",
    (c) => uploadLoggedModelFile(c, logged, { path: "code/a b.py", bytes: new Uint8Array(3) }),
    {},
    "PUT /api/2.0/mlflow-artifacts/artifacts/0/models/m-1/artifacts/code/a%20b.py",
  ],
  [
    "it is made ready",
    (c) => finishLoggedModel(c, logged),
    {},
    'PATCH /api/2.0/mlflow/logged-models/m-1 {"model_id":"m-1","status":"LOGGED_MODEL_READY"}',
  ],
  [
    "a name is registered",
    (c) => createServerModel(c, { name: "support" }),
    {},
    'POST /api/2.0/mlflow/registered-models/create {"name":"support"}',
  ],
  [
    "a version points to it",
    (c) => createServerVersion(c, { name: "support", source: "models:/m-1", model_id: "m-1" }),
    { model_version: found },
    'POST /api/2.0/mlflow/model-versions/create {"name":"support","source":"models:/m-1","model_id":"m-1"}',
    read,
  ],
  [
    "the versions are listed with their tags, whatever is in the name",
    (c) => searchServerVersions(c, "it's"),
    { model_versions: [found, { name: "without a version" }] },
    "GET /api/2.0/mlflow/model-versions/search?filter=name+%3D+%27it%27%27s%27&max_results=200&order_by=version_number+DESC",
    [read],
  ],
] satisfies readonly (readonly [string, ...ApiCase])[]) {
  test(what, () => checkApiCase(apiCase));
}

test("a server that keeps files elsewhere is told from one that takes them", async () => {
  const { client } = clientThatGets({
    model: { info: { model_id: "m-1", artifact_uri: "s3://bucket/0/models/m-1" } },
  });
  await assert.rejects(
    createLoggedModel(client, { experiment_id: "0", name: "support" }),
    /keeps its files elsewhere than on the server/,
  );
});
