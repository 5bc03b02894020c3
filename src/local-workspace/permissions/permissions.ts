/**
 * Permissions of workspace objects over the API, by type and id.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/iam.py`.
 */
import type { Context } from "hono";
import { z } from "zod";
import {
  type AccessEntry,
  isObjectType,
  levelsOf,
  type PermissionLevel,
  type WorkspaceObject,
} from "../access/object-permissions.ts";
import type { WorkspaceApi, WorkspaceContext, WorkspaceEnv } from "../core/context.ts";
import { readBody } from "../core/request.ts";
import { Refusal } from "../databricks-error.ts";
import { findObjectById, permissionObject } from "../workspace-files/workspace-objects.ts";

const BASE = "/api/2.0/permissions/:type/:id";

const list = z.looseObject({
  access_control_list: z
    .array(
      z.looseObject({
        user_name: z.string().optional(),
        group_name: z.string().optional(),
        service_principal_name: z.string().optional(),
        permission_level: z.string(),
      }),
    )
    .default([]),
});

export const permissionsApi: WorkspaceApi = {
  name: "Permissions",
  mount(routes, context) {
    const { permissions } = context;

    /** Given on it, and on the folders that it lies in. */
    const given = (object: WorkspaceObject) =>
      [object, ...(object.parents ?? [])].flatMap((one) =>
        permissions.entries(one).map((entry) => ({ ...entry, from: one === object ? null : one })),
      );

    const describe = (object: WorkspaceObject) => ({
      object_id: `/${object.type}/${object.id}`,
      object_type: object.type.replace(/(ie)?s$/, (_, ie?: string) => (ie ? "y" : "")),
      access_control_list: [
        ...[...Map.groupBy(given(object), ({ principal }) => principal)].map(
          ([principal, entries]) => ({
            ...namedPrincipal(context, principal),
            all_permissions: entries.map(({ level, from }) => ({
              permission_level: level,
              inherited: from !== null,
              ...(from && { inherited_from_object: [`/${from.type}/${from.id}`] }),
            })),
          }),
        ),
        {
          group_name: "admins",
          all_permissions: [
            {
              permission_level: "CAN_MANAGE",
              inherited: true,
              inherited_from_object: [`/${object.type}/`],
            },
          ],
        },
      ],
    });

    /** @throws Refusal when it is not there, or the caller may not do this with it. */
    function find(c: Context<WorkspaceEnv>, mustManage: boolean): WorkspaceObject {
      const { type = "", id = "" } = c.req.param();
      if (!isObjectType(type)) {
        throw new Refusal("INVALID_PARAMETER_VALUE", `'${type}' is not a type of objects.`);
      }
      const inTree = /^\d+$/.test(id) ? findObjectById(context, Number(id)) : undefined;
      const object = inTree ? permissionObject(context, inTree) : { type, id };
      if (object.type !== type || !permissions.isKnown(object)) {
        throw new Refusal("RESOURCE_DOES_NOT_EXIST", `${type} '${id}' does not exist.`);
      }
      const [least] = levelsOf(type);
      const level = mustManage ? "CAN_MANAGE" : least;
      if (level) permissions.require(c.get("principal"), level, object, `${type} '${id}'`);
      return object;
    }

    routes.get(BASE, (c) => c.json(describe(find(c, false))));

    routes.put(BASE, async (c) => {
      const object = find(c, true);
      permissions.replace(object, entriesOf(await readBody(c, list)));
      return c.json(describe(object));
    });

    routes.patch(BASE, async (c) => {
      const object = find(c, true);
      permissions.merge(object, entriesOf(await readBody(c, list)));
      return c.json(describe(object));
    });

    routes.get(`${BASE}/permissionLevels`, (c) =>
      c.json({
        permission_levels: levelsOf(find(c, false).type).map((level) => ({
          permission_level: level,
          description: level,
        })),
      }),
    );

    routes.get("/api/2.0/preview/scim/v2/Me", (c) => {
      const { name, isAdmin } = c.get("principal");
      return c.json({
        schemas: ["urn:ietf:params:scim:schemas:core:2.0:User"],
        id: String(context.principals.all().findIndex((each) => each.name === name) + 1),
        userName: name,
        displayName: name,
        active: true,
        ...(name.includes("@") ? { emails: [{ value: name, type: "work", primary: true }] } : {}),
        groups: (isAdmin ? ["admins", "users"] : ["users"]).map((display) => ({
          display,
          type: "direct",
        })),
      });
    });
  },
};

function entriesOf({ access_control_list: entries }: z.output<typeof list>): AccessEntry[] {
  return entries.map((entry) => {
    const principal = entry.user_name ?? entry.group_name ?? entry.service_principal_name;
    if (principal === undefined) {
      throw new Refusal(
        "INVALID_PARAMETER_VALUE",
        "user_name, group_name or service_principal_name must be given.",
      );
    }
    // Whether it is a level of this type is checked where it is kept.
    return { principal, level: entry.permission_level as PermissionLevel };
  });
}

const GROUPS = ["users", "admins", "account users"];

/** Under which of the three names a principal goes. */
function namedPrincipal({ principals }: WorkspaceContext, name: string) {
  if (name.includes("@")) return { user_name: name, display_name: name };
  return !GROUPS.includes(name) && principals.named(name)
    ? { service_principal_name: name, display_name: name }
    : { group_name: name };
}
