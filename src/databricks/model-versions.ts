/**
 * Versions of models in Unity Catalog, once they are registered. Making one stands in
 * `mlflow-model-registry.ts`.
 *
 * Source: databricks-sdk-py 0.156.0, `ModelVersionsAPI`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { integerOf, type JsonRecord, recordOf, recordsOf, textOf } from "./json-fields.ts";
import { readPages } from "./pages.ts";
import type { JsonAnswer } from "./read-answer.ts";
import { modelPermission } from "./registered-models.ts";

export type ModelVersion = {
  /** With catalog and schema, such as `ml.agents.support`. */
  readonly modelName: string;
  readonly version: number | null;
  /** `READY`, `PENDING_REGISTRATION` or `FAILED_REGISTRATION`; `null` when Databricks does not say. */
  readonly status: string | null;
  readonly comment: string | null;
  /** Where it was registered from. */
  readonly source: string | null;
  readonly runId: string | null;
  readonly createdBy: string | null;
  /** Unix milliseconds. */
  readonly createdMs: number | null;
};

type VersionName = { readonly modelName: string; readonly version: number | string };

export async function getModelVersion(
  client: DatabricksClient,
  { modelName, version }: VersionName,
  limits: CallLimits = {},
): Promise<ModelVersion> {
  const answer = await client.getJson(
    apiPath`/api/2.1/unity-catalog/models/${modelName}/versions/${String(version)}`,
    {
      ...limits,
      purpose: `read version ${version} of model "${modelName}"`,
      permission: modelPermission("EXECUTE", modelName),
    },
  );
  return readAnsweredVersion(answer, modelName);
}

/** The version that an alias such as `champion` points to now. */
export async function getModelVersionByAlias(
  client: DatabricksClient,
  { modelName, alias }: { readonly modelName: string; readonly alias: string },
  limits: CallLimits = {},
): Promise<ModelVersion> {
  const answer = await client.getJson(
    apiPath`/api/2.1/unity-catalog/models/${modelName}/aliases/${alias}`,
    {
      ...limits,
      purpose: `read the version of model "${modelName}" with alias "${alias}"`,
      permission: modelPermission("EXECUTE", modelName),
    },
  );
  return readAnsweredVersion(answer, modelName);
}

export async function listModelVersions(
  client: DatabricksClient,
  modelName: string,
  limits: CallLimits = {},
): Promise<readonly ModelVersion[]> {
  const entries = await readPages("model_versions", (page) =>
    client.getJson(apiPath`/api/2.1/unity-catalog/models/${modelName}/versions`, {
      ...limits,
      query: page,
      purpose: `list the versions of model "${modelName}"`,
      permission: modelPermission("EXECUTE", modelName),
    }),
  );
  return recordsOf(entries).map((entry) => readVersion(entry, modelName));
}

export function deleteModelVersion(
  client: DatabricksClient,
  { modelName, version }: VersionName,
  limits: CallLimits = {},
): Promise<void> {
  return client.delete(
    apiPath`/api/2.1/unity-catalog/models/${modelName}/versions/${String(version)}`,
    {
      ...limits,
      purpose: `delete version ${version} of model "${modelName}"`,
      permission: modelPermission("MANAGE", modelName),
    },
  );
}

function readAnsweredVersion(answer: JsonAnswer, modelName: string): ModelVersion {
  const found = recordOf(answer.json);
  const version = found && readVersion(found, modelName);
  if (!version || (version.version === null && version.status === null)) {
    throw answer.unusable("is not a version of a model");
  }
  return version;
}

function readVersion(found: JsonRecord, modelName: string): ModelVersion {
  return {
    modelName,
    version: integerOf(found.version),
    status: textOf(found.status),
    comment: textOf(found.comment),
    source: textOf(found.source),
    runId: textOf(found.run_id),
    createdBy: textOf(found.created_by),
    createdMs: integerOf(found.created_at),
  };
}
