/** What is read from the answers of the Model Serving API, in the shapes seen so far. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DatabricksError } from "./databricks-error.ts";
import {
  createServingEndpoint,
  deleteServingEndpoint,
  exportServingEndpointMetrics,
  getBuildLogs,
  getServingEndpoint,
  getServingLogs,
  listServingEndpoints,
  putAiGateway,
  type ServingEndpoint,
  updateServingConfig,
  updateServingNotifications,
  updateServingTags,
  updateServingTelemetry,
} from "./serving-endpoints.ts";
import {
  type ApiCase,
  clientThatGets as answering,
  checkApiCase,
  clientThatAnswers,
} from "./test-answering-client.ts";

function clientThatGets(body: string | ((request: string) => string)) {
  return clientThatAnswers(
    (request) => new Response(typeof body === "string" ? body : body(request.split(" ")[1] ?? "")),
  );
}

const nothingElse = {
  workloadSize: null,
  workloadType: null,
  minProvisionedConcurrency: null,
  maxProvisionedConcurrency: null,
  environmentVars: new Map(),
};

test("an endpoint, with what is unknown left out", async () => {
  const { client, seen } = clientThatGets(
    JSON.stringify({
      name: "support",
      id: "0a1b",
      creator: "ada@example.com",
      creation_timestamp: 1767225600000,
      task: "agent/v1/responses",
      permission_level: "CAN_MANAGE",
      tags: [{ key: "team", value: "agents" }, { key: "plain" }],
      state: { ready: "READY", config_update: "IN_PROGRESS", suspend: "NOT_SUSPENDED" },
      ai_gateway: {
        inference_table_config: { enabled: true, catalog_name: "ml", schema_name: "logs" },
      },
      config: {
        config_version: 2,
        auto_capture_config: {
          enabled: true,
          catalog_name: "ml",
          schema_name: "old",
          table_name_prefix: "support",
        },
        served_entities: [
          {
            name: "support-3",
            entity_name: "ml.agents.support",
            entity_version: "3",
            scale_to_zero_enabled: true,
            workload_size: "Small",
            environment_vars: { KEY: "{{secrets/agents/key}}", ODD: 7 },
            state: { deployment: "DEPLOYMENT_READY", deployment_state_message: "Scaled to zero" },
          },
        ],
        served_models: [{ name: "support-3", model_name: "ml.agents.support" }],
        traffic_config: { routes: [{ served_model_name: "support-3", traffic_percentage: 100 }] },
      },
      pending_config: {
        start_time: 1767225600000,
        config_version: 3,
        served_entities: [{ name: "llm", external_model: { name: "gpt", provider: "openai" } }],
      },
    }),
  );
  assert.deepEqual(await getServingEndpoint(client, "support"), {
    name: "support",
    id: "0a1b",
    ready: "READY",
    configUpdate: "IN_PROGRESS",
    configVersion: 2,
    servedEntities: [
      {
        ...nothingElse,
        name: "support-3",
        entityName: "ml.agents.support",
        entityVersion: "3",
        scaleToZero: true,
        workloadSize: "Small",
        environmentVars: new Map([["KEY", "{{secrets/agents/key}}"]]),
        deployment: "DEPLOYMENT_READY",
        message: "Scaled to zero",
      },
    ],
    routes: [{ servedEntityName: "support-3", trafficPercentage: 100 }],
    hasPendingConfig: true,
    pendingConfigVersion: 3,
    pendingEntities: [
      {
        ...nothingElse,
        name: "llm",
        entityName: "gpt",
        entityVersion: null,
        scaleToZero: null,
        deployment: null,
        message: null,
      },
    ],
    pendingRoutes: [],
    task: "agent/v1/responses",
    description: null,
    tags: new Map([
      ["team", "agents"],
      ["plain", ""],
    ]),
    aiGateway: {
      inference_table_config: { enabled: true, catalog_name: "ml", schema_name: "logs" },
    },
    inferenceTable: { catalogName: "ml", schemaName: "logs", tableNamePrefix: null },
    autoCaptureTable: { catalogName: "ml", schemaName: "old", tableNamePrefix: "support" },
    telemetryConfig: null,
    creator: "ada@example.com",
    createdMs: 1767225600000,
    updatedMs: null,
    permissionLevel: "CAN_MANAGE",
    url: null,
  });
  assert.deepEqual(seen, ["GET /api/2.0/serving-endpoints/support"]);
});

const config = { served_entities: [{ entity_name: "ml.agents.support", entity_version: "3" }] };
const made = { name: "support", state: { ready: "NOT_READY" } };
const nameOf = async (endpoint: Promise<ServingEndpoint>) => (await endpoint).name;
const path = "/api/2.0/serving-endpoints";
const entity = { endpointName: "support", servedEntityName: "support-3" };

for (const [what, ...apiCase] of [
  [
    "create",
    (c) => nameOf(createServingEndpoint(c, { name: "support", config, tags: [{ key: "a" }] })),
    made,
    `POST ${path} {"name":"support","config":${JSON.stringify(config)},"tags":[{"key":"a"}]}`,
    "support",
  ],
  [
    "another configuration",
    (c) => nameOf(updateServingConfig(c, "support", config)),
    made,
    `PUT ${path}/support/config ${JSON.stringify(config)}`,
    "support",
  ],
  [
    "the AI Gateway",
    (c) => putAiGateway(c, "support", { usage_tracking_config: { enabled: true } }),
    {},
    `PUT ${path}/support/ai-gateway {"usage_tracking_config":{"enabled":true}}`,
  ],
  [
    "telemetry",
    (c) => updateServingTelemetry(c, "support", { table_names: { logs_table: "ml.logs.a" } }),
    {},
    `PATCH ${path}/support/telemetry-config {"telemetry_config":{"table_names":{"logs_table":"ml.logs.a"}}}`,
  ],
  [
    "tags",
    (c) => updateServingTags(c, "support", { add: [{ key: "a", value: "b" }], remove: ["c"] }),
    { tags: [] },
    `PATCH ${path}/support/tags {"add_tags":[{"key":"a","value":"b"}],"delete_tags":["c"]}`,
  ],
  [
    "tags that only go",
    (c) => updateServingTags(c, "support", { remove: ["c"] }),
    { tags: [] },
    `PATCH ${path}/support/tags {"delete_tags":["c"]}`,
  ],
  [
    "notifications",
    (c) => updateServingNotifications(c, "support", { on_update_failure: ["ada@example.com"] }),
    {},
    `PATCH ${path}/support/notifications {"email_notifications":{"on_update_failure":["ada@example.com"]}}`,
  ],
  ["delete", (c) => deleteServingEndpoint(c, "support"), {}, `DELETE ${path}/support`],
  [
    "build logs",
    (c) => getBuildLogs(c, entity),
    { logs: "no module named dspy\n" },
    `GET ${path}/support/served-models/support-3/build-logs`,
    "no module named dspy\n",
  ],
  [
    "logs",
    (c) => getServingLogs(c, entity),
    { logs: "started\n" },
    `GET ${path}/support/served-models/support-3/logs`,
    "started\n",
  ],
  [
    "logs that are not there yet",
    (c) => getServingLogs(c, entity),
    {},
    `GET ${path}/support/served-models/support-3/logs`,
    "",
  ],
] as readonly (readonly [string, ...ApiCase])[]) {
  test(`${what}: what is asked and told`, () => checkApiCase(apiCase));
}

test("whoever may not change an endpoint is told what to grant", () =>
  assert.rejects(
    updateServingConfig(answering({}, { status: 403 }).client, "support", config),
    (error: DatabricksError) => {
      assert.equal(error.hint, 'Give the identity CAN MANAGE on serving endpoint "support".');
      return true;
    },
  ));

test("entities under their deprecated name", async () => {
  const { client } = clientThatGets(
    '{"name":"old","config":{"served_models":[{"name":"a","model_name":"m","model_version":"1"}]}}',
  );
  const [entity] = (await getServingEndpoint(client, "old")).servedEntities;
  assert.equal(`${entity?.entityName} ${entity?.entityVersion}`, "m 1");
});

for (const [what, body, names, unreadable] of [
  ["a workspace without endpoints, which leaves the list out", "{}", [], 0],
  ["an endpoint with nothing but a name", '{"endpoints":[{"name":"a"}]}', ["a"], 0],
  [
    "entries that make no sense are counted, and do not hide the rest",
    '{"endpoints":[null,7,{"name":""},{"name":"a","state":3,"config":{"served_entities":[null,1,{}]}}]}',
    ["a"],
    3,
  ],
  [
    "names that no path, line or page can hold are counted, too",
    JSON.stringify({
      endpoints: [
        ".",
        "..",
        "a\nb",
        "\u001b[31ma",
        "\u202ea",
        "\ud800",
        "x".repeat(201),
        "ünï 🦊",
      ].map((name) => ({ name })),
    }),
    ["ünï 🦊"],
    7,
  ],
] as const) {
  test(what, async () => {
    const list = await listServingEndpoints(clientThatGets(body).client);
    const found = list.endpoints.map(({ name }) => name);
    assert.deepEqual([found, list.unreadable], [names, unreadable]);
  });
}

/** A client whose list comes in pages, as many as there are names; the last names no further one. */
function clientThatPages(names: readonly string[], { endless = false } = {}) {
  return clientThatGets((path) => {
    const page = Number(new URL(path, "http://x").searchParams.get("page_token") ?? 0);
    const isLast = page === names.length - 1 && !endless;
    return JSON.stringify({
      endpoints: [{ name: names[page % names.length] }],
      ...(!isLast && { next_page_token: String(page + 1) }),
    });
  });
}

test("a list that comes in pages is read to its end", async () => {
  const { client, seen } = clientThatPages(["a", "b", "c"]);
  const { endpoints } = await listServingEndpoints(client);
  assert.deepEqual(
    endpoints.map(({ name }) => name),
    ["a", "b", "c"],
  );
  assert.deepEqual(seen, [
    "GET /api/2.0/serving-endpoints",
    "GET /api/2.0/serving-endpoints?page_token=1",
    "GET /api/2.0/serving-endpoints?page_token=2",
  ]);
});

test("a list whose pages never end is an error, not half a list", () =>
  assert.rejects(
    listServingEndpoints(clientThatPages(["a"], { endless: true }).client),
    /answered 200, but it has more than 100 pages$/,
  ));

for (const body of ["[]", "null", '{"endpoints":{}}']) {
  test(`${body} is no list of endpoints`, () =>
    assert.rejects(
      listServingEndpoints(clientThatGets(body).client),
      /answered 200, but it holds no list of endpoints$/,
    ));
}

test("metrics come as text, from the endpoint of that name only", async () => {
  const { client, seen } = clientThatGets("# EOF\n");
  assert.equal(await exportServingEndpointMetrics(client, "a/b c"), "# EOF\n");
  assert.deepEqual(seen, ["GET /api/2.0/serving-endpoints/a%2Fb%20c/metrics"]);
});
