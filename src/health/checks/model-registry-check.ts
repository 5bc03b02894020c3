/**
 * Finds out whether a version of a model in Unity Catalog is registered and complete,
 * by its number or by the alias that points to it now. Reads no file of the model.
 */
import type { DatabricksClient } from "../../databricks/client.ts";
import {
  getModelVersion,
  getModelVersionByAlias,
  type ModelVersion,
} from "../../databricks/model-versions.ts";
import { MonitorError } from "../../monitor-error.ts";
import { foreignLine } from "../../signals/foreign-line.ts";
import type { ComponentResult } from "../check.ts";
import { askDatabricks, type Verdict } from "./ask-databricks.ts";

export type ModelRegistryCheckOptions = {
  readonly client: DatabricksClient;
  /** With catalog and schema, such as `ml.agents.support`. */
  readonly modelName: string;
  readonly signal?: AbortSignal | undefined;
} & (
  | { readonly version: number | string; readonly alias?: undefined }
  | { readonly alias: string; readonly version?: undefined }
);

/** Asks now. Never rejects. */
export function checkModelRegistryHealth(
  options: ModelRegistryCheckOptions,
): Promise<ComponentResult> {
  const { client, modelName, version, alias, signal } = options;
  return askDatabricks(`model/${modelName}`, async () => {
    // Types leave one of the two; a caller without types may have given none or both.
    if ((version === undefined) === (alias === undefined)) {
      throw new MonitorError("USAGE_INVALID", `it is not said which version of ${modelName}`, {
        hint: "Give either version or alias.",
      });
    }
    const found =
      version === undefined
        ? await getModelVersionByAlias(client, { modelName, alias }, { signal })
        : await getModelVersion(client, { modelName, version }, { signal });
    const evidence = { version: found.version, status: found.status, alias: alias ?? null };
    return { ...judge(found, alias), evidence };
  });
}

function judge({ version, status }: ModelVersion, alias: string | undefined): Verdict {
  const by = alias === undefined ? "" : `, which is "${foreignLine(alias)}" now,`;
  const it = `Version ${version ?? "unknown"}${by}`;
  switch (status) {
    case "READY":
      return { status: "healthy", state: "ready", message: `${it} is registered and complete.` };
    case "PENDING_REGISTRATION":
      return {
        status: "unhealthy",
        state: "not_ready",
        message: `${it} can't be served yet: its files are still being registered.`,
      };
    case "FAILED_REGISTRATION":
      return {
        status: "unhealthy",
        state: "failed",
        message: `${it} can't be served: its registration failed. Register the model again.`,
      };
    case null:
    case "MODEL_VERSION_STATUS_UNKNOWN":
      return { status: "unknown", state: "unknown", message: `${it} is there without a status.` };
    default:
      return {
        status: "unknown",
        state: "unknown",
        message: `${it} has the status ${foreignLine(status)}, which is not known here.`,
      };
  }
}
