/** How a component is, in one word; `HealthStatus.HEALTHY` and `"healthy"` are the same. */
import type { HealthStatus as Status } from "../signals/health-result.ts";

export const HealthStatus = {
  HEALTHY: "healthy",
  /** It serves, but worse than it should, or something that it needs soon is broken. */
  DEGRADED: "degraded",
  UNHEALTHY: "unhealthy",
  /** It could not be found out. That is not healthy. */
  UNKNOWN: "unknown",
} as const satisfies Record<string, Status>;

export type HealthStatus = Status;

/** From the best to the worst. What is known to be wrong weighs more than what is not known. */
const BEST_FIRST: readonly HealthStatus[] = ["healthy", "unknown", "degraded", "unhealthy"];

/** The worst of all; healthy when there is none, since nothing that was to be checked is wrong. */
export function worstStatus(statuses: readonly HealthStatus[]): HealthStatus {
  const worst = Math.max(0, ...statuses.map((status) => BEST_FIRST.indexOf(status)));
  return BEST_FIRST[worst] ?? "unknown";
}
