/**
 * Models in Unity Catalog and the aliases of their versions. Making a model and its
 * versions with their files stands in `mlflow-model-registry.ts`.
 *
 * Source: databricks-sdk-py 0.156.0, `RegisteredModelsAPI`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { integerOf, type JsonRecord, recordOf, recordsOf, textOf } from "./json-fields.ts";
import { readPages } from "./pages.ts";

export type RegisteredModel = {
  /** With catalog and schema, such as `ml.agents.support`. */
  readonly name: string;
  readonly comment: string | null;
  readonly owner: string | null;
  /** The version that each alias points to; empty in a list. */
  readonly aliases: ReadonlyMap<string, number>;
};

export async function getRegisteredModel(
  client: DatabricksClient,
  name: string,
  limits: CallLimits = {},
): Promise<RegisteredModel> {
  const answer = await client.getJson(apiPath`/api/2.1/unity-catalog/models/${name}`, {
    ...limits,
    query: { include_aliases: "true" },
    purpose: `read model "${name}"`,
    permission: modelPermission("EXECUTE", name),
  });
  const model = recordOf(answer.json);
  if (!model) throw answer.unusable("is not a model");
  return readModel(model, name);
}

export async function listRegisteredModels(
  client: DatabricksClient,
  { catalogName, schemaName }: { readonly catalogName: string; readonly schemaName: string },
  limits: CallLimits = {},
): Promise<readonly RegisteredModel[]> {
  const entries = await readPages("registered_models", (page) =>
    client.getJson(apiPath`/api/2.1/unity-catalog/models`, {
      ...limits,
      query: { catalog_name: catalogName, schema_name: schemaName, ...page },
      purpose: `list the models of schema "${catalogName}.${schemaName}"`,
      permission: `Give the identity USE CATALOG on catalog "${catalogName}" and USE SCHEMA on schema "${catalogName}.${schemaName}".`,
    }),
  );
  return recordsOf(entries).map((model) => readModel(model, ""));
}

/** All its versions go with it. */
export function deleteRegisteredModel(
  client: DatabricksClient,
  name: string,
  limits: CallLimits = {},
): Promise<void> {
  return client.delete(apiPath`/api/2.1/unity-catalog/models/${name}`, {
    ...limits,
    purpose: `delete model "${name}"`,
    permission: modelPermission("MANAGE", name),
  });
}

/** Points an alias such as `champion` to a version, wherever it pointed before. */
export async function setModelAlias(
  client: DatabricksClient,
  {
    modelName,
    alias,
    version,
  }: { readonly modelName: string; readonly alias: string; readonly version: number },
  limits: CallLimits = {},
): Promise<void> {
  await client.putJson(
    apiPath`/api/2.1/unity-catalog/models/${modelName}/aliases/${alias}`,
    { version_num: version },
    {
      ...limits,
      purpose: `point alias "${alias}" of model "${modelName}" to version ${version}`,
      permission: modelPermission("MANAGE", modelName),
    },
  );
}

export function deleteModelAlias(
  client: DatabricksClient,
  { modelName, alias }: { readonly modelName: string; readonly alias: string },
  limits: CallLimits = {},
): Promise<void> {
  return client.delete(apiPath`/api/2.1/unity-catalog/models/${modelName}/aliases/${alias}`, {
    ...limits,
    purpose: `delete alias "${alias}" of model "${modelName}"`,
    permission: modelPermission("MANAGE", modelName),
  });
}

export function modelPermission(privilege: string, name: string): string {
  return `Give the identity ${privilege} on model "${name}", and USE CATALOG and USE SCHEMA on what it is in.`;
}

function readModel(model: JsonRecord, asked: string): RegisteredModel {
  return {
    name: textOf(model.full_name) ?? asked,
    comment: textOf(model.comment),
    owner: textOf(model.owner),
    aliases: new Map(
      recordsOf(model.aliases).flatMap((alias) => {
        const name = textOf(alias.alias_name);
        const version = integerOf(alias.version_num);
        return name === null || version === null ? [] : [[name, version] as const];
      }),
    ),
  };
}
