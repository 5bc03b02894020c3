/**
 * The routes of the local workspace, without a socket. Whoever asks for
 * something that is not here is told so by name, with status 501.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Clock } from "./clock.ts";
import { databricksError } from "./databricks-error.ts";
import {
  createEndpointMetrics,
  type EndpointMetrics,
  type ProcessUse,
} from "./endpoint-metrics.ts";
import { invoke } from "./invocations.ts";
import type { AgentRecordings } from "./recordings.ts";
import { type ServedAgent, serveAgent } from "./served-agent.ts";
import {
  describeEndpoint,
  PROVISIONED_CONCURRENCY,
  summarizeEndpoint,
} from "./serving-endpoints.ts";
import { unityCatalogModels } from "./unity-catalog-models.ts";
import { vectorSearch } from "./vector-search.ts";

export type WorkspaceApiOptions = {
  readonly token: string;
  readonly clock: Clock;
  readonly agents: readonly AgentRecordings[];
  readonly processUse: () => ProcessUse | null;
  readonly sendTelemetry: (body: Uint8Array) => void;
};

/** Largest request, in bytes. Databricks takes 4 MB for agents; a recorded question is far smaller. */
const REQUEST_MAX_BYTES = 1024 * 1024;

type Endpoint = {
  readonly agent: ServedAgent;
  readonly metrics: EndpointMetrics;
  readonly createdMs: number;
};

export function createWorkspaceApi(options: WorkspaceApiOptions): Hono {
  const { token, clock, agents, processUse, sendTelemetry } = options;
  const createdMs = clock.now();
  const endpoints = new Map<string, Endpoint>();
  for (const agent of agents) {
    const metrics = createEndpointMetrics({
      clock,
      processUse,
      provisionedConcurrency: PROVISIONED_CONCURRENCY,
    });
    endpoints.set(agent.agent, { agent: serveAgent(agent), metrics, createdMs });
  }

  const api = new Hono();
  // SDKs look here before they have credentials; a workspace of today does not have it.
  api.get("/.well-known/databricks-config", () =>
    databricksError("NOT_FOUND", "There is no /.well-known/databricks-config."),
  );

  api.use(async (c, next) => {
    if (!isBearer(c.req.header("authorization"), token)) {
      return databricksError("UNAUTHENTICATED", "The access token is missing or invalid.");
    }
    await next();
  });

  api.get("/api/2.0/serving-endpoints", (c) =>
    c.json({
      endpoints: [...endpoints].map(([endpointName]) =>
        summarizeEndpoint({ endpointName, createdMs }),
      ),
    }),
  );

  api.get("/api/2.0/serving-endpoints/:name", (c) => {
    const name = c.req.param("name");
    if (!endpoints.has(name)) return unknownEndpoint(name);
    return c.json(describeEndpoint({ endpointName: name, createdMs }));
  });

  api.get("/api/2.0/serving-endpoints/:name/metrics", (c) => {
    const endpoint = endpoints.get(c.req.param("name"));
    if (!endpoint) return unknownEndpoint(c.req.param("name"));
    return c.text(endpoint.metrics.prometheusText(), 200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
    });
  });

  api.post(
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
      return invoke(body, { ...endpoint, clock, sendTelemetry });
    },
  );

  api.route(
    "/api/2.1/unity-catalog/models",
    unityCatalogModels({ endpointNames: [...endpoints.keys()], createdMs }),
  );
  api.route("/api/2.0/vector-search", vectorSearch());

  api.notFound((c) =>
    databricksError(
      "NOT_IMPLEMENTED",
      `The local workspace does not have ${c.req.method} ${c.req.path}.`,
    ),
  );
  api.onError((error) => databricksError("INTERNAL_ERROR", error.message));
  return api;
}

function unknownEndpoint(name: string): Response {
  return databricksError("RESOURCE_DOES_NOT_EXIST", `Endpoint with name '${name}' does not exist.`);
}

function isBearer(header: string | undefined, token: string): boolean {
  const [, given] = /^Bearer (.+)$/i.exec(header ?? "") ?? [];
  return given !== undefined && timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
