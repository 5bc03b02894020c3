/** Which releases the figures of modules and models are asked for: one, all of one version of the model, or all. */
import type { ReleaseName } from "../../live/by-release.ts";
import { releaseLabel } from "../../rules/release-label.ts";
import type { ReleaseFilter } from "../../web/api.ts";

export const everyRelease: ReleaseFilter = { release: null, modelVersion: null };

/** @param query of the request. */
export function releaseFilterOf({
  release = null,
  modelVersion = null,
}: Partial<Record<"release" | "modelVersion", string | null>>): ReleaseFilter {
  return { release: release || null, modelVersion: modelVersion || null };
}

/** A release is asked for by the name that it is listed under, or by its whole hash. */
export function isIn(filter: ReleaseFilter): (name: ReleaseName) => boolean {
  return (name) =>
    (filter.release === null ||
      filter.release === name.release ||
      filter.release === releaseLabel(name)) &&
    (filter.modelVersion === null || filter.modelVersion === name.modelVersion);
}
