/**
 * Looks at what there is before anything is done: the agent's files on this machine,
 * then the model and the endpoint in the workspace. Reads only; what must not be
 * changed is refused here.
 */
import type { AgentConfig } from "../config/agent-config.ts";
import { getServingEndpoint, type ServingEndpoint } from "../databricks/serving-endpoints.ts";
import { MonitorError } from "../monitor-error.ts";
import { orNull } from "./databricks-says.ts";
import { readRecord } from "./endpoint/deployment-record.ts";
import { mainEntity } from "./endpoint/desired-config.ts";
import { buildModelDirectory, type ModelDirectory } from "./model-directory/model-directory.ts";
import { readSources } from "./model-directory/read-sources.ts";
import { findRegisteredVersion, findVersionByContent } from "./model-version/find-version.ts";
import type { DeployContext } from "./progress.ts";

export type Seen = {
  readonly endpoint: ServingEndpoint | null;
  readonly modelName: string;
  /** `null` for a model that is registered already. */
  readonly directory: ModelDirectory | null;
  readonly isModelThere: boolean;
  /** The one to be served, as far as it is there; not yet ready where somebody was killed over it. */
  readonly version: { readonly number: number; readonly isReady: boolean } | null;
  readonly warnings: readonly string[];
};

export async function observe({ client }: DeployContext, config: AgentConfig): Promise<Seen> {
  const { deployment, model } = config;
  // What is wrong on this machine is told before the workspace is asked.
  const directory = "code" in model ? buildModelDirectory(await readSources(config, model)) : null;
  const endpoint = await orNull(getServingEndpoint(client, deployment.servingEndpoint));
  const modelName = modelNameOf(config);
  const warnings = endpoint ? checkOwner(config, endpoint, modelName) : [];
  if ("name" in model) {
    const version = { number: await findRegisteredVersion(client, model), isReady: true };
    return { endpoint, modelName, directory, isModelThere: true, version, warnings };
  }
  const contentHash = directory?.contentHash ?? "";
  const { isModelThere, version } = await findVersionByContent(client, { modelName, contentHash });
  const found = version && { number: version.version, isReady: version.status === "READY" };
  return { endpoint, modelName, directory, isModelThere, version: found, warnings };
}

export function modelNameOf({ deployment, model }: AgentConfig): string {
  return "name" in model
    ? model.name
    : `${deployment.catalog}.${deployment.schema}.${deployment.modelName}`;
}

/**
 * @returns warnings.
 * @throws MonitorError `ENDPOINT_NAME_TAKEN` when somebody else's model is served there.
 */
export function checkOwner(
  config: AgentConfig,
  endpoint: ServingEndpoint,
  modelName: string,
): readonly string[] {
  const entities = [...endpoint.servedEntities, ...endpoint.pendingEntities];
  const isOurs =
    entities.length === 0 ||
    entities.some((entity) => {
      return entity.entityName === modelName || readRecord(entity)?.agent === config.name;
    });
  if (!isOurs) {
    const [other] = entities;
    const maker = endpoint.creator === null ? "" : `, made by ${endpoint.creator}`;
    throw new MonitorError(
      "ENDPOINT_NAME_TAKEN",
      `endpoint "${endpoint.name}" serves ${other?.entityName ?? "another model"}${maker}; ${modelName} is not deployed over it`,
      { hint: "Choose another deployment.serving_endpoint, or delete that endpoint first." },
    );
  }
  const main = mainEntity(endpoint.servedEntities, endpoint.routes);
  const before = main && readRecord(main)?.environment;
  if (!before || before === config.environment) return [];
  const now = config.environment ?? "no environment";
  return [`endpoint "${endpoint.name}" was deployed as ${before} before, now as ${now}`];
}
