/**
 * Registers an agent on an MLflow server of one's own, where there is no workspace: for
 * trying it out, or for serving it by MLflow itself. The same content is registered once.
 */
import type { AgentConfig } from "../../config/agent-config.ts";
import type { DatabricksClient } from "../../databricks/client.ts";
import {
  createLoggedModel,
  createServerModel,
  createServerVersion,
  finishLoggedModel,
  searchServerVersions,
  uploadLoggedModelFile,
} from "../../databricks/mlflow-server-models.ts";
import { MonitorError } from "../../monitor-error.ts";
import { unlessThere } from "../databricks-says.ts";
import { buildModelDirectory } from "../model-directory/model-directory.ts";
import { readSources } from "../model-directory/read-sources.ts";
import { CONTENT_HASH_TAG } from "./find-version.ts";

export type RegisteredModel = {
  /** `deployment.model_name`. */
  readonly modelName: string;
  readonly modelVersion: string;
  readonly contentHash: string;
  /** `unchanged`: a version has this content already. */
  readonly status: "success" | "unchanged";
};

/** The experiment that every server has. */
const DEFAULT_EXPERIMENT = "0";

export async function registerOnServer(
  client: DatabricksClient,
  config: AgentConfig,
  { experimentId = DEFAULT_EXPERIMENT }: { readonly experimentId?: string | undefined } = {},
): Promise<RegisteredModel> {
  const { model, deployment } = config;
  if (!("code" in model)) {
    throw new MonitorError("CONFIG_INVALID", `${config.file}: the model is registered already`, {
      hint: "Give agent.model.code, the file that is to be registered.",
    });
  }
  const { files, contentHash } = buildModelDirectory(await readSources(config, model));
  const modelName = deployment.modelName;
  const versions = await searchServerVersions(client, modelName);
  const known = versions.find(({ tags }) => tags.get(CONTENT_HASH_TAG) === contentHash);
  if (known) {
    return { modelName, modelVersion: String(known.version), contentHash, status: "unchanged" };
  }
  const tags = [{ key: CONTENT_HASH_TAG, value: contentHash }];
  const logged = await createLoggedModel(client, {
    experiment_id: experimentId,
    name: modelName,
    tags,
  });
  for (const [path, bytes] of files) await uploadLoggedModelFile(client, logged, { path, bytes });
  await finishLoggedModel(client, logged);
  await unlessThere(createServerModel(client, { name: modelName }));
  const { version } = await createServerVersion(client, {
    name: modelName,
    source: `models:/${logged.modelId}`,
    model_id: logged.modelId,
    description: `${config.name} ${config.version}`,
    tags,
  });
  return { modelName, modelVersion: String(version), contentHash, status: "success" };
}
