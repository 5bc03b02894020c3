/** An alert over time, as text: one character is one step. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AlertPhase,
  GAP_MAX_MS,
  inactive,
  nextState,
  RESOLVED_SHOWN_MS,
} from "./next-state.ts";

const letter = { inactive: ".", pending: "p", firing: "F", resolved: "r" };

/**
 * Each character is one second: "x" is breached, "." is healthy. An hour may pass
 * unseen (">"), be set back ("<"), or the state may go through JSON ("j").
 */
function replay(
  waits: { hold: number; keepFiring?: number },
  samples: string,
): { states: string; phase: AlertPhase } {
  let nowMs = 1_700_000_000_000;
  let phase: AlertPhase = inactive(nowMs);
  const states: string[] = [];
  for (const sample of samples) {
    nowMs += 1000;
    if (sample === ">") nowMs += 3_600_000;
    if (sample === "<") nowMs -= 3_600_000;
    if (sample === "j") phase = JSON.parse(JSON.stringify(phase));
    if (sample !== "x" && sample !== ".") continue;
    phase = nextState(phase, {
      breached: sample === "x",
      nowMs,
      holdMs: waits.hold * 1000,
      keepFiringMs: (waits.keepFiring ?? 0) * 1000,
    });
    states.push(letter[phase.kind]);
  }
  return { states: states.join(""), phase };
}

function check(waits: Parameters<typeof replay>[0], samples: string, expected: string) {
  assert.equal(replay(waits, samples).states, expected);
}

test("a breach shorter than the hold time never fires", () =>
  check({ hold: 3 }, ".xxx..", ".ppp.."));
test("fires once the breach has lasted the hold time", () =>
  check({ hold: 2 }, ".xxxx.", ".ppFFr"));
test("without a hold time, fires at once", () => check({ hold: 0 }, ".x.", ".Fr"));
test("a healthy moment begins the hold time anew", () =>
  check({ hold: 2 }, "xx.xx.xxx", "pp.pp.ppF"));
test("a resolved alert stays resolved for a while", () => check({ hold: 0 }, "x....", "Frrrr"));
test("a resolved alert can fire again, after its hold time", () =>
  check({ hold: 1 }, "xx..xx.", "pFrrpFr"));
test("a breach that comes back too shortly after resolving ends as inactive", () =>
  check({ hold: 2 }, "xxx.x.", "ppFrp."));
test("keeps firing until it has been quiet long enough", () =>
  check({ hold: 0, keepFiring: 2 }, "x....", "FFFrr"));
test("flapping keeps one alert firing instead of many", () =>
  check({ hold: 1, keepFiring: 3 }, "xx.x.x..x...x....", "pFFFFFFFFFFFFFFFr"));
test("a restart keeps the hold time that has passed", () => check({ hold: 2 }, "xxjxjx", "ppFF"));
test("a restart does not fire twice", () => check({ hold: 1, keepFiring: 9 }, "xxjxx", "pFFF"));
test("an hour that nobody watched is not a breach that lasted an hour", () =>
  check({ hold: 2 }, "x>xxx", "pppF"));
test("an hour that nobody watched is not an hour without a breach", () =>
  check({ hold: 0, keepFiring: 2 }, "x.>....", "FFFFrr"));
test("a clock that is set back neither fires nor resolves", () =>
  check({ hold: 2, keepFiring: 2 }, "x<xxx.<...", "pppFFFFr"));

test("says when the breach began, not when it fired", () => {
  const { phase } = replay({ hold: 2 }, "..xxxx");
  assert.equal(phase.sinceMs, 1_700_000_003_000);
});

test("a gap of the longest length still counts as continuous", () => {
  const first = nextState(inactive(0), { breached: true, nowMs: 0, holdMs: 1, keepFiringMs: 0 });
  const at = (nowMs: number) =>
    nextState(first, { breached: true, nowMs, holdMs: 1, keepFiringMs: 0 }).kind;
  assert.deepEqual([at(GAP_MAX_MS), at(GAP_MAX_MS + 1)], ["firing", "pending"]);
});

test("a resolved alert is forgotten after a while", () => {
  const resolved: AlertPhase = { kind: "resolved", sinceMs: 0, quietSinceMs: null, seenMs: 0 };
  const at = (nowMs: number) =>
    nextState(resolved, { breached: false, nowMs, holdMs: 0, keepFiringMs: 0 }).kind;
  assert.deepEqual([at(RESOLVED_SHOWN_MS - 1), at(RESOLVED_SHOWN_MS)], ["resolved", "inactive"]);
  assert.equal(at(-RESOLVED_SHOWN_MS), "inactive", "after the clock was set back");
});

test("a day of a breach every other second is one alert", () => {
  let phase = inactive(0);
  let fired = 0;
  for (let second = 1; second <= 86_400; second += 1) {
    const sample = {
      breached: second % 2 === 0,
      nowMs: second * 1000,
      holdMs: 0,
      keepFiringMs: 5000,
    };
    const next = nextState(phase, sample);
    if (next.kind === "firing" && phase.kind !== "firing") fired += 1;
    phase = next;
  }
  assert.equal(fired, 1);
});
