/** When patterns fire: by example, and against a plain count over random timelines. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ErrorClass, errorClasses } from "../signals/error-class.ts";
import type { ErrorPattern } from "./error-pattern.ts";
import { type ErrorSeverity, severities } from "./error-severity.ts";
import { ErrorTracker } from "./error-tracker.ts";
import { testClock } from "./test-clock.ts";
import type { TrackOptions } from "./track-options.ts";

/** Each character is one second: "x" is an error, "." is none. "F" is one at which the pattern fires. */
function check(thresholdCount: number, timeWindowSeconds: number, line: string) {
  const clock = testClock();
  const tracker = new ErrorTracker({ clock });
  let fired = false;
  const alertCallback = () => {
    fired = true;
  };
  tracker.registerPattern({ name: "p", thresholdCount, timeWindowSeconds, alertCallback });
  let seen = "";
  for (const char of line) {
    clock.advance(1000);
    fired = false;
    if (char !== ".") tracker.trackError("api.error", "no answer");
    seen += fired ? "F" : char === "." ? "." : "x";
  }
  assert.equal(seen, line);
}

test("fires when the count reaches the threshold", () => check(3, 10, "xxF"));
test("fires once per breach", () => check(3, 10, "xxFxxxxxxxxxxxxxxx"));
test("too few within the window never fire", () => check(3, 4, "xx...xx...xx...xx"));
test("an error as old as the window is out of it", () => check(2, 2, "x.x.xF"));
test("re-arms when the window falls below", () => check(2, 3, "xF...xFx...xF"));
test("falls below and reaches it again at one error", () => check(2, 2, "xFFF.xF"));
test("a threshold of one fires at the first and again after silence", () =>
  check(1, 3, "Fxx...Fxx"));
test("a long breach is one", () => check(2, 5, "xF.x.x.x.x.x.x"));

const matching: [Partial<ErrorPattern>, string, TrackOptions, boolean][] = [
  [{ errorTypes: ["api.error"] }, "api.error", {}, true],
  [{ errorTypes: ["api"] }, "api.error", {}, true],
  [{ errorTypes: ["api."] }, "api.error", {}, true],
  [{ errorTypes: ["api"] }, "api", {}, true],
  [{ errorTypes: ["ap"] }, "api.error", {}, false],
  [{ errorTypes: ["api.error"] }, "api.errors", {}, false],
  [{ errorTypes: ["api.error"] }, "api", {}, false],
  [{ errorTypes: ["api", "model"] }, "model.error.rate", {}, true],
  [{ errorTypes: [] }, "api", {}, false],
  [{}, "anything at all", {}, true],
  [{ severities: ["critical"] }, "api", {}, false],
  [{ severities: ["critical"] }, "api", { severity: "critical" }, true],
  [{ severities: ["error"] }, "api", {}, true],
  [{ errorClasses: ["throttled"] }, "api.error", { statusCode: 429 }, true],
  [{ errorClasses: ["lm_provider"] }, "model.error", { statusCode: 429 }, true],
  [{ errorClasses: ["server"] }, "api.error", { statusCode: 503 }, true],
  [{ errorClasses: ["timeout"] }, "api.error", { statusCode: 504 }, true],
  [{ errorClasses: ["client"] }, "api.error", { statusCode: 408 }, true],
  [{ errorClasses: ["timeout"] }, "agent.timeout", {}, true],
  [
    { errorClasses: ["timeout"] },
    "api.error",
    { error: new DOMException("", "TimeoutError") },
    true,
  ],
  [{ errorClasses: ["tool"] }, "api.error", { errorClass: "tool" }, true],
  [{ errorClasses: ["tool"] }, "api.error", {}, false],
  [{ errorClasses: ["unknown"] }, "api.error", {}, true],
];
for (const [pattern, type, options, expected] of matching) {
  test(`${JSON.stringify(pattern)} ${expected ? "takes" : "leaves"} ${type} ${JSON.stringify(options)}`, () => {
    const tracker = new ErrorTracker();
    let fired = 0;
    const alertCallback = () => fired++;
    const whole = { name: "p", thresholdCount: 1, timeWindowSeconds: 60, alertCallback };
    tracker.registerPattern({ ...whole, ...pattern });
    tracker.trackError(type, "no", options);
    assert.equal(fired, expected ? 1 : 0);
  });
}

type Step = {
  readonly waitMs: number;
  readonly type: string;
  readonly severity: ErrorSeverity;
  readonly errorClass: ErrorClass;
};
const types = ["api", "api.error", "api.error.late", "apix", "model.error", "agent.timeout"];

test("over any timeline, patterns fire when a plain count says so", () => {
  const step: fc.Arbitrary<Step> = fc.record({
    waitMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3_000 }), fc.constant(1_000)),
    type: fc.constantFrom(...types),
    severity: fc.constantFrom(...severities),
    errorClass: fc.constantFrom(...errorClasses.slice(0, 3)),
  });
  const list = <T>(values: readonly T[]) =>
    fc.option(fc.subarray([...values], { minLength: 1 }), { nil: undefined });
  const pattern = fc.record({
    errorTypes: list(["api", "api.error", "model", "agent.timeout"]),
    severities: list(severities),
    errorClasses: list(errorClasses.slice(0, 3)),
    thresholdCount: fc.integer({ min: 1, max: 6 }),
    timeWindowSeconds: fc.integer({ min: 1, max: 8 }),
  });
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 120 }),
      fc.array(pattern, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 50 }),
      (steps, patterns, maxErrors) => {
        const clock = testClock();
        // Whether a pattern fires does not depend on how much history is kept.
        const tracker = new ErrorTracker({ clock, maxErrors });
        const fired: string[] = [];
        patterns.forEach((given, index) => {
          const { errorTypes, severities: wanted, errorClasses: classes, ...rest } = given;
          tracker.registerPattern({
            name: `p${index}`,
            ...rest,
            ...(errorTypes && { errorTypes }),
            ...(wanted && { severities: wanted }),
            ...(classes && { errorClasses: classes }),
            alertCallback: (errors) => {
              fired.push(`p${index}@${clock.now()}: ${errors.map(({ sequence }) => sequence)}`);
            },
          });
        });

        const expected: string[] = [];
        const seen: (Step & { timeMs: number })[] = [];
        const breached = patterns.map(() => false);
        for (const one of steps) {
          clock.advance(one.waitMs);
          const counts = () =>
            patterns.map((given) => {
              const sinceMs = clock.now() - given.timeWindowSeconds * 1000;
              return seen.filter((error) => error.timeMs > sinceMs && isMatch(given, error)).length;
            });
          counts().forEach((count, index) => {
            if (count < (patterns[index]?.thresholdCount ?? 0)) breached[index] = false;
          });
          seen.push({ ...one, timeMs: clock.now() });
          counts().forEach((count, index) => {
            if (count < (patterns[index]?.thresholdCount ?? 0) || breached[index]) return;
            breached[index] = true;
            const { thresholdCount } = patterns[index] ?? assert.fail();
            const matching = seen.flatMap((error, at) =>
              isMatch(patterns[index] ?? assert.fail(), error) ? [at + 1] : [],
            );
            const kept = matching
              .slice(-thresholdCount)
              .filter((sequence) => sequence > seen.length - maxErrors);
            expected.push(`p${index}@${clock.now()}: ${kept}`);
          });
          const { type, severity, errorClass } = one;
          tracker.trackError(type, "no answer", { severity, errorClass });
        }
        assert.deepEqual(fired, expected);
      },
    ),
  );
});

function isMatch(
  pattern: {
    readonly errorTypes: string[] | undefined;
    readonly severities: ErrorSeverity[] | undefined;
    readonly errorClasses: ErrorClass[] | undefined;
  },
  { type, severity, errorClass }: Step,
): boolean {
  const isType = pattern.errorTypes?.some((wanted) => `${type}.`.startsWith(`${wanted}.`)) ?? true;
  const isSeverity = pattern.severities?.includes(severity) ?? true;
  return isType && isSeverity && (pattern.errorClasses?.includes(errorClass) ?? true);
}

test("the callback gets the errors of the window, oldest first, at most a hundred", () => {
  for (const [thresholdCount, expected] of [
    [3, ["2", "3", "4"]],
    [150, Array.from({ length: 100 }, (_, index) => String(52 + index))],
  ] as const) {
    const clock = testClock();
    const tracker = new ErrorTracker({ clock });
    let got: readonly string[] = [];
    tracker.registerPattern({
      name: "p",
      errorTypes: ["api"],
      thresholdCount,
      timeWindowSeconds: 10,
      alertCallback: (errors, breach) => {
        got = errors.map(({ message }) => message);
        assert.deepEqual(breach, {
          pattern: "p",
          thresholdCount,
          timeWindowSeconds: 10,
          timeMs: clock.now(),
        });
      },
    });
    tracker.trackError("api.error", "1");
    clock.advance(60_000);
    for (let index = 2; index < 2 + thresholdCount; index++) {
      tracker.trackError("other", "not this one");
      tracker.trackError("api.error", String(index));
    }
    assert.deepEqual(got, expected);
  }
});

test("a pattern that is not registered any more does not fire", () => {
  const tracker = new ErrorTracker();
  let fired = 0;
  const pattern = {
    name: "p",
    thresholdCount: 1,
    timeWindowSeconds: 60,
    alertCallback: () => fired++,
  };
  tracker.registerPattern(pattern);
  assert.throws(() => tracker.registerPattern(pattern), { code: "USAGE_INVALID" });
  tracker.trackError("a", "x");
  assert.equal(tracker.unregisterPattern("p"), true);
  assert.equal(tracker.unregisterPattern("p"), false);
  tracker.trackError("b", "x");
  assert.equal(fired, 1);
});

test("getPatterns tells how full each window is", () => {
  const clock = testClock();
  const tracker = new ErrorTracker({ clock });
  const alertCallback = () => {};
  tracker.registerPattern({ name: "p", thresholdCount: 2, timeWindowSeconds: 60, alertCallback });
  const state = { name: "p", thresholdCount: 2, timeWindowSeconds: 60 };
  tracker.trackError("a", "x");
  assert.deepEqual(tracker.getPatterns(), [
    { ...state, count: 1, isBreached: false, fired: 0, lastFiredMs: null },
  ]);
  tracker.trackError("a", "x");
  const lastFiredMs = clock.now();
  assert.deepEqual(tracker.getPatterns(), [
    { ...state, count: 2, isBreached: true, fired: 1, lastFiredMs },
  ]);
  clock.advance(60_000);
  assert.deepEqual(tracker.getPatterns(), [
    { ...state, count: 0, isBreached: false, fired: 1, lastFiredMs },
  ]);
});

const senseless: [string, object][] = [
  ["no name", { name: "" }],
  ["a threshold of none", { thresholdCount: 0 }],
  ["half a threshold", { thresholdCount: 1.5 }],
  ["a threshold beyond the limit", { thresholdCount: 1e9 }],
  ["no window", { timeWindowSeconds: 0 }],
  ["a window that is no number", { timeWindowSeconds: Number.NaN }],
  ["no callback", { alertCallback: undefined }],
  ["types that are no list", { errorTypes: "api" }],
  ["an unknown severity", { severities: ["fatal"] }],
  ["an unknown class", { errorClasses: ["server", "disk"] }],
];
for (const [what, wrong] of senseless) {
  test(`a pattern with ${what} is refused`, () => {
    const pattern = { name: "p", thresholdCount: 1, timeWindowSeconds: 1, alertCallback: () => {} };
    assert.throws(() => new ErrorTracker().registerPattern({ ...pattern, ...wrong }), {
      code: "USAGE_INVALID",
    });
  });
}

/** Processor time of an error with five patterns, once this many errors are kept, in microseconds. */
function costAfter(errors: number): number {
  const tracker = new ErrorTracker({ maxErrors: 100_000 });
  for (const errorTypes of [["api"], ["api.error"], ["model"], ["tool", "api"]]) {
    const pattern = { thresholdCount: 1_000, timeWindowSeconds: 3_600, alertCallback: () => {} };
    tracker.registerPattern({ name: `${errorTypes}`, errorTypes, ...pattern });
  }
  const track = () => tracker.trackError("api.error", "no answer after 5 s", { agentName: "qa" });
  for (let n = 0; n < errors; n++) track();
  const times = Array.from({ length: 7 }, () => {
    const started = process.threadCpuUsage();
    for (let n = 0; n < 500; n++) track();
    return process.threadCpuUsage(started).user / 500;
  });
  return Math.min(...times);
}

test("an error costs the same with a hundred times the history", () => {
  costAfter(20_000); // until it is compiled
  const [few, many] = [costAfter(1_000), costAfter(100_000)];
  // A look through the history would take a hundred times as long.
  assert.ok(many < 5 * few + 1, `${few} µs, then ${many} µs`);
});
