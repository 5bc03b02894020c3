/** Which version of a model holds the files that are to be served. */

import type { DatabricksClient } from "../../databricks/client.ts";
import { isNotThere } from "../../databricks/databricks-error.ts";
import {
  getRegistryVersion,
  type RegistryVersion,
} from "../../databricks/mlflow-model-registry.ts";
import {
  getModelVersion,
  getModelVersionByAlias,
  listModelVersions,
  type ModelVersion,
} from "../../databricks/model-versions.ts";
import { MonitorError } from "../../monitor-error.ts";
import { orNull } from "../databricks-says.ts";

/** The tag of a version that says what is in it. */
export const CONTENT_HASH_TAG = "dspy_databricks_content_hash";

/** Where a version comes from: Unity Catalog lists it, while it leaves tags out. */
export const SOURCE_PREFIX = "dspy-databricks-agents:";
export const sourceOf = (contentHash: string) => `${SOURCE_PREFIX}${contentHash}`;

/** Of versions whose source Databricks does not tell, the latest so many are asked for their tags. */
const ASKED_MAX = 20;
const USABLE = ["READY", "PENDING_REGISTRATION"];

/**
 * The latest version that holds these files or waits for them; `null` without one. A
 * version whose registration failed is not used again.
 *
 * @returns `isModelThere`: whether the model has been registered at all.
 */
export async function findVersionByContent(
  client: DatabricksClient,
  { modelName, contentHash }: { readonly modelName: string; readonly contentHash: string },
): Promise<{ readonly isModelThere: boolean; readonly version: RegistryVersion | null }> {
  const versions = await orNull(listModelVersions(client, modelName));
  if (versions === null) return { isModelThere: false, version: null };
  const latestFirst = versions
    .filter(({ status }) => status === null || USABLE.includes(status))
    .flatMap((one) => (one.version === null ? [] : [{ ...one, version: one.version }]))
    .sort((a, b) => b.version - a.version);
  const told = latestFirst.filter(({ source }) => source === sourceOf(contentHash));
  const untold = latestFirst.filter(({ source }) => source === null).slice(0, ASKED_MAX);
  for (const { version } of [...told, ...untold]) {
    // Deleted meanwhile is not there.
    const found = await orNull(getRegistryVersion(client, { modelName, version }));
    const isUsable = found?.status === null || USABLE.includes(found?.status ?? "");
    if (found && isUsable && found.tags.get(CONTENT_HASH_TAG) === contentHash) {
      return { isModelThere: true, version: found };
    }
  }
  return { isModelThere: true, version: null };
}

/** @throws MonitorError `MODEL_VERSION_UNKNOWN` with those that are there. */
export async function findRegisteredVersion(
  client: DatabricksClient,
  model: { readonly name: string } & ({ readonly version: number } | { readonly alias: string }),
): Promise<number> {
  const modelName = model.name;
  let found: ModelVersion;
  try {
    found = await ("version" in model
      ? getModelVersion(client, { modelName, version: model.version })
      : getModelVersionByAlias(client, { modelName, alias: model.alias }));
  } catch (error) {
    if (!isNotThere(error)) throw error;
    throw await unknownVersion(client, model, error);
  }
  const version = found.version ?? ("version" in model ? model.version : null);
  if (version === null || (found.status !== null && found.status !== "READY")) {
    throw new MonitorError(
      "MODEL_VERSION_UNKNOWN",
      `version ${version} of model "${modelName}" can't be served: its state is ${found.status}`,
      { hint: "Wait until its registration is finished, or name a version that is READY." },
    );
  }
  return version;
}

async function unknownVersion(
  client: DatabricksClient,
  model: { readonly name: string } & ({ readonly version: number } | { readonly alias: string }),
  cause: unknown,
): Promise<MonitorError> {
  const versions = await orNull(listModelVersions(client, model.name)).catch(() => null);
  const wanted = "version" in model ? `version ${model.version}` : `alias "${model.alias}"`;
  if (versions === null) {
    return new MonitorError("MODEL_VERSION_UNKNOWN", `there is no model "${model.name}"`, {
      hint: "Check agent.model.name: catalog, schema and name, as Unity Catalog shows it.",
      cause,
    });
  }
  const known = versions
    .flatMap(({ version }) => version ?? [])
    .sort((a, b) => b - a)
    .slice(0, 10);
  return new MonitorError("MODEL_VERSION_UNKNOWN", `model "${model.name}" has no ${wanted}`, {
    hint:
      known.length === 0 ? "It has no version yet." : `It has the versions ${known.join(", ")}.`,
    cause,
  });
}
