/**
 * Takes back a new version that does not answer, so that callers have the old one
 * again. Only what this deployment put there is taken back: whoever deployed meanwhile
 * is left alone.
 */
import {
  getServingEndpoint,
  type ServingConfigInput,
  type ServingEndpoint,
  updateServingConfig,
} from "../../databricks/serving-endpoints.ts";
import { MonitorError } from "../../monitor-error.ts";
import type { DeployContext } from "../progress.ts";
import type { AppliedConfig } from "./apply-config.ts";
import { readRecord, refOfEntity } from "./deployment-record.ts";
import { configAsServed, isSameConfig, mainEntity, rolledBackConfig } from "./desired-config.ts";
import { isUpdating } from "./update-state.ts";
import { waitReady } from "./wait-ready.ts";

/** @returns the error to throw, which says what is served now. */
export async function returnToBefore(
  context: DeployContext,
  { endpoint, change, cause }: ReturnOptions,
): Promise<MonitorError> {
  const { client, onProgress } = context;
  const { name } = endpoint;
  const before = configBefore(endpoint, change);
  if (!before) return told(cause, `there is no version before it, so "${name}" goes on serving it`);
  const now = await getServingEndpoint(client, name);
  if (isUpdating(now) || !isSameConfig(change.config, now.servedEntities, now.routes)) {
    return told(cause, `"${name}" was changed by somebody else meanwhile and is left as it is`);
  }
  const [entity] = before.served_entities;
  const version = `version ${entity?.entity_version} of model "${entity?.entity_name}"`;
  const message = `it did not answer; going back to ${version}`;
  onProgress({ step: "smoke request", state: "waiting", message });
  await updateServingConfig(client, name, before);
  await waitReady(context, name, before);
  return told(cause, `"${name}" serves ${version} again`);
}

export type ReturnOptions = {
  readonly endpoint: ServingEndpoint;
  readonly change: AppliedConfig;
  readonly cause: MonitorError;
};

function configBefore(
  endpoint: ServingEndpoint,
  { config, before }: AppliedConfig,
): ServingConfigInput | null {
  const main = mainEntity(endpoint.servedEntities, endpoint.routes);
  const failed = main && refOfEntity(main);
  const wasOther = before && !isSameConfig(config, before.servedEntities, before.routes);
  if (wasOther && before.servedEntities.length > 0) return configAsServed(before, failed);
  // It serves already what a run before this one put there, who was killed before it asked.
  const record = main && readRecord(main);
  const [to] = record?.previous ?? [];
  return main && record && to ? rolledBackConfig(main, record, to) : null;
}

function told(cause: MonitorError, outcome: string): MonitorError {
  return new MonitorError("SMOKE_REQUEST_FAILED", `${cause.message}; ${outcome}`, {
    hint: cause.hint,
    cause: cause.cause,
  });
}
