/**
 * Decides what one more finding makes of a component's status, so that one blip is
 * not an outage. Pure.
 *
 * A finding fails when it is `unhealthy` or `unknown`, and passes when it is
 * `healthy` or `degraded`. The status goes over from passing to failing with the
 * n-th failure in a row, and back with the n-th success in a row; until then it
 * stays as it was. Within passing and within failing it follows every finding, and
 * so does the first one: there is no status yet to hold on to.
 */
import type { HealthStatus } from "./health-status.ts";

export type HealthHistory = {
  readonly status: HealthStatus;
  /** When the status became this, in Unix milliseconds. */
  readonly sinceMs: number;
  readonly consecutiveFailures: number;
  readonly consecutiveSuccesses: number;
};

export type Thresholds = {
  readonly failuresToUnhealthy: number;
  readonly successesToRecover: number;
};

export function nextHealth(
  before: HealthHistory | null,
  found: HealthStatus,
  { thresholds, nowMs }: { readonly thresholds: Thresholds; readonly nowMs: number },
): HealthHistory {
  const failed = isFailing(found);
  const consecutiveFailures = failed ? (before?.consecutiveFailures ?? 0) + 1 : 0;
  const consecutiveSuccesses = failed ? 0 : (before?.consecutiveSuccesses ?? 0) + 1;

  const isEnough = failed
    ? consecutiveFailures >= thresholds.failuresToUnhealthy
    : consecutiveSuccesses >= thresholds.successesToRecover;
  const goesOver = before !== null && isFailing(before.status) !== failed;
  const status = goesOver && !isEnough ? before.status : found;
  const sinceMs = before?.status === status ? before.sinceMs : nowMs;
  return { status, sinceMs, consecutiveFailures, consecutiveSuccesses };
}

function isFailing(status: HealthStatus): boolean {
  return status === "unhealthy" || status === "unknown";
}
