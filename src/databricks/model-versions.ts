/**
 * Versions of models in Unity Catalog, as far as watching needs them. Reads only,
 * and only what is registered: no file of the model, nothing that costs.
 *
 * Source: databricks-sdk-py 0.156.0, `ModelVersionsAPI.get` and `get_by_alias`.
 */
import { apiPath } from "./api-path.ts";
import type { DatabricksClient } from "./client.ts";
import { integerOf, recordOf, textOf } from "./json-fields.ts";
import type { JsonAnswer } from "./read-answer.ts";

export type ModelVersion = {
  /** With catalog and schema, such as `ml.agents.support`. */
  readonly modelName: string;
  readonly version: number | null;
  /** `READY`, `PENDING_REGISTRATION` or `FAILED_REGISTRATION`; `null` when Databricks does not say. */
  readonly status: string | null;
  readonly createdBy: string | null;
  /** Unix milliseconds. */
  readonly createdMs: number | null;
};

type Options = { readonly signal?: AbortSignal | undefined };

export async function getModelVersion(
  client: DatabricksClient,
  { modelName, version }: { readonly modelName: string; readonly version: number | string },
  { signal }: Options = {},
): Promise<ModelVersion> {
  const answer = await client.getJson(
    apiPath`/api/2.1/unity-catalog/models/${modelName}/versions/${String(version)}`,
    {
      purpose: `read version ${version} of model "${modelName}"`,
      permission: usePermission(modelName),
      signal,
    },
  );
  return readModelVersion(answer, modelName);
}

/** The version that an alias such as `champion` points to now. */
export async function getModelVersionByAlias(
  client: DatabricksClient,
  { modelName, alias }: { readonly modelName: string; readonly alias: string },
  { signal }: Options = {},
): Promise<ModelVersion> {
  const answer = await client.getJson(
    apiPath`/api/2.1/unity-catalog/models/${modelName}/aliases/${alias}`,
    {
      purpose: `read the version of model "${modelName}" with alias "${alias}"`,
      permission: usePermission(modelName),
      signal,
    },
  );
  return readModelVersion(answer, modelName);
}

function usePermission(modelName: string): string {
  return `Give the identity EXECUTE on model "${modelName}", and USE CATALOG and USE SCHEMA on what it is in.`;
}

function readModelVersion(answer: JsonAnswer, modelName: string): ModelVersion {
  const found = recordOf(answer.json);
  const version = integerOf(found?.version);
  const status = textOf(found?.status);
  if (!found || (version === null && status === null)) {
    throw answer.unusable("is not a version of a model");
  }
  return {
    modelName,
    version,
    status,
    createdBy: textOf(found.created_by),
    createdMs: integerOf(found.created_at),
  };
}
