/**
 * Catalogs of Unity Catalog. They are somebody else's: nothing here makes or changes one.
 *
 * Source: databricks-sdk-py 0.156.0, `CatalogsAPI`.
 */
import { apiPath } from "./api-path.ts";
import type { CallLimits, DatabricksClient } from "./client.ts";
import { type JsonRecord, recordOf, recordsOf, textOf } from "./json-fields.ts";
import { PAGE_SIZE, readPages } from "./pages.ts";

export type Catalog = {
  readonly name: string;
  readonly comment: string | null;
  readonly owner: string | null;
  /** Such as `MANAGED_CATALOG`. */
  readonly catalogType: string | null;
  /** `null` where the storage of the metastore is used. */
  readonly storageRoot: string | null;
};

export async function getCatalog(
  client: DatabricksClient,
  name: string,
  limits: CallLimits = {},
): Promise<Catalog> {
  const answer = await client.getJson(apiPath`/api/2.1/unity-catalog/catalogs/${name}`, {
    ...limits,
    purpose: `read catalog "${name}"`,
    permission: `Give the identity USE CATALOG on catalog "${name}".`,
  });
  const record = recordOf(answer.json);
  const catalog = record && readCatalog(record);
  if (!catalog) throw answer.unusable("is not a catalog");
  return catalog;
}

export async function listCatalogs(
  client: DatabricksClient,
  limits: CallLimits = {},
): Promise<readonly Catalog[]> {
  const entries = await readPages("catalogs", (page) =>
    client.getJson(apiPath`/api/2.1/unity-catalog/catalogs`, {
      ...limits,
      query: { max_results: PAGE_SIZE, ...page },
      purpose: "list the catalogs",
    }),
  );
  return recordsOf(entries)
    .map(readCatalog)
    .filter((catalog) => catalog !== null);
}

function readCatalog(catalog: JsonRecord): Catalog | null {
  const name = textOf(catalog.name);
  if (name === null) return null;
  return {
    name,
    comment: textOf(catalog.comment),
    owner: textOf(catalog.owner),
    catalogType: textOf(catalog.catalog_type),
    storageRoot: textOf(catalog.storage_root),
  };
}
