/** All alerts over time: readings in, changes out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Reading, Rule } from "./rule.ts";
import { ALERTS_MAX, type AlertState, alertKey, type Explain, stepAlerts } from "./step-alerts.ts";

const slow: Rule = {
  id: "latency_p99",
  kind: "latency_p99",
  endpoint: null,
  threshold: 1000,
  windowSeconds: 10,
  minRequests: 3,
  holdSeconds: 2,
  keepFiringSeconds: 2,
};
const down: Rule = { ...slow, id: "endpoint_not_ready", kind: "endpoint_not_ready", threshold: 0 };

const explain: Explain = (rule, { endpoint }, value, { from, to }) =>
  `${endpoint} ${rule.kind} ${value} ${from}>${to}`;

const letters = { ".": "inactive", p: "pending", F: "firing", r: "resolved" } as const;

function readingOf(endpoint: string, sample: string): Reading | null {
  const healthy = { endpoint, requests: 10, failed: 0, p99Ms: 100, slower: null, health: null };
  const is = (status: "healthy" | "unhealthy" | "unknown") => ({
    ...healthy,
    health: { status, state: "", message: "" },
  });
  switch (sample) {
    case "x":
      return { ...healthy, p99Ms: 2000 };
    case "N":
      return { ...healthy, p99Ms: Number.NaN };
    case "1":
      return { ...healthy, requests: 1, p99Ms: 2000 };
    case "-":
      return { ...healthy, requests: 0, p99Ms: null };
    case "d":
      return is("unhealthy");
    case "u":
      return is("healthy");
    case "?":
      return is("unknown");
    case " ":
      return null;
    default:
      return healthy;
  }
}

/**
 * Each row is one endpoint, each character one second: "x" slow, "." fine, "N"
 * p99 is NaN, "1" one slow request, "-" no requests, "d" down, "u" up, "?" health
 * unknown, " " not seen.
 */
function replay(rules: readonly Rule[], rows: Record<string, string>) {
  let alerts: ReadonlyMap<string, AlertState> = new Map();
  const changes: string[] = [];
  const reasons: string[] = [];
  const shown = new Map(Object.keys(rows).map((endpoint) => [endpoint, ""]));
  const seconds = Math.max(...Object.values(rows).map((row) => row.length));
  for (let second = 0; second < seconds; second += 1) {
    const readings = Object.entries(rows)
      .map(([endpoint, row]) => readingOf(endpoint, row[second] ?? " "))
      .filter((reading) => reading !== null);
    const step = stepAlerts(alerts, rules, () => readings, second * 1000, explain);
    // Every step goes through JSON, as a restart would.
    alerts = new Map(JSON.parse(JSON.stringify([...step.alerts])));
    changes.push(...step.changes.map(({ id, from }) => `${from}>${id}`));
    reasons.push(...step.changes.map(({ reason }) => reason));
    for (const endpoint of shown.keys()) {
      const state = alerts.get(alertKey(rules[0]?.id ?? "", endpoint))?.kind ?? "inactive";
      const letter = Object.entries(letters).find(([, kind]) => kind === state)?.[0];
      shown.set(endpoint, `${shown.get(endpoint)}${letter}`);
    }
  }
  return { alerts, changes, reasons, shown: Object.fromEntries(shown) };
}

function check(rule: Rule, samples: string, expected: string) {
  assert.equal(replay([rule], { qa: samples }).shown.qa, expected);
}

test("fires after the hold time and resolves after the quiet time", () =>
  check(slow, ".xxxx....", ".ppFFFFrr"));
test("recovers before it fires", () => check(slow, ".x...", ".p..."));
test("NaN neither fires nor resolves", () => check(slow, "xxxNNNNNN...", "ppFFFFFFFFFr"));
test("NaN alone is no alert", () => check(slow, "NNNN", "...."));
test("too few requests never breach, and let a firing alert resolve", () =>
  check(slow, "111xxx1111", "...ppFFFrr"));
test("no requests let a firing alert resolve", () => check(slow, "xxx----", "ppFFFrr"));
test("an endpoint that vanishes resolves after the quiet time", () =>
  check(slow, "xxx      ", "ppFFFrrrr"));
test("an endpoint that vanishes while pending is forgotten", () => check(slow, "xx   ", "pp..."));
test("a check that finds nothing out does not end a down alert", () =>
  check(down, "ddd????uuu", "ppFFFFFFFr"));

test("every step is one change, with an id that says which", () => {
  const { changes } = replay([slow], { qa: "xxxx.....x.." });
  assert.deepEqual(changes, [
    "inactive>latency_p99:qa:0:pending",
    "pending>latency_p99:qa:2000:firing",
    "firing>latency_p99:qa:6000:resolved",
    "resolved>latency_p99:qa:9000:pending",
    "pending>latency_p99:qa:10000:inactive",
  ]);
});

test("each change says why, in the words of that moment", () => {
  const { reasons } = replay([slow], { qa: "xxx...." });
  assert.deepEqual(reasons, [
    "qa latency_p99 2000 inactive>pending",
    "qa latency_p99 2000 pending>firing",
    "qa latency_p99 100 firing>resolved",
  ]);
});

test("a vanished endpoint says so", () => {
  const { reasons } = replay([slow], { qa: "xxx    ", other: "......." });
  assert.equal(
    reasons.at(-1),
    "qa is no longer seen, so nothing can be measured. Before that: qa latency_p99 2000 pending>firing",
  );
});

test("endpoints and rules do not disturb each other", () => {
  const { shown, changes } = replay([slow, { ...slow, id: "slower", threshold: 5000 }], {
    a: "xxx...",
    b: "..xxxx",
  });
  assert.deepEqual(shown, { a: "ppFFFr", b: "..ppFF" });
  assert.ok(changes.every((change) => !change.includes("slower")));
});

test("a rule for one endpoint leaves the others alone", () => {
  const { shown } = replay([{ ...slow, endpoint: "a" }], { a: "xxx", b: "xxx" });
  assert.deepEqual(shown, { a: "ppF", b: "..." });
});

test("a rule of its own takes the place of the one for all, for that endpoint alone", () => {
  const own = { ...slow, id: "latency_p99:a", endpoint: "a", threshold: 5000 };
  const { shown, changes } = replay([slow, own], { a: "xxx", b: "xxx" });
  assert.deepEqual(shown, { a: "...", b: "ppF" });
  assert.ok(changes.every((change) => change.includes(":b:")));
});

test("a rule of another kind leaves the one for all as it is", () => {
  const own = { ...down, id: "endpoint_not_ready:a", endpoint: "a" };
  assert.deepEqual(replay([slow, own], { a: "xxx" }).shown, { a: "ppF" });
});

test("what fires by the rule for all ends when the endpoint gets one of its own", () => {
  const { alerts } = replay([slow], { a: "xxxx", b: "xxxx" });
  const own = { ...slow, id: "latency_p99:a", endpoint: "a", threshold: 5000 };
  const readings = ["a", "b"].map((name) => readingOf(name, "x")).filter((one) => one !== null);
  const { changes } = stepAlerts(alerts, [slow, own], () => readings, 4000, explain);
  assert.deepEqual(
    changes.map(({ ruleId, endpoint, to, reason }) => [ruleId, endpoint, to, reason]),
    [
      [
        "latency_p99",
        "a",
        "resolved",
        "a has thresholds of its own now. Before that: a latency_p99 2000 firing>firing",
      ],
    ],
  );
});

test("a rule that is removed ends its alerts at once", () => {
  const { alerts } = replay([slow], { qa: "xxxx" });
  const { changes } = stepAlerts(alerts, [], () => [], 4000, explain);
  assert.deepEqual(
    changes.map(({ to, reason }) => `${to}: ${reason.slice(0, 37)}`),
    ["resolved: The rule latency_p99 was removed. Bef"],
  );
});

test("what is kept says since when, and what was measured last", () => {
  const { alerts } = replay([slow], { qa: ".xxxx." });
  assert.deepEqual(alerts.get("latency_p99|qa"), {
    kind: "firing",
    sinceMs: 1000,
    quietSinceMs: 5000,
    seenMs: 5000,
    ruleId: "latency_p99",
    endpoint: "qa",
    value: 100,
    threshold: 1000,
    reason: "qa latency_p99 2000 firing>firing",
  });
});

test("the alerts that were passed in stay as they were", () => {
  const { alerts } = replay([slow], { qa: "xxx" });
  const text = JSON.stringify([...alerts]);
  stepAlerts(alerts, [slow], () => [], 99_000, explain);
  assert.equal(JSON.stringify([...alerts]), text);
});

test("an endpoint that is read twice counts once", () => {
  const [first, second] = [readingOf("qa", "x"), readingOf("qa", ".")];
  assert.ok(first && second);
  const { alerts } = stepAlerts(new Map(), [slow], () => [first, second], 0, explain);
  assert.equal(alerts.get("latency_p99|qa")?.kind, "pending");
});

test("the number of alerts is bounded, and what does not fit is counted", () => {
  const readings = Array.from({ length: ALERTS_MAX + 5 }, (_, n) => readingOf(`qa${n}`, "x"));
  const given = readings.filter((reading) => reading !== null);
  const { alerts, changes, dropped } = stepAlerts(new Map(), [slow], () => given, 0, explain);
  assert.deepEqual([alerts.size, changes.length, dropped], [ALERTS_MAX, ALERTS_MAX, 5]);
});

test("at the bound a resolved alert makes room for a new one", () => {
  const alerts = new Map<string, AlertState>();
  for (let n = 0; n < ALERTS_MAX; n += 1) {
    alerts.set(alertKey("latency_p99", `old${n}`), {
      kind: "resolved",
      sinceMs: n,
      quietSinceMs: null,
      seenMs: 0,
      ruleId: "latency_p99",
      endpoint: `old${n}`,
      value: null,
      threshold: 1000,
      reason: "",
    });
  }
  const reading = readingOf("new", "x");
  const step = stepAlerts(alerts, [slow], () => (reading ? [reading] : []), 1000, explain);
  assert.equal(step.alerts.get("latency_p99|new")?.kind, "pending");
  assert.equal(step.alerts.has("latency_p99|old0"), false);
  assert.equal(step.alerts.has("latency_p99|old1"), true);
  assert.equal(step.dropped, 0);
});
