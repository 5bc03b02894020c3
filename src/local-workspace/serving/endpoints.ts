/**
 * Model Serving's API: endpoints are made, changed, asked and deleted.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/serving.py`. The codes and
 * words of the refusals are assumed.
 */
import type { Context } from "hono";
import { z } from "zod";
import type { PermissionLevel } from "../access/object-permissions.ts";
import type { Principal } from "../access/principals.ts";
import type { WorkspaceApi, WorkspaceEnv } from "../core/context.ts";
import { newHexId } from "../core/ids.ts";
import { readBody } from "../core/request.ts";
import { Refusal } from "../databricks-error.ts";
import {
  describeEndpoint,
  type Endpoint,
  endpointsOf,
  findEndpoint,
  isUpdating,
  objectOf,
  summarizeEndpoint,
} from "./endpoint.ts";
import { configBody, readConfig } from "./endpoint-config.ts";
import { clientRequestId, createInferenceTables, LOGGED_MAX_BYTES } from "./inference-table.ts";
import { createServing } from "./serving.ts";

const BASE = "/api/2.0/serving-endpoints";

/** Largest request, in bytes, that Databricks takes for agents, and for other models. */
const AGENT_REQUEST_MAX_BYTES = 4 * 1024 * 1024;
const REQUEST_MAX_BYTES = 16 * 1024 * 1024;
/** Longest that a model may take. */
const INVOCATION_TIMEOUT_MS = 597_000;

const tag = z.looseObject({ key: z.string(), value: z.string().optional() });
const kept = z.record(z.string(), z.unknown());
const newEndpoint = z.looseObject({
  name: z.string(),
  config: configBody.optional(),
  description: z.string().optional(),
  tags: z.array(tag).default([]),
  route_optimized: z.boolean().default(false),
  budget_policy_id: z.string().optional(),
  ai_gateway: kept.optional(),
  telemetry_config: kept.optional(),
  email_notifications: kept.optional(),
});
const tagChange = z.looseObject({
  add_tags: z.array(tag).default([]),
  delete_tags: z.array(z.string()).default([]),
});

export const servingEndpoints: WorkspaceApi = {
  name: "Serving endpoints",
  mount(routes, context) {
    const { clock, permissions, random } = context;
    const endpoints = endpointsOf(context);
    const inferenceTables = createInferenceTables(context);
    const serving = createServing(context);

    const describe = (endpoint: Endpoint, principal: Principal) =>
      describeEndpoint(endpoint, {
        url: context.url(),
        permissionLevel: permissions.levelOf(principal, objectOf(endpoint)),
        stateOf: (entity) => serving.stateOf(endpoint.name, entity),
      });

    /** @throws Refusal when it is not there, or the caller may not do this with it. */
    function find(c: Context<WorkspaceEnv>, level: PermissionLevel): Endpoint {
      const endpoint = findEndpoint(context, c.req.param("name") ?? "");
      const shownAs = `serving endpoint '${endpoint.name}'`;
      permissions.require(c.get("principal"), level, objectOf(endpoint), shownAs);
      return endpoint;
    }

    function change(endpoint: Endpoint, changed: Partial<Endpoint>): Endpoint {
      const after = {
        ...endpoint,
        ...changed,
        last_updated_timestamp: Math.floor(clock.now()),
      };
      endpoints.put(endpoint.name, after);
      return after;
    }

    routes.post(BASE, async (c) => {
      const principal = c.get("principal");
      const body = await readBody(c, newEndpoint);
      if (!/^[\w-]{1,63}$/.test(body.name)) {
        throw new Refusal(
          "INVALID_PARAMETER_VALUE",
          `Endpoint name '${body.name}' is not valid: 1 to 63 letters, digits, - and _.`,
        );
      }
      if (endpoints.get(body.name)) {
        throw new Refusal(
          "RESOURCE_ALREADY_EXISTS",
          `Endpoint with name '${body.name}' already exists.`,
        );
      }
      inferenceTables.check(body.ai_gateway, body.name, principal);
      const startMs = Math.floor(clock.now());
      const pending = body.config
        ? readConfig(body.config, { context, principal, version: 1 })
        : null;
      const endpoint: Endpoint = {
        id: newHexId(),
        name: body.name,
        creator: principal.name,
        creation_timestamp: startMs,
        last_updated_timestamp: startMs,
        description: body.description,
        tags: body.tags,
        route_optimized: body.route_optimized,
        budget_policy_id: body.budget_policy_id,
        ai_gateway: body.ai_gateway,
        telemetry_config: body.telemetry_config && shownTelemetry(body.telemetry_config),
        email_notifications: body.email_notifications,
        config: null,
        pending: pending && { ...pending, start_time: startMs, failures: {} },
        next_config_version: 2,
      };
      endpoints.put(endpoint.name, endpoint);
      permissions.own(objectOf(endpoint), principal.name);
      serving.start(endpoint);
      return c.json(describe(endpoint, principal));
    });

    routes.get(BASE, (c) =>
      c.json({
        endpoints: endpoints
          .list()
          .filter((each) => permissions.allows(c.get("principal"), "CAN_VIEW", objectOf(each)))
          .map((each) =>
            summarizeEndpoint(each, {
              url: context.url(),
              permissionLevel: null,
              stateOf: (entity) => serving.stateOf(each.name, entity),
            }),
          ),
      }),
    );

    routes.get(`${BASE}/:name`, (c) => c.json(describe(find(c, "CAN_VIEW"), c.get("principal"))));

    routes.delete(`${BASE}/:name`, async (c) => {
      const endpoint = find(c, "CAN_MANAGE");
      endpoints.delete(endpoint.name);
      permissions.forget(objectOf(endpoint));
      await serving.remove(endpoint.name);
      return c.json({});
    });

    routes.put(`${BASE}/:name/config`, async (c) => {
      const principal = c.get("principal");
      const before = find(c, "CAN_MANAGE");
      const body = await readBody(c, configBody);
      if (isUpdating(before)) {
        throw new Refusal(
          "RESOURCE_CONFLICT",
          `Endpoint '${before.name}' is being updated to config version ${before.pending?.config_version}: wait until that is done.`,
        );
      }
      const version = before.next_config_version;
      const config = readConfig(body, { context, principal, version });
      const endpoint = change(before, {
        pending: { ...config, start_time: Math.floor(clock.now()), failures: {} },
        next_config_version: version + 1,
      });
      serving.start(endpoint);
      return c.json(describe(endpoint, principal));
    });

    routes.put(`${BASE}/:name/ai-gateway`, async (c) => {
      const before = find(c, "CAN_MANAGE");
      const gateway = await readBody(c, kept);
      inferenceTables.check(gateway, before.name, c.get("principal"));
      change(before, { ai_gateway: gateway });
      return c.json(gateway);
    });

    routes.patch(`${BASE}/:name/tags`, async (c) => {
      const before = find(c, "CAN_MANAGE");
      const { add_tags: added, delete_tags: removed } = await readBody(c, tagChange);
      const gone = [...removed, ...added.map(({ key }) => key)];
      const tags = [...before.tags.filter(({ key }) => !gone.includes(key)), ...added];
      change(before, { tags });
      return c.json({ tags });
    });

    routes.patch(`${BASE}/:name/notifications`, async (c) => {
      const before = find(c, "CAN_MANAGE");
      const body = await readBody(c, z.looseObject({ email_notifications: kept.optional() }));
      change(before, { email_notifications: body.email_notifications });
      return c.json({ name: before.name, email_notifications: body.email_notifications });
    });

    routes.patch(`${BASE}/:name/telemetry-config`, async (c) => {
      const before = find(c, "CAN_MANAGE");
      const body = await readBody(c, z.looseObject({ telemetry_config: kept.optional() }));
      if (isUpdating(before)) {
        throw new Refusal("RESOURCE_CONFLICT", `Endpoint '${before.name}' is being updated.`);
      }
      const changed = change(before, {
        telemetry_config: body.telemetry_config && shownTelemetry(body.telemetry_config),
      });
      return c.json(describe(changed, c.get("principal")));
    });

    routes.get(`${BASE}/:name/metrics`, (c) =>
      c.text(serving.metricsOf(find(c, "CAN_VIEW")).prometheusText(), 200, {
        "content-type": "text/plain; version=0.0.4; charset=utf-8",
      }),
    );

    function findEntity(c: Context<WorkspaceEnv>): { endpoint: Endpoint; entity: string } {
      const endpoint = find(c, "CAN_VIEW");
      const entity = c.req.param("entity") ?? "";
      const all = [endpoint.config, endpoint.pending].flatMap(
        (each) => each?.served_entities ?? [],
      );
      if (!all.some(({ name }) => name === entity)) {
        throw new Refusal(
          "RESOURCE_DOES_NOT_EXIST",
          `Endpoint '${endpoint.name}' has no served model '${entity}'.`,
        );
      }
      return { endpoint, entity };
    }

    routes.get(`${BASE}/:name/served-models/:entity/build-logs`, (c) => {
      const { endpoint, entity } = findEntity(c);
      return c.json({ logs: serving.buildLog(endpoint.name, entity) ?? "" });
    });

    routes.get(`${BASE}/:name/served-models/:entity/logs`, (c) => {
      const { endpoint, entity } = findEntity(c);
      return c.json({ logs: serving.entity(endpoint.name, entity)?.logs() ?? "" });
    });

    async function invoke(c: Context<WorkspaceEnv>, endpoint: Endpoint, chosen: string | null) {
      const startedMs = clock.now();
      const metrics = serving.metricsOf(endpoint);
      const count = (status: number) =>
        metrics.count({ status, latencyMs: clock.now() - startedMs });
      try {
        const response = await answer(c, endpoint, chosen);
        count(response.status);
        return response;
      } catch (error) {
        count(error instanceof Refusal ? error.status : 500);
        throw error;
      }
    }

    async function answer(c: Context<WorkspaceEnv>, endpoint: Endpoint, chosen: string | null) {
      const requestId = c.get("requestId");
      const limit = endpoint.task?.startsWith("agent/")
        ? AGENT_REQUEST_MAX_BYTES
        : REQUEST_MAX_BYTES;
      const tooLarge = () =>
        new Refusal("MAX_REQUEST_SIZE_EXCEEDED", `The request is larger than ${limit} bytes.`);
      if (Number(c.req.header("content-length") ?? 0) > limit) throw tooLarge();
      const body = new Uint8Array(await c.req.arrayBuffer());
      if (body.length > limit) throw tooLarge();

      const name = chosen ?? draw(endpoint, random());
      const entity = endpoint.config?.served_entities.find((each) => each.name === name);
      const served = entity && serving.entity(endpoint.name, entity.name);
      if (!entity || !served) {
        throw new Refusal(
          "TEMPORARILY_UNAVAILABLE",
          `Endpoint '${endpoint.name}' is not ready to serve requests.`,
        );
      }
      const startedMs = clock.now();
      const answered = await served.invoke({
        body: forModel(body),
        contentType: c.req.header("content-type") ?? "application/json",
        requestId,
        signal: AbortSignal.any([
          context.lifetime.signal,
          AbortSignal.timeout(INVOCATION_TIMEOUT_MS),
        ]),
      });
      const response = inferenceTables.isWanted(endpoint)
        ? told(answered, (bytes) =>
            inferenceTables.log(endpoint, {
              requestId,
              entity,
              requester: c.get("principal").name,
              startedMs,
              durationMs: clock.now() - startedMs,
              status: answered.status,
              request: body,
              response: bytes,
            }),
          )
        : answered;
      response.headers.set("x-databricks-request-id", requestId);
      response.headers.set("served-model-name", entity.name);
      if (served.isRecorded) response.headers.set("x-local-workspace", "recorded");
      return response;
    }

    routes.post("/serving-endpoints/:name/invocations", (c) =>
      invoke(c, find(c, "CAN_QUERY"), null),
    );

    routes.post("/serving-endpoints/:name/served-models/:entity/invocations", (c) => {
      const endpoint = find(c, "CAN_QUERY");
      return invoke(c, endpoint, findEntity(c).entity);
    });
  },
};

/** Without what Databricks itself reads of a request. */
function forModel(body: Uint8Array): Uint8Array {
  if (clientRequestId(body) === null) return body;
  // It was read as JSON right before.
  const { client_request_id: _, ...others } = JSON.parse(new TextDecoder().decode(body));
  return new TextEncoder().encode(JSON.stringify(others));
}

/** The same answer, of which `tell` gets what was sent, up to a little more than is logged. */
function told(response: Response, tell: (bytes: Uint8Array) => void): Response {
  const parts: Uint8Array[] = [];
  let heldBytes = 0;
  let isTold = false;
  const end = () => {
    if (isTold) return;
    isTold = true;
    tell(Buffer.concat(parts));
  };
  const keep = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      if (heldBytes <= LOGGED_MAX_BYTES) parts.push(chunk);
      heldBytes += chunk.length;
      controller.enqueue(chunk);
    },
    flush: end,
    cancel: end,
  });
  const { status, headers } = response;
  if (!response.body) end();
  return new Response(response.body?.pipeThrough(keep) ?? null, { status, headers });
}

/** By the shares of the traffic; `chance` is from 0 to below 1. */
function draw({ config }: Endpoint, chance: number): string {
  let left = chance * 100;
  for (const { served_entity_name: name, traffic_percentage: share } of config?.routes ?? []) {
    if (left < share) return name;
    left -= share;
  }
  return "";
}

/** Databricks answers with the id of a profile where table names were given. */
function shownTelemetry(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { table_names: _names, ...others } = given;
  return { telemetry_profile_id: newHexId(), ...others };
}
