/**
 * Serving endpoints as Databricks lists and describes them. The local
 * workspace has one for each recorded agent, and all are ready.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/serving.py`.
 */
import { createHash } from "node:crypto";
import { bodyLimit } from "hono/body-limit";
import type { WorkspaceApi } from "./core/context.ts";
import { databricksError } from "./databricks-error.ts";
import { createEndpointMetrics, type EndpointMetrics } from "./endpoint-metrics.ts";
import { invoke } from "./invocations.ts";
import { type ServedAgent, serveAgent } from "./served-agent.ts";

/** Largest request, in bytes. Databricks takes 4 MB for agents; a recorded question is far smaller. */
const REQUEST_MAX_BYTES = 1024 * 1024;

type Endpoint = {
  readonly agent: ServedAgent;
  readonly metrics: EndpointMetrics;
};

export const servingEndpoints: WorkspaceApi = {
  name: "Serving endpoints",
  mount(routes, { clock, recordedAgents, processUse, sendTelemetry }) {
    const createdMs = clock.now();
    const endpoints = new Map<string, Endpoint>();
    for (const agent of recordedAgents) {
      const metrics = createEndpointMetrics({
        clock,
        processUse,
        provisionedConcurrency: PROVISIONED_CONCURRENCY,
      });
      endpoints.set(agent.agent, { agent: serveAgent(agent), metrics });
    }

    routes.get("/api/2.0/serving-endpoints", (c) =>
      c.json({
        endpoints: [...endpoints].map(([endpointName]) =>
          summarizeEndpoint({ endpointName, createdMs }),
        ),
      }),
    );

    routes.get("/api/2.0/serving-endpoints/:name", (c) => {
      const name = c.req.param("name");
      if (!endpoints.has(name)) return unknownEndpoint(name);
      return c.json(describeEndpoint({ endpointName: name, createdMs }));
    });

    routes.get("/api/2.0/serving-endpoints/:name/metrics", (c) => {
      const endpoint = endpoints.get(c.req.param("name"));
      if (!endpoint) return unknownEndpoint(c.req.param("name"));
      return c.text(endpoint.metrics.prometheusText(), 200, {
        "content-type": "text/plain; version=0.0.4; charset=utf-8",
      });
    });

    routes.post(
      "/serving-endpoints/:name/invocations",
      bodyLimit({
        maxSize: REQUEST_MAX_BYTES,
        onError: () =>
          databricksError(
            "MAX_REQUEST_SIZE_EXCEEDED",
            `The request is larger than ${REQUEST_MAX_BYTES} bytes.`,
          ),
      }),
      async (c) => {
        const endpoint = endpoints.get(c.req.param("name"));
        if (!endpoint) return unknownEndpoint(c.req.param("name"));
        let body: unknown;
        try {
          body = await c.req.json();
        } catch {
          return databricksError("MALFORMED_REQUEST", "The body is not JSON.");
        }
        return invoke(body, {
          ...endpoint,
          servedEntity: servedEntityName(c.req.param("name")),
          clock,
          sendTelemetry,
        });
      },
    );
  },
};

function unknownEndpoint(name: string): Response {
  return databricksError("RESOURCE_DOES_NOT_EXIST", `Endpoint with name '${name}' does not exist.`);
}

export type ServedModel = {
  readonly endpointName: string;
  readonly createdMs: number;
};

/** Every endpoint has one entity, at its first version. */
const ENTITY_VERSION = "1";
const CREATOR = "local-workspace@example.com";
const WORKLOAD_SIZE = "Small";

/** What Databricks provisions for `workload_size` Small. */
export const PROVISIONED_CONCURRENCY = 4;

export const servedEntityName = (endpointName: string) =>
  `${endpointName.replaceAll("-", "_")}-${ENTITY_VERSION}`;

/** As `GET /api/2.0/serving-endpoints/{name}` answers. */
export function describeEndpoint({ endpointName, createdMs }: ServedModel) {
  const summary = summarizeEndpoint({ endpointName, createdMs });
  const servedName = servedEntityName(endpointName);
  const routes = [
    { served_entity_name: servedName, served_model_name: servedName, traffic_percentage: 100 },
  ];
  const entities = summary.config.served_entities.map((entity) => ({
    ...entity,
    workload_size: WORKLOAD_SIZE,
    workload_type: "CPU",
    scale_to_zero_enabled: false,
  }));
  return {
    ...summary,
    config: {
      served_entities: entities,
      traffic_config: { routes },
      config_version: 1,
    },
    permission_level: "CAN_QUERY",
    route_optimized: false,
  };
}

/** As an entry of `GET /api/2.0/serving-endpoints`. */
export function summarizeEndpoint({ endpointName, createdMs }: ServedModel) {
  const entity = {
    name: servedEntityName(endpointName),
    entity_name: `main.agents.${endpointName.replaceAll("-", "_")}`,
    entity_version: ENTITY_VERSION,
    creator: CREATOR,
    creation_timestamp: createdMs,
    state: { deployment: "DEPLOYMENT_READY", deployment_state_message: "" },
  };
  return {
    id: createHash("sha256").update(endpointName).digest("hex").slice(0, 32),
    name: endpointName,
    creator: CREATOR,
    creation_timestamp: createdMs,
    last_updated_timestamp: createdMs,
    task: "agent/v1/chat",
    state: { ready: "READY", config_update: "NOT_UPDATING" },
    config: { served_entities: [entity] },
    tags: [],
  };
}
