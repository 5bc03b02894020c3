/**
 * What our client sends where Databricks' SDK has no call is what MLflow's own client
 * sends, as a recorder saw both: registering a model version with its files, and
 * reading traces. Each operation is several requests here.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { createDatabricksClient, type DatabricksClient } from "../../src/databricks/client.ts";
import * as registry from "../../src/databricks/mlflow-model-registry.ts";
import * as traces from "../../src/databricks/mlflow-traces.ts";
import { Secret } from "../../src/databricks/secret.ts";
import { type RecordedRequest, type Recorder, startRecorder } from "./request-recorder.ts";
import { runProgram } from "./run-program.ts";

const python = new URL("../../.peers/mlflow/bin/python", import.meta.url).pathname;
const script = new URL("mlflow-requests.py", import.meta.url).pathname;

const modelName = "ml.agents.support";
const files: Readonly<Record<string, string>> = {
  MLmodel: `flavors:
  python_function:
    loader_module: mlflow.pyfunc.loaders.code_model
    model_code_path: python_model.py
signature:
  inputs: '[{"type": "string", "name": "question", "required": true}]'
  outputs: '[{"type": "string", "name": "answer", "required": true}]'
`,
  "artifacts/program.json": '{"program": 1}',
  "python_model.py": "answer = 42\n",
};

async function registersVersion(client: DatabricksClient): Promise<void> {
  const version = await registry.createModelVersion(client, { modelName, source: model });
  const route = await registry.findModelFileRoute(client, version);
  for (const path of Object.keys(files)) {
    const bytes = readFileSync(join(model, path));
    await registry.uploadModelFile(client, version, { path, bytes, route });
  }
  await registry.finalizeModelVersion(client, version);
}

const server = (client: DatabricksClient) => ({ client, download: client.external.getText });

const operations: Readonly<Record<string, (client: DatabricksClient) => Promise<unknown>>> = {
  "a model is registered": (client) =>
    registry.createRegisteredModel(client, { name: modelName, description: "Answers" }),
  "a version is registered through the files API": registersVersion,
  "a version is registered at signed addresses": registersVersion,
  "a version is read": (client) => registry.getRegistryVersion(client, { modelName, version: 3 }),
  "traces are searched": (client) =>
    traces.searchTraces(server(client), { id: "7", name: "/a" }, { fromMs: 5, pageToken: null }),
  "traces are read": (client) => traces.getTraces(server(client), ["tr-1", "tr-2"]),
  "the file of a trace is read": (client) => traces.getTraceArtifact(server(client), "tr-1"),
};

let recorder: Recorder;
let model = "";
let said = "";
const sent = new Map<string, readonly RecordedRequest[]>();

function answer(operation: string, { path }: RecordedRequest): unknown {
  if (path.endsWith("is-databricks-sdk-models-artifact-repository-enabled")) {
    const enabled = !operation.endsWith("signed addresses");
    return { is_databricks_sdk_models_artifact_repository_enabled: enabled };
  }
  if (path.endsWith("generate-temporary-credentials")) {
    return { credentials: { storage_mode: "DEFAULT_STORAGE" } };
  }
  if (path.endsWith("create-upload-url"))
    return { url: `${recorder.url}/signed?sig=1`, headers: [] };
  if (path.endsWith("credentials-for-data-download")) {
    return { credential_info: { signed_uri: `${recorder.url}/signed?sig=1` } };
  }
  if (path.includes("/model-versions/")) {
    return { model_version: { name: modelName, version: "3", status: "READY" } };
  }
  return {};
}

before(async () => {
  model = mkdtempSync(join(tmpdir(), "mlflow-requests-"));
  mkdirSync(join(model, "artifacts"));
  for (const [path, text] of Object.entries(files)) writeFileSync(join(model, path), text);
  recorder = await startRecorder(answer);
  const { code, output } = await runProgram(python, [script, model], {
    env: { DATABRICKS_HOST: recorder.url, DATABRICKS_TOKEN: "dapi-x" },
  });
  assert.equal(code, 0, output);
  said = output;
  for (const name of Object.keys(operations)) sent.set(name, recorder.requestsOf(name));
});
after(() => {
  recorder.close();
  rmSync(model, { recursive: true });
});

for (const [name, ours] of Object.entries(operations)) {
  test(name, async () => {
    const client = createDatabricksClient({
      credentials: {
        host: recorder.url,
        signIn: { kind: "token", token: new Secret("dapi-x") },
        source: "environment",
      },
      fetch,
      clock: systemClock,
      random: Math.random,
    });
    await fetch(`${recorder.url}/recorder/${encodeURIComponent(name)}`, { method: "POST" });
    await ours(client);
    const theirs = sent.get(name) ?? [];
    assert.ok(theirs.length > 0, said);
    // Files go up at the same time with MLflow, in any order.
    const inOrder = (requests: readonly RecordedRequest[]) =>
      requests.toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
    assert.deepEqual(inOrder(recorder.requestsOf(name)), inOrder(theirs));
  });
}
