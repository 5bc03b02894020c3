/**
 * Compares one reading with one rule. Says not only whether the rule is breached
 * but why it came to that, because "no" has several meanings: within the limit,
 * too little to tell, or nothing that can be compared at all.
 */
import type { Reading, Rule } from "./rule.ts";

export type Unit = "ms" | "requests" | "percent" | "state";

/**
 * `too_few_requests` and `no_data` are no breach: a firing alert resolves on
 * them, because an agent that nobody calls any more harms nobody.
 * `not_a_number` and `health_unknown` say nothing: they neither start an alert
 * nor end one.
 */
export type EvaluationReason =
  | "above_limit"
  | "within_limit"
  | "too_few_requests"
  | "no_data"
  | "not_a_number"
  | "not_ready"
  | "ready"
  | "health_unknown";

export type Evaluation = {
  readonly breached: boolean;
  /** In the unit of the rule's threshold; `null` when there was nothing to measure. */
  readonly value: number | null;
  readonly unit: Unit;
  readonly reason: EvaluationReason;
};

export const unitOf = {
  latency_p99: "ms",
  slow_requests: "requests",
  error_rate: "percent",
  endpoint_not_ready: "state",
  workspace_unreadable: "state",
  export_lagging: "state",
} as const;

export function evaluate(rule: Rule, reading: Reading): Evaluation {
  switch (rule.kind) {
    case "latency_p99":
      return compare(rule, reading, reading.p99Ms);
    case "slow_requests":
      return compare(rule, reading, reading.requests === 0 ? null : reading.slower);
    case "error_rate":
      return compare(
        rule,
        reading,
        reading.requests === 0 ? null : (reading.failed / reading.requests) * 100,
      );
    case "endpoint_not_ready":
    case "workspace_unreadable":
    case "export_lagging":
      return readiness(reading);
  }
}

/** Whether the reading says anything; if not, the alert stays as it is. */
export function isConclusive({ reason }: Evaluation): boolean {
  return reason !== "not_a_number" && reason !== "health_unknown";
}

function compare(rule: Rule, reading: Reading, value: number | null): Evaluation {
  const unit = unitOf[rule.kind];
  const answer = (breached: boolean, shown: number | null, reason: EvaluationReason) => ({
    breached,
    value: shown,
    unit,
    reason,
  });

  const numbers = [rule.threshold, reading.requests, reading.failed, value ?? 0];
  if (!numbers.every((number) => Number.isFinite(number) && number >= 0)) {
    return answer(false, null, "not_a_number");
  }
  if (value === null) return answer(false, null, "no_data");
  if (reading.requests < rule.minRequests) return answer(false, value, "too_few_requests");
  return value > rule.threshold
    ? answer(true, value, "above_limit")
    : answer(false, value, "within_limit");
}

/** Only `unhealthy` is a breach: a cold endpoint is healthy, one that updates while it serves is degraded. */
function readiness({ health }: Reading): Evaluation {
  const answer = (breached: boolean, reason: EvaluationReason): Evaluation => ({
    breached,
    value: null,
    unit: "state",
    reason,
  });
  // A deleted endpoint, or an app that somebody stopped, can't be not ready: its alert ends.
  if (health?.state === "gone" || health?.state === "stopped") return answer(false, "no_data");
  switch (health?.status) {
    case undefined:
      return answer(false, "no_data");
    case "unknown":
      return answer(false, "health_unknown");
    case "unhealthy":
      return answer(true, "not_ready");
    case "healthy":
    case "degraded":
      return answer(false, "ready");
  }
}
