/** What people call a release: the beginning of its hash, and the version of the model where that is told. */

/** Digits of a hash that are shown. */
const HASH_DIGITS = 7;

/** `7c1f2d0`, `7c1f2d0 (version 3)`, `version 3`. */
export function releaseLabel({
  release,
  modelVersion,
}: {
  readonly release: string | null;
  readonly modelVersion: string | null;
}): string {
  const version = modelVersion === null ? "" : `version ${modelVersion}`;
  if (release === null) return version || "unknown";
  const hash = release.slice(0, HASH_DIGITS);
  return version === "" ? hash : `${hash} (${version})`;
}
