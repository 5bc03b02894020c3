/**
 * One step of all alerts: every rule is compared with every reading, each alert
 * moves on, and each move is returned as an `AlertChange`. Pure: the old alerts
 * stay as they were.
 */
import { type AlertChange, type AlertStateName, subjectName } from "../signals/alert.ts";
import { evaluate, isConclusive } from "./evaluate.ts";
import { type AlertPhase, inactive, nextState } from "./next-state.ts";
import type { Reading, Rule } from "./rule.ts";
import { rulesInForce } from "./rules-in-force.ts";

/** One alert that is pending, firing or lately resolved. Plain data: as JSON it survives a restart. */
export type AlertState = AlertPhase & {
  readonly ruleId: string;
  /** `null`: it is about the workspace. */
  readonly endpoint: string | null;
  /** What the rule measured last, in the unit of its threshold; `null` when there was nothing to measure. */
  readonly value: number | null;
  readonly threshold: number;
  /** What was said of it at its last breach or its last change. */
  readonly reason: string;
};

/** Where the alert goes, for the one who puts it into words. */
export type Step = {
  readonly from: AlertStateName;
  readonly to: AlertStateName;
  /** When the breach began, also where it is over now. */
  readonly breachSinceMs: number;
};

/** Returns one sentence. Called for every change, and at every step for what is breached. */
export type Explain = (rule: Rule, reading: Reading, value: number | null, step: Step) => string;

export type StepResult = {
  /** By `alertKey`. An inactive alert is not kept. */
  readonly alerts: ReadonlyMap<string, AlertState>;
  readonly changes: readonly AlertChange[];
  /** Breaches that were not taken up because there were `ALERTS_MAX` alerts already. */
  readonly dropped: number;
};

/**
 * Alerts held at once. At the bound the longest resolved alert makes room; when
 * none is resolved, a new breach is not taken up and counts as dropped.
 */
export const ALERTS_MAX = 1000;

export function alertKey(ruleId: string, endpoint: string | null): string {
  return `${ruleId}|${subjectName(endpoint)}`;
}

export function stepAlerts(
  alerts: ReadonlyMap<string, AlertState>,
  rules: readonly Rule[],
  readingsByRule: (rule: Rule) => readonly Reading[],
  nowMs: number,
  explain: Explain,
): StepResult {
  const next = new Map(alerts);
  const changes: AlertChange[] = [];
  const seen = new Set<string>();
  let dropped = 0;

  function move(before: AlertState, phase: AlertPhase, now: Omit<AlertState, keyof AlertPhase>) {
    const key = alertKey(now.ruleId, now.endpoint);
    if (phase.kind === "inactive") next.delete(key);
    else if (next.has(key) || makeRoom(next)) next.set(key, { ...phase, ...now });
    else {
      dropped += 1;
      return;
    }
    if (phase.kind !== before.kind) changes.push(change(before.kind, phase.kind, now, nowMs));
  }

  const isInForce = rulesInForce(rules);
  for (const rule of rules) {
    for (const reading of readingsByRule(rule)) {
      const { endpoint } = reading;
      const key = alertKey(rule.id, endpoint);
      if (!isInForce(rule, endpoint) || seen.has(key)) continue;
      seen.add(key);

      const evaluation = evaluate(rule, reading);
      const { breached, value } = evaluation;
      const before = next.get(key);
      if (before === undefined && !breached) continue;

      const state = before ?? newAlert(rule, endpoint, nowMs);
      if (!isConclusive(evaluation)) {
        next.set(key, { ...state, seenMs: nowMs });
        continue;
      }

      const phase = nextState(state, { breached, nowMs, ...waits(rule) });
      const isSaid = breached || phase.kind !== state.kind;
      const step = { from: state.kind, to: phase.kind, breachSinceMs: breachSinceMs(state, phase) };
      move(state, phase, {
        ruleId: rule.id,
        endpoint,
        value,
        threshold: rule.threshold,
        reason: isSaid ? explain(rule, reading, value, step) : state.reason,
      });
    }
  }

  const ruleById = new Map(rules.map((rule) => [rule.id, rule]));
  for (const [key, state] of alerts) {
    if (seen.has(key) || !next.has(key)) continue;
    const { ruleId, endpoint, threshold } = state;
    const known = ruleById.get(ruleId);
    const rule = known && isInForce(known, endpoint) ? known : null;
    // Without its rule nothing says how long to wait, so the alert ends now.
    const times = rule ? waits(rule) : { holdMs: 0, keepFiringMs: 0 };
    const phase = nextState(state, { breached: false, nowMs, ...times });
    const why = rule
      ? `${subjectName(endpoint)} is no longer seen, so nothing can be measured.`
      : known
        ? `${subjectName(endpoint)} has thresholds of its own now.`
        : `The rule ${ruleId} was removed.`;
    const reason = `${why} Before that: ${state.reason}`;
    const isSaid = phase.kind !== state.kind && state.kind !== "resolved";
    move(state, phase, {
      ruleId,
      endpoint,
      threshold,
      value: null,
      reason: isSaid ? reason : state.reason,
    });
  }

  return { alerts: next, changes, dropped };
}

function waits(rule: Rule) {
  return { holdMs: rule.holdSeconds * 1000, keepFiringMs: rule.keepFiringSeconds * 1000 };
}

function newAlert(rule: Rule, endpoint: string | null, nowMs: number): AlertState {
  const { id: ruleId, threshold } = rule;
  return { ...inactive(nowMs), ruleId, endpoint, value: null, threshold, reason: "" };
}

function breachSinceMs(before: AlertState, after: AlertPhase): number {
  const wasBreached = before.kind === "pending" || before.kind === "firing";
  const isBreached = after.kind === "pending" || after.kind === "firing";
  return wasBreached && !isBreached ? before.sinceMs : after.sinceMs;
}

function makeRoom(alerts: Map<string, AlertState>): boolean {
  if (alerts.size < ALERTS_MAX) return true;
  const resolved = [...alerts].filter(([, state]) => state.kind === "resolved");
  const [oldest] = resolved.sort(([, a], [, b]) => a.sinceMs - b.sinceMs);
  return oldest !== undefined && alerts.delete(oldest[0]);
}

function change(
  from: AlertStateName,
  to: AlertStateName,
  now: Omit<AlertState, keyof AlertPhase>,
  timeMs: number,
): AlertChange {
  return {
    id: `${now.ruleId}:${subjectName(now.endpoint)}:${timeMs}:${to}`,
    ...now,
    from,
    to,
    timeMs,
  };
}
