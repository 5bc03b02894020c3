/**
 * What the releases of an agent can be narrowed down to: one release, or, where a version
 * of the model was served in several, all of that version.
 */
import type { ReleaseFilter, ReleaseRow } from "../api.ts";

export type ReleaseOption = {
  /** One of a kind: what the list of choices gives back. */
  readonly value: string;
  readonly label: string;
  readonly of: ReleaseFilter;
};

/** The choice of all of them comes first. Alone it is no choice: then there are none. */
export function releaseOptions(
  releases: readonly Pick<ReleaseRow, "name" | "modelVersion">[],
  chosen: ReleaseFilter,
): ReleaseOption[] {
  const versions = [...Map.groupBy(releases, ({ modelVersion }) => modelVersion)];
  const options = [
    optionOf({ release: null, modelVersion: null }),
    // Two programs of one version may have releases with the same name.
    ...Array.from(namesOf(releases), (name) => optionOf({ release: name, modelVersion: null })),
    ...versions
      .filter(([version, served]) => version !== null && namesOf(served).size > 1)
      .map(([modelVersion]) => optionOf({ release: null, modelVersion })),
  ];
  // A link may name one that has not been seen for long.
  const isListed = options.some(({ value }) => value === filterKey(chosen));
  if (!isListed) options.push(optionOf(chosen));
  return options.length > 2 || !isListed ? options : [];
}

export function filterKey({ release, modelVersion }: ReleaseFilter): string {
  return JSON.stringify([release, modelVersion]);
}

/** `release 7c1f2d0 (version 3)`; empty for all. */
export function releaseWords({ release, modelVersion }: ReleaseFilter): string {
  if (release === null) return modelVersion === null ? "" : `version ${modelVersion}`;
  const named = /^version /.test(release) ? release : `release ${release}`;
  return modelVersion === null ? named : `${named}, version ${modelVersion}`;
}

function namesOf(releases: readonly Pick<ReleaseRow, "name">[]): ReadonlySet<string> {
  return new Set(releases.map(({ name }) => name));
}

function optionOf(of: ReleaseFilter): ReleaseOption {
  const label =
    of.release === null && of.modelVersion !== null
      ? `all of ${releaseWords(of)}`
      : releaseWords(of);
  return { value: filterKey(of), label: label || "all releases", of };
}
