/**
 * Managed volumes: directories of files with a name in Unity Catalog. `files/` reads
 * and writes what is in them.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/catalog.py`.
 */
import { z } from "zod";
import { METASTORE, type Securable } from "../access/grants.ts";
import type { WorkspaceApi, WorkspaceContext } from "../core/context.ts";
import { newId } from "../core/ids.ts";
import { pageOf } from "../core/paging.ts";
import { readBody, readQuery } from "../core/request.ts";
import { Refusal } from "../databricks-error.ts";
import { findSchema, LIST_SIZES, schemaSecurable } from "./catalogs.ts";
import { nameOf, threeLevelName } from "./names.ts";
import { created, type Stamps, updated } from "./stamps.ts";

export type VolumeInfo = Stamps & {
  readonly name: string;
  readonly catalog_name: string;
  readonly schema_name: string;
  readonly full_name: string;
  readonly volume_id: string;
  readonly comment?: string | undefined;
};

const VOLUMES = "/api/2.1/unity-catalog/volumes";

const newVolume = z.looseObject({
  catalog_name: z.string(),
  schema_name: z.string(),
  name: z.string(),
  volume_type: z.string(),
  comment: z.string().optional(),
});
const list = z.looseObject({
  catalog_name: z.string(),
  schema_name: z.string(),
  max_results: z.coerce.number().optional(),
  page_token: z.string().optional(),
});
const change = z.looseObject({ comment: z.string().optional(), owner: z.string().optional() });

export const volumes: WorkspaceApi = {
  name: "Unity Catalog: volumes",
  mount(routes, context) {
    const { clock, grants } = context;
    const all = volumesOf(context);
    const describe = (volume: VolumeInfo) => ({
      ...volume,
      volume_type: "MANAGED",
      owner: grants.ownerOf(volumeSecurable(volume.full_name)),
      metastore_id: METASTORE.fullName,
      storage_location: context.volumes.locate(volume.full_name.replaceAll(".", "/")),
    });

    routes.post(VOLUMES, async (c) => {
      const principal = c.get("principal");
      const body = await readBody(c, newVolume);
      const schema = findSchema(context, `${body.catalog_name}.${body.schema_name}`);
      grants.require(principal, "CREATE_VOLUME", schemaSecurable(schema.full_name));
      if (body.volume_type !== "MANAGED") {
        throw new Refusal(
          "INVALID_PARAMETER_VALUE",
          `The local workspace has MANAGED volumes only, and no ${body.volume_type} ones.`,
        );
      }
      const volume = await createVolume(context, body, principal);
      return c.json(describe(volume));
    });

    routes.get(VOLUMES, (c) => {
      const query = readQuery(c, list);
      const schema = findSchema(context, `${query.catalog_name}.${query.schema_name}`);
      grants.require(c.get("principal"), "USE_SCHEMA", schemaSecurable(schema.full_name));
      const seen = all
        .list(`${schema.full_name}.`)
        .filter(({ full_name: name }) => grants.sees(c.get("principal"), volumeSecurable(name)));
      const { items, nextPageToken } = pageOf(seen, {
        ...LIST_SIZES,
        maxResults: query.max_results,
        pageToken: query.page_token,
      });
      return c.json({ volumes: items.map(describe), next_page_token: nextPageToken });
    });

    routes.get(`${VOLUMES}/:fullName`, (c) => {
      const volume = findVolume(context, c.req.param("fullName"));
      grants.require(c.get("principal"), "READ_VOLUME", volumeSecurable(volume.full_name));
      return c.json(describe(volume));
    });

    routes.patch(`${VOLUMES}/:fullName`, async (c) => {
      const principal = c.get("principal");
      const volume = findVolume(context, c.req.param("fullName"));
      const { owner, comment } = await readBody(c, change);
      grants.requireManage(principal, volumeSecurable(volume.full_name));
      const changed = {
        ...volume,
        ...updated(principal, clock),
        ...(comment === undefined ? {} : { comment }),
      };
      all.put(volume.full_name, changed);
      if (owner) grants.own(volumeSecurable(volume.full_name), owner);
      return c.json(describe(changed));
    });

    routes.delete(`${VOLUMES}/:fullName`, async (c) => {
      const { full_name: fullName } = findVolume(context, c.req.param("fullName"));
      grants.requireManage(c.get("principal"), volumeSecurable(fullName));
      await removeVolume(context, fullName);
      return c.json({});
    });
  },
};

export const volumeSecurable = (fullName: string): Securable => ({ type: "volume", fullName });

export const volumesOf = ({ state }: WorkspaceContext) => state.collection<VolumeInfo>("volumes");

/** @throws Refusal `VOLUME_DOES_NOT_EXIST`, or of its schema or catalog. */
export function findVolume(context: WorkspaceContext, text: string): VolumeInfo {
  const { catalog, schema, fullName } = threeLevelName(text);
  const volume = volumesOf(context).get(fullName);
  if (volume) return volume;
  findSchema(context, `${catalog}.${schema}`);
  throw new Refusal("VOLUME_DOES_NOT_EXIST", `Volume '${fullName}' does not exist.`);
}

type NewVolume = {
  readonly catalog_name: string;
  readonly schema_name: string;
  readonly name: string;
  readonly comment?: string | undefined;
};

/** @throws Refusal `VOLUME_ALREADY_EXISTS`. Who may is for the caller to check. */
export async function createVolume(
  context: WorkspaceContext,
  given: NewVolume,
  maker: { readonly name: string },
): Promise<VolumeInfo> {
  const schema = findSchema(context, `${given.catalog_name}.${given.schema_name}`);
  const name = nameOf(given.name);
  const fullName = `${schema.full_name}.${name}`;
  if (volumesOf(context).get(fullName)) {
    throw new Refusal("VOLUME_ALREADY_EXISTS", `Volume '${fullName}' already exists`);
  }
  const volume = {
    name,
    catalog_name: schema.catalog_name,
    schema_name: schema.name,
    full_name: fullName,
    volume_id: newId(),
    comment: given.comment,
    ...created(maker, context.clock),
  };
  await context.volumes.makeDirectory(fullName.replaceAll(".", "/"));
  context.state.transaction(() => {
    volumesOf(context).put(fullName, volume);
    context.grants.own(volumeSecurable(fullName), maker.name);
  });
  return volume;
}

/** With its files and grants. */
export async function removeVolume(context: WorkspaceContext, fullName: string): Promise<void> {
  context.state.transaction(() => {
    volumesOf(context).delete(fullName);
    context.grants.forget(volumeSecurable(fullName));
  });
  await context.volumes.removeAll(fullName.replaceAll(".", "/"));
}
