/** How many requests there were: a count, or, where only a share of them is known, what they make in all. */
import type { AgentRow } from "./api.ts";
import { formatCount } from "./format.ts";

type Counted = Pick<AgentRow, "requests" | "requestsEstimated">;

export function requestsText({ requests, requestsEstimated }: Counted): string {
  return requestsEstimated === null ? formatCount(requests) : `≈ ${formatCount(requestsEstimated)}`;
}

/** What stands on it, on hover; nothing on a count. */
export function requestsTitle({ requests, requestsEstimated }: Counted): string | undefined {
  if (requestsEstimated === null) return undefined;
  return `Its endpoint logs a sample of the requests: ${formatCount(requests)} of them are known`;
}
