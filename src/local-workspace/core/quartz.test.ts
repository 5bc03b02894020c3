/** When an expression of Quartz is due next, and what is no expression. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { nextDueMs, parseQuartz } from "./quartz.ts";

/** From Thursday, 15 January 2026, 12:00:00 UTC. */
const FROM_MS = Date.UTC(2026, 0, 15, 12, 0, 0);

function check(expression: string, expected: string, timeZone = "UTC") {
  const due = nextDueMs(parseQuartz(expression, timeZone), FROM_MS);
  assert.equal(due === null ? "never" : new Date(due).toISOString(), expected);
}

test("every five minutes, every minute, every ten seconds", () => {
  check("0 0/5 * * * ?", "2026-01-15T12:05:00.000Z");
  check("0 * * * * ?", "2026-01-15T12:01:00.000Z");
  check("0/10 * * * * ?", "2026-01-15T12:00:10.000Z");
  check("30 */15 * * * ?", "2026-01-15T12:00:30.000Z");
});

test("days of the week count from Sunday as 1", () => {
  check("0 0 9 ? * 2", "2026-01-19T09:00:00.000Z");
  check("0 0 9 ? * MON-FRI", "2026-01-16T09:00:00.000Z");
  check("0 0 9 ? * 1,7", "2026-01-17T09:00:00.000Z");
  check("0 0 9 ? * 6L", "2026-01-30T09:00:00.000Z");
  check("0 0 9 ? * 2#1", "2026-02-02T09:00:00.000Z");
});

test("days of the month, the last of it, and years", () => {
  check("0 0 0 1 * ?", "2026-02-01T00:00:00.000Z");
  check("0 0 0 L * ?", "2026-01-31T00:00:00.000Z");
  check("0 0 0 1 1 ? 2027", "2027-01-01T00:00:00.000Z");
  check("0 0 0 1 1 ? 2020", "never");
});

test("the time zone's own clock counts, also when it is put forward", () => {
  check("0 0 9 * * ?", "2026-01-16T08:00:00.000Z", "Europe/Berlin");
  const cron = parseQuartz("0 0 9 * * ?", "Europe/Berlin");
  const march = Date.UTC(2026, 2, 28, 12, 0, 0);
  assert.equal(new Date(nextDueMs(cron, march) ?? 0).toISOString(), "2026-03-29T07:00:00.000Z");
});

const refused: readonly (readonly [expression: string, zone: string, says: RegExp])[] = [
  ["*/5 * * * *", "UTC", /6 or 7 fields, and this has 5/],
  ["0 0 9 * * *", "UTC", /must be '\?'/],
  ["0 0 9 ? * ?", "UTC", /must be '\?'/],
  ["0 99 * * * ?", "UTC", /./],
  ["0 0 9 * * ?", "Mars/Olympus", /./],
];
for (const [expression, zone, says] of refused) {
  test(`is refused: ${expression} ${zone}`, () => {
    assert.throws(() => nextDueMs(parseQuartz(expression, zone), FROM_MS), says);
  });
}
