/**
 * Secrets by scope and key, with who may read, write and manage a scope. They are
 * kept in clear in the data directory, which only its owner may enter.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/workspace.py`; Databricks,
 * "Secret management", for the limits. The words of the refusals are assumed.
 */
import { z } from "zod";
import { namesOf, type Principal } from "../access/principals.ts";
import type { WorkspaceApi, WorkspaceContext } from "../core/context.ts";
import { readBody, readQuery } from "../core/request.ts";
import { Refusal } from "../databricks-error.ts";

const BASE = "/api/2.0/secrets";

/** Limits that Databricks documents. */
const SECRET_MAX_BYTES = 128 * 1024;
const SECRETS_MAX_PER_SCOPE = 1000;
const NAME_MAX_CHARS = 128;

const levels = ["READ", "WRITE", "MANAGE"] as const;
type Level = (typeof levels)[number];

type Scope = { readonly name: string; readonly acls: Readonly<Record<string, Level>> };
type SecretEntry = {
  readonly key: string;
  readonly base64: string;
  readonly last_updated_timestamp: number;
};

const name = z
  .string()
  .min(1)
  .max(NAME_MAX_CHARS)
  .regex(/^[\w.@-]+$/, "has characters that names can't have");
const scopeBody = z.looseObject({ scope: name });
const newScope = scopeBody.extend({ initial_manage_principal: z.string().optional() });
const secretBody = scopeBody.extend({ key: name });
const newSecret = secretBody.extend({
  string_value: z.string().optional(),
  bytes_value: z.base64().optional(),
});
const aclBody = scopeBody.extend({ principal: z.string() });

export const secrets: WorkspaceApi = {
  name: "Secrets",
  mount(routes, context) {
    const scopes = scopesOf(context);
    const values = secretsOf(context);

    routes.post(`${BASE}/scopes/create`, async (c) => {
      const body = await readBody(c, newScope);
      if (scopes.get(body.scope)) {
        throw new Refusal("RESOURCE_ALREADY_EXISTS", `Scope ${body.scope} already exists!`, {
          status: 400,
        });
      }
      const { initial_manage_principal: everyone } = body;
      const acls: Record<string, Level> = { [c.get("principal").name]: "MANAGE" };
      if (everyone !== undefined) acls[everyone] = "MANAGE";
      scopes.put(body.scope, { name: body.scope, acls });
      return c.json({});
    });

    routes.post(`${BASE}/scopes/delete`, async (c) => {
      const { scope } = await readBody(c, scopeBody);
      requireLevel(context, c.get("principal"), scope, "MANAGE");
      context.state.transaction(() => {
        for (const [key] of values.entries(`${scope}/`)) values.delete(key);
        scopes.delete(scope);
      });
      return c.json({});
    });

    routes.get(`${BASE}/scopes/list`, (c) =>
      c.json({
        scopes: scopes
          .list()
          .filter((scope) => allows(c.get("principal"), scope, "READ"))
          .map((scope) => ({ name: scope.name, backend_type: "DATABRICKS" })),
      }),
    );

    routes.post(`${BASE}/put`, async (c) => {
      const { scope, key, string_value: text, bytes_value: bytes } = await readBody(c, newSecret);
      requireLevel(context, c.get("principal"), scope, "WRITE");
      if ((text === undefined) === (bytes === undefined)) {
        throw new Refusal(
          "INVALID_PARAMETER_VALUE",
          "Exactly one of string_value and bytes_value must be given.",
        );
      }
      const value = text === undefined ? Buffer.from(bytes ?? "", "base64") : Buffer.from(text);
      if (value.length > SECRET_MAX_BYTES) {
        throw new Refusal(
          "INVALID_PARAMETER_VALUE",
          `A secret holds at most ${SECRET_MAX_BYTES} bytes.`,
        );
      }
      const isNew = values.get(`${scope}/${key}`) === undefined;
      if (isNew && values.list(`${scope}/`).length >= SECRETS_MAX_PER_SCOPE) {
        throw new Refusal(
          "RESOURCE_EXHAUSTED",
          `A scope holds at most ${SECRETS_MAX_PER_SCOPE} secrets.`,
        );
      }
      values.put(`${scope}/${key}`, {
        key,
        base64: value.toString("base64"),
        last_updated_timestamp: Math.floor(context.clock.now()),
      });
      return c.json({});
    });

    routes.post(`${BASE}/delete`, async (c) => {
      const { scope, key } = await readBody(c, secretBody);
      requireLevel(context, c.get("principal"), scope, "WRITE");
      if (!values.delete(`${scope}/${key}`)) throw noSecret(scope, key);
      return c.json({});
    });

    routes.get(`${BASE}/list`, (c) => {
      const { scope } = readQuery(c, scopeBody);
      requireLevel(context, c.get("principal"), scope, "READ");
      return c.json({
        secrets: values
          .list(`${scope}/`)
          .map(({ key, last_updated_timestamp }) => ({ key, last_updated_timestamp })),
      });
    });

    routes.get(`${BASE}/get`, (c) => {
      const { scope, key } = readQuery(c, secretBody);
      requireLevel(context, c.get("principal"), scope, "READ");
      const secret = values.get(`${scope}/${key}`);
      if (!secret) throw noSecret(scope, key);
      return c.json({ key, value: secret.base64 });
    });

    routes.post(`${BASE}/acls/put`, async (c) => {
      const body = await readBody(c, aclBody.extend({ permission: z.enum(levels) }));
      const scope = requireLevel(context, c.get("principal"), body.scope, "MANAGE");
      scopes.put(scope.name, {
        ...scope,
        acls: { ...scope.acls, [body.principal]: body.permission },
      });
      return c.json({});
    });

    routes.post(`${BASE}/acls/delete`, async (c) => {
      const body = await readBody(c, aclBody);
      const scope = requireLevel(context, c.get("principal"), body.scope, "MANAGE");
      const { [body.principal]: removed, ...acls } = scope.acls;
      if (removed === undefined) throw noAcl(scope.name, body.principal);
      scopes.put(scope.name, { ...scope, acls });
      return c.json({});
    });

    routes.get(`${BASE}/acls/list`, (c) => {
      const scope = requireLevel(
        context,
        c.get("principal"),
        readQuery(c, scopeBody).scope,
        "MANAGE",
      );
      return c.json({
        items: Object.entries(scope.acls).map(([principal, permission]) => ({
          principal,
          permission,
        })),
      });
    });

    routes.get(`${BASE}/acls/get`, (c) => {
      const query = readQuery(c, aclBody);
      const scope = requireLevel(context, c.get("principal"), query.scope, "MANAGE");
      const permission = scope.acls[query.principal];
      if (permission === undefined) throw noAcl(scope.name, query.principal);
      return c.json({ principal: query.principal, permission });
    });
  },
};

const scopesOf = ({ state }: WorkspaceContext) => state.collection<Scope>("secret-scopes");
const secretsOf = ({ state }: WorkspaceContext) => state.collection<SecretEntry>("secrets");

/** @throws Refusal when the scope or key does not exist, or `reader` may not read it. */
export function readSecret(
  context: WorkspaceContext,
  reader: Principal,
  { scope, key }: { readonly scope: string; readonly key: string },
): string {
  requireLevel(context, reader, scope, "READ");
  const secret = secretsOf(context).get(`${scope}/${key}`);
  if (!secret) throw noSecret(scope, key);
  return Buffer.from(secret.base64, "base64").toString("utf8");
}

function allows(principal: Principal, scope: Scope, level: Level): boolean {
  return namesOf(principal).some((each) => {
    const given = scope.acls[each];
    return given !== undefined && levels.indexOf(given) >= levels.indexOf(level);
  });
}

function requireLevel(
  context: WorkspaceContext,
  principal: Principal,
  scopeName: string,
  level: Level,
): Scope {
  const scope = scopesOf(context).get(scopeName);
  if (!scope) {
    throw new Refusal("RESOURCE_DOES_NOT_EXIST", `Scope ${scopeName} does not exist!`);
  }
  if (principal.isAdmin || allows(principal, scope, level)) return scope;
  throw new Refusal(
    "PERMISSION_DENIED",
    `${principal.name} does not have ${level} permission on scope ${scopeName}.`,
  );
}

function noSecret(scope: string, key: string): Refusal {
  return new Refusal(
    "RESOURCE_DOES_NOT_EXIST",
    `Secret does not exist with scope: ${scope} and key: ${key}`,
  );
}

function noAcl(scope: string, principal: string): Refusal {
  return new Refusal(
    "RESOURCE_DOES_NOT_EXIST",
    `${principal} has no permission on scope ${scope}.`,
  );
}
