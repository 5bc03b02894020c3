/** The rules of alerts in words: what each watches, and from when on it is breached. */
import type { RuleKind, RuleRow } from "../api.ts";
import { formatDuration, formatMeasure } from "../format.ts";

export const ruleNames: Readonly<Record<RuleKind, string>> = {
  latency_p99: "p99 latency",
  slow_requests: "slow requests",
  error_rate: "error rate",
  endpoint_not_ready: "readiness",
  workspace_unreadable: "workspace",
  export_lagging: "export",
};

type Limits = Pick<
  RuleRow,
  "kind" | "threshold" | "unit" | "windowSeconds" | "minRequests" | "slowerThanMs"
>;

/** `above 5 % of at least 20 requests within 5 min`. */
export function limitWords(rule: Limits): string {
  const { kind, threshold, unit, minRequests, slowerThanMs } = rule;
  const limit = formatMeasure(threshold, unit) ?? "";
  const within = `within ${formatDuration(rule.windowSeconds * 1000)}`;
  const few = minRequests > 1 ? ` of at least ${minRequests} requests` : "";
  switch (kind) {
    case "latency_p99":
    case "error_rate":
      return `above ${limit}${few} ${within}`;
    case "slow_requests":
      return `more than ${limit} above ${formatDuration(slowerThanMs ?? 0)} ${within}`;
    case "endpoint_not_ready":
      return "not ready";
    case "workspace_unreadable":
      return "can't be read";
    case "export_lagging":
      return "stands still";
  }
}
