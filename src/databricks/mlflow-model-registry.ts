/**
 * Registers models and their versions in Unity Catalog, as MLflow's own client does:
 * the version is made, its files go up, and finalizing it makes it ready.
 *
 * Source: MLflow 3.17.2, `_unity_catalog/registry/rest_store.py`,
 * `databricks_sdk_models_artifact_repo.py` and `presigned_url_artifact_repo.py`.
 */

import { MonitorError } from "../monitor-error.ts";
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { isSafeLink } from "./external-links.ts";
import { integerOf, recordOf, recordsOf, textOf } from "./json-fields.ts";
import type { JsonAnswer } from "./read-answer.ts";
import { modelPermission } from "./registered-models.ts";
import type { ByteSource } from "./upload.ts";

export type RegistryVersion = {
  /** With catalog and schema, such as `ml.agents.support`. */
  readonly modelName: string;
  readonly version: number;
  /** `PENDING_REGISTRATION`, `READY` or `FAILED_REGISTRATION`; `null` when Databricks does not say. */
  readonly status: string | null;
  /** Databricks' own words. */
  readonly message: string | null;
  readonly source: string | null;
  readonly description: string | null;
  readonly tags: ReadonlyMap<string, string>;
};

type Tag = { readonly key: string; readonly value: string };

type VersionName = { readonly modelName: string; readonly version: number };

/** Rejects with `error.call.errorCode` `RESOURCE_ALREADY_EXISTS` where there is one of this name. */
export async function createRegisteredModel(
  client: DatabricksClient,
  {
    name,
    ...details
  }: {
    /** With catalog and schema, such as `ml.agents.support`. */
    readonly name: string;
    readonly description?: string;
    readonly tags?: readonly Tag[];
  },
  limits: CallLimits = {},
): Promise<void> {
  const schema = name.split(".").slice(0, 2).join(".");
  await client.postJson(
    apiPath`/api/2.0/mlflow/unity-catalog/registered-models/create`,
    { name, ...details },
    {
      ...limits,
      purpose: `register model "${name}"`,
      permission: `Give the identity CREATE MODEL and USE SCHEMA on schema "${schema}", and USE CATALOG on what it is in.`,
    },
  );
}

/** The version waits for its files until it is finalized. */
export async function createModelVersion(
  client: DatabricksClient,
  {
    modelName,
    ...details
  }: {
    readonly modelName: string;
    /** Where it comes from, for people to read. */
    readonly source: string;
    readonly run_id?: string;
    readonly description?: string;
    readonly tags?: readonly Tag[];
  },
  limits: CallLimits = {},
): Promise<RegistryVersion> {
  const answer = await client.postJson(
    apiPath`/api/2.0/mlflow/unity-catalog/model-versions/create`,
    // The empty text says that no features of a feature store are used.
    { name: modelName, ...details, feature_deps: "" },
    {
      ...limits,
      purpose: `create a version of model "${modelName}"`,
      permission: modelPermission("CREATE MODEL VERSION", modelName),
    },
  );
  return readVersion(answer, modelName);
}

/** With its tags, which the API of Unity Catalog leaves out. */
export async function getRegistryVersion(
  client: DatabricksClient,
  { modelName, version }: VersionName,
  limits: CallLimits = {},
): Promise<RegistryVersion> {
  const answer = await client.getJson(apiPath`/api/2.0/mlflow/unity-catalog/model-versions/get`, {
    ...limits,
    query: { name: modelName, version: String(version) },
    purpose: `read version ${version} of model "${modelName}"`,
    permission: modelPermission("EXECUTE", modelName),
  });
  return readVersion(answer, modelName);
}

/** After it the files cannot change any more. Doing it again changes nothing. */
export async function finalizeModelVersion(
  client: DatabricksClient,
  { modelName, version }: VersionName,
  limits: CallLimits = {},
): Promise<RegistryVersion> {
  const answer = await client.postJson(
    apiPath`/api/2.0/mlflow/unity-catalog/model-versions/finalize`,
    { name: modelName, version: String(version) },
    {
      ...limits,
      purpose: `finalize version ${version} of model "${modelName}"`,
      permission: modelPermission("CREATE MODEL VERSION", modelName),
      isIdempotent: true,
    },
  );
  return readVersion(answer, modelName);
}

/** Where the files of a version go: through the workspace, or to addresses that it signs. */
export type ModelFileRoute = "files-api" | "signed-address";

/**
 * Asks which way this workspace wants the files of a version.
 *
 * @throws MonitorError `USAGE_INVALID` where the metastore keeps models in cloud
 * storage of its owner: that needs the cloud's own API, which is not spoken here.
 */
export async function findModelFileRoute(
  client: DatabricksClient,
  { modelName, version }: VersionName,
  limits: CallLimits = {},
): Promise<ModelFileRoute> {
  const answer = await client.getJson(
    apiPath`/api/2.0/mlflow/unity-catalog/registered-models:is-databricks-sdk-models-artifact-repository-enabled`,
    { ...limits, purpose: "find out how the files of models are uploaded" },
  );
  const told = recordOf(answer.json);
  if (told?.is_databricks_sdk_models_artifact_repository_enabled === true) return "files-api";

  const credentials = await client.postJson(
    apiPath`/api/2.0/mlflow/unity-catalog/model-versions/generate-temporary-credentials`,
    {
      name: modelName,
      version: String(version),
      operation: "MODEL_VERSION_OPERATION_READ_WRITE",
    },
    {
      ...limits,
      purpose: `find out where the files of model "${modelName}" are kept`,
      permission: modelPermission("CREATE MODEL VERSION", modelName),
      isIdempotent: true,
    },
  );
  const mode = textOf(recordOf(recordOf(credentials.json)?.credentials)?.storage_mode);
  if (mode === "DEFAULT_STORAGE") return "signed-address";
  throw new MonitorError(
    "USAGE_INVALID",
    `the files of model "${modelName}" cannot be uploaded from here: this workspace keeps models in cloud storage of its owner`,
    {
      hint: "Register the version with MLflow's own client, and deploy it by its name and version.",
    },
  );
}

/** @param file with its path in the model's directory, such as `artifacts/program.json`. */
export async function uploadModelFile(
  client: DatabricksClient,
  { modelName, version }: VersionName,
  file: { readonly path: string; readonly bytes: ByteSource; readonly route: ModelFileRoute },
  limits: CallLimits = {},
): Promise<void> {
  const names = ["Models", ...modelName.split("."), String(version), ...file.path.split("/")];
  const purpose = `upload ${file.path} of version ${version} of model "${modelName}"`;
  const permission = modelPermission("CREATE MODEL VERSION", modelName);
  if (file.route === "files-api") {
    await client.putBytes(apiPath`/api/2.0/fs/files/${names}`, file.bytes, {
      ...limits,
      query: { overwrite: "true" },
      purpose,
      permission,
    });
    return;
  }
  const answer = await client.postJson(
    apiPath`/api/2.0/fs/create-upload-url`,
    { path: `/${names.join("/")}` },
    { ...limits, purpose, permission, isIdempotent: true },
  );
  const told = recordOf(answer.json);
  const url = textOf(told?.url);
  if (!isSafeLink(url)) throw answer.unusable("names no https address");
  const headers = Object.fromEntries(
    recordsOf(told?.headers).map(({ name, value }) => [textOf(name) ?? "", textOf(value) ?? ""]),
  );
  await client.external.put({ url, headers }, file.bytes, { ...limits, purpose });
}

function readVersion(answer: JsonAnswer, modelName: string): RegistryVersion {
  const found = recordOf(recordOf(answer.json)?.model_version);
  const version = integerOf(found?.version);
  if (!found || version === null) throw answer.unusable("is not a version of a model");
  return {
    modelName,
    version,
    status: textOf(found.status),
    message: textOf(found.status_message),
    source: textOf(found.source),
    description: textOf(found.description),
    tags: new Map(
      recordsOf(found.tags).map(({ key, value }) => [textOf(key) ?? "", textOf(value) ?? ""]),
    ),
  };
}
