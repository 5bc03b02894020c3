/**
 * Unity Catalog's models as MLflow's own client reaches them: a version is created,
 * its files are uploaded, and it is finalized.
 *
 * Source: MLflow 3.17.2, `mlflow/protos/databricks_uc_registry_messages.proto` and
 * `mlflow/store/_unity_catalog/registry/rest_store.py`. 64-bit numbers are numbers in
 * the answers, as protobuf's JSON reader takes them too.
 */
import { z } from "zod";
import type { WorkspaceApi, WorkspaceContext } from "../core/context.ts";
import { pageOf } from "../core/paging.ts";
import { readBody, readQuery } from "../core/request.ts";
import { Refusal } from "../databricks-error.ts";
import {
  changeModel,
  changeVersion,
  createModel,
  createVersion,
  deleteAlias,
  deleteModel,
  deleteVersion,
  finalizeVersion,
  findAlias,
  findModel,
  findVersion,
  listModels,
  listVersions,
  type ModelInfo,
  modelSecurable,
  requireUploader,
  setAlias,
  type VersionInfo,
  versionPath,
} from "../unity-catalog/model-registry.ts";
import { threeLevelName } from "../unity-catalog/names.ts";

const MODELS = "/api/2.0/mlflow/unity-catalog/registered-models";
const VERSIONS = "/api/2.0/mlflow/unity-catalog/model-versions";

const LIST_SIZES = { defaultResults: 100, limit: 1000 } as const;

const tags = z.array(z.looseObject({ key: z.string(), value: z.string().default("") })).default([]);
const text = z.string().optional();
const newModel = z.looseObject({ name: z.string(), description: text, tags });
const newVersion = z.looseObject({
  name: z.string(),
  source: z.string(),
  run_id: text,
  model_id: text,
  description: text,
  tags,
});
const ofModel = z.looseObject({ name: z.string() });
/** Numbers in JSON, text in a query; clients send either. */
const version = z.union([z.string(), z.number()]).transform(String);
const ofVersion = z.looseObject({ name: z.string(), version });
const ofAlias = z.looseObject({ name: z.string(), alias: z.string() });
const tag = { key: z.string(), value: z.string().default("") };
const paging = { max_results: z.coerce.number().optional(), page_token: z.string().optional() };

export const modelRegistry: WorkspaceApi = {
  name: "MLflow: models in Unity Catalog",
  mount(routes, context) {
    const { grants } = context;

    routes.post(`${MODELS}/create`, async (c) => {
      const body = await readBody(c, newModel);
      const { catalog, schema, name } = threeLevelName(body.name);
      const model = createModel(
        context,
        { catalog, schema, name, comment: body.description, tags: asRecord(body.tags) },
        c.get("principal"),
      );
      return c.json({ registered_model: describeModel(context, model) });
    });

    routes.get(`${MODELS}/get`, (c) => {
      const model = findModel(context, readQuery(c, ofModel).name);
      grants.require(c.get("principal"), "EXECUTE", modelSecurable(model.full_name));
      return c.json({ registered_model: describeModel(context, model) });
    });

    routes.get(`${MODELS}/search`, (c) => {
      const query = readQuery(c, z.looseObject(paging));
      const seen = listModels(context).filter(({ full_name: name }) =>
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

    routes.patch(`${MODELS}/update`, async (c) => {
      const body = await readBody(c, z.looseObject({ name: z.string(), description: text }));
      const model = findModel(context, body.name);
      if (body.new_name !== undefined) throw noRename();
      grants.requireManage(c.get("principal"), modelSecurable(model.full_name));
      const change = body.description === undefined ? {} : { comment: body.description };
      const changed = changeModel(context, model, change, c.get("principal"));
      return c.json({ registered_model: describeModel(context, changed) });
    });

    routes.delete(`${MODELS}/delete`, async (c) => {
      const { name } = await readBody(c, ofModel);
      await deleteModel(context, findModel(context, name), c.get("principal"));
      return c.json({});
    });

    routes.post(`${MODELS}/set-tag`, async (c) => {
      const body = await readBody(c, z.looseObject({ name: z.string(), ...tag }));
      const model = findModel(context, body.name);
      grants.require(c.get("principal"), "APPLY_TAG", modelSecurable(model.full_name));
      const changed = { ...model.tags, [body.key]: body.value };
      changeModel(context, model, { tags: changed }, c.get("principal"));
      return c.json({});
    });

    routes.delete(`${MODELS}/delete-tag`, async (c) => {
      const body = await readBody(c, z.looseObject({ name: z.string(), key: z.string() }));
      const model = findModel(context, body.name);
      grants.require(c.get("principal"), "APPLY_TAG", modelSecurable(model.full_name));
      const { [body.key]: _, ...left } = model.tags;
      changeModel(context, model, { tags: left }, c.get("principal"));
      return c.json({});
    });

    routes.post(`${MODELS}/alias`, async (c) => {
      const body = await readBody(c, ofAlias.extend({ version }));
      const model = findModel(context, body.name);
      setAlias(context, model, { alias: body.alias, version: body.version }, c.get("principal"));
      return c.json({});
    });

    routes.get(`${MODELS}/alias`, (c) => {
      const query = readQuery(c, ofAlias);
      const found = findAlias(context, query.name, query.alias);
      grants.require(c.get("principal"), "EXECUTE", modelSecurable(found.full_name));
      return c.json({ model_version: describeVersion(context, found) });
    });

    routes.delete(`${MODELS}/alias`, async (c) => {
      const body = await readBody(c, ofAlias);
      deleteAlias(context, findModel(context, body.name), body.alias, c.get("principal"));
      return c.json({});
    });

    // How files are uploaded here: over the files API, and not by the cloud's own.
    routes.get(`${MODELS}:is-databricks-sdk-models-artifact-repository-enabled`, (c) =>
      c.json({ is_databricks_sdk_models_artifact_repository_enabled: true }),
    );

    routes.post(`${VERSIONS}/create`, async (c) => {
      const body = await readBody(c, newVersion);
      const made = createVersion(
        context,
        findModel(context, body.name),
        {
          source: body.source,
          runId: body.run_id,
          modelId: body.model_id,
          comment: body.description,
          tags: asRecord(body.tags),
        },
        c.get("principal"),
      );
      return c.json({ model_version: describeVersion(context, made) });
    });

    routes.post(`${VERSIONS}/generate-temporary-credentials`, async (c) => {
      const body = await readBody(c, ofVersion);
      requireUploader(context, findVersion(context, body.name, body.version), c.get("principal"));
      throw new Refusal(
        "NOT_IMPLEMENTED",
        "The local workspace has no cloud storage: upload model files over the files API, under /Models.",
      );
    });

    routes.post(`${VERSIONS}/finalize`, async (c) => {
      const body = await readBody(c, ofVersion);
      const pending = findVersion(context, body.name, body.version);
      const ready = await finalizeVersion(context, pending, c.get("principal"));
      return c.json({ model_version: describeVersion(context, ready) });
    });

    routes.get(`${VERSIONS}/get`, (c) => {
      const query = readQuery(c, ofVersion);
      const found = findVersion(context, query.name, query.version);
      grants.require(c.get("principal"), "EXECUTE", modelSecurable(found.full_name));
      return c.json({ model_version: describeVersion(context, found) });
    });

    routes.get(`${VERSIONS}/search`, (c) => {
      const query = readQuery(c, z.looseObject({ filter: z.string().default(""), ...paging }));
      const [, name] = /^\s*name\s*=\s*['"]([^'"]+)['"]\s*$/.exec(query.filter) ?? [];
      if (name === undefined) {
        throw new Refusal(
          "INVALID_PARAMETER_VALUE",
          "The filter must be of the form name='catalog.schema.model'.",
        );
      }
      const model = findModel(context, name);
      grants.require(c.get("principal"), "EXECUTE", modelSecurable(model.full_name));
      const { items, nextPageToken } = pageOf(listVersions(context, model.full_name), {
        ...LIST_SIZES,
        maxResults: query.max_results,
        pageToken: query.page_token,
      });
      return c.json({
        model_versions: items.map((each) => describeVersion(context, each)),
        next_page_token: nextPageToken,
      });
    });

    routes.get(`${VERSIONS}/get-download-uri`, (c) => {
      const query = readQuery(c, ofVersion);
      const found = findVersion(context, query.name, query.version);
      grants.require(c.get("principal"), "EXECUTE", modelSecurable(found.full_name));
      return c.json({ artifact_uri: storageLocation(context, found) });
    });

    routes.patch(`${VERSIONS}/update`, async (c) => {
      const body = await readBody(c, ofVersion.extend({ description: text }));
      const found = findVersion(context, body.name, body.version);
      grants.requireManage(c.get("principal"), modelSecurable(found.full_name));
      const change = body.description === undefined ? {} : { comment: body.description };
      const changed = changeVersion(context, found, change, c.get("principal"));
      return c.json({ model_version: describeVersion(context, changed) });
    });

    routes.delete(`${VERSIONS}/delete`, async (c) => {
      const body = await readBody(c, ofVersion);
      const found = findVersion(context, body.name, body.version);
      await deleteVersion(context, found, c.get("principal"));
      return c.json({});
    });

    routes.post(`${VERSIONS}/set-tag`, async (c) => {
      const body = await readBody(c, ofVersion.extend(tag));
      const found = findVersion(context, body.name, body.version);
      grants.require(c.get("principal"), "APPLY_TAG", modelSecurable(found.full_name));
      const changed = { ...found.tags, [body.key]: body.value };
      changeVersion(context, found, { tags: changed }, c.get("principal"));
      return c.json({});
    });

    routes.delete(`${VERSIONS}/delete-tag`, async (c) => {
      const body = await readBody(c, ofVersion.extend({ key: z.string() }));
      const found = findVersion(context, body.name, body.version);
      grants.require(c.get("principal"), "APPLY_TAG", modelSecurable(found.full_name));
      const { [body.key]: _, ...left } = found.tags;
      changeVersion(context, found, { tags: left }, c.get("principal"));
      return c.json({});
    });

    // Which notebooks and jobs made a version; nobody asks for it here.
    routes.post(`${VERSIONS}/emit-lineage`, async (c) => {
      const body = await readBody(c, ofVersion);
      findVersion(context, body.name, body.version);
      return c.json({});
    });
  },
};

function describeModel(context: WorkspaceContext, model: ModelInfo) {
  return {
    name: model.full_name,
    creation_timestamp: model.created_at,
    last_updated_timestamp: model.updated_at,
    user_id: context.grants.ownerOf(modelSecurable(model.full_name)),
    description: model.comment,
    aliases: Object.entries(model.aliases).map(([alias, number]) => ({
      alias,
      version: String(number),
    })),
    tags: asList(model.tags),
  };
}

function describeVersion(context: WorkspaceContext, found: VersionInfo) {
  const { aliases } = findModel(context, found.full_name);
  return {
    name: found.full_name,
    version: String(found.version),
    creation_timestamp: found.created_at,
    last_updated_timestamp: found.updated_at,
    user_id: found.created_by,
    description: found.comment,
    source: found.source,
    run_id: found.run_id,
    model_id: found.model_id,
    status: found.status,
    status_message: "",
    storage_location: storageLocation(context, found),
    aliases: Object.entries(aliases)
      .filter(([, number]) => number === found.version)
      .map(([alias]) => ({ alias, version: String(found.version) })),
    tags: [
      ...asList(found.tags),
      ...(found.recorded_agent === undefined
        ? []
        : [{ key: "recorded", value: found.recorded_agent }]),
    ],
  };
}

const storageLocation = (context: WorkspaceContext, { full_name, version }: VersionInfo) =>
  context.models.locate(versionPath(full_name, version));

const asRecord = (list: z.output<typeof tags>) =>
  Object.fromEntries(list.map(({ key, value }) => [key, value]));

const asList = (record: Readonly<Record<string, string>>) =>
  Object.entries(record).map(([key, value]) => ({ key, value }));

function noRename(): Refusal {
  return new Refusal("NOT_IMPLEMENTED", "The local workspace does not rename models.");
}
