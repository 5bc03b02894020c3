/** Models in the local workspace: registered by MLflow's own client, and read by the official SDK. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { startLocalWorkspace } from "../../src/local-workspace/workspace.ts";
import { testDocumentedRoutes } from "./documented-routes.ts";
import { driveSdk, sdk } from "./drive-sdk.ts";
import { runProgram } from "./run-program.ts";

const python = new URL("../../.peers/mlflow/bin/python", import.meta.url).pathname;
const script = new URL("mlflow-registry.py", import.meta.url).pathname;

const workspace = await startLocalWorkspace({
  otlpUrl: null,
  clock: systemClock,
  principals: { ann: "token-of-ann" },
});
const tokens = { admin: workspace.token, ann: "token-of-ann" };
const model = "ml.agents.support";

await driveSdk({
  url: workspace.url,
  tokens,
  calls: [
    {
      what: "a schema for models",
      call: "schemas.create",
      args: { catalog_name: "ml", name: "agents" },
    },
    {
      what: "a model is made",
      call: "registered_models.create",
      args: { catalog_name: "ml", schema_name: "agents", name: "Support", comment: "answers" },
      answers: { full_name: model, comment: "answers", owner: "local-workspace@example.com" },
    },
    {
      what: "the same name again is refused",
      call: "registered_models.create",
      args: { catalog_name: "ml", schema_name: "agents", name: "support" },
      refuses: {
        type: "ResourceAlreadyExists",
        code: "RESOURCE_ALREADY_EXISTS",
        says: /Routine or Model 'ml.agents.support' already exists/,
      },
    },
    {
      what: "who may not, doesn't",
      call: "registered_models.create",
      args: { catalog_name: "ml", schema_name: "agents", name: "mine" },
      as: "ann",
      refuses: { type: "PermissionDenied", says: /USE CATALOG on Catalog 'ml'/ },
    },
    {
      what: "a model that is not there is not found",
      call: "registered_models.get",
      args: { full_name: "ml.agents.nobody" },
      refuses: {
        type: "ResourceDoesNotExist",
        code: "RESOURCE_DOES_NOT_EXIST",
        says: /Routine or Model 'ml.agents.nobody' does not exist/,
      },
    },
    {
      what: "an alias needs its version",
      call: "registered_models.set_alias",
      args: { full_name: model, alias: "champion", version_num: 1 },
      refuses: { type: "ResourceDoesNotExist", says: /version '1' of model/ },
    },
    {
      what: "a model of two levels is none",
      call: "registered_models.get",
      args: { full_name: "ml.support" },
      refuses: { type: "InvalidParameterValue", says: /specify all three levels/ },
    },
    {
      what: "an example is there, and says that its answers are recorded",
      call: "model_versions.get",
      args: { full_name: "main.agents.support_rag", version: 1, include_aliases: true },
      answers: {
        status: "READY",
        comment: "recorded: answers of support-rag that were recorded. ",
        aliases: [{ alias_name: "champion", version_num: 1 }],
      },
    },
    {
      what: "by its alias, too",
      call: "model_versions.get_by_alias",
      args: { full_name: "main.agents.support_rag", alias: "champion" },
      answers: { version: 1 },
    },
    {
      what: "an alias is set",
      call: "registered_models.set_alias",
      args: { full_name: "main.agents.support_rag", alias: "challenger", version_num: 1 },
      answers: { alias_name: "challenger", version_num: 1 },
    },
    {
      what: "and shown with its model",
      call: "registered_models.get",
      args: { full_name: "main.agents.support_rag", include_aliases: true },
      answers: { aliases: [{ alias_name: "champion" }, { alias_name: "challenger" }] },
    },
    {
      what: "it is deleted",
      call: "registered_models.delete_alias",
      args: { full_name: "main.agents.support_rag", alias: "challenger" },
    },
    {
      what: "and deleted once",
      call: "registered_models.delete_alias",
      args: { full_name: "main.agents.support_rag", alias: "challenger" },
      refuses: { type: "ResourceDoesNotExist", says: /Alias 'challenger'/ },
    },
    {
      what: "an alias that looks like a version is refused",
      call: "registered_models.set_alias",
      args: { full_name: "main.agents.support_rag", alias: "v1", version_num: 1 },
      refuses: { type: "InvalidParameterValue", says: /'v1' is not a valid alias/ },
    },
    {
      what: "versions are listed",
      call: "model_versions.list",
      args: { full_name: "main.agents.support_rag" },
      answers: [{ version: 1, status: "READY" }],
    },
    {
      what: "files of a version that is ready don't change",
      call: "files.upload",
      args: { file_path: "/Models/main/agents/support_rag/1/MLmodel", contents: sdk.file("x") },
      refuses: { type: "PermissionDenied", says: /can't be changed: it is READY/ },
    },
    {
      what: "a version's comment is changed",
      call: "model_versions.update",
      args: { full_name: "main.agents.triage_pipeline", version: 1, comment: "the first" },
      answers: { version: 1 },
    },
    {
      what: "a version is deleted",
      call: "model_versions.delete",
      args: { full_name: "main.agents.triage_pipeline", version: 1 },
    },
    {
      what: "and gone",
      call: "model_versions.get",
      args: { full_name: "main.agents.triage_pipeline", version: 1 },
      refuses: { type: "ResourceDoesNotExist", says: /version '1'/i },
    },
    {
      what: "models are listed",
      call: "registered_models.list",
      args: { catalog_name: "main", schema_name: "agents" },
      answers: [{ name: "support_rag" }, { name: "order_agent" }, { name: "triage_pipeline" }],
    },
    {
      what: "a comment is changed",
      call: "registered_models.update",
      args: { full_name: model, comment: "answers questions" },
      answers: { comment: "answers questions" },
    },
    { what: "a model is deleted", call: "registered_models.delete", args: { full_name: model } },
    {
      what: "also one with versions",
      call: "registered_models.delete",
      args: { full_name: "main.agents.order_agent" },
    },
    {
      what: "which are gone with it",
      call: "model_versions.get",
      args: { full_name: "main.agents.order_agent", version: 1 },
      refuses: { type: "ResourceDoesNotExist", says: /order_agent/ },
    },
  ],
});

test("the real MLflow client registers a model in the local workspace", async () => {
  const directory = mkdtempSync(join(tmpdir(), "mlflow-registry-"));
  try {
    const { code, output } = await runProgram(python, [script, directory], {
      env: { DATABRICKS_HOST: workspace.url, DATABRICKS_TOKEN: workspace.token },
    });
    assert.equal(code, 0, output);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

after(() => workspace.close());
testDocumentedRoutes(import.meta.url, [workspace]);
