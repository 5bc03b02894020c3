/**
 * The thresholds that people set for one agent, and the rules that they make: each with
 * a state of its own, all of them really compared. What the monitor evaluates, SQL alerts,
 * Prometheus rules and the notebook are made from these rules. Pure.
 */
import { MonitorError } from "../monitor-error.ts";
import { checkOptions } from "../option.ts";
import type { Rule } from "./rule.ts";

export type AlertThresholds = {
  readonly latencyP99ThresholdMs: number;
  readonly errorRateThresholdPercent: number;
  /** So many requests may be slower than `latencyP99ThresholdMs` within the window. */
  readonly latencyThresholdCount: number;
  readonly latencyWindowSeconds: number;
  /** With fewer requests within the window the error rate is not judged. */
  readonly errorThresholdCount: number;
  readonly errorWindowSeconds: number;
};

/** As the monitor judges agents of which nothing was said. */
export const defaultAlertThresholds: AlertThresholds = {
  latencyP99ThresholdMs: 5_000,
  errorRateThresholdPercent: 5,
  latencyThresholdCount: 10,
  latencyWindowSeconds: 300,
  errorThresholdCount: 20,
  errorWindowSeconds: 300,
};

export type ThresholdRuleKind = "latency_p99" | "slow_requests" | "error_rate";

export type ThresholdRule = {
  /** The kind and the agent, such as `latency_p99:prod-qa`. */
  readonly id: string;
  readonly kind: ThresholdRuleKind;
  readonly endpointName: string;
  /** Above it is wrong: ms, requests or percent. */
  readonly threshold: number;
  readonly windowSeconds: number;
  /** With fewer requests within the window it is not judged. */
  readonly minRequests: number;
  /** Of `slow_requests`: slower than this is slow. */
  readonly slowerThanMs: number | null;
};

export function thresholdRules(
  endpointName: string,
  thresholds: AlertThresholds,
): readonly ThresholdRule[] {
  const rule = (
    kind: ThresholdRuleKind,
    rest: Omit<ThresholdRule, "id" | "kind" | "endpointName">,
  ) => ({
    id: `${kind}:${endpointName}`,
    kind,
    endpointName,
    ...rest,
  });
  return [
    rule("latency_p99", {
      threshold: thresholds.latencyP99ThresholdMs,
      windowSeconds: thresholds.latencyWindowSeconds,
      minRequests: 1,
      slowerThanMs: null,
    }),
    rule("slow_requests", {
      threshold: thresholds.latencyThresholdCount,
      windowSeconds: thresholds.latencyWindowSeconds,
      minRequests: 1,
      slowerThanMs: thresholds.latencyP99ThresholdMs,
    }),
    rule("error_rate", {
      threshold: thresholds.errorRateThresholdPercent,
      windowSeconds: thresholds.errorWindowSeconds,
      minRequests: thresholds.errorThresholdCount,
      slowerThanMs: null,
    }),
  ];
}

/** A breach lasts this part of its window before it is told, and as long as the built-in rules wait at most. */
const HOLD_SHARE = 0.1;
const HOLD_MAX_SECONDS = 30;
/** An alert is over after this part of its window without a breach. */
const KEEP_FIRING_SHARE = 0.4;
const KEEP_FIRING_MAX_SECONDS = 120;

/** The same as the monitor evaluates them, in place of its built-in rules for this agent. */
export function monitorRules(endpointName: string, thresholds: AlertThresholds): readonly Rule[] {
  return thresholdRules(endpointName, thresholds).map(
    ({ id, kind, threshold, windowSeconds, minRequests, slowerThanMs }) => ({
      id,
      kind,
      endpoint: endpointName,
      threshold,
      windowSeconds,
      minRequests,
      ...(slowerThanMs !== null && { slowerThanMs }),
      holdSeconds: Math.min(HOLD_MAX_SECONDS, Math.ceil(windowSeconds * HOLD_SHARE)),
      keepFiringSeconds: Math.min(
        KEEP_FIRING_MAX_SECONDS,
        Math.ceil(windowSeconds * KEEP_FIRING_SHARE),
      ),
    }),
  );
}

const limits: Readonly<
  Record<
    keyof AlertThresholds,
    { readonly min: number; readonly max: number; readonly whole: boolean }
  >
> = {
  latencyP99ThresholdMs: { min: 1, max: 86_400_000, whole: false },
  errorRateThresholdPercent: { min: 0, max: 100, whole: false },
  latencyThresholdCount: { min: 1, max: 1_000_000_000, whole: true },
  latencyWindowSeconds: { min: 10, max: 86_400, whole: true },
  errorThresholdCount: { min: 1, max: 1_000_000_000, whole: true },
  errorWindowSeconds: { min: 10, max: 86_400, whole: true },
};

/**
 * What is not given is as the monitor judges it by default.
 *
 * @throws MonitorError `CONFIG_INVALID` for a name or a value that makes no sense.
 */
export function readAlertThresholds(
  given: { readonly [Name in keyof AlertThresholds]?: number | undefined },
): AlertThresholds {
  checkOptions("alertThresholds", given);
  const thresholds = { ...defaultAlertThresholds };
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const limit = Object.hasOwn(limits, name) ? limits[name as keyof AlertThresholds] : null;
    if (limit === null) {
      throw new MonitorError("CONFIG_INVALID", `there is no alert threshold ${name}`, {
        hint: `Known are ${Object.keys(limits).join(", ")}.`,
      });
    }
    const { min, max, whole } = limit;
    const isFit = typeof value === "number" && value >= min && value <= max;
    if (!isFit || (whole && !Number.isInteger(value))) {
      throw new MonitorError("CONFIG_INVALID", `the alert threshold ${name} can't be ${value}`, {
        hint: `Give a ${whole ? "whole " : ""}number from ${min} to ${max}.`,
      });
    }
    Object.assign(thresholds, { [name]: value });
  }
  return thresholds;
}
