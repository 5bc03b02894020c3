/** What is read from the answers of the Model Serving API, in the shapes seen so far. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createDatabricksClient } from "./client.ts";
import { Secret } from "./secret.ts";
import {
  exportServingEndpointMetrics,
  getServingEndpoint,
  listServingEndpoints,
} from "./serving-endpoints.ts";
import { createTestClock } from "./test-clock.ts";

function clientThatGets(body: string | ((path: string) => string)) {
  const host = "https://dbc.cloud.databricks.com";
  const seen: string[] = [];
  const client = createDatabricksClient({
    credentials: {
      host,
      signIn: { kind: "token", token: new Secret("dapi-canary") },
      source: "environment",
    },
    fetch: async (url, { method }) => {
      const path = url.slice(host.length);
      seen.push(`${method} ${path}`);
      return new Response(typeof body === "string" ? body : body(path));
    },
    clock: createTestClock(),
    random: () => 0,
  });
  return { client, seen };
}

test("an endpoint, with what is unknown left out", async () => {
  const { client, seen } = clientThatGets(
    JSON.stringify({
      name: "support",
      id: "0a1b",
      creator: "ada@example.com",
      task: "agent/v1/responses",
      state: { ready: "READY", config_update: "IN_PROGRESS", suspend: "NOT_SUSPENDED" },
      config: {
        config_version: 2,
        served_entities: [
          {
            name: "support-3",
            entity_name: "ml.agents.support",
            entity_version: "3",
            scale_to_zero_enabled: true,
            workload_size: "Small",
            state: { deployment: "DEPLOYMENT_READY", deployment_state_message: "Scaled to zero" },
          },
        ],
        served_models: [{ name: "support-3", model_name: "ml.agents.support" }],
      },
      pending_config: {
        start_time: 1767225600000,
        served_entities: [{ name: "llm", external_model: { name: "gpt", provider: "openai" } }],
      },
    }),
  );
  assert.deepEqual(await getServingEndpoint(client, "support"), {
    name: "support",
    id: "0a1b",
    ready: "READY",
    configUpdate: "IN_PROGRESS",
    hasPendingConfig: true,
    servedEntities: [
      {
        name: "support-3",
        entityName: "ml.agents.support",
        entityVersion: "3",
        scaleToZero: true,
        deployment: "DEPLOYMENT_READY",
        message: "Scaled to zero",
      },
    ],
    pendingEntities: [
      {
        name: "llm",
        entityName: "gpt",
        entityVersion: null,
        scaleToZero: null,
        deployment: null,
        message: null,
      },
    ],
    task: "agent/v1/responses",
    creator: "ada@example.com",
  });
  assert.deepEqual(seen, ["GET /api/2.0/serving-endpoints/support"]);
});

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
