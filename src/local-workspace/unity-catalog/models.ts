/**
 * Registered models and their versions over Unity Catalog's own API, as the official
 * SDKs use it. Versions are made over MLflow's (`mlflow/registry.ts`), since files
 * belong to them.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/catalog.py`.
 */
import { z } from "zod";
import { METASTORE } from "../access/grants.ts";
import type { WorkspaceApi, WorkspaceContext } from "../core/context.ts";
import { pageOf } from "../core/paging.ts";
import { readBody, readQuery } from "../core/request.ts";
import { findSchema, LIST_SIZES, schemaSecurable } from "./catalogs.ts";
import {
  changeModel,
  changeVersion,
  createModel,
  deleteAlias,
  deleteModel,
  deleteVersion,
  findAlias,
  findModel,
  findVersion,
  listModels,
  listVersions,
  type ModelInfo,
  modelSecurable,
  setAlias,
  type VersionInfo,
  versionPath,
} from "./model-registry.ts";

const MODELS = "/api/2.1/unity-catalog/models";

const newModel = z.looseObject({
  catalog_name: z.string(),
  schema_name: z.string(),
  name: z.string(),
  comment: z.string().optional(),
});
const paging = { max_results: z.coerce.number().optional(), page_token: z.string().optional() };
const list = z.looseObject({
  catalog_name: z.string().optional(),
  schema_name: z.string().optional(),
  ...paging,
});
const change = z.looseObject({ comment: z.string().optional(), owner: z.string().optional() });
const aliasTarget = z.looseObject({ version_num: z.number().int() });

export const models: WorkspaceApi = {
  name: "Unity Catalog: models",
  mount(routes, context) {
    const { grants } = context;

    routes.post(MODELS, async (c) => {
      const body = await readBody(c, newModel);
      const { catalog_name: catalog, schema_name: schema, name, comment } = body;
      const model = createModel(context, { catalog, schema, name, comment }, c.get("principal"));
      return c.json(describeModel(context, model));
    });

    routes.get(MODELS, (c) => {
      const query = readQuery(c, list);
      let prefix = "";
      if (query.catalog_name !== undefined) {
        const schema = findSchema(context, `${query.catalog_name}.${query.schema_name ?? ""}`);
        grants.require(c.get("principal"), "USE_SCHEMA", schemaSecurable(schema.full_name));
        prefix = `${schema.full_name}.`;
      }
      const seen = listModels(context, prefix).filter(({ full_name: name }) =>
        grants.sees(c.get("principal"), modelSecurable(name)),
      );
      const { items, nextPageToken } = pageOf(seen, {
        ...LIST_SIZES,
        maxResults: query.max_results,
        pageToken: query.page_token,
      });
      return c.json({
        registered_models: items.map((model) => describeModel(context, model)),
        next_page_token: nextPageToken,
      });
    });

    routes.get(`${MODELS}/:fullName`, (c) => {
      const model = findModel(context, c.req.param("fullName"));
      grants.require(c.get("principal"), "EXECUTE", modelSecurable(model.full_name));
      const withAliases = c.req.query("include_aliases") === "true";
      return c.json(describeModel(context, model, { withAliases }));
    });

    routes.patch(`${MODELS}/:fullName`, async (c) => {
      const model = findModel(context, c.req.param("fullName"));
      const { comment, owner } = await readBody(c, change);
      grants.requireManage(c.get("principal"), modelSecurable(model.full_name));
      if (owner) grants.own(modelSecurable(model.full_name), owner);
      const changed = changeModel(
        context,
        model,
        comment === undefined ? {} : { comment },
        c.get("principal"),
      );
      return c.json(describeModel(context, changed));
    });

    routes.delete(`${MODELS}/:fullName`, async (c) => {
      await deleteModel(context, findModel(context, c.req.param("fullName")), c.get("principal"));
      return c.json({});
    });

    routes.get(`${MODELS}/:fullName/versions`, (c) => {
      const query = readQuery(c, z.looseObject(paging));
      const model = findModel(context, c.req.param("fullName"));
      grants.require(c.get("principal"), "EXECUTE", modelSecurable(model.full_name));
      const { items, nextPageToken } = pageOf(listVersions(context, model.full_name), {
        ...LIST_SIZES,
        maxResults: query.max_results,
        pageToken: query.page_token,
      });
      return c.json({
        model_versions: items.map((version) => describeVersion(context, version)),
        next_page_token: nextPageToken,
      });
    });

    routes.get(`${MODELS}/:fullName/versions/:version`, (c) => {
      const version = findVersion(context, c.req.param("fullName"), c.req.param("version"));
      grants.require(c.get("principal"), "EXECUTE", modelSecurable(version.full_name));
      const withAliases = c.req.query("include_aliases") === "true";
      return c.json(describeVersion(context, version, { withAliases }));
    });

    routes.patch(`${MODELS}/:fullName/versions/:version`, async (c) => {
      const version = findVersion(context, c.req.param("fullName"), c.req.param("version"));
      const { comment } = await readBody(c, change);
      grants.requireManage(c.get("principal"), modelSecurable(version.full_name));
      const changed = changeVersion(
        context,
        version,
        comment === undefined ? {} : { comment },
        c.get("principal"),
      );
      return c.json(describeVersion(context, changed));
    });

    routes.delete(`${MODELS}/:fullName/versions/:version`, async (c) => {
      const version = findVersion(context, c.req.param("fullName"), c.req.param("version"));
      await deleteVersion(context, version, c.get("principal"));
      return c.json({});
    });

    routes.get(`${MODELS}/:fullName/aliases/:alias`, (c) => {
      const version = findAlias(context, c.req.param("fullName"), c.req.param("alias"));
      grants.require(c.get("principal"), "EXECUTE", modelSecurable(version.full_name));
      const withAliases = c.req.query("include_aliases") === "true";
      return c.json(describeVersion(context, version, { withAliases }));
    });

    routes.put(`${MODELS}/:fullName/aliases/:alias`, async (c) => {
      const model = findModel(context, c.req.param("fullName"));
      const { version_num: version } = await readBody(c, aliasTarget);
      const alias = c.req.param("alias");
      const changed = setAlias(
        context,
        model,
        { alias, version: String(version) },
        c.get("principal"),
      );
      const set = aliasesOf(changed).find((each) => each.alias_name === alias.toLowerCase());
      return c.json(set ?? {});
    });

    routes.delete(`${MODELS}/:fullName/aliases/:alias`, (c) => {
      const model = findModel(context, c.req.param("fullName"));
      deleteAlias(context, model, c.req.param("alias"), c.get("principal"));
      return c.json({});
    });
  },
};

type Shown = { readonly withAliases?: boolean };

function describeModel(context: WorkspaceContext, model: ModelInfo, { withAliases }: Shown = {}) {
  const { aliases: _aliases, tags: _tags, next_version: _next, id: _id, ...shown } = model;
  return {
    ...shown,
    owner: context.grants.ownerOf(modelSecurable(model.full_name)),
    metastore_id: METASTORE.fullName,
    storage_location: context.models.locate(model.full_name.replaceAll(".", "/")),
    ...(withAliases ? { aliases: aliasesOf(model) } : {}),
  };
}

function describeVersion(
  context: WorkspaceContext,
  version: VersionInfo,
  { withAliases }: Shown = {},
) {
  const { full_name: fullName, tags: _tags, recorded_agent: recorded, ...shown } = version;
  const aliases = aliasesOf(findModel(context, fullName));
  return {
    ...shown,
    ...(recorded === undefined
      ? { storage_location: context.models.locate(versionPath(fullName, version.version)) }
      : { comment: `recorded: answers of ${recorded} that were recorded. ${version.comment}` }),
    metastore_id: METASTORE.fullName,
    ...(withAliases
      ? { aliases: aliases.filter((each) => each.version_num === version.version) }
      : {}),
  };
}

function aliasesOf({ catalog_name, schema_name, name, aliases, id }: ModelInfo) {
  return Object.entries(aliases).map(([alias, version]) => ({
    catalog_name,
    schema_name,
    model_name: name,
    alias_name: alias,
    id,
    version_num: version,
  }));
}
