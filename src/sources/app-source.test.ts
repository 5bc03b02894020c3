/** The apps of a workspace, look by look: what is told of them, and what when nothing answers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { clientThatAnswers } from "../databricks/test-answering-client.ts";
import type { HealthResult } from "../signals/health-result.ts";
import { startAppSource, WATCHED_APPS_MAX } from "./app-source.ts";

const INTERVAL_MS = 15_000;

type States = Readonly<Record<string, readonly [compute: string, app: string]>>;

async function watch(workspace: () => States | Response, apps: readonly string[] = []) {
  const { client, clock, seen } = clientThatAnswers(() => {
    const states = workspace();
    if (states instanceof Response) return states;
    return Response.json({
      apps: Object.entries(states).map(([name, [compute, app]]) => ({
        name,
        compute_status: { state: compute },
        app_status: { state: app },
        active_deployment: { deployment_id: "d" },
      })),
    });
  });
  const known = new Map<string, HealthResult>();
  const problems: unknown[] = [];
  const source = startAppSource({
    client,
    clock,
    intervalMs: INTERVAL_MS,
    apps,
    async onBatch({ health }) {
      for (const result of health) known.set(result.component, result);
    },
    onProblem: ({ error }) => problems.push(error),
  });
  await clock.advance(0);
  return {
    source,
    seen,
    problems,
    look: (times = 1) => clock.advance(times * INTERVAL_MS),
    told: () =>
      Array.from(
        known.values(),
        ({ component, status, state }) => `${component} ${status} ${state}`,
      ),
    message: () => source.status().map(({ state, message }) => `${state}: ${message}`),
  };
}

test("each app has its state, one that is gone says so, and only the list is asked for", async () => {
  let states: States = { "agent-rag": ["ACTIVE", "RUNNING"], board: ["STOPPED", "UNAVAILABLE"] };
  const { source, told, look, message, seen } = await watch(() => states);
  assert.deepEqual(told(), ["app/agent-rag healthy running", "app/board unknown stopped"]);
  assert.deepEqual(message(), ["ok: Watches 2 apps."]);
  states = { "agent-rag": ["ACTIVE", "CRASHED"] };
  await look();
  assert.deepEqual(told(), ["app/agent-rag unhealthy crashed", "app/board unknown gone"]);
  await source.close();
  assert.deepEqual(
    [...new Set(seen.map((call) => call.replace(/\?.*/, "")))],
    ["GET /api/2.0/apps"],
  );
});

test("only those are watched that are named", async () => {
  const running = ["ACTIVE", "RUNNING"] as const;
  const states = { "agent-rag": running, "agent-order": running, board: running, mcp: running };
  const { source, told } = await watch(() => states, ["agent-*", "mcp"]);
  assert.deepEqual(
    told().map((line) => line.split(" ")[0]),
    ["app/agent-order", "app/agent-rag", "app/mcp"],
  );
  await source.close();
});

test("apps that can't be read are unknown, once it is no accident", async () => {
  let isAway = false;
  const { source, told, look, message } = await watch(() =>
    isAway
      ? Response.json({ error_code: "INTERNAL_ERROR", message: "no" }, { status: 500 })
      : { "agent-rag": ["ACTIVE", "RUNNING"] },
  );
  isAway = true;
  await look(20);
  assert.deepEqual(told(), ["app/agent-rag unknown unread"]);
  assert.match(message()[0] ?? "", /^failing: /);
  isAway = false;
  await look(20);
  assert.deepEqual(told(), ["app/agent-rag healthy running"]);
  await source.close();
});

test("a workspace without apps, or that lets nobody see them, is said once and is no failure", async () => {
  for (const status of [403, 404]) {
    const { source, look, message, problems, seen } = await watch(() =>
      Response.json({ error_code: "ENDPOINT_NOT_FOUND", message: "no such API" }, { status }),
    );
    await look(10);
    assert.match(message()[0] ?? "", /^waiting: Not read: .*CAN USE on the apps/);
    assert.deepEqual([problems.length, seen.length], [1, 1]);
    await source.close();
  }
});

test("more apps than are watched are said to be left out", async () => {
  const many = Object.fromEntries(
    Array.from({ length: WATCHED_APPS_MAX + 3 }, (_, index) => [
      `app-${String(index).padStart(4, "0")}`,
      ["ACTIVE", "RUNNING"] as const,
    ]),
  );
  const { source, told, message } = await watch(() => many);
  assert.equal(told().length, WATCHED_APPS_MAX);
  assert.match(message()[0] ?? "", /; 3 more are left out/);
  await source.close();
});
