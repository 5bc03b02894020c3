/** The official SDK makes, changes, asks and deletes serving endpoints of the local workspace. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { startLocalWorkspace } from "../../src/local-workspace/workspace.ts";
import { testDocumentedRoutes } from "./documented-routes.ts";
import { driveSdk, sdk } from "./drive-sdk.ts";
import { exampleFiles, registerModel } from "./register-model.ts";
import { until } from "./run-program.ts";

const workspace = await startLocalWorkspace({
  otlpUrl: null,
  clock: systemClock,
  principals: { ann: "token-of-ann" },
});
// Long enough for a second call to come while the first one's effect is under way.
workspace.behaviour.endpointStartMs = 1_000;
await registerModel(workspace, "main.agents.rag", await exampleFiles("support-rag"));
await registerModel(
  workspace,
  "main.agents.other",
  new Map([
    ["MLmodel", "flavors: {}\n"],
    ["code/agent.py", "program = None\n"],
  ]),
);

const entity = (model: string, more: object = {}) => ({
  entity_name: `main.agents.${model}`,
  entity_version: "1",
  workload_size: "Small",
  scale_to_zero_enabled: true,
  ...more,
});
const config = (served: readonly object[], more: object = {}) =>
  sdk.object("serving.EndpointCoreConfigInput", { served_entities: served, ...more });
const input = (served: readonly object[]) =>
  served.map((each) => sdk.object("serving.ServedEntityInput", each));
const question = { role: "user", content: "How do I return a laptop?" };

const answers = await driveSdk({
  url: workspace.url,
  tokens: { admin: workspace.token, ann: "token-of-ann" },
  calls: [
    {
      what: "an endpoint is made, and starts",
      call: "serving_endpoints.create",
      args: {
        name: "qa",
        config: config([entity("rag", { environment_vars: { KEY: "{{secrets/agents/key}}" } })]),
        tags: [sdk.object("serving.EndpointTag", { key: "team", value: "a" })],
        description: "answers",
      },
      answers: {
        name: "qa",
        creator: "local-workspace@example.com",
        description: "answers",
        tags: [{ key: "team", value: "a" }],
        permission_level: "CAN_MANAGE",
        state: { ready: "NOT_READY", config_update: "IN_PROGRESS" },
        pending_config: {
          config_version: 1,
          served_entities: [
            {
              name: "rag-1",
              entity_name: "main.agents.rag",
              entity_version: "1",
              workload_size: "Small",
              scale_to_zero_enabled: true,
              environment_vars: { KEY: "{{secrets/agents/key}}" },
              state: { deployment: "DEPLOYMENT_CREATING" },
            },
          ],
          traffic_config: { routes: [{ served_entity_name: "rag-1", traffic_percentage: 100 }] },
        },
      },
    },
    {
      what: "while it starts, it is not changed",
      call: "serving_endpoints.update_config",
      args: { name: "qa", served_entities: input([entity("rag")]) },
      refuses: { type: "ResourceConflict", code: "RESOURCE_CONFLICT", says: /being updated/ },
    },
    {
      what: "the same name again is refused",
      call: "serving_endpoints.create",
      args: { name: "qa", config: config([entity("rag")]) },
      refuses: { type: "ResourceAlreadyExists", says: /Endpoint with name 'qa' already exists/ },
    },
    {
      what: "without the secret that it names, it does not become ready",
      call: "serving_endpoints.wait_get_serving_endpoint_not_updating",
      args: { name: "qa" },
      refuses: { type: "OperationFailed", says: /UPDATE_FAILED/ },
    },
    {
      what: "and says why",
      call: "serving_endpoints.get",
      args: { name: "qa" },
      answers: {
        state: { ready: "NOT_READY", config_update: "UPDATE_FAILED" },
        pending_config: {
          served_entities: [
            {
              state: {
                deployment: "DEPLOYMENT_FAILED",
                deployment_state_message:
                  "Environment variable KEY can't be resolved: Scope agents does not exist!",
              },
            },
          ],
        },
      },
    },
    { what: "a scope is made", call: "secrets.create_scope", args: { scope: "agents" } },
    {
      what: "a secret is put",
      call: "secrets.put_secret",
      args: { scope: "agents", key: "key", string_value: "s3cret" },
    },
    {
      what: "the configuration is given again",
      call: "serving_endpoints.update_config",
      args: {
        name: "qa",
        served_entities: input([
          entity("rag", { environment_vars: { KEY: "{{secrets/agents/key}}" } }),
        ]),
      },
      wait: true,
      answers: {
        state: { ready: "READY", config_update: "NOT_UPDATING" },
        task: "agent/v1/responses",
        config: {
          config_version: 2,
          served_entities: [
            {
              name: "rag-1",
              environment_vars: { KEY: "{{secrets/agents/key}}" },
              state: { deployment: "DEPLOYMENT_READY" },
            },
          ],
        },
      },
    },
    {
      what: "it answers a question that was recorded",
      call: "serving_endpoints.query",
      args: { name: "qa", messages: [sdk.object("serving.ChatMessage", question)] },
      answers: {
        "served-model-name": "rag-1",
        choices: [
          {
            message: {
              content:
                '{"reasoning":"The information at hand answers the question directly.","answer":"Goods may be returned within 30 days of delivery for a full refund."}',
            },
          },
        ],
      },
    },
    {
      what: "its logs say that it is recorded",
      call: "serving_endpoints.build_logs",
      args: { name: "qa", served_model_name: "rag-1" },
      answers: {
        logs: "[local workspace] Recorded: it answers as support-rag did when it was recorded; no model runs.\n",
      },
    },
    {
      what: "another model needs a Python, and what was served stays",
      call: "serving_endpoints.update_config",
      args: {
        name: "qa",
        served_entities: input([entity("rag"), entity("other")]),
        traffic_config: sdk.object("serving.TrafficConfig", {
          routes: [
            { served_model_name: "rag-1", traffic_percentage: 90 },
            { served_model_name: "other-1", traffic_percentage: 10 },
          ],
        }),
      },
      wait: true,
      refuses: { type: "OperationFailed", says: /UPDATE_FAILED/ },
    },
    {
      what: "the message says so",
      call: "serving_endpoints.get",
      args: { name: "qa" },
      answers: {
        state: { ready: "READY", config_update: "UPDATE_FAILED" },
        config: { config_version: 2 },
        pending_config: {
          config_version: 3,
          served_entities: [
            { state: { deployment: "DEPLOYMENT_ABORTED" } },
            {
              state: {
                deployment: "DEPLOYMENT_FAILED",
                deployment_state_message:
                  "The local workspace runs this model only with a Python that has mlflow and dspy: start it with --python PATH. Without one, it answers for the unchanged examples alone, from recordings.",
              },
            },
          ],
        },
      },
    },
    {
      what: "shares that don't add up are refused",
      call: "serving_endpoints.update_config",
      args: {
        name: "qa",
        served_entities: input([entity("rag")]),
        traffic_config: sdk.object("serving.TrafficConfig", {
          routes: [{ served_model_name: "rag-1", traffic_percentage: 90 }],
        }),
      },
      refuses: { type: "InvalidParameterValue", says: /add up to 100, and not to 90/ },
    },
    {
      what: "a version that does not exist is not served",
      call: "serving_endpoints.update_config",
      args: { name: "qa", served_entities: input([entity("rag", { entity_version: "7" })]) },
      refuses: { type: "ResourceDoesNotExist", says: /version '7'/ },
    },
    {
      what: "who may not use the model doesn't serve it",
      call: "serving_endpoints.create",
      args: { name: "mine", config: config([entity("rag")]) },
      as: "ann",
      refuses: { type: "PermissionDenied", says: /USE CATALOG on Catalog 'main'/ },
    },
    {
      what: "nor asks it",
      call: "serving_endpoints.query",
      args: { name: "qa", inputs: { question: question.content } },
      as: "ann",
      refuses: { type: "PermissionDenied", says: /CAN_QUERY permission on serving endpoint 'qa'/ },
    },
    { what: "nor sees it", call: "serving_endpoints.list", as: "ann", answers: [] },
    {
      what: "tags are added and removed",
      call: "serving_endpoints.patch",
      args: {
        name: "qa",
        add_tags: [sdk.object("serving.EndpointTag", { key: "release", value: "7" })],
        delete_tags: ["team"],
      },
      answers: { tags: [{ key: "release", value: "7" }] },
    },
    {
      what: "the gateway's configuration is kept",
      call: "serving_endpoints.put_ai_gateway",
      args: {
        name: "qa",
        inference_table_config: sdk.object("serving.AiGatewayInferenceTableConfig", {
          enabled: true,
          catalog_name: "ml",
          schema_name: "default",
          table_name_prefix: "qa",
        }),
      },
      answers: { inference_table_config: { enabled: true, table_name_prefix: "qa" } },
    },
    {
      what: "and told",
      call: "serving_endpoints.get",
      args: { name: "qa" },
      answers: {
        ai_gateway: { inference_table_config: { catalog_name: "ml" } },
        tags: [{ key: "release" }],
      },
    },
    {
      what: "an answer comes as events",
      call: "api_client.do",
      args: {
        method: "POST",
        path: "/serving-endpoints/qa/invocations",
        body: { input: [question], stream: true, client_request_id: "mine" },
        headers: { Accept: "text/event-stream" },
        raw: true,
      },
    },
    {
      what: "the telemetry's place is kept",
      call: "serving_endpoints.patch_telemetry_config",
      args: {
        name: "qa",
        telemetry_config: sdk.object("serving.TelemetryConfig", {
          table_names: { logs_table: "ml.default.logs" },
        }),
      },
      answers: { name: "qa" },
    },
    {
      what: "and who is written to",
      call: "serving_endpoints.update_notifications",
      args: {
        name: "qa",
        email_notifications: sdk.object("serving.EmailNotifications", {
          on_update_failure: ["ann@example.com"],
        }),
      },
      answers: { email_notifications: { on_update_failure: ["ann@example.com"] } },
    },
    {
      what: "its metrics are told",
      call: "serving_endpoints.export_metrics",
      args: { name: "qa" },
    },
    {
      what: "a model that is not served has no logs",
      call: "serving_endpoints.logs",
      args: { name: "qa", served_model_name: "nobody" },
      refuses: { type: "ResourceDoesNotExist", says: /no served model 'nobody'/ },
    },
    { what: "it is deleted", call: "serving_endpoints.delete", args: { name: "qa" } },
    {
      what: "and gone",
      call: "serving_endpoints.get",
      args: { name: "qa" },
      refuses: { type: "ResourceDoesNotExist", says: /Endpoint with name 'qa' does not exist/ },
    },
  ],
});
testDocumentedRoutes(import.meta.url, [workspace]);

/** The answers that hold files, by what is in them. */
const texts = answers
  .map((answer) => (answer as { readonly contents?: unknown } | null)?.contents)
  .filter((contents) => typeof contents === "string");

test("the events are those of the agent", () => {
  const events = texts.find((text) => text.startsWith("data: ")) ?? "";
  assert.deepEqual(
    Array.from(events.matchAll(/"type":"(response\.[\w.]+)"/g), ([, type]) => type),
    ["response.output_text.delta", "response.output_item.done", "response.completed"],
  );
});

test("the metrics are those of Prometheus", () => {
  assert.ok(texts.some((text) => /^# TYPE request_latency_ms histogram$/m.test(text)));
});

test("what was asked is in the inference table", async () => {
  const statement = "SELECT request, response, requester FROM ml.default.qa_payload";
  const ask = async () => {
    const response = await fetch(`${workspace.url}/api/2.0/sql/statements`, {
      method: "POST",
      headers: { authorization: `Bearer ${workspace.token}` },
      body: JSON.stringify({ statement, warehouse_id: "10ca1de1ce5e0001" }),
    });
    const { result } = (await response.json()) as { result?: { data_array?: string[][] } };
    return result?.data_array?.[0] ?? null;
  };
  const [request, response, requester] = await until("the row is there", ask);
  assert.match(request ?? "", /"client_request_id": ?"mine"/);
  assert.equal(
    response,
    texts.find((text) => text.startsWith("data: ")),
  );
  assert.equal(requester, "local-workspace@example.com");
});

after(() => workspace.close());
