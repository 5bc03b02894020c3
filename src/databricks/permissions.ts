/**
 * Who may do what with an object of the workspace: serving endpoints, jobs,
 * experiments, dashboards, warehouses, apps. What lies in Unity Catalog has grants
 * instead: see `grants.ts`.
 *
 * Source: databricks-sdk-py 0.156.0, `PermissionsAPI`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { flagOf, type JsonRecord, recordOf, recordsOf, textOf } from "./json-fields.ts";
import type { JsonAnswer } from "./read-answer.ts";

export type PermissionsObject = {
  /** Such as `serving-endpoints`, `jobs`, `experiments`, `dashboards`, `warehouses` or `apps`. */
  readonly type: string;
  /** The id, not the name, of a serving endpoint; the name of an app. */
  readonly id: string;
};

/** Exactly one principal. */
export type AccessControlInput = (
  | { readonly user_name: string }
  | { readonly group_name: string }
  /** The application id. */
  | { readonly service_principal_name: string }
) & {
  /** Such as `CAN_VIEW`, `CAN_QUERY` or `CAN_MANAGE`. */
  readonly permission_level: string;
};

export type AccessControl = {
  readonly kind: "user" | "group" | "service_principal";
  /** The e-mail address, the name of the group, or the application id. */
  readonly principal: string;
  readonly levels: readonly {
    readonly level: string;
    /** Comes from something that the object lies in. */
    readonly isInherited: boolean;
  }[];
};

export async function getPermissions(
  client: DatabricksClient,
  object: PermissionsObject,
  limits: CallLimits = {},
): Promise<readonly AccessControl[]> {
  const answer = await client.getJson(pathOf(object), { ...limits, ...told("read", object) });
  return readAccessControls(answer);
}

/** Adds to what is there. */
export async function addPermissions(
  client: DatabricksClient,
  object: PermissionsObject,
  access: readonly AccessControlInput[],
  limits: CallLimits = {},
): Promise<readonly AccessControl[]> {
  const answer = await client.patchJson(
    pathOf(object),
    { access_control_list: access },
    { ...limits, ...told("change", object), isIdempotent: true },
  );
  return readAccessControls(answer);
}

/** Takes away whatever is not named here and not inherited. */
export async function replacePermissions(
  client: DatabricksClient,
  object: PermissionsObject,
  access: readonly AccessControlInput[],
  limits: CallLimits = {},
): Promise<readonly AccessControl[]> {
  const answer = await client.putJson(
    pathOf(object),
    { access_control_list: access },
    { ...limits, ...told("change", object) },
  );
  return readAccessControls(answer);
}

function pathOf({ type, id }: PermissionsObject) {
  return apiPath`/api/2.0/permissions/${type}/${id}`;
}

function told(verb: string, { type, id }: PermissionsObject) {
  return {
    purpose: `${verb} the permissions of ${type}/${id}`,
    permission: `Give the identity CAN MANAGE on ${type}/${id}.`,
  };
}

function readAccessControls(answer: JsonAnswer): readonly AccessControl[] {
  const permissions = recordOf(answer.json);
  if (!permissions) throw answer.unusable("holds no permissions");
  return recordsOf(permissions.access_control_list)
    .map(readAccessControl)
    .filter((access) => access !== null);
}

function readAccessControl(entry: JsonRecord): AccessControl | null {
  for (const kind of ["user", "group", "service_principal"] as const) {
    const principal = textOf(entry[`${kind}_name`]);
    if (principal === null) continue;
    const levels = recordsOf(entry.all_permissions).map((permission) => ({
      level: textOf(permission.permission_level) ?? "",
      isInherited: flagOf(permission.inherited) ?? false,
    }));
    return { kind, principal, levels };
  }
  return null;
}
