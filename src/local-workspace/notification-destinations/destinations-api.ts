/**
 * Notification destinations: made, changed and removed by admins, read by all.
 *
 * Source: databricks-sdk-py 0.156.0, `NotificationDestinationsAPI`. The words of the
 * refusals are assumed, and so is that writing takes an admin.
 */
import { z } from "zod";
import type { Principal } from "../access/principals.ts";
import type { WorkspaceApi, WorkspaceContext } from "../core/context.ts";
import { newId } from "../core/ids.ts";
import { pageOf } from "../core/paging.ts";
import { readBody, readQuery } from "../core/request.ts";
import { Refusal } from "../databricks-error.ts";
import {
  type Destination,
  destinationConfig,
  kindsIn,
  missingSetting,
  typeOf,
  withoutSecrets,
} from "./destination.ts";

const BASE = "/api/2.0/notification-destinations";
const PAGE = { defaultResults: 20, limit: 100 } as const;

const newDestination = z.looseObject({
  display_name: z.string().min(1),
  config: destinationConfig,
});
const change = z.looseObject({
  display_name: z.string().min(1).optional(),
  config: destinationConfig.optional(),
});
const list = z.looseObject({
  page_size: z.coerce.number().optional(),
  page_token: z.string().optional(),
});

export const notificationDestinations: WorkspaceApi = {
  name: "Notification destinations",
  mount(routes, context) {
    const all = destinationsOf(context);
    const describe = (destination: Destination) => ({
      id: destination.id,
      display_name: destination.displayName,
      destination_type: typeOf(destination.kind),
      config: withoutSecrets(destination),
    });

    routes.post(BASE, async (c) => {
      requireAdmin(c.get("principal"));
      const body = await readBody(c, newDestination);
      const destination = read(newId(), body.display_name, body.config);
      all.put(destination.id, destination);
      return c.json(describe(destination));
    });

    routes.get(BASE, (c) => {
      const query = readQuery(c, list);
      const { items, nextPageToken } = pageOf(all.list(), {
        ...PAGE,
        maxResults: query.page_size,
        pageToken: query.page_token,
      });
      const results = items.map(describe).map(({ config: _, ...shown }) => shown);
      return c.json({ results, next_page_token: nextPageToken });
    });

    routes.get(`${BASE}/:id`, (c) => c.json(describe(find(context, c.req.param("id")))));

    routes.patch(`${BASE}/:id`, async (c) => {
      requireAdmin(c.get("principal"));
      const known = find(context, c.req.param("id"));
      const body = await readBody(c, change);
      const name = body.display_name ?? known.displayName;
      const changed = body.config
        ? read(known.id, name, body.config, known)
        : { ...known, displayName: name };
      all.put(changed.id, changed);
      return c.json(describe(changed));
    });

    routes.delete(`${BASE}/:id`, (c) => {
      requireAdmin(c.get("principal"));
      all.delete(find(context, c.req.param("id")).id);
      return c.json({});
    });
  },
};

export const destinationsOf = ({ state }: WorkspaceContext) =>
  state.collection<Destination>("notification-destinations");

function find(context: WorkspaceContext, id: string): Destination {
  const destination = destinationsOf(context).get(id);
  if (destination) return destination;
  throw new Refusal("RESOURCE_DOES_NOT_EXIST", `Notification destination ${id} does not exist.`);
}

/** @param known what is set already; a setting that the change leaves out stays. */
function read(
  id: string,
  displayName: string,
  config: Readonly<Record<string, unknown>>,
  known?: Destination,
): Destination {
  const [kind = "email"] = kindsIn(config);
  // One of the objects that the schema has read.
  const given = config[kind] as Readonly<Record<string, unknown>>;
  const before = known?.kind === kind ? known.settings : {};
  const destination = { id, displayName, kind, settings: { ...before, ...given } };
  const missing = missingSetting(destination);
  if (missing) throw new Refusal("INVALID_PARAMETER_VALUE", `Missing required field: ${missing}`);
  return destination;
}

function requireAdmin({ name, isAdmin }: Principal): void {
  if (isAdmin) return;
  throw new Refusal("PERMISSION_DENIED", `${name} is no workspace admin.`);
}
