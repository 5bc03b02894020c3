/**
 * One word for how a service is, and the sentences that say why. Pure.
 *
 * What fails is weighed against what works: one error among a hundred thousand
 * requests changes nothing, one in three does. `docs/monitoring.md` has the rules
 * as a table.
 */
import type { ErrorGroup } from "../errors/error-group.ts";
import type { PatternState } from "../errors/error-pattern.ts";
import type { HealthReport } from "../health/health-check-manager.ts";
import type { RequestCount } from "./request-history.ts";

export const OverallStatus = {
  HEALTHY: "healthy",
  WARNING: "warning",
  CRITICAL: "critical",
} as const;

export type OverallStatus = (typeof OverallStatus)[keyof typeof OverallStatus];

export type StatusThresholds = {
  /** Critical from here on. 5 by default. */
  readonly errorRateThresholdPercent: number;
  /** A warning from here on. 1 by default. */
  readonly errorRateWarningPercent: number;
  /** Of fewer requests a rate says nothing: then a single failure is a warning. 20 by default. */
  readonly errorThresholdCount: number;
  /** A warning above. None by default. */
  readonly latencyP99ThresholdMs?: number | undefined;
};

export const defaultThresholds: StatusThresholds = {
  errorRateThresholdPercent: 5,
  errorRateWarningPercent: 1,
  errorThresholdCount: 20,
};

export type StatusEvidence = {
  readonly components: HealthReport["components"];
  readonly requests: RequestCount;
  readonly latencyP99Ms: number | null;
  /** Tracked as `error` or `critical`, without those of resolved groups. */
  readonly openErrors: number;
  /** Groups that are not resolved, with a critical error within the time. */
  readonly criticalGroups: readonly ErrorGroup[];
  /** Groups seen within the time although they were resolved. */
  readonly regressedGroups: readonly ErrorGroup[];
  readonly patterns: readonly PatternState[];
};

/** The worst reasons first; of a kind, only so many are told one by one. */
const REASONS_OF_A_KIND_MAX = 10;

export function overallStatus(
  evidence: StatusEvidence,
  thresholds: StatusThresholds,
): { readonly overallStatus: OverallStatus; readonly reasons: readonly string[] } {
  const { components, criticalGroups, regressedGroups, patterns } = evidence;
  const failures = tellFailures(evidence.requests, thresholds);
  const critical = [
    ...componentsThatAre("unhealthy", components),
    ...(failures?.isCritical ? [failures.reason] : []),
    ...several(criticalGroups, (group) => `Critical error${causeOf(group)}`),
  ];
  const warning = [
    ...componentsThatAre("degraded", components),
    ...componentsThatAre("unknown", components),
    ...(failures && !failures.isCritical ? [failures.reason] : []),
    ...several(
      patterns.filter(({ isBreached }) => isBreached),
      ({ name, thresholdCount, timeWindowSeconds }) =>
        `Pattern ${name}: at least ${counted(thresholdCount, "error")} within ${timeWindowSeconds} s.`,
    ),
    ...several(regressedGroups, (group) => `Back after it was resolved${causeOf(group)}`),
    ...tellLatency(evidence, thresholds),
    // The failed requests have told it already.
    ...(failures ? [] : tellErrors(evidence, thresholds)),
  ];
  const status = critical.length > 0 ? "critical" : warning.length > 0 ? "warning" : "healthy";
  return { overallStatus: status, reasons: [...critical, ...warning] };
}

function tellFailures(
  { count, failed }: RequestCount,
  thresholds: StatusThresholds,
): { readonly isCritical: boolean; readonly reason: string } | null {
  if (failed === 0) return null;
  if (count < thresholds.errorThresholdCount) {
    const reason = `${failed} of ${counted(count, "request")} failed.`;
    return { isCritical: false, reason };
  }
  const percent = (100 * failed) / count;
  if (percent < thresholds.errorRateWarningPercent) return null;
  return {
    isCritical: percent >= thresholds.errorRateThresholdPercent,
    reason: `${figure(percent)} % of ${counted(count, "request")} failed.`,
  };
}

function tellErrors(
  { openErrors, requests }: StatusEvidence,
  thresholds: StatusThresholds,
): string[] {
  if (openErrors === 0) return [];
  if (requests.count < thresholds.errorThresholdCount) {
    return [`${counted(openErrors, "error")} with ${counted(requests.count, "request")}.`];
  }
  const percent = (100 * openErrors) / requests.count;
  if (percent < thresholds.errorRateWarningPercent) return [];
  return [
    `${counted(openErrors, "error")}, ${figure(percent)} for every 100 of ${counted(requests.count, "request")}.`,
  ];
}

function tellLatency(
  { latencyP99Ms }: StatusEvidence,
  { latencyP99ThresholdMs }: StatusThresholds,
): string[] {
  if (latencyP99Ms === null || latencyP99ThresholdMs === undefined) return [];
  if (latencyP99Ms <= latencyP99ThresholdMs) return [];
  return [
    `The p99 of the latency is ${figure(latencyP99Ms)} ms, above ${figure(latencyP99ThresholdMs)} ms.`,
  ];
}

function componentsThatAre(status: string, components: StatusEvidence["components"]): string[] {
  return several(
    components.filter((component) => component.status === status),
    ({ name, message }) => `${name} is ${status}${message === "" ? "." : `: ${message}`}`,
  );
}

function several<T>(all: readonly T[], tell: (one: T) => string): string[] {
  const told = all.slice(0, REASONS_OF_A_KIND_MAX).map(tell);
  const more = all.length - told.length;
  return more > 0 ? [...told, `And ${more} more like the one before.`] : told;
}

/** ` in qa: Model inference failed (api.error)`. */
function causeOf({ agentName, message, type }: ErrorGroup): string {
  return `${agentName === null ? "" : ` in ${agentName}`}: ${message} (${type})`;
}

const counted = (count: number, noun: string) =>
  `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;

const figure = (value: number) => value.toLocaleString("en-US", { maximumSignificantDigits: 3 });
