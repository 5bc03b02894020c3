/**
 * Models on an MLflow server of one's own: a logged model, its files through the server,
 * and a version of a registered model that points to it. Unity Catalog has other calls
 * for the same: `mlflow-model-registry.ts`.
 *
 * Source: MLflow 3.17.2, `store/tracking/rest_store.py`, `store/model_registry/rest_store.py`
 * and `store/artifact/mlflow_artifacts_repo.py`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { integerOf, recordOf, recordsOf, textOf } from "./json-fields.ts";
import type { ByteSource } from "./upload.ts";

export type LoggedModel = {
  readonly modelId: string;
  /** Where its files go, from the root of the server's artifacts. */
  readonly artifactPath: readonly string[];
};

type Tag = { readonly key: string; readonly value: string };

/** It waits for its files until it is made ready. */
export async function createLoggedModel(
  client: DatabricksClient,
  model: { readonly experiment_id: string; readonly name: string; readonly tags?: readonly Tag[] },
  limits: CallLimits = {},
): Promise<LoggedModel> {
  const answer = await client.postJson(apiPath`/api/2.0/mlflow/logged-models`, model, {
    ...limits,
    purpose: `log model "${model.name}"`,
  });
  const info = recordOf(recordOf(recordOf(answer.json)?.model)?.info);
  const modelId = textOf(info?.model_id);
  const uri = textOf(info?.artifact_uri);
  if (modelId === null || uri === null) throw answer.unusable("names no logged model");
  const path = /^mlflow-artifacts:(?:\/\/[^/]*)?\/(.+)$/.exec(uri)?.[1];
  if (path === undefined) {
    throw answer.unusable("keeps its files elsewhere than on the server (--artifacts-destination)");
  }
  return { modelId, artifactPath: path.split("/") };
}

/** @param file with its path in the model's directory. */
export async function uploadLoggedModelFile(
  client: DatabricksClient,
  { modelId, artifactPath }: LoggedModel,
  file: { readonly path: string; readonly bytes: ByteSource },
  limits: CallLimits = {},
): Promise<void> {
  const names = [...artifactPath, ...file.path.split("/")];
  await client.putBytes(apiPath`/api/2.0/mlflow-artifacts/artifacts/${names}`, file.bytes, {
    ...limits,
    purpose: `upload ${file.path} of logged model ${modelId}`,
  });
}

export async function finishLoggedModel(
  client: DatabricksClient,
  { modelId }: Pick<LoggedModel, "modelId">,
  limits: CallLimits = {},
): Promise<void> {
  await client.patchJson(
    apiPath`/api/2.0/mlflow/logged-models/${modelId}`,
    { model_id: modelId, status: "LOGGED_MODEL_READY" },
    { ...limits, purpose: `make logged model ${modelId} ready`, isIdempotent: true },
  );
}

/** Rejects with `error.call.errorCode` `RESOURCE_ALREADY_EXISTS` where there is one of this name. */
export async function createServerModel(
  client: DatabricksClient,
  model: { readonly name: string; readonly description?: string },
  limits: CallLimits = {},
): Promise<void> {
  await client.postJson(apiPath`/api/2.0/mlflow/registered-models/create`, model, {
    ...limits,
    purpose: `register model "${model.name}"`,
  });
}

export type ServerVersion = {
  readonly version: number;
  readonly tags: ReadonlyMap<string, string>;
};

export async function createServerVersion(
  client: DatabricksClient,
  version: {
    readonly name: string;
    /** `models:/<id>`. */
    readonly source: string;
    readonly model_id: string;
    readonly description?: string;
    readonly tags?: readonly Tag[];
  },
  limits: CallLimits = {},
): Promise<ServerVersion> {
  const answer = await client.postJson(apiPath`/api/2.0/mlflow/model-versions/create`, version, {
    ...limits,
    purpose: `create a version of model "${version.name}"`,
  });
  const made = readVersion(recordOf(recordOf(answer.json)?.model_version));
  if (!made) throw answer.unusable("is not a version of a model");
  return made;
}

/** The latest first; at most 200. */
export async function searchServerVersions(
  client: DatabricksClient,
  name: string,
  limits: CallLimits = {},
): Promise<readonly ServerVersion[]> {
  const answer = await client.getJson(apiPath`/api/2.0/mlflow/model-versions/search`, {
    ...limits,
    query: {
      filter: `name = '${name.replaceAll("'", "''")}'`,
      max_results: "200",
      order_by: "version_number DESC",
    },
    purpose: `list the versions of model "${name}"`,
  });
  return recordsOf(recordOf(answer.json)?.model_versions)
    .map(readVersion)
    .filter((version) => version !== null);
}

function readVersion(found: ReturnType<typeof recordOf>): ServerVersion | null {
  const version = integerOf(found?.version);
  if (!found || version === null) return null;
  const tags = recordsOf(found.tags).map(
    ({ key, value }) => [textOf(key) ?? "", textOf(value) ?? ""] as const,
  );
  return { version, tags: new Map(tags) };
}
