/**
 * Models in Unity Catalog: one for each agent that is served, with the version that
 * the endpoint names and the alias `champion` on it. Model files are not here.
 *
 * Source: databricks-sdk-py 0.156.0, `databricks/sdk/service/catalog.py`. The words
 * of the refusals are assumed; their codes are those that the SDK knows.
 */
import { createHash } from "node:crypto";
import type { WorkspaceApi } from "./core/context.ts";
import { databricksError } from "./databricks-error.ts";
import { summarizeEndpoint } from "./serving-endpoints.ts";

const ALIAS = "champion";
const CREATOR = "local-workspace@example.com";

type RegisteredModel = {
  /** With catalog and schema, as the served entity names it. */
  readonly fullName: string;
  readonly version: number;
};

const BASE = "/api/2.1/unity-catalog/models";

export const unityCatalogModels: WorkspaceApi = {
  name: "Unity Catalog: models",
  mount(routes, { clock, recordedAgents }) {
    const createdMs = clock.now();
    const models = new Map<string, RegisteredModel>();
    for (const endpointName of recordedAgents.map(({ agent }) => agent)) {
      const { config } = summarizeEndpoint({ endpointName, createdMs });
      for (const { entity_name: fullName, entity_version: version } of config.served_entities) {
        models.set(fullName, { fullName, version: Number(version) });
      }
    }
    const describe = (model: RegisteredModel, withAliases: boolean) =>
      describeVersion(model, { createdMs, withAliases });

    routes.get(`${BASE}/:fullName/versions/:version`, (c) => {
      const { fullName, version } = c.req.param();
      const model = models.get(fullName);
      if (!/^\d{1,9}$/.test(version)) {
        return databricksError("INVALID_PARAMETER_VALUE", `'${version}' is not a model version.`);
      }
      if (!model) return unknownModel(fullName);
      if (Number(version) !== model.version) {
        return databricksError(
          "RESOURCE_DOES_NOT_EXIST",
          `Version ${version} of model '${fullName}' does not exist.`,
        );
      }
      return c.json(describe(model, c.req.query("include_aliases") === "true"));
    });

    routes.get(`${BASE}/:fullName/aliases/:alias`, (c) => {
      const { fullName, alias } = c.req.param();
      const model = models.get(fullName);
      if (!model) return unknownModel(fullName);
      if (alias.toLowerCase() !== ALIAS) {
        return databricksError(
          "RESOURCE_DOES_NOT_EXIST",
          `Alias '${alias}' of model '${fullName}' does not exist.`,
        );
      }
      return c.json(describe(model, c.req.query("include_aliases") === "true"));
    });
  },
};

function describeVersion(
  { fullName, version }: RegisteredModel,
  { createdMs, withAliases }: { readonly createdMs: number; readonly withAliases: boolean },
) {
  const [catalog = "", schema = "", name = ""] = fullName.split(".");
  const place = { catalog_name: catalog, schema_name: schema, model_name: name };
  const aliases = [{ ...place, alias_name: ALIAS, id: idOf(`${fullName}@`), version_num: version }];
  return {
    ...place,
    version,
    status: "READY",
    id: idOf(`${fullName}/${version}`),
    created_at: createdMs,
    created_by: CREATOR,
    updated_at: createdMs,
    updated_by: CREATOR,
    ...(withAliases ? { aliases } : {}),
  };
}

function unknownModel(fullName: string): Response {
  return databricksError("RESOURCE_DOES_NOT_EXIST", `Model '${fullName}' does not exist.`);
}

/** In the form of a UUID, the same each time. */
function idOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  return hex.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
