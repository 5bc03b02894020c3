/**
 * Grants on the securables of Unity Catalog, as they are read and changed.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/catalog.py`.
 */
import { z } from "zod";
import { METASTORE, type Securable } from "../access/grants.ts";
import type { WorkspaceApi, WorkspaceContext } from "../core/context.ts";
import { readBody } from "../core/request.ts";
import { Refusal } from "../databricks-error.ts";
import { catalogSecurable, findCatalog, findSchema, schemaSecurable } from "./catalogs.ts";
import { findModel, modelSecurable } from "./model-registry.ts";
import { findTable, tableSecurable } from "./tables.ts";
import { findVolume, volumeSecurable } from "./volumes.ts";

const BASE = "/api/2.1/unity-catalog";

const changes = z.looseObject({
  changes: z
    .array(
      z.looseObject({
        principal: z.string(),
        add: z.array(z.string()).optional(),
        remove: z.array(z.string()).optional(),
      }),
    )
    .default([]),
  omit_permissions_in_response: z.boolean().optional(),
});

export const grantsApi: WorkspaceApi = {
  name: "Unity Catalog: grants",
  mount(routes, context) {
    const { grants } = context;

    routes.get(`${BASE}/permissions/:type/:fullName`, (c) => {
      const securable = findSecurable(context, c.req.param());
      requireReader(context, c.get("principal"), securable);
      const only = c.req.query("principal");
      return c.json({
        privilege_assignments: grants
          .assignments(securable)
          .filter(({ principal }) => only === undefined || principal === only),
      });
    });

    routes.patch(`${BASE}/permissions/:type/:fullName`, async (c) => {
      const securable = findSecurable(context, c.req.param());
      const body = await readBody(c, changes);
      grants.requireManage(c.get("principal"), securable);
      grants.change(securable, body.changes);
      return c.json(
        body.omit_permissions_in_response
          ? {}
          : { privilege_assignments: grants.assignments(securable) },
      );
    });

    routes.get(`${BASE}/effective-permissions/:type/:fullName`, (c) => {
      const securable = findSecurable(context, c.req.param());
      const only = c.req.query("principal");
      if (only !== c.get("principal").name) requireReader(context, c.get("principal"), securable);
      const isOwn = (from: Securable) =>
        from.type === securable.type && from.fullName === securable.fullName;
      return c.json({
        privilege_assignments: grants
          .effective(securable, only)
          .map(({ principal, privileges }) => ({
            principal,
            privileges: privileges.map(({ privilege, from }) =>
              isOwn(from)
                ? { privilege }
                : {
                    privilege,
                    inherited_from_type: from.type.toUpperCase(),
                    inherited_from_name: from.fullName,
                  },
            ),
          })),
      });
    });
  },
};

type Asker = Parameters<WorkspaceContext["grants"]["sees"]>[0];

/** Whoever may use it may see who else may. */
function requireReader(context: WorkspaceContext, asker: Asker, securable: Securable): void {
  if (!context.grants.sees(asker, securable)) context.grants.requireManage(asker, securable);
}

function findSecurable(
  context: WorkspaceContext,
  { type, fullName }: { readonly type: string; readonly fullName: string },
): Securable {
  switch (type.toLowerCase()) {
    case "metastore":
      return METASTORE;
    case "catalog":
      return catalogSecurable(findCatalog(context, fullName).name);
    case "schema":
      return schemaSecurable(findSchema(context, fullName).full_name);
    case "table":
      return tableSecurable(findTable(context, fullName).full_name);
    case "volume":
      return volumeSecurable(findVolume(context, fullName).full_name);
    case "function":
    case "model":
      return modelSecurable(findModel(context, fullName).full_name);
    default:
      throw new Refusal(
        "INVALID_PARAMETER_VALUE",
        `The local workspace has no grants on securables of type ${type}.`,
      );
  }
}
