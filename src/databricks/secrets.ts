/**
 * Secrets, which endpoints and jobs refer to as `{{secrets/scope/key}}`. A value that is
 * read back comes as a `Secret`.
 *
 * Source: databricks-sdk-py 0.156.0, `SecretsAPI`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { integerOf, recordOf, recordsOf, textOf } from "./json-fields.ts";
import { Secret } from "./secret.ts";

export type SecretKey = {
  readonly key: string;
  /** Unix milliseconds. */
  readonly updatedMs: number | null;
};

export type SecretAcl = {
  readonly principal: string;
  /** `READ`, `WRITE` or `MANAGE`. */
  readonly permission: string;
};

/** Rejects with `error.call.errorCode` `RESOURCE_ALREADY_EXISTS` where there is one of this name. */
export async function createSecretScope(
  client: DatabricksClient,
  scope: {
    readonly scope: string;
    /** `users` gives everybody `MANAGE`; left out, only who makes it has that. */
    readonly initial_manage_principal?: string;
  },
  limits: CallLimits = {},
): Promise<void> {
  await client.postJson(apiPath`/api/2.0/secrets/scopes/create`, scope, {
    ...limits,
    purpose: `create secret scope "${scope.scope}"`,
  });
}

/** The names of the scopes that the identity may see. */
export async function listSecretScopes(
  client: DatabricksClient,
  limits: CallLimits = {},
): Promise<readonly string[]> {
  const answer = await client.getJson(apiPath`/api/2.0/secrets/scopes/list`, {
    ...limits,
    purpose: "list the secret scopes",
  });
  return recordsOf(recordOf(answer.json)?.scopes).map((scope) => textOf(scope.name) ?? "");
}

export async function deleteSecretScope(
  client: DatabricksClient,
  scope: string,
  limits: CallLimits = {},
): Promise<void> {
  await client.postJson(
    apiPath`/api/2.0/secrets/scopes/delete`,
    { scope },
    {
      ...limits,
      purpose: `delete secret scope "${scope}"`,
      permission: scopePermission("MANAGE", scope),
    },
  );
}

/** At most 128 KB. One that is there gets the new value. */
export async function putSecret(
  client: DatabricksClient,
  { scope, key, value }: { readonly scope: string; readonly key: string; readonly value: string },
  limits: CallLimits = {},
): Promise<void> {
  await client.postJson(
    apiPath`/api/2.0/secrets/put`,
    { scope, key, string_value: value },
    {
      ...limits,
      purpose: `put secret "${key}" into scope "${scope}"`,
      permission: scopePermission("WRITE", scope),
      isIdempotent: true,
      secrets: [new Secret(value)],
    },
  );
}

export async function listSecrets(
  client: DatabricksClient,
  scope: string,
  limits: CallLimits = {},
): Promise<readonly SecretKey[]> {
  const answer = await client.getJson(apiPath`/api/2.0/secrets/list`, {
    ...limits,
    query: { scope },
    purpose: `list the secrets of scope "${scope}"`,
    permission: scopePermission("READ", scope),
  });
  return recordsOf(recordOf(answer.json)?.secrets).map((secret) => ({
    key: textOf(secret.key) ?? "",
    updatedMs: integerOf(secret.last_updated_timestamp),
  }));
}

export async function deleteSecret(
  client: DatabricksClient,
  { scope, key }: { readonly scope: string; readonly key: string },
  limits: CallLimits = {},
): Promise<void> {
  await client.postJson(
    apiPath`/api/2.0/secrets/delete`,
    { scope, key },
    {
      ...limits,
      purpose: `delete secret "${key}" of scope "${scope}"`,
      permission: scopePermission("WRITE", scope),
    },
  );
}

/** Says what a principal may do with all secrets of a scope, whatever it might do before. */
export async function putSecretAcl(
  client: DatabricksClient,
  acl: {
    readonly scope: string;
    readonly principal: string;
    readonly permission: "READ" | "WRITE" | "MANAGE";
  },
  limits: CallLimits = {},
): Promise<void> {
  await client.postJson(apiPath`/api/2.0/secrets/acls/put`, acl, {
    ...limits,
    purpose: `give ${acl.principal} ${acl.permission} on secret scope "${acl.scope}"`,
    permission: scopePermission("MANAGE", acl.scope),
    isIdempotent: true,
  });
}

export async function listSecretAcls(
  client: DatabricksClient,
  scope: string,
  limits: CallLimits = {},
): Promise<readonly SecretAcl[]> {
  const answer = await client.getJson(apiPath`/api/2.0/secrets/acls/list`, {
    ...limits,
    query: { scope },
    purpose: `read who may use secret scope "${scope}"`,
    permission: scopePermission("MANAGE", scope),
  });
  return recordsOf(recordOf(answer.json)?.items).map((item) => ({
    principal: textOf(item.principal) ?? "",
    permission: textOf(item.permission) ?? "",
  }));
}

export async function deleteSecretAcl(
  client: DatabricksClient,
  acl: { readonly scope: string; readonly principal: string },
  limits: CallLimits = {},
): Promise<void> {
  await client.postJson(apiPath`/api/2.0/secrets/acls/delete`, acl, {
    ...limits,
    purpose: `take secret scope "${acl.scope}" away from ${acl.principal}`,
    permission: scopePermission("MANAGE", acl.scope),
  });
}

function scopePermission(permission: string, scope: string): string {
  return `Give the identity ${permission} on secret scope "${scope}".`;
}

/** The value, of at most 128 KB. Takes `READ` on the scope. */
export async function readSecretValue(
  client: DatabricksClient,
  { scope, key }: { readonly scope: string; readonly key: string },
  limits: CallLimits = {},
): Promise<Secret> {
  const answer = await client.getJson(apiPath`/api/2.0/secrets/get`, {
    ...limits,
    query: { scope, key },
    purpose: `read secret ${scope}/${key}`,
    permission: `Give the identity READ on secret scope "${scope}".`,
  });
  const value = textOf(recordOf(answer.json)?.value);
  if (value === null) throw answer.unusable("holds no value");
  return new Secret(Buffer.from(value, "base64").toString("utf8"));
}
