/**
 * Which configuration of an endpoint has answered a smoke request, as a tag of the
 * endpoint: so that each is asked once, also by a run after one that was killed.
 */
import type { ServingEndpoint, Tag } from "../../databricks/serving-endpoints.ts";

const VERIFIED_TAG = "dspy_verified_config";

export function isVerified({ configVersion, tags }: ServingEndpoint): boolean {
  return configVersion !== null && tags.get(VERIFIED_TAG) === String(configVersion);
}

/** None where Databricks does not count configurations. */
export function verifiedTags({ configVersion }: ServingEndpoint): readonly Tag[] {
  return configVersion === null ? [] : [{ key: VERIFIED_TAG, value: String(configVersion) }];
}
