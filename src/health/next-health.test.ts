/** How findings become a status: one letter for each run, a second apart. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { HealthStatus } from "./health-status.ts";
import { type HealthHistory, nextHealth } from "./next-health.ts";

const statusOf: Readonly<Record<string, HealthStatus>> = {
  h: "healthy",
  d: "degraded",
  u: "unhealthy",
  "?": "unknown",
};

/** The thresholds as "failures/successes". */
function check(thresholds: string, findings: string, expected: string) {
  const [failuresToUnhealthy = 1, successesToRecover = 1] = thresholds.split("/").map(Number);
  let health: HealthHistory | null = null;
  let shown = "";
  for (const [second, letter] of [...findings].entries()) {
    health = nextHealth(health, statusOf[letter] ?? "unknown", {
      thresholds: { failuresToUnhealthy, successesToRecover },
      nowMs: second * 1000,
    });
    const { status } = health;
    shown += Object.keys(statusOf).find((key) => statusOf[key] === status);
  }
  assert.equal(shown, expected);
  return health;
}

test("without thresholds, the status is what was found", () => {
  check("1/1", "hud?hu?d", "hud?hu?d");
});
test("the first finding counts at once", () => {
  for (const first of ["h", "d", "u", "?"]) check("3/3", first, first);
});
test("one blip is not an outage", () => {
  check("3/1", "hhuhh", "hhhhh");
  check("3/1", "h??hh", "hhhhh");
  check("2/1", "huhuhu", "hhhhhh");
});
test("as many failures in a row as the threshold are", () => {
  check("3/1", "huuuuh", "hhhuuh");
  check("2/1", "h??h", "hh?h");
});
test("unhealthy and unknown together make a row of failures", () => {
  check("3/1", "hu?u?", "hhhu?");
});
test("one success is not yet a recovery", () => {
  check("1/3", "uhhuhhhh", "uuuuuuhh");
});
test("within passing and within failing it follows at once", () => {
  check("3/3", "hdhd", "hdhd");
  check("3/3", "u?u?", "u?u?");
});
test("a degraded component holds its status through a blip too", () => {
  check("2/2", "dudd", "dddd");
});
test("both thresholds", () => {
  check("2/2", "huuhhuhuu", "hhuuhhhhu");
});

test("since when counts from the finding that changed the status", () => {
  const held = check("3/1", "hhuu", "hhhh");
  assert.equal(held?.sinceMs, 0);
  assert.equal(held?.consecutiveFailures, 2);
  const failing = check("3/1", "hhuuuu", "hhhhuu");
  assert.equal(failing?.sinceMs, 4000);
  assert.equal(failing?.consecutiveFailures, 4);
  const recovered = check("1/2", "uhhh", "uuhh");
  assert.equal(recovered?.sinceMs, 2000);
  assert.equal(recovered?.consecutiveSuccesses, 3);
});
