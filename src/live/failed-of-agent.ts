/**
 * Requests that failed because of the agent. What its endpoint refused – too many requests,
 * a wrong one – has rates of its own and says nothing of the agent.
 */
import type { Tally } from "./tally.ts";

export function failedOfAgent({ failed, failedByClass }: Tally): number {
  return failed - (failedByClass.get("throttled") ?? 0) - (failedByClass.get("client") ?? 0);
}
