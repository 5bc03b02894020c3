/**
 * Schemas of Unity Catalog.
 *
 * Source: databricks-sdk-py 0.156.0, `SchemasAPI`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { type JsonRecord, recordOf, recordsOf, textOf } from "./json-fields.ts";
import { PAGE_SIZE, readPages } from "./pages.ts";
import type { JsonAnswer } from "./read-answer.ts";

export type Schema = {
  /** With its catalog, such as `ml.agents`. */
  readonly fullName: string;
  readonly comment: string | null;
  readonly owner: string | null;
};

/** Rejects with `error.call.errorCode` `SCHEMA_ALREADY_EXISTS` where there is one of this name. */
export async function createSchema(
  client: DatabricksClient,
  schema: { readonly name: string; readonly catalog_name: string; readonly comment?: string },
  limits: CallLimits = {},
): Promise<Schema> {
  const answer = await client.postJson(apiPath`/api/2.1/unity-catalog/schemas`, schema, {
    ...limits,
    purpose: `create schema "${schema.catalog_name}.${schema.name}"`,
    permission: `Give the identity USE CATALOG and CREATE SCHEMA on catalog "${schema.catalog_name}".`,
  });
  return readAnsweredSchema(answer);
}

/** @param fullName with its catalog, such as `ml.agents`. */
export async function getSchema(
  client: DatabricksClient,
  fullName: string,
  limits: CallLimits = {},
): Promise<Schema> {
  const answer = await client.getJson(apiPath`/api/2.1/unity-catalog/schemas/${fullName}`, {
    ...limits,
    purpose: `read schema "${fullName}"`,
    permission: `Give the identity USE SCHEMA on schema "${fullName}", and USE CATALOG on what it is in.`,
  });
  return readAnsweredSchema(answer);
}

export async function listSchemas(
  client: DatabricksClient,
  catalogName: string,
  limits: CallLimits = {},
): Promise<readonly Schema[]> {
  const entries = await readPages("schemas", (page) =>
    client.getJson(apiPath`/api/2.1/unity-catalog/schemas`, {
      ...limits,
      query: { catalog_name: catalogName, max_results: PAGE_SIZE, ...page },
      purpose: `list the schemas of catalog "${catalogName}"`,
      permission: `Give the identity USE CATALOG on catalog "${catalogName}".`,
    }),
  );
  return recordsOf(entries)
    .map(readSchema)
    .filter((schema) => schema !== null);
}

/** It has to be empty, unless all that is in it is to go with it, by `force`. */
export function deleteSchema(
  client: DatabricksClient,
  fullName: string,
  { force, ...limits }: CallLimits & { readonly force?: boolean } = {},
): Promise<void> {
  return client.delete(apiPath`/api/2.1/unity-catalog/schemas/${fullName}`, {
    ...limits,
    ...(force !== undefined && { query: { force: String(force) } }),
    purpose: `delete schema "${fullName}"`,
    permission: `Give the identity MANAGE on schema "${fullName}".`,
  });
}

function readAnsweredSchema(answer: JsonAnswer): Schema {
  const record = recordOf(answer.json);
  const schema = record && readSchema(record);
  if (!schema) throw answer.unusable("is not a schema");
  return schema;
}

function readSchema(schema: JsonRecord): Schema | null {
  const fullName = textOf(schema.full_name);
  if (fullName === null) return null;
  return { fullName, comment: textOf(schema.comment), owner: textOf(schema.owner) };
}
