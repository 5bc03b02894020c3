/** The local workspace answers as Databricks does, and refuses as it does. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type Recording, readRecordings } from "./recordings.ts";
import { openTestWorkspace, ADMIN_TOKEN as TOKEN } from "./test-workspace.ts";

const agents = readRecordings();
const recordings = agents.flatMap((agent) => agent.recordings);

const opened: { close(): Promise<void> }[] = [];
after(() => Promise.all(opened.map((workspace) => workspace.close())));

function start() {
  const workspace = openTestWorkspace();
  opened.push(workspace);
  const { clock, telemetry, request } = workspace;
  return { api: { request }, clock, telemetry };
}

// The answers as they should be; the assertions find out whether they are.
type RefusalBody = { error_code: string; message: string; details: { request_id: string }[] };
type ListBody = { endpoints: { name: string; task: string; state: object }[] };
type EndpointBody = {
  id: string;
  name: string;
  config: {
    served_entities: { entity_name: string; state: { deployment: string } }[];
    traffic_config: { routes: object[] };
  };
};
type ChatBody = { choices: { finish_reason: string; message: { content: string } }[] };

type Request = {
  readonly method?: string;
  readonly path: string;
  readonly authorization?: string | null;
  readonly body?: string;
};

async function checkRefusal(
  { method = "GET", path, authorization = `Bearer ${TOKEN}`, body }: Request,
  expected: { readonly status: number; readonly code: string; readonly says: RegExp },
) {
  const { api } = start();
  const response = await api.request(path, {
    method,
    headers: { authorization: authorization ?? "" },
    ...(body === undefined ? {} : { body }),
  });
  const refusal = (await response.json()) as RefusalBody;
  assert.equal(response.status, expected.status);
  assert.equal(refusal.error_code, expected.code);
  assert.match(refusal.message, expected.says);
  assert.equal(refusal.details[0]?.request_id, response.headers.get("x-databricks-request-id"));
}

const LIST = "/api/2.0/serving-endpoints";
const INVOKE = "/serving-endpoints/support-rag/invocations";
const unauthenticated = { status: 401, code: "UNAUTHENTICATED", says: /token/ };

test("without a token", () => checkRefusal({ path: LIST, authorization: null }, unauthenticated));
test("with another token", () =>
  checkRefusal({ path: LIST, authorization: `Bearer ${TOKEN}x` }, unauthenticated));
test("with a password", () =>
  checkRefusal({ path: LIST, authorization: `Basic ${TOKEN}` }, unauthenticated));
test("without a token, an unknown route tells nothing either", () =>
  checkRefusal({ path: "/api/2.0/nothing", authorization: null }, unauthenticated));
test("SDKs discover where to trade credentials without having any", async () => {
  const { api } = start();
  const response = await api.request("/.well-known/databricks-config", {
    headers: { authorization: "" },
  });
  assert.match(((await response.json()) as { oidc_endpoint: string }).oidc_endpoint, /\/oidc$/);
});

for (const path of [`${LIST}/nobody`, `${LIST}/nobody/metrics`]) {
  test(`an endpoint that does not exist: ${path}`, () =>
    checkRefusal({ path }, { status: 404, code: "RESOURCE_DOES_NOT_EXIST", says: /'nobody'/ }));
}
test("an endpoint that does not exist is not invoked", () =>
  checkRefusal(
    { method: "POST", path: "/serving-endpoints/nobody/invocations", body: "{}" },
    { status: 404, code: "RESOURCE_DOES_NOT_EXIST", says: /'nobody'/ },
  ));

for (const [method, path] of [
  ["GET", "/api/2.0/clusters/list"],
  ["PUT", `${LIST}/support-rag/rate-limits`],
  ["GET", INVOKE],
] as const) {
  test(`what is not here is named: ${method} ${path}`, () =>
    checkRefusal(
      { method, path },
      { status: 501, code: "NOT_IMPLEMENTED", says: new RegExp(`${method} ${path}\\.`) },
    ));
}

const badRequest = { status: 400, code: "BAD_REQUEST" };
for (const [what, body] of [
  ["no input", "{}"],
  ["a list", "[1]"],
  ["an input without a question", '{"inputs":{"query":"x"}}'],
  ["a question that is no text", '{"inputs":{"question":1}}'],
  ["no message", '{"messages":[]}'],
  ["a last message that is not the user's", '{"messages":[{"role":"assistant","content":"x"}]}'],
] as const) {
  test(`an agent is not invoked with ${what}`, () =>
    checkRefusal(
      { method: "POST", path: INVOKE, body },
      { ...badRequest, says: /^The body must be \{"inputs"/ },
    ));
}
test("an agent is not invoked with what is not JSON", () =>
  checkRefusal(
    { method: "POST", path: INVOKE, body: "question=x" },
    { status: 400, code: "MALFORMED_REQUEST", says: /not JSON/ },
  ));
test("a question without a recording gets no made-up answer", () =>
  checkRefusal(
    { method: "POST", path: INVOKE, body: '{"inputs":{"question":"Who is there?"}}' },
    { ...badRequest, says: /no recorded answer/ },
  ));
test("more than 4 MiB is too much for an agent", () =>
  checkRefusal(
    { method: "POST", path: INVOKE, body: `{"inputs":"${"x".repeat(4 * 1024 * 1024)}"}` },
    { status: 413, code: "MAX_REQUEST_SIZE_EXCEEDED", says: /4194304 bytes/ },
  ));

async function get(path: string) {
  const { api } = start();
  return api.request(path, { headers: { authorization: `bearer ${TOKEN}` } });
}

test("all agents are listed, and ready", async () => {
  const { endpoints } = (await (await get(LIST)).json()) as ListBody;
  const states = endpoints.map(({ name, task, state }) => ({ name, task, ...state }));
  assert.deepEqual(
    states,
    agents.map(({ agent }) => ({
      name: agent,
      task: "agent/v1/chat",
      ready: "READY",
      config_update: "NOT_UPDATING",
    })),
  );
});

test("an endpoint tells what it serves", async () => {
  const endpoint = (await (await get(`${LIST}/order-agent`)).json()) as EndpointBody;
  assert.notEqual(endpoint.id, endpoint.name);
  assert.equal(endpoint.config.served_entities[0]?.entity_name, "main.agents.order_agent");
  assert.equal(endpoint.config.served_entities[0]?.state.deployment, "DEPLOYMENT_READY");
  assert.deepEqual(endpoint.config.traffic_config.routes, [
    {
      served_entity_name: "order_agent-1",
      served_model_name: "order_agent-1",
      traffic_percentage: 100,
    },
  ]);
});

const recordingOf = (agent: string, name: string): Recording =>
  recordings.find((each) => each.agent === agent && each.case === name) ?? assert.fail();

type Invoked = ReturnType<typeof start> & {
  /** Resolves to the answer. */
  readonly answer: Promise<Response>;
  hasAnswered(): boolean;
};

function invokeAgent({ agent, question }: Recording, body?: object): Invoked {
  const started = start();
  let hasAnswered = false;
  const answer = Promise.resolve(
    started.api.request(`/serving-endpoints/${agent}/invocations`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify(body ?? { inputs: { question } }),
    }),
  ).finally(() => {
    hasAnswered = true;
  });
  return { ...started, answer, hasAnswered: () => hasAnswered };
}

for (const { agent } of agents) {
  for (const name of ["ordinary", "slow", "rate-limited"]) {
    test(`${agent}, ${name}: answers when and what was recorded, and reports it`, async () => {
      const recording = recordingOf(agent, name);
      const { answer, hasAnswered, clock, telemetry } = invokeAgent(recording);
      await clock.advance(recording.latencyMs - 0.1);
      assert.equal(hasAnswered(), false);
      assert.equal(telemetry.length, 0);

      await clock.advance(0.2);
      assert.equal(hasAnswered(), true);
      const response = await answer;
      const { outcome } = recording;
      assert.equal(response.status, outcome.kind === "failed" ? 400 : 200);
      assert.deepEqual(
        await response.json(),
        outcome.kind === "failed" ? outcome.failure.body : { predictions: outcome.answer },
      );
      assert.match(response.headers.get("x-databricks-request-id") ?? "", /^[0-9a-f-]{36}$/);
      assert.equal(response.headers.get("served-model-name"), `${agent.replaceAll("-", "_")}-1`);
      assert.equal(telemetry.length, 1);
      assert.ok(Buffer.from(telemetry[0] ?? []).includes(agent));
    });
  }
}

test("a chat is answered as a chat", async () => {
  const recording = recordingOf("support-rag", "ordinary");
  const messages = [
    { role: "system", content: "Be brief." },
    { role: "user", content: recording.question },
  ];
  const { answer, clock } = invokeAgent(recording, { messages });
  await clock.advance(recording.latencyMs);
  const { choices } = (await (await answer).json()) as ChatBody;
  assert.equal(choices[0]?.finish_reason, "stop");
  assert.match(choices[0]?.message.content ?? "", /"answer":"Goods may be returned/);
});

test("an answered question is counted in the metrics of its endpoint alone", async () => {
  const recording = recordingOf("order-agent", "rate-limited");
  const { answer, api, clock } = invokeAgent(recording);
  await clock.advance(60_000);
  await answer;
  const textOf = async (agent: string) =>
    (
      await api.request(`${LIST}/${agent}/metrics`, {
        headers: { authorization: `Bearer ${TOKEN}` },
      })
    ).text();
  assert.match(await textOf("order-agent"), /^request_4xx_count_total 1$/m);
  assert.match(await textOf("support-rag"), /^request_4xx_count_total 0$/m);
});
