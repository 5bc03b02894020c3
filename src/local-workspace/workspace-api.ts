/**
 * The routes of the local workspace, without a socket: the list of its APIs, and what
 * each request goes through before it reaches one. Whoever asks for something that is
 * not here is told so by name, with status 501.
 */
import { randomUUID } from "node:crypto";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { alerts } from "./alerts/alerts-api.ts";
import { apps } from "./apps/apps.ts";
import type { CallLog } from "./core/call-log.ts";
import { LOGGED_BODY_MAX_BYTES } from "./core/call-log.ts";
import type { WorkspaceApi, WorkspaceContext, WorkspaceEnv } from "./core/context.ts";
import { injectFaults } from "./core/fault-middleware.ts";
import type { Faults } from "./core/faults.ts";
import { databricksError, errorResponse, Refusal } from "./databricks-error.ts";
import { files } from "./files/files.ts";
import { jobs } from "./jobs/jobs.ts";
import { lakeview } from "./lakeview/lakeview.ts";
import { modelRegistry } from "./mlflow/registry.ts";
import { traceData, traces } from "./mlflow/traces.ts";
import { tracking } from "./mlflow/tracking.ts";
import { notificationDestinations } from "./notification-destinations/destinations-api.ts";
import { oauthTokens } from "./oauth-tokens.ts";
import { permissionsApi } from "./permissions/permissions.ts";
import { secrets } from "./secrets/secrets.ts";
import { servingEndpoints } from "./serving/endpoints.ts";
import { sqlResultLinks, sqlStatements } from "./sql/statements-api.ts";
import { catalogs } from "./unity-catalog/catalogs.ts";
import { grantsApi } from "./unity-catalog/grants-api.ts";
import { models } from "./unity-catalog/models.ts";
import { tables } from "./unity-catalog/tables.ts";
import { volumes } from "./unity-catalog/volumes.ts";
import { vectorSearch } from "./vector-search/vector-search.ts";
import { workspaceFiles } from "./workspace-files/workspace-files.ts";

/** One line each: without it, the API is not there. */
export const apis: readonly WorkspaceApi[] = [
  oauthTokens,
  secrets,
  servingEndpoints,
  catalogs,
  volumes,
  tables,
  models,
  grantsApi,
  files,
  modelRegistry,
  tracking,
  traces,
  traceData,
  workspaceFiles,
  lakeview,
  jobs,
  permissionsApi,
  sqlStatements,
  sqlResultLinks,
  alerts,
  notificationDestinations,
  vectorSearch,
  apps,
];

export type WorkspaceApiOptions = {
  readonly context: WorkspaceContext;
  readonly faults: Faults;
  readonly callLog: CallLog;
};

export function createWorkspaceApi(options: WorkspaceApiOptions): Hono<WorkspaceEnv> {
  const { context, faults, callLog } = options;
  const api = new Hono<WorkspaceEnv>({ strict: false });

  api.use(async (c, next) => {
    c.set("requestId", randomUUID());
    await next();
  });
  api.use(logCalls(callLog, context));
  api.use(injectFaults({ faults, clock: context.clock, signal: context.lifetime.signal }));

  for (const each of apis) if (each.isOpen) each.mount(api, context);
  api.use(async (c, next) => {
    const principal = context.principals.ofToken(bearerOf(c) ?? "");
    if (!principal) {
      return databricksError(
        "UNAUTHENTICATED",
        "The access token is missing, invalid or expired.",
        c.get("requestId"),
      );
    }
    c.set("principal", principal);
    await next();
  });
  for (const each of apis) if (!each.isOpen) each.mount(api, context);

  api.notFound((c) =>
    databricksError(
      "NOT_IMPLEMENTED",
      `The local workspace does not have ${c.req.method} ${c.req.path}.`,
      c.get("requestId"),
    ),
  );
  api.onError((error, c) => {
    const requestId = c.get("requestId");
    if (!(error instanceof Refusal)) {
      return databricksError("INTERNAL_ERROR", error.message, requestId);
    }
    const { status, errorCode, message } = error;
    return errorResponse({ status, errorCode, message, requestId });
  });
  return api;
}

function logCalls(
  callLog: CallLog,
  { principals }: WorkspaceContext,
): MiddlewareHandler<WorkspaceEnv> {
  return async (c, next) => {
    const tell = callLog.begin({
      method: c.req.method,
      path: new URL(c.req.url).pathname,
      query: { ...c.req.query() },
      body: await loggedBody(c),
      principal: principals.ofToken(bearerOf(c) ?? "")?.name ?? null,
      userAgent: c.req.header("user-agent") ?? "",
      status: null,
    });
    await next();
    if (c.res !== RESPONSE_ALREADY_SENT) tell({ status: c.res.status });
  };
}

async function loggedBody(c: Context): Promise<unknown> {
  const length = Number(c.req.header("content-length") ?? 0);
  const type = c.req.header("content-type") ?? "";
  // Files are passed on as they come.
  if (c.req.path.startsWith("/api/2.0/fs/")) return null;
  const isText = type === "" || /json|text|x-www-form-urlencoded/.test(type);
  if (!isText || length === 0 || length > LOGGED_BODY_MAX_BYTES) return null;
  const text = await c.req.text();
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function bearerOf(c: Context): string | undefined {
  return /^Bearer (.+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
}
