/**
 * AI/BI dashboards: drafts that stand in the workspace's folders, and what of them is
 * published. Nothing draws them here.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/dashboards.py`; the words of
 * the refusals are assumed.
 */
import type { Context } from "hono";
import { z } from "zod";
import type { WorkspaceApi, WorkspaceEnv } from "../core/context.ts";
import { newHexId } from "../core/ids.ts";
import { pageOf } from "../core/paging.ts";
import { readBody, readQuery } from "../core/request.ts";
import { Refusal } from "../databricks-error.ts";
import {
  findObject,
  normalPath,
  putObject,
  removeObject,
  requireParent,
} from "../workspace-files/workspace-objects.ts";

const BASE = "/api/2.0/lakeview/dashboards";
const LIST_SIZES = { defaultResults: 100, limit: 1000 } as const;

type Published = {
  readonly display_name: string;
  readonly embed_credentials: boolean;
  readonly warehouse_id?: string | undefined;
  readonly revision_create_time: string;
};

type Dashboard = {
  readonly dashboard_id: string;
  readonly display_name: string;
  readonly parent_path: string;
  readonly path: string;
  readonly warehouse_id?: string | undefined;
  readonly serialized_dashboard: string;
  readonly lifecycle_state: "ACTIVE" | "TRASHED";
  readonly create_time: string;
  readonly update_time: string;
  /** Goes up with each change. */
  readonly revision: number;
  readonly published: Published | null;
};

const newDashboard = z.looseObject({
  display_name: z.string().min(1),
  parent_path: z.string().optional(),
  warehouse_id: z.string().optional(),
  serialized_dashboard: z.string().default("{}"),
});
const change = z.looseObject({
  display_name: z.string().min(1).optional(),
  warehouse_id: z.string().optional(),
  serialized_dashboard: z.string().optional(),
  etag: z.string().optional(),
});
const publication = z.looseObject({
  embed_credentials: z.boolean().default(false),
  warehouse_id: z.string().optional(),
});

export const lakeview: WorkspaceApi = {
  name: "AI/BI dashboards",
  mount(routes, context) {
    const { state, clock, permissions } = context;
    const dashboards = state.collection<Dashboard>("dashboards");
    const now = () => new Date(clock.now()).toISOString();
    const objectOf = ({ dashboard_id: id }: Dashboard) => ({ type: "dashboards", id }) as const;

    /** @throws Refusal when it is not there, or the caller may not do this with it. */
    function find(c: Context<WorkspaceEnv>, level: "CAN_READ" | "CAN_EDIT" | "CAN_MANAGE") {
      const id = c.req.param("id") ?? "";
      const dashboard = dashboards.get(id);
      if (!dashboard) {
        throw new Refusal("RESOURCE_DOES_NOT_EXIST", `Dashboard ${id} does not exist.`);
      }
      permissions.require(c.get("principal"), level, objectOf(dashboard), `dashboard '${id}'`);
      return dashboard;
    }

    function changed(before: Dashboard, fields: Partial<Dashboard>): Dashboard {
      const after = { ...before, ...fields, update_time: now(), revision: before.revision + 1 };
      dashboards.put(after.dashboard_id, after);
      return after;
    }

    routes.post(BASE, async (c) => {
      const principal = c.get("principal");
      const body = await readBody(c, newDashboard);
      const parent = normalPath(body.parent_path ?? `/Users/${principal.name}`);
      const path = `${parent}/${body.display_name}.lvdash.json`;
      requireParent(context, path, principal);
      if (findObject(context, path)) {
        throw new Refusal(
          "RESOURCE_ALREADY_EXISTS",
          `Node named '${body.display_name}.lvdash.json' already exists.`,
        );
      }
      const createdAt = now();
      const dashboard: Dashboard = {
        dashboard_id: newHexId(),
        display_name: body.display_name,
        parent_path: parent,
        path,
        warehouse_id: body.warehouse_id,
        serialized_dashboard: readSerialized(body.serialized_dashboard),
        lifecycle_state: "ACTIVE",
        create_time: createdAt,
        update_time: createdAt,
        revision: 1,
        published: null,
      };
      state.transaction(() => {
        dashboards.put(dashboard.dashboard_id, dashboard);
        const { dashboard_id: id } = dashboard;
        putObject(context, { path, object_type: "DASHBOARD", resource_id: id }, principal.name);
      });
      return c.json(describe(dashboard));
    });

    routes.get(BASE, (c) => {
      const query = readQuery(
        c,
        z.looseObject({
          page_size: z.coerce.number().optional(),
          page_token: z.string().optional(),
          show_trashed: z.string().optional(),
        }),
      );
      const seen = dashboards
        .list()
        .filter((each) => each.lifecycle_state === "ACTIVE" || query.show_trashed === "true")
        .filter((each) => permissions.allows(c.get("principal"), "CAN_READ", objectOf(each)));
      const { items, nextPageToken } = pageOf(seen, {
        ...LIST_SIZES,
        maxResults: query.page_size,
        pageToken: query.page_token,
      });
      return c.json({
        // The list leaves out what a dashboard is made of.
        dashboards: items.map((each) => ({ ...describe(each), serialized_dashboard: undefined })),
        next_page_token: nextPageToken,
      });
    });

    routes.get(`${BASE}/:id`, (c) => c.json(describe(find(c, "CAN_READ"))));

    routes.patch(`${BASE}/:id`, async (c) => {
      const before = find(c, "CAN_EDIT");
      const body = await readBody(c, change);
      if (body.etag !== undefined && body.etag !== String(before.revision)) {
        throw new Refusal(
          "ABORTED",
          `Dashboard ${before.dashboard_id} was changed since it was read: its etag is ${before.revision}.`,
        );
      }
      const { serialized_dashboard: serialized, warehouse_id, display_name } = body;
      const after = changed(before, {
        ...(display_name === undefined ? {} : { display_name }),
        ...(warehouse_id === undefined ? {} : { warehouse_id }),
        ...(serialized === undefined ? {} : { serialized_dashboard: readSerialized(serialized) }),
      });
      return c.json(describe(after));
    });

    routes.delete(`${BASE}/:id`, (c) => {
      const before = find(c, "CAN_MANAGE");
      const inTree = findObject(context, before.path);
      changed(before, { lifecycle_state: "TRASHED", published: null });
      if (inTree) removeObject(context, inTree);
      return c.json({});
    });

    routes.post(`${BASE}/:id/published`, async (c) => {
      const before = find(c, "CAN_MANAGE");
      const body = await readBody(c, publication);
      const published: Published = {
        display_name: before.display_name,
        embed_credentials: body.embed_credentials,
        warehouse_id: body.warehouse_id ?? before.warehouse_id,
        revision_create_time: now(),
      };
      dashboards.put(before.dashboard_id, { ...before, published });
      return c.json(published);
    });

    routes.get(`${BASE}/:id/published`, (c) => {
      const { published, dashboard_id: id } = find(c, "CAN_READ");
      if (published) return c.json(published);
      throw new Refusal("RESOURCE_DOES_NOT_EXIST", `Dashboard ${id} is not published.`);
    });

    routes.delete(`${BASE}/:id/published`, (c) => {
      const before = find(c, "CAN_MANAGE");
      dashboards.put(before.dashboard_id, { ...before, published: null });
      return c.json({});
    });
  },
};

function describe({ revision, published: _published, ...dashboard }: Dashboard) {
  return { ...dashboard, etag: String(revision) };
}

/** @throws Refusal for what is no JSON. Pages without a type get the usual one, as in Databricks. */
function readSerialized(text: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Refusal("INVALID_PARAMETER_VALUE", "serialized_dashboard is not JSON.");
  }
  const { success, data } = z
    .looseObject({ pages: z.array(z.looseObject({ pageType: z.string().optional() })).optional() })
    .safeParse(parsed);
  if (!success) {
    throw new Refusal("INVALID_PARAMETER_VALUE", "serialized_dashboard is no dashboard.");
  }
  const pages = data.pages?.map((page) => ({ pageType: "PAGE_TYPE_CANVAS", ...page }));
  // What was checked is an object, and is kept in its own order.
  const whole = parsed as Readonly<Record<string, unknown>>;
  return `${JSON.stringify(pages ? { ...whole, pages } : whole)}\n`;
}
