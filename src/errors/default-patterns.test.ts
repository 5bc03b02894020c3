/** The default patterns, each by what sets it off. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createDefaultPatterns } from "./default-patterns.ts";
import { ErrorTracker } from "./error-tracker.ts";
import { testClock } from "./test-clock.ts";
import type { TrackOptions } from "./track-options.ts";

/** Which patterns fire, in their order, when such an error happens so many times within a minute. */
function check(times: number, type: string, options: TrackOptions, expected: readonly string[]) {
  const clock = testClock();
  const tracker = new ErrorTracker({ clock });
  const fired: string[] = [];
  for (const pattern of createDefaultPatterns((_, { pattern: name }) => fired.push(name))) {
    tracker.registerPattern(pattern);
  }
  for (let index = 0; index < times; index++) {
    clock.advance(60_000 / times);
    tracker.trackError(type, "no", options);
  }
  assert.deepEqual(fired, expected);
}

test("one critical error", () => check(1, "api", { severity: "critical" }, ["critical_error"]));
test("errors, but few", () => check(19, "api", {}, []));
test("errors, many", () => check(20, "api", {}, ["high_error_rate"]));
test("warnings, however many", () => check(100, "api", { severity: "warning" }, []));
test("time-outs of any severity", () =>
  check(5, "agent.timeout", { severity: "warning" }, ["repeated_timeouts"]));
test("the model's provider", () =>
  check(10, "model.error", { severity: "warning" }, ["model_provider_failing"]));
test("too long a context", () =>
  check(10, "x", { errorClass: "lm_context", severity: "info" }, ["model_provider_failing"]));
test("tools", () => check(10, "tool.search", { severity: "warning" }, ["tools_failing"]));
test("retrieval", () => check(10, "retriever", { severity: "warning" }, ["tools_failing"]));
test("deployments", () => check(3, "deployment.registration", {}, ["deployment_failing"]));
test("an incident sets off all that it concerns", () =>
  check(20, "deployment.timeout", {}, [
    "deployment_failing",
    "repeated_timeouts",
    "high_error_rate",
  ]));

test("they may be registered changed", () => {
  const tracker = new ErrorTracker();
  for (const pattern of createDefaultPatterns()) {
    tracker.registerPattern({ ...pattern, thresholdCount: 2 * pattern.thresholdCount });
  }
  assert.deepEqual(
    tracker.getPatterns().map(({ thresholdCount }) => thresholdCount),
    [2, 40, 10, 20, 20, 6],
  );
  tracker.trackError("api", "x", { severity: "critical" });
});
