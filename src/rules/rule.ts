/**
 * A rule: what is watched, over which window, and for how long it must be wrong
 * before somebody is told. Plain data, so that it can stand in a file, in the
 * API and on the page under the same names.
 */
import type { HealthStatus } from "../signals/health-result.ts";

export type EndpointRuleKind =
  | "latency_p99"
  | "slow_requests"
  | "error_rate"
  | "endpoint_not_ready";
export type RuleKind = EndpointRuleKind | "workspace_unreadable" | "export_lagging";

/** What the health of exports stands under, with the target behind it. */
export const EXPORT_COMPONENT = "export/";

export type Rule = {
  readonly id: string;
  readonly kind: RuleKind;
  /** `null`: every endpoint that has no rule of this kind of its own. A rule of the workspace has no endpoint. */
  readonly endpoint: string | null;
  /** ms for latency_p99, requests for slow_requests, percent for error_rate; for the others, which know only yes and no, it is 0. */
  readonly threshold: number;
  /** Of slow_requests, in ms: what took longer is slow. */
  readonly slowerThanMs?: number;
  readonly windowSeconds: number;
  /** Fewer requests in the window than this never breach. */
  readonly minRequests: number;
  /** The breach must last this long before the alert fires. */
  readonly holdSeconds: number;
  /** Once firing, the alert resolves only after this long without a breach, so that it does not flap. */
  readonly keepFiringSeconds: number;
};

/** A rule that watches endpoints. */
export type EndpointRule = Rule & { readonly kind: EndpointRuleKind };

export function isEndpointRule(rule: Rule): rule is EndpointRule {
  return rule.kind !== "workspace_unreadable" && rule.kind !== "export_lagging";
}

/** What is known of one endpoint, or of the workspace, at one moment. */
export type Reading = {
  /** `null`: the workspace that the endpoints are in. */
  readonly endpoint: string | null;
  /** Over the rule's window. */
  readonly requests: number;
  readonly failed: number;
  /** `null` when there was nothing to measure. */
  readonly p99Ms: number | null;
  /** Requests that took longer than the rule's `slowerThanMs`; `null` for a rule that has none. */
  readonly slower: number | null;
  readonly health: Health | null;
};

/** The last result of its own check. */
export type Health = {
  readonly status: HealthStatus;
  /** `ready`, `cold`, `updating`, `failed`, `unreachable`, `denied`. */
  readonly state: string;
  /** One sentence with the evidence. */
  readonly message: string;
};
