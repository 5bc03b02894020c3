/** What a comparison of two releases asks of the reader: to look, to wait, or nothing. */
import type { ReleaseComparisonRow, Status } from "../api.ts";

export function statusOfComparison({ alarm, missingRequests }: ReleaseComparisonRow): Status {
  if (alarm) return "warning";
  return missingRequests.before + missingRequests.after > 0 ? "unknown" : "healthy";
}
