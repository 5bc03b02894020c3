/**
 * Who may do what with an object of Unity Catalog: a catalog, schema, table, volume, or
 * a model, which Unity Catalog counts as a function. Objects of the workspace have
 * permissions instead: see `permissions.ts`.
 *
 * Source: databricks-sdk-py 0.156.0, `GrantsAPI`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { recordsOf, textOf, textsOf } from "./json-fields.ts";
import { readPages } from "./pages.ts";

export type Securable = {
  /** `catalog`, `schema`, `table`, `volume` or `function`, which a model is. */
  readonly type: string;
  /** Such as `ml.agents.support`. */
  readonly fullName: string;
};

export type Grant = {
  /** The e-mail address, the name of the group, or the application id. */
  readonly principal: string;
  /** Such as `SELECT` or `ALL_PRIVILEGES`. */
  readonly privileges: readonly string[];
};

export type EffectiveGrant = {
  readonly principal: string;
  readonly privileges: readonly {
    readonly privilege: string;
    /** What it comes from, such as `ml.agents`; `null` where it is the object's own. */
    readonly inheritedFrom: string | null;
  }[];
};

export type GrantChange = {
  readonly principal: string;
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
};

/** Those of the object itself, without what it inherits. */
export async function getGrants(
  client: DatabricksClient,
  securable: Securable,
  limits: CallLimits = {},
): Promise<readonly Grant[]> {
  const entries = await readPages("privilege_assignments", (page) =>
    client.getJson(permissionsPath(securable), {
      ...limits,
      query: page,
      purpose: `read the grants on ${nameOf(securable)}`,
      permission: managePermission(securable),
    }),
  );
  return recordsOf(entries).map((entry) => ({
    principal: textOf(entry.principal) ?? "",
    privileges: textsOf(entry.privileges),
  }));
}

/** With what comes from the schema and the catalog. */
export async function getEffectiveGrants(
  client: DatabricksClient,
  securable: Securable,
  { principal, ...limits }: CallLimits & { readonly principal?: string } = {},
): Promise<readonly EffectiveGrant[]> {
  const entries = await readPages("privilege_assignments", (page) =>
    client.getJson(
      apiPath`/api/2.1/unity-catalog/effective-permissions/${securable.type}/${securable.fullName}`,
      {
        ...limits,
        query: { ...(principal !== undefined && { principal }), ...page },
        purpose: `read the effective grants on ${nameOf(securable)}`,
        permission: managePermission(securable),
      },
    ),
  );
  return recordsOf(entries).map((entry) => ({
    principal: textOf(entry.principal) ?? "",
    privileges: recordsOf(entry.privileges).map((privilege) => ({
      privilege: textOf(privilege.privilege) ?? "",
      inheritedFrom: textOf(privilege.inherited_from_name),
    })),
  }));
}

/** What is not named stays. The same privilege can't be added and removed at once. */
export async function changeGrants(
  client: DatabricksClient,
  securable: Securable,
  changes: readonly GrantChange[],
  limits: CallLimits = {},
): Promise<void> {
  await client.patchJson(
    permissionsPath(securable),
    { changes },
    {
      ...limits,
      purpose: `change the grants on ${nameOf(securable)}`,
      permission: managePermission(securable),
      isIdempotent: true,
    },
  );
}

function permissionsPath({ type, fullName }: Securable) {
  return apiPath`/api/2.1/unity-catalog/permissions/${type}/${fullName}`;
}

function nameOf({ type, fullName }: Securable): string {
  return `${type} "${fullName}"`;
}

function managePermission(securable: Securable): string {
  return `Make the identity the owner of ${nameOf(securable)}, or give it MANAGE on it.`;
}
