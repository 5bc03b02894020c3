/**
 * Catalogs and schemas: what holds tables, volumes and models.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/catalog.py`. The words of
 * "already exists" and "does not exist" as reports of users quote them; that a
 * catalog or schema that is not empty is refused with 400 is assumed.
 */
import { z } from "zod";
import { METASTORE, type Securable } from "../access/grants.ts";
import type { WorkspaceApi, WorkspaceContext } from "../core/context.ts";
import { pageOf } from "../core/paging.ts";
import { readBody, readQuery } from "../core/request.ts";
import { Refusal } from "../databricks-error.ts";
import { nameOf } from "./names.ts";
import { created, type Stamps, updated } from "./stamps.ts";

export type CatalogInfo = Stamps & {
  readonly name: string;
  readonly comment?: string | undefined;
  readonly properties?: Readonly<Record<string, string>> | undefined;
};

export type SchemaInfo = CatalogInfo & {
  readonly catalog_name: string;
  readonly full_name: string;
};

const CATALOGS = "/api/2.1/unity-catalog/catalogs";
const SCHEMAS = "/api/2.1/unity-catalog/schemas";

const paging = { max_results: z.coerce.number().optional(), page_token: z.string().optional() };
const described = {
  comment: z.string().optional(),
  properties: z.record(z.string(), z.string()).optional(),
};
const newCatalog = z.looseObject({ name: z.string(), ...described });
const newSchema = z.looseObject({ name: z.string(), catalog_name: z.string(), ...described });
const change = z.looseObject({ ...described, owner: z.string().optional() });

export const catalogs: WorkspaceApi = {
  name: "Unity Catalog: catalogs and schemas",
  mount(routes, context) {
    const { clock, grants } = context;
    const all = catalogsOf(context);
    const schemas = schemasOf(context);
    const describe = (catalog: CatalogInfo) => ({
      ...catalog,
      full_name: catalog.name,
      catalog_type: "MANAGED_CATALOG",
      owner: grants.ownerOf(catalogSecurable(catalog.name)),
      metastore_id: METASTORE.fullName,
      securable_type: "CATALOG",
    });
    const describeSchema = (schema: SchemaInfo) => ({
      ...schema,
      catalog_type: "MANAGED_CATALOG",
      owner: grants.ownerOf(schemaSecurable(schema.full_name)),
      metastore_id: METASTORE.fullName,
    });

    routes.post(CATALOGS, async (c) => {
      const principal = c.get("principal");
      const body = await readBody(c, newCatalog);
      grants.require(principal, "CREATE_CATALOG", METASTORE);
      return c.json(describe(createCatalog(context, body, principal)));
    });

    routes.get(CATALOGS, (c) => {
      const { max_results: maxResults, page_token: pageToken } = readQuery(c, z.object(paging));
      const seen = all
        .list()
        .filter(({ name }) => grants.sees(c.get("principal"), catalogSecurable(name)));
      const { items, nextPageToken } = pageOf(seen, { ...LIST_SIZES, maxResults, pageToken });
      return c.json({ catalogs: items.map(describe), next_page_token: nextPageToken });
    });

    routes.get(`${CATALOGS}/:name`, (c) => {
      const catalog = findCatalog(context, c.req.param("name"));
      requireSight(context, c.get("principal"), catalogSecurable(catalog.name));
      return c.json(describe(catalog));
    });

    routes.patch(`${CATALOGS}/:name`, async (c) => {
      const principal = c.get("principal");
      const catalog = findCatalog(context, c.req.param("name"));
      const { owner, comment, properties } = await readBody(c, change);
      grants.requireManage(principal, catalogSecurable(catalog.name));
      const changed = {
        ...catalog,
        ...updated(principal, clock),
        ...(comment === undefined ? {} : { comment }),
        ...(properties === undefined ? {} : { properties }),
      };
      all.put(catalog.name, changed);
      if (owner) grants.own(catalogSecurable(catalog.name), owner);
      return c.json(describe(changed));
    });

    routes.delete(`${CATALOGS}/:name`, async (c) => {
      const { name } = findCatalog(context, c.req.param("name"));
      grants.requireManage(c.get("principal"), catalogSecurable(name));
      const inIt = schemas.list(`${name}.`);
      const isForced = c.req.query("force") === "true";
      if (!isForced && inIt.some((schema) => schema.name !== "default")) {
        throw new Refusal(
          "BAD_REQUEST",
          `Catalog '${name}' is not empty. The catalog has ${inIt.length} schema(s).`,
        );
      }
      await removeCatalog(context, name);
      return c.json({});
    });

    routes.post(SCHEMAS, async (c) => {
      const principal = c.get("principal");
      const body = await readBody(c, newSchema);
      const catalog = findCatalog(context, body.catalog_name);
      grants.require(principal, "CREATE_SCHEMA", catalogSecurable(catalog.name));
      return c.json(describeSchema(createSchema(context, body, principal)));
    });

    routes.get(SCHEMAS, (c) => {
      const query = readQuery(c, z.looseObject({ catalog_name: z.string(), ...paging }));
      const catalog = findCatalog(context, query.catalog_name);
      requireSight(context, c.get("principal"), catalogSecurable(catalog.name));
      const seen = schemas
        .list(`${catalog.name}.`)
        .filter(({ full_name: name }) => grants.sees(c.get("principal"), schemaSecurable(name)));
      const { items, nextPageToken } = pageOf(seen, {
        ...LIST_SIZES,
        maxResults: query.max_results,
        pageToken: query.page_token,
      });
      return c.json({ schemas: items.map(describeSchema), next_page_token: nextPageToken });
    });

    routes.get(`${SCHEMAS}/:fullName`, (c) => {
      const schema = findSchema(context, c.req.param("fullName"));
      requireSight(context, c.get("principal"), schemaSecurable(schema.full_name));
      return c.json(describeSchema(schema));
    });

    routes.patch(`${SCHEMAS}/:fullName`, async (c) => {
      const principal = c.get("principal");
      const schema = findSchema(context, c.req.param("fullName"));
      const { owner, comment, properties } = await readBody(c, change);
      grants.requireManage(principal, schemaSecurable(schema.full_name));
      const changed = {
        ...schema,
        ...updated(principal, clock),
        ...(comment === undefined ? {} : { comment }),
        ...(properties === undefined ? {} : { properties }),
      };
      schemas.put(schema.full_name, changed);
      if (owner) grants.own(schemaSecurable(schema.full_name), owner);
      return c.json(describeSchema(changed));
    });

    routes.delete(`${SCHEMAS}/:fullName`, async (c) => {
      const schema = findSchema(context, c.req.param("fullName"));
      grants.requireManage(c.get("principal"), schemaSecurable(schema.full_name));
      const counts = contentsOf(context, schema.full_name);
      if (c.req.query("force") !== "true" && Object.values(counts).some((count) => count > 0)) {
        throw new Refusal(
          "BAD_REQUEST",
          `Schema '${schema.full_name}' is not empty. The schema has ${counts.tables} table(s), ${counts.volumes} volume(s), ${counts.models} model(s).`,
        );
      }
      await removeSchema(context, schema);
      return c.json({});
    });

    routes.get("/api/2.1/unity-catalog/metastore_summary", (c) =>
      c.json({ metastore_id: METASTORE.fullName, name: "local", cloud: "local", region: "local" }),
    );
    routes.get("/api/2.1/unity-catalog/current-metastore-assignment", (c) =>
      c.json({ metastore_id: METASTORE.fullName, workspace_id: WORKSPACE_ID }),
    );
  },
};

/** Any number will do; SDKs show it. */
export const WORKSPACE_ID = 1_000_000_000_000_001;

/** How many entries lists of Unity Catalog give at once. */
export const LIST_SIZES = { defaultResults: 1000, limit: 1000 } as const;

/** What stands in a schema; keyed by full name. Their own files say what they hold. */
const inSchema = { tables: "tables", volumes: "volumes", models: "registered-models" } as const;

function contentsOf({ state }: WorkspaceContext, schema: string) {
  const count = (name: string) => state.collection(name).list(`${schema}.`).length;
  return {
    tables: count(inSchema.tables),
    volumes: count(inSchema.volumes),
    models: count(inSchema.models),
  };
}

export const catalogSecurable = (name: string): Securable => ({ type: "catalog", fullName: name });
export const schemaSecurable = (fullName: string): Securable => ({ type: "schema", fullName });

export const catalogsOf = ({ state }: WorkspaceContext) =>
  state.collection<CatalogInfo>("catalogs");
export const schemasOf = ({ state }: WorkspaceContext) => state.collection<SchemaInfo>("schemas");

/** @throws Refusal `CATALOG_DOES_NOT_EXIST`. */
export function findCatalog(context: WorkspaceContext, name: string): CatalogInfo {
  const catalog = catalogsOf(context).get(name.toLowerCase());
  if (!catalog) {
    throw new Refusal("CATALOG_DOES_NOT_EXIST", `Catalog '${name}' does not exist.`);
  }
  return catalog;
}

/** @throws Refusal `SCHEMA_DOES_NOT_EXIST`, or `CATALOG_DOES_NOT_EXIST`. */
export function findSchema(context: WorkspaceContext, fullName: string): SchemaInfo {
  const schema = schemasOf(context).get(fullName.toLowerCase());
  if (schema) return schema;
  findCatalog(context, fullName.split(".")[0] ?? "");
  throw new Refusal("SCHEMA_DOES_NOT_EXIST", `Schema '${fullName}' does not exist.`);
}

type Described = Pick<CatalogInfo, "comment" | "properties">;
type Maker = { readonly name: string };

/** @throws Refusal `CATALOG_ALREADY_EXISTS`. Who may is for the caller to check. */
export function createCatalog(
  context: WorkspaceContext,
  { name: given, comment, properties }: Described & { readonly name: string },
  maker: Maker,
): CatalogInfo {
  const name = nameOf(given);
  if (catalogsOf(context).get(name)) {
    throw new Refusal("CATALOG_ALREADY_EXISTS", `Catalog '${name}' already exists`);
  }
  const catalog = { name, comment, properties, ...created(maker, context.clock) };
  context.state.transaction(() => {
    catalogsOf(context).put(name, catalog);
    context.grants.own(catalogSecurable(name), maker.name);
    createSchema(context, { catalog_name: name, name: "default" }, maker);
  });
  return catalog;
}

/** @throws Refusal `SCHEMA_ALREADY_EXISTS`. Who may is for the caller to check. */
export function createSchema(
  context: WorkspaceContext,
  given: Described & { readonly name: string; readonly catalog_name: string },
  maker: Maker,
): SchemaInfo {
  const catalog = findCatalog(context, given.catalog_name).name;
  const name = nameOf(given.name);
  const fullName = `${catalog}.${name}`;
  if (schemasOf(context).get(fullName)) {
    throw new Refusal("SCHEMA_ALREADY_EXISTS", `Schema '${fullName}' already exists`);
  }
  const schema = {
    name,
    catalog_name: catalog,
    full_name: fullName,
    comment: given.comment,
    properties: given.properties,
    ...created(maker, context.clock),
  };
  context.state.transaction(() => {
    schemasOf(context).put(fullName, schema);
    context.grants.own(schemaSecurable(fullName), maker.name);
  });
  return schema;
}

/** With everything in it. */
export async function removeCatalog(context: WorkspaceContext, name: string): Promise<void> {
  const { state, grants } = context;
  for (const schema of schemasOf(context).list(`${name}.`)) await removeSchema(context, schema);
  state.transaction(() => {
    catalogsOf(context).delete(name);
    grants.forget(catalogSecurable(name));
  });
}

/** With everything in it. */
export async function removeSchema(context: WorkspaceContext, schema: SchemaInfo): Promise<void> {
  const { state, grants } = context;
  const { full_name: fullName } = schema;
  state.transaction(() => {
    for (const name of [...Object.values(inSchema), "model-versions"]) {
      const collection = state.collection(name);
      for (const [key] of collection.entries(`${fullName}.`)) collection.delete(key);
    }
    schemasOf(context).delete(fullName);
    grants.forget(schemaSecurable(fullName));
  });
  const path = fullName.replace(".", "/");
  await Promise.all(
    [context.volumes, context.models, context.tables].map((tree) => tree.removeAll(path)),
  );
}

type Asker = Parameters<WorkspaceContext["grants"]["sees"]>[0];

/** @throws Refusal `PERMISSION_DENIED` when the principal has nothing to do with it. */
export function requireSight(context: WorkspaceContext, asker: Asker, securable: Securable): void {
  if (context.grants.sees(asker, securable)) return;
  const privilege = securable.type === "catalog" ? "USE_CATALOG" : "USE_SCHEMA";
  context.grants.require(asker, privilege, securable);
}
