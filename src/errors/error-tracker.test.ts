/** What the tracker tells of the last errors, and how errors of agents and deployments are named. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorSeverity } from "./error-severity.ts";
import {
  ErrorTracker,
  type ErrorTrackerOptions,
  type RecentErrorsFilter,
} from "./error-tracker.ts";
import { testClock } from "./test-clock.ts";

/** One error a minute, the last of them now. */
function trackerOf(options: ErrorTrackerOptions = {}) {
  const clock = testClock();
  const tracker = new ErrorTracker({ clock, ...options });
  const errors = [
    ["api.error", ErrorSeverity.ERROR, "qa"],
    ["api", ErrorSeverity.WARNING, "qa"],
    ["apis.error", ErrorSeverity.ERROR, "qa"],
    ["model.error", ErrorSeverity.CRITICAL, "triage"],
    ["api.error.late", ErrorSeverity.INFO, "triage"],
  ] as const;
  errors.forEach(([type, severity, agentName], index) => {
    clock.advance(60_000);
    tracker.trackError(type, `failure ${index + 1}`, { severity, agentName });
  });
  return { tracker, clock };
}

function recent(filter: RecentErrorsFilter, expected: readonly number[]) {
  const { tracker } = trackerOf();
  const errors = tracker.getRecentErrors(filter);
  assert.deepEqual(
    errors.map(({ message }) => Number(message.slice("failure ".length))),
    expected,
  );
}

test("recent errors come newest first", () => recent({}, [5, 4, 3, 2, 1]));
test("recent errors: of the last minutes", () => recent({ minutes: 2 }, [5, 4]));
test("recent errors: part of a minute", () => recent({ minutes: 2.5 }, [5, 4, 3]));
test("recent errors: of no minutes", () => recent({ minutes: 0 }, []));
test("recent errors: a time that makes no sense is an hour", () =>
  recent({ minutes: Number.NaN }, [5, 4, 3, 2, 1]));
test("recent errors: of a severity", () => recent({ severities: ["error"] }, [3, 1]));
test("recent errors: of several", () => recent({ severities: ["critical", "info"] }, [5, 4]));
test("recent errors: of none", () => recent({ severities: [] }, []));
test("recent errors: of a type and those below it", () => recent({ errorType: "api" }, [5, 2, 1]));
test("recent errors: a dot at the end changes nothing", () =>
  recent({ errorType: "api." }, [5, 2, 1]));
test("recent errors: of a longer type", () => recent({ errorType: "api.error" }, [5, 1]));
test("recent errors: never of a part of a word", () => recent({ errorType: "ap" }, []));
test("recent errors: of an agent", () => recent({ agentName: "triage" }, [5, 4]));
test("recent errors: the newest, where there are more", () => recent({ limit: 2 }, [5, 4]));
test("recent errors: all filters at once", () =>
  recent(
    { minutes: 5, severities: ["error", "warning"], errorType: "api", agentName: "qa", limit: 1 },
    [2],
  ));

test("an error is told with everything that is known of it", () => {
  const clock = testClock();
  const tracker = new ErrorTracker({ clock });
  const error = new TypeError("no such row", { cause: "disk" });
  const groupId = tracker.trackError("api.error", "Model inference failed", {
    severity: ErrorSeverity.CRITICAL,
    agentName: "qa",
    modelVersion: "7",
    statusCode: 503,
    context: { attempt: 2, input_tokens: 263 },
    error,
  });
  const [told] = tracker.getRecentErrors();
  const { eventId, ...rest } = told ?? assert.fail("no error");
  assert.match(eventId, /^[0-9a-f-]{36}:1$/);
  assert.deepEqual(rest, {
    sequence: 1,
    timeMs: clock.now(),
    type: "api.error",
    errorClass: "server",
    severity: "critical",
    message: "Model inference failed",
    agentName: "qa",
    modelVersion: "7",
    statusCode: 503,
    context: { attempt: 2, input_tokens: 263 },
    error: {
      name: "TypeError",
      message: "no such row",
      code: null,
      causes: [{ name: "string", message: "disk", code: null }],
    },
    groupId,
  });
});

test("what is not known is null", () => {
  const tracker = new ErrorTracker();
  tracker.trackError("api.error", "x");
  const { severity, errorClass, agentName, modelVersion, statusCode, context, error } =
    tracker.getRecentErrors()[0] ?? assert.fail("no error");
  assert.deepEqual(
    { severity, errorClass, agentName, modelVersion, statusCode, context, error },
    {
      severity: "error",
      errorClass: "unknown",
      agentName: null,
      modelVersion: null,
      statusCode: null,
      context: {},
      error: null,
    },
  );
});

test("an error of an agent has the type agent.<kind>", () => {
  const tracker = new ErrorTracker();
  tracker.trackAgentError("qa", "timeout", "The answer took too long", { severity: "warning" });
  const { type, errorClass, agentName, severity } = tracker.getRecentErrors()[0] ?? assert.fail();
  assert.deepEqual(
    [type, errorClass, agentName, severity],
    ["agent.timeout", "timeout", "qa", "warning"],
  );
});

test("an error of a deployment has the type deployment.<kind>, and the endpoint for an agent", () => {
  const tracker = new ErrorTracker();
  tracker.trackDeploymentError("prod-qa", "registration", "The model was refused");
  const { type, agentName } = tracker.getRecentErrors()[0] ?? assert.fail();
  assert.deepEqual([type, agentName], ["deployment.registration", "prod-qa"]);
});

test("a summary counts the errors of its window", () => {
  const { tracker } = trackerOf();
  const { groups, ...summary } = tracker.getErrorSummary({ timeWindowMinutes: 3 });
  assert.deepEqual(summary, {
    timeWindowMinutes: 3,
    totalErrors: 3,
    uniqueErrors: 3,
    bySeverity: { info: 1, warning: 0, error: 1, critical: 1 },
    byType: { "apis.error": 1, "model.error": 1, "api.error.late": 1 },
    exact: true,
  });
  assert.deepEqual(new Set(groups.map(({ type }) => type)), new Set(Object.keys(summary.byType)));
});

test("a summary of nothing is nothing", () =>
  assert.deepEqual(new ErrorTracker().getErrorSummary(), {
    timeWindowMinutes: 60,
    totalErrors: 0,
    uniqueErrors: 0,
    bySeverity: { info: 0, warning: 0, error: 0, critical: 0 },
    byType: {},
    groups: [],
    exact: true,
  }));

test("the groups of a summary: the most frequent first, counted in the window and since ever", () => {
  const clock = testClock();
  const tracker = new ErrorTracker({ clock });
  const track = (type: string, times: number) => {
    for (let index = 0; index < times; index++) tracker.trackError(type, `no order A-${index}`);
  };
  track("a", 5);
  clock.advance(120_000);
  track("a", 2);
  track("b", 3);
  const groups = tracker.getErrorSummary({ timeWindowMinutes: 1 }).groups;
  assert.deepEqual(
    groups.map(({ type, countInWindow, count }) => [type, countInWindow, count]),
    [
      ["b", 3, 3],
      ["a", 2, 7],
    ],
  );
});

test("a summary holds at most 100 groups, and still says how many there were", () => {
  const tracker = new ErrorTracker();
  for (let index = 0; index < 150; index++) tracker.trackError(`type.t${index}`, "x");
  const { groups, uniqueErrors } = tracker.getErrorSummary();
  assert.deepEqual([groups.length, uniqueErrors], [100, 150]);
});

for (const type of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
  test(`a type may be called ${type}`, () => {
    const tracker = new ErrorTracker();
    tracker.trackError(type, "x", { context: { [type]: 1 }, agentName: type });
    tracker.trackError(type, "x");
    const { byType } = tracker.getErrorSummary();
    assert.deepEqual(Object.entries(byType), [[type, 2]]);
    assert.equal(Object.getPrototypeOf(byType), Object.prototype);
    assert.deepEqual(Object.entries(tracker.getRecentErrors()[1]?.context ?? {}), [[type, 1]]);
  });
}

test("a summary says whether errors of its window have made room for others", () => {
  const clock = testClock();
  const tracker = new ErrorTracker({ clock, maxErrors: 3 });
  const exact = (timeWindowMinutes: number) => tracker.getErrorSummary({ timeWindowMinutes }).exact;
  for (let minute = 1; minute <= 3; minute++) {
    tracker.trackError("a", "x");
    clock.advance(60_000);
  }
  assert.equal(exact(60), true);
  tracker.trackError("a", "x");
  assert.deepEqual([exact(1), exact(2), exact(60)], [true, true, false]);
  assert.equal(tracker.getErrorSummary().totalErrors, 3);
});

test("errors after a sequence come oldest first, so that none is carried elsewhere twice", () => {
  const { tracker } = trackerOf({ maxErrors: 3 });
  const sequences = (after: number, limit: number) =>
    tracker.getErrorsAfter(after, limit).map(({ sequence }) => sequence);
  assert.deepEqual(sequences(0, 10), [3, 4, 5]);
  assert.deepEqual(sequences(3, 1), [4]);
  assert.deepEqual(sequences(5, 10), []);
  assert.deepEqual(sequences(Number.NaN, 10), [3, 4, 5]);
});

test("counters tell what was tracked and what could not be", () => {
  const tracker = new ErrorTracker({ maxErrors: 2, maxGroups: 2 });
  for (const type of ["a", "b", "c", "a"]) tracker.trackError(type, "x");
  assert.deepEqual(tracker.getCounters(), {
    errors: 4,
    keptErrors: 2,
    untracked: 0,
    groups: 2,
    evictedGroups: 2,
    callbackErrors: 0,
  });
});

for (const [name, size] of [
  ["maxErrors", 0],
  ["maxErrors", 1.5],
  ["maxErrors", Number.NaN],
  ["maxGroups", -1],
  ["maxGroups", 1e9],
] as const) {
  test(`${name} ${size} is refused`, () =>
    assert.throws(() => new ErrorTracker({ [name]: size }), { code: "CONFIG_INVALID" }));
}

test("windows follow the time that elapsed, whatever the clock of the machine does", () => {
  let timeMs = Date.UTC(2026, 0, 1);
  let elapsedMs = 0;
  let fired = 0;
  const tracker = new ErrorTracker({ clock: { now: () => timeMs }, elapsedMs: () => elapsedMs });
  tracker.registerPattern({
    name: "p",
    thresholdCount: 3,
    timeWindowSeconds: 60,
    alertCallback: () => fired++,
  });
  const track = (clockJumpsMs: number) => {
    timeMs += clockJumpsMs;
    elapsedMs += 1_000;
    tracker.trackError("a", "x");
  };
  track(0);
  track(30 * 86_400_000);
  track(-60 * 86_400_000);
  assert.equal(fired, 1);
  assert.equal(tracker.getRecentErrors({ minutes: 1 }).length, 3);
  assert.equal(tracker.getErrorSummary({ timeWindowMinutes: 1 }).totalErrors, 3);
  // Times of day are those of the clock: people compare them with their logs.
  assert.equal(tracker.getRecentErrors()[0]?.timeMs, timeMs);

  elapsedMs += 60_000;
  timeMs -= 3_600_000;
  assert.equal(tracker.getPatterns()[0]?.count, 0);
  assert.equal(tracker.getRecentErrors({ minutes: 1 }).length, 0);
  for (let index = 0; index < 3; index++) track(-1_000);
  assert.equal(fired, 2);
});

test("a clock that only goes back, or tells no time, never stops the tracker", () => {
  const times = [1e12, 1e12 - 1e9, Number.NaN, 1e12 - 5e8, Number.POSITIVE_INFINITY];
  let next = 0;
  const tracker = new ErrorTracker({ clock: { now: () => times[next++ % times.length] ?? 0 } });
  for (let index = 0; index < 20; index++) assert.notEqual(tracker.trackError("a", "x"), null);
  const errors = tracker.getRecentErrors({ minutes: Number.POSITIVE_INFINITY });
  assert.equal(errors.length, 20);
  assert.ok(errors.every(({ timeMs }) => Number.isFinite(timeMs)));
});
