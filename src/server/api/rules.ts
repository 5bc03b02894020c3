/** Rules and what each says now, as the JSON API tells them: also those by which all is well. */
import type { Monitor } from "../../monitor/monitor.ts";
import { unitOf } from "../../rules/evaluate.ts";
import { isEndpointRule, type Rule } from "../../rules/rule.ts";
import { rulesOf } from "../../rules/rules-in-force.ts";
import { alertKey } from "../../rules/step-alerts.ts";
import type { RuleRow, RulesAnswer } from "../../web/api.ts";

/** @param endpoint `null`: every rule that an endpoint has of its own, and those about the workspace. */
export function rulesAnswer(monitor: Monitor, endpoint: string | null): RulesAnswer {
  const { startedMs } = monitor;
  const rules =
    endpoint === null
      ? monitor.alerting.rules
          .filter((rule) => rule.endpoint !== null || !isEndpointRule(rule))
          .map((rule) => ruleRow(monitor, rule, rule.endpoint))
      : ruleRows(monitor, endpoint);
  return { asOfMs: monitor.now(), startedMs, rules };
}

export function ruleRows(monitor: Monitor, endpoint: string): RuleRow[] {
  return rulesOf(monitor.alerting.rules, endpoint)
    .filter(isEndpointRule)
    .map((rule) => ruleRow(monitor, rule, endpoint));
}

function ruleRow(monitor: Monitor, rule: Rule, endpoint: string | null): RuleRow {
  const { id, kind, threshold, windowSeconds, minRequests, holdSeconds } = rule;
  const alert = monitor.state.alerts.get(alertKey(id, endpoint));
  const isActive = alert !== undefined && alert.kind !== "inactive";
  return {
    ruleId: id,
    kind,
    endpoint,
    origin: rule.endpoint === null ? "built_in" : "own",
    state: alert?.kind ?? "inactive",
    sinceMs: isActive ? alert.sinceMs : null,
    value: monitor.alerting.valueOf(rule, endpoint),
    threshold,
    unit: unitOf[kind],
    windowSeconds,
    minRequests,
    slowerThanMs: rule.slowerThanMs ?? null,
    holdSeconds,
    reason: isActive ? alert.reason : "",
  };
}
