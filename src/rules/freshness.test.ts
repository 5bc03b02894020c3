import assert from "node:assert/strict";
import { test } from "node:test";
import type { HealthResult } from "../signals/health-result.ts";
import { freshnessOf, type WorkspaceReading, workspaceReadingOf } from "./freshness.ts";

const MINUTE_MS = 60_000;
const nowMs = 1_800_000_000_000;
const minutesAgo = (minutes: number) => nowMs - minutes * MINUTE_MS;

type Given = {
  /** Minutes since the last request that a trace told of. */
  readonly traced?: number;
  /** Requests that the workspace counted, and how many minutes ago that minute began. */
  readonly counted?: readonly [requests: number, minutes: number];
  readonly workspace?: WorkspaceReading;
};

function check(
  name: string,
  { traced, counted, workspace = { kind: "answers" } }: Given,
  expected: string,
) {
  test(name, () => {
    const reading = {
      lastRequestMs: traced === undefined ? null : minutesAgo(traced),
      counted: counted ? { requestsPerMinute: counted[0], timeMs: minutesAgo(counted[1]) } : null,
      workspace,
    };
    assert.equal(freshnessOf(reading, nowMs).kind, expected);
  });
}

const denied: WorkspaceReading = { kind: "denied", sinceMs: minutesAgo(30) };
const late: WorkspaceReading = { kind: "late", sinceMs: minutesAgo(30) };
const none: WorkspaceReading = { kind: "none" };

check("requests arrive", { traced: 1, counted: [9, 2] }, "fresh");
check("requests arrive, and nothing else could tell", { traced: 1, workspace: none }, "fresh");
check(
  "requests arrive although the workspace may not be read",
  { traced: 1, workspace: denied },
  "fresh",
);
check(
  "nobody calls it, and the workspace says so too",
  { traced: 30, counted: [0, 2] },
  "no_traffic",
);
check("it was never called", { counted: [0, 2] }, "no_traffic");
check("it is called, and its traces stopped", { traced: 30, counted: [9, 3] }, "telemetry_lost");
check("its traces stopped a few minutes ago", { traced: 6, counted: [9, 3] }, "telemetry_lost");
check("traces of the counted minute may still come", { traced: 30, counted: [9, 1] }, "silent");
check("the count is of about when the last trace was", { traced: 4, counted: [9, 3] }, "fresh");
check("it is called, and has never sent a trace", { counted: [9, 3] }, "no_telemetry");
check("a count of long ago says nothing of now", { traced: 30, counted: [9, 11] }, "silent");
check("the workspace is late", { traced: 30, workspace: late }, "late");
check("the workspace may not be read", { traced: 30, workspace: denied }, "denied");
check(
  "what was counted before the workspace fell silent still counts",
  { traced: 30, counted: [9, 3], workspace: late },
  "telemetry_lost",
);
check(
  "silent, and only its own telemetry could tell why",
  { traced: 30, workspace: none },
  "silent",
);
check("it was never heard of", { workspace: none }, "silent");

test("the first minute of silence is no silence", () => {
  const lastRequestMs = nowMs - 5 * MINUTE_MS + 1;
  const reading = { lastRequestMs, counted: null, workspace: none };
  assert.equal(freshnessOf(reading, nowMs).kind, "fresh");
  assert.equal(freshnessOf(reading, nowMs + 1).kind, "silent");
});

const checks: [string, HealthResult["status"], string, checkedMinutesAgo: number, string][] = [
  ["it answers", "healthy", "ready", 1, "answers"],
  ["it has not been asked for long", "healthy", "ready", 4, "late"],
  ["it does not answer", "unhealthy", "unreachable", 0, "late"],
  ["it refuses", "unhealthy", "denied", 0, "denied"],
];
for (const [name, status, state, minutes, expected] of checks) {
  test(`a workspace: ${name}`, () => {
    const checked = { status, state, timeMs: minutesAgo(minutes), sinceMs: minutesAgo(9) };
    assert.equal(workspaceReadingOf(checked, nowMs).kind, expected);
  });
}

test("no workspace is watched", () => {
  assert.equal(workspaceReadingOf(undefined, nowMs).kind, "none");
});
