/**
 * Requests that failed because of the agent. What its endpoint refused – too many requests,
 * a wrong one – or its caller gave up has rates of its own and says nothing of the agent.
 */
import type { ErrorClass } from "../signals/error-class.ts";
import type { Tally } from "./tally.ts";

export function isFailureOfAgent(errorClass: ErrorClass): boolean {
  return errorClass !== "throttled" && errorClass !== "client";
}

export function failedOfAgent(tally: Tally): number {
  return tally.failed - refused(tally);
}

function refused({ failedByClass }: Tally): number {
  let count = 0;
  for (const [errorClass, failed] of failedByClass) {
    if (!isFailureOfAgent(errorClass)) count += failed;
  }
  return count;
}

/** @returns 0 to 100; `null` without a request. */
export function errorRatePercent(tally: Tally): number | null {
  return tally.calls === 0 ? null : (failedOfAgent(tally) / tally.calls) * 100;
}

/** What the endpoint refused, or its caller gave up. @returns as `errorRatePercent` */
export function refusedRatePercent(tally: Tally): number | null {
  return tally.calls === 0 ? null : (refused(tally) / tally.calls) * 100;
}
