import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorGroup } from "../errors/error-group.ts";
import type { ComponentHealth } from "../health/health-check-manager.ts";
import {
  defaultThresholds,
  overallStatus,
  type StatusEvidence,
  type StatusThresholds,
} from "./overall-status.ts";

const nothing: StatusEvidence = {
  components: [],
  requests: { count: 0, failed: 0, throttled: 0, client: 0 },
  latencyP99Ms: null,
  openErrors: 0,
  criticalGroups: [],
  regressedGroups: [],
  patterns: [],
};

function check(
  name: string,
  evidence: Partial<StatusEvidence>,
  expected: "healthy" | `${"warning" | "critical"}: ${string}`,
  thresholds: Partial<StatusThresholds> = {},
) {
  test(name, () => {
    const { overallStatus: status, reasons } = overallStatus(
      { ...nothing, ...evidence },
      { ...defaultThresholds, ...thresholds },
    );
    assert.equal(reasons.length === 0 ? status : `${status}: ${reasons.join(" | ")}`, expected);
  });
}

check("nothing registered, nothing recorded", {}, "healthy");
check(
  "all is well",
  { components: [component("db", "healthy")], requests: of(1_000, 0) },
  "healthy",
);

check(
  "an unhealthy component is critical, and told first",
  { components: [component("a", "degraded"), component("b", "unhealthy")] },
  "critical: b is unhealthy: so it is. | a is degraded: so it is.",
);
check(
  "what could not be found out is a warning",
  { components: [component("a", "healthy"), component("b", "unknown")] },
  "warning: b is unknown: so it is.",
);

check("one failure among a hundred thousand is none", { requests: of(100_000, 1) }, "healthy");
check(
  "one failure in a hundred is a warning",
  { requests: of(1_000, 10) },
  "warning: 1 % of 1,000 requests failed.",
);
check(
  "five failures in a hundred are critical",
  { requests: of(1_000, 50) },
  "critical: 5 % of 1,000 requests failed.",
);
check(
  "of a few requests a single failure is a warning, and all of them are no more",
  { requests: of(3, 3) },
  "warning: 3 of 3 requests failed.",
);
check(
  "refused requests are nobody's failure",
  { requests: { count: 100, failed: 0, throttled: 60, client: 30 } },
  "healthy",
);
check("other thresholds", { requests: of(10, 3) }, "critical: 30 % of 10 requests failed.", {
  errorThresholdCount: 5,
  errorRateThresholdPercent: 20,
});

check(
  "one error among a hundred thousand requests is none",
  { openErrors: 1, requests: of(100_000, 0) },
  "healthy",
);
check(
  "an error without requests to weigh it against is a warning",
  { openErrors: 1 },
  "warning: 1 error with 0 requests.",
);
check(
  "more errors than one for every hundred requests are a warning",
  { openErrors: 25, requests: of(1_000, 0) },
  "warning: 25 errors, 2.5 for every 100 of 1,000 requests.",
);
check(
  "errors that failed requests have told of are not told twice",
  { openErrors: 50, requests: of(1_000, 50) },
  "critical: 5 % of 1,000 requests failed.",
);
check(
  "a critical error is critical, however many requests there were",
  { criticalGroups: [group("critical")], requests: of(100_000, 0) },
  "critical: Critical error in qa: The key was refused (api.error)",
);
check(
  "an error that is back after it was resolved is a warning",
  { regressedGroups: [group("error")], requests: of(100_000, 0) },
  "warning: Back after it was resolved in qa: The key was refused (api.error)",
);
check(
  "a pattern is a warning while it is breached",
  { patterns: [pattern("many", true), pattern("few", false)], requests: of(100_000, 0) },
  "warning: Pattern many: at least 10 errors within 300 s.",
);

check("without a threshold any latency is fine", { latencyP99Ms: 60_000 }, "healthy");
check(
  "a latency above its threshold is a warning",
  { latencyP99Ms: 1_234.5 },
  "warning: The p99 of the latency is 1,230 ms, above 1,000 ms.",
  { latencyP99ThresholdMs: 1_000 },
);
check("a latency at its threshold is fine", { latencyP99Ms: 1_000 }, "healthy", {
  latencyP99ThresholdMs: 1_000,
});

test("a hundred broken components are ten reasons and how many more", () => {
  const components = Array.from({ length: 100 }, (_, index) => component(`c${index}`, "unhealthy"));
  const { reasons } = overallStatus({ ...nothing, components }, defaultThresholds);
  assert.equal(reasons.length, 11);
  assert.equal(reasons.at(-1), "And 90 more like the one before.");
});

function of(count: number, failed: number) {
  return { count, failed, throttled: 0, client: 0 };
}

function component(name: string, status: ComponentHealth["status"]): ComponentHealth {
  return {
    name,
    status,
    lastStatus: status,
    state: null,
    message: "so it is.",
    latencyMs: 1,
    timestamp: "",
    since: "",
    consecutiveFailures: 0,
    consecutiveSuccesses: 0,
    blockedMs: null,
    evidence: {},
  };
}

function group(severity: ErrorGroup["severity"]): ErrorGroup {
  return {
    id: "0",
    type: "api.error",
    agentName: "qa",
    statusCode: null,
    errorClass: "unknown",
    severity,
    state: "ongoing",
    count: 1,
    firstSeenMs: 0,
    lastSeenMs: 0,
    message: "The key was refused",
    errorName: null,
    stack: null,
    versions: [],
  };
}

function pattern(name: string, isBreached: boolean) {
  const thresholdCount = 10;
  const count = isBreached ? thresholdCount : 3;
  const state = { count, isBreached, fired: 1, lastFiredMs: 0 };
  return { name, thresholdCount, timeWindowSeconds: 300, ...state };
}
