/** The life of a serving endpoint, on a clock that the test moves. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openTestWorkspace, type TestWorkspace } from "../test-workspace.ts";

const opened: TestWorkspace[] = [];
after(() => Promise.all(opened.map((each) => each.close())));

function open(options: Parameters<typeof openTestWorkspace>[0] = {}): TestWorkspace {
  const workspace = openTestWorkspace(options);
  opened.push(workspace);
  return workspace;
}

const BASE = "/api/2.0/serving-endpoints";
const served = (agent: string, more: object = {}) => ({
  entity_name: `main.agents.${agent}`,
  entity_version: "1",
  workload_size: "Small",
  ...more,
});
const create = (workspace: TestWorkspace, entities: readonly object[], more: object = {}) =>
  workspace.ask(`POST ${BASE}`, { name: "qa", config: { served_entities: entities }, ...more });

async function stateOf(workspace: TestWorkspace): Promise<string> {
  const { body } = await workspace.ask(`GET ${BASE}/qa`);
  const version = body.config?.config_version ?? "-";
  return `${body.state.ready} ${body.state.config_update} ${version}`;
}

test("an endpoint starts, is ready, and is asked", async () => {
  const workspace = open();
  workspace.context.behaviour.endpointStartMs = 5_000;
  assert.equal((await create(workspace, [served("support_rag")])).status, 200);
  assert.equal(await stateOf(workspace), "NOT_READY IN_PROGRESS -");
  const early = await workspace.ask("POST /serving-endpoints/qa/invocations", {});
  assert.equal(`${early.status} ${early.body.error_code}`, "503 TEMPORARILY_UNAVAILABLE");
  await workspace.clock.advance(4_999);
  assert.equal(await stateOf(workspace), "NOT_READY IN_PROGRESS -");
  await workspace.clock.advance(1);
  assert.equal(await stateOf(workspace), "READY NOT_UPDATING 1");

  const asked = workspace.request("/serving-endpoints/qa/invocations", {
    method: "POST",
    body: JSON.stringify({ input: [{ role: "user", content: "How do I return a laptop?" }] }),
  });
  await workspace.clock.advance(1_000);
  const answer = await asked;
  assert.equal(answer.headers.get("served-model-name"), "support_rag-1");
  assert.equal(answer.headers.get("x-local-workspace"), "recorded");
  const { object, output } = (await answer.json()) as {
    object: string;
    output: { role: string; content: { type: string; text: string }[] }[];
  };
  assert.equal(object, "response");
  assert.deepEqual(output[0]?.content, [
    {
      type: "output_text",
      text: "Goods may be returned within 30 days of delivery for a full refund.",
    },
  ]);
  assert.ok(Buffer.from(workspace.telemetry[0] ?? []).includes("qa"));
});

test("an update that fails leaves what is served, and the next one may succeed", async () => {
  const workspace = open();
  await create(workspace, [served("support_rag")]);
  await workspace.clock.advance(1_000);

  const update = () =>
    workspace.ask(`PUT ${BASE}/qa/config`, { served_entities: [served("order_agent")] });
  workspace.context.behaviour.failingStarts.set("qa", "Out of memory.");
  await update();
  assert.equal(await stateOf(workspace), "READY IN_PROGRESS 1");
  const conflict = await update();
  assert.equal(`${conflict.status} ${conflict.body.error_code}`, "409 RESOURCE_CONFLICT");
  await workspace.clock.advance(1_000);
  assert.equal(await stateOf(workspace), "READY UPDATE_FAILED 1");
  const { body } = await workspace.ask(`GET ${BASE}/qa`);
  assert.deepEqual(body.pending_config.served_entities[0].state, {
    deployment: "DEPLOYMENT_FAILED",
    deployment_state_message: "Out of memory.",
  });
  const logs = await workspace.ask(`GET ${BASE}/qa/served-models/order_agent-1/build-logs`);
  assert.match(logs.body.logs, /Out of memory/);

  workspace.context.behaviour.failingStarts.clear();
  await update();
  await workspace.clock.advance(1_000);
  assert.equal(await stateOf(workspace), "READY NOT_UPDATING 3");
});

test("traffic goes to the entities by their shares", async () => {
  let chance = 0;
  const workspace = open({ random: () => chance });
  await create(workspace, [served("support_rag"), served("order_agent")], {
    config: {
      served_entities: [served("support_rag"), served("order_agent")],
      traffic_config: {
        routes: [
          { served_entity_name: "support_rag-1", traffic_percentage: 80 },
          { served_entity_name: "order_agent-1", traffic_percentage: 20 },
        ],
      },
    },
  });
  await workspace.clock.advance(1_000);
  const askedAt = async (now: number) => {
    chance = now;
    const answer = await workspace.request("/serving-endpoints/qa/invocations", {
      method: "POST",
      body: "{}",
    });
    return answer.headers.get("served-model-name");
  };
  assert.equal(await askedAt(0.79), "support_rag-1");
  assert.equal(await askedAt(0.8), "order_agent-1");
});

test("an endpoint that is deleted while it starts does not come back", async () => {
  const workspace = open();
  await create(workspace, [served("support_rag")]);
  await workspace.ask(`DELETE ${BASE}/qa`);
  await workspace.clock.advance(1_000);
  assert.equal((await workspace.ask(`GET ${BASE}/qa`)).status, 404);
});

test("what was being started before a restart goes on after it", async () => {
  const dataDirectory = mkdtempSync(join(tmpdir(), "serving-"));
  try {
    const before = openTestWorkspace({ dataDirectory });
    await create(before, [served("support_rag")]);
    await before.close();
    const later = open({ dataDirectory });
    await later.clock.advance(1_000);
    assert.equal(await stateOf(later), "READY NOT_UPDATING 1");
    const others = await later.ask(`GET ${BASE}/support-rag`);
    assert.equal(others.body.state.ready, "READY");
  } finally {
    rmSync(dataDirectory, { recursive: true, force: true });
  }
});

test("telemetry goes where the environment of the entity says", async () => {
  const reported = Promise.withResolvers<string>();
  const receiver = createServer((request, response) => {
    request.resume().once("end", () => response.end());
    reported.resolve(`${request.url} ${request.headers.authorization}`);
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  const address = receiver.address();
  assert.ok(typeof address === "object" && address);
  const workspace = open();
  try {
    await create(workspace, [
      served("support_rag", {
        environment_vars: {
          OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${address.port}`,
          OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20x",
        },
      }),
    ]);
    await workspace.clock.advance(1_000);
    const asked = workspace.request("/serving-endpoints/qa/invocations", {
      method: "POST",
      body: JSON.stringify({ inputs: { question: "How do I return a laptop?" } }),
    });
    await workspace.clock.advance(1_000);
    assert.equal((await asked).status, 200);
    assert.equal(await reported.promise, "/v1/traces Bearer x");
    assert.equal(workspace.telemetry.length, 0);
  } finally {
    receiver.closeAllConnections();
    receiver.close();
  }
});

for (const [what, body, code, says] of [
  ["no entity", { served_entities: [] }, "INVALID_PARAMETER_VALUE", /1 to 15 entities/],
  [
    "an entity twice",
    { served_entities: [served("support_rag"), served("support_rag")] },
    "INVALID_PARAMETER_VALUE",
    /'support_rag-1' is used twice/,
  ],
  [
    "two entities without shares",
    { served_entities: [served("support_rag"), served("order_agent")] },
    "INVALID_PARAMETER_VALUE",
    /traffic_config is required/,
  ],
  [
    "a share for what is not served",
    {
      served_entities: [served("support_rag")],
      traffic_config: { routes: [{ served_entity_name: "x", traffic_percentage: 100 }] },
    },
    "INVALID_PARAMETER_VALUE",
    /No served entity is named 'x'/,
  ],
  [
    "another size",
    { served_entities: [served("support_rag", { workload_size: "Huge" })] },
    "INVALID_PARAMETER_VALUE",
    /none of Small, Medium, Large/,
  ],
  [
    "a model that is not there",
    { served_entities: [served("nobody")] },
    "RESOURCE_DOES_NOT_EXIST",
    /Routine or Model 'main.agents.nobody'/,
  ],
  [
    "an external model",
    { served_entities: [{ external_model: {} }] },
    "NOT_IMPLEMENTED",
    /no external models/,
  ],
  ["the older name", { served_models: [] }, "NOT_IMPLEMENTED", /served_entities/],
] as const) {
  test(`it is refused to serve ${what}`, async () => {
    const { body: refusal } = await open().ask(`POST ${BASE}`, { name: "qa", config: body });
    assert.equal(refusal.error_code, code);
    assert.match(refusal.message, says);
  });
}

test("a pending version is not served", async () => {
  const workspace = open();
  const registry = "/api/2.0/mlflow/unity-catalog";
  await workspace.ask(`POST ${registry}/registered-models/create`, { name: "ml.default.m" });
  await workspace.ask(`POST ${registry}/model-versions/create`, {
    name: "ml.default.m",
    source: "",
  });
  const { body } = await workspace.ask(`POST ${BASE}`, {
    name: "qa",
    config: {
      served_entities: [
        { entity_name: "ml.default.m", entity_version: "1", workload_size: "Small" },
      ],
    },
  });
  assert.match(body.message, /is PENDING_REGISTRATION, not READY/);
});

test("an agent is asked for its answer as events", async () => {
  const workspace = open();
  await create(workspace, [served("support_rag")]);
  await workspace.clock.advance(1_000);
  const eventsOf = async (body: object) => {
    const asked = workspace.request("/serving-endpoints/qa/invocations", {
      method: "POST",
      body: JSON.stringify({ ...body, stream: true }),
    });
    await workspace.clock.advance(1_000);
    const answer = await asked;
    assert.equal(answer.headers.get("content-type"), "text/event-stream");
    const lines = (await answer.text()).split("\n\n").filter((line) => line !== "");
    assert.equal(lines.pop(), "data: [DONE]");
    return lines.map((line) => JSON.parse(line.replace("data: ", "")));
  };
  const said = [{ role: "user", content: "How do I return a laptop?" }];
  const [delta, done, completed] = await eventsOf({ input: said });
  assert.deepEqual(
    [delta.type, done.type, completed.type],
    ["response.output_text.delta", "response.output_item.done", "response.completed"],
  );
  assert.equal(delta.delta, done.item.content[0].text);
  assert.equal(delta.item_id, done.item.id);
  assert.deepEqual(completed.response.output, [done.item]);

  const [first, last] = await eventsOf({ messages: said });
  assert.equal(first.object, "chat.completion.chunk");
  assert.match(first.choices[0].delta.content, /30 days/);
  assert.equal(last.choices[0].finish_reason, "stop");
});
