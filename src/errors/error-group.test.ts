/** Which errors are one group, and what a group tells of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { GroupState } from "./error-group.ts";
import { ErrorTracker } from "./error-tracker.ts";
import { testClock } from "./test-clock.ts";
import type { TrackOptions } from "./track-options.ts";

type Given = TrackOptions & { readonly type?: string; readonly message?: string };

const MESSAGE = "the order database is unavailable";

function groupsOf(...errors: readonly Given[]): number {
  const tracker = new ErrorTracker();
  const ids = errors.map(({ type = "api.error", message = MESSAGE, ...options }) =>
    tracker.trackError(type, message, options),
  );
  assert.ok(ids.every((id) => id !== null && /^[0-9a-f]{16}$/.test(id)));
  assert.equal(tracker.getGroups().length, new Set(ids).size);
  return new Set(ids).size;
}

const withCause = (cause: unknown) => new Error("fetch failed", { cause });
const withCode = (code: string) => Object.assign(new Error("no connection"), { code });

const oneGroup: readonly [string, Given, Given][] = [
  ["ids", { message: "no order A-9000" }, { message: "no order A-9127" }],
  ["numbers", { message: "no answer after 12.5 s" }, { message: "no answer after 3 s" }],
  ["addresses", { message: "connect 10.0.0.1:443" }, { message: "connect 10.9.8.7:8443" }],
  ["URLs", { message: "GET http://a.example/1 failed" }, { message: "GET http://b/2 failed" }],
  ["paths", { message: "open /opt/a/b.json failed" }, { message: "open /tmp/c.json failed" }],
  ["quoted values", { message: 'no tool "search"' }, { message: 'no tool "look up"' }],
  ["secrets", { message: "key sk-a1b2c3d4e5f6g7h8i9" }, { message: "key sk-z9y8x7w6v5u4t3s2r1" }],
  ["the severity", { severity: "warning" }, { severity: "critical" }],
  ["the model's version", { modelVersion: "1" }, { modelVersion: "2" }],
  ["the context", { context: { attempt: 1 } }, { context: { user: "b" } }],
  ["ids in what was thrown", { error: new Error("no row 17") }, { error: new Error("no row 4") }],
  [
    "ids in its cause",
    { error: withCause(new Error("row 1")) },
    { error: withCause(new Error("row 2")) },
  ],
  ["the stack", { error: new Error("x") }, { error: new Error("x") }],
];
for (const [what, one, other] of oneGroup) {
  test(`one group whatever ${what}`, () => assert.equal(groupsOf(one, other), 1));
}

const twoGroups: readonly [string, Given, Given][] = [
  ["type", { type: "api.error" }, { type: "api.failure" }],
  ["agent", { agentName: "qa" }, { agentName: "triage" }],
  ["agent, where one has none", { agentName: "qa" }, {}],
  ["status", { statusCode: 429 }, { statusCode: 503 }],
  ["status, where one has none", { statusCode: 503 }, {}],
  ["status in the message", { message: "HTTP 429" }, { message: "HTTP 503" }],
  ["status of what was thrown", { error: { status: 429 } }, { error: { status: 503 } }],
  ["message", { message: "no tool" }, { message: "no index" }],
  ["name of what was thrown", { error: new TypeError("x") }, { error: new RangeError("x") }],
  ["message of what was thrown", { error: new Error("x") }, { error: new Error("y") }],
  ["code of what was thrown", { error: withCode("ECONNRESET") }, { error: withCode("ENOTFOUND") }],
  [
    "cause",
    { error: withCause(withCode("ECONNREFUSED")) },
    { error: withCause(withCode("ETIMEDOUT")) },
  ],
  ["cause, where one has none", { error: withCause(new Error("x")) }, { error: withCause(null) }],
  ["what was thrown, where one has none", { error: new Error("x") }, {}],
];
for (const [what, one, other] of twoGroups) {
  test(`two groups by ${what}`, () => assert.equal(groupsOf(one, other), 2));
}

test("the same cause has the same group id in every process", () => {
  const idOf = () =>
    new ErrorTracker().trackError("api.error", "no order A-9000", { agentName: "qa" });
  assert.equal(idOf(), idOf());
  assert.equal(idOf(), "fe4ccbba494bf70c");
});

test("a group knows when it was first and last seen, how often, and in which versions", () => {
  const clock = testClock();
  const start = clock.now();
  const tracker = new ErrorTracker({ clock });
  const track = (modelVersion: string, severity: TrackOptions["severity"]) => {
    tracker.trackAgentError("qa", "tool", `no order A-${clock.now()}`, {
      modelVersion,
      statusCode: 500,
      severity: severity ?? "error",
      error: new TypeError("no such order"),
    });
    clock.advance(1_000);
  };
  track("1", "warning");
  track("2", "critical");
  track("1", "info");

  const [group, ...others] = tracker.getGroups();
  assert.deepEqual(others, []);
  const { id, stack, ...told } = group ?? assert.fail("no group");
  assert.deepEqual(tracker.getGroup(id), group);
  assert.match(stack ?? "", /^TypeError: no such order\n {4}at /);
  assert.deepEqual(told, {
    type: "agent.tool",
    agentName: "qa",
    statusCode: 500,
    errorClass: "tool",
    severity: "critical",
    state: "new",
    count: 3,
    firstSeenMs: start,
    lastSeenMs: start + 2_000,
    message: `no order A-${start}`,
    errorName: "TypeError",
    versions: [
      { version: "1", count: 2, firstSeenMs: start, lastSeenMs: start + 2_000 },
      { version: "2", count: 1, firstSeenMs: start + 1_000, lastSeenMs: start + 1_000 },
    ],
  });
});

test("a group keeps the twenty versions that were seen last", () => {
  const tracker = new ErrorTracker();
  for (let version = 1; version <= 30; version++) {
    tracker.trackError("a", "x", { modelVersion: String(version) });
  }
  const versions = tracker.getGroups()[0]?.versions.map(({ version }) => version);
  assert.deepEqual(
    versions,
    Array.from({ length: 20 }, (_, index) => String(30 - index)),
  );
});

/**
 * Each character is something that happens: `x` an error, `1` and `2` an error of that
 * version, `R` resolve, `S` resolve in version 2, `O` reopen, `h` half an hour passes.
 * The letter below it is the state afterwards.
 */
function states(happens: string, expected: string) {
  const clock = testClock();
  const tracker = new ErrorTracker({ clock });
  let id: string | null = null;
  const letters: Readonly<Record<GroupState, string>> = {
    new: "n",
    ongoing: "o",
    resolved: "r",
    regressed: "!",
  };
  let seen = "";
  for (const char of happens) {
    if (char === "h") clock.advance(1_800_000);
    else if (char === "O") assert.ok(tracker.reopen(id ?? ""));
    else if (char === "R") assert.ok(tracker.resolve(id ?? ""));
    else if (char === "S") assert.ok(tracker.resolve(id ?? "", { inVersion: "2" }));
    else id = tracker.trackError("a", "x", char === "x" ? {} : { modelVersion: char });
    const state = tracker.getGroup(id ?? "")?.state;
    seen += state ? letters[state] : "?";
  }
  assert.equal(seen, expected, happens);
}

test("new for an hour, then ongoing", () => states("xhxh", "nnno"));
test("resolved until it is seen again", () => states("xRhhx", "nrrr!"));
test("regressed, however often it is seen and however old it is", () =>
  states("xRxxhhx", "nr!!!!!"));
test("resolved again, and regressed again", () => states("xRxRx", "nr!r!"));
test("reopened, it is as before", () => states("xRO", "nrn"));
test("reopened after its first hour, it is ongoing", () => states("xRhhO", "nrrro"));
test("reopened after a regression", () => states("xRxO", "nr!n"));
test("resolved in a version: errors of the older ones are expected", () => states("1S11", "nrrr"));
test("resolved in a version: an error of that one is a regression", () => states("1S2", "nr!"));
test("resolved in a version: an error of a later one is, too", () => states("1S3", "nr!"));
test("resolved in a version: so is an error without a version", () => states("1Sx", "nr!"));
test("resolved in a version that has it already: it must be gone there", () =>
  states("12S12", "nnrr!"));
test("reopened, the version is forgotten", () => states("1SOR1", "nrnr!"));

test("a group that is not known can't be resolved, reopened or read", () => {
  const tracker = new ErrorTracker();
  assert.equal(tracker.resolve("0000000000000000"), false);
  assert.equal(tracker.reopen("0000000000000000"), false);
  assert.equal(tracker.getGroup("0000000000000000"), undefined);
});

test("at the bound the group that was not seen for longest makes room, and that is counted", () => {
  const tracker = new ErrorTracker({ maxGroups: 3 });
  for (const type of ["a", "b", "c", "a", "d"]) tracker.trackError(type, "x");
  assert.deepEqual(
    tracker.getGroups().map(({ type, count }) => `${type}${count}`),
    ["d1", "a2", "c1"],
  );
  const { groups, evictedGroups } = tracker.getCounters();
  assert.deepEqual({ groups, evictedGroups }, { groups: 3, evictedGroups: 1 });
});

test("a group that made room and comes back begins anew, under the same id", () => {
  const clock = testClock();
  const tracker = new ErrorTracker({ clock, maxGroups: 1 });
  const id = tracker.trackError("a", "x");
  tracker.resolve(id ?? "");
  tracker.trackError("b", "x");
  assert.equal(tracker.getGroup(id ?? ""), undefined);
  clock.advance(1);
  assert.equal(tracker.trackError("a", "x"), id);
  const { count, state, firstSeenMs } = tracker.getGroup(id ?? "") ?? {};
  assert.deepEqual(
    { count, state, firstSeenMs },
    { count: 1, state: "new", firstSeenMs: clock.now() },
  );
  // The history is one of errors: the group's earlier one is still there.
  assert.equal(tracker.getRecentErrors({ errorType: "a" }).length, 2);
  assert.equal(tracker.getErrorSummary().groups.find((group) => group.id === id)?.countInWindow, 2);
});
