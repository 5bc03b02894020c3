/** Exports run at their times, catch up with what was missed, never overlap, and go on by themselves after a failure. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createTestClock } from "../../databricks/test-clock.ts";
import { type ErrorCode, MonitorError } from "../../monitor-error.ts";
import { parseSchedule } from "../../signals/schedule.ts";
import type { ExportRun } from "./export-runs.ts";
import { startScheduledExport } from "./scheduled-export.ts";

const START_MS = Date.UTC(2026, 10, 26, 10);
const MINUTE_MS = 60_000;

type Outcome = "ok" | "slow" | "hangs" | ErrorCode;

/** What happened, as `MM:SS what`, over some minutes. `outcomes`: of each run; the last goes on. */
async function check({
  every = "1 minute",
  minutes,
  outcomes = ["ok"],
  lastRun = null,
  startedAt = 0,
}: {
  readonly every?: string;
  readonly minutes: number;
  readonly outcomes?: readonly Outcome[];
  readonly lastRun?: ExportRun | null;
  readonly startedAt?: number;
}) {
  const clock = createTestClock({ startMs: START_MS + startedAt });
  const seen: string[] = [];
  const at = () => new Date(clock.now()).toISOString().slice(14, 19);
  let runs = 0;
  let running = 0;
  let kept = lastRun;
  const schedule = parseSchedule(every, "Europe/Berlin") ?? assert.fail("a schedule");
  const exporting = startScheduledExport({
    target: "ml.monitoring.agents",
    schedule,
    clock,
    random: () => 1,
    lastRun,
    keepRun: (run) => {
      kept = run;
    },
    onNotice: (notice) => seen.push(`${at()} ${notice}`),
    async run(signal) {
      const outcome: Outcome = outcomes[Math.min(runs++, outcomes.length - 1)] ?? "ok";
      seen.push(`${at()} run`);
      assert.equal(++running, 1, "never two at once");
      try {
        if (outcome === "slow") await new Promise<void>((resolve) => clock.after(150_000, resolve));
        else if (outcome === "hangs") {
          await new Promise((_, reject) => signal.addEventListener("abort", reject));
        } else if (outcome !== "ok") {
          throw new MonitorError(outcome, `cannot load: ${outcome}`, { hint: "Mend it." });
        }
        return { rows: 3, warnings: [] };
      } finally {
        running--;
      }
    },
  });
  await clock.advance(minutes * MINUTE_MS);
  return { seen, exporting, clock, kept: () => kept };
}

const run = (startedMs: number): ExportRun => ({
  startedMs,
  endedMs: startedMs + 1,
  asOfMs: startedMs,
  rows: 1,
});

test("it runs at once, and then at every full minute", async () => {
  const { seen } = await check({ minutes: 3, startedAt: 20_000 });
  assert.deepEqual(seen, ["00:20 run", "01:00 run", "02:00 run", "03:00 run"]);
});

test("runs that were missed while it was down are made up for by one", async () => {
  const lastRun = run(START_MS - 5 * 3_600_000);
  const { seen } = await check({ every: "1 hour", minutes: 61, lastRun, startedAt: 600_000 });
  assert.deepEqual(seen, ["10:00 run", "00:00 run"]);
});

test("none that was missed, none at once", async () => {
  const lastRun = run(START_MS - 1_000);
  const { seen } = await check({ every: "1 hour", minutes: 59, lastRun, startedAt: 1_000 });
  assert.deepEqual(seen, ["00:01 run"]);
  const later = await check({
    every: "1 hour",
    minutes: 58,
    lastRun: run(START_MS),
    startedAt: 1_000,
  });
  assert.deepEqual(later.seen, []);
});

test("one that takes longer than a period is followed by one, not by those it was in the way of", async () => {
  const { seen } = await check({ minutes: 5, outcomes: ["slow", "ok"] });
  assert.deepEqual(seen, ["00:00 run", "02:30 run", "03:00 run", "04:00 run", "05:00 run"]);
});

test("what somebody has to mend is parked, looked at every 5 minutes, and goes on by itself", async () => {
  const outcomes: Outcome[] = ["ok", "DATABRICKS_FORBIDDEN", "DATABRICKS_FORBIDDEN", "ok"];
  const { seen, exporting } = await check({ minutes: 12, outcomes });
  assert.deepEqual(seen, [
    "00:00 run",
    "01:00 run",
    "01:00 The export to ml.monitoring.agents stands still: cannot load: DATABRICKS_FORBIDDEN. Mend it.\n  Nothing is lost: rows wait, it is tried every 5 minutes, and goes on by itself.",
    "06:00 run",
    "11:00 run",
    "11:00 The export to ml.monitoring.agents works again.",
    "12:00 run",
  ]);
  assert.equal(exporting.status().state, "ok");
});

test("while it is parked it says why, since when, and when it is tried again", async () => {
  const { exporting } = await check({ minutes: 3, outcomes: ["ok", "TABLE_DROPPED"] });
  assert.deepEqual(exporting.status(), {
    target: "ml.monitoring.agents",
    state: "parked",
    isRunning: false,
    lastRunMs: START_MS + MINUTE_MS,
    asOfMs: START_MS,
    lagMs: 3 * MINUTE_MS,
    rows: 3,
    rowsTotal: 3,
    runsTotal: 1,
    failuresTotal: 1,
    periodMs: MINUTE_MS,
    reason: "cannot load: TABLE_DROPPED. Mend it.",
    nextRunMs: START_MS + 6 * MINUTE_MS,
  });
});

test("what passes by itself is tried again, later each time, up to a minute", async () => {
  const { seen } = await check({ minutes: 3, outcomes: ["DATABRICKS_UNREACHABLE"] });
  const runs = seen.filter((one) => one.endsWith("run"));
  assert.deepEqual(runs.slice(0, 7), [
    "00:00 run",
    "00:02 run",
    "00:06 run",
    "00:14 run",
    "00:30 run",
    "01:02 run",
    "02:02 run",
  ]);
  assert.equal(seen.length, runs.length + 1, "and is told once");
});

test("one that was cut off is not met: its statement may be running still", async () => {
  const lastRun = { startedMs: START_MS - 5_000, endedMs: null, asOfMs: null, rows: null };
  const { seen } = await check({ minutes: 1, lastRun });
  assert.deepEqual(seen, ["00:55 run", "01:00 run"]);
});

test("another process that exports this history is no failure", async () => {
  const { seen, exporting } = await check({ minutes: 1, outcomes: ["EXPORT_RUNNING", "ok"] });
  assert.deepEqual(seen, ["00:00 run", "00:10 run", "01:00 run"]);
  assert.equal(exporting.status().failuresTotal, 0);
});

test("one that does not keep up is lagging", async () => {
  const { exporting } = await check({ minutes: 8, outcomes: ["ok", "EXPORT_RUNNING"] });
  assert.equal(exporting.status().state, "lagging");
});

test("closing waits for a run under way, and cuts off one that hangs", async () => {
  const { exporting, clock, kept } = await check({ minutes: 0, outcomes: ["hangs"] });
  let isClosed = false;
  const closing = exporting.close().then(() => {
    isClosed = true;
  });
  await clock.advance(7_000);
  assert.equal(isClosed, false);
  await clock.advance(1_000);
  await closing;
  assert.equal(kept()?.endedMs, null, "the next start knows");
});

test("a clock that jumps by a month, back and forth, puts nothing off", async () => {
  const clock = createTestClock({ startMs: START_MS });
  let jumpMs = 0;
  const runs: number[] = [];
  const exporting = startScheduledExport({
    target: "t",
    schedule: parseSchedule("1 minute", "UTC") ?? assert.fail("a schedule"),
    clock: { ...clock, now: () => clock.now() + jumpMs },
    random: () => 1,
    lastRun: null,
    keepRun: () => {},
    onNotice: assert.fail,
    run: () => {
      runs.push(clock.now());
      return Promise.resolve({ rows: 0, warnings: [] });
    },
  });
  for (const jump of [30, -30, 0, 400, -400]) {
    jumpMs = jump * 86_400_000;
    const before = runs.length;
    await clock.advance(2 * MINUTE_MS);
    assert.ok(runs.length >= before + 1, `after a jump of ${jump} days`);
  }
  await exporting.close();
});
