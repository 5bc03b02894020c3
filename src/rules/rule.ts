/**
 * A rule: what is watched, over which window, and for how long it must be wrong
 * before somebody is told. Plain data, so that it can stand in a file, in the
 * API and on the page under the same names.
 */
import type { HealthStatus } from "../signals/health-result.ts";

export type RuleKind = "latency_p99" | "error_rate" | "endpoint_not_ready";

export type Rule = {
  readonly id: string;
  readonly kind: RuleKind;
  /** `null`: every endpoint. */
  readonly endpoint: string | null;
  /** ms for latency_p99, percent for error_rate; for endpoint_not_ready it is 0 and unused. */
  readonly threshold: number;
  readonly windowSeconds: number;
  /** Fewer requests in the window than this never breach. */
  readonly minRequests: number;
  /** The breach must last this long before the alert fires. */
  readonly holdSeconds: number;
  /** Once firing, the alert resolves only after this long without a breach, so that it does not flap. */
  readonly keepFiringSeconds: number;
};

/** What is known of one endpoint at one moment. */
export type Reading = {
  readonly endpoint: string;
  /** Over the rule's window. */
  readonly requests: number;
  readonly failed: number;
  /** `null` when there was nothing to measure. */
  readonly p99Ms: number | null;
  readonly health: Health | null;
};

/** The last result of the endpoint's own check. */
export type Health = {
  readonly status: HealthStatus;
  /** `ready`, `cold`, `updating`, `failed`, `unreachable`. */
  readonly state: string;
  /** One sentence with the evidence. */
  readonly message: string;
};
