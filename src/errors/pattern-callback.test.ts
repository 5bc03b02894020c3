/** What a pattern's callback may do: anything. It harms neither the caller nor the other patterns. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AlertCallback } from "./error-pattern.ts";
import { ErrorTracker } from "./error-tracker.ts";
import { testClock } from "./test-clock.ts";

/** A tracker with patterns that each fire at the first error. */
function trackerOf(callbacks: Readonly<Record<string, AlertCallback>>) {
  const failed: [unknown, string][] = [];
  const tracker = new ErrorTracker({
    clock: testClock(),
    onCallbackError: (error, pattern) => failed.push([error, pattern]),
  });
  for (const [name, alertCallback] of Object.entries(callbacks)) {
    tracker.registerPattern({ name, thresholdCount: 1, timeWindowSeconds: 60, alertCallback });
  }
  return { tracker, failed };
}

/** After all promises that are settled by now. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

const disk = new Error("disk full");
const raise = (what: unknown) => () => {
  throw what;
};
/** What makes an object a promise to `await`; by this name the linter lets it pass. */
const THEN = "then";
type Then = (resolve: (value: unknown) => void, reject: (error: unknown) => void) => void;
const thenable = (then: Then, of: object = {}) => Object.defineProperty(of, THEN, { value: then });
const failing: Readonly<Record<string, readonly [AlertCallback, unknown]>> = {
  "throws an error": [raise(disk), disk],
  "throws null": [raise(null), null],
  "throws a symbol": [raise(Symbol.iterator), Symbol.iterator],
  rejects: [() => Promise.reject(disk), disk],
  "rejects later": [async () => settled().then(raise(disk)), disk],
  "rejects with nothing": [() => Promise.reject(), undefined],
  "returns a thenable that rejects": [() => thenable((_, reject) => reject(disk)), disk],
  "returns a thenable that throws": [() => thenable(raise(disk)), disk],
  "returns something whose then can't be read": [
    () => Object.defineProperty({}, THEN, { get: raise(disk) }),
    disk,
  ],
  "rejects as a function with then": [
    () =>
      thenable(
        (_, reject) => reject(disk),
        () => {},
      ),
    disk,
  ],
};
for (const [what, [alertCallback, error]] of Object.entries(failing)) {
  test(`a callback that ${what} is told of and counted; the next one is called`, async () => {
    let called = 0;
    const { tracker, failed } = trackerOf({ first: alertCallback, second: () => called++ });
    assert.notEqual(tracker.trackError("a", "x"), null);
    await settled();
    await settled();
    assert.equal(called, 1);
    assert.deepEqual(failed, [[error, "first"]]);
    assert.equal(tracker.getCounters().callbackErrors, 1);
    assert.equal(tracker.getCounters().untracked, 0);
  });
}

for (const [what, answer] of Object.entries({
  nothing: undefined,
  "a promise": Promise.resolve(1),
  "a number": 1,
  "an object": {},
  null: null,
})) {
  test(`a callback that returns ${what} is fine`, async () => {
    const { tracker, failed } = trackerOf({ p: () => answer });
    tracker.trackError("a", "x");
    await settled();
    assert.deepEqual(failed, []);
  });
}

test("nobody waits for a callback", () => {
  const { tracker } = trackerOf({ p: () => new Promise(() => {}) });
  assert.notEqual(tracker.trackError("a", "x"), null);
  assert.equal(tracker.getCounters().errors, 1);
});

for (const [what, onCallbackError] of Object.entries({
  throws: raise(disk),
  rejects: () => Promise.reject(disk),
  "returns a thenable that rejects": () => thenable((_, reject) => reject(disk)),
})) {
  test(`an onCallbackError that ${what} harms nobody`, async () => {
    const tracker = new ErrorTracker({ onCallbackError });
    tracker.registerPattern({
      name: "p",
      thresholdCount: 1,
      timeWindowSeconds: 1,
      alertCallback: raise(disk),
    });
    assert.notEqual(tracker.trackError("a", "x"), null);
    await settled();
    assert.equal(tracker.getCounters().callbackErrors, 1);
  });
}

test("a callback sees the error that set it off in everything that the tracker tells", () => {
  const seen: unknown[] = [];
  const { tracker } = trackerOf({
    p: (errors) => {
      const [state] = tracker.getPatterns();
      seen.push(
        errors.length,
        tracker.getErrorSummary().totalErrors,
        tracker.getGroups().length,
        state?.fired,
        state?.isBreached,
      );
    },
  });
  tracker.trackError("a", "x");
  assert.deepEqual(seen, [1, 1, 1, 1, true]);
});

test("a callback may track an error: it is one more of the same breach", () => {
  let fired = 0;
  const { tracker } = trackerOf({
    p: () => {
      fired++;
      tracker.trackError("alerting.failed", "the webhook is down");
    },
  });
  tracker.trackError("a", "x");
  assert.deepEqual([fired, tracker.getCounters().errors], [1, 2]);
});

test("callbacks that set each other off come to an end, and the error beyond it is counted", () => {
  const { tracker, failed } = trackerOf({});
  let calls = 0;
  for (let index = 0; index < 50; index++) {
    tracker.registerPattern({
      name: `p${index}`,
      errorTypes: [`t${index}`],
      thresholdCount: 1,
      timeWindowSeconds: 60,
      alertCallback: () => {
        calls++;
        tracker.trackError(`t${index + 1}`, "x");
      },
    });
  }
  tracker.trackError("t0", "x");
  assert.ok(calls > 1 && calls < 20, `${calls}`);
  assert.deepEqual([tracker.getCounters().untracked, failed], [1, []]);
  // Afterwards all is as before.
  tracker.trackError("t30", "x");
  assert.equal(tracker.getPatterns()[30]?.fired, 1);
});

test("a callback may unregister its own pattern", () => {
  let fired = 0;
  const { tracker } = trackerOf({ p: () => fired++ && tracker.unregisterPattern("p") });
  tracker.unregisterPattern("p");
  tracker.registerPattern({
    name: "p",
    thresholdCount: 1,
    timeWindowSeconds: 60,
    alertCallback: () => {
      fired++;
      tracker.unregisterPattern("p");
    },
  });
  tracker.trackError("a", "x");
  tracker.trackError("a", "x");
  assert.deepEqual([fired, tracker.getPatterns()], [1, []]);
});

test("a pattern that a callback unregisters does not fire any more, not even for this error", () => {
  let fired = 0;
  const { tracker } = trackerOf({
    first: () => tracker.unregisterPattern("second"),
    second: () => fired++,
  });
  tracker.trackError("a", "x");
  assert.equal(fired, 0);
});

test("a pattern that a callback registers counts from the next error on", () => {
  let fired = 0;
  const { tracker } = trackerOf({
    first: () =>
      tracker.registerPattern({
        name: "second",
        thresholdCount: 1,
        timeWindowSeconds: 60,
        alertCallback: () => fired++,
      }),
  });
  tracker.trackError("a", "x");
  assert.equal(fired, 0);
  tracker.trackError("a", "x");
  assert.equal(fired, 1);
});

test("changing the errors that a callback got changes nothing that is kept", () => {
  const { tracker } = trackerOf({ p: (errors) => void (errors as unknown[]).splice(0) });
  tracker.trackError("a", "x");
  assert.equal(tracker.getRecentErrors().length, 1);
});

test("a pattern that is changed after it was registered is watched as it was", () => {
  let fired = 0;
  const tracker = new ErrorTracker();
  const errorTypes = ["a"];
  const pattern = {
    name: "p",
    errorTypes,
    thresholdCount: 1,
    timeWindowSeconds: 60,
    alertCallback: () => fired++,
  };
  tracker.registerPattern(pattern);
  errorTypes[0] = "b";
  pattern.name = "q";
  tracker.trackError("b", "x");
  tracker.trackError("a", "x");
  assert.equal(fired, 1);
  assert.equal(tracker.unregisterPattern("p"), true);
});
