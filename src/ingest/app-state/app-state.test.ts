/** What each state of an app that Databricks reports means for the agent in it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type AppState, healthOfApp } from "./app-state.ts";

const deployed: AppState = {
  name: "agent-rag",
  computeState: "ACTIVE",
  appState: "RUNNING",
  message: null,
  activeDeployment: {},
  pendingDeployment: null,
};

const cases: readonly (readonly [what: string, app: Partial<AppState>, expected: string])[] = [
  ["runs", {}, "healthy running: Running."],
  [
    "has crashed",
    { appState: "CRASHED", message: "exit code 1." },
    'unhealthy crashed: The program has crashed: "exit code 1".',
  ],
  [
    "can't be reached",
    { appState: "UNAVAILABLE" },
    "unhealthy unavailable: The program can't be reached.",
  ],
  [
    "has nothing deployed to it",
    { appState: "UNAVAILABLE", activeDeployment: null },
    "unknown not_deployed: Nothing was deployed to it yet.",
  ],
  [
    "is being deployed",
    { appState: "DEPLOYING" },
    "degraded deploying: A deployment is in progress.",
  ],
  [
    "is being started",
    { computeState: "STARTING", appState: "UNAVAILABLE" },
    "degraded starting: Its machine is being started.",
  ],
  [
    "runs while its machine is changed",
    { computeState: "UPDATING" },
    "healthy updating: Runs while its machine is changed.",
  ],
  [
    "was stopped",
    { computeState: "STOPPED", appState: "UNAVAILABLE" },
    "unknown stopped: Stopped: it answers nobody.",
  ],
  [
    "has a machine that failed",
    { computeState: "ERROR", appState: "UNAVAILABLE", message: "no capacity" },
    'unhealthy error: Its machine has failed: "no capacity".',
  ],
  ["is being deleted", { computeState: "DELETING" }, "unknown deleting: Being deleted."],
  [
    "is in a state of tomorrow",
    { computeState: "FROZEN", appState: null },
    "unknown unknown: Databricks reports the state FROZEN, which is not known here.",
  ],
  [
    "tells no state",
    { computeState: null, appState: null },
    "unknown unknown: Databricks reports no state.",
  ],
];

for (const [what, app, expected] of cases) {
  test(`an app that ${what}`, () => {
    const { status, state, message, component, endpoint } = healthOfApp(
      { ...deployed, ...app },
      { timeMs: 5 },
    );
    assert.equal(`${status} ${state}: ${message}`, expected);
    assert.deepEqual([component, endpoint], ["app/agent-rag", "agent-rag"]);
  });
}
