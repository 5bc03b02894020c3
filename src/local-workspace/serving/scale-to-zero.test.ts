/** An endpoint that nobody asks scales to zero, says so, and wakes for the next request. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openTestWorkspace, type TestWorkspace } from "../test-workspace.ts";

const MINUTE_MS = 60_000;
const body = JSON.stringify({
  input: [{ role: "user", content: "How do I return a laptop?" }],
});

async function open(scale_to_zero_enabled: boolean): Promise<TestWorkspace> {
  const workspace = openTestWorkspace();
  workspace.context.behaviour.endpointStartMs = 5_000;
  const entity = {
    entity_name: "main.agents.support_rag",
    entity_version: "1",
    workload_size: "Small",
    scale_to_zero_enabled,
  };
  await workspace.ask("POST /api/2.0/serving-endpoints", {
    name: "qa",
    config: { served_entities: [entity] },
  });
  await workspace.clock.advance(5_000);
  return workspace;
}

async function state({ ask }: TestWorkspace): Promise<string> {
  const { body: endpoint } = await ask("GET /api/2.0/serving-endpoints/qa");
  const [{ state: entity }] = endpoint.config.served_entities;
  return `${endpoint.state.ready} ${entity.deployment} ${entity.deployment_state_message.replace(/:.*/, "")}`;
}

const metrics = async ({ request }: TestWorkspace) =>
  (await request("/api/2.0/serving-endpoints/qa/metrics")).text();

/** Milliseconds until the answer is there, by the workspace's clock. */
async function askedMs({ request, clock }: TestWorkspace): Promise<number> {
  const startMs = clock.now();
  let endMs: number | null = null;
  const asked = request("/serving-endpoints/qa/invocations", { method: "POST", body }).then(
    (answer) => {
      endMs = clock.now();
      assert.equal(answer.status, 200);
    },
  );
  while (endMs === null) await clock.advance(100);
  await asked;
  return endMs - startMs;
}

test("after half an hour without a request it is cold, and ready", async () => {
  const workspace = await open(true);
  await workspace.clock.advance(30 * MINUTE_MS - 1);
  assert.equal(await state(workspace), "READY DEPLOYMENT_READY Recorded");
  assert.match(await metrics(workspace), /provisioned_concurrent_requests_total 4/);
  await workspace.clock.advance(1);
  assert.equal(await state(workspace), "READY DEPLOYMENT_READY Scaled to zero");
  assert.equal(await metrics(workspace), "");
  await workspace.close();
});

test("each request begins the time anew", async () => {
  const workspace = await open(true);
  await workspace.clock.advance(29 * MINUTE_MS);
  await askedMs(workspace);
  await workspace.clock.advance(29 * MINUTE_MS);
  assert.equal(await state(workspace), "READY DEPLOYMENT_READY Recorded");
  await workspace.close();
});

test("the first request wakes it and waits for that, as those beside it do", async () => {
  const workspace = await open(true);
  const { clock } = workspace;
  const warmMs = await askedMs(workspace);
  await clock.advance(30 * MINUTE_MS);
  assert.ok((await askedMs(workspace)) >= warmMs + 4_900);
  assert.equal(await state(workspace), "READY DEPLOYMENT_READY Recorded");
  assert.ok((await askedMs(workspace)) < 4_900);
  await workspace.close();
});

test("how long that is can be chosen, and one that may not scale does not", async () => {
  const scaling = await open(true);
  scaling.context.behaviour.scaleToZeroMs = 1_000;
  await askedMs(scaling);
  await scaling.clock.advance(1_000);
  assert.match(await state(scaling), /Scaled to zero/);
  await scaling.close();

  const staying = await open(false);
  await staying.clock.advance(120 * MINUTE_MS);
  assert.match(await state(staying), /Recorded/);
  await staying.close();
});

test("one that does not start again says so to its caller, and the next request tries again", async () => {
  const workspace = await open(true);
  const { clock, context } = workspace;
  await clock.advance(30 * MINUTE_MS);
  context.behaviour.failingStarts.set("qa", "Out of memory.");
  const asked = workspace.request("/serving-endpoints/qa/invocations", { method: "POST", body });
  await clock.advance(5_000);
  const answer = await asked;
  assert.match(`${answer.status} ${await answer.text()}`, /^503 .*Out of memory/);
  context.behaviour.failingStarts.clear();
  await askedMs(workspace);
  await workspace.close();
});
