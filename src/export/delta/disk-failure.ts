/**
 * What the system says of a disk, in an export's words: which disk it was is in the path that it
 * names, and what to do about it depends on what it says.
 */
import { MonitorError } from "../../monitor-error.ts";

const hints: Readonly<Record<string, string>> = {
  ENOSPC: "Free space on that disk.",
  EDQUOT: "Free space, or raise the quota.",
  EACCES: "Let this user write there, and look whether what it is on is mounted.",
  EPERM: "Let this user write there, and look whether what it is on is mounted.",
  EROFS: "Mount it for writing.",
  ENOTDIR: "A file stands where a directory has to be: name another directory.",
};

/** What is no failure of a disk is returned as it is. */
export function inOtherWords(error: unknown, directory: string): unknown {
  if (error instanceof MonitorError || !(error instanceof Error)) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  // DuckDB tells no code.
  const isOfDisk = /^E[A-Z]+$/.test(code) || error.message.startsWith("IO Error");
  if (!isOfDisk) return error;
  return new MonitorError(
    "HISTORY_FAILED",
    `cannot export the history in ${directory}: ${error.message}`,
    {
      hint: `${hints[code] ?? "Look at that disk, and at how it is mounted."} Nothing is lost meanwhile.`,
      cause: error,
    },
  );
}
