/**
 * Requests that failed because of the agent. What its endpoint refused – too many requests,
 * a wrong one – has rates of its own and says nothing of the agent.
 */
import type { Tally } from "./tally.ts";

export function failedOfAgent(tally: Tally): number {
  return tally.failed - refused(tally);
}

function refused({ failedByClass }: Tally): number {
  return (failedByClass.get("throttled") ?? 0) + (failedByClass.get("client") ?? 0);
}

/** @returns 0 to 100; `null` without a request. */
export function errorRatePercent(tally: Tally): number | null {
  return tally.calls === 0 ? null : (failedOfAgent(tally) / tally.calls) * 100;
}

/** What the endpoint refused. @returns as `errorRatePercent` */
export function refusedRatePercent(tally: Tally): number | null {
  return tally.calls === 0 ? null : (refused(tally) / tally.calls) * 100;
}
