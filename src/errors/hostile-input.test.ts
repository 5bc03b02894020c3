/** `trackError` stands in the path of requests: whatever it is given, it throws nothing and keeps little. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ErrorTracker } from "./error-tracker.ts";

type Anything = (type: unknown, message: unknown, options?: unknown) => string | null;

/** Callers in JavaScript pass anything at all. */
function trackerOf(): { tracker: ErrorTracker; track: Anything } {
  const tracker = new ErrorTracker();
  const track = tracker.trackError.bind(tracker) as Anything;
  return { tracker, track };
}

const fail = (): never => {
  throw new Error("not today");
};
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable([], {});
  revoke();
  return proxy;
};
const traps = ["get", "has", "ownKeys", "getPrototypeOf", "getOwnPropertyDescriptor", "set"];
const hostileProxy = () => new Proxy({}, Object.fromEntries(traps.map((trap) => [trap, fail])));
/** Each field is another such object, for ever. */
const endless = (): object =>
  new Proxy(
    {},
    {
      get: endless,
      ownKeys: () => ["a"],
      getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true }),
    },
  );
const withGetter = (...names: readonly string[]) =>
  Object.defineProperties(
    {},
    Object.fromEntries(names.map((name) => [name, { get: fail, enumerable: true }])),
  );
const cyclic = () => {
  const context: Record<string, unknown> = { name: "loop" };
  context.self = { inner: [context] };
  return context;
};
const causeOfItself = () => {
  const error = new Error("my own cause");
  error.cause = new Error("a step between", { cause: error });
  return error;
};
const endlessCauses = () => {
  const make = (): Error => Object.defineProperty(new Error("one more"), "cause", { get: make });
  return make();
};
const deep = () => {
  let value: unknown = "bottom";
  for (let depth = 0; depth < 100_000; depth++) value = { value };
  return value;
};

const anything: Readonly<Record<string, () => unknown>> = {
  null: () => null,
  undefined: () => undefined,
  "a symbol": () => Symbol("s"),
  "a BigInt": () => 10n ** 400n,
  NaN: () => Number.NaN,
  "minus zero": () => -0,
  "an empty text": () => "",
  "10 MB of text": () => "x".repeat(10_000_000),
  "half a surrogate pair": () => "\ud800",
  "a function": () => fail,
  "a class": () => ErrorTracker,
  "an object without a prototype": () => Object.create(null),
  "an object that can't be text": () => ({
    toString: fail,
    valueOf: fail,
    [Symbol.toPrimitive]: fail,
  }),
  "an object whose text is no text": () => ({ toString: () => ({}) }),
  "getters that throw": () =>
    withGetter("name", "message", "stack", "cause", "code", "status", "errors"),
  "options that throw": () => withGetter("severity", "agentName", "statusCode", "context", "error"),
  "a proxy that throws": hostileProxy,
  "a proxy that never ends": endless,
  "a revoked proxy": revoked,
  "a context with itself inside": cyclic,
  "100 000 objects, each inside the other": deep,
  "a list of 10 million": () => new Array(10_000_000),
  "a map with hostile keys": () =>
    new Map<unknown, unknown>([
      [hostileProxy(), Symbol("x")],
      [null, revoked()],
    ]),
  "a set of itself": () => {
    const set = new Set<unknown>();
    return set.add(set);
  },
  "a wrong date": () => new Date(Number.NaN),
  bytes: () => new Uint8Array(10_000_000),
  "a promise": () => Promise.resolve(),
  "a WeakMap": () => new WeakMap(),
  globalThis: () => globalThis,
  "an error": () => new Error("x"),
  "an error that caused itself": causeOfItself,
  "an error with endless causes": endlessCauses,
  "an error with hostile causes": () => new Error("x", { cause: hostileProxy() }),
  "an error with a name that is no text": () =>
    Object.assign(new Error("x"), { name: 7, message: Symbol("m"), code: {} }),
  "an AggregateError": () =>
    new AggregateError([new Error("a"), null, hostileProxy(), Symbol("b")], "all failed"),
  "an AggregateError of itself": () => {
    const error = new AggregateError([], "all failed");
    error.errors = [error, error];
    return error;
  },
  "an AggregateError whose list is none": () =>
    Object.assign(new AggregateError([]), { errors: revoked() }),
};

for (const [what, make] of Object.entries(anything)) {
  test(`${what} in any place is tracked`, () => {
    const { tracker, track } = trackerOf();
    const value = make();
    const calls: readonly (readonly [unknown, unknown, unknown?])[] = [
      [value, "x"],
      ["a", value],
      ["a", "x", value],
      ["a", "x", { error: value }],
      ["a", "x", { context: value }],
      ["a", "x", { context: { value, list: [value] } }],
      ["a", "x", { context: new Map([["value", value]]) }],
      ["a", "x", { error: new Error("x", { cause: value }) }],
      [
        "a",
        "x",
        {
          severity: value,
          agentName: value,
          modelVersion: value,
          statusCode: value,
          errorClass: value,
        },
      ],
    ];
    for (const call of calls) assert.match(track(...call) ?? "", /^[0-9a-f]{16}$/);
    for (const name of ["trackAgentError", "trackDeploymentError"] as const) {
      const method = tracker[name].bind(tracker) as (...given: unknown[]) => string | null;
      assert.notEqual(method(value, value, value, value), null);
    }
    assert.deepEqual(
      { errors: tracker.getCounters().errors, untracked: tracker.getCounters().untracked },
      { errors: calls.length + 2, untracked: 0 },
    );
    // What was kept is plain data, and little of it.
    for (const error of tracker.getRecentErrors()) {
      assert.ok(JSON.stringify(error).length < 40_000);
      assert.ok(error.type !== "" && error.type.length <= 200);
      assert.ok(error.message.length <= 1_000);
    }
    assert.ok(JSON.stringify([tracker.getGroups(), tracker.getErrorSummary()]).length < 1_000_000);
  });
}

test("any values at all are tracked", () => {
  fc.assert(
    fc.property(
      fc.anything(),
      fc.anything(),
      fc.anything(),
      fc.anything(),
      (type, message, context, error) => {
        const { tracker, track } = trackerOf();
        assert.notEqual(track(type, message, { context, error }), null);
        JSON.stringify([tracker.getRecentErrors(), tracker.getErrorSummary()]);
      },
    ),
    { numRuns: 500 },
  );
});

for (const nothing of [null, undefined]) {
  test(`options that are ${nothing} are left out`, () => {
    const { tracker, track } = trackerOf();
    const left = Object.fromEntries(
      ["severity", "agentName", "modelVersion", "statusCode", "errorClass", "context", "error"].map(
        (name) => [name, nothing],
      ),
    );
    assert.equal(track("a", "x", left), track("a", "x"));
    const { agentName, modelVersion, error } = tracker.getRecentErrors()[1] ?? assert.fail();
    assert.deepEqual(
      { agentName, modelVersion, error },
      { agentName: null, modelVersion: null, error: null },
    );
  });
}

test("a status that is none is left out", () => {
  const { track } = trackerOf();
  const ids = [0, 99, 600, 404.5, Number.NaN, "404"].map((statusCode) =>
    track("a", "x", { statusCode }),
  );
  assert.deepEqual(new Set(ids).size, 1);
});

const causes = (error: unknown) => {
  const { tracker, track } = trackerOf();
  track("a", "x", { error });
  return tracker.getRecentErrors()[0]?.error?.causes.map(({ message }) => message);
};
test("causes are kept in their order, each once", () => {
  const root = new Error("root");
  assert.deepEqual(causes(new Error("x", { cause: new Error("middle", { cause: root }) })), [
    "middle",
    "root",
  ]);
  assert.deepEqual(causes(causeOfItself()), ["a step between"]);
  assert.deepEqual(causes(new Error("x", { cause: "disk full" })), ["disk full"]);
});
test("the errors of an AggregateError are causes", () => {
  const all = new AggregateError([new Error("a"), new Error("b")], "all failed");
  assert.deepEqual(causes(all), ["a", "b"]);
  assert.deepEqual(causes(new Error("x", { cause: all })), ["all failed", "a", "b"]);
});
test("at most five causes are kept", () => {
  assert.equal(causes(endlessCauses())?.length, 5);
  assert.equal(
    causes(new AggregateError(Array.from({ length: 100 }, () => new Error("a"))))?.length,
    5,
  );
});

const kept = (context: unknown) => {
  const { tracker, track } = trackerOf();
  track("a", "x", { context });
  return tracker.getRecentErrors()[0]?.context;
};
const contexts: readonly [string, unknown, unknown][] = [
  ["plain data", { a: 1, b: [true, null, { c: "d" }] }, { a: 1, b: [true, null, { c: "d" }] }],
  ["a text", "only this", { value: "only this" }],
  ["a list", [1, 2], { value: [1, 2] }],
  [
    "what JSON doesn't have",
    { n: Number.NaN, i: -Infinity, b: 12n, u: undefined, s: Symbol("s"), f: fail },
    { n: "NaN", i: "-Infinity", b: "12", u: null, s: "Symbol(s)", f: "[function]" },
  ],
  [
    "things of the language",
    {
      d: new Date(0),
      u: new URL("http://h/"),
      r: /a/g,
      s: new Set([1]),
      m: new Map([["k", 1]]),
      h: new Headers({ accept: "*/*" }),
      q: new URLSearchParams("a=1"),
      e: new RangeError("no"),
      y: new Uint8Array(3),
    },
    {
      d: "1970-01-01T00:00:00.000Z",
      u: "http://h/",
      r: "/a/g",
      s: [1],
      m: { k: 1 },
      h: { accept: "*/*" },
      q: { a: "1" },
      e: { name: "RangeError", message: "no" },
      y: "[3 bytes]",
    },
  ],
  ["an object inside itself", cyclic(), { name: "loop", self: { inner: ["[circular]"] } }],
  [
    "a getter that throws",
    {
      ...{ a: 1 },
      get b() {
        return fail();
      },
    },
    { a: 1, b: "[unreadable]" },
  ],
  [
    "what can't be read",
    { p: hostileProxy(), r: revoked() },
    { p: "[unreadable]", r: "[unreadable]" },
  ],
  [
    "the same object twice",
    (() => {
      const one = { a: 1 };
      return { x: one, y: one };
    })(),
    { x: { a: 1 }, y: { a: 1 } },
  ],
  [
    "seven levels",
    { 1: { 2: { 3: { 4: { 5: { 6: {} } } } } } },
    { 1: { 2: { 3: { 4: { 5: { 6: "[…]" } } } } } },
  ],
];
for (const [what, given, expected] of contexts) {
  test(`context: ${what}`, () => assert.deepEqual(kept(given), expected));
}

test("a context that changes later is kept as it was", () => {
  const { tracker, track } = trackerOf();
  const context = { list: [1] };
  track("a", "x", { context });
  context.list.push(2);
  assert.deepEqual(tracker.getRecentErrors()[0]?.context, { list: [1] });
});

test("of a large context, the first entries and characters are kept", () => {
  const entries = kept(
    Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`k${index}`, index])),
  );
  assert.equal(Object.keys(entries ?? {}).length, 50);
  const texts = kept({ list: Array.from({ length: 40 }, () => "long text ".repeat(1_000)) });
  assert.ok(JSON.stringify(texts).length < 9_000);
  const wide = kept(Array.from({ length: 50 }, () => Array.from({ length: 50 }, () => 1)));
  assert.ok(JSON.stringify(wide).match(/1/g)?.length ?? 0 <= 200);
});

test("errors that are tracked while one is being read are bounded, and those left out are counted", () => {
  const { tracker, track } = trackerOf();
  const context = {
    get one(): unknown {
      return track("inner", "x", { context });
    },
    get other(): unknown {
      return track("inner", "x", { context });
    },
  };
  assert.notEqual(track("outer", "x", { context }), null);
  const { errors, untracked } = tracker.getCounters();
  assert.ok(errors > 1 && errors < 1_000 && untracked > 0, `${errors} ${untracked}`);
});

test("a stack that tracks errors as it is read keeps the groups apart", () => {
  const { tracker, track } = trackerOf();
  const error = Object.defineProperty(new Error("x"), "stack", {
    get: () => `${track("inner", "y")}`,
  });
  const outer = track("outer", "x", { error });
  assert.equal(track("outer", "x", { error }), outer);
  assert.deepEqual(
    tracker.getGroups().map(({ type, count }) => `${type} ${count}`),
    ["outer 2", "inner 1"],
  );
});
