/** When something is due: at its times, and once a day whatever the clocks do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nextDueMs, parseSchedule, type Schedule } from "./schedule.ts";

const cases = [
  ["a minute", "1 minute", "UTC", "2026-11-26T10:00:00Z", "2026-11-26T10:01:00Z"],
  [
    "in the middle of a minute",
    "minute",
    "UTC",
    "2026-11-26T10:00:59.999Z",
    "2026-11-26T10:01:00Z",
  ],
  ["two hours", "2 hours", "UTC", "2026-11-26T10:00:00Z", "2026-11-26T12:00:00Z"],
  ["today", "day at 02:00", "Europe/Berlin", "2026-11-26T00:59:59Z", "2026-11-26T01:00:00Z"],
  ["tomorrow", "day at 02:00", "Europe/Berlin", "2026-11-26T01:00:00Z", "2026-11-27T01:00:00Z"],
  ["in summer", "day at 02:00", "Europe/Berlin", "2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z"],
  ["midnight there", "day", "Asia/Tokyo", "2026-11-26T14:59:59Z", "2026-11-26T15:00:00Z"],
  ["1 day is a day", "1 day", "Asia/Tokyo", "2026-11-26T14:59:59Z", "2026-11-26T15:00:00Z"],
  // The clocks jump from 02:00 to 03:00: 02:30 never comes.
  ["jumped over", "day at 02:30", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"],
  [
    "the day after",
    "day at 02:30",
    "Europe/Berlin",
    "2026-03-29T01:00:00Z",
    "2026-03-30T00:30:00Z",
  ],
  ["jumped to", "day at 03:00", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"],
  // They go back from 03:00 to 02:00: 02:30 comes twice.
  [
    "the first of two",
    "day at 02:30",
    "Europe/Berlin",
    "2026-10-24T12:00:00Z",
    "2026-10-25T00:30:00Z",
  ],
  [
    "not the second",
    "day at 02:30",
    "Europe/Berlin",
    "2026-10-25T00:30:00Z",
    "2026-10-26T01:30:00Z",
  ],
  [
    "by half an hour",
    "day at 02:15",
    "Australia/Lord_Howe",
    "2026-10-03T12:00:00Z",
    "2026-10-03T15:30:00Z",
  ],
] as const;

for (const [what, every, timezone, after, expected] of cases) {
  test(`due ${what}: ${every} in ${timezone}`, () => {
    const due = nextDueMs(scheduleOf(every, timezone), Date.parse(after));
    assert.equal(new Date(due).toISOString(), new Date(expected).toISOString());
  });
}

for (const every of [
  "",
  "0 minutes",
  "5 seconds",
  "1 week",
  "day at 24:00",
  "2 days at 02:00",
  "1 minute at 02:00",
  "hour at 02:00",
  "99999 days",
]) {
  test(`"${every}" is no schedule`, () => assert.equal(parseSchedule(every, "UTC"), null));
}

test("a time zone that is none makes none", () =>
  assert.equal(parseSchedule("day", "Europe/Nowhere"), null));

const zones = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "America/St_Johns",
  "Australia/Lord_Howe",
  "Asia/Kathmandu",
  "Africa/Casablanca",
  "Pacific/Chatham",
  "America/Sao_Paulo",
];
const daily = fc.record({
  kind: fc.constant("daily" as const),
  hour: fc.integer({ min: 0, max: 23 }),
  minute: fc.integer({ min: 0, max: 59 }),
  timezone: fc.constantFrom(...zones),
});
const moment = fc.integer({ min: Date.parse("2015-01-01"), max: Date.parse("2035-01-01") });

test("every day has exactly one time, and that is the one asked for unless the clocks jump over it", () =>
  fc.assert(
    fc.property(daily, moment, (schedule, fromMs) => {
      let atMs = nextDueMs(schedule, fromMs);
      assert.ok(atMs > fromMs);
      assert.ok(
        atMs - fromMs <= 26 * 3_600_000,
        "never more than a day away, and what clocks jump",
      );
      for (let day = 0; day < 5; day++) {
        const next = nextDueMs(schedule, atMs);
        const [before, after] = [
          shownIn(schedule.timezone, atMs),
          shownIn(schedule.timezone, next),
        ];
        assert.equal(daysBetween(before.date, after.date), 1, `${before.date} ${after.date}`);
        const asked = `${padded(schedule.hour)}:${padded(schedule.minute)}`;
        // Where it is not shown, the minute before was already beyond it by the clocks' jump.
        if (after.time !== asked) {
          assert.ok(after.time > asked);
          assert.ok(shownIn(schedule.timezone, next - 60_000).time < asked);
        }
        atMs = next;
      }
    }),
    { numRuns: 300 },
  ));

test("between a moment and the next time there is none", () =>
  fc.assert(
    fc.property(
      daily,
      moment,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (schedule, fromMs, part) => {
        const next = nextDueMs(schedule, fromMs);
        const between = Math.floor(fromMs + part * (next - 1 - fromMs));
        assert.equal(nextDueMs(schedule, between), next);
      },
    ),
    { numRuns: 300 },
  ));

function scheduleOf(every: string, timezone: string): Schedule {
  return parseSchedule(every, timezone) ?? assert.fail(`${every} in ${timezone} is a schedule`);
}

function shownIn(
  timeZone: string,
  timeMs: number,
): { readonly date: string; readonly time: string } {
  const shown = new Date(timeMs).toLocaleString("sv-SE", { timeZone });
  return { date: shown.slice(0, 10), time: shown.slice(11, 16) };
}

function daysBetween(one: string, other: string): number {
  return Math.round((Date.parse(other) - Date.parse(one)) / 86_400_000);
}

function padded(number: number): string {
  return String(number).padStart(2, "0");
}
