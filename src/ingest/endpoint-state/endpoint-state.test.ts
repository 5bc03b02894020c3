/** How an endpoint is, from what Databricks reports of it: the sentences as people read them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { EndpointState, EntityState } from "../../signals/endpoint-health.ts";
import { healthOfEndpoint } from "./endpoint-state.ts";

function entity(deployment: string | null, message: string | null = null): EntityState {
  return {
    name: "support-3",
    entityName: "ml.agents.support",
    entityVersion: "3",
    deployment,
    message,
  };
}

function check(
  ready: string | null,
  configUpdate: string | null,
  { served = [entity("DEPLOYMENT_READY")], pending = [] as EntityState[] },
  expected: string,
) {
  const endpoint: EndpointState = {
    name: "support",
    ready,
    configUpdate,
    servedEntities: served,
    pendingEntities: pending,
  };
  const {
    status,
    state,
    message,
    modelVersion: _,
    ...rest
  } = healthOfEndpoint(endpoint, {
    timeMs: 5,
  });
  assert.equal(`${status}/${state}: ${message}`, expected);
  const component = "endpoint/support";
  assert.deepEqual(rest, { component, endpoint: "support", latencyMs: null, timeMs: 5 });
}

for (const [what, versions, expected] of [
  ["the version that it serves", ["3"], "3"],
  ["one that two entities serve", ["3", "3"], "3"],
  ["no version while it serves two", ["3", "4"], undefined],
  ["no version of what is not ours", [null], undefined],
  ["no version while it serves nothing", [], undefined],
] as const) {
  test(`health tells ${what}`, () => {
    const servedEntities = versions.map((entityVersion) => ({ ...entity(null), entityVersion }));
    const endpoint = { name: "support", ready: "READY", configUpdate: "NOT_UPDATING" };
    const all = { ...endpoint, servedEntities, pendingEntities: [] };
    assert.equal(healthOfEndpoint(all, { timeMs: 5 }).modelVersion, expected);
  });
}

test("ready", () => check("READY", "NOT_UPDATING", {}, "healthy/ready: Ready to serve."));
test("ready, as a list tells it, without entities' states", () =>
  check("READY", "NOT_UPDATING", { served: [entity(null)] }, "healthy/ready: Ready to serve."));
test("a cancelled update leaves it ready", () =>
  check("READY", "UPDATE_CANCELED", {}, "healthy/ready: Ready to serve."));
test("an update in progress", () =>
  check(
    "READY",
    "IN_PROGRESS",
    { pending: [entity("DEPLOYMENT_CREATING")] },
    "healthy/updating: Serves its current configuration while an update is in progress.",
  ));
test("a failed update, with the reason", () =>
  check(
    "READY",
    "UPDATE_FAILED",
    { pending: [entity("DEPLOYMENT_FAILED", "Container\n crashed: token=abcdefgh.")] },
    'degraded/update_failed: Serves its previous configuration, because the last update failed: support-3 (ml.agents.support version 3) is DEPLOYMENT_FAILED, "Container crashed: token=[secret]".',
  ));
test("a failed update without a reason", () =>
  check(
    "READY",
    "UPDATE_FAILED",
    {},
    "degraded/update_failed: Serves its previous configuration, because the last update failed.",
  ));
test("not ready, with the reason", () =>
  check(
    "NOT_READY",
    "UPDATE_FAILED",
    { served: [entity("DEPLOYMENT_FAILED", "Out of memory")] },
    'unhealthy/not_ready: Not ready to serve: support-3 (ml.agents.support version 3) is DEPLOYMENT_FAILED, "Out of memory".',
  ));
test("not ready, because it is being made", () =>
  check(
    "NOT_READY",
    "IN_PROGRESS",
    {
      served: [],
      pending: [entity("DEPLOYMENT_CREATING", "Creating resources for served entity.")],
    },
    'unhealthy/not_ready: Not ready to serve while an update is in progress: support-3 (ml.agents.support version 3) is DEPLOYMENT_CREATING, "Creating resources for served entity".',
  ));
test("not ready, and nobody says why", () =>
  check("NOT_READY", null, { served: [] }, "unhealthy/not_ready: Not ready to serve."));
test("one of two entities recovers", () =>
  check(
    "READY",
    "NOT_UPDATING",
    {
      served: [
        entity("DEPLOYMENT_READY"),
        { ...entity("DEPLOYMENT_RECOVERING"), entityName: null },
      ],
    },
    "degraded/entity_not_ready: Ready, but not with all that it serves: support-3 is DEPLOYMENT_RECOVERING.",
  ));
for (const ready of ["READY", "NOT_READY"]) {
  test(`scaled to zero is cold, not down, even if ${ready}`, () =>
    check(
      ready,
      "NOT_UPDATING",
      { served: [entity("DEPLOYMENT_READY", "Scaled to zero")] },
      "healthy/cold: Scaled to zero; the next request starts it and waits for that.",
    ));
}
test("partly scaled to zero is ready", () =>
  check(
    "READY",
    "NOT_UPDATING",
    { served: [entity("DEPLOYMENT_READY"), entity("DEPLOYMENT_READY", "Scaled to zero")] },
    "healthy/ready: Ready to serve.",
  ));
test("no state", () => check(null, null, {}, "unknown/unknown: Databricks reports no state."));
test("a state that is new", () =>
  check(
    "READY_ISH\u001b[31m",
    null,
    {},
    "unknown/unknown: Databricks reports the state READY_ISH [31m, which is not known here.",
  ));
test("a reason as long as a log is cut", () => {
  const served = [entity("DEPLOYMENT_FAILED", "x ".repeat(100_000))];
  const endpoint = { name: "a", ready: "NOT_READY", configUpdate: null };
  const { message } = healthOfEndpoint(
    { ...endpoint, servedEntities: served, pendingEntities: [] },
    { timeMs: 0 },
  );
  assert.ok(message.length < 500);
});
