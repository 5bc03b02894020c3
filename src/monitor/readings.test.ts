import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultRules } from "../rules/built-in-rules.ts";
import type { HealthResult } from "../signals/health-result.ts";
import { MonitorState } from "../state/monitor-state.ts";
import { healthOf, readingsFor } from "./readings.ts";

const NOW_MS = 1_800_000_000_000;

type Looked = Pick<HealthResult, "component" | "status" | "state">;

function stateWith(looked: readonly Looked[]): MonitorState {
  const state = new MonitorState();
  const health = looked.map(
    (one): HealthResult => ({
      ...one,
      endpoint: null,
      message: "",
      latencyMs: null,
      timeMs: NOW_MS,
    }),
  );
  state.apply({ kind: "observed", samples: [], health, dropped: {} }, NOW_MS);
  return state;
}

const endpoint = (status: HealthResult["status"], state = "ready"): Looked => ({
  component: "endpoint/qa",
  status,
  state,
});
const app = (status: HealthResult["status"], state = "running"): Looked => ({
  component: "app/qa",
  status,
  state,
});

for (const [what, looked, component] of [
  ["an agent that nobody looked at has none", [], undefined],
  ["an endpoint", [endpoint("healthy")], "endpoint/qa"],
  ["an app", [app("degraded")], "app/qa"],
  ["of both, what is worse counts", [endpoint("degraded"), app("unhealthy")], "app/qa"],
  [
    "of both, where none is worse, the endpoint",
    [app("healthy"), endpoint("healthy")],
    "endpoint/qa",
  ],
  [
    "what is gone says nothing beside what is there",
    [endpoint("unhealthy", "gone"), app("healthy")],
    "app/qa",
  ],
  [
    "what is unknown is no worse than what is well",
    [endpoint("healthy"), app("unknown")],
    "endpoint/qa",
  ],
] as const) {
  test(`the health of an agent: ${what}`, () => {
    assert.equal(healthOf("qa", stateWith(looked))?.component, component);
  });
}

const exported = (name: string, status: HealthResult["status"], state = "ok"): Looked => ({
  component: `export/${name}`,
  status,
  state,
});

for (const [what, looked, states] of [
  ["without any there is nothing to compare", [], []],
  [
    "one that stands still before all others",
    [exported("a", "healthy"), exported("b", "unhealthy", "parked")],
    ["parked"],
  ],
  [
    "one that is no longer asked for is none",
    [exported("a", "unhealthy", "gone"), exported("b", "healthy")],
    ["ok"],
  ],
] as const) {
  test(`the reading of exports: ${what}`, () => {
    const rule = defaultRules.find(({ kind }) => kind === "export_lagging");
    assert.ok(rule);
    const readings = readingsFor(rule, stateWith(looked), NOW_MS);
    assert.deepEqual(
      readings.map(({ health }) => health?.state),
      states,
    );
  });
}
