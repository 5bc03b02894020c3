/**
 * What the system says of a file that is written, in a user's words: what was tried, where it
 * failed and what to do about it.
 */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { type ErrorCode, MonitorError } from "./monitor-error.ts";

type Words = {
  readonly code: ErrorCode;
  readonly says: (place: string) => string;
  readonly hint: string;
};

const another = "or name a place on another disk.";
/** The place itself is the wrong one. */
const misplaced = (says: Words["says"], hint: string): Words => ({
  code: "CONFIG_INVALID",
  says,
  hint,
});
const unwritable = (says: Words["says"], hint: string): Words => ({
  code: "FILE_UNWRITABLE",
  says,
  hint,
});
const denied = unwritable(
  (place) => `this user has no permission for ${place}`,
  "Give this user the permission, or name another place.",
);

const words: Readonly<Record<string, Words>> = {
  ENOSPC: unwritable(
    (place) => `the disk that holds ${place} is full`,
    `Free space on it, ${another}`,
  ),
  EDQUOT: unwritable(
    (place) => `the quota for ${place} is used up`,
    `Free space, raise the quota, ${another}`,
  ),
  EFBIG: unwritable(
    (place) => `${place} would be larger than its disk, or this user, may have a file`,
    "Name a place on another disk, or raise the limit (ulimit -f).",
  ),
  EROFS: unwritable(
    (place) => `the disk that holds ${place} is mounted for reading only`,
    `Mount it for writing, ${another}`,
  ),
  EACCES: denied,
  EPERM: denied,
  EISDIR: misplaced((place) => `${place} is a directory`, "Name a file, such as one in it."),
  ENOTDIR: misplaced(
    (place) => `on the way to ${place} stands a file`,
    "Name a place below directories only.",
  ),
  EEXIST: misplaced(
    (place) => `${place} is there, and is no directory`,
    "Name a place below directories only.",
  ),
  ENOENT: misplaced(
    (place) =>
      existsSync(place) ? `nothing can be made in ${place}` : `there is no directory ${place}`,
    "Name a place in a directory that is there, and that files can be made in.",
  ),
  ENAMETOOLONG: misplaced((place) => `the name ${place} is too long`, "Name a shorter one."),
};

/**
 * What is no failure of files is returned as it is.
 *
 * @param tried what was tried, on what: `cannot export to /Volumes/…`.
 * @param place where it was tried, for what the system tells without a place.
 * @param passing a file beside the one that is meant, of which nobody has heard.
 */
export function fileFailure(
  error: unknown,
  {
    tried,
    place,
    passing,
  }: { readonly tried: string; readonly place: string; readonly passing?: string },
): unknown {
  if (error instanceof MonitorError || !(error instanceof Error)) return error;
  const code = codeOf(error);
  if (code === null) return error;
  const path = "path" in error ? error.path : undefined;
  const where = typeof path !== "string" || path === passing ? place : path;
  const found = words[code];
  const told = code === "ENOENT" && where === place ? dirname(place) : where;
  const says = found ? found.says(told) : `the disk that holds ${told} can't be written`;
  return new MonitorError(found?.code ?? "FILE_UNWRITABLE", `${tried}: ${says} (${code})`, {
    hint: found?.hint ?? `Look at that disk, ${another}`,
    cause: error,
  });
}

/** What SQLite answers, in the last byte, of its disk. */
const sqliteCodes: Readonly<Record<number, string>> = { 10: "EIO", 13: "ENOSPC" };

/** Of the system; `null` for what is no failure of files. */
function codeOf(error: Error): string | null {
  if ("errcode" in error && typeof error.errcode === "number") {
    return sqliteCodes[error.errcode & 0xff] ?? null;
  }
  const code = "code" in error ? error.code : null;
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : null;
}
